package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// toll is what closing a project group would end, or what opening it again would give.
type toll struct {
	Plan     string   `json:"plan"`
	Basis    string   `json:"basis"`
	Group    string   `json:"group"`
	Key      string   `json:"key"`
	People   int      `json:"people"`
	Channels []string `json:"channels"`
	Guests   []struct {
		Name    string `json:"name"`
		Company string `json:"company"`
		Stays   bool   `json:"stays"`
	} `json:"guests"`
	Waiting  int  `json:"waiting"`
	Approval bool `json:"approval"`
	Applied  bool `json:"applied"`

	open bool
}

func (t toll) print(w io.Writer) {
	what, there := "closes", "is archived"
	if t.open {
		what, there = "opens again", "comes back"
	}
	fmt.Fprintf(w, "plan %s %s %s: %d people\n", t.Plan, what, t.Key, t.People)
	for _, c := range t.Channels {
		fmt.Fprintf(w, "channel %s/%s %s\n", t.Key, c, there)
	}
	for _, g := range t.Guests {
		stays := ""
		if g.Stays {
			stays = ", who stays a guest elsewhere"
		}
		fmt.Fprintf(w, "guest %s of %s leaves%s\n", g.Name, g.Company, stays)
	}
	if t.Waiting > 0 {
		fmt.Fprintf(w, "%d invitations come to nothing\n", t.Waiting)
	}
	switch {
	case t.Applied:
		fmt.Fprintln(w, "done")
	case t.Approval:
		fmt.Fprintln(w, "another administrator has to approve the plan first; nothing was written")
	default:
		fmt.Fprintln(w, "nothing was written: --apply does it")
	}
}

type closedProject struct {
	ID    string    `json:"id"`
	Group string    `json:"group"`
	Key   string    `json:"key"`
	At    time.Time `json:"at"`
	Until time.Time `json:"until"`
}

func projectCommand() *cobra.Command {
	command := &cobra.Command{Use: "project", Short: "Close project groups, and open them again"}
	command.AddCommand(closingCommand("close KEY", "What closing one would end, or close it", false), closingCommand("reopen KEY", "What opening one again would give, or open it", true),
		remote(&cobra.Command{Use: "closed", Short: "Project groups that were closed", Args: cobra.NoArgs}, func(w io.Writer, l listOf[closedProject]) {
			for _, c := range l.Items {
				fmt.Fprintf(w, "%s\tclosed %s\tarchive until %s\n", c.Key, c.At.Format(time.RFC3339), c.Until.Format(time.RFC3339))
			}
		}, func(c *cobra.Command, api *client, _ []string) (l listOf[closedProject], err error) {
			return l, api.do(c.Context(), "GET", "/api/v1/closings", nil, &l)
		}))
	return command
}

func closingCommand(use, short string, open bool) *cobra.Command {
	one := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1)}
	reason := one.Flags().String("reason", "", "why, for the audit log")
	apply := one.Flags().Bool("apply", false, "do it, unless it would do something else by then than was shown")
	plan, basis := one.Flags().String("plan", "", "with --apply: what was shown before, instead of looking again"), one.Flags().String("basis", "", "of that plan")
	one.MarkFlagsRequiredTogether("plan", "basis")
	return remote(one, func(w io.Writer, t toll) { t.print(w) }, func(c *cobra.Command, api *client, args []string) (t toll, err error) {
		t.open = open
		group := ""
		if open {
			group, err = closedNamed(c.Context(), api, args[0])
		} else {
			group, err = groupNamed(c.Context(), api, args[0])
		}
		if err != nil {
			return t, err
		}
		path, body := "/api/v1/groups/"+url.PathEscape(group)+"/closing", map[string]any{"open": open, "reason": *reason}
		if t.Plan, t.Basis, t.Key = *plan, *basis, args[0]; t.Plan == "" {
			if err := api.do(c.Context(), "POST", path+"/preview", body, &t); err != nil {
				return t, err
			}
		}
		if !*apply {
			return t, nil
		}
		body["plan"], body["basis"] = t.Plan, t.Basis
		t.Applied = true
		return t, api.do(c.Context(), "POST", path, body, nil)
	})
}

// closedNamed answers the id of a project group that was closed, by its key or id.
func closedNamed(ctx context.Context, api *client, word string) (string, error) {
	var l listOf[closedProject]
	if err := api.do(ctx, "GET", "/api/v1/closings", nil, &l); err != nil {
		return "", err
	}
	at := slices.IndexFunc(l.Items, func(c closedProject) bool { return c.Group == word || strings.EqualFold(c.Key, word) })
	if at < 0 {
		return "", fmt.Errorf("no project group %q is closed", word)
	}
	return l.Items[at].Group, nil
}
