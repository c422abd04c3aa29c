package provisioning_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

const fourEyes = "limits: {four_eyes: {people: 2}}\nguard: {cleanup: {people: 100}}\n"

var alice, bob = directory.Cause{Actor: "alice"}, directory.Cause{Actor: "bob"}

func (w *world) planBy(author, text string) *provisioning.Plan {
	w.Helper()
	p, err := w.r.PlanFor(ctx, []provisioning.File{{Name: "policy.yaml", Source: text}}, author, id.Person(author))
	w.ok(err)
	return p
}

// A plan that takes memberships from more people than the policy allows one administrator wants another one, who cannot be its author; the limit
// is that of the policy in force, so that a plan cannot lift it for itself.
//
// holds: J36
func TestFourEyes(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText + fourEyes)
		people := w.putMany(5, "p", "dept=Sales")
		smaller := strings.Replace(policyText, `person.department == "Sales"`, `person.department == "Sales" && (person.user_name == "p000" || person.user_name == "p001")`, 1)
		p := w.planBy("alice", smaller)
		if s := p.Summary(); s.Losing != 3 || s.Removed != 3 {
			t.Errorf("summary %+v", s)
		}
		for _, g := range p.Grounds {
			if g.Name != string(provisioning.GroundRuleChanged) || g.People != 3 {
				t.Errorf("ground %+v", g)
			}
		}
		w.untouched("a plan that nobody approved", func() {
			if _, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
				t.Errorf("applied alone: %v", err)
			}
			if err := w.r.ApprovePlan(ctx, alice, "alice", p.ID, p.Hash); !errors.Is(err, provisioning.ErrOwnPlan) {
				t.Errorf("approved by its author: %v", err)
			}
			if err := w.r.ApprovePlan(ctx, bob, "", p.ID, p.Hash); !errors.Is(err, provisioning.ErrOwnPlan) {
				t.Errorf("approved by nobody: %v", err)
			}
			if err := w.r.ApprovePlan(ctx, bob, "bob", p.ID, "another"); !errors.Is(err, provisioning.ErrHash) {
				t.Errorf("approved unseen: %v", err)
			}
		})
		w.ok(w.r.ApprovePlan(ctx, bob, "bob", p.ID, p.Hash))
		w.untouched("a second approval", func() { w.ok(w.r.ApprovePlan(ctx, bob, "bob", p.ID, p.Hash)) })
		eyes, err := w.r.FourEyes(ctx, p)
		w.ok(err)
		if !eyes.Needed || eyes.Limit != 2 || len(eyes.Given) != 1 || eyes.Given[0].Approver != "bob" {
			t.Errorf("four eyes %+v", eyes)
		}
		_, err = w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true)
		w.ok(err)
		w.want("who lost it", w.places(people[4]), "everybody:participant")
		w.want("who kept it", w.places(people[0]), "everybody:participant sales:participant")
		if err := w.r.ApprovePlan(ctx, bob, "bob", p.ID, p.Hash); !errors.Is(err, provisioning.ErrClosed) {
			t.Errorf("approved afterwards: %v", err)
		}
	})
}

// At its instant a plan is applied, once, also where the process that began it ended; what has changed by then, what the guard holds and what nobody
// approved is refused, and those behind it are told.
//
// holds: J36
func TestScheduledPlan(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText + fourEyes)
		people := w.putMany(5, "p", "dept=Sales")
		var told []provisioning.Schedule
		w.r.TellPlan = func(_ *db.Tx, person id.Person, s provisioning.Schedule) error {
			if person != "alice" {
				t.Errorf("told %s", person)
			}
			told = append(told, s)
			return nil
		}
		without := func(n string) string {
			return strings.Replace(policyText, `person.department == "Sales"`, `person.department == "Sales" && person.user_name != "`+n+`"`, 1) + fourEyes
		}
		due := func(p *provisioning.Plan, confirm bool) {
			w.ok(w.r.SchedulePlan(ctx, alice, "alice", p.ID, p.Hash, confirm, w.clock().Add(time.Hour)))
		}
		state := func(p *provisioning.Plan) string {
			s, err := w.r.ScheduleOf(ctx, p.ID)
			w.ok(err)
			return strings.TrimSpace(string(s.State) + " " + s.Problem)
		}
		p := w.planBy("alice", without("p004"))
		if err := w.r.SchedulePlan(ctx, alice, "alice", p.ID, p.Hash, false, w.clock().Add(-time.Second)); !errors.Is(err, provisioning.ErrPast) {
			t.Errorf("scheduled for now: %v", err)
		}
		due(p, false)
		w.untouched("an hour before", func() { w.ok(w.r.Tend(ctx)) })
		w.pass(time.Hour)
		w.ok(w.r.Tend(ctx))
		w.want("at the instant", state(p), "applied")
		w.want("who lost it", w.places(people[4]), "everybody:participant")
		w.untouched("later", func() { w.ok(w.r.Tend(ctx)) })

		p = w.planBy("alice", without("p003"))
		due(p, false)
		w.put("p003", "dept=R&D")
		w.pass(time.Hour)
		w.ok(w.r.Tend(ctx))
		w.want("after a change", state(p), "refused drift")

		p = w.planBy("alice", strings.Replace(policyText, `person.department == "Sales"`, `person.department == "none"`, 1)+fourEyes)
		due(p, false)
		w.pass(time.Hour)
		w.ok(w.r.Tend(ctx))
		w.want("emptied", state(p), "refused held")
		due(p, true)
		w.pass(time.Hour)
		w.ok(w.r.Tend(ctx))
		w.want("alone", state(p), "refused needs_approval")
		w.ok(w.r.ApprovePlan(ctx, bob, "bob", p.ID, p.Hash))
		due(p, true)
		w.ok(w.r.UnschedulePlan(ctx, alice, p.ID))
		w.pass(time.Hour)
		w.untouched("cancelled", func() { w.ok(w.r.Tend(ctx)) })
		due(p, true)
		w.ok(w.r.Enact(ctx, p)) // and there the process ended
		w.pass(time.Hour)
		w.ok(w.r.Tend(ctx))
		w.want("interrupted", state(p), "applied")
		w.want("nobody is left", w.places(people[0]), "everybody:participant")
		if len(told) != 5 {
			t.Errorf("told %+v", told)
		}
	})
}

// Who is no administrator any more at the instant applies nothing.
func TestScheduledByALeaver(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		boss := w.put("boss", "dept=R&D")
		w.putMany(3, "p", "dept=Sales")
		w.r.MayApply = func(_ *db.Tx, p id.Person) (bool, error) { return p == boss, nil }
		p := w.planBy("alice", strings.Replace(policyText, `person.department == "Sales"`, `person.department == "Sales" && person.user_name != "p002"`, 1))
		w.ok(w.r.SchedulePlan(ctx, alice, boss, p.ID, p.Hash, false, w.clock().Add(time.Hour)))
		w.put("boss", "dept=R&D active=false")
		w.pass(time.Hour)
		w.ok(w.r.Tend(ctx))
		s, err := w.r.ScheduleOf(ctx, p.ID)
		w.ok(err)
		if s.State != provisioning.ScheduleRefused || s.Problem != "administrator" {
			t.Errorf("schedule %+v", s)
		}
	})
}

// Changes of a large plan come in pages, chosen by group, person, or what causes them, and are the same however they are read.
func TestPlanPages(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		people := w.putMany(70, "p", "dept=Sales")
		w.policy(policyText)
		big := policyText
		for i := range 40 {
			big += strings.NewReplacer("NN", string(rune('a'+i/26))+string(rune('a'+i%26))).Replace(`  - key: xNN
    name: {en: NN, zh: NN}
    channels: [{key: one, name: {en: One, zh: 一}}, {key: leads, name: {en: Leads, zh: 头}, access: {participant: none}}]
    rules: [{key: all, role: participant, when: person.department == "Sales"}]
`)
		}
		p := w.planBy("alice", big)
		if p.Total != 2800 || len(p.Changes) != 2000 || p.Summary().Added != 2800 || p.Summary().People != 70 || len(p.Groups) != 40 || p.Groups[0].People != 70 {
			t.Fatalf("plan of %d, %d shown, %+v, %+v", p.Total, len(p.Changes), p.Summary(), p.Groups)
		}
		stored, err := w.r.Plan(ctx, p.ID)
		w.ok(err)
		var all []provisioning.PlannedChange
		for first := 0; ; {
			page, next, more, err := w.r.PlanChanges(ctx, stored, provisioning.PlanQuery{First: first, Limit: 333})
			w.ok(err)
			if all, first = append(all, page...), next; !more {
				break
			}
		}
		if len(all) != p.Total {
			t.Errorf("%d of %d in pages", len(all), p.Total)
		}
		for i, c := range p.Changes {
			if all[i].Person != c.Person || all[i].Group != c.Group || c.Ground != provisioning.GroundGroupNew {
				t.Fatalf("change %d is %+v, was %+v", i, all[i], c)
			}
		}
		of, _, more, err := w.r.PlanChanges(ctx, stored, provisioning.PlanQuery{Person: people[69], Limit: 100})
		w.ok(err)
		if len(of) != 40 || more {
			t.Errorf("%d changes of one person, more: %v", len(of), more)
		}
		if len(stored.Sights) != 40 || len(stored.Sights[0].Gains) != 1 || stored.Sights[0].Gains[0] != "one" {
			t.Errorf("sights %+v", stored.Sights)
		}
		result, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, false)
		w.ok(err)
		if result.Written != p.Total {
			t.Errorf("wrote %d, planned %d", result.Written, p.Total)
		}
	})
}
