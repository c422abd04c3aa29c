package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/directory/ldap"
)

// relinked is a preview of a relinking, or what became of it.
type relinked struct {
	ldap.RelinkView
	Done bool `json:"done"`
}

func relinkCommand() *cobra.Command {
	c := &cobra.Command{Use: "relink SOURCE", Short: "Say who has another id in an LDAP directory that was loaded anew, or is identified otherwise; with --confirm link them anew",
		Args: cobra.ExactArgs(1)}
	confirm := c.Flags().Bool("confirm", false, "do it")
	return remote(c, func(w io.Writer, r relinked) {
		for _, p := range r.Pairs {
			fmt.Fprintf(w, "%s\t%s\t%s\tby %s\n", p.Person, p.Name, p.DN, p.By)
		}
		if n := r.Linked - len(r.Pairs); n > 0 {
			fmt.Fprintf(w, "and %d more\n", n)
		}
		for _, u := range r.Unsure {
			fmt.Fprintf(w, "unsure\t%s\t%s\t%s: %v\n", u.Name, u.DN, u.Why, u.People)
		}
		for _, why := range r.Why {
			fmt.Fprintf(w, "the directory was not read to its end: %s\n", why)
		}
		fmt.Fprintf(w, "%d people are read, %d are known; %d have their own id; %d units and %d groups have another\n", r.Read, r.Known, r.Same, r.Units, r.Groups)
		verb := "would be linked anew; --confirm does it"
		if r.Done {
			verb = "are linked anew, and the directory is read"
		}
		fmt.Fprintf(w, "%d %s; %d unsure, %d new, %d missing\n", r.Linked, verb, r.Ambig, r.New, r.Missing)
	}, func(c *cobra.Command, api *client, args []string) (relinked, error) {
		var r relinked
		path, _, err := sourceNamed(c.Context(), api, args[0])
		if err != nil {
			return r, err
		}
		if err := api.do(c.Context(), "POST", path+"/relink/preview", nil, &r.RelinkView); err != nil || !*confirm {
			return r, err
		}
		r.Done = true
		return r, api.do(c.Context(), "POST", path+"/relink", map[string]string{"hash": r.Hash}, &r.RelinkView)
	})
}
