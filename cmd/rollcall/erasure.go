package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/chat"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/hrfeed"
	"github.com/rollcall-im/rollcall/directory/journal"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/internal/session/replay"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
	"github.com/rollcall-im/rollcall/provisioning/erasure"
	"github.com/rollcall-im/rollcall/provisioning/guests"
	"github.com/rollcall-im/rollcall/provisioning/notices"
	"github.com/rollcall-im/rollcall/provisioning/reviews"
)

// wireErasure says what of a person each package erases, and who has to agree.
func (a *app) wireErasure() {
	words := func(e directory.Erased) []string { return append(e.IDs(), e.Words...) }
	people := func(e directory.Erased) []string {
		var out []string
		for _, p := range e.People {
			out = append(out, string(p))
		}
		return out
	}
	a.erasure = &erasure.Engine{DB: a.db, Directory: a.people, After: a.cfg.Erasure.After, Messages: a.cfg.Erasure.Messages == "erase", Log: a.log, Asks: a.asks, Permits: a.door.HoldsTx,
		Decides: func(tx *db.Tx) (policies.Approval, bool, error) {
			return a.access.Decides(tx, "", policies.ApproveRetention)
		},
		Before: func(ctx context.Context) error { return a.journal.Write(ctx) },
		Parts: []erasure.Part{
			{Kind: "signals", Erase: func(tx *db.Tx, e directory.Erased) (int64, error) { return 0, a.telling.Erase(tx, e.People) }},
			{Kind: "requests_of_sources", Erase: func(tx *db.Tx, e directory.Erased) (int64, error) { return journal.Erase(tx, words(e)) }},
			{Kind: "ldap_entries", Erase: func(tx *db.Tx, e directory.Erased) (n int64, err error) {
				for _, source := range slices.Sorted(maps.Keys(e.Keys)) {
					some, err := ldap.Erase(tx, source, e.Keys[source])
					if n += some; err != nil {
						return n, err
					}
				}
				return n, nil
			}},
			{Kind: "personnel_files", Erase: func(tx *db.Tx, e directory.Erased) (int64, error) { return hrfeed.Erase(tx, words(e)) }},
			{Kind: "requests", Erase: func(tx *db.Tx, e directory.Erased) (int64, error) {
				return approvals.Erase(tx, e.People, e.About, e.Words)
			}, Naming: approvals.Naming},
			{Kind: "reviews", Erase: func(tx *db.Tx, e directory.Erased) (int64, error) { return reviews.Erase(tx, e.People, e.Words) }, Naming: reviews.Naming},
			{Kind: "guests", Erase: func(tx *db.Tx, e directory.Erased) (int64, error) { return guests.Erase(tx, e.People, e.Words) }, Naming: guests.Naming},
			{Kind: "plans", Erase: func(tx *db.Tx, e directory.Erased) (int64, error) { return provisioning.Erase(tx, e.Words) }},
			{Kind: "notices", Erase: func(tx *db.Tx, e directory.Erased) (int64, error) { return notices.Erase(tx, people(e)) }},
			{Kind: "sign_in", Erase: func(tx *db.Tx, e directory.Erased) (int64, error) { return session.Erase(tx, e.People, e.Words) }},
			{Kind: "kept_answers", Erase: func(tx *db.Tx, e directory.Erased) (int64, error) { return replay.Erase(tx, words(e)) }},
			{Kind: "messages", Erase: func(tx *db.Tx, e directory.Erased) (int64, error) {
				if a.cfg.Erasure.Messages != "erase" {
					return 0, nil
				}
				return chat.Erase(tx, e.People)
			}},
			{Kind: "audit", Erase: func(tx *db.Tx, e directory.Erased) (int64, error) { return audit.Erase(tx, e.IDs(), e.Words) },
				Count: func(ctx context.Context, e directory.Erased) (int64, error) {
					return audit.Naming(ctx, a.db, e.IDs(), e.Words)
				},
				Others: func(ctx context.Context, e directory.Erased, others []string) (bool, error) {
					return audit.NamingAbout(ctx, a.db, e.IDs(), e.Words, others)
				},
				OthersIn: func(tx *db.Tx, e directory.Erased, others []string) (bool, error) {
					return audit.NamingAboutIn(tx, e.IDs(), e.Words, others)
				}},
		}}
	a.asks.Kinds[policies.ApproveRetention] = erasure.Retention{Engine: a.erasure}
}

type erasureAnswer struct {
	Person  string           `json:"person"`
	State   string           `json:"state"`
	Request map[string]any   `json:"request,omitempty"`
	Erases  map[string]int64 `json:"erases"`
	Keeps   []string         `json:"keeps"`
	Warning string           `json:"warning,omitempty"`
}

func (e erasureAnswer) print(w io.Writer) {
	fmt.Fprintf(w, "%s\t%s\n", e.Person, e.State)
	if id, _ := e.Request["id"].(string); id != "" {
		fmt.Fprintf(w, "erasure\t%s\n", id)
	}
	for _, kind := range slices.Sorted(maps.Keys(e.Erases)) {
		fmt.Fprintf(w, "%s\t%d\n", kind, e.Erases[kind])
	}
	if e.Warning != "" {
		fmt.Fprintln(w, e.Warning)
	}
}

func eraseCommand() *cobra.Command {
	command := &cobra.Command{Use: "erase", Short: "Erase for ever who somebody was who has left: two administrators"}
	for _, one := range []struct{ use, short, method, path string }{
		{"preview", "What would be erased, by kind; nothing is written", "GET", "/erasure"},
		{"request", "Ask for somebody to be erased; another administrator confirms it", "POST", "/erasure"},
		{"confirm", "Erase whom another administrator asked to erase. This cannot be undone", "POST", "/erasure/confirm"},
	} {
		command.AddCommand(remote(&cobra.Command{Use: one.use + " PERSON", Short: one.short, Args: cobra.ExactArgs(1)},
			func(w io.Writer, e erasureAnswer) { e.print(w) },
			func(c *cobra.Command, api *client, args []string) (erasureAnswer, error) {
				var e erasureAnswer
				person, err := personNamed(c.Context(), api, args[0])
				if err != nil {
					return e, err
				}
				return e, api.do(c.Context(), one.method, "/api/v1/people/"+url.PathEscape(person)+one.path, nil, &e)
			}))
	}
	return command
}

type legalHold struct {
	ID     string `json:"id,omitempty"`
	Person string `json:"person"`
	Name   string `json:"name,omitempty"`
	Reason string `json:"reason,omitempty"`
	State  string `json:"state,omitempty"`
	Since  string `json:"since,omitempty"`
	MadeBy string `json:"made_by,omitempty"`
	LiftBy string `json:"lift_by,omitempty"`
}

func legalHoldCommand() *cobra.Command {
	command := &cobra.Command{Use: "legal-hold", Short: "Legal holds: what is known of somebody is not erased"}
	one := func(w io.Writer, h legalHold) { fmt.Fprintf(w, "%s\t%s\n", h.Person, h.State) }
	set := &cobra.Command{Use: "set PERSON", Short: "Set a legal hold", Args: cobra.ExactArgs(1)}
	reason := set.Flags().String("reason", "", "why; security administrators and auditors can read it")
	command.AddCommand(remote(set, one, func(c *cobra.Command, api *client, args []string) (legalHold, error) {
		var h legalHold
		person, err := personNamed(c.Context(), api, args[0])
		if err != nil {
			return h, err
		}
		return h, api.do(c.Context(), "PUT", "/api/v1/people/"+url.PathEscape(person)+"/legal-hold", map[string]any{"reason": *reason}, &h)
	}), remote(&cobra.Command{Use: "lift PERSON", Short: "Ask for the end of a legal hold or, as the second administrator, end it", Args: cobra.ExactArgs(1)}, one,
		func(c *cobra.Command, api *client, args []string) (legalHold, error) {
			var h legalHold
			person, err := personNamed(c.Context(), api, args[0])
			if err != nil {
				return h, err
			}
			return h, api.do(c.Context(), "DELETE", "/api/v1/people/"+url.PathEscape(person)+"/legal-hold", nil, &h)
		}), remote(&cobra.Command{Use: "list", Short: "The legal holds that stand", Args: cobra.NoArgs}, func(w io.Writer, l listOf[legalHold]) {
		for _, h := range l.Items {
			fmt.Fprintf(w, "%s\t%s\tsince %s\tby %s\t%s\t%s\n", h.Person, h.Name, h.Since, h.MadeBy, h.Reason, h.ID)
		}
	}, func(c *cobra.Command, api *client, _ []string) (listOf[legalHold], error) {
		var l listOf[legalHold]
		return l, api.do(c.Context(), "GET", "/api/v1/legal-holds?limit=200", nil, &l)
	}))
	return command
}

// Erasure is the part of the configuration about erasing.
type Erasure struct {
	After    time.Duration `koanf:"after"`    // how long what is known of somebody is kept after they left
	Messages string        `koanf:"messages"` // what becomes of what they wrote: keep or erase
}

func (e Erasure) check(bad func(key, format string, args ...any)) {
	if e.After < 0 {
		bad("erasure.after", "wants a duration from 0s, not %s", e.After)
	}
	if e.Messages != "keep" && e.Messages != "erase" {
		bad("erasure.messages", "wants keep or erase, not %q", e.Messages)
	}
}
