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
		fmt.Fprintf(&b, "  - key: %s\n    name: {en: G, zh: 组}\n    channels: [{key: c, name: {en: C, zh: 道}}]\n    rules:\n", group)
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

// Whatever the policy was and becomes: applying a plan does what the plan said, and nothing is left to do; undoing it gives everybody back what it took.
func TestPlanIsWhatHappens(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var people []id.Person
		for i := range 6 {
			people = append(people, w.put(fmt.Sprint("p", i), ""))
		}
		rounds := 0
		rapid.Check(t, func(t *rapid.T) {
			if rounds++; rounds > 25 { // one world, which each draw changes
				return
			}
			for i := range people {
				facts := "dept=" + rapid.SampledFrom([]string{"R&D", "Sales", "Legal"}).Draw(t, "department")
				if rapid.Bool().Draw(t, "head") {
					facts += " title=Head"
				}
				w.put(fmt.Sprint("p", i), facts)
			}
			before := w.standing(people)
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
			if _, err := w.r.UndoRun(ctx, directory.Cause{Actor: "tester"}, id.Request(p.ID)); err != nil && !errors.Is(err, provisioning.ErrNotFound) {
				t.Fatal(err)
			}
			live := map[string]bool{}
			groups, err := w.r.Groups(ctx)
			w.ok(err)
			for _, g := range groups {
				live[g.Key] = true
			}
			after := w.standing(people)
			for place, role := range before {
				_, group, _ := strings.Cut(place, " ")
				if live[group] && after[place].Strength() < role.Strength() {
					t.Fatalf("%s was %s before the plan and is %q after it was undone", place, role, after[place])
				}
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
