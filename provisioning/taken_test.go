package provisioning_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// slicedPolicy gives two people each a place in the groups s0 to s5, and all of them one in "all".
func slicedPolicy() string {
	var b strings.Builder
	b.WriteString("apiVersion: rollcall/v1\nguard: {cleanup: {people: 4, percent: 1}}\nlimits: {four_eyes: {people: 4}}\ngroups:\n")
	b.WriteString("  - key: all\n    name: {en: All, zh: 全部}\n    channels: [{key: c, name: {en: C, zh: 道}}]\n    rules: [{key: r, role: participant, when: 'person.user_name != \"\"'}]\n")
	for i := range 6 {
		fmt.Fprintf(&b, "  - key: s%[1]d\n    name: {en: S, zh: 组}\n    channels: [{key: c%[1]d, name: {en: C, zh: 道}}]\n    rules: [{key: r, role: owner, when: person.department == \"D%[1]d\"}]\n", i)
	}
	return b.String()
}

// What plans take counts together within a day, whatever each of them takes it by: who slices a policy is held, and needs somebody else, as who applies it in one.
//
// holds: J36
func TestSlicesCountTogether(t *testing.T) {
	both(t, func(w *world) {
		for i := range 6 {
			w.putMany(2, fmt.Sprintf("d%d", i), fmt.Sprintf("dept=D%d", i))
		}
		text := slicedPolicy()
		w.policy(text)
		edit := func(old, new string) string {
			t.Helper()
			if !strings.Contains(text, old) {
				t.Fatalf("no %q", old)
			}
			return strings.Replace(text, old, new, 1)
		}
		archived := func() string {
			from := strings.Index(text, "  - key: s5")
			return text[:from]
		}
		apply := func(what, to string, losing int) {
			t.Helper()
			p := w.planBy("alice", to)
			eyes, err := w.r.FourEyes(ctx, p)
			w.ok(err)
			if p.Summary().Losing != losing || p.Verdict.Held() || eyes.Needed {
				t.Fatalf("%s: %+v, held %v, %+v", what, p.Summary(), p.Verdict, eyes)
			}
			_, err = w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, false)
			w.ok(err)
			text = to
		}
		apply("a rule edited", edit(`"D0"`, `"None"`), 2)
		apply("a role lowered", edit(`role: owner, when: person.department == "D1"`, `role: vendor, when: person.department == "D1"`), 2)
		apply("the same people", edit(`role: vendor, when: person.department == "D1"`, `role: vendor, when: person.department == "None"`), 2)
		day := fmt.Sprintf(`person.department == "D2" && before(date("%s"))`, w.clock().Add(72*time.Hour).Format(time.DateOnly))
		next := map[string]string{
			"another rule":     edit(`"D2"`, `"None"`),
			"a rule that ends": edit(`person.department == "D2"`, day),
			"a weaker role":    edit(`role: owner, when: person.department == "D2"`, `role: collaborator, when: person.department == "D2"`),
			"less in channels": edit(`[{key: c2, name: {en: C, zh: 道}}]`, `[{key: c2, name: {en: C, zh: 道}, access: {owner: read}}]`),
			"their history":    edit(`[{key: c2, name: {en: C, zh: 道}}]`, `[{key: c2, name: {en: C, zh: 道}, default_history: joining}]`),
			"no channel":       edit(`[{key: c2, name: {en: C, zh: 道}}]`, `[{key: c9, name: {en: C, zh: 道}}]`),
			"a group archived": archived(),
		}
		refused := func(what, author, to string, together int) {
			t.Helper()
			p := w.planBy(author, to)
			eyes, err := w.r.FourEyes(ctx, p)
			if w.ok(err); p.Summary().Losing != 2 || !eyes.Needed || eyes.Losing != together || eyes.Limit != 4 {
				t.Errorf("%s: %+v, %+v", what, p.Summary(), eyes)
			}
			if len(p.Verdict.Breaches) == 0 || p.Verdict.Breaches[0].People != together {
				t.Errorf("%s: the guard says %+v", what, p.Verdict)
			}
			w.untouched(what, func() {
				if _, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, false); !errors.Is(err, provisioning.ErrHeld) {
					t.Errorf("%s: %v", what, err)
				}
				if _, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
					t.Errorf("%s, confirmed: %v", what, err)
				}
			})
		}
		for what, to := range next {
			refused(what, "alice", to, 6)
			refused(what+", by another", "bob", to, 6)
		}
		w.pass(25 * time.Hour)
		apply("a day later", edit(`"D2"`, `"None"`), 2)
	})
}

// What somebody else found right counts for four eyes no more, and what was confirmed not for the guard.
func TestSlicesThatSomebodySaw(t *testing.T) {
	both(t, func(w *world) {
		for i := range 6 {
			w.putMany(2, fmt.Sprintf("d%d", i), fmt.Sprintf("dept=D%d", i))
		}
		text := slicedPolicy()
		w.policy(text)
		take := func(departments ...string) *provisioning.Plan {
			t.Helper()
			for _, d := range departments {
				text = strings.Replace(text, `"`+d+`"`, `"None"`, 1)
			}
			return w.planBy("alice", text)
		}
		p := take("D0", "D1", "D2")
		w.ok(w.r.ApprovePlan(ctx, bob, "bob", p.ID, p.Hash))
		_, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true)
		w.ok(err)
		p = take("D3")
		eyes, err := w.r.FourEyes(ctx, p)
		if w.ok(err); eyes.Needed || p.Verdict.Held() || eyes.Losing != 2 {
			t.Errorf("after one that two saw: %+v, %+v", eyes, p.Verdict)
		}
		_, err = w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, false)
		w.ok(err)
		p = take("D4")
		_, err = w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, false)
		w.ok(err)
		// Who made it may be one of those who find it right: then it takes two others.
		text = strings.Replace(text, `"D5"`, `"None"`, 1)
		p = w.plan(text)
		eyes, err = w.r.FourEyes(ctx, p)
		if w.ok(err); !eyes.Needed || eyes.People != 2 {
			t.Errorf("made by nobody who is known: %+v", eyes)
		}
		for _, by := range []id.Person{"bob", "cid"} {
			if _, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
				t.Errorf("before %s: %v", by, err)
			}
			w.ok(w.r.ApprovePlan(ctx, bob, by, p.ID, p.Hash))
		}
		_, err = w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true)
		w.ok(err)
	})
}

// Who keeps the place and may do less there is counted, apart from who loses a place or a channel.
func TestPlanCountsLowered(t *testing.T) {
	both(t, func(w *world) {
		w.policy(slicedPolicy())
		w.putMany(2, "d0", "dept=D0")
		w.putMany(1, "d1", "dept=D1")
		text := slicedPolicy()
		for _, pair := range [][2]string{{`role: owner, when: person.department == "D0"`, `role: collaborator, when: person.department == "D0"`}, {`"D1"`, `"None"`}} {
			text = strings.Replace(text, pair[0], pair[1], 1)
		}
		p := w.planBy("alice", text)
		if s := p.Summary(); s.Losing != 3 || s.Lowered != 2 || s.Removed != 1 || s.Changed != 2 {
			t.Errorf("%+v", s)
		}
		for _, c := range p.Changes {
			if c.Op == provisioning.OpRole && fmt.Sprint(c.Lowered, c.Lost, c.Raised) != "[c0] [] []" {
				t.Errorf("%+v", c)
			}
		}
		_, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, false)
		w.ok(err)
		p = w.planBy("alice", slicedPolicy())
		if s := p.Summary(); s.Losing != 0 || s.Lowered != 0 || s.Added != 1 || s.Changed != 2 {
			t.Errorf("the way back: %+v", s)
		}
		for _, c := range p.Changes {
			if c.Op == provisioning.OpRole && fmt.Sprint(c.Raised) != "[c0]" {
				t.Errorf("%+v", c)
			}
		}
	})
}
