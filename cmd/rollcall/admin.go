package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// adminRole is one role that somebody has.
type adminRole struct {
	Person      string     `json:"person"`
	DisplayName string     `json:"display_name,omitempty"`
	Role        string     `json:"role"`
	Unit        string     `json:"unit,omitempty"`
	UnitName    string     `json:"unit_name,omitempty"`
	GrantedBy   string     `json:"granted_by,omitempty"`
	GrantedAt   *time.Time `json:"granted_at,omitempty"`
}

func adminTable(w io.Writer, a adminRole) {
	where := "the whole organisation"
	if a.Unit != "" {
		where = strings.TrimSpace(a.UnitName + " " + a.Unit)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Role, where, strings.TrimSpace(a.DisplayName+" "+a.Person), a.GrantedBy, when(a.GrantedAt, ""))
}

func adminCommand() *cobra.Command {
	command := &cobra.Command{Use: "admin", Short: "Roles of administrators"}
	command.AddCommand(remote(&cobra.Command{Use: "list", Short: "Who has which role, and for what", Args: cobra.NoArgs},
		func(w io.Writer, l listOf[adminRole]) {
			for _, a := range l.Items {
				adminTable(w, a)
			}
		}, func(c *cobra.Command, api *client, _ []string) (listOf[adminRole], error) {
			var l listOf[adminRole]
			return l, api.do(c.Context(), "GET", "/api/v1/admins", nil, &l)
		}), adminVerb("grant", "PUT", "Give a person (id or user name) a role: owner, system, security, hr, helpdesk or auditor"),
		adminVerb("revoke", "DELETE", "Take a role from a person"))
	return command
}

func adminVerb(verb, method, short string) *cobra.Command {
	c := &cobra.Command{Use: verb + " PERSON ROLE", Short: short, Args: cobra.ExactArgs(2)}
	unit := c.Flags().String("unit", "", "hr and helpdesk: for this unit (id or name) with all below it only")
	return remote(c, adminTable, func(c *cobra.Command, api *client, args []string) (adminRole, error) {
		a := adminRole{Role: args[1]}
		var err error
		if a.Person, err = personNamed(c.Context(), api, args[0]); err != nil {
			return a, err
		}
		if a.Unit, err = unitNamed(c.Context(), api, *unit); err != nil {
			return a, err
		}
		path := "/api/v1/admins/" + url.PathEscape(a.Person)
		if method == "DELETE" {
			query := url.Values{"role": {a.Role}}
			if a.Unit != "" {
				query.Set("unit", a.Unit)
			}
			return a, api.do(c.Context(), method, path+"?"+query.Encode(), nil, nil)
		}
		body := map[string]any{"role": a.Role}
		if a.Unit != "" {
			body["unit"] = a.Unit
		}
		return a, api.do(c.Context(), method, path, body, nil)
	})
}

// unitNamed answers the id of a unit, or of the one unit with a name; of nothing nothing.
func unitNamed(ctx context.Context, api *client, name string) (string, error) {
	if name == "" || strings.HasPrefix(name, "unt_") {
		return name, nil
	}
	var l listOf[struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Key  string `json:"key"`
	}]
	if err := api.do(ctx, "GET", "/api/v1/units", nil, &l); err != nil {
		return "", err
	}
	var found []string
	for _, u := range l.Items {
		if u.Name == name || u.Key == name {
			found = append(found, u.ID)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%d units are called %q; say the id, unt_…", len(found), name)
	}
	return found[0], nil
}

// sealedHalves are the two halves of the emergency account; each is there once.
type sealedHalves struct {
	First  string `json:"first,omitempty"`
	Second string `json:"second,omitempty"`
	Files  string `json:"files,omitempty"`
}

func emergencyCommand() *cobra.Command {
	command := &cobra.Command{Use: "emergency", Short: "The account of two persons for the day on which nobody else gets in"}
	c := &cobra.Command{Use: "seal", Short: "Make its two halves anew, one for each of two people; those of before open nothing any more", Args: cobra.NoArgs}
	first := c.Flags().String("first", "", "a new file for the first half; else it is printed")
	second := c.Flags().String("second", "", "a new file for the second half; else it is printed")
	command.AddCommand(remote(c, func(w io.Writer, h sealedHalves) {
		if h.First != "" {
			fmt.Fprintf(w, "first half, shown this once:\t%s\n", h.First)
		}
		if h.Second != "" {
			fmt.Fprintf(w, "second half, shown this once:\t%s\n", h.Second)
		}
		fmt.Fprintln(w, "hand them to two people; both within ten minutes at /auth/emergency open a session for one hour, once")
	}, func(c *cobra.Command, api *client, _ []string) (sealedHalves, error) {
		var h sealedHalves
		for _, path := range []string{*first, *second} {
			if _, err := os.Stat(path); path != "" && !errors.Is(err, os.ErrNotExist) {
				return h, fmt.Errorf("%s is there already", path)
			}
		}
		if err := api.do(c.Context(), "POST", "/api/v1/emergency/seal", nil, &h); err != nil {
			return h, err
		}
		for _, half := range []struct {
			path string
			text *string
		}{{*first, &h.First}, {*second, &h.Second}} {
			if half.path == "" {
				continue
			}
			if err := writeNew(half.path, *half.text+"\n"); err != nil {
				return h, fmt.Errorf("seal again, one half is lost: %w", err)
			}
			*half.text, h.Files = "", strings.TrimSpace(h.Files+" "+half.path)
		}
		return h, nil
	}))
	return command
}

// writeNew writes a file that nobody else reads and that was not there.
func writeNew(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}
