package provisioning_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// planOf plans a policy on behalf of a person.
func (w *world) planOf(author id.Person, text string) *provisioning.Plan {
	w.Helper()
	return w.planBy(string(author), text)
}

// An approval counts while whoever gave it may approve, and the plan stands while whoever made it may.
//
// holds: J36
func TestApprovalEndsWithTheRole(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText + fourEyes)
		ann, ben, cid := w.put("ann", "dept=Legal"), w.put("ben", "dept=Legal"), w.put("cid", "dept=Legal")
		w.putMany(5, "p", "dept=Sales")
		may := []id.Person{ann, ben, cid}
		w.r.MayApply = func(_ *db.Tx, p id.Person) (bool, error) { return slices.Contains(may, p), nil }
		less := strings.Replace(policyText, `person.department == "Sales"`, `person.department == "None"`, 1)
		p := w.planOf(ann, less)
		by := directory.Cause{Actor: string(ann)}
		refused := func(what string) {
			t.Helper()
			w.untouched(what, func() {
				if _, err := w.r.ApplyPlan(ctx, by, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		w.ok(w.r.ApprovePlan(ctx, directory.Cause{Actor: string(ben)}, ben, p.ID, p.Hash))
		may = []id.Person{ann, cid}
		refused("an approver whose role was taken")
		eyes, err := w.r.FourEyes(ctx, p)
		if w.ok(err); len(eyes.Given) != 1 || !eyes.Given[0].Lapsed || eyes.AuthorGone {
			t.Errorf("%+v", eyes)
		}
		w.ok(w.r.ApprovePlan(ctx, directory.Cause{Actor: string(cid)}, cid, p.ID, p.Hash))
		may = []id.Person{cid}
		refused("an author whose role was taken")
		may = []id.Person{ann, cid}
		w.put("cid", "dept=Legal active=false")
		p = w.planOf(ann, less)
		w.ok(w.r.ApprovePlan(ctx, directory.Cause{Actor: string(cid)}, cid, p.ID, p.Hash))
		refused("an approver who is kept out")
		may = []id.Person{ann, ben, cid}
		w.ok(w.r.ApprovePlan(ctx, directory.Cause{Actor: string(ben)}, ben, p.ID, p.Hash))
		_, err = w.r.ApplyPlan(ctx, by, p.ID, p.Hash, true)
		w.ok(err)
	})
}

// Who wants to loosen what holds back an administrator who is alone needs somebody else for that, by the limits in force.
func TestLooseningWantsFourEyes(t *testing.T) {
	both(t, func(w *world) {
		base := strings.Replace(policyText, "apiVersion: rollcall/v1\n", "apiVersion: rollcall/v1\nlimits: {four_eyes: {people: 2}}\nguard: {cleanup: {people: 5, percent: 1}, move: {people: 5, percent: 1}}\n", 1)
		w.policy(base)
		for what, c := range map[string]struct{ old, new, loosens string }{
			"more people":  {"four_eyes: {people: 2}", "four_eyes: {people: 200}", "limits.four_eyes"},
			"a percentage": {"four_eyes: {people: 2}", "four_eyes: {people: 2, percent: 50}", "limits.four_eyes"},
			"none at all":  {"limits: {four_eyes: {people: 2}}\n", "", "limits.four_eyes"},
			"the guard":    {"move: {people: 5,", "move: {people: 500,", "guard.move"},
			"its default":  {", move: {people: 5, percent: 1}", "", "guard.move"},
			"stricter":     {"four_eyes: {people: 2}", "four_eyes: {people: 1}", ""},
			"the same":     {"Apollo,", "Apollon,", ""},
		} {
			text := strings.Replace(base, c.old, c.new, 1)
			if text == base {
				t.Fatal(what)
			}
			p := w.planBy("alice", text)
			eyes, err := w.r.FourEyes(ctx, p)
			w.ok(err)
			if got := strings.Join(eyes.Loosens, " "); got != c.loosens || eyes.Needed != (c.loosens != "") {
				t.Errorf("%s: %+v", what, eyes)
			}
			if c.loosens == "" {
				continue
			}
			w.untouched(what, func() {
				if _, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
					t.Errorf("%s, alone: %v", what, err)
				}
			})
		}
		p := w.planBy("alice", strings.Replace(base, "four_eyes: {people: 2}", "four_eyes: {people: 200}", 1))
		w.ok(w.r.ApprovePlan(ctx, bob, "bob", p.ID, p.Hash))
		_, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true)
		w.ok(err)
	})
}

// A plan that widens the guard is judged by the guard that it finds.
func TestPlanDoesNotWidenItsOwnGuard(t *testing.T) {
	both(t, func(w *world) {
		w.putMany(20, "p", "dept=R&D")
		base := strings.Replace(policyText, "apiVersion: rollcall/v1\n", "apiVersion: rollcall/v1\nguard: {cleanup: {people: 3, percent: 1}, move: {people: 3, percent: 1}}\n", 1)
		w.policy(base)
		taking := strings.ReplaceAll(base, `"R&D"`, `"Nowhere"`)
		if taking == base {
			t.Fatal("the policy names no R&D")
		}
		for what, text := range map[string]string{"as it was": taking, "widened": strings.Replace(taking, "guard: {cleanup: {people: 3, percent: 1}", "guard: {cleanup: {people: 3000, percent: 100}", 1)} {
			p := w.planBy("alice", text)
			if !p.Verdict.Held() {
				t.Errorf("%s: %d changes, not held", what, p.Total)
			}
			if _, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, false); !errors.Is(err, provisioning.ErrHeld) {
				t.Errorf("%s, applied: %v", what, err)
			}
		}
	})
}

// That several decide together is not undone by one: whether or not plans want four eyes otherwise.
func TestFewerDecidingWantsFourEyes(t *testing.T) {
	both(t, func(w *world) {
		with := func(people int) string {
			return strings.Replace(policyText, "apiVersion: rollcall/v1\n", fmt.Sprintf("apiVersion: rollcall/v1\napprovals: {break_glass: {by: [{admins: security}], people: %d}}\n", people), 1)
		}
		w.policy(with(3))
		for what, text := range map[string]string{"fewer": with(2), "the default": policyText} {
			p := w.planBy("alice", text)
			eyes, err := w.r.FourEyes(ctx, p)
			if w.ok(err); !eyes.Needed || strings.Join(eyes.Loosens, " ") != "approvals.break_glass.people" {
				t.Errorf("%s: %+v", what, eyes)
			}
			w.untouched(what, func() {
				if _, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
					t.Errorf("%s, alone: %v", what, err)
				}
			})
		}
		p := w.planBy("alice", with(4))
		_, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true)
		w.ok(err)
		p = w.planBy("alice", policyText)
		w.ok(w.r.ApprovePlan(ctx, bob, "bob", p.ID, p.Hash))
		_, err = w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true)
		w.ok(err)
	})
}
