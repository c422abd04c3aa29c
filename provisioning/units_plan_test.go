package provisioning_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// planUnits plans successions "kind old new", from now on.
func (w *world) planUnits(author string, list ...string) *provisioning.Plan {
	w.Helper()
	c := directory.DeclareSuccessions{Source: w.source.ID, At: w.clock()}
	for i, text := range list {
		part := strings.Fields(text)
		c.List = append(c.List, directory.Succession{Kind: directory.SuccessionKind(part[0]), Old: part[1], New: part[2], Line: i + 1})
	}
	return w.planOfUnits(author, c)
}

func (w *world) planOfUnits(author string, c directory.Change) *provisioning.Plan {
	w.Helper()
	var p *provisioning.Plan
	w.onlyPlans(func() {
		var err error
		p, err = w.r.PlanUnits(ctx, c, author, id.Person(author), "")
		w.ok(err)
	})
	return p
}

// onlyPlans fails where fn writes anything but plans.
func (w *world) onlyPlans(fn func()) {
	w.Helper()
	before := w.content()
	fn()
	for table, rows := range w.content() {
		if rows != before[table] && !strings.HasPrefix(table, "plan") {
			w.Errorf("planning wrote to %s", table)
		}
	}
}

// What becomes of units is a plan as any other: it says whom it gives and takes what, is held and wants a second administrator where it takes much, together with what
// other plans took, is refused on drift, and does what it said.
func TestUnitsArePlanned(t *testing.T) {
	both(t, func(w *world) {
		text := strings.Replace(unitPolicy, "apiVersion: rollcall/v1\n", "apiVersion: rollcall/v1\nlimits: {four_eyes: {people: 3}}\nguard: {cleanup: {people: 3, percent: 1}}\n", 1)
		w.policy(text)
		w.units("lab", "ops", "L2")
		people := w.crowd(6, always("L2"), always("Clerk"))
		w.want("before", w.places(people[0]), "")
		p := w.planUnits("alice", "renumber lab L2")
		eyes, err := w.r.FourEyes(ctx, p)
		if w.ok(err); p.Summary().Added != 6 || p.Summary().Losing != 0 || eyes.Needed || p.Verdict.Held() || len(p.Grounds) != 1 || p.Grounds[0].Name != "units" {
			t.Fatalf("%+v %+v %+v", p.Summary(), eyes, p.Grounds)
		}
		w.untouched("another hash", func() {
			if _, err := w.r.ApplyPlan(ctx, alice, p.ID, "00", true); !errors.Is(err, provisioning.ErrHash) {
				t.Errorf("%v", err)
			}
		})
		w.crowd(7, always("L2"), always("Clerk"))
		w.untouched("somebody came", func() {
			if _, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrDrift) {
				t.Errorf("%v", err)
			}
		})
		p = w.planUnits("alice", "renumber lab L2")
		_, err = w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, false)
		w.ok(err)
		w.want("declared", w.places(people[0]), "lab:participant")
		if _, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, false); !errors.Is(err, provisioning.ErrClosed) {
			t.Errorf("twice: %v", err)
		}
		list, err := w.people.Successions(ctx, w.source.ID)
		w.ok(err)
		back := w.planOfUnits("alice", directory.WithdrawSuccessions{Source: w.source.ID, ID: list[0].ID})
		eyes, err = w.r.FourEyes(ctx, back)
		if w.ok(err); back.Summary().Losing != 7 || !back.Verdict.Held() || !eyes.Needed {
			t.Fatalf("%+v %+v", back.Summary(), eyes)
		}
		w.untouched("alone", func() {
			if _, err := w.r.ApplyPlan(ctx, alice, back.ID, back.Hash, false); !errors.Is(err, provisioning.ErrHeld) {
				t.Errorf("%v", err)
			}
			if _, err := w.r.ApplyPlan(ctx, alice, back.ID, back.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
				t.Errorf("%v", err)
			}
			if err := w.r.ApprovePlan(ctx, alice, "alice", back.ID, back.Hash); !errors.Is(err, provisioning.ErrOwnPlan) {
				t.Errorf("%v", err)
			}
		})
		w.ok(w.r.ApprovePlan(ctx, bob, "bob", back.ID, back.Hash))
		_, err = w.r.ApplyPlan(ctx, alice, back.ID, back.Hash, true)
		w.ok(err)
		w.want("withdrawn", w.places(people[0])+w.reason(), "")
		done, err := w.r.UndoRun(ctx, admin, id.Request(back.ID))
		if w.ok(err); done.Memberships != 7 {
			t.Errorf("undone: %+v", done)
		}
		w.want("undone", w.places(people[0]), "lab:participant")
	})
}

// A re-organisation and rules in slices come to one.
func TestUnitsCountWithRules(t *testing.T) {
	both(t, func(w *world) {
		text := strings.Replace(unitPolicy, "apiVersion: rollcall/v1\n", "apiVersion: rollcall/v1\nlimits: {four_eyes: {people: 3}}\nguard: {cleanup: {people: 3, percent: 1}}\n", 1)
		w.policy(text)
		w.units("lab", "L2")
		w.crowd(6, first(2, "L2", ""), first(2, "Clerk", "Engineer"))
		w.ok(w.declare(w.clock(), "renumber lab L2"))
		if n, e := w.members("lab"), w.members("engineers"); n != 2 || e != 4 {
			t.Fatalf("%d, %d", n, e)
		}
		list, err := w.people.Successions(ctx, w.source.ID)
		w.ok(err)
		p := w.planOfUnits("alice", directory.WithdrawSuccessions{Source: w.source.ID, ID: list[0].ID})
		_, err = w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true)
		w.ok(err)
		next := w.planBy("bob", strings.Replace(text, `person.title == "Engineer"`, `person.title == "Engineer" && person.user_name != "p0004" && person.user_name != "p0005"`, 1))
		eyes, err := w.r.FourEyes(ctx, next)
		if w.ok(err); next.Summary().Losing != 2 || eyes.Losing != 4 || !eyes.Needed {
			t.Errorf("%+v %s", eyes, fmt.Sprint(next.Summary()))
		}
		w.pass(25 * time.Hour)
	})
}
