package guests

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
	"github.com/rollcall-im/rollcall/provisioning/evidence"
	"github.com/rollcall-im/rollcall/provisioning/handover"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

const policyText = `apiVersion: rollcall/v1
groups:
  - key: apollo
    name: {en: Apollo, zh: 阿波罗}
    channels:
      - {key: shared, name: {en: Shared, zh: 共享}, access: {vendor: post}}
      - {key: other, name: {en: Other, zh: 其他}, access: {vendor: read}}
    rules:
      - {key: leads, role: owner, when: person.title == "Head"}
      - {key: all, role: collaborator, when: 'true'}
guests: {most_days: 100, limits: {company: 5}}
`

type world struct {
	testing.TB
	e      *Engine
	people *directory.Store
	r      *provisioning.Reactor
	source id.Source
	head   id.Person
	apollo id.Group
	mu     sync.Mutex
	now    time.Time
}

var ctx = context.Background()

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	w := &world{TB: t, now: time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)}
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate, authz.Migrate, provisioning.Migrate, notices.Migrate, handover.Migrate, evidence.Migrate, approvals.Migrate, Migrate} {
		w.ok(migrate(ctx, d))
	}
	log := slog.New(slog.DiscardHandler)
	f := feed.New(d, "test", log)
	w.people = directory.New(d, f, log)
	tuples := authz.New(d, log)
	index := authz.NewIndex(tuples)
	w.r = provisioning.New(d, f, w.people, tuples, index, log)
	w.people.Access = w.r
	w.people.Now, tuples.Now, index.Now, w.r.Now = w.clock, w.clock, w.clock, w.clock
	w.ok(index.Load(ctx))
	asks := &approvals.Engine{DB: d, Directory: w.people, Outsiders: w.r.OutsidersIn, Now: w.clock, Log: log, Kinds: map[policies.ApprovalKind]approvals.Kind{},
		Admins: func(*db.Tx, string) ([]id.Person, error) { return nil, nil }}
	w.e = &Engine{DB: d, Directory: w.people, Reactor: w.r, Asks: asks, Now: w.clock, Log: log}
	asks.Kinds[policies.ApproveGuest] = Asking{Engine: w.e}
	s, err := w.people.CreateSource(ctx, directory.Cause{}, directory.Source{Name: "hr", Kind: directory.KindLDAP, Priority: 10})
	w.ok(err)
	w.source = s.ID
	_, err = w.r.SetPolicy(ctx, directory.Cause{Actor: "tester"}, []provisioning.File{{Name: "policy.yaml", Source: policyText}})
	w.ok(err)
	w.head = w.put("li", directory.Record{Attributes: directory.Attributes{Title: "Head"}})
	list, err := w.r.Groups(ctx)
	w.ok(err)
	w.apollo = list[0].ID
	_, err = w.e.AddCompany(ctx, directory.Cause{Actor: "tester"}, Company{Key: "acme", Names: map[string]string{"en": "Acme"}, Domains: []string{"acme.example"}, Owner: w.head})
	w.ok(err)
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) put(key string, r directory.Record) id.Person {
	w.Helper()
	r.Source, r.Key, r.UserName, r.Active, r.DisplayName = w.source, key, key, true, strings.ToUpper(key)
	applied, err := w.people.Apply(ctx, directory.Cause{Source: w.source}, directory.PutRecord{Record: r})
	w.ok(err)
	return applied.Records[0].Person
}

func (w *world) wish(email string, channels ...string) Wish {
	return Wish{Company: "acme", Email: email, Name: "Guest", Sponsor: w.head, Group: w.apollo, Channels: channels, Until: w.clock().Add(30 * 24 * time.Hour), Reason: "test", Any: true}
}

func (w *world) invite(email string, channels ...string) Guest {
	w.Helper()
	_, g, err := w.e.Invite(ctx, directory.Cause{Actor: "tester"}, w.wish(email, channels...))
	w.ok(err)
	return g
}

// sees says which channels a guest has a place in.
func (w *world) sees(g Guest) string {
	w.Helper()
	list, err := w.r.ChannelsOf(ctx, g.Person)
	w.ok(err)
	var out []string
	for _, p := range list {
		out = append(out, p.Channel.Key)
	}
	return strings.Join(out, " ")
}

func (w *world) rows() (n int64) {
	w.Helper()
	w.ok(w.e.DB.Read(ctx).Raw("select (select count(*) from audit_records) + (select count(*) from feed_events) + (select count(*) from authz_log)").Scan(&n).Error)
	return n
}

// holds: G33
func TestLimitRace(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var in, full atomic.Int32
		var wait sync.WaitGroup
		for n := range 12 {
			wait.Go(func() {
				_, _, err := w.e.Invite(ctx, directory.Cause{Actor: "tester"}, w.wish(fmt.Sprintf("g%d@acme.example", n), "shared"))
				switch {
				case err == nil:
					in.Add(1)
				case errors.Is(err, ErrLimit):
					full.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if in.Load() != 5 || full.Load() != 7 {
			t.Errorf("%d were let in and %d refused at a limit of 5", in.Load(), full.Load())
		}
	})
}

// What a node that died left is carried out by whoever looks next, and a second look writes nothing.
func TestTend(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		g := w.invite("wei@acme.example", "shared")
		if got := w.sees(g); got != "shared" {
			t.Fatalf("sees %q", got)
		}
		// As a node leaves it that dies after its first transaction.
		w.ok(d.Tx(ctx, func(tx *db.Tx) error {
			if err := tx.Exec("update guest_places set until_at = ? where guest = ?", db.At(w.clock().Add(time.Hour)), g.ID).Error; err != nil {
				return err
			}
			if err := tx.Exec("insert into guest_places (guest, group_id, channel, until_at, given) values (?, ?, 'other', ?, ?)", g.ID, w.apollo, db.At(w.clock().Add(time.Hour)), false).Error; err != nil {
				return err
			}
			return changed(tx, "id = ?", g.ID)
		}))
		w.ok(w.e.Tend(ctx))
		if got := w.sees(g); got != "shared other" {
			t.Errorf("sees %q", got)
		}
		p, err := w.people.Person(ctx, g.Person)
		w.ok(err)
		if !p.EndsAt.Equal(w.clock().Add(time.Hour)) {
			t.Errorf("ends at %s", p.EndsAt)
		}
		w.ok(d.Tx(ctx, func(tx *db.Tx) error {
			return tx.Exec("update guest_companies set suspended_at = ?", db.At(w.clock())).Error
		}))
		w.ok(w.e.Tend(ctx))
		if p, err = w.people.Person(ctx, g.Person); err != nil || !p.Frozen {
			t.Errorf("after an interrupted suspension: %+v, %v", p.Frozen, err)
		}
		w.ok(d.Tx(ctx, func(tx *db.Tx) error { return tx.Exec("update guest_companies set suspended_at = null").Error }))
		w.ok(w.e.Tend(ctx))
		if p, err = w.people.Person(ctx, g.Person); err != nil || p.Frozen {
			t.Errorf("after an interrupted resumption: %+v, %v", p.Frozen, err)
		}
		before := w.rows()
		w.ok(w.e.Tend(ctx))
		if after := w.rows(); after != before {
			t.Errorf("a second look wrote %d rows", after-before)
		}
	})
}

// What others take of a guest stays taken, whatever happens to the rest; an invitation gives it again.
func TestTakenStaysTaken(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		g := w.invite("wei@acme.example", "shared", "other")
		w.ok(w.r.Give(ctx, directory.Cause{Actor: "reviewer"}, []provisioning.Grant{{Person: g.Person, Group: w.apollo, Kind: provisioning.KindGuest, Ref: "other", Take: true}}, nil))
		_, n, err := w.e.ChangeCompany(ctx, directory.Cause{Actor: "tester"}, "acme", func(c *Company) { c.EndsAt = w.clock().Add(24 * time.Hour) })
		w.ok(err)
		if got := w.sees(g); n != 1 || got != "shared" {
			t.Errorf("%d shortened, sees %q", n, got)
		}
		_, _, err = w.e.Renew(ctx, directory.Cause{Actor: "tester"}, g.ID, Wish{Until: w.clock().Add(time.Hour), Reason: "test", Sponsor: w.head, Any: true})
		w.ok(err)
		if got := w.sees(g); got != "shared" {
			t.Errorf("renewed, sees %q", got)
		}
		w.invite("wei@acme.example", "other")
		if got := w.sees(g); got != "shared other" {
			t.Errorf("invited again, sees %q", got)
		}
	})
}

// An undo of what took a guest's place gives no role in the group, and not the place.
func TestUndoGivesNoGuestBack(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		g := w.invite("wei@acme.example", "shared")
		cause := directory.Cause{Actor: "tester", Request: id.New[id.Request]()}
		w.ok(w.e.End(ctx, cause, g.ID))
		if got := w.sees(g); got != "" {
			t.Fatalf("sees %q", got)
		}
		_, err := w.r.UndoRun(ctx, directory.Cause{Actor: "tester"}, cause.Request)
		if err != nil && !errors.Is(err, provisioning.ErrNotFound) {
			t.Fatal(err)
		}
		if got := w.sees(g); got != "" {
			t.Errorf("after the undo sees %q", got)
		}
	})
}

// Somebody who was found to be an employee leaves as one: what the source of guests says of the employment does not count, and no suspension of guests keeps an employee out.
func TestGuestWhoIsAnEmployee(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		g := w.invite("wei@acme.example", "shared")
		wei := w.put("wei", directory.Record{})
		other := w.invite("ann@acme.example", "shared")
		_, err := w.people.Apply(ctx, directory.Cause{Actor: "tester"}, directory.MergePeople{Keep: wei, Gone: g.Person, Anyway: true})
		w.ok(err)
		w.ok(w.e.joined(ctx, []id.Person{g.Person, wei, other.Person}))
		if now := w.guest(g); now.EndedAt.IsZero() || w.sees(other) != "shared" {
			t.Errorf("the guest whom somebody was is not over: %+v; another sees %q", now, w.sees(other))
		}
		_, err = w.e.Close(ctx, directory.Cause{Actor: "tester"}, false)
		w.ok(err)
		w.ok(w.e.settle(ctx, directory.Cause{}, []id.Guest{g.ID}))
		w.ok(w.e.Tend(ctx))
		p, err := w.people.Person(ctx, wei)
		w.ok(err)
		if p.Frozen || p.Status != directory.StatusActive {
			t.Errorf("the employee is %s, frozen %v", p.Status, p.Frozen)
		}
		_, err = w.people.Apply(ctx, directory.Cause{Source: w.source}, directory.DeleteRecord{Source: w.source, Key: "wei"})
		w.ok(err)
		if p, err = w.people.Person(ctx, wei); err != nil || !p.Frozen {
			t.Errorf("who left as an employee is %s, frozen %v (%v)", p.Status, p.Frozen, err)
		}
	})
}

// Whoever answers for a guest is told 14, 3 and 1 days before the end, once; who owns the company where the sponsor is away.
func TestRemind(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		wu := w.put("wu", directory.Record{Attributes: directory.Attributes{Title: "Head"}})
		wish := w.wish("wei@acme.example", "shared")
		wish.Sponsor = wu
		_, _, err := w.e.Invite(ctx, directory.Cause{Actor: "tester"}, wish)
		w.ok(err)
		told := func() (out []string) {
			t.Helper()
			w.ok(w.e.Tend(ctx))
			list, err := (&notices.Store{DB: d}).Told(ctx, KindEnding, time.UnixMicro(0))
			w.ok(err)
			for _, n := range list {
				out = append(out, fmt.Sprint(n.About["days"], n.Person == wu))
			}
			return out
		}
		for _, step := range []struct {
			days int
			want string
		}{{0, "[]"}, {17, "[14true]"}, {1, "[14true]"}, {9, "[14true 3true]"}} {
			w.pass(time.Duration(step.days) * 24 * time.Hour)
			if got := fmt.Sprint(told()); got != step.want {
				t.Errorf("after %d days more: %s, want %s", step.days, got, step.want)
			}
		}
		w.put("wu", directory.Record{LeaveFrom: w.clock().Add(-time.Hour), Attributes: directory.Attributes{Title: "Head"}})
		w.pass(2 * 24 * time.Hour)
		if got := fmt.Sprint(told()); got != "[1false 14true 3true]" {
			t.Errorf("while the sponsor is away: %s", got)
		}
	})
}
