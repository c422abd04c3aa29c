package provisioning_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

const sightPolicy = `apiVersion: rollcall/v1
guard: {move: {people: 3}, cleanup: {people: 3}}
limits: {four_eyes: {people: 3}}
groups:
  - key: a
    name: {en: A, zh: 甲}
    channels:
      - {key: general, name: {en: General, zh: 综合}}
      - {key: leads, name: {en: Leads, zh: 负责人}, access: {participant: none, collaborator: none}}
    rules:
      - {key: dept, role: participant, when: person.department == "A"}
      - {key: head, role: owner, when: person.title == "Head"}
  - key: b
    name: {en: B, zh: 乙}
    channels: [{key: general, name: {en: General, zh: 综合}}]
    rules: [{key: dept, role: participant, when: person.department == "A"}]
`

// A policy that takes a channel from people who keep their place takes something: plan, guard, four eyes and undo count it.
func TestPlanTakesChannels(t *testing.T) {
	both(t, func(w *world) {
		w.policy(sightPolicy)
		people := append(w.putMany(5, "p", "dept=A"), w.putMany(4, "h", "dept=A title=Head")...)
		before := map[id.Person]string{}
		for _, p := range people {
			before[p] = w.sees(p)
		}
		for what, c := range map[string]struct {
			old, new string
			losing   int
			lost     string
			op       provisioning.Op
		}{
			"no access":      {`key: general, name: {en: General, zh: 综合}}` + "\n      - {key: leads", `key: general, name: {en: General, zh: 综合}, access: {participant: none}}` + "\n      - {key: leads", 5, "general", provisioning.OpChannels},
			"archived":       {"      - {key: leads, name: {en: Leads, zh: 负责人}, access: {participant: none, collaborator: none}}\n", "", 4, "leads", provisioning.OpChannels},
			"a role lowered": {"role: owner", "role: collaborator", 4, "leads", provisioning.OpRole},
		} {
			if !strings.Contains(sightPolicy, c.old) {
				t.Fatal(what)
			}
			p := w.planBy("alice", strings.Replace(sightPolicy, c.old, c.new, 1))
			if s := p.Summary(); s.Losing != c.losing || s.Changed != c.losing || s.Removed != 0 {
				t.Errorf("%s: %+v", what, s)
			}
			for _, change := range p.Changes {
				if change.Op != c.op || fmt.Sprint(change.Lost) != "["+c.lost+"]" || change.Group != "a" {
					t.Errorf("%s: %+v", what, change)
				}
			}
			if len(p.Verdict.Breaches) != 1 || p.Verdict.Breaches[0].People != c.losing || p.Verdict.Breaches[0].Group != "" {
				t.Errorf("%s: the guard says %+v", what, p.Verdict)
			}
			eyes, err := w.r.FourEyes(ctx, p)
			if w.ok(err); !eyes.Needed {
				t.Errorf("%s: nobody else has to look at it", what)
			}
			if _, err := w.r.ApplyPlan(ctx, admin, p.ID, p.Hash, false); !errors.Is(err, provisioning.ErrHeld) {
				t.Errorf("%s: %v", what, err)
			}
			if _, err := w.r.ApplyPlan(ctx, admin, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
				t.Errorf("%s: %v", what, err)
			}
			w.ok(w.r.ApprovePlan(ctx, admin, people[0], p.ID, p.Hash))
			_, err = w.r.ApplyPlan(ctx, admin, p.ID, p.Hash, true)
			w.ok(err)
			for _, change := range p.Changes {
				if got := w.sees(change.Person); strings.Contains(got, "a/"+c.lost) {
					t.Errorf("%s: still sees %s", what, got)
				}
			}
			done, err := w.r.UndoRun(ctx, admin, id.Request(p.ID))
			w.ok(err)
			if by := c.op == provisioning.OpChannels; done.Applied != by || by && (len(done.Channels) != c.losing || done.BackTo == 0 || len(done.People) != c.losing) {
				t.Errorf("%s: undone %+v", what, done)
			}
			for _, p := range people {
				w.want(what+", undone", w.sees(p), before[p])
			}
			again, err := w.r.UndoRun(ctx, admin, id.Request(p.ID))
			if err != nil || again.Plan != "" || again.Memberships != 0 {
				t.Errorf("%s: undone twice %+v, %v", what, again, err)
			}
			if c.op == provisioning.OpRole { // the way back is a plan like any other
				w.policy(sightPolicy)
			}
		}
	})
}

// A policy that is not in force any more is not gone back to; what the way back would take waits for somebody.
func TestUndoneChannelsWait(t *testing.T) {
	both(t, func(w *world) {
		w.policy(sightPolicy)
		p := w.put("p", "dept=A")
		none := strings.Replace(sightPolicy, `general, name: {en: General, zh: 综合}}`, `general, name: {en: General, zh: 综合}, access: {participant: none}}`, 1)
		gives := strings.Replace(none, `collaborator: none}}`, `collaborator: none}}`+"\n      - {key: more, name: {en: More, zh: 更多}}", 1)
		plan := w.plan(gives)
		if c := plan.Changes; len(c) != 1 || fmt.Sprint(c[0].Gained, c[0].Lost) != "[more] [general]" {
			t.Errorf("%+v", c)
		}
		_, err := w.r.ApplyPlan(ctx, admin, plan.ID, plan.Hash, true)
		w.ok(err)
		w.want("sees", w.sees(p), "a/more b/general")
		done, err := w.r.UndoRun(ctx, admin, id.Request(plan.ID))
		if w.ok(err); done.Applied || done.Plan == "" || done.BackTo != 1 || len(done.Channels) != 1 {
			t.Errorf("%+v", done)
		}
		w.want("waits", w.sees(p), "a/more b/general")
		back, err := w.r.Plan(ctx, done.Plan)
		w.ok(err)
		_, err = w.r.ApplyPlan(ctx, admin, back.ID, back.Hash, true)
		w.ok(err)
		w.want("back", w.sees(p), "a/general b/general")
		if done, err = w.r.UndoRun(ctx, admin, id.Request(plan.ID)); err != nil || done.Plan != "" || done.BackTo != 1 {
			t.Errorf("another version is in force: %+v, %v", done, err)
		}
	})
}

// drawSights draws a policy whose channels come and go and show themselves to other roles.
func drawSights(t *rapid.T) string {
	var b strings.Builder
	b.WriteString("apiVersion: rollcall/v1\nguard: {move: {people: 1000}, cleanup: {people: 1000}}\ngroups:\n")
	access := rapid.SampledFrom([]string{"none", "read", "post", "manage"})
	for _, group := range []string{"one", "two"} {
		if group != "one" && rapid.IntRange(0, 4).Draw(t, "without "+group) == 0 {
			continue
		}
		fmt.Fprintf(&b, "  - key: %s\n    name: {en: G, zh: 组}\n    channels:\n", group)
		for _, channel := range []string{"c", "d"} {
			if channel == "d" && rapid.Bool().Draw(t, "without "+channel) {
				continue
			}
			fmt.Fprintf(&b, "      - {key: %s, name: {en: C, zh: 道}, access: {participant: %s, collaborator: %s}}\n", channel, access.Draw(t, "participant"), access.Draw(t, "collaborator"))
		}
		fmt.Fprintf(&b, "    rules:\n      - {key: r, role: %s, when: %s}\n      - {key: s, role: collaborator, when: person.title == \"Head\"}\n", rapid.SampledFrom([]string{"owner", "participant", "collaborator"}).Draw(t, "role"),
			rapid.SampledFrom([]string{`person.department == "R&D"`, `person.department != "Sales"`}).Draw(t, "when"))
	}
	return b.String()
}

// rights answers what the index lets people do: "one/c/post".
func (w *world) rights(people []id.Person) map[id.Person][]string {
	w.Helper()
	out := map[id.Person][]string{}
	groups, err := w.r.Groups(ctx)
	w.ok(err)
	for _, who := range people {
		out[who] = []string{}
		for _, g := range groups {
			for _, c := range g.Channels {
				for _, action := range []string{authz.View, authz.Post, authz.Manage} {
					if ok, _ := w.index.Allow(who, c.ID, action); ok {
						out[who] = append(out[who], fmt.Sprint(g.Key, "/", c.Key, "/", action))
					}
				}
			}
		}
	}
	return out
}

// placesOf answers the roles of people by group.
func (w *world) placesOf(people []id.Person) map[id.Person]map[string]policies.Role {
	w.Helper()
	out := map[id.Person]map[string]policies.Role{}
	for _, who := range people {
		list, err := w.r.MembershipsOf(ctx, who)
		w.ok(err)
		out[who] = map[string]policies.Role{}
		for _, m := range list {
			out[who][m.Of.Key] = m.Role
		}
	}
	return out
}

// Whatever a policy does to channels: each person sees afterwards what the plan said, those are counted who lose something, and after an undo and the way back that it
// offers everybody sees what they saw.
func TestPlanIsWhatIsSeen(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var people []id.Person
		for i, facts := range []string{"dept=R&D", "dept=R&D title=Head", "dept=Sales", "dept=Sales title=Head", "dept=Legal"} {
			people = append(people, w.put(fmt.Sprint("p", i), facts))
		}
		round := 0
		rapid.Check(t, func(t *rapid.T) {
			if round++; round > rounds(15) { // one world, which each draw changes
				return
			}
			w.policy(drawSights(t))
			seen := func() map[id.Person][]string {
				out := map[id.Person][]string{}
				for _, p := range people {
					out[p] = strings.Fields(w.sees(p))
				}
				return out
			}
			before := seen()
			p, err := w.r.PlanPolicy(ctx, []provisioning.File{{Name: "p.yaml", Source: drawSights(t)}}, "tester")
			w.ok(err)
			want := map[id.Person][]string{}
			for who, list := range before {
				want[who] = slices.Clone(list)
			}
			rights, places := w.rights(people), w.placesOf(people)
			for _, c := range p.Changes {
				gains, loses := c.Gained, c.Lost
				for _, s := range p.Sights {
					if c.Op == provisioning.OpAdd && s.Group == c.Group && s.Before == "" && s.After == c.Role {
						gains = s.Gains
					} else if c.Op == provisioning.OpRemove && s.Group == c.Group && s.Before == c.Role && s.After == "" {
						loses = s.Loses
					}
				}
				for _, key := range gains {
					want[c.Person] = append(want[c.Person], c.Group+"/"+key)
				}
				want[c.Person] = slices.DeleteFunc(want[c.Person], func(at string) bool {
					group, key, _ := strings.Cut(at, "/")
					return group == c.Group && slices.Contains(loses, key)
				})
			}
			_, err = w.r.ApplyPlan(ctx, directory.Cause{Actor: "tester"}, p.ID, p.Hash, true)
			w.ok(err)
			losing := 0
			for who, is := range w.rights(people) {
				may := func(right string) bool { return slices.Contains(is, right) }
				roles := w.placesOf(people)[who]
				weaker := slices.ContainsFunc(slices.Collect(maps.Keys(places[who])), func(group string) bool { return roles[group].Strength() < places[who][group].Strength() })
				if weaker || slices.ContainsFunc(rights[who], func(right string) bool { return !may(right) }) {
					losing++
				}
			}
			if p.Summary().Losing != losing {
				t.Fatalf("%d lose something, the plan says %+v", losing, p.Summary())
			}
			after := seen()
			for _, who := range people {
				slices.Sort(want[who])
				if !slices.Equal(after[who], want[who]) {
					t.Fatalf("planned %v, came to %v", want, after)
				}
			}
			done, err := w.r.UndoRun(ctx, admin, id.Request(p.ID))
			if err != nil && !errors.Is(err, provisioning.ErrNotFound) {
				t.Fatal(err)
			}
			if done.Plan != "" && !done.Applied {
				back, err := w.r.Plan(ctx, done.Plan)
				w.ok(err)
				_, err = w.r.ApplyPlan(ctx, admin, back.ID, back.Hash, true)
				w.ok(err)
			}
			again := seen()
			for _, who := range people {
				for _, at := range before[who] {
					if !slices.Contains(again[who], at) {
						t.Fatalf("saw %v before, %v after it was undone (%+v)", before, again, done)
					}
				}
			}
			for who, is := range w.rights(people) {
				for _, right := range rights[who] {
					if !slices.Contains(is, right) {
						t.Fatalf("%s could %v before, %v after it was undone (%+v)", who, rights[who], is, done)
					}
				}
			}
			w.pass(15 * 24 * 3600 * 1e9)
			w.ok(w.r.Tend(ctx))
			for _, hold := range w.holds(provisioning.HoldOpen) {
				_, err := w.r.Release(ctx, admin, hold.ID)
				w.ok(err)
			}
		})
		w.sound()
	})
}
