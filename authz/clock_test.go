package authz

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Windows begin and end at their instants with nobody writing and nobody asking.
func TestExpiryAtTheInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := db.Open(t.Context(), dbtest.DSN(t, db.SQLite))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		s := newStore(t, d)
		start := time.Now()
		until := func(changes Change, from, until time.Duration) Change {
			if changes.Tuple.From = start.Add(from); from < 0 {
				changes.Tuple.From = time.Time{}
			}
			if changes.Tuple.Until = start.Add(until); until < 0 {
				changes.Tuple.Until = time.Time{}
			}
			return changes
		}
		head := add(t, s, append(house(),
			until(put("project:p", "participant", "user:guest"), -1, 90*time.Second),
			until(put("freeze:f", "subject", "user:leaver"), 40*time.Second, -1), put("project:p", "owner", "user:leaver"),
			until(put("freeze:f", "subject", "user:joiner"), -1, 20*time.Second), put("project:p", "owner", "user:joiner"))...)
		x := NewIndex(s)
		var told []string
		x.Attach(func(rev int64, people []id.Person, channels []id.Channel) {
			told = append(told, fmt.Sprint(time.Since(start), rev, people, channels))
		})
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { x.Run(ctx) })
		state := func() string {
			got := ""
			for _, person := range []id.Person{"guest", "leaver", "joiner"} {
				ok, _ := x.Allow(person, "c", View)
				got += fmt.Sprintf("%s:%t:%t ", person, ok, x.Frozen(person))
			}
			audience := slices.Sorted(x.Audience("c"))
			return got + fmt.Sprint(audience)
		}
		for _, step := range []struct {
			at   time.Duration
			want string
		}{
			{time.Second, "guest:true:false leaver:true:false joiner:false:true [guest leaver]"},
			{20*time.Second - time.Microsecond, "guest:true:false leaver:true:false joiner:false:true [guest leaver]"},
			{20 * time.Second, "guest:true:false leaver:true:false joiner:true:false [guest joiner leaver]"},
			{40*time.Second - time.Microsecond, "guest:true:false leaver:true:false joiner:true:false [guest joiner leaver]"},
			{40 * time.Second, "guest:true:false leaver:false:true joiner:true:false [guest joiner]"},
			{90*time.Second - time.Microsecond, "guest:true:false leaver:false:true joiner:true:false [guest joiner]"},
			{90 * time.Second, "guest:false:false leaver:false:true joiner:true:false [joiner]"},
		} {
			time.Sleep(time.Until(start.Add(step.at)))
			if got := state(); got != step.want { // perhaps before Run's timer: no question needs it
				t.Errorf("at %v: %s", step.at, got)
			}
			synctest.Wait()
			if got := state(); got != step.want {
				t.Errorf("settled at %v: %s", step.at, got)
			}
		}
		if got := fmt.Sprint(told); got != "[40s 1 [leaver] [c] 1m30s 1 [guest] [c]]" {
			t.Errorf("told %s", got)
		}
		if now, err := s.head(ctx); err != nil || now != head {
			t.Errorf("somebody wrote: %d, %v", now, err)
		}
		cancel()
		run.Wait()
	})
}

// Decision time stands still where the clock goes back.
func TestClockNeverGoesBack(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	guest := put("project:p", "participant", "user:guest")
	guest.Tuple.Until = now.Add(time.Hour)
	add(t, s, append(house(), guest)...)
	x := NewIndex(s)
	x.Now = func() time.Time { return now }
	if err := x.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		move time.Duration
		want bool
	}{{0, true}, {time.Hour, false}, {-2 * time.Hour, false}} {
		now = now.Add(step.move)
		if ok, _ := x.Allow("guest", "c", View); ok != step.want {
			t.Errorf("after %v: %v", step.move, ok)
		}
		if err := x.CatchUp(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if ok, _ := x.Allow("guest", "c", View); ok != step.want {
			t.Errorf("caught up after %v: %v", step.move, ok)
		}
	}
}
