package directory_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// gate is a directory.Access in memory: it keeps who is frozen, as those who hold the access would.
type gate struct {
	mu       sync.Mutex
	rev      int64
	frozen   map[id.Person]map[string]directory.Freeze
	changes  []directory.FreezeChange
	settled  []settled
	fail     error
	settling func()
}

type settled struct {
	people []id.Person
	rev    int64
}

func (g *gate) Revoke(tx *db.Tx, changes []directory.FreezeChange) (int64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rev++
	rev := g.rev
	tx.AfterCommit(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, c := range changes {
			if g.frozen[c.Freeze.Person] == nil {
				g.frozen[c.Freeze.Person] = map[string]directory.Freeze{}
			}
			g.frozen[c.Freeze.Person][c.Freeze.Slot] = c.Freeze
		}
		g.changes = append(g.changes, changes...)
	})
	return rev, nil
}

func (g *gate) Settle(ctx context.Context, _ directory.Cause, people []id.Person, rev int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settled = append(g.settled, settled{slices.Clone(people), rev})
	if g.settling != nil {
		g.settling()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return g.fail
}

func (g *gate) last() settled {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.settled) == 0 {
		return settled{}
	}
	return g.settled[len(g.settled)-1]
}

func (g *gate) slots(p id.Person) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for slot := range g.frozen[p] {
		out = append(out, slot)
	}
	slices.Sort(out)
	return out
}

// world is a directory on an empty database with one SCIM and one LDAP source.
type world struct {
	*testing.T
	*directory.Store
	db   *db.DB
	gate *gate
	ctx  context.Context
	scim id.Source
	ldap id.Source
	at   time.Time // what the directory takes for now
	mu   sync.Mutex
}

func open(t *testing.T, d *db.DB) *world {
	t.Helper()
	ctx := context.Background()
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate} {
		if err := migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w := &world{T: t, db: d, ctx: ctx, gate: &gate{frozen: map[id.Person]map[string]directory.Freeze{}}, at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	w.Store = directory.New(d, feed.New(d, "test", log), log)
	w.Access = w.gate
	w.Now = func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.at
	}
	w.scim = w.source("entra", directory.KindSCIM, 20)
	w.ldap = w.source("corp", directory.KindLDAP, 10)
	return w
}

func (w *world) source(name string, kind directory.SourceKind, priority int, correlate ...string) id.Source {
	w.Helper()
	s, err := w.CreateSource(w.ctx, directory.Cause{Actor: "test"}, directory.Source{Name: name, Kind: kind, Priority: priority, Correlate: correlate})
	if err != nil {
		w.Fatal(err)
	}
	return s.ID
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

func (w *world) apply(changes ...directory.Change) directory.Applied {
	w.Helper()
	a, err := w.Apply(w.ctx, directory.Cause{Actor: "test"}, changes...)
	if err != nil {
		w.Fatalf("apply: %v", err)
	}
	return a
}

// post creates a SCIM record and answers it.
func (w *world) post(userName string, more ...func(*directory.Record)) directory.Record {
	w.Helper()
	r := directory.Record{Source: w.scim, UserName: userName, Active: true}
	for _, m := range more {
		m(&r)
	}
	return w.apply(directory.CreateRecord{Record: r}).Records[0]
}

// put writes an LDAP record and answers it.
func (w *world) put(key string, more ...func(*directory.Record)) directory.Record {
	w.Helper()
	r := directory.Record{Source: w.ldap, Key: key, UserName: key, Active: true}
	for _, m := range more {
		m(&r)
	}
	return w.apply(directory.PutRecord{Record: r}).Records[0]
}

func (w *world) edit(r directory.Record, fn func(*directory.Record)) directory.Applied {
	w.Helper()
	return w.apply(directory.EditRecord{Source: r.Source, Link: r.Link, Edit: func(r *directory.Record) error { fn(r); return nil }})
}

func (w *world) person(p id.Person) directory.Person {
	w.Helper()
	out, err := w.Person(w.ctx, p)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

func (w *world) standing(p id.Person) []string {
	w.Helper()
	list, err := w.Freezes(w.ctx, p)
	if err != nil {
		w.Fatal(err)
	}
	var slots []string
	for _, f := range list {
		if f.LiftedAt.IsZero() {
			slots = append(slots, f.Slot)
		}
	}
	slices.Sort(slots)
	return slots
}

// written is everything a call could write, as counts and versions.
func (w *world) written() string {
	w.Helper()
	out := ""
	for _, q := range []string{"select seq from feed_counter", "select size from audit_tree", "select coalesce(sum(version), 0) from records",
		"select coalesce(sum(version), 0) from persons", "select coalesce(sum(version), 0) from directory_groups", "select count(*) from group_members",
		"select count(*) from units", "select count(*) from freezes where lifted_at is null", "select coalesce(max(updated_at), 0) from records"} {
		var n int64
		if err := w.db.Read(w.ctx).Raw(q).Scan(&n).Error; err != nil {
			w.Fatal(err)
		}
		out += fmt.Sprintf("%s: %d\n", q, n)
	}
	return out
}

// unchanged runs fn and fails where it wrote anything.
func (w *world) unchanged(fn func()) {
	w.Helper()
	before := w.written()
	fn()
	if after := w.written(); after != before {
		w.Fatalf("something was written\nbefore\n%safter\n%s", before, after)
	}
}

func (w *world) actions(subject string) []string {
	w.Helper()
	records, err := audit.List(w.ctx, w.db, audit.Filter{Subject: subject})
	if err != nil {
		w.Fatal(err)
	}
	var out []string
	for _, r := range slices.Backward(records) {
		out = append(out, r.Action)
	}
	return out
}

func run(t *testing.T, fn func(w *world)) {
	t.Helper()
	dbtest.Run(t, func(t *testing.T, d *db.DB) { fn(open(t, d)) })
}

func same[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func list[T comparable](t testing.TB, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func (w *world) facts(p id.Person) directory.Fact {
	w.Helper()
	var facts []directory.Fact
	err := w.db.Tx(w.ctx, func(tx *db.Tx) error {
		var err error
		facts, err = w.Facts(tx, []id.Person{p, "per_none", p}, true)
		return err
	})
	if err != nil || len(facts) != 1 {
		w.Fatalf("%+v, %v", facts, err)
	}
	return facts[0]
}

// checks is how many random cases are tried: fewer where a case costs many round trips.
func (w *world) checks() int {
	if w.db.Engine == db.Postgres {
		return 15
	}
	return 60
}
