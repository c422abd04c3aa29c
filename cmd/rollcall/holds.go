package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

type hold struct {
	ID         string          `json:"id"`
	Cause      string          `json:"cause"`
	State      string          `json:"state"`
	CreatedAt  string          `json:"created_at"`
	Count      int             `json:"count"`
	People     json.RawMessage `json:"people,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	SourceName string          `json:"source_name,omitempty"`
	Causes     []heldCause     `json:"causes,omitempty"`
	Effects    []heldEffect    `json:"effects,omitempty"`
	Removals   []heldRemoval   `json:"removals,omitempty"`
	Burst      *heldBurst      `json:"burst,omitempty"`
}

// heldBurst is whom a source stopped, where a hold is about that.
type heldBurst struct {
	Freezes []struct {
		Person  personRef `json:"person"`
		Cause   string    `json:"cause"`
		At      string    `json:"at"`
		Outcome string    `json:"outcome,omitempty"`
	} `json:"freezes"`
}

type heldCause struct {
	Cause  string `json:"cause"`
	People int    `json:"people"`
}

type heldEffect struct {
	Cause string `json:"cause"`
	Group struct {
		Key string `json:"key"`
	} `json:"group"`
	People int `json:"people"`
}

type heldRemoval struct {
	Cause string `json:"cause"`
	Now   string `json:"now,omitempty"`
	Group struct {
		Key string `json:"key"`
	} `json:"group"`
	Person personRef `json:"person"`
}

type restored struct {
	Restored    []personRef `json:"restored"`
	Frozen      []personRef `json:"frozen"`
	Skipped     []personRef `json:"skipped"`
	Memberships int         `json:"memberships"`
	Until       string      `json:"until"`
	Channels    int         `json:"channels,omitempty"`
	BackTo      int64       `json:"back_to,omitempty"`
	Plan        string      `json:"plan,omitempty"`
	Applied     bool        `json:"applied,omitempty"`
	NotUndone   []notUndone `json:"not_undone,omitempty"`
	Missing     int         `json:"not_undone_count,omitempty"`
}

// notUndone is something that an undo did not give back.
type notUndone struct {
	Person   personRef `json:"person"`
	Group    string    `json:"group"`
	Role     string    `json:"role,omitempty"`
	Channels []string  `json:"channels,omitempty"`
	Why      string    `json:"why"`
}

type personRef struct {
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
}

func holdCommand() *cobra.Command {
	command := &cobra.Command{Use: "hold", Short: "Look at what waits for somebody, and decide it"}
	command.AddCommand(remote(&cobra.Command{Use: "list", Short: "Every open hold", Args: cobra.NoArgs},
		func(w io.Writer, l listOf[hold]) {
			for _, h := range l.Items {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", h.ID, h.State, h.Cause, severalPeople(h.Count), h.CreatedAt, h.Reason)
			}
		}, func(c *cobra.Command, api *client, _ []string) (listOf[hold], error) {
			var l listOf[hold]
			return l, api.do(c.Context(), "GET", "/api/v1/holds?state=open", nil, &l)
		}))
	command.AddCommand(remote(&cobra.Command{Use: "show HOLD", Short: "What a hold is about, by cause and group, and whom", Args: cobra.ExactArgs(1)},
		func(w io.Writer, h hold) {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", h.ID, h.State, h.Cause, severalPeople(h.Count), h.CreatedAt, h.Reason)
			if h.SourceName != "" {
				fmt.Fprintf(w, "source\t%s\n", h.SourceName)
			}
			if len(h.Causes) > 1 {
				for _, c := range h.Causes {
					fmt.Fprintf(w, "cause\t%s\t%s\n", c.Cause, severalPeople(c.People))
				}
			}
			for _, e := range h.Effects {
				fmt.Fprintf(w, "%s\t%s\t%s\n", e.Cause, e.Group.Key, severalPeople(e.People))
			}
			if h.Burst != nil {
				for _, f := range h.Burst.Freezes {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", f.Cause, f.At, f.Person.ID, f.Person.DisplayName, cmp.Or(f.Outcome, "waits"))
				}
			}
			for _, r := range h.Removals {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", cmp.Or(r.Now, r.Cause), r.Group.Key, r.Person.ID, r.Person.DisplayName)
			}
		}, func(c *cobra.Command, api *client, args []string) (hold, error) {
			var h hold
			return h, api.do(c.Context(), "GET", "/api/v1/holds/"+url.PathEscape(args[0]), nil, &h)
		}))
	for verb, short := range map[string]string{"release": "Let the held removals happen; of a burst: confirm it", "reject": "Keep everybody the hold is about"} {
		command.AddCommand(remote(&cobra.Command{Use: verb + " HOLD", Short: short, Args: cobra.ExactArgs(1)},
			func(w io.Writer, h hold) { fmt.Fprintf(w, "%s: done\n", h.ID) },
			func(c *cobra.Command, api *client, args []string) (hold, error) {
				h := hold{ID: args[0]}
				return h, api.do(c.Context(), "POST", "/api/v1/holds/"+url.PathEscape(args[0])+"/"+verb, map[string]any{}, nil)
			}))
	}
	command.AddCommand(restoreCommand("restore HOLD [PERSON…]", "Undo a hold, or the part of a burst that concerns these people"))
	return command
}

// restoredMost is how many people of a kind are named to somebody who undoes a hold.
const restoredMost = 200

// summary says what came back, in one line.
func (r restored) summary() string {
	memberships := fmt.Sprintf("%d ended memberships are back", r.Memberships)
	if r.Memberships == 1 {
		memberships = "1 ended membership is back"
	}
	switch people := severalPeople(len(r.Restored)); {
	case len(r.Restored) == 0 && r.Memberships == 0:
		return "nobody has access again by it, and no ended membership is back"
	case len(r.Restored) == 0:
		return memberships + " until " + r.Until
	case len(r.Restored) == 1:
		return people + " has access again until " + r.Until + ", " + memberships
	default:
		return people + " have access again until " + r.Until + ", " + memberships
	}
}

// severalPeople counts people.
func severalPeople(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

// restoreCommand undoes a hold, whether it waits or was released.
func restoreCommand(use, short string) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.MinimumNArgs(1)}
	reason := c.Flags().String("reason", "", "why, for the audit log and the person's page")
	return remote(c, func(w io.Writer, r restored) {
		for _, list := range []struct {
			what   string
			people []personRef
		}{{"restored", r.Restored}, {"still frozen otherwise", r.Frozen}, {"nothing to undo", r.Skipped}} {
			for _, p := range list.people[:min(len(list.people), restoredMost)] {
				fmt.Fprintf(w, "%s\t%s\t%s\n", list.what, p.ID, p.DisplayName)
			}
			if n := len(list.people) - restoredMost; n > 0 {
				fmt.Fprintf(w, "%s\tand %d more (--output json names all)\n", list.what, n)
			}
		}
		fmt.Fprintln(w, r.summary())
		switch {
		case r.Applied:
			fmt.Fprintf(w, "what the policy took of %s is back: plan %s put version %d in force again\n", severalPeople(r.Channels), r.Plan, r.BackTo)
		case r.Plan != "":
			fmt.Fprintf(w, "what the policy took of %s comes back when plan %s is applied, which goes back to version %d\n", severalPeople(r.Channels), r.Plan, r.BackTo)
		case r.BackTo != 0 && r.Missing > 0:
			fmt.Fprintf(w, "another version is in force since; version %d had what is not back\n", r.BackTo)
		}
		for _, miss := range r.NotUndone[:min(len(r.NotUndone), restoredMost)] {
			fmt.Fprintf(w, "not back\t%s\t%s\t%s\t%s\n", miss.Person.ID, miss.Group, strings.Join(append(slices.DeleteFunc([]string{miss.Role}, func(s string) bool { return s == "" }), miss.Channels...), ","), miss.Why)
		}
		if n := r.Missing - restoredMost; n > 0 {
			fmt.Fprintf(w, "not back\tand %d more (--output json names all)\n", n)
		}
	}, func(c *cobra.Command, api *client, args []string) (restored, error) {
		var r restored
		body := map[string]any{"reason": *reason}
		if len(args) > 1 {
			body["people"] = args[1:]
		}
		path := "/api/v1/runs/" + url.PathEscape(args[0]) + "/undo"
		if strings.HasPrefix(args[0], "hld_") {
			path = "/api/v1/holds/" + url.PathEscape(args[0]) + "/restore"
		} else if len(args) > 1 {
			return r, fmt.Errorf("%s is undone for everybody, or not at all", args[0])
		}
		return r, api.do(c.Context(), "POST", path, body, &r)
	})
}
