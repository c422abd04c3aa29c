package replay_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/session/replay"
)

func TestReplay(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		if err := replay.Migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		s := &replay.Store{DB: d, Now: func() time.Time { return now }}
		a := httpapi.Attempt{Actor: "per_a", Key: "k", Fingerprint: "f"}
		var first, running atomic.Int64
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				answer, err := s.Begin(ctx, a)
				switch {
				case answer == nil && err == nil:
					first.Add(1)
				case errors.Is(err, httpapi.ErrReplayRunning):
					running.Add(1)
				default:
					t.Errorf("%v, %v", answer, err)
				}
			})
		}
		wait.Wait()
		if first.Load() != 1 || running.Load() != 7 {
			t.Fatalf("%d requests of 8 ran, %d were told to wait", first.Load(), running.Load())
		}
		want := &httpapi.Answer{Status: 201, Header: map[string]string{"Location": "/x"}, Body: []byte("\x00中文")}
		if err := s.Finish(ctx, a, want); err != nil {
			t.Fatal(err)
		}
		got, err := s.Begin(ctx, a)
		if err != nil || got == nil || got.Status != 201 || got.Header["Location"] != "/x" || string(got.Body) != string(want.Body) {
			t.Errorf("replayed %+v, %v", got, err)
		}
		other := a
		other.Fingerprint = "g"
		if _, err := s.Begin(ctx, other); !errors.Is(err, httpapi.ErrReplayOther) {
			t.Errorf("another request under the key: %v", err)
		}
		other.Actor = "per_b"
		if got, err := s.Begin(ctx, other); got != nil || err != nil {
			t.Errorf("another caller: %v, %v", got, err)
		}
		if err := s.Finish(ctx, other, nil); err != nil {
			t.Fatal(err)
		}
		for step, wait := range []time.Duration{0, 0, 2 * time.Minute} { // begins, is told to wait, takes over
			now = now.Add(wait)
			got, err := s.Begin(ctx, other)
			if got != nil || (step == 1) != errors.Is(err, httpapi.ErrReplayRunning) || step != 1 && err != nil {
				t.Errorf("step %d: %v, %v", step, got, err)
			}
		}
		now = now.Add(25 * time.Hour)
		if got, err := s.Begin(ctx, a); got != nil || err != nil {
			t.Errorf("after a day: %v, %v", got, err)
		}
	})
}
