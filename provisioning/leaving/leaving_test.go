package leaving_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/leaving"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// nobody has nothing to take away.
type nobody struct{}

func (nobody) Revoke(*db.Tx, []directory.FreezeChange) (int64, error) { return 0, nil }
func (nobody) Settle(context.Context, directory.Cause, []id.Person, int64) error {
	return nil
}

type world struct {
	testing.TB
	d      *db.DB
	people *directory.Store
	watch  *leaving.Watch
	source directory.Source
	now    time.Time
	admins []id.Person
}

var ctx = context.Background()

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	w := &world{TB: t, d: d, now: time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)}
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate, notices.Migrate} {
		w.ok(migrate(ctx, d))
	}
	log := slog.New(slog.DiscardHandler)
	w.people = directory.New(d, feed.New(d, "test", log), log)
	w.people.Access, w.people.Now = nobody{}, func() time.Time { return w.now }
	w.people.Disclosure = directory.Disclosure{End: 14}
	var err error
	w.source, err = w.people.CreateSource(ctx, directory.Cause{}, directory.Source{Name: "hr", Kind: directory.KindLDAP, Priority: 10})
	w.ok(err)
	w.restart()
	return w
}

// restart forgets what a process remembers.
func (w *world) restart() {
	w.watch = &leaving.Watch{DB: w.d, Directory: w.people, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler),
		Admins: func(context.Context) ([]id.Person, error) { return w.admins, nil }}
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) put(key, manager string, change func(*directory.Record)) id.Person {
	w.Helper()
	r := directory.Record{Source: w.source.ID, Key: key, UserName: key, Active: true, ManagerKey: manager}
	r.DisplayName, r.TimeZone = strings.ToUpper(key), "Asia/Shanghai"
	if change != nil {
		change(&r)
	}
	applied, err := w.people.Apply(ctx, directory.Cause{Source: w.source.ID}, directory.PutRecord{Record: r})
	w.ok(err)
	return applied.Records[0].Person
}

func (w *world) look() {
	w.Helper()
	w.ok(w.watch.Look(ctx))
}

// inbox says what a person was told: "leaving.soon 14".
func (w *world) inbox(person id.Person) string {
	w.Helper()
	var out []string
	for _, kind := range []notices.Kind{leaving.KindSoon, leaving.KindWithdrawn, leaving.KindLeaveOver} {
		list, err := (&notices.Store{DB: w.d}).Told(ctx, kind, time.Unix(1, 0))
		w.ok(err)
		for _, n := range list {
			if n.Person == person {
				out = append(out, strings.TrimSpace(fmt.Sprint(n.Kind, " ", n.About["days"]+n.About["state"])))
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (w *world) want(what, got, want string) {
	w.Helper()
	if got != want {
		w.Errorf("%s: %q, want %q", what, got, want)
	}
}

func both(t *testing.T, fn func(w *world)) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) { fn(newWorld(t, d)) })
}

// A manager hears 14, 7 and 1 days before, at the wall clock of the worker; each once, however often somebody looks.
// Of J18: the notices.
func TestManagerHearsAtEachLevel(t *testing.T) {
	both(t, func(w *world) {
		boss := w.put("boss", "", nil)
		shanghai, err := time.LoadLocation("Asia/Shanghai")
		w.ok(err)
		end := time.Date(2026, 10, 30, 18, 0, 0, 0, shanghai)
		w.put("zhang", "boss", func(r *directory.Record) { r.EndAt = end })
		for _, step := range []struct {
			at   time.Time
			want string
		}{
			{end.AddDate(0, 0, -14).Add(-time.Second), ""},
			{end.AddDate(0, 0, -14), "leaving.soon 14"},
			{end.AddDate(0, 0, -7).Add(-time.Second), "leaving.soon 14"},
			{end.AddDate(0, 0, -7), "leaving.soon 14, leaving.soon 7"},
			{end.AddDate(0, 0, -1), "leaving.soon 1, leaving.soon 14, leaving.soon 7"},
			{end.Add(time.Second), "leaving.soon 1, leaving.soon 14, leaving.soon 7"},
		} {
			w.now = step.at.UTC()
			w.look()
			w.look()
			w.restart()
			w.look()
			w.want(step.at.String(), w.inbox(boss), step.want)
		}
	})
}

// Who was down, or heard late, tells the latest thing that is due, once. Where the manager is gone the next one above hears, where there
// is nobody the administrators do.
func TestLateAndOfWhomNobodyIsAbove(t *testing.T) {
	both(t, func(w *world) {
		top := w.put("top", "", nil)
		boss := w.put("boss", "top", func(r *directory.Record) { r.Active = false })
		admin := w.put("admin", "", nil)
		w.admins = []id.Person{admin}
		w.put("zhang", "boss", func(r *directory.Record) { r.EndAt = w.now.AddDate(0, 0, 3) })
		w.put("alone", "", func(r *directory.Record) { r.EndAt = w.now.AddDate(0, 0, 10) })
		w.look()
		w.want("top", w.inbox(top), "leaving.soon 7")
		w.want("boss", w.inbox(boss), "")
		w.want("admin", w.inbox(admin), "leaving.soon 14")
	})
}

// An end that is taken back or moved is told to whoever heard of it, and the new date when it is due.
func TestTakenBack(t *testing.T) {
	both(t, func(w *world) {
		boss := w.put("boss", "", nil)
		w.put("zhang", "boss", func(r *directory.Record) { r.EndAt = w.now.AddDate(0, 0, 5) })
		w.look()
		w.want("planned", w.inbox(boss), "leaving.soon 7")
		w.put("zhang", "boss", func(r *directory.Record) { r.EndAt = w.now.AddDate(0, 0, 90) })
		w.look()
		w.want("moved", w.inbox(boss), "leaving.withdrawn 7")
		w.now = w.now.AddDate(0, 0, 80)
		w.look()
		w.want("due again", w.inbox(boss), "leaving.soon 14, leaving.withdrawn 7")
	})
}

// Administrators are reminded of a leave that is over and of which the source still tells; not once it says that the person is back.
// holds: J32
func TestLeaveIsOver(t *testing.T) {
	for _, stays := range []bool{false, true} {
		t.Run(fmt.Sprint("stays=", stays), func(t *testing.T) {
			both(t, func(w *world) {
				w.people.Leave = directory.LeaveRule{Stays: stays}
				admin := w.put("admin", "", nil)
				w.admins = []id.Person{admin}
				back := w.now.AddDate(0, 0, 7)
				zhang := w.put("zhang", "", func(r *directory.Record) { r.LeaveFrom, r.LeaveUntil = w.now.AddDate(0, 0, -1), back })
				w.look()
				w.want("on leave", w.inbox(admin), "")
				w.now = back
				w.look()
				p, err := w.people.Person(ctx, zhang)
				w.ok(err)
				if stays {
					w.want("over", w.inbox(admin), "leave.over paused")
					w.want("status", string(p.Status), "leave")
				} else {
					w.want("over", w.inbox(admin), "leave.over returned")
					w.want("status", string(p.Status), "active")
				}
				w.now = back.AddDate(0, 0, 1)
				w.look()
				w.put("zhang", "", nil)
				w.look()
				w.want("back", w.inbox(admin), "")
				p, err = w.people.Person(ctx, zhang)
				w.ok(err)
				w.want("status", string(p.Status)+fmt.Sprint(p.Frozen), "activefalse")
			})
		})
	}
}

// An end that is said 40 seconds before a level is told of once, at that level.
func TestTheLatestLevelAlone(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		boss := w.put("boss", "", nil)
		end := w.now.AddDate(0, 0, 1).Add(40 * time.Second)
		w.put("wang", "boss", func(r *directory.Record) { r.EndAt = end })
		w.look()
		w.want("before", w.inbox(boss), "")
		w.now = w.now.Add(40 * time.Second)
		w.look()
		w.want("at the level", w.inbox(boss), "leaving.soon 1")
	})
}
