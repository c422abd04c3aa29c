package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// hold makes a company of thirty of whom twelve are missing from the source, and answers them and the hold.
func (w *world) hold() ([]id.Person, provisioning.Hold) {
	w.Helper()
	w.policy(policyText)
	people := w.putMany(30, "p", "dept=R&D")
	var keys []string
	for i := range 12 {
		keys = append(keys, fmt.Sprintf("p%03d", i))
	}
	w.absent(keys...)
	open := w.holds(provisioning.HoldOpen)
	if len(open) != 1 {
		w.Fatalf("holds: %+v", open)
	}
	return people, open[0]
}

func TestReleasedHold(t *testing.T) {
	both(t, func(w *world) {
		people, hold := w.hold()
		w.put("p000", "dept=R&D") // one is back: not removed by the release
		w.absent("p020")          // one more joins what is held
		w.want("joined", w.places(people[20]), "apollo:participant! everybody:participant!")
		result, err := w.r.Release(ctx, directory.Cause{Actor: "admin"}, hold.ID)
		w.ok(err)
		if result.Written != 24 || result.Held != 0 {
			w.Errorf("result %+v", result)
		}
		w.want("back", w.places(people[0]), "apollo:participant everybody:participant")
		w.want("released", w.places(people[1])+w.sees(people[1]), "")
		h, err := w.r.Hold(ctx, hold.ID)
		w.ok(err)
		if h.State != provisioning.HoldReleased || h.ClosedBy != "admin" {
			w.Errorf("hold %+v", h)
		}
		if _, err := w.r.Release(ctx, directory.Cause{}, hold.ID); !errors.Is(err, provisioning.ErrClosed) {
			w.Errorf("twice: %v", err)
		}
		if _, err := w.r.Release(ctx, directory.Cause{}, "hld_none"); !errors.Is(err, provisioning.ErrNotFound) {
			w.Errorf("nowhere: %v", err)
		}
		w.absent("p021")
		w.want("what was released does not count", w.places(people[21]), "")
	})
}

func TestRejectedHold(t *testing.T) {
	both(t, func(w *world) {
		people, hold := w.hold()
		before := w.sees(people[3])
		_, err := w.r.Reject(ctx, directory.Cause{Actor: "admin"}, hold.ID)
		w.ok(err)
		w.want("kept", w.places(people[3]), "apollo:participant everybody:participant")
		list, err := w.r.MembershipsOf(ctx, people[3])
		w.ok(err)
		if reasons := list[0].Reasons; len(reasons) != 1 || reasons[0].Kind != provisioning.KindKeep || !reasons[0].Until.Equal(reasons[0].CreatedAt.Add(provisioning.KeepFor)) {
			w.Errorf("reasons %+v", reasons)
		}
		w.untouched("looking again", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err); w.ok(w.r.Tend(ctx)) })
		w.pass(provisioning.KeepFor + time.Second)
		w.ok(w.index.CatchUp(ctx, 0))
		w.want("the end of a keep is not the end of the place", w.sees(people[3]), before)
		w.ok(w.r.Tend(ctx))
		w.want("but the guard is asked anew", w.places(people[3]), "apollo:participant! everybody:participant!")
		w.put("p003", "dept=R&D")
		w.want("back", w.places(people[3]), "apollo:participant everybody:participant")
	})
}

// Movers are counted over a day; who is held keeps access, and the call succeeds.
func TestMoversAreHeldOverTheLimit(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText + "guard: {move: {people: 10, percent: 5}}\n")
		people := w.putMany(40, "p", "dept=R&D")
		w.putMany(11, "p", "dept=Sales")
		w.want("held, and the new place given", w.places(people[10]), "apollo:participant! everybody:participant sales:participant")
		if of, err := w.r.OpenHoldsOf(ctx); err != nil || of[w.source.ID] != 1 {
			w.Errorf("open holds of the source: %v %v", of, err)
		}
		w.pass(25 * time.Hour)
		w.putMany(21, "p", "dept=Sales") // the next ten, the day after, beside the eleven who wait
		w.want("a new day", w.places(people[15]), "everybody:participant sales:participant")
		w.want("still held", w.places(people[10]), "apollo:participant! everybody:participant sales:participant")
	})
}

// A hold names everything that asks for what it holds, and the guard counts all of it: also of who was held for something else before.
func TestHoldNamesEveryCause(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText + "guard: {move: {people: 10, percent: 5}, absence: {people: 10, percent: 5}}\n")
		people := w.putMany(40, "p", "dept=R&D")
		w.putMany(11, "p", "dept=Sales")
		do := w.site(nil)
		look := func() (hold map[string]any) {
			w.Helper()
			_, out := do("GET", "/api/v1/holds?state=open", nil)
			for _, item := range out["items"].([]any) {
				if hold = item.(map[string]any); hold["cause"] == "move" {
					return hold
				}
			}
			w.Fatalf("holds: %v", out)
			return nil
		}
		if h := look(); h["reason"] != "move would reach 11 people within 24 hours, the limit is 10" || fmt.Sprint(h["causes"]) != "[map[cause:move people:11]]" {
			w.Errorf("at first %v: %v", h["reason"], h["causes"])
		}
		w.putMany(13, "p", "dept=Sales")
		if h := look(); h["reason"] != "move would reach 13 people within 24 hours, the limit is 10" {
			w.Errorf("two more: %v", h["reason"])
		}
		w.absent("p000", "p001", "p002", "p003", "p004", "p005")
		if h := look(); h["reason"] != "move would reach 13 people within 24 hours, the limit is 10; held for move of 13, absence of 6" ||
			fmt.Sprint(h["causes"]) != "[map[cause:move people:13] map[cause:absence people:6]]" {
			w.Errorf("six are missing: %v: %v", h["reason"], h["causes"])
		}
		_, out := do("GET", "/api/v1/people/"+string(people[0])+"/memberships", nil)
		for _, item := range out["items"].([]any) {
			m := item.(map[string]any)
			by, held := m["held_by"].(map[string]any)
			if held != m["held"] || held != (m["group"].(map[string]any)["key"] != "sales") || held && by["cause"] != "absence" {
				w.Errorf("a place: %v", m)
			}
		}
		e, err := w.r.Explain(ctx, people[0], w.channel("apollo", "general").ID)
		w.ok(err)
		if !slices.ContainsFunc(e.Path, func(l provisioning.Line) bool {
			return l.Kind == "person" && !l.Since.IsZero() && strings.Contains(l.Text.EN, "since") && l.By == w.source.Name
		}) {
			w.Errorf("not said to be missing: %+v", e.Path)
		}
		if !slices.ContainsFunc(e.Path, func(l provisioning.Line) bool { return l.Kind == "hold" && strings.Contains(l.Text.EN, "(absence)") }) {
			w.Errorf("explained by %+v", e.Path)
		}
		w.untouched("looking again", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err); w.ok(w.r.Tend(ctx)) })
		w.absent("p020", "p021", "p022", "p023", "p024")
		w.want("eleven are missing, six of them held as movers", w.places(people[20]), "apollo:participant! everybody:participant!")
		w.putMany(6, "p", "dept=Sales")
		if h := look(); fmt.Sprint(h["causes"]) != "[map[cause:move people:13]]" {
			w.Errorf("they are back: %v", h["causes"])
		}
	})
}

// A rule that cannot be judged for somebody gives them nothing, whatever it gave before, and stops nothing else: not the call, not another rule, not a freeze.
func TestOnePersonsTroubleIsTheirOwn(t *testing.T) {
	both(t, func(w *world) {
		w.policy(changed(w, `person.title == "Head"`, `person.title.matches(person.title)`))
		good, bad := w.put("good", "dept=R&D"), w.put("bad", "dept=Sales")
		changes := []directory.Change{directory.PutRecord{Record: w.record("good", "dept=R&D title=Head")}, directory.PutRecord{Record: w.record("bad", "dept=R&D title=(")}}
		w.apply(changes...)
		w.want("good", w.places(good), "apollo:owner everybody:participant")
		w.want("bad moves", w.places(bad), "apollo:participant everybody:participant")
		w.want("bad loses", w.sees(bad), "apollo/general everybody/news")
		e, err := w.r.Explain(ctx, bad, w.channel("apollo", "leads").ID)
		w.ok(err)
		if len(e.Missing) == 0 || !strings.HasPrefix(e.Missing[0].Text.EN, "Rule apollo/heads could not be judged: ") || !strings.HasPrefix(e.Missing[0].Text.ZH, "规则 apollo/heads 无法判定：") {
			w.Errorf("explained by %+v", e.Missing)
		}
		w.put("good", "dept=R&D title=(")
		w.want("what the rule gave", w.places(good), "apollo:participant everybody:participant")
		w.put("good", "dept=R&D title=Head")
		p := w.plan(changed(w, `person.title == "Head"`, `person.title.matches(person.title)`, `"Sales"`, `"Sales "`))
		if len(p.Conflicts) != 1 || !p.Conflicts[0].Unjudged || p.Conflicts[0].Person != bad || p.Conflicts[0].Rule != "heads" {
			w.Errorf("the plan lists %+v", p.Conflicts)
		}
		w.put("bad", "dept=R&D title=( active=false")
		w.want("frozen", w.sees(bad), "")
		w.put("bad", "dept=R&D title=(")
		if n, err := w.r.Unjudged(ctx); err != nil || n != 1 {
			w.Errorf("%d unjudged, %v", n, err)
		}
		do := w.site(nil)
		for _, path := range []string{"/api/v1/unjudged", "/api/v1/people/" + string(bad) + "/unjudged"} {
			_, out := do("GET", path, nil)
			if items := out["items"].([]any); len(items) != 1 || items[0].(map[string]any)["person"].(map[string]any)["id"] != string(bad) || fmt.Sprint(items[0].(map[string]any)["rules"]) != "[apollo/heads]" {
				w.Errorf("%s: %v", path, out)
			}
		}
		if _, out := do("GET", "/api/v1/people/"+string(good)+"/unjudged", nil); len(out["items"].([]any)) != 0 {
			w.Errorf("of somebody else: %v", out)
		}
		if n := w.count()["failures"]; n != 1 {
			w.Errorf("%d failures", n)
		}
		w.follow() // does not stop at it
		w.policy(policyText)
		w.want("tried again", w.places(bad), "apollo:participant everybody:participant")
		if n := w.count()["failures"]; n != 0 {
			w.Errorf("%d failures", n)
		}
	})
}

// A call that may take a channel away waits for the barrier, also where somebody else has written it already.
func TestEveryCallWaits(t *testing.T) {
	w := newWorld(t, sqlite(t))
	w.policy(policyText)
	b := &barrier{Index: w.index}
	w.r = provisioning.New(w.db, w.feed, w.people, w.tuples, b, nil)
	w.people.Access = w.r
	p := w.put("ada", "dept=R&D")
	for what, change := range map[string]func(){
		"a move":           func() { w.put("ada", "dept=Sales") },
		"a freeze":         func() { w.put("ada", "dept=Sales active=false") },
		"the freeze again": func() { w.put("ada", "dept=Sales active=false") },
		"nothing at all":   func() { w.ok(w.r.Settle(ctx, directory.Cause{}, []id.Person{p}, 0)) },
		"a caller who left": func() {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			_ = gone
			w.put("ada", "dept=Sales active=false")
		},
	} {
		b.waits = nil
		change()
		if len(b.waits) == 0 || b.waits[len(b.waits)-1] != w.revision() {
			w.Errorf("%s: waited for %v, the log is at %d", what, b.waits, w.revision())
		}
	}
}

// In a burst of deletions everybody is frozen at once; beyond the limit the clean-up waits for somebody.
func TestBurstOfDeletions(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		people := w.putMany(40, "p", "dept=R&D")
		for i := range 14 {
			w.apply(directory.DeleteRecord{Source: w.source.ID, Key: fmt.Sprintf("p%03d", i)})
			w.want("frozen", w.sees(people[i]), "")
		}
		w.want("within the limit", w.places(people[9]), "")
		w.want("over it", w.places(people[13]), "apollo:participant! everybody:participant!")
		if h := w.holds(provisioning.HoldOpen); len(h) != 1 || h[0].Breach.Cause != provisioning.CauseCleanup {
			w.Errorf("holds %+v", h)
		}
		w.put("p013", "dept=R&D")
		w.want("restored", w.sees(people[13]), "apollo/general everybody/news")
		w.pass(3 * 24 * time.Hour)
		w.ok(w.r.Tend(ctx))
		if n := w.count()["removals"]; n != 0 {
			w.Errorf("%d removals are still counted", n)
		}
	})
}

// A rejection ends when the facts that it was about come back: a loss after that is a new one, and so is one of another kind.
func TestRejectionEndsWithItsFacts(t *testing.T) {
	both(t, func(w *world) {
		people, hold := w.hold()
		_, err := w.r.Reject(ctx, directory.Cause{Actor: "admin"}, hold.ID)
		w.ok(err)
		var keys []string
		for i := range 12 {
			keys = append(keys, fmt.Sprintf("p%03d", i))
		}
		w.put("p011", "dept=Sales") // back, elsewhere: a move of one
		w.want("back elsewhere", w.places(people[11]), "everybody:participant sales:participant")
		w.delete("p010") // said of one person
		w.want("deleted", w.places(people[10]), "")
		for _, key := range keys[:10] {
			w.put(key, "dept=R&D")
		}
		w.put("p011", "dept=R&D")
		w.put("p012", "dept=R&D")
		list, err := w.r.MembershipsOf(ctx, people[3])
		w.ok(err)
		for _, m := range list {
			for _, r := range m.Reasons {
				if r.Kind == provisioning.KindKeep {
					w.Errorf("kept although the facts are back: %+v", m)
				}
			}
		}
		w.absent(append(keys[:10:10], "p011", "p012")...)
		if open := w.holds(provisioning.HoldOpen); len(open) != 1 || open[0].ID == hold.ID {
			w.Errorf("missed again: %+v", open)
		}
		w.want("held anew", w.places(people[3]), "apollo:participant! everybody:participant!")
		for _, key := range keys[:10] {
			w.put(key, "dept=R&D")
		}
		w.delete("p003")
		w.want("deleted after all", w.places(people[3]), "")
	})
}
