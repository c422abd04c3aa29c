package provisioning_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/provisioning"
)

const moverPolicy = `apiVersion: rollcall/v1
groups:
  - key: a
    name: {en: A, zh: 甲}
    channels:
      - {key: ops, name: {en: Operations, zh: 运维}, handover: {days: 14}}
      - {key: shift, name: {en: Shift, zh: 值班}, handover: {days: 3, role: participant}, access: {collaborator: none}}
      - {key: general, name: {en: General, zh: 综合}}
    rules:
      - {key: dept, role: participant, when: person.department == "A"}
      - {key: head, role: owner, when: person.department == "A" && person.title == "Head"}
  - key: b
    name: {en: B, zh: 乙}
    channels:
      - {key: general, name: {en: General, zh: 综合}}
    rules:
      - {key: dept, role: participant, when: person.department == "B"}
`

// moved notes what is told of handover periods.
func (w *world) moved() *[]provisioning.Moved {
	var told []provisioning.Moved
	w.r.TellMoved = func(_ *db.Tx, list []provisioning.Moved) error {
		told = append(told, list...)
		return nil
	}
	return &told
}

// holds: J09
//
// Who moves away keeps the channels that have a period, with a lowered role and nothing else of the group; each ends by itself.
func TestMoverKeepsAChannel(t *testing.T) {
	both(t, func(w *world) {
		w.policy(moverPolicy)
		other, p := w.put("wang", "dept=A title=Head"), w.put("li", "dept=A title=Head")
		told := w.moved()
		head := w.head()
		w.put("li", "dept=B")
		w.want("places", w.places(p), "a:participant b:participant")
		w.want("sees", w.sees(p), "a/ops a/shift b/general")
		w.want("events", fmt.Sprint(w.events(head)), "[membership.added participant membership.changed participant]")
		if len(*told) != 2 || len((*told)[0].Owners) != 1 || (*told)[0].Owners[0] != other || !(*told)[0].Until.Equal(w.clock().Truncate(time.Microsecond).Add(14*24*time.Hour)) {
			t.Errorf("told %+v", *told)
		}
		entries, err := audit.List(ctx, w.db, audit.Filter{Action: "membership.changed", Limit: 1})
		if w.ok(err); len(entries) != 1 || fmt.Sprint(entries[0].Public["handover_days"], entries[0].Public["until"]) != "14 <nil>" {
			t.Errorf("%+v", entries)
		}
		e, err := w.r.Explain(ctx, p, w.channel("a", "ops").ID)
		w.ok(err)
		var text strings.Builder
		for _, line := range e.Path {
			text.WriteString(line.Text.EN + "\n" + line.Text.ZH + "\n")
		}
		if !e.Allowed || e.Role != "collaborator" || !strings.Contains(text.String(), "Moved away at") || !strings.Contains(text.String(), "调离") || strings.Contains(text.String(), "shift") {
			t.Errorf("%+v\n%s", e, text.String())
		}
		if e, err := w.r.Explain(ctx, p, w.channel("a", "general").ID); err != nil || e.Allowed || len(e.Missing) == 0 {
			t.Errorf("%+v, %v", e, err)
		}
		for channel, want := range map[string]int{"ops": 2, "shift": 2, "general": 1} {
			list, _, err := w.r.Audience(ctx, w.channel("a", channel).ID, "", 10)
			if w.ok(err); len(list) != want {
				t.Errorf("%s: %d people", channel, len(list))
			}
		}
		list, err := w.r.ChannelsOf(ctx, p)
		w.ok(err)
		if len(list) != 3 || list[0].Role != "collaborator" || list[0].Until.IsZero() || list[1].Role != "participant" || !list[2].Until.IsZero() {
			t.Errorf("%+v", list)
		}
		if heirs, err := w.r.MembersSince(ctx, w.channel("a", "ops").Group, "participant", 10); err != nil || len(heirs) != 0 {
			t.Errorf("%v would succeed, %v", heirs, err)
		}
		w.untouched("a second run", func() {
			w.put("li", "dept=B")
			w.ok(w.r.Tend(ctx))
			_, err := w.r.ReconcileAll(ctx)
			w.ok(err)
		})
		w.sound()
		w.pass(3 * 24 * time.Hour)
		w.want("sees when the first is over", w.sees(p), "a/ops b/general")
		head = w.head()
		w.ok(w.r.Tend(ctx))
		w.want("places", w.places(p), "a:collaborator b:participant")
		w.want("events", fmt.Sprint(w.events(head)), "[membership.changed collaborator]")
		past, err := w.r.AudienceAt(ctx, w.channel("a", "ops").ID, w.clock(), "", 10)
		if w.ok(err); len(past.Entries) != 2 || past.Entries[0].Role == "" || past.Entries[1].Role == "" {
			t.Errorf("%+v", past.Entries)
		}
		w.put("li", "dept=C")
		w.want("another move lengthens nothing", w.places(p), "a:collaborator")
		w.pass(11*24*time.Hour - time.Microsecond)
		w.want("sees", w.sees(p), "a/ops")
		w.pass(time.Microsecond)
		w.want("sees at the end", w.sees(p), "")
		w.ok(w.r.Tend(ctx))
		w.want("places", w.places(p), "")
		if len(w.holds("open")) != 0 {
			t.Error("the guard holds an end that was announced")
		}
	})
}

// Who comes back is what they were, with the same membership; who leaves, or is kept out by somebody, keeps nothing.
func TestMoverComesBackOrLeaves(t *testing.T) {
	both(t, func(w *world) {
		w.policy(moverPolicy)
		p := w.put("li", "dept=A")
		first, err := w.r.MembershipsOf(ctx, p)
		w.ok(err)
		w.put("li", "dept=B")
		w.want("away", w.sees(p), "a/ops a/shift b/general")
		w.put("li", "dept=A")
		w.want("back", w.places(p), "a:participant")
		w.want("back", w.sees(p), "a/ops a/shift a/general")
		again, err := w.r.MembershipsOf(ctx, p)
		if w.ok(err); again[0].ID != first[0].ID || len(again[0].Reasons) != 1 {
			t.Errorf("%+v, was %+v", again, first)
		}
		w.put("li", "dept=B")
		w.pass(time.Hour)
		w.put("li", "dept=B active=false")
		w.want("behind a freeze", w.sees(p), "")
		w.put("li", "dept=B")
		w.want("lossless", w.sees(p), "a/ops a/shift b/general")
		_, err = w.people.Apply(ctx, directory.Cause{Actor: "security"}, directory.FreezePerson{Person: p})
		w.ok(err)
		w.want("kept out", w.places(p), "b:participant")

		q := w.put("zhao", "dept=A")
		w.put("zhao", "dept=B active=false")
		w.want("moved while out", w.places(q), "b:participant")

		r := w.put("qian", "dept=A")
		w.put("qian", "dept=B")
		w.apply(directory.DeleteRecord{Source: w.source.ID, Key: "qian"})
		w.want("left", w.places(r), "")
	})
}

// What a source plans is written ahead: the period begins at the instant of the move, with nobody running.
func TestPlannedMoverKeepsAChannel(t *testing.T) {
	both(t, func(w *world) {
		w.policy(moverPolicy)
		p := w.put("li", "dept=A")
		move := w.clock().AddDate(0, 0, 10).Truncate(time.Microsecond)
		r := w.record("li", "dept=A")
		r.Planned = planned(move, map[string]string{"department": "B"})
		told := w.moved()
		w.putRecord(r)
		if len(*told) != 0 {
			t.Errorf("told before the instant: %+v", *told)
		}
		w.want("sees", w.sees(p), "a/ops a/shift a/general")
		w.untouched("a second run", func() {
			w.putRecord(r)
			_, err := w.r.ReconcileAll(ctx)
			w.ok(err)
		})
		w.until(move)
		w.want("sees at the instant", w.sees(p), "a/ops a/shift b/general")
		w.catch()
		w.want("places", w.places(p), "a:participant b:participant")
		w.want("sees", w.sees(p), "a/ops a/shift b/general")
		w.until(move.Add(3 * 24 * time.Hour))
		w.want("sees", w.sees(p), "a/ops b/general")
		w.until(move.Add(14 * 24 * time.Hour))
		w.want("sees", w.sees(p), "b/general")
		w.ok(w.r.Tend(ctx))
		w.want("places", w.places(p), "b:participant")
		if len(*told) != 2 || !slices.ContainsFunc(*told, func(m provisioning.Moved) bool { return m.Until.Equal(move.Add(3 * 24 * time.Hour)) }) {
			t.Errorf("told %+v", *told)
		}
	})
}

// The guard judges many moves as it does without periods, and what it lets go begins then; an edit of a rule is no move.
func TestMoversAreGuarded(t *testing.T) {
	both(t, func(w *world) {
		w.policy(moverPolicy + "guard: {move: {people: 3, percent: 1}}\n")
		people := w.putMany(8, "p", "dept=A")
		w.putMany(8, "p", "dept=B")
		held := w.holds("open")
		if len(held) == 0 {
			t.Fatal("nothing is held")
		}
		n := 0
		for _, p := range people {
			if strings.HasPrefix(w.places(p), "a:participant!") && strings.HasPrefix(w.sees(p), "a/ops a/shift a/general") {
				n++
			}
		}
		if n < 5 {
			t.Errorf("%d are held", n)
		}
		w.untouched("a second run", func() {
			_, err := w.r.ReconcileAll(ctx)
			w.ok(err)
		})
		for _, h := range held {
			_, err := w.r.Release(ctx, directory.Cause{Actor: "admin"}, h.ID)
			w.ok(err)
		}
		for _, p := range people {
			w.want("released", w.sees(p), "a/ops a/shift b/general")
		}
		w.pass(48 * time.Hour)
		w.ok(w.r.Tend(ctx))
		// The policy gives up the rule, then the period of one channel.
		q := w.put("new", "dept=A")
		w.policy(strings.Replace(moverPolicy, `person.department == "A"}`, `person.department == "X"}`, 1))
		w.want("a rule was edited", w.places(q), "")
		w.policy(strings.Replace(moverPolicy, ", handover: {days: 14}", "", 1))
		w.want("a period was taken back", w.sees(people[0]), "a/shift b/general")
		w.policy(strings.Replace(strings.Replace(moverPolicy, ", handover: {days: 14}", "", 1), "access: {collaborator: none}", "access: {participant: none, collaborator: none}", 1))
		w.want("the channel is closed to them", w.sees(people[0]), "b/general")
	})
}

// An undone run gives back what the move took, and the period is over.
func TestMoveIsUndone(t *testing.T) {
	both(t, func(w *world) {
		w.policy(moverPolicy)
		p := w.put("li", "dept=A title=Head")
		_, err := w.people.Apply(ctx, directory.Cause{Source: w.source.ID, Request: "run_1"}, directory.PutRecord{Record: w.record("li", "dept=B")})
		w.ok(err)
		w.want("away", w.sees(p), "a/ops a/shift b/general")
		_, err = w.r.UndoRun(ctx, directory.Cause{Actor: "admin"}, "run_1")
		w.ok(err)
		w.want("undone", w.places(p), "a:owner b:participant")
		w.want("undone", w.sees(p), "a/ops a/shift a/general b/general")
		w.pass(provisioning.KeepFor)
		w.ok(w.r.Tend(ctx))
		w.want("undone for as long", w.places(p), "b:participant")
	})
}

// A separation goes before a period.
func TestMoverIsKeptApart(t *testing.T) {
	both(t, func(w *world) {
		w.policy(moverPolicy + `separation:
  - {key: wall, name: {en: Wall, zh: 墙}, never_together: [a, b]}
`)
		p, q := w.put("li", "dept=A"), w.put("zhao", "dept=A")
		w.put("li", "dept=B")
		w.want("apart", w.places(p), "b:participant")
		w.put("zhao", "dept=C")
		w.want("away", w.sees(q), "a/ops a/shift")
		w.put("zhao", "dept=B")
		w.want("apart later", w.places(q), "b:participant")
		w.untouched("a second run", func() {
			_, err := w.r.ReconcileAll(ctx)
			w.ok(err)
		})
	})
}

// A channel that has no handover any more takes it from whoever is in one: the plan says so, and counts them for the guard.
func TestPlanDropsHandover(t *testing.T) {
	both(t, func(w *world) {
		w.policy(moverPolicy)
		people := w.putMany(5, "li", "dept=A")
		w.put("stays", "dept=A")
		w.putMany(5, "li", "dept=B")
		without := strings.Replace(moverPolicy, ", handover: {days: 14}", "", 1)
		p := w.plan(without)
		if s := p.Summary(); s.Losing != 5 || s.Changed != 5 { // another channel still keeps them
			t.Errorf("one period of two: %+v", s)
		}
		without = strings.Replace(without, ", handover: {days: 3, role: participant}", "", 1)
		without += "guard: {move: {people: 3}, cleanup: {people: 3}}\n"
		p = w.plan(without)
		if s := p.Summary(); s.Losing != 5 || s.Removed != 5 || !p.Verdict.Held() {
			t.Errorf("%+v, %v", s, p.Verdict)
		}
		for _, c := range p.Changes {
			if c.Op != provisioning.OpRemove || c.Ground != provisioning.GroundRuleChanged || c.Group != "a" {
				t.Errorf("%+v", c)
			}
		}
		if _, err := w.r.ApplyPlan(ctx, directory.Cause{Actor: "tester"}, p.ID, p.Hash, true); err != nil {
			t.Fatal(err)
		}
		w.want("places", w.places(people[0]), "b:participant")
		w.want("sees", w.sees(people[0]), "b/general")
	})
}
