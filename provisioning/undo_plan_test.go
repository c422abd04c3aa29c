package provisioning_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

// rounds answers how many draws a property makes of which each changes the world of the next: n, and more where more checks are asked for.
func rounds(n int) int {
	if set := flag.Lookup("rapid.checks"); set != nil {
		if checks, err := strconv.Atoi(set.Value.String()); err == nil && checks > 100 {
			return n * checks / 100
		}
	}
	return n
}

// oneGroup is a policy of one group with these channels and rules.
func oneGroup(channels, rules string) string {
	return "apiVersion: rollcall/v1\nguard: {move: {people: 1000}, cleanup: {people: 1000}}\ngroups:\n  - key: one\n    name: {en: G, zh: 组}\n    channels:\n" + channels + "    rules:\n" + rules
}

// applied puts a policy in force by a plan.
func (w *world) applied(text string) *provisioning.Plan {
	w.Helper()
	p := w.plan(text)
	_, err := w.r.ApplyPlan(ctx, directory.Cause{Actor: "tester"}, p.ID, p.Hash, true)
	w.ok(err)
	return p
}

// A plan lowers a role and changes what roles see: the role of before would show nothing now. Giving it back to people alone would take the channel that they see; it comes with the version before.
func TestUndoneRoleTakesNothing(t *testing.T) {
	both(t, func(w *world) {
		const head = "      - {key: s, role: collaborator, when: person.title == \"Head\"}\n"
		w.policy(oneGroup("      - {key: c, name: {en: C, zh: 道}, access: {participant: read, collaborator: post}}\n",
			"      - {key: r, role: participant, when: person.department == \"R&D\"}\n"+head))
		plain, lead := w.put("plain", "dept=R&D"), w.put("lead", "dept=Sales title=Head")
		before := w.placesByID()
		p := w.applied(oneGroup("      - {key: c, name: {en: C, zh: 道}, access: {participant: none, collaborator: read}}\n      - {key: d, name: {en: D, zh: 道}, access: {participant: none, collaborator: read}}\n",
			"      - {key: r, role: collaborator, when: person.department == \"R&D\"}\n"+head))
		w.want("after the plan", w.places(plain)+" "+w.sees(plain), "one:collaborator one/c one/d")
		done, err := w.r.UndoRun(ctx, admin, id.Request(p.ID))
		w.ok(err)
		w.want("while the way back waits", w.sees(plain)+"; "+w.sees(lead), "one/c one/d; one/c one/d")
		if done.Plan == "" || done.Applied || len(done.People) != 0 {
			t.Fatalf("%+v", done)
		}
		misses := map[string]bool{}
		for _, miss := range done.NotUndone {
			misses[fmt.Sprint(miss.Person == plain, " ", miss.Role, miss.Channels, " ", miss.Why)] = true
		}
		if !misses["true participant[] plan_waits"] || !misses["false [c] plan_waits"] || len(misses) != 2 { // the other may read where they could post
			t.Errorf("not undone: %v", misses)
		}
		back, err := w.r.Plan(ctx, done.Plan)
		w.ok(err)
		_, err = w.r.ApplyPlan(ctx, admin, back.ID, back.Hash, true)
		w.ok(err)
		w.want("back", w.sees(plain)+"; "+w.sees(lead), "one/c; one/c")
		w.want("the same places", w.placesByID(), before)
	})
}

// A plan raises a role that sees less: what it takes so comes with the version before, too.
func TestUndoneRaisedRole(t *testing.T) {
	both(t, func(w *world) {
		const channel = "      - {key: c, name: {en: C, zh: 道}, access: {participant: none, collaborator: read}}\n"
		w.policy(oneGroup(channel, "      - {key: r, role: collaborator, when: person.department == \"R&D\"}\n"))
		p := w.put("p", "dept=R&D")
		plan := w.applied(oneGroup(channel, "      - {key: r, role: participant, when: person.department == \"R&D\"}\n"))
		w.want("taken", w.places(p)+" "+w.sees(p), "one:participant ")
		done, err := w.r.UndoRun(ctx, admin, id.Request(plan.ID))
		if w.ok(err); done.BackTo != 1 || done.Plan == "" {
			t.Errorf("%+v", done)
		}
		if !done.Applied {
			back, err := w.r.Plan(ctx, done.Plan)
			w.ok(err)
			_, err = w.r.ApplyPlan(ctx, admin, back.ID, back.Hash, true)
			w.ok(err)
		}
		w.want("undone", w.places(p)+" "+w.sees(p), "one:collaborator one/c")
	})
}

const joinable = `apiVersion: rollcall/v1
guard: {move: {people: 1000}, cleanup: {people: 1000}}
groups:
  - key: stays
    name: {en: S, zh: 留}
    channels: [{key: c, name: {en: C, zh: 道}}]
    rules: [{key: r, role: participant, when: person.department == "R&D"}]
`

const joinableGoes = `  - key: goes
    name: {en: G, zh: 去}
    eligibility: {join: "true", role: collaborator}
    channels: [{key: c, name: {en: C, zh: 道}}]
    rules: [{key: r, role: participant, when: person.department == "R&D"}]
`

// own gives somebody a place in a group by a kind of reason that is no rule's.
func (w *world) own(p id.Person, group string, kind provisioning.Kind, role policies.Role) {
	w.Helper()
	groups, err := w.r.Groups(ctx)
	w.ok(err)
	for _, g := range groups {
		if g.Key != group {
			continue
		}
		ref := "req_1"
		if kind == provisioning.KindJoin {
			ref = provisioning.RefJoin
		}
		w.ok(w.r.Give(ctx, directory.Cause{Actor: "tester"}, []provisioning.Grant{{Person: p, Group: g.ID, Kind: kind, Ref: ref, Role: role}}, nil))
		return
	}
	w.Fatalf("no group %s", group)
}

// reasons answers the standing reasons of everybody with their ids, without keeps.
func (w *world) reasons() string {
	w.Helper()
	var rows []struct{ ID, Membership, Kind, Role string }
	w.ok(w.db.Read(ctx).Raw("select id, membership, kind, role from reasons where ended_at is null and kind not in ('rule', 'keep') order by id").Scan(&rows).Error)
	return fmt.Sprint(rows)
}

// A plan archives a group: one undo brings everybody's place back, with its id and beginning, whether a rule gave it, its person joined, or somebody approved it.
func TestUndoneGroupIsWhole(t *testing.T) {
	for _, how := range []string{"answered", "killed", "waits"} {
		t.Run(how, func(t *testing.T) {
			both(t, func(w *world) {
				w.policy(joinable + joinableGoes)
				rule, joined, approved, left := w.put("rule", "dept=R&D"), w.put("joined", "dept=Sales"), w.put("approved", "dept=Sales"), w.put("left", "dept=Sales")
				for _, p := range []id.Person{joined, left} {
					w.own(p, "goes", provisioning.KindJoin, "")
				}
				w.own(approved, "goes", provisioning.KindApproval, policies.Owner)
				w.own(rule, "goes", provisioning.KindJoin, "")
				w.pass(3600 * 1e9)
				before, reasons := w.placesByID(), w.reasons()
				without := joinable
				if how == "waits" { // something is given too, which the way back takes
					without = strings.Replace(joinable, `"R&D"}]`, `"R&D"}, {key: s, role: participant, when: person.department == "Sales"}]`, 1)
				}
				plan := w.applied(without)
				w.want("taken", w.places(approved)+w.places(left), strings.Repeat(map[bool]string{true: "stays:participant"}[how == "waits"], 2))
				done, err := w.r.UndoRun(ctx, admin, id.Request(plan.ID))
				w.ok(err)
				if how == "waits" {
					if done.Applied || done.Plan == "" || len(done.NotUndone) != 4 || done.NotUndone[0].Why != provisioning.WhyWaits || len(done.People) != 0 || done.Memberships != 0 {
						t.Fatalf("%+v", done)
					}
					back, err := w.r.Plan(ctx, done.Plan)
					w.ok(err)
					if s := back.Summary(); s.Added != 4 {
						t.Errorf("the way back says %+v", s)
					}
					if how == "waits" {
						_, err = w.r.ApplyPlan(ctx, admin, back.ID, back.Hash, true)
						w.ok(err)
					}
				} else if !done.Applied || done.Memberships != 4 || len(done.People) != 4 || len(done.NotUndone) != 0 {
					t.Errorf("%+v", done)
				}
				w.want("everybody's place", w.placesByID(), before)
				w.want("and what it stands on", w.reasons(), reasons)
				w.untouched("looking again", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err); w.ok(w.r.Tend(ctx)) })
			})
		})
	}
}

// The way back was put in force and the process ended: whoever looks at somebody first gives them back what was taken, and the rest comes when the plan is gone on with.
func TestWayBackIsFollowedByWhoeverLooks(t *testing.T) {
	both(t, func(w *world) {
		w.policy(joinable + joinableGoes)
		joined, other := w.put("joined", "dept=R&D"), w.put("other", "dept=R&D")
		w.own(joined, "goes", provisioning.KindJoin, "")
		before := w.placesByID()
		without := strings.Replace(joinable, `"R&D"}]`, `"R&D"}, {key: s, role: participant, when: person.department == "Sales"}]`, 1)
		w.put("sales", "dept=Sales")
		plan := w.applied(without)
		done, err := w.r.UndoRun(ctx, admin, id.Request(plan.ID))
		w.ok(err)
		back, err := w.r.Plan(ctx, done.Plan)
		w.ok(err)
		w.ok(w.r.Enact(ctx, back))
		_, err = w.r.Reconcile(ctx, directory.Cause{}, []id.Person{joined})
		w.ok(err)
		w.want("looked at", w.places(joined)+" "+w.places(other), "goes:participant stays:participant stays:participant")
		w.ok(w.r.Tend(ctx))
		w.want("gone on with", w.placesByID(), before)
	})
}

// A plan was put in force and the process ended before it took anything. Somebody changes, a follower looks at them, and takes what the plan takes: in the plan's name, so that undoing it
// gives that back.
func TestInterruptedPlanIsUndone(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		people := w.putMany(3, "p", "dept=R&D")
		before := w.placesByID()
		p := w.plan(strings.Replace(policyText, `person.department == "R&D"}`, `person.department == "Nobody"}`, 1))
		w.ok(w.r.Enact(ctx, p))
		_, err := w.r.Reconcile(ctx, directory.Cause{}, people[:1])
		w.ok(err)
		renamed := w.record("p001", "dept=R&D")
		renamed.Locale = "en"
		w.by("run_1", directory.PutRecord{Record: renamed})
		for i, want := range []string{"everybody:participant", "everybody:participant", "apollo:participant everybody:participant"} {
			w.want(fmt.Sprint("before it is gone on with ", i), w.places(people[i]), want)
		}
		if _, err := w.r.UndoRun(ctx, admin, "run_1"); !errors.Is(err, provisioning.ErrNotFound) {
			t.Errorf("the run took nothing: %v", err)
		}
		done, err := w.r.UndoRun(ctx, admin, id.Request(p.ID))
		w.ok(err)
		if done.Memberships != 3 || len(done.People) != 3 {
			t.Errorf("%+v", done)
		}
		w.want("as before", w.placesByID(), before)
	})
}

// Another version is in force when a plan is undone: the answer says whose places are back, and of everything else that the plan took why it is not.
func TestUndoAfterALaterVersion(t *testing.T) {
	both(t, func(w *world) {
		rules := func(one, two string) string {
			return strings.Replace(joinable, `person.department == "R&D"`, one, 1) + strings.Replace(strings.Replace(joinableGoes, "key: goes", "key: gone", 1), `person.department == "R&D"`, two, 1)
		}
		w.policy(rules(`person.department == "R&D"`, `person.department == "R&D"`))
		stays, moved, gone := w.put("a", "dept=R&D"), w.put("b", "dept=R&D"), w.put("c", "dept=R&D")
		plan := w.applied(rules(`person.department == "Legal"`, `person.department == "Legal"`))
		w.put("legal", "dept=Legal")
		w.want("taken", w.places(stays), "")
		w.put("b", "dept=Legal")
		w.delete("c")
		w.applied(strings.Replace(rules(`person.department == "Legal"`, ""), joinableGoes, "", 1)[:strings.Index(rules(`person.department == "Legal"`, ""), "  - key: gone")])
		done, err := w.r.UndoRun(ctx, admin, id.Request(plan.ID))
		w.ok(err)
		w.want("back", w.places(stays)+" "+w.places(moved)+w.places(gone), "stays:participant stays:participant")
		if !slices.Equal(done.People, []id.Person{stays}) || done.Memberships != 1 || done.Plan != "" || done.Applied {
			t.Errorf("%+v", done)
		}
		got := map[string]bool{}
		for _, miss := range done.NotUndone {
			got[strings.TrimSpace(fmt.Sprintln(miss.Person == stays, miss.Person == moved, miss.Person == gone, miss.Group, miss.Role, miss.Channels, miss.Why))] = true
		}
		for _, want := range []string{"true false false gone participant [c] group_archived", "false true false gone participant [c] group_archived",
			"false false true stays participant [c] left", "false false true gone participant [c] left"} {
			if !got[want] || len(got) != 4 {
				t.Errorf("missing %q in %v", want, got)
			}
		}
	})
}
