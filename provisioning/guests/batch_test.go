package guests

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
)

func (w *world) said(b Batch) string {
	w.Helper()
	var out []string
	for _, r := range b.Rows {
		line := fmt.Sprintf("%d %s", r.Line, r.Op)
		if r.Op == OpRefused {
			line += " " + r.Code
		} else if r.Op != OpEnd {
			line += " " + string(r.BoundBy) + " " + fmt.Sprint(int(r.Until.Sub(b.At).Hours()/24))
		}
		out = append(out, strings.TrimPrefix(line, "0 "))
	}
	return strings.Join(out, "; ")
}

const header = "company,email,name,group,channels,until,reason,sponsor\n"

// Each line of a file is judged as what comes before it leaves things, a look writes nothing, and what is applied is what was shown or nothing.
func TestImport(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		cause := directory.Cause{Actor: "tester"}
		near, far := w.clock().AddDate(0, 0, 10).Format(time.DateOnly), w.clock().AddDate(1, 0, 0).Format(time.DateOnly)
		file := header
		for i, line := range []string{
			"acme,ann@acme.example,Ann,apollo,shared other," + near + ",pumps,li",
			"acme,bob@acme.example,Bob,apollo,shared," + far + ",pumps,li",
			"acme,cat@elsewhere.example,Cat,apollo,shared," + near + ",pumps,li",
			"acme,Ann+x@acme.example,Ann,apollo,shared," + near + ",pumps,li", // the same as in the first line
			"bolt,dan@bolt.example,Dan,apollo,shared," + near + ",pumps,li",
			"acme,eve@acme.example,Eve,nowhere,shared," + near + ",pumps,li",
			"acme,eve@acme.example,Eve,apollo,shared,soon,pumps,li",
			"acme,eve@acme.example,Eve,apollo,shared," + near + ",pumps,nobody",
			"acme,\"no address\",Eve,apollo,shared," + near + ",pumps,li",
		} {
			file += line + "\n"
			_ = i
		}
		const want = "2 invite asked 10; 3 invite policy 100; 4 refused guest_domain; 5 same asked 10; 6 refused not_found; 7 refused not_found; 8 refused invalid; 9 refused invalid; 10 refused invalid"
		before := w.rows()
		look, err := w.e.Import(ctx, cause, Shown{}, file, "")
		w.ok(err)
		if got := w.said(look); got != want {
			t.Fatalf("it says\n%s, want\n%s", got, want)
		}
		if n := w.rows(); n != before {
			t.Fatalf("a look wrote %d rows", n-before)
		}
		if list, _, err := w.e.Guests(ctx, Query{}); err != nil || len(list) != 0 {
			t.Fatal("a look let somebody in: ", list, err)
		}

		shown := Shown{look.At, look.Basis}
		w.pass(time.Minute)
		other := strings.Replace(file, ",Bob,", ",Bert,", 1)
		if _, err := w.e.Import(ctx, cause, shown, other, ""); !errors.Is(err, ErrDrift) {
			t.Fatal("another file was applied: ", err)
		}
		_, _, err = w.e.ChangeCompany(ctx, cause, "acme", func(c *Company) { c.EndsAt = w.clock().AddDate(0, 0, 50) })
		w.ok(err)
		if _, err := w.e.Import(ctx, cause, shown, file, ""); !errors.Is(err, ErrDrift) {
			t.Fatal("it was applied with a contract that ends earlier: ", err)
		}
		if list, _, err := w.e.Guests(ctx, Query{}); err != nil || len(list) != 0 {
			t.Fatal("what drifted let somebody in: ", list, err)
		}
		_, _, err = w.e.ChangeCompany(ctx, cause, "acme", func(c *Company) { c.EndsAt = time.Time{} })
		w.ok(err)
		done, err := w.e.Import(ctx, cause, shown, file, "")
		w.ok(err)
		if got := w.said(done); got != want {
			t.Fatalf("it did\n%s, want\n%s", got, want)
		}
		if _, err := w.e.Import(ctx, cause, shown, file, ""); !errors.Is(err, ErrDrift) {
			t.Fatal("what was applied was applied once more: ", err)
		}
		list, _, err := w.e.Guests(ctx, Query{})
		w.ok(err)
		var who []string
		for _, g := range list {
			who = append(who, g.Name+" "+w.sees(g))
		}
		if len(who) != 2 || !strings.Contains(strings.Join(who, ";"), "Ann other shared") && !strings.Contains(strings.Join(who, ";"), "Ann shared other") {
			t.Fatal(who)
		}
		if bob := list[1]; bob.Name == "Bob" && !bob.Until().Equal(look.At.Add(100*24*time.Hour)) {
			t.Errorf("the cap of Bob counts from %s", bob.Until())
		}

		again, err := w.e.Import(ctx, cause, Shown{}, header+"acme,ann@acme.example,Ann,apollo,shared other,"+near+",pumps,li\n", "")
		w.ok(err)
		if got := w.said(again); !strings.HasPrefix(got, "2 same") {
			t.Error("who is in is let in again: ", got)
		}
		w.pass(2 * batchLasts)
		if _, err := w.e.Import(ctx, cause, Shown{again.At, again.Basis}, header+"acme,ann@acme.example,Ann,apollo,shared other,"+near+",pumps,li\n", ""); !errors.Is(err, ErrDrift) {
			t.Error("what was shown long ago was applied: ", err)
		}
	})
}

// A limit counts the lines before, in a look as well.
func TestImportAtTheLimit(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		file := header
		for i := range 7 {
			file += fmt.Sprintf("acme,g%d@acme.example,G,apollo,shared,%s,pumps,li\n", i, w.clock().AddDate(0, 0, 5).Format(time.DateOnly))
		}
		look, err := w.e.Import(ctx, directory.Cause{Actor: "tester"}, Shown{}, file, w.head)
		if err != nil || look.Rows[0].Code != "invalid" { // whoever is no administrator names no sponsor
			t.Fatal(look.Rows, err)
		}
		worker := w.put("wu", directory.Record{Attributes: directory.Attributes{Title: "Engineer"}})
		if _, err := w.e.Import(ctx, directory.Cause{Actor: "tester"}, Shown{}, file, worker); !errors.Is(err, ErrNotSponsor) {
			t.Fatal("who owns nothing is told something of a file: ", err)
		}
		look, err = w.e.Import(ctx, directory.Cause{Actor: "tester"}, Shown{}, file, "")
		w.ok(err)
		if got := strings.Count(w.said(look), "invite"); got != 5 || look.Rows[5].Code != "guest_limit" || look.Rows[6].Code != "guest_limit" {
			t.Errorf("%d of 5 fit: %s", got, w.said(look))
		}
	})
}

func TestParseImport(t *testing.T) {
	for name, file := range map[string]string{
		"empty": "", "no line of names": "acme,ann@acme.example\n", "a column that is none": strings.Replace(header, "sponsor", "colour", 1), "a column twice": strings.Replace(header, "sponsor", "email", 1),
		"a column too few": strings.Replace(header, "until,", "", 1), "a short line": header + "acme,ann@acme.example\n", "an open quote": header + "\"acme\n", "another encoding": header + "acme,a@acme.example,\xd6\xdc,g,c,u,r,s\n", "another encoding, read as this one": header + "acme,a@acme.example,\ufffd,g,c,u,r,s\n", "too many": header + strings.Repeat("a,a,a,a,a,a,a,a\n", batchMost+1),
	} {
		if _, _, err := ParseImport(file); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	rows, lines, err := ParseImport("\ufeffEmail;Company;name;group;channels;until;reason\r\nann@acme.example;acme; 安 ;apollo;\"shared\nother\";2027-01-01;r\n\nbob@acme.example;acme;B;g;c;u;r\n")
	if err != nil || len(rows) != 2 || rows[0]["name"] != "安" || rows[0]["company"] != "acme" || lines[0] != 2 || lines[1] != 5 {
		t.Error(rows, lines, err)
	}
}

func FuzzParseImport(f *testing.F) {
	f.Add(header + "acme,ann@acme.example,Ann,apollo,shared,2027-01-01,pumps,li\n")
	f.Add("a;b\n\"")
	f.Fuzz(func(t *testing.T, file string) {
		rows, lines, err := ParseImport(file)
		if err != nil && !errors.Is(err, ErrInvalid) || len(rows) != len(lines) || len(rows) > batchMost {
			t.Error(len(rows), len(lines), err)
		}
	})
}

// An owner extends and ends what several guests have in the group: within the caps, nothing shortened, nothing elsewhere touched, and only as it was shown.
func TestBulk(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		cause := directory.Cause{Actor: string(w.head)}
		_, err := w.r.SetPolicy(ctx, directory.Cause{Actor: "tester"}, []provisioning.File{{Name: "policy.yaml", Source: strings.Replace(policyText, "guests:", `  - key: zeus
    name: {en: Zeus, zh: 宙斯}
    channels: [{key: parts, name: {en: Parts, zh: 部件}, access: {vendor: post}}]
    rules: [{key: leads, role: owner, when: person.title == "Head"}]
guests:`, 1)}})
		w.ok(err)
		groups, err := w.r.Groups(ctx)
		w.ok(err)
		ann, bob := w.invite("ann@acme.example", "shared"), w.invite("bob@acme.example", "shared", "other")
		there := w.wish("bob@acme.example", "parts")
		there.Group = groups[1].ID
		_, bob, err = w.e.Invite(ctx, cause, there)
		w.ok(err)
		bulk := func(end bool, days int, who ...id.Guest) Bulk {
			return Bulk{Group: w.apollo, Caller: w.head, End: end, Guests: who, Until: w.clock().Add(time.Duration(days) * 24 * time.Hour), Reason: "test"}
		}
		for _, c := range []struct {
			days int
			want string
		}{{60, "extend asked 60; extend asked 60"}, {500, "extend policy 100; extend policy 100"}, {20, "same asked 30; same asked 30"}} {
			look, err := w.e.Bulk(ctx, cause, Shown{}, bulk(false, c.days, ann.ID, bob.ID))
			w.ok(err)
			if got := w.said(look); got != c.want {
				t.Errorf("%d days: %s, want %s", c.days, got, c.want)
			}
		}
		b := bulk(false, 500, ann.ID, bob.ID)
		look, err := w.e.Bulk(ctx, cause, Shown{}, b)
		w.ok(err)
		w.ok(w.e.SuspendGuest(ctx, cause, ann.ID, false)) // keeps them out, and changes no term
		w.pass(time.Minute)
		_, err = w.e.Bulk(ctx, cause, Shown{look.At, look.Basis}, b)
		w.ok(err)
		w.ok(w.e.SuspendGuest(ctx, cause, ann.ID, true))
		for _, g := range []Guest{ann, bob} {
			now, err := w.e.Guest(ctx, g.ID)
			w.ok(err)
			if !now.allUntil(w.apollo, []string{"shared"}).Equal(look.At.Add(100 * 24 * time.Hour)) {
				t.Errorf("%s stays until %s", g.Name, now.Until())
			}
			if elsewhere := now.allUntil(groups[1].ID, []string{"parts"}); g.ID == bob.ID && !elsewhere.Equal(there.Until) {
				t.Errorf("elsewhere %s became %s", there.Until, elsewhere)
			}
		}
		if _, err := w.e.Bulk(ctx, cause, Shown{}, bulk(true, 0, ann.ID, "gst_none")); !errors.Is(err, ErrNotFound) {
			t.Error("somebody who has no place here: ", err)
		}

		end := bulk(true, 0, ann.ID, bob.ID)
		look, err = w.e.Bulk(ctx, cause, Shown{}, end)
		w.ok(err)
		if got := w.said(look); got != "end; end" || w.sees(ann) == "" {
			t.Fatal(got, w.sees(ann))
		}
		if _, err := w.e.Bulk(ctx, cause, Shown{look.At, look.Basis}, bulk(true, 0, ann.ID)); !errors.Is(err, ErrDrift) {
			t.Error("fewer than were shown: ", err)
		}
		_, err = w.e.Bulk(ctx, cause, Shown{look.At, look.Basis}, end)
		w.ok(err)
		if got := w.sees(ann) + "|" + w.sees(bob); got != "|parts" {
			t.Errorf("they see %s", got)
		}
		gone, err := w.e.Guest(ctx, ann.ID)
		w.ok(err)
		left, err := w.e.Guest(ctx, bob.ID)
		w.ok(err)
		if gone.EndedAt.IsZero() || !left.Runs(w.clock()) {
			t.Error(gone.EndedAt, left.Until())
		}
		w.ok(w.e.Tend(ctx))
		if got := w.sees(ann) + "|" + w.sees(bob); got != "|parts" {
			t.Errorf("after tending they see %s", got)
		}
	})
}

// An explanation says by which company and by whose word a guest sees a channel, until when, and why not longer.
func TestExplainGuest(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.r.Outside = w.e.Explain
		g := w.invite("ann@acme.example", "shared")
		list, err := w.r.ChannelsOf(ctx, g.Person)
		w.ok(err)
		lines := func() string {
			e, err := w.r.Explain(ctx, g.Person, list[0].Channel.ID)
			w.ok(err)
			var out []string
			for _, l := range e.Path {
				if l.Kind == "company" || l.Kind == "sponsor" {
					out = append(out, l.Text.EN, l.Text.ZH)
				}
			}
			return strings.Join(out, " | ")
		}
		for _, want := range []string{"of Acme", "LI answers for them; let in until 2026-10-31 09:00 UTC: as was asked", "由LI担保"} {
			if got := lines(); !strings.Contains(got, want) {
				t.Errorf("%q lacks %q", got, want)
			}
		}
		_, _, err = w.e.ChangeCompany(ctx, directory.Cause{Actor: "tester"}, "acme", func(c *Company) { c.EndsAt = w.clock().AddDate(0, 0, 5) })
		w.ok(err)
		for _, want := range []string{"its contract ends at 2026-10-06 09:00 UTC", "until 2026-10-06 09:00 UTC: the contract ends then"} {
			if got := lines(); !strings.Contains(got, want) {
				t.Errorf("%q lacks %q", got, want)
			}
		}
		if e, err := w.r.Explain(ctx, w.head, list[0].Channel.ID); err != nil || len(e.Path) == 0 || e.Path[0].Kind == "company" {
			t.Error(e, err)
		}
	})
}

// Where the policy names who has to agree, what is applied is the question, and nobody is in before.
func TestImportAsks(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		_, err := w.r.SetPolicy(ctx, directory.Cause{Actor: "tester"}, []provisioning.File{{Name: "policy.yaml", Source: policyText + "approvals:\n  guest: {by: [owners]}\n"}})
		w.ok(err)
		other := w.put("zhao", directory.Record{Attributes: directory.Attributes{Title: "Head"}})
		file := header + fmt.Sprintf("acme,ann@acme.example,Ann,apollo,shared,%s,pumps,li\n", w.clock().AddDate(0, 0, 5).Format(time.DateOnly))
		look, err := w.e.Import(ctx, directory.Cause{Actor: "tester"}, Shown{}, file, "")
		w.ok(err)
		if r := look.Rows[0]; r.Op != OpInvite || !r.Waiting {
			t.Fatalf("%+v", r)
		}
		open := func() []approvals.Open {
			list, err := w.e.Asks.For(ctx, other)
			w.ok(err)
			return list
		}
		if n := len(open()); n != 0 {
			t.Fatal("a look asked somebody: ", n)
		}
		_, err = w.e.Import(ctx, directory.Cause{Actor: "tester"}, Shown{look.At, look.Basis}, file, "")
		w.ok(err)
		list, _, err := w.e.Guests(ctx, Query{})
		w.ok(err)
		if len(list) != 1 || list[0].Person != "" || len(list[0].Places) != 0 || len(open()) != 1 {
			t.Fatal(list, open())
		}
	})
}

// What the pages of the console ask at 10,000 guests of 300 companies.
func BenchmarkPages(b *testing.B) {
	for name, open := range map[string]func() *db.DB{"sqlite": func() *db.DB { return dbtest.SQLite(b) }, "postgres": func() *db.DB { return dbtest.Open(b, dbtest.DSN(b, db.Postgres)) }} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, open())
			w.ok(w.e.DB.Tx(ctx, func(tx *db.Tx) error {
				var companies, guests, places [][]any
				for i := range 300 {
					companies = append(companies, []any{fmt.Sprintf("cmp_%d", i), fmt.Sprintf("c%d", i), "{}", "[]", string(w.head), "[]", 0, db.At(w.clock()), "tester"})
				}
				for i := range 10_000 {
					g := fmt.Sprintf("gst_%05d", i)
					guests = append(guests, []any{g, fmt.Sprintf("cmp_%d", i%300), g, g, g, string(w.head), "", int64(1), int64(1), db.At(w.clock())})
					places = append(places, []any{g, string(w.apollo), "shared", db.At(w.clock().Add(time.Duration(i%180+1) * 24 * time.Hour)), true}, []any{g, string(w.apollo), "other", db.At(w.clock().Add(24 * time.Hour)), true})
				}
				return errors.Join(tx.Insert("guest_companies", []string{"id", "key", "names", "domains", "owner", "documents", "most", "created_at", "made_by"}, companies),
					tx.Insert("guests", []string{"id", "company", "email", "email_key", "name", "sponsor", "person", "version", "settled", "created_at"}, guests),
					tx.Insert("guest_places", []string{"guest", "group_id", "channel", "until_at", "given"}, places))
			}))
			w.ok(w.e.DB.Analyze(ctx))
			for page, ask := range map[string]func() error{
				"summary": func() error { _, _, err := w.e.Counts(ctx); return err },
				"list":    func() error { _, _, err := w.e.Guests(ctx, Query{Within: 3650 * 24 * time.Hour}); return err },
				"week":    func() error { _, _, err := w.e.Guests(ctx, Query{Within: 7 * 24 * time.Hour}); return err },
				"last page": func() error {
					_, _, err := w.e.Guests(ctx, Query{Within: 3650 * 24 * time.Hour, After: "gst_09949"})
					return err
				},
				"project": func() error { _, err := w.e.in(ctx, w.apollo, "", 201); return err },
			} {
				b.Run(page, func(b *testing.B) {
					for b.Loop() {
						if err := ask(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}

// A look at a file of as many lines as there may be: whoever keeps everybody out waits for it.
func BenchmarkLook(b *testing.B) {
	for name, open := range map[string]func() *db.DB{"sqlite": func() *db.DB { return dbtest.SQLite(b) }, "postgres": func() *db.DB { return dbtest.Open(b, dbtest.DSN(b, db.Postgres)) }} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, open())
			_, err := w.r.SetPolicy(ctx, directory.Cause{Actor: "tester"}, []provisioning.File{{Name: "policy.yaml", Source: strings.Replace(policyText, "limits: {company: 5}", "limits: {company: 5000}", 1)}})
			w.ok(err)
			file := header
			for i := range batchMost {
				file += fmt.Sprintf("acme,g%d@acme.example,G,apollo,shared,%s,pumps,li\n", i, w.clock().AddDate(0, 0, 5).Format(time.DateOnly))
			}
			for b.Loop() {
				look, err := w.e.Import(ctx, directory.Cause{Actor: "tester"}, Shown{}, file, "")
				if err != nil || look.Rows[batchMost-1].Op != OpInvite {
					b.Fatal(look.Rows[batchMost-1], err)
				}
			}
		})
	}
}
