package ldap_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// access stands in for provisioning: it has no tuples, and remembers what it was told.
type access struct {
	mu      sync.Mutex
	frozen  []id.Person
	settled int
}

func (a *access) Revoke(_ *db.Tx, freezes []directory.FreezeChange) (int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range freezes {
		a.frozen = append(a.frozen, f.Freeze.Person)
	}
	return int64(len(a.frozen)), nil
}

func (a *access) Settle(context.Context, directory.Cause, []id.Person, int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settled++
	return nil
}

// world is a directory store with one LDAP source.
type world struct {
	t      testing.TB
	db     *db.DB
	store  *directory.Store
	feed   *feed.Feed
	source directory.Source
	access *access
	log    *bytes.Buffer
	logs   *slog.Logger
}

// lockedBuffer lets a log be written by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  *bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate, ldap.Migrate} {
		if err := migrate(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{t: t, db: d, access: &access{}, log: &bytes.Buffer{}}
	w.logs = slog.New(slog.NewTextHandler(&lockedBuffer{b: w.log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.feed = feed.New(d, "test", w.logs)
	w.store = directory.New(d, w.feed, w.logs)
	w.store.Access = w.access
	var err error
	if w.source, err = w.store.CreateSource(t.Context(), directory.Cause{}, directory.Source{Name: "corp", Kind: directory.KindLDAP, Priority: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noCanary(t, "log", w.log.String()) })
	return w
}

func (w *world) syncer(c ldap.Config) *ldap.Syncer {
	s := &ldap.Syncer{Store: w.store, DB: w.db, Source: w.source, Config: c, Log: w.logs}
	w.t.Cleanup(func() { s.Close() })
	return s
}

func (w *world) sync(s *ldap.Syncer) ldap.Report {
	w.t.Helper()
	rep, err := s.Sync(w.t.Context())
	if err != nil {
		w.t.Fatalf("%v %+v", err, rep)
	}
	return rep
}

func (w *world) head() int64 {
	w.t.Helper()
	seq, err := w.feed.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return seq
}

// people answers everybody of the source by login.
func (w *world) people() map[string]directory.Record {
	w.t.Helper()
	page, err := w.store.FindRecords(w.t.Context(), directory.RecordQuery{Source: w.source.ID, Limit: 10_000})
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]directory.Record{}
	for _, r := range page.Records {
		out[r.UserName] = r
	}
	return out
}

func (w *world) person(login string) directory.Person {
	w.t.Helper()
	r, ok := w.people()[login]
	if !ok {
		w.t.Fatalf("%s is not known", login)
	}
	p, err := w.store.Person(w.t.Context(), r.Person)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) units() map[string]directory.Unit {
	w.t.Helper()
	all, err := w.store.Units(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]directory.Unit{}
	for _, u := range all {
		out[u.Name] = u
	}
	return out
}

// absent lists the logins of those who are marked absent.
func (w *world) absent() (out []string) {
	for login, r := range w.people() {
		if !r.AbsentSince.IsZero() {
			out = append(out, login)
		}
	}
	slices.Sort(out)
	return out
}

// runs keeps sy at work until stop, or the end of the test. It ends because it is told to.
func runs(t testing.TB, sy *ldap.Syncer, every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sy.Run(ctx, every) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}
