package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
)

// Eight writers at once, one follower that fails now and then: every event arrives, in order, without a gap.
func TestFollowerLosesNothing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if err := feed.Migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
		f := feed.New(d, "node", slog.New(slog.DiscardHandler))
		const writers, each = 8, 40
		var seen []int64
		calls := 0
		done := make(chan error, 1)
		go func() {
			done <- f.Run(ctx, feed.Follower{Name: "test", Handle: func(_ context.Context, events []feed.Event) error {
				if calls++; calls%3 == 0 {
					return errors.New("now and then")
				}
				for _, e := range events {
					if len(seen) > 0 && e.Seq <= seen[len(seen)-1] {
						continue // at least once
					}
					seen = append(seen, e.Seq)
				}
				if len(seen) == writers*each {
					cancel()
				}
				return nil
			}})
		}()
		var wait sync.WaitGroup
		for w := range writers {
			wait.Go(func() {
				for i := range each {
					if err := d.Tx(ctx, func(tx *db.Tx) error {
						_, err := f.Append(tx, feed.Event{Kind: "thing.made", Subject: fmt.Sprint(w, "-", i)})
						return err
					}); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		<-done
		for i, seq := range seen {
			if seq != int64(i+1) {
				t.Fatalf("position %d holds seq %d", i, seq)
			}
		}
		if len(seen) != writers*each {
			t.Fatalf("saw %d of %d", len(seen), writers*each)
		}
	})
}

func TestOneRunnerPerName(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if err := feed.Migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		runners := map[string]int{}
		var wait sync.WaitGroup
		for _, node := range []string{"a", "b"} {
			f := feed.New(d, node, slog.New(slog.DiscardHandler))
			wait.Go(func() {
				f.Run(ctx, feed.Follower{Name: "test", Handle: func(_ context.Context, events []feed.Event) error {
					mu.Lock()
					defer mu.Unlock()
					runners[node] += len(events)
					if runners["a"]+runners["b"] >= 50 {
						cancel()
					}
					return nil
				}})
			})
		}
		f := feed.New(d, "c", slog.New(slog.DiscardHandler))
		for range 50 {
			if err := d.Tx(ctx, func(tx *db.Tx) error {
				_, err := f.Append(tx, feed.Event{Kind: "thing.made"})
				return err
			}); err != nil && ctx.Err() == nil {
				t.Fatal(err)
			}
		}
		wait.Wait()
		if len(runners) != 1 {
			t.Fatalf("ran on %v", runners)
		}
	})
}

// Who stops in order leaves no lease behind: the next one need not wait for its end.
func TestLeasesAreGivenBack(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		if err := feed.Migrate(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		held := func() (n int) {
			if err := d.Read(context.Background()).Raw("select count(*) from feed_cursors where holder <> '' or lease_until <> 0").Scan(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		f := feed.New(d, "node", slog.New(slog.DiscardHandler))
		if err := d.Tx(context.Background(), func(tx *db.Tx) error {
			_, err := f.Append(tx, feed.Event{Kind: "thing.made", Subject: "s"})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for name, run := range map[string]func(context.Context, func()) error{
			"follower": func(ctx context.Context, busy func()) error {
				return f.Run(ctx, feed.Follower{Name: "test", Handle: func(context.Context, []feed.Event) error { busy(); return nil }})
			},
			"alone": func(ctx context.Context, busy func()) error {
				return f.Alone(ctx, "lease test", func(ctx context.Context) error { busy(); <-ctx.Done(); return ctx.Err() })
			},
		} {
			ctx, cancel := context.WithCancel(context.Background())
			was := 0
			if err := run(ctx, func() { was = held(); cancel() }); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			if was != 1 || held() != 0 {
				t.Errorf("%s: %d leases while it ran, %d after", name, was, held())
			}
		}
	})
}
