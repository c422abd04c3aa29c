package provisioning_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

func (w *world) putRecord(r directory.Record) id.Person {
	w.Helper()
	return w.apply(directory.PutRecord{Record: r}).Records[0].Person
}

// until sets the clock.
func (w *world) until(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = at
}

// catch does what the follower of the clock does at each instant.
func (w *world) catch() int {
	w.Helper()
	n, _, err := w.people.CatchInstants(ctx)
	w.ok(err)
	return n
}

// applied answers what the audit log says of an action: "effective applied" of the last record of it.
func (w *world) effective(action string) (effective, applied time.Time) {
	w.Helper()
	entries, err := audit.List(ctx, w.db, audit.Filter{Action: action, Limit: 200})
	w.ok(err)
	for _, e := range entries {
		at := func(key string) (t time.Time) {
			if text, ok := e.Public[key].(string); ok {
				var err error
				t, err = time.Parse(time.RFC3339Nano, text)
				w.ok(err)
			}
			return t
		}
		if t := at("effective_at"); !t.IsZero() {
			return t, at("applied_at") // the newest
		}
	}
	return effective, applied
}

func planned(at time.Time, set map[string]string) []directory.Planned {
	return []directory.Planned{{At: at, Set: set}}
}

// A move that is planned changes nothing before its instant; at it the old places end and the new begin by the windows of their tuples,
// with nobody running; what follows writes it down.
func TestPlannedMove(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		p := w.put("li", "dept=R&D")
		head := w.head()
		move := w.clock().AddDate(0, 0, 10).Truncate(time.Microsecond)
		r := w.record("li", "dept=R&D")
		r.Planned = planned(move, map[string]string{"department": "Sales"})
		w.putRecord(r)
		w.want("sees", w.sees(p), "apollo/general everybody/news")
		w.want("places", w.places(p), "apollo:participant everybody:participant sales:participant")
		if got := w.events(head); len(got) != 0 {
			t.Errorf("told before the instant: %v", got)
		}
		if places, err := w.r.ChannelsOf(ctx, p); err != nil || len(places) != 2 {
			t.Errorf("%+v, %v", places, err)
		}
		w.untouched("a second run", func() {
			w.putRecord(r)
			_, err := w.r.ReconcileAll(ctx)
			w.ok(err)
		})
		w.until(move.Add(-time.Microsecond))
		w.want("sees before", w.sees(p), "apollo/general everybody/news")
		w.until(move)
		w.want("sees at the instant", w.sees(p), "sales/general everybody/news")
		w.ok(w.index.Load(ctx)) // a process that was down over the instant
		w.want("sees after a restart", w.sees(p), "sales/general everybody/news")
		w.until(move.Add(3 * time.Second))
		head = w.head()
		if n := w.catch(); n != 1 {
			t.Errorf("%d people were due", n)
		}
		w.want("places", w.places(p), "everybody:participant sales:participant")
		w.want("events", fmt.Sprint(w.events(head)), "[membership.added participant membership.removed participant]")
		for _, action := range []string{"membership.added", "membership.removed", "person.effective"} {
			if effective, applied := w.effective(action); !effective.Equal(move) || !applied.Equal(move.Add(3*time.Second).Truncate(time.Microsecond)) {
				t.Errorf("%s: effective %v, applied %v", action, effective, applied)
			}
		}
		w.want("sees", w.sees(p), "sales/general everybody/news")
		w.ok(w.r.Tend(ctx)) // the guard forgets what was announced ten days ago
		w.untouched("a second run", func() {
			w.catch()
			w.ok(w.r.Tend(ctx))
			_, err := w.r.ReconcileAll(ctx)
			w.ok(err)
		})
	})
}

// The broom alone writes it down too, where nobody follows the clock.
func TestPlannedMoveIsTended(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		move := w.clock().Add(time.Hour)
		r := w.record("li", "dept=R&D")
		r.Planned = planned(move, map[string]string{"department": "Sales"})
		p := w.putRecord(r)
		w.until(move.Add(time.Minute))
		w.ok(w.r.Tend(ctx))
		w.want("places", w.places(p), "everybody:participant sales:participant")
		w.want("sees", w.sees(p), "sales/general everybody/news")
	})
}

// A stronger role that is planned begins at its instant, in the group where a weaker one stands.
func TestPlannedRole(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		at := w.clock().Add(time.Hour).Truncate(time.Microsecond)
		r := w.record("li", "dept=R&D")
		r.Planned = append(planned(at, map[string]string{"title": "Head"}), planned(at.Add(time.Hour), map[string]string{"title": ""})...)
		p := w.putRecord(r)
		w.want("sees", w.sees(p), "apollo/general everybody/news")
		w.until(at)
		w.want("sees", w.sees(p), "apollo/general apollo/leads everybody/news")
		w.catch()
		w.want("places", w.places(p), "apollo:owner everybody:participant")
		w.until(at.Add(time.Hour))
		w.want("sees", w.sees(p), "apollo/general everybody/news")
		w.catch()
		w.want("places", w.places(p), "apollo:participant everybody:participant")
		w.want("sees", w.sees(p), "apollo/general everybody/news")
	})
}

// Somebody hired for later has planned places that nobody is told of; an offer withdrawn leaves no trace outside the audit log.
func TestPlannedStart(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		head := w.head()
		start := w.clock().AddDate(0, 0, 5).Truncate(time.Second)
		r := w.record("li", "dept=R&D")
		r.StartAt = start
		p := w.putRecord(r)
		gone := w.record("wu", "dept=R&D")
		gone.StartAt = start
		q := w.putRecord(gone)
		w.want("places", w.places(p), "apollo:participant everybody:participant")
		list, err := w.r.MembershipsOf(ctx, p)
		w.ok(err)
		if !list[0].Begins.Equal(start) || !list[0].Since.Equal(start) {
			t.Errorf("%+v", list[0].Membership)
		}
		if groups, err := w.r.Groups(ctx); err != nil || groups[0].Members != 0 {
			t.Errorf("counted before the start: %+v, %v", groups[0], err)
		}
		r.StartAt = start.AddDate(0, 0, 2) // moved
		w.putRecord(r)
		w.until(start)
		w.want("sees on the first date", w.sees(p), "")
		w.want("sees", w.sees(q), "apollo/general everybody/news")
		w.until(start.Add(-time.Hour))
		w.apply(directory.DeleteRecord{Source: w.source.ID, Key: "wu"}) // withdrawn
		w.want("places", w.places(q), "")
		if got := w.events(head); len(got) != 0 {
			t.Errorf("told: %v", got)
		}
		w.until(r.StartAt)
		w.want("sees", w.sees(p), "apollo/general everybody/news")
		w.want("sees", w.sees(q), "")
		w.catch()
		w.want("events", fmt.Sprint(w.events(head)), "[membership.added participant membership.added participant]")
		ok, from := w.index.Allow(p, w.channel("apollo", "general").ID, authz.View)
		if !ok || from.After(r.StartAt) {
			t.Error(ok, from)
		}
	})
}

// An end keeps the places until the clean-up behind it; extending it before keeps everything and writes no membership.
func TestPlannedEndIsExtended(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		r := w.record("li", "dept=R&D")
		r.EndAt = w.clock().Add(time.Hour).Truncate(time.Microsecond)
		end := r.EndAt
		p := w.putRecord(r)
		head := w.head()
		r.EndAt = end.Add(time.Hour)
		w.putRecord(r)
		w.until(end)
		w.want("sees", w.sees(p), "apollo/general everybody/news")
		w.catch()
		w.until(end.Add(time.Hour))
		w.want("sees", w.sees(p), "")
		w.want("places", w.places(p), "apollo:participant everybody:participant")
		if got := w.events(head); len(got) != 0 {
			t.Errorf("told: %v", got)
		}
		w.catch()
		w.want("places", w.places(p), "")
	})
}

// On leave places are kept and give nothing; what the rules say meanwhile applies; coming back needs nobody.
func TestLeaveKeepsPlaces(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		r := w.record("li", "dept=R&D")
		r.LeaveFrom, r.LeaveUntil = w.clock().Add(time.Hour), w.clock().Add(3*time.Hour)
		p := w.putRecord(r)
		before, err := w.r.MembershipsOf(ctx, p)
		w.ok(err)
		w.until(r.LeaveFrom)
		w.want("sees on leave", w.sees(p), "")
		w.catch()
		w.want("places", w.places(p), "apollo:participant everybody:participant")
		r.Title = "Head" // promoted meanwhile
		w.putRecord(r)
		w.want("sees on leave", w.sees(p), "")
		w.want("places", w.places(p), "apollo:owner everybody:participant")
		w.until(r.LeaveUntil)
		w.want("sees", w.sees(p), "apollo/general apollo/leads everybody/news")
		w.catch()
		after, err := w.r.MembershipsOf(ctx, p)
		w.ok(err)
		for i := range before {
			if before[i].ID != after[i].ID || !before[i].Since.Equal(after[i].Since) {
				t.Errorf("%+v became %+v", before[i].Membership, after[i].Membership)
			}
		}
	})
}

// Whatever is planned, a clock that nobody follows leads to what following it leads to, and looking again writes nothing.
func TestTheClockAloneDecides(t *testing.T) {
	w := newWorld(t, sqlite(t))
	w.policy(policyText)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		begin := w.clock().Truncate(time.Second).Add(time.Hour)
		hours := func(name string) time.Time {
			return begin.Add(time.Duration(rapid.IntRange(1, 6).Draw(t, name)) * time.Hour)
		}
		alone, followed := w.record(fmt.Sprint("a", n), "dept=R&D"), w.record(fmt.Sprint("b", n), "dept=R&D")
		if rapid.Bool().Draw(t, "starts") {
			alone.StartAt = hours("start")
		}
		if rapid.Bool().Draw(t, "leaves") {
			alone.LeaveFrom = hours("leave")
			alone.LeaveUntil = alone.LeaveFrom.Add(2 * time.Hour)
		}
		// No ground comes back a second time here: of such a one only the first window is written ahead.
		for _, name := range rapid.SampledFrom([][]string{nil, {"department"}, {"title"}, {"department", "title"}, {"department", "title", "employee_type"}}).Draw(t, "moves") {
			value := rapid.SampledFrom(map[string][]string{"department": {"Sales", ""}, "title": {"Head"}, "employee_type": {"vendor"}}[name]).Draw(t, "value")
			alone.Planned = append(alone.Planned, directory.Planned{At: hours("move"), Set: map[string]string{name: value}})
		}
		followed.StartAt, followed.LeaveFrom, followed.LeaveUntil, followed.Planned = alone.StartAt, alone.LeaveFrom, alone.LeaveUntil, alone.Planned
		p, q := w.putRecord(alone), w.putRecord(followed)
		for h := range 9 {
			w.until(begin.Add(time.Duration(h) * time.Hour))
			_, err := w.people.Apply(ctx, directory.Cause{}, directory.RefreshPeople{People: []id.Person{q}})
			w.ok(err)
			if a, b := w.sees(p), w.sees(q); a != b {
				t.Fatalf("after %d hours the clock alone gives %q, following it %q (%+v)", h, a, b, alone)
			}
			w.untouched("looking again", func() {
				if _, err := w.r.Reconcile(ctx, directory.Cause{}, []id.Person{q}); err != nil {
					t.Fatal(err)
				}
			})
		}
		w.catch()
		if a, b := w.places(p), w.places(q); a != b {
			t.Fatalf("%q and %q", a, b)
		}
	})
	w.sound()
}

// A mass of planned moves is judged when it is announced: held, the places have no end, also not at the instant, until somebody decides.
func TestPlannedMassIsHeld(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.putMany(8, "s", "dept=Sales")
		move := w.clock().AddDate(0, 0, 10).Truncate(time.Microsecond)
		announce := func(set map[string]string) (people []id.Person) {
			var changes []directory.Change
			for i := range 4 {
				r := w.record(fmt.Sprintf("r%03d", i), "dept=R&D")
				if set != nil {
					r.Planned = planned(move, set)
				}
				changes = append(changes, directory.PutRecord{Record: r})
			}
			for _, r := range w.apply(changes...).Records {
				people = append(people, r.Person)
			}
			return people
		}
		announce(nil)
		people := announce(map[string]string{"department": "Sales"})
		holds := w.holds(provisioning.HoldOpen)
		if len(holds) != 1 || len(holds[0].Removals) != 4 || holds[0].Breach.Cause != provisioning.CauseMove {
			t.Fatalf("%+v", holds)
		}
		w.untouched("a second run", func() {
			_, err := w.r.ReconcileAll(ctx)
			w.ok(err)
		})
		announce(nil) // taken back
		if holds := w.holds(provisioning.HoldOpen); len(holds) != 0 {
			t.Fatalf("%+v", holds)
		}
		announce(map[string]string{"department": "Sales"})
		w.until(move)
		w.want("sees at the instant, held", w.sees(people[0]), "apollo/general sales/general everybody/news")
		w.catch()
		holds = w.holds(provisioning.HoldOpen)
		if len(holds) != 1 || len(holds[0].Removals) != 4 {
			t.Fatalf("%+v", holds)
		}
		w.want("places", w.places(people[0]), "apollo:participant! everybody:participant sales:participant")
		_, err := w.r.Release(ctx, directory.Cause{}, holds[0].ID)
		w.ok(err)
		w.want("sees", w.sees(people[0]), "sales/general everybody/news")
	})
}

// Released before its instant an announced end is written, and acts by itself.
func TestPlannedMassIsReleased(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		var records []directory.Record
		move := w.clock().AddDate(0, 0, 10).Truncate(time.Microsecond)
		var before, after []directory.Change
		for i := range 3 {
			r := w.record(fmt.Sprintf("r%03d", i), "dept=R&D")
			before = append(before, directory.PutRecord{Record: r})
			r.Planned = planned(move, map[string]string{"department": "Sales"})
			after = append(after, directory.PutRecord{Record: r})
		}
		records = w.apply(before...).Records
		w.apply(after...)
		holds := w.holds(provisioning.HoldOpen)
		if len(holds) != 1 {
			t.Fatalf("%+v", holds)
		}
		_, err := w.r.Release(ctx, directory.Cause{}, holds[0].ID)
		w.ok(err)
		if holds := w.holds(provisioning.HoldOpen); len(holds) != 0 {
			t.Fatalf("%+v", holds)
		}
		w.until(move.Add(-time.Microsecond))
		w.want("sees before", w.sees(records[0].Person), "apollo/general everybody/news")
		w.until(move)
		w.want("sees", w.sees(records[0].Person), "sales/general everybody/news")
		w.catch()
		if holds := w.holds(provisioning.HoldOpen); len(holds) != 0 {
			t.Errorf("%+v", holds)
		}
		w.want("places", w.places(records[0].Person), "everybody:participant sales:participant")
	})
}

// Who is planned to come fills what others are planned to leave, and not what they leave now.
func TestGuardOfWhatIsPlanned(t *testing.T) {
	batch := provisioning.Batch{Members: map[id.Group]int{"g": 3}, Later: map[id.Group]int{"g": 3},
		Population: func(provisioning.Cause, id.Source) (int, error) { return 1000, nil }}
	for i := range 3 {
		batch.Removals = append(batch.Removals, provisioning.Removal{Membership: id.Membership(fmt.Sprint(i)), Person: id.Person(fmt.Sprint(i)), Group: "g",
			Cause: provisioning.CauseMove, Ahead: true})
	}
	guard := provisioning.Guard{Limits: policies.DefaultGuard()}
	if v, err := guard.Check(batch); err != nil || v.Held() {
		t.Errorf("%+v, %v", v, err)
	}
	batch.Removals[0].Ahead = false
	if v, err := guard.Check(batch); err != nil || !v.Held() {
		t.Errorf("%+v, %v", v, err)
	}
}

// The preview of a source in its dry run knows what lies ahead, also what another source planned for somebody it joins.
func TestPreviewOfWhatIsPlanned(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		move := w.clock().AddDate(0, 0, 10).Truncate(time.Microsecond)
		r := w.record("li", "dept=R&D")
		r.EmployeeNumber, r.Planned = "1", planned(move, map[string]string{"department": "Sales"})
		p := w.putRecord(r)
		source, err := w.people.CreateSource(ctx, directory.Cause{}, directory.Source{Name: "next", Kind: directory.KindHRFeed, Priority: 20,
			Correlate: []string{directory.CorrelateEmployeeNumber}, Mode: directory.ModeDryRun})
		w.ok(err)
		same, fresh := w.record("a", ""), w.record("b", "dept=R&D")
		same.EmployeeNumber, same.Source, fresh.Source = "1", source.ID, source.ID
		fresh.Planned = r.Planned
		w.apply(directory.PutRecord{Record: same}, directory.PutRecord{Record: fresh})
		preview, err := w.r.Preview(ctx, source.ID, provisioning.PreviewQuery{Limit: 10})
		w.ok(err)
		for _, line := range preview.Lines {
			want := ""
			if line.Person != p {
				want = "apollo add 0001-01-01 everybody add 0001-01-01 sales add " + move.Format(time.DateOnly)
			}
			got := ""
			for _, c := range line.Memberships {
				got += fmt.Sprintf(" %s %s %s", c.Group, c.Op, c.At.Format(time.DateOnly))
			}
			w.want("memberships of "+line.UserName, strings.TrimSpace(got), want)
		}
		if len(preview.Lines) != 2 {
			t.Errorf("%d lines", len(preview.Lines))
		}
		w.ok(w.r.GoLive(ctx, directory.Cause{}, source.ID, preview.Hash))
		w.want("places", w.places(p), "apollo:participant everybody:participant sales:participant")
	})
}
