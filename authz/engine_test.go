package authz

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

func startEmbedded(t testing.TB, dsn string) http.RoundTripper {
	t.Helper()
	transport, stop, err := Embedded(t.Context(), dsn, 0, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop() })
	return transport
}

func newEngine(t testing.TB, s *Store, transport http.RoundTripper, node string) *Engine {
	t.Helper()
	e, err := NewEngine(s, EngineConfig{URL: EmbeddedURL, Transport: transport, Node: node, Timeout: 10 * time.Second, Parallel: Parallel(EmbeddedConns)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func ensured(t testing.TB, s *Store, transport http.RoundTripper) *Engine {
	t.Helper()
	e := newEngine(t, s, transport, "node")
	if err := e.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

// drain applies the whole log.
func drain(t testing.TB, e *Engine) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = e.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if caughtUp, err := e.CaughtUp(t.Context()); err != nil || !caughtUp {
		t.Fatalf("caught up: %v, %v", caughtUp, err)
	}
}

func loaded(t testing.TB, s *Store) *Index {
	t.Helper()
	x := NewIndex(s)
	if err := x.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return x
}

// house is an organisation of one channel, two roles and one freeze.
func house() []Change {
	return []Change{
		put("channel:c", "org", "org:main"), put("org:main", "frozen", "freeze:f#subject"),
		put("channel:c", "manager", "project:p#owner"), put("channel:c", "writer", "project:p#participant"),
	}
}

func TestEngineFollowsTheLog(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			app := dbtest.DSN(t, engine)
			fga := "sqlite:" + filepath.Join(t.TempDir(), "openfga.db")
			if engine == db.Postgres {
				fga = app // both in one database, each in its schema
			}
			follow(t, dbtest.Open(t, app), fga)
		})
	}
}

func follow(t *testing.T, d *db.DB, dsn string) {
	s := newStore(t, d)
	add(t, s, house()...)
	e := ensured(t, s, startEmbedded(t, dsn))
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { e.Run(ctx) })
	defer run.Wait()
	defer cancel()
	var many []Change
	for i := range 250 {
		many = append(many, put("project:p", "participant", fmt.Sprint("user:u", i)))
	}
	add(t, s, many...)
	windowed := many[7]
	windowed.Tuple.Until = time.Now().Add(-time.Minute)
	add(t, s, windowed)
	add(t, s, Remove(many[8].Tuple))
	for caughtUp := false; !caughtUp; time.Sleep(5 * time.Millisecond) {
		var err error
		if caughtUp, err = e.CaughtUp(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for person, want := range map[id.Person]bool{"u6": true, "u7": false, "u8": false, "u249": true, "nobody": false} {
		if got, err := e.Check(ctx, person, "c", View); err != nil || got != want {
			t.Errorf("%s may view: %v, %v", person, got, err)
		}
	}
	if got, err := e.Check(ctx, "u6", "c", "writer"); err != nil || !got {
		t.Errorf("a relation asked by name: %v, %v", got, err)
	}
	if _, err := e.Check(ctx, "u6", "c", "no_such_relation"); err == nil {
		t.Error("an unknown relation has an answer")
	}
	var parallel sync.WaitGroup
	for n := range 32 {
		parallel.Go(func() {
			if got, err := e.Check(ctx, id.Person(fmt.Sprint("u", 100+n)), "c", Post); err != nil || !got {
				t.Errorf("one of many at once: %v, %v", got, err)
			}
		})
	}
	parallel.Wait()
	before, stop := context.WithTimeout(ctx, -1)
	defer stop()
	if _, err := e.Check(before, "u6", "c", View); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
}

// The log may be applied again from its beginning, over tuples that later revisions have changed.
func TestReplay(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	e := ensured(t, s, startEmbedded(t, "memory:"))
	drain(t, e)
	add(t, s, house()...)
	owner := tuple("user:ann", "owner", "project:p")
	for day := range 3 {
		owner.From = time.Date(2026, 1, 1+day, 0, 0, 0, 0, time.UTC)
		add(t, s, Put(owner))
		drain(t, e)
	}
	add(t, s, put("project:p", "owner", "user:bob"))
	add(t, s, Remove(tuple("user:bob", "owner", "project:p")))
	drain(t, e)
	if err := s.db.Tx(t.Context(), func(tx *db.Tx) error {
		return tx.Exec("update authz_engine set applied_seq = 0 where id = 1").Error
	}); err != nil {
		t.Fatal(err)
	}
	drain(t, e)
	if r, err := e.Sweep(t.Context()); err != nil || r.Read != 5 || len(r.Foreign)+len(r.Missing) != 0 {
		t.Errorf("after the replay: %+v, %v", r, err)
	}
}

// An OpenFGA that lost its data gets a new store with all tuples; a second start changes nothing.
func TestEnsure(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	add(t, s, append(house(), put("project:p", "owner", "user:ann"))...)
	transport := startEmbedded(t, "memory:")
	first := ensured(t, s, transport)
	drain(t, first)
	again := ensured(t, s, transport)
	if *again.ids.Load() != *first.ids.Load() {
		t.Error("a second start made another store or model")
	}
	fresh := ensured(t, s, startEmbedded(t, "memory:"))
	if caughtUp, err := fresh.CaughtUp(t.Context()); err != nil || caughtUp {
		t.Errorf("an empty store passes for caught up: %v", err)
	}
	drain(t, fresh)
	if ok, err := fresh.Check(t.Context(), "ann", "c", Manage); err != nil || !ok {
		t.Errorf("ann may manage: %v, %v", ok, err)
	}
}

func TestOneLeader(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	var now time.Time
	s.Now = func() time.Time { return now }
	now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	transport := startEmbedded(t, "memory:")
	a, b := newEngine(t, s, transport, "a"), newEngine(t, s, transport, "b")
	for _, e := range []*Engine{a, b} {
		if err := e.Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	add(t, s, house()...)
	if _, err := b.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if caughtUp, _ := b.CaughtUp(t.Context()); caughtUp {
		t.Error("b wrote although a leads")
	}
	if _, err := b.Sweep(t.Context()); !errors.Is(err, ErrNotLeader) {
		t.Errorf("b sweeps: %v", err)
	}
	now = now.Add(engineLease + time.Second)
	drain(t, b)
	b.resign(t.Context())
	drain(t, a)
}

func TestSweep(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	e := ensured(t, s, startEmbedded(t, "sqlite:"+filepath.Join(t.TempDir(), "openfga.db")))
	ann, bob, cid := tuple("user:ann", "owner", "project:p"), tuple("user:bob", "owner", "project:p"), tuple("user:cid", "owner", "project:p")
	cid.Until = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	changes := append(house(), Put(ann), Put(cid))
	for i := range 120 { // more than one page
		changes = append(changes, put("project:p", "participant", fmt.Sprint("user:u", i)))
	}
	add(t, s, changes...)
	drain(t, e)
	if r, err := e.Sweep(t.Context()); err != nil || r.Read != len(changes) || len(r.Foreign)+len(r.Missing) != 0 {
		t.Fatalf("nothing is wrong: %+v, %v", r, err)
	}
	longer := cid
	longer.Until = longer.Until.Add(time.Hour)
	for _, wrong := range []Change{Remove(ann), Put(bob), Remove(cid), Put(longer)} { // behind our back
		if err := e.write(t.Context(), []Change{wrong}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := e.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byUser := func(a, b Tuple) int { return byKey(Change{Tuple: a}, Change{Tuple: b}) }
	slices.SortFunc(r.Foreign, byUser)
	slices.SortFunc(r.Missing, byUser)
	if !slices.Equal(r.Foreign, []Tuple{bob, longer}) || !slices.Equal(r.Missing, []Tuple{ann, cid}) {
		t.Errorf("found %+v", r)
	}
	if r, err := e.Sweep(t.Context()); err != nil || len(r.Foreign)+len(r.Missing) != 0 || e.Figures().Foreign+e.Figures().Missing != 4 {
		t.Errorf("after the repair: %+v, %v, counted %+v", r, err, e.Figures())
	}
}

// Breaking the index on purpose turns the comparison red, and the difference denies.
func TestCompareSeesABrokenIndex(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	e := ensured(t, s, startEmbedded(t, "memory:"))
	add(t, s, append(house(), put("project:p", "owner", "user:ann"), put("project:p", "owner", "user:bob"), put("freeze:f", "subject", "user:ann"))...)
	x := loaded(t, s)
	if _, err := e.Compare(t.Context(), x, 10); !errors.Is(err, ErrBehind) {
		t.Errorf("compared while behind: %v", err)
	}
	drain(t, e)
	if c, err := e.Compare(t.Context(), x, 60); err != nil || c.Checked != 60 || c.Unasked != 0 || len(c.Different) != 0 {
		t.Fatalf("a sound index: %+v, %v", c, err)
	}
	var told []id.Person
	x.Attach(func(_ int64, people []id.Person, _ []id.Channel) { told = append(told, people...) })
	x.ignoreFreezes = true
	if ok, _ := x.Allow("ann", "c", View); !ok {
		t.Fatal("the switch breaks nothing")
	}
	c, err := e.Compare(t.Context(), x, 60)
	if err != nil || len(c.Different) == 0 {
		t.Fatalf("a broken index passes: %+v, %v", c, err)
	}
	if ok, _ := x.Allow("ann", "c", View); ok || fmt.Sprint(told) != "[ann]" {
		t.Errorf("a difference allows; told %v", told)
	}
	if ok, _ := x.Allow("bob", "c", View); !ok {
		t.Error("a difference denies others")
	}
	x.ignoreFreezes = false
	add(t, s, Remove(tuple("user:ann", "subject", "freeze:f")))
	drain(t, e)
	if c, err := e.Compare(t.Context(), x, 20); err != nil || len(c.Different) != 0 {
		t.Errorf("mended: %+v, %v", c, err)
	}
	if ok, _ := x.Allow("ann", "c", View); !ok {
		t.Error("the doubt outlives its cause")
	}
}

// away is a server that can be out of reach.
type away struct {
	http.RoundTripper
	gone atomic.Bool
}

func (a *away) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.gone.Load() {
		return nil, syscall.ECONNREFUSED
	}
	return a.RoundTripper.RoundTrip(r)
}

// A node starts while OpenFGA is out of reach, and brings it up to date once it is back, even where it has lost everything meanwhile. Where OpenFGA never had
// our model there is nothing to go by.
func TestStartWithoutOpenFGA(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	first := &away{RoundTripper: startEmbedded(t, "sqlite:"+filepath.Join(t.TempDir(), "openfga.db"))}
	first.gone.Store(true)
	if err := newEngine(t, s, first, "node").Ensure(t.Context()); err == nil {
		t.Error("it starts without ever having had a model")
	}
	first.gone.Store(false)
	drain(t, ensured(t, s, first))
	for _, server := range []*away{first, {RoundTripper: startEmbedded(t, "sqlite:"+filepath.Join(t.TempDir(), "another.db"))}} {
		server.gone.Store(true)
		e := newEngine(t, s, server, "node")
		if err := e.Ensure(t.Context()); err != nil {
			t.Fatalf("with OpenFGA gone: %v", err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); e.Run(ctx) }()
		add(t, s, put("project:apollo", "owner", "user:ann"), put("channel:"+fmt.Sprint(time.Now().UnixNano()), "manager", "project:apollo#owner"))
		time.Sleep(50 * time.Millisecond)
		server.gone.Store(false)
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if caughtUp, err := e.CaughtUp(ctx); err == nil && caughtUp && !e.unseen.Load() {
				break
			}
			if time.Now().After(end) {
				t.Fatal("OpenFGA is not brought up to date")
			}
		}
		stop()
		<-done
		if found, err := e.Sweep(t.Context()); err != nil || found.Read == 0 || len(found.Foreign)+len(found.Missing) > 0 {
			t.Errorf("%+v %v", found, err)
		}
	}
}
