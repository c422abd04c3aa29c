package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"sort"
	"strings"

	"github.com/spf13/cobra"
)

type workItem struct {
	ID    string   `json:"id"`
	Kind  string   `json:"kind"`
	Hints []string `json:"hints"`
	State string   `json:"state"`
	Newer struct {
		ID   string `json:"id"`
		Name string `json:"display_name"`
	} `json:"newer"`
	Older struct {
		ID   string `json:"id"`
		Name string `json:"display_name"`
	} `json:"older"`
}

// contested is somebody whose veto a source contradicts.
type contested struct {
	Person struct {
		ID   string `json:"id"`
		Name string `json:"display_name"`
	} `json:"person"`
	Source struct {
		Name string `json:"name"`
	} `json:"source"`
	Since string `json:"since"`
}

// questions is what waits for somebody to look: pairs of people, and people of whom sources say two things.
type questions struct {
	listOf[workItem]
	Contested []contested `json:"contested"`
}

type joining struct {
	DryRun bool `json:"dry_run"`
	Kept   struct {
		ID string `json:"id"`
	} `json:"kept"`
	Other struct {
		ID string `json:"id"`
	} `json:"other"`
	Records     []map[string]any `json:"records"`
	Fields      []map[string]any `json:"fields"`
	Memberships []struct {
		Person string `json:"person"`
		Group  string `json:"group"`
		Op     string `json:"op"`
		Role   string `json:"role"`
		Cause  string `json:"cause"`
	} `json:"memberships"`
}

func joiningTable(w io.Writer, j joining) {
	verb := "moved"
	if j.DryRun {
		verb = "would move"
	}
	for _, m := range j.Memberships {
		fmt.Fprintf(w, "%s %s\t%s\t%s\t%s\n", map[string]string{"add": "+", "remove": "-"}[m.Op], m.Group, m.Role, m.Person, m.Cause)
	}
	fmt.Fprintf(w, "%d records %s; who stays is %s, the other is %s\n", len(j.Records), verb, j.Kept.ID, j.Other.ID)
}

// matchCommand is about people who may be one: what sources have in common is never a merge by itself.
func matchCommand() *cobra.Command {
	command := &cobra.Command{Use: "match", Short: "Look at people who may be one, link or separate them"}
	command.AddCommand(matchList(), matchLink(), matchSeparate(), matchSplit())
	return command
}

func matchList() *cobra.Command {
	return remote(&cobra.Command{Use: "list", Short: "Every open question", Args: cobra.NoArgs},
		func(w io.Writer, l questions) {
			for _, i := range l.Items {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s %s\t%s %s\n", i.ID, i.Kind, strings.Join(i.Hints, ","), i.Newer.Name, i.Newer.ID, i.Older.Name, i.Older.ID)
			}
			if l.Next != "" {
				fmt.Fprintln(w, "and more")
			}
			for _, c := range l.Contested {
				fmt.Fprintf(w, "-\tcontested\t-\t%s %s\tterminated at once; %s says since %s that they work here\n", c.Person.Name, c.Person.ID, c.Source.Name, c.Since)
			}
		}, func(c *cobra.Command, api *client, _ []string) (questions, error) {
			var l questions
			if err := api.do(c.Context(), "GET", "/api/v1/work-items?state=open&limit=200", nil, &l.listOf); err != nil {
				return l, err
			}
			return l, api.do(c.Context(), "GET", "/api/v1/work-items/groups", nil, &l)
		})
}

func matchLink() *cobra.Command {
	link := &cobra.Command{Use: "link ITEM | link --source SOURCE --hint email|employee_number", Short: "Say that two people are one",
		Long: "Says that the two people of a question are one. With --source and --hint: all pairs of that source which have that in common and about\n" +
			"which nothing else is doubtful; the older person stays. Without --confirm it only shows what would change.", Args: cobra.MaximumNArgs(1)}
	keep := link.Flags().String("keep", "", "who stays; the older one where nothing is said")
	confirm := link.Flags().Bool("confirm", false, "do it")
	source := link.Flags().String("source", "", "id of a source, for many pairs at once")
	hint := link.Flags().String("hint", "email", "what the pairs have in common: email or employee_number")
	reason := link.Flags().String("reason", "", "for the audit log")
	remote(link, func(w io.Writer, answer any) {
		switch a := answer.(type) {
		case joining:
			joiningTable(w, a)
		case bulk:
			a.table(w)
		}
	}, func(c *cobra.Command, api *client, args []string) (any, error) {
		if len(args) == 0 {
			return linkMany(c, api, *source, *hint, *reason, *confirm)
		}
		at := "/api/v1/work-items/" + url.PathEscape(args[0])
		if *keep == "" {
			var item workItem
			if err := api.do(c.Context(), "GET", at, nil, &item); err != nil {
				return nil, err
			}
			*keep = item.Older.ID
		}
		var j joining
		err := api.do(c.Context(), "POST", at+"/link", map[string]any{"keep": *keep, "dry_run": !*confirm, "reason": *reason}, &j)
		return j, err
	})
	return link
}

type bulk struct {
	DryRun  bool           `json:"dry_run"`
	Before  string         `json:"before"`
	Linked  int            `json:"linked"`
	Skipped map[string]int `json:"skipped"`
	Next    string         `json:"next,omitempty"`
}

func (b bulk) table(w io.Writer) {
	verb := "linked"
	if b.DryRun {
		verb = "would be linked"
	}
	fmt.Fprintf(w, "%d pairs %s\n", b.Linked, verb)
	reasons := make([]string, 0, len(b.Skipped))
	for reason := range b.Skipped {
		reasons = append(reasons, reason)
	}
	sort.Strings(reasons)
	for _, reason := range reasons {
		fmt.Fprintf(w, "%d pairs left: %s\n", b.Skipped[reason], reason)
	}
}

// linkMany looks first and then, where that is confirmed, goes through everything that was there then.
func linkMany(c *cobra.Command, api *client, source, hint, reason string, confirm bool) (bulk, error) {
	if source == "" {
		return bulk{}, errors.New("link wants a question's id, or --source")
	}
	const at = "/api/v1/work-items/link"
	body := map[string]any{"source": source, "hint": hint, "dry_run": true, "reason": reason}
	var sum bulk
	if err := api.do(c.Context(), "POST", at, body, &sum); err != nil || !confirm {
		return sum, err
	}
	body["dry_run"], body["before"] = false, sum.Before
	sum = bulk{Skipped: map[string]int{}}
	for {
		var part bulk
		if err := api.do(c.Context(), "POST", at, body, &part); err != nil {
			return sum, err
		}
		sum.Linked += part.Linked
		for reason, n := range part.Skipped {
			sum.Skipped[reason] += n
		}
		if part.Next == "" {
			return sum, nil
		}
		body["cursor"] = part.Next
	}
}

func matchSeparate() *cobra.Command {
	return remote(&cobra.Command{Use: "separate ITEM", Short: "Say that two people are two, for good", Args: cobra.ExactArgs(1)},
		func(w io.Writer, i workItem) { fmt.Fprintf(w, "%s: %s\n", i.ID, i.State) },
		func(c *cobra.Command, api *client, args []string) (workItem, error) {
			var i workItem
			return i, api.do(c.Context(), "POST", "/api/v1/work-items/"+url.PathEscape(args[0])+"/separate", map[string]any{}, &i)
		})
}

func matchSplit() *cobra.Command {
	split := &cobra.Command{Use: "split PERSON RECORD", Short: "Take a record from a person again, to whom it belonged before or to a person of its own", Args: cobra.ExactArgs(2)}
	confirm := split.Flags().Bool("confirm", false, "do it")
	return remote(split, joiningTable, func(c *cobra.Command, api *client, args []string) (joining, error) {
		var j joining
		return j, api.do(c.Context(), "POST", "/api/v1/people/"+url.PathEscape(args[0])+"/records/"+url.PathEscape(args[1])+"/split", map[string]any{"dry_run": !*confirm}, &j)
	})
}
