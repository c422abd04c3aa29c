package reviews

import (
	"slices"
	"testing"
	"time"

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

// What a reviewer is shown of a place says nothing of what is planned, and what silence means of it.
func TestGrounds(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	rule := provisioning.Reason{Kind: provisioning.KindRule, Ref: "apollo/rnd", Role: "participant", Version: 3, CreatedAt: now.Add(-time.Hour), Until: now.Add(time.Hour)}
	grant := provisioning.Reason{Kind: provisioning.KindGrant, Ref: "launch", Role: "owner", CreatedAt: now.Add(-time.Minute), Until: now.Add(time.Hour)}
	ahead := provisioning.Reason{Kind: provisioning.KindHandover, Ref: "ops", Role: "collaborator", From: now.Add(time.Hour), Until: now.Add(2 * time.Hour)}
	grounds, texts := groundsOf(provisioning.Membership{Reasons: []provisioning.Reason{rule, grant, ahead}}, now)
	rule.Until = time.Time{}
	if !slices.Equal(grounds, []provisioning.Reason{rule, grant}) || !slices.Equal(texts, []string{"rule apollo/rnd@3", "grant launch"}) {
		t.Errorf("%+v %q", grounds, texts)
	}
	for silence, want := range map[string][2]string{Remove: {Finding, Remove}, Keep: {Keep, Keep}} {
		if got := [2]string{Line{Reasons: texts}.silent(silence), Line{Reasons: texts[1:]}.silent(silence)}; got != want {
			t.Errorf("silence %s: %v, not %v", silence, got, want)
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
		l := Line{Review: r.ID, Membership: "mem_1", Person: "per_b", Group: "grp_1", Role: "vendor", Since: at, Reasons: []string{"grant x"}, Reviewer: "per_c",
			Grounds: []provisioning.Reason{{Kind: provisioning.KindGrant, Ref: "x", Role: "vendor", CreatedAt: at.Add(-time.Hour), Until: at.Add(time.Hour)}}}
		if err := d.Tx(ctx, func(tx *db.Tx) error { return insert(tx, r, []Line{l}) }); err != nil {
			t.Fatal(err)
		}
		mine, err := e.For(ctx, "per_c")
		if err != nil || len(mine) != 1 || mine[0].Reasons[0] != "grant x" || !slices.Equal(mine[0].Grounds, l.Grounds) {
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
