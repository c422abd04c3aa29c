package hrfeed

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
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

// access stands in for provisioning: it has no tuples, and remembers who was frozen.
type access struct {
	mu     sync.Mutex
	frozen int64
}

func (a *access) Revoke(_ *db.Tx, freezes []directory.FreezeChange) (int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.frozen += int64(len(freezes))
	return a.frozen, nil
}

func (a *access) Settle(context.Context, directory.Cause, []id.Person, int64) error { return nil }

// world is a directory with one HR source, at nine in the morning of 2 March 2026 in Shanghai.
type world struct {
	*testing.T
	f      *Feeds
	db     *db.DB
	source id.Source
	log    bytes.Buffer
	at     time.Time
}

func open(t *testing.T, d *db.DB) *world {
	t.Helper()
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate, Migrate} {
		if err := migrate(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{T: t, db: d, at: time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)}
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	store := directory.New(d, feed.New(d, "test", log), log)
	store.Access, store.Now = &access{}, func() time.Time { return w.at }
	source, err := store.CreateSource(t.Context(), directory.Cause{Actor: "test"}, directory.Source{Name: "hr", Kind: directory.KindHRFeed, Priority: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.source = source.ID
	w.f = &Feeds{Store: store, DB: d, Log: log, Now: func() time.Time { return w.at },
		Configs: map[id.Source]Config{source.ID: {Name: "hr", Zone: "Asia/Shanghai"}}}
	return w
}

func run(t *testing.T, fn func(w *world)) {
	t.Helper()
	dbtest.Run(t, func(t *testing.T, d *db.DB) { fn(open(t, d)) })
}

// file takes a file and fails where it is refused whole.
func (w *world) file(name, data string) Report {
	w.Helper()
	rep, err := w.try(name, data)
	if err != nil {
		w.Fatalf("%s: %v", name, err)
	}
	return rep
}

func (w *world) try(name, data string) (Report, error) {
	return w.f.Take(w.Context(), Order{Source: w.source, File: File{Name: name, Data: []byte(data), Origin: "post"}})
}

func (w *world) testdata(name string) Report {
	w.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		w.Fatal(err)
	}
	return w.file(name, string(data))
}

// record answers what the source says of somebody now.
func (w *world) record(key string) directory.Record {
	w.Helper()
	r, err := w.f.Store.RecordByKey(w.Context(), w.source, key)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// status answers where somebody stands now.
func (w *world) status(key string) directory.Status {
	w.Helper()
	p, err := w.f.Store.Person(w.Context(), w.record(key).Person)
	if err != nil {
		w.Fatal(err)
	}
	if p.Frozen && p.Status == directory.StatusActive {
		return "frozen"
	}
	return p.Status
}

// codes answers line and code of each finding.
func lines(list []Finding) string {
	var out []string
	for _, f := range list {
		out = append(out, fmt.Sprintf("%d %s", f.Line, f.Code))
	}
	return strings.Join(out, ", ")
}

func (w *world) counts(rep Report, want Counts) {
	w.Helper()
	if rep.Counts != want {
		w.Errorf("counts %+v, want %+v\n%s", rep.Counts, want, rep.Text())
	}
}

func same[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// written is everything a call could write.
func (w *world) written() string {
	w.Helper()
	out := ""
	for _, q := range []string{"select seq from feed_counter", "select size from audit_tree", "select coalesce(sum(version), 0) from records",
		"select coalesce(sum(version), 0) from persons", "select count(*) from units", "select count(*) from freezes where lifted_at is null", "select coalesce(max(updated_at), 0) from records",
		"select count(*) from hr_files", "select count(*) from hr_messages"} {
		var n int64
		if err := w.db.Read(w.Context()).Raw(q).Scan(&n).Error; err != nil {
			w.Fatal(err)
		}
		out += fmt.Sprintf("%s: %d\n", q, n)
	}
	return out
}

// shanghai answers midnight of a day there.
func shanghai(day string) time.Time {
	at, err := time.ParseInLocation(time.DateOnly, day, time.FixedZone("", 8*3600))
	if err != nil {
		panic(err)
	}
	return at.UTC()
}

func keysOf(list []Diff, outcome string) []string {
	var out []string
	for _, d := range list {
		if d.Outcome == outcome {
			out = append(out, d.Key)
		}
	}
	slices.Sort(out)
	return out
}
