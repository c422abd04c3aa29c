package ldap_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

func wait(t *testing.T, what string, fn func() bool) {
	t.Helper()
	for began := time.Now(); !fn(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// TestOneRunner runs two nodes: one follows, the other stands by, and takes over when the first lets go.
//
// holds: R17
func TestOneRunner(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	g := newGrove(rand.New(rand.NewPCG(1, 1)))
	for range 30 {
		g.step()
	}
	run := func() (sy *ldap.Syncer, stop func()) {
		sy = w.syncer(someConfig)
		sy.Reader = g
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- sy.Run(ctx, time.Hour) }()
		return sy, func() {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	}
	one, stopOne := run()
	wait(t, "the first follows", func() bool { return one.Status().Mode == "live" })
	two, stopTwo := run()
	wait(t, "the second stands by", func() bool { return two.Status().Mode == "standby" })
	if _, err := two.Sync(t.Context()); err == nil {
		t.Error("the node that stands by read everything beside the one that follows")
	}
	stopOne()
	wait(t, "the second takes over", func() bool { return two.Status().Mode == "live" })
	for range 10 {
		g.step()
	}
	inStep(t, w, g, two)
	stopTwo()
}

// TestSilence holds that a source is not called current while its stream says nothing and the server is written to, and that such a
// stream is begun anew; while nothing is written silence is no doubt.
//
// holds: R18
func TestSilence(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	g := newGrove(rand.New(rand.NewPCG(1, 1)))
	for range 30 {
		g.step()
	}
	sy := w.syncer(someConfig)
	sy.Config.PollInterval = 5 * time.Millisecond
	m := &mute{grove: g}
	sy.Reader = m
	var mu sync.Mutex
	ahead := time.Duration(0)
	sy.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(ahead)
	}
	pass := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		ahead += d
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sy.Run(ctx, time.Hour) }()
	wait(t, "following", func() bool { return sy.Status().Mode == "live" })
	first := sy.Status().VerifiedAt
	pass(11 * time.Second)
	time.Sleep(50 * time.Millisecond) // the mark is seen for the first time
	pass(11 * time.Second)
	time.Sleep(50 * time.Millisecond)
	m.set(true)
	g.step()
	stale := sy.Status().VerifiedAt
	if stale.Before(first) {
		t.Errorf("verified at %v, then at %v", first, stale)
	}
	for range 5 {
		pass(6 * time.Second)
		time.Sleep(30 * time.Millisecond)
	}
	if at := sy.Status().VerifiedAt; at.After(stale) {
		t.Errorf("called current at %v by a stream that says nothing", at)
	}
	m.set(false)
	for range 10 {
		pass(8 * time.Second)
		time.Sleep(30 * time.Millisecond)
	}
	wait(t, "a new stream", func() bool { return sy.Status().VerifiedAt.After(stale) && sy.Status().Mode == "live" })
	inStep(t, w, g, sy)
	cancel()
	<-done
}

// mute is a grove whose stream may fall silent.
type mute struct {
	*grove
	mu    sync.Mutex
	quiet bool
}

func (m *mute) set(quiet bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quiet = quiet
}

func (m *mute) Watch(ctx context.Context, from ldap.Cursor, emit func([]ldap.Change) error) error {
	silent := false
	return m.grove.Watch(ctx, from, func(changes []ldap.Change) error {
		m.mu.Lock()
		silent = silent || m.quiet // for ever
		m.mu.Unlock()
		if silent {
			return nil
		}
		return emit(changes)
	})
}
