package reviews

import (
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// What became of a line follows from what stands, whatever was interrupted between the taking and the note.
func TestOutcome(t *testing.T) {
	place := func(kinds ...provisioning.Kind) provisioning.Membership {
		m := provisioning.Membership{ID: "mem_1"}
		for _, k := range kinds {
			m.Reasons = append(m.Reasons, provisioning.Reason{Kind: k})
		}
		return m
	}
	for name, c := range map[string]struct {
		decision string
		stands   provisioning.Membership
		held     string
		taken    bool
		want     string
	}{
		"kept":                       {Keep, place(provisioning.KindGrant), "", false, Kept},
		"taken":                      {Remove, provisioning.Membership{}, "", true, Removed},
		"ended before, to be taken":  {Remove, provisioning.Membership{}, "", false, Gone},
		"ended before, to be kept":   {Keep, provisioning.Membership{}, "", false, Gone},
		"a rule gives it":            {Remove, place(provisioning.KindRule), "", false, Finding},
		"the guard holds it":         {Remove, place(provisioning.KindGrant), "hld_1", false, Held},
		"kept although it is held":   {Keep, place(provisioning.KindGrant), "hld_1", false, Kept},
		"something keeps it":         {Remove, place(provisioning.KindKeep), "", false, Held},
		"a rule gives what was kept": {Keep, place(provisioning.KindRule, provisioning.KindGrant), "", false, Kept},
	} {
		if got := outcome(Line{Decision: c.decision}, c.stands, id.Hold(c.held), c.taken); got != c.want {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
}

// A line is settled once, decided until then, and a review is closed once.
func TestRows(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		if err := Migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
		e := &Engine{DB: d}
		at := e.clock()
		r := Review{ID: "rvw_1", About: OfOutside, Reviewer: ByManager, Silence: Remove, MadeBy: "per_a", CreatedAt: at, Until: at, EndsAt: at}
		l := Line{Review: r.ID, Membership: "mem_1", Person: "per_b", Group: "grp_1", Role: "vendor", Since: at, Reasons: []string{"grant x"}, Reviewer: "per_c"}
		if err := d.Tx(ctx, func(tx *db.Tx) error { return insert(tx, r, []Line{l}) }); err != nil {
			t.Fatal(err)
		}
		mine, err := e.For(ctx, "per_c")
		if err != nil || len(mine) != 1 || mine[0].Reasons[0] != "grant x" {
			t.Fatalf("%+v, %v", mine, err)
		}
		l.Decision, l.Why, l.DecidedBy, l.DecidedAt, l.Outcome, l.OutcomeAt = Keep, "needed", "per_c", at, Kept, at
		for n, want := range []bool{true, false} {
			if err := d.Tx(ctx, func(tx *db.Tx) error {
				if err := decide(tx, l); (err == nil) != want {
					t.Errorf("decision %d: %v", n, err)
				}
				fresh, err := settle(tx, l)
				if fresh != want {
					t.Errorf("outcome %d: %v", n, fresh)
				}
				r.ClosedAt = at
				if closed, err := closeReview(tx, r); closed != want || err != nil {
					t.Errorf("end %d: %v, %v", n, closed, err)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		if mine, err = e.For(ctx, "per_c"); err != nil || len(mine) != 0 {
			t.Errorf("%+v, %v", mine, err)
		}
	})
}
