package ldap_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
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
		return sy, runs(t, sy, time.Hour)
	}
	one, stopOne := run()
	wait(t, "the first follows", func() bool { return one.Status().Mode == "live" })
	two, stopTwo := run()
	wait(t, "the second stands by", func() bool { return two.Status().Mode == "standby" })
	if _, err := two.Sync(t.Context()); err != nil { // the first lets go of it
		t.Error(err)
	}
	wait(t, "one of them follows", func() bool { return (one.Status().Mode == "live") != (two.Status().Mode == "live") })
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
	runs(t, sy, time.Hour)
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

// TestRunIsLive measures how long a change in the directory takes to the store.
func TestRunIsLive(t *testing.T) {
	d, c := double(t, 35)
	w := newWorld(t, dbtest.SQLite(t))
	c.Timeout = time.Second
	sy := w.syncer(c)
	runs(t, sy, time.Hour)
	until := func(what string, fn func() bool) time.Duration {
		t.Helper()
		began := time.Now()
		for !fn() {
			if time.Since(began) > 30*time.Second {
				t.Fatalf("%s: not within 30 s; %+v", what, sy.Status())
			}
			time.Sleep(2 * time.Millisecond)
		}
		return time.Since(began)
	}
	until("first sync", func() bool { return !sy.Status().LastSuccess.IsZero() })
	verified := sy.Status().VerifiedAt
	until("verified without a change", func() bool { return sy.Status().VerifiedAt.After(verified) })
	if err := d.Modify("uid=u005,ou=sales,ou=people,"+base, demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{"Live"}}); err != nil {
		t.Fatal(err)
	}
	took := until("a title", func() bool { return w.person("u005").Title == "Live" })
	if err := d.Add(demo.Entry{DN: "cn=crew,ou=groups," + base, Attributes: map[string][]string{"objectClass": {"groupOfNames"}, "member": {"uid=u005,ou=sales,ou=people," + base}}}); err != nil {
		t.Fatal(err)
	}
	if joined := until("a group", func() bool { return slices.Contains(w.person("u005").Groups, "corp/crew") }); joined > 5*time.Second {
		t.Errorf("a new group took %v", joined)
	}
	t.Logf("a change was in the store after %v (poll interval 250 ms)", took)
	if took > 5*time.Second { // the aim is one second; the machine may be busy
		t.Errorf("a change took %v", took)
	}
	for _, login := range []string{"u006", "u007"} {
		var at struct{ DN string }
		if err := json.Unmarshal(w.people()[login].Raw, &at); err != nil {
			t.Fatal(err)
		}
		if err := d.Delete(at.DN); err != nil {
			t.Fatal(err)
		}
		until("absent", func() bool { return slices.Contains(w.absent(), login) })
	}
	until("a run of each", func() bool { return ownRuns(t, w) })
	d.SetFaults(demo.Faults{Silent: true})
	until("a silent server", func() bool { return sy.Status().LastError != "" })
	stale := sy.Status().VerifiedAt
	d.SetFaults(demo.Faults{})
	until("recovery", func() bool { return sy.Status().LastError == "" && sy.Status().VerifiedAt.After(stale) })
}
