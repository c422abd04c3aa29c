package provisioning_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

// drawPolicy draws a policy of up to three groups whose rules take from whom others give.
func drawPolicy(t *rapid.T) string {
	var b strings.Builder
	b.WriteString("apiVersion: rollcall/v1\nguard: {move: {people: 1000}, cleanup: {people: 1000}}\ngroups:\n")
	for _, group := range []string{"one", "two", "three"} {
		if group != "one" && rapid.Bool().Draw(t, "without "+group) {
			continue
		}
		fmt.Fprintf(&b, "  - key: %s\n    name: {en: G, zh: 组}\n    channels: [{key: c, name: {en: C, zh: 道}}]\n", group)
		if rapid.Bool().Draw(t, "joinable") {
			b.WriteString("    eligibility: {join: 'true', role: collaborator}\n")
		}
		b.WriteString("    rules:\n")
		for i := range rapid.IntRange(1, 2).Draw(t, "rules") {
			fmt.Fprintf(&b, "      - {key: r%d, role: %s, when: %s}\n", i, rapid.SampledFrom([]string{"owner", "participant", "collaborator"}).Draw(t, "role"),
				rapid.SampledFrom([]string{`person.department == "R&D"`, `person.department == "Sales"`, `person.title == "Head"`, `person.department != "Sales"`}).Draw(t, "when"))
		}
	}
	return b.String()
}

// standing answers who is what in which group.
func (w *world) standing(people []id.Person) map[string]policies.Role {
	out := map[string]policies.Role{}
	for _, p := range people {
		list, err := w.r.MembershipsOf(ctx, p)
		w.ok(err)
		for _, m := range list {
			out[string(p)+" "+m.Of.Key] = m.Role
		}
	}
	return out
}

// placeIDs answers the ids of the places that people have.
func (w *world) placeIDs(people []id.Person) map[string]id.Membership {
	out := map[string]id.Membership{}
	for _, p := range people {
		list, err := w.r.MembershipsOf(ctx, p)
		w.ok(err)
		for _, m := range list {
			out[string(p)+" "+m.Of.Key] = m.ID
		}
	}
	return out
}

// Whatever the policy was and becomes: applying a plan does what the plan said, and nothing is left to do; undoing it, with the way back where that waits, gives everybody back what it took,
// under the ids of before.
func TestPlanIsWhatHappens(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var people []id.Person
		for i := range 6 {
			people = append(people, w.put(fmt.Sprint("p", i), ""))
		}
		round := 0
		rapid.Check(t, func(t *rapid.T) {
			if round++; round > rounds(25) { // one world, which each draw changes
				return
			}
			for i := range people {
				facts := "dept=" + rapid.SampledFrom([]string{"R&D", "Sales", "Legal"}).Draw(t, "department")
				if rapid.Bool().Draw(t, "head") {
					facts += " title=Head"
				}
				w.put(fmt.Sprint("p", i), facts)
			}
			for range rapid.IntRange(0, 2).Draw(t, "own") {
				who, kind := rapid.SampledFrom(people).Draw(t, "whose"), rapid.SampledFrom([]provisioning.Kind{provisioning.KindJoin, provisioning.KindApproval, provisioning.KindGrant}).Draw(t, "kind")
				if groups, err := w.r.Groups(ctx); err == nil && len(groups) > 0 {
					w.own(who, rapid.SampledFrom(groups).Draw(t, "where").Key, kind, policies.Collaborator)
				}
			}
			before, places := w.standing(people), w.placeIDs(people)
			p, err := w.r.PlanPolicy(ctx, []provisioning.File{{Name: "p.yaml", Source: drawPolicy(t)}}, "tester")
			w.ok(err)
			want := map[string]policies.Role{}
			for place, role := range before {
				want[place] = role
			}
			for _, c := range p.Changes {
				switch place := string(c.Person) + " " + c.Group; c.Op {
				case provisioning.OpAdd, provisioning.OpRole:
					want[place] = c.Role
				case provisioning.OpRemove:
					delete(want, place)
				}
			}
			_, err = w.r.ApplyPlan(ctx, directory.Cause{Actor: "tester"}, p.ID, p.Hash, true)
			w.ok(err)
			if got := w.standing(people); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("planned %v, came to %v", want, got)
			}
			again, err := w.r.ReconcileAll(ctx)
			w.ok(err)
			if again.Written != 0 {
				t.Fatalf("%d were left to do", again.Written)
			}
			done, err := w.r.UndoRun(ctx, admin, id.Request(p.ID))
			if err != nil && !errors.Is(err, provisioning.ErrNotFound) {
				t.Fatal(err)
			}
			for _, miss := range done.NotUndone {
				if miss.Why != provisioning.WhyWaits || done.Plan == "" {
					t.Fatalf("not undone: %+v", miss)
				}
			}
			if done.Plan != "" && !done.Applied {
				back, err := w.r.Plan(ctx, done.Plan)
				w.ok(err)
				_, err = w.r.ApplyPlan(ctx, admin, back.ID, back.Hash, true)
				w.ok(err)
			}
			after, now := w.standing(people), w.placeIDs(people)
			for place, role := range before {
				if after[place].Strength() < role.Strength() || now[place] != places[place] {
					t.Fatalf("%s was %s (%s) before the plan and is %q (%s) after it was undone: %+v", place, role, places[place], after[place], now[place], done)
				}
			}
			if again, err = w.r.ReconcileAll(ctx); err != nil || again.Written != 0 {
				t.Fatalf("%d were left to do after it was undone, %v", again.Written, err)
			}
			w.pass(15 * 24 * 3600 * 1e9)
			w.ok(w.r.Tend(ctx))
			for _, hold := range w.holds(provisioning.HoldOpen) { // what was given back may be a whole group, which does not go without a word
				_, err := w.r.Release(ctx, admin, hold.ID)
				w.ok(err)
			}
		})
		w.sound()
	})
}
