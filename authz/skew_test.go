package authz

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/bus"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// What a question of the time took is what nobody knows: only what is certain changes the verdict.
func TestJudgeClock(t *testing.T) {
	const limit = 250 * time.Millisecond
	at := func(d time.Duration) int64 { return 1_000_000_000_000 + d.Microseconds() }
	x := NewIndex(newStore(t, dbtest.SQLite(t)))
	for i, step := range []struct {
		before, theirs, after time.Duration
		trusted               bool
	}{
		{0, time.Millisecond, 2 * time.Millisecond, true},
		{0, 500 * time.Millisecond, time.Second, true},  // nobody knows
		{0, 300 * time.Millisecond, time.Second, true},  // at least as near as 0
		{0, 251 * time.Millisecond, 0, false},           // behind
		{0, 500 * time.Millisecond, time.Second, false}, // nobody knows whether it is well again
		{0, 200 * time.Millisecond, 449 * time.Millisecond, true},
		{400 * time.Millisecond, 0, 401 * time.Millisecond, false}, // ahead
		{250 * time.Millisecond, 0, 250 * time.Millisecond, true},
	} {
		was := x.ClockTrusted()
		if changed := x.judgeClock(at(step.before), at(step.theirs), at(step.after), limit); x.ClockTrusted() != step.trusted || changed != (was != step.trusted) {
			t.Errorf("step %d: trusted %v, changed %v", i, x.ClockTrusted(), changed)
		}
	}
}

// A node whose clock is not PostgreSQL's denies whatever has a beginning or an end from its next renewal on, and goes on with the rest; with the clock right
// again it gives all of it. Decision time does not go back: a node whose clock was ahead waits until time has caught up, or starts anew.
func TestWrongClock(t *testing.T) {
	dsn := dbtest.Postgres(t)
	s := newStore(t, dbtest.Open(t, dsn))
	window := func(c Change, from, until time.Duration) Change {
		if from != 0 {
			c.Tuple.From = time.Now().Add(from)
		}
		if until != 0 {
			c.Tuple.Until = time.Now().Add(until)
		}
		return c
	}
	const long = 1000 * time.Hour
	add(t, s, append(house(), put("project:p", "participant", "user:stays"), window(put("project:p", "participant", "user:guest"), 0, long),
		window(put("project:p", "participant", "user:begun"), -time.Hour, 0), put("project:p", "participant", "user:ends"), window(put("freeze:f", "subject", "user:ends"), long, 0))...)
	for name, wrong := range map[string]time.Duration{"behind": -3 * time.Second, "ahead": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			var skew atomic.Int64
			x := NewIndex(s)
			x.Now = func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
			if wrong < 0 { // one that is set back while it runs stands still first
				skew.Store(int64(wrong))
			}
			overs := 0
			b, err := NewBarrier(s, x, BarrierConfig{Node: name, Bus: bus.NewInProcess(), TTL: time.Minute, Log: discard(), ClockLimit: time.Second, Over: func() { overs++ }})
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Join(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := x.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			look := func(when string, timed bool) {
				t.Helper()
				if err := b.Renew(t.Context()); err != nil {
					t.Fatal(err)
				}
				for person, want := range map[id.Person]bool{"stays": true, "guest": timed, "begun": timed, "ends": timed} {
					if ok, _ := x.Allow(person, "c", Post); ok != want {
						t.Errorf("%s: %s may post: %v", when, person, ok)
					}
					if view := x.View("c"); view(person) != want {
						t.Errorf("%s: %s may view: %v", when, person, !want)
					}
				}
				if x.Frozen("ends") == timed || x.Frozen("guest") {
					t.Errorf("%s: frozen %v, %v", when, x.Frozen("ends"), x.Frozen("guest"))
				}
				if x.ClockTrusted() != timed {
					t.Errorf("%s: trusted %v, %s ahead", when, x.ClockTrusted(), x.Skew())
				}
			}
			if wrong > 0 {
				look("right", true)
			}
			before := overs
			skew.Store(int64(wrong))
			look("wrong", false)
			if overs == before {
				t.Error("streams go on")
			}
			before = overs
			skew.Store(0)
			if wrong > 0 {
				look("right, but decision time stands still", false)
				for began := time.Now(); x.at() > time.Now().Add(500*time.Millisecond).UnixMicro() && time.Since(began) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
				}
			}
			look("right again", true)
			if overs != before+1 {
				t.Errorf("streams were ended %d times", overs-before)
			}
		})
	}
}
