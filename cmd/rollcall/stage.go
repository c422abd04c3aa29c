package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// DiscardInput names a source.
type DiscardInput struct {
	ID id.Source `path:"id"`
}

// DiscardSource removes a source in its dry run. One that the configuration names would come back, and its reader would go on.
func (o *operations) DiscardSource(ctx context.Context, in *DiscardInput) (*struct{}, error) {
	for _, s := range o.app.ldap {
		if s.Source.ID == in.ID {
			return nil, httpapi.NewProblem(http.StatusConflict, "configured", "take the source out of the configuration first, and restart")
		}
	}
	if o.app.hrConfigured(in.ID) {
		return nil, httpapi.NewProblem(http.StatusConflict, "configured", "take the source out of the configuration first, and restart")
	}
	if err := o.app.people.Discard(ctx, directory.CauseFrom(ctx, ""), in.ID); err != nil {
		return nil, err
	}
	if err := o.app.hr.Forget(ctx, in.ID); err != nil {
		return nil, err
	}
	return nil, o.app.journal.Forget(ctx, in.ID)
}

// mode is how a source that is not there yet begins.
func (l LDAP) mode() directory.Mode {
	if l.DryRun {
		return directory.ModeDryRun
	}
	return directory.ModeLive
}

// preview is what a source in its dry run would do.
type preview struct {
	Source source `json:"source"`
	Hash   string `json:"hash,omitempty"`
	Stage  struct {
		Records        int `json:"records"`
		Groups         int `json:"groups"`
		Units          int `json:"units"`
		Members        int `json:"members"`
		MembersPending int `json:"members_pending"`
	} `json:"stage"`
	Summary struct {
		New         int            `json:"new"`
		Joined      int            `json:"joined"`
		JoinedBy    map[string]int `json:"joined_by"`
		Changed     int            `json:"changed"`
		Fields      map[string]int `json:"fields"`
		Frozen      int            `json:"frozen"`
		Lifted      int            `json:"lifted"`
		Arriving    int            `json:"arriving_frozen"`
		Gained      int            `json:"gained"`
		Lost        int            `json:"lost"`
		Roles       int            `json:"roles"`
		Doubles     int            `json:"doubles"`
		Quarantined int            `json:"quarantined"`
		Refused     int            `json:"conflicts"`
		Pending     int            `json:"pending"`
		Failed      int            `json:"failed"`
		Groups      []struct {
			Group  string         `json:"group"`
			Gained int            `json:"gained"`
			Roles  int            `json:"roles"`
			Lost   map[string]int `json:"lost"`
		} `json:"groups"`
	} `json:"summary"`
	Verdict struct {
		Held    bool     `json:"held"`
		Reasons []string `json:"reasons"`
	} `json:"verdict"`
	Items []previewItem `json:"items"`
	Next  string        `json:"next,omitempty"`
}

type previewItem struct {
	Link        string `json:"link"`
	Key         string `json:"key"`
	UserName    string `json:"user_name"`
	DisplayName string `json:"display_name"`
	Person      string `json:"person"`
	By          string `json:"by,omitempty"`
	Conflict    string `json:"conflict,omitempty"`
	Frozen      bool   `json:"frozen"`
	Changes     []struct {
		Field  string `json:"field"`
		Before any    `json:"before"`
		After  any    `json:"after"`
	} `json:"changes"`
	Freezes []struct {
		Op    string    `json:"op"`
		Cause string    `json:"cause"`
		From  time.Time `json:"from,omitzero"`
	} `json:"freezes"`
	Memberships []struct {
		Group string `json:"group"`
		Op    string `json:"op"`
		Role  string `json:"role"`
		Cause string `json:"cause"`
	} `json:"memberships"`
	Doubles []struct {
		Person struct {
			ID          string `json:"id"`
			DisplayName string `json:"display_name"`
		} `json:"person"`
		By string `json:"by"`
	} `json:"doubles"`
	Pending []string `json:"pending"`
	Failure string   `json:"failure,omitempty"`
}

// previewTable says it in words, the counts first.
func previewTable(w io.Writer, p preview) {
	s := p.Summary
	fmt.Fprintf(w, "source %s is in its dry run: %s, %d groups, %d units staged; nothing of this has happened\n", p.Source.Name, severalPeople(p.Stage.Records), p.Stage.Groups, p.Stage.Units)
	for _, line := range []struct {
		n    int
		text string
	}{{s.New, "new people"}, {s.Joined, "join a person whom another source knows" + tally(s.JoinedBy, " by ")}, {s.Changed, "people change" + tally(s.Fields, ": ")},
		{s.Frozen, "people lose all access (frozen)"}, {s.Lifted, "people get access back"}, {s.Arriving, "new people arrive frozen"},
		{s.Gained, "memberships begin"}, {s.Lost, "memberships end"}, {s.Roles, "memberships change their role"},
		{s.Doubles, "new people share an employee number, e-mail or userName with somebody (never joined by that; --kind double lists them)"},
		{s.Quarantined, "of them may be somebody who is kept out: no access before their work item is decided"}, {s.Refused, "records match somebody and cannot be joined"},
		{s.Pending, "records name a unit or manager who is not known yet"}, {p.Stage.MembersPending, "members of groups are not known yet"}, {s.Failed, "people cannot be judged by the policy"}} {
		if line.n > 0 {
			fmt.Fprintf(w, "%8d  %s\n", line.n, line.text)
		}
	}
	for _, g := range s.Groups {
		fmt.Fprintf(w, "  %s: +%d -%d%s\n", g.Group, g.Gained, sum(g.Lost), tally(g.Lost, " by "))
	}
	for _, reason := range p.Verdict.Reasons {
		fmt.Fprintf(w, "  the guard would hold: %s\n", reason)
	}
	for _, item := range p.Items {
		fmt.Fprintln(w, item.line())
	}
	if p.Next != "" {
		fmt.Fprintln(w, "… more: --cursor", p.Next)
	}
	if p.Hash != "" {
		fmt.Fprintf(w, "hash %s\n", p.Hash)
	}
}

// line says in one line what one record would do.
func (i previewItem) line() string {
	who := fmt.Sprintf("%s (%s)", i.DisplayName, cmp.Or(i.UserName, i.Key))
	parts := []string{"+ " + who + " new"}
	if i.By != "" {
		parts[0] = "= " + who + " joins " + i.Person + " by " + i.By
	}
	for _, c := range i.Changes {
		parts = append(parts, fmt.Sprintf("%s: %v → %v", c.Field, c.Before, c.After))
	}
	for _, f := range i.Freezes {
		part := map[string]string{"open": "freeze ", "lift": "no longer "}[f.Op] + f.Cause
		if f.From.After(time.Now()) {
			part += " from " + f.From.UTC().Format(time.RFC3339)
		}
		parts = append(parts, part)
	}
	for _, m := range i.Memberships {
		sign := map[string]string{"add": "+", "remove": "-"}[m.Op]
		if sign == "" {
			sign = "~"
		}
		parts = append(parts, sign+m.Group+" "+m.Role)
	}
	for _, d := range i.Doubles {
		parts = append(parts, "same "+d.By+" as "+d.Person.DisplayName+" "+d.Person.ID)
	}
	if i.Conflict != "" {
		parts = append(parts, "not joined: "+strings.ReplaceAll(i.Conflict, "_", " "))
	}
	for _, p := range i.Pending {
		parts = append(parts, p+" not known yet")
	}
	if i.Failure != "" {
		parts = append(parts, i.Failure)
	}
	return strings.Join(parts, "; ")
}

// tally lists counts in order of their names, after a word; nothing where there are none.
func tally(counts map[string]int, word string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, counts[k]))
	}
	if len(parts) == 0 {
		return ""
	}
	return word + strings.Join(parts, ", ")
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// sourceOf finds a source by name or id.
func sourceOf(ctx context.Context, api *client, name string) (source, error) {
	var l listOf[source]
	if err := api.do(ctx, "GET", "/api/v1/sources", nil, &l); err != nil {
		return source{}, err
	}
	for _, s := range l.Items {
		if s.Name == name || s.ID == name {
			return s, nil
		}
	}
	return source{}, fmt.Errorf("no source is called %q (rollcall source list)", name)
}

// sourceID answers the id of a source by name or id, for a path.
func sourceID(ctx context.Context, api *client, name string) (string, error) {
	s, err := sourceOf(ctx, api, name)
	return url.PathEscape(s.ID), err
}

// notPreviewed says why there is no preview of a live source, and what to look at in its place.
func (s source) notPreviewed() error {
	look := "its runs are on its page in the console"
	switch s.Kind {
	case "hrfeed":
		look = "rollcall source feed " + s.Name + " FILE --preview says what a file would do"
	case "ldap":
		look = "what another mapping would change is on its page in the console"
	}
	return fmt.Errorf("source %s is live: what it says is in force as it comes, so there is nothing to preview; %s; what the guard holds: rollcall hold list", s.Name, look)
}

func previewCommand() *cobra.Command {
	c := &cobra.Command{Use: "preview NAME", Short: "Show what would happen if a source in its dry run went live", Args: cobra.ExactArgs(1)}
	kind := c.Flags().String("kind", "", "only records of this kind: new, joined, changed, frozen, lifted, gained, lost, double, conflict, pending, failed")
	limit := c.Flags().Int("limit", 50, "how many records to list, at most 200")
	cursor := c.Flags().String("cursor", "", "the next page, as the one before printed it")
	return remote(c, previewTable, func(c *cobra.Command, api *client, args []string) (preview, error) {
		var p preview
		s, err := sourceOf(c.Context(), api, args[0])
		if err != nil {
			return p, err
		}
		if s.Mode == string(directory.ModeLive) {
			return p, s.notPreviewed()
		}
		q := url.Values{"limit": {fmt.Sprint(*limit)}}
		if *kind != "" {
			q.Set("kind", *kind)
		}
		if *cursor != "" {
			q.Set("cursor", *cursor)
		}
		return p, api.do(c.Context(), "GET", "/api/v1/sources/"+url.PathEscape(s.ID)+"/preview?"+q.Encode(), nil, &p)
	})
}

// sure asks the terminal, unless yes was said before.
func sure(c *cobra.Command, yes bool, question string) error {
	if yes {
		return nil
	}
	fmt.Fprint(c.ErrOrStderr(), question+" [y/N] ")
	answer, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errors.New("nothing was done; --yes says so beforehand")
	}
	return nil
}

func liveCommand() *cobra.Command {
	c := &cobra.Command{Use: "live NAME", Short: "Take a source out of its dry run: what preview shows happens", Args: cobra.ExactArgs(1),
		Long: "Take a source out of its dry run. What preview shows happens, and a live source never goes back to a dry run."}
	yes := c.Flags().Bool("yes", false, "do not ask")
	hash := c.Flags().String("hash", "", "go live only if that would still do what preview printed this hash for")
	return remote(c, func(w io.Writer, s source) { fmt.Fprintf(w, "source %s is live\n", s.Name) },
		func(c *cobra.Command, api *client, args []string) (source, error) {
			s := source{Name: args[0]}
			id, err := sourceID(c.Context(), api, args[0])
			if err != nil {
				return s, err
			}
			s.ID = id
			if *hash == "" || !*yes {
				var p preview
				if err := api.do(c.Context(), "GET", "/api/v1/sources/"+id+"/preview?limit=1", nil, &p); err != nil {
					return s, err
				}
				if *hash == "" {
					*hash = p.Hash
				}
				p.Items, p.Next = nil, ""
				previewTable(c.ErrOrStderr(), p)
			}
			if err := sure(c, *yes, "take "+args[0]+" live?"); err != nil {
				return s, err
			}
			return s, patiently(c, api, id, liveProgress, func(api *client) error {
				return api.do(c.Context(), "POST", "/api/v1/sources/"+id+"/live", map[string]any{"hash": *hash}, nil)
			})
		})
}

func discardCommand() *cobra.Command {
	c := &cobra.Command{Use: "discard NAME", Short: "Remove a source in its dry run, with all it sent", Args: cobra.ExactArgs(1)}
	yes := c.Flags().Bool("yes", false, "do not ask")
	return remote(c, func(w io.Writer, s source) { fmt.Fprintf(w, "source %s is removed\n", s.Name) },
		func(c *cobra.Command, api *client, args []string) (source, error) {
			s := source{Name: args[0]}
			id, err := sourceID(c.Context(), api, args[0])
			if err != nil {
				return s, err
			}
			s.ID = id
			if err := sure(c, *yes, "remove "+args[0]+" with all it sent?"); err != nil {
				return s, err
			}
			return s, api.do(c.Context(), "DELETE", "/api/v1/sources/"+id, nil, nil)
		})
}
