package breakglass_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
	"github.com/rollcall-im/rollcall/provisioning/breakglass"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

const (
	delay   = 72 * time.Hour
	channel = id.Channel("chn_x")
)

var ctx = context.Background()

type world struct {
	testing.TB
	db      *db.DB
	people  *directory.Store
	source  directory.Source
	asks    *approvals.Engine
	glass   *breakglass.Engine
	holders map[roles.Role][]id.Person
	inside  []id.Person
	rule    *policies.Approval
	cut     []id.Person
	mu      sync.Mutex
	now     time.Time
}

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	w := &world{TB: t, db: d, now: time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC), holders: map[roles.Role][]id.Person{}}
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate, authz.Migrate, provisioning.Migrate, notices.Migrate, approvals.Migrate, breakglass.Migrate} {
		w.ok(migrate(ctx, d))
	}
	log := slog.New(slog.DiscardHandler)
	events := feed.New(d, "test", log)
	w.people = directory.New(d, events, log)
	tuples := authz.New(d, log)
	index := authz.NewIndex(tuples)
	w.people.Access = provisioning.New(d, events, w.people, tuples, index, log)
	w.people.Now, tuples.Now, index.Now = w.clock, w.clock, w.clock
	w.ok(index.Load(ctx))
	w.glass = &breakglass.Engine{DB: d, Delay: delay, Now: w.clock, Log: log, Cut: func(p id.Person) { w.cut = append(w.cut, p) },
		Holders:  func(_ *db.Tx, role roles.Role) ([]id.Person, error) { return w.holders[role], nil },
		Audience: func(id.Channel) iter.Seq[id.Person] { return slices.Values(w.inside) },
		Decides: func(*db.Tx) (policies.Approval, bool, error) {
			if w.rule != nil {
				return *w.rule, true, nil
			}
			return policies.Approval{}, false, nil
		}}
	w.asks = &approvals.Engine{DB: d, Directory: w.people, Now: w.clock, Log: log,
		Outsiders: func(*db.Tx, []id.Person) (map[id.Person]bool, error) { return nil, nil },
		Admins:    func(_ *db.Tx, role string) ([]id.Person, error) { return w.holders[roles.Role(role)], nil },
		Kinds:     map[policies.ApprovalKind]approvals.Kind{policies.ApproveBreakGlass: w.glass}}
	var err error
	w.source, err = w.people.CreateSource(ctx, directory.Cause{}, directory.Source{Name: "hr", Kind: directory.KindLDAP, Priority: 10})
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

func (w *world) is(err, want error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Errorf("error %v, want %v", err, want)
	}
}

func (w *world) put(key string, active bool) id.Person {
	w.Helper()
	applied, err := w.people.Apply(ctx, directory.Cause{Source: w.source.ID}, directory.PutRecord{Record: directory.Record{Source: w.source.ID, Key: key, UserName: key, Active: active}})
	w.ok(err)
	return applied.Records[0].Person
}

func (w *world) ask(who id.Person, minutes int) (approvals.Request, error) {
	return w.asks.Ask(ctx, directory.Cause{Actor: string(who)}, approvals.Request{Kind: policies.ApproveBreakGlass, Requester: who, Subject: who, Object: string(channel), Minutes: minutes, Reason: "case 4711"})
}

func (w *world) approve(who id.Person, ask id.Ask) error {
	_, err := w.asks.Approve(ctx, directory.Cause{Actor: string(who)}, who, ask, "")
	return err
}

func (w *world) told(p id.Person) (n int) {
	w.Helper()
	w.ok(w.db.Read(ctx).Raw("select count(*) from notices where person = ? and kind = ?", p, breakglass.KindRead).Scan(&n).Error)
	return n
}

func (w *world) log(action string) []audit.Record {
	w.Helper()
	list, err := audit.List(ctx, w.db, audit.Filter{Action: action, Limit: 100})
	w.ok(err)
	return list
}

func both(t *testing.T, fn func(w *world)) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) { fn(newWorld(t, d)) })
}

// Two people, a permission, and a time: whoever lacks one of them reads nothing.
func TestTwoPeople(t *testing.T) {
	both(t, func(w *world) {
		wang, li, hr := w.put("wang", true), w.put("li", true), w.put("hr", true)
		w.holders = map[roles.Role][]id.Person{roles.Security: {wang}, roles.Owner: {li}, roles.HR: {hr}}
		_, err := w.ask(hr, 60)
		w.is(err, breakglass.ErrNotHolder)
		for _, minutes := range []int{0, -1, 241} {
			_, err = w.ask(wang, minutes)
			w.is(err, approvals.ErrInvalid)
		}
		r, err := w.ask(wang, 60)
		w.ok(err)
		_, err = w.glass.Open(ctx, wang, r.ID)
		w.is(err, breakglass.ErrNotFound)
		w.is(w.approve(wang, r.ID), approvals.ErrNotApprover)
		w.is(w.approve(hr, r.ID), approvals.ErrNotApprover)
		w.ok(w.approve(li, r.ID))
		p, err := w.glass.Open(ctx, wang, r.ID)
		w.ok(err)
		if want := w.clock().Add(time.Hour); !p.Until.Equal(want) || p.Channel != channel {
			t.Errorf("%+v, want until %v", p, want)
		}
		for _, other := range []id.Person{li, hr, ""} {
			_, err = w.glass.Open(ctx, other, r.ID)
			w.is(err, breakglass.ErrNotFound)
		}

		// The permission is asked for at each read, and by an answer under way.
		ground := w.glass.Ground(ctx, p)
		if !ground() {
			t.Error("open, and nothing stands")
		}
		w.holders[roles.Security] = nil
		_, err = w.glass.Open(ctx, wang, r.ID)
		w.is(err, breakglass.ErrNotHolder)
		w.is(w.glass.Note(ctx, directory.Cause{}, p, breakglass.Part{}), breakglass.ErrNotHolder)
		if ground() {
			t.Error("the role is gone, and the answer goes on")
		}
		w.holders[roles.Security] = []id.Person{wang}

		// Over by the clock, at its instant.
		w.pass(time.Hour - time.Microsecond)
		_, err = w.glass.Open(ctx, wang, r.ID)
		w.ok(err)
		w.pass(time.Microsecond)
		_, err = w.glass.Open(ctx, wang, r.ID)
		w.is(err, breakglass.ErrOver)
		w.is(w.glass.Note(ctx, directory.Cause{}, p, breakglass.Part{}), breakglass.ErrOver)
		w.is(w.glass.End(ctx, directory.Cause{}, string(li), r.ID), breakglass.ErrOver)
		if ground() {
			t.Error("the time is over, and the answer goes on")
		}
	})
}

// What the policy says narrows who decides, and never opens it to who could not ask; who asked and lost their access is granted nothing.
func TestWhoDecides(t *testing.T) {
	both(t, func(w *world) {
		wang, li, sec, boss := w.put("wang", true), w.put("li", true), w.put("sec", true), w.put("boss", true)
		w.holders = map[roles.Role][]id.Person{roles.Security: {wang, sec}, roles.Owner: {li}, roles.Auditor: {boss}}
		w.rule = &policies.Approval{By: []policies.Approver{{Kind: policies.ApproverAdmins, Admins: "auditor"}, {Kind: policies.ApproverPerson, Person: "boss"},
			{Kind: policies.ApproverAdmins, Admins: "security"}}, People: 1, LapseDays: 1}
		r, err := w.ask(wang, 60)
		w.ok(err)
		w.is(w.approve(boss, r.ID), approvals.ErrNotApprover)
		w.is(w.approve(li, r.ID), approvals.ErrNotApprover)
		w.put("wang", false)
		w.is(w.approve(sec, r.ID), approvals.ErrGone)
		w.put("wang", true)
		w.holders[roles.Security] = []id.Person{sec}
		w.is(w.approve(sec, r.ID), approvals.ErrGone)
		w.holders[roles.Security] = []id.Person{wang, sec}
		w.rule.By = w.rule.By[:2] // nobody who may
		w.ok(w.approve(li, r.ID))
	})
}

// Every read is in the audit log and never what was read; whoever is concerned is told once, after the delay; an end is an end.
func TestReadsAreToldOf(t *testing.T) {
	both(t, func(w *world) {
		wang, li, zhao, left, late := w.put("wang", true), w.put("li", true), w.put("zhao", true), w.put("left", true), w.put("late", true)
		w.holders = map[roles.Role][]id.Person{roles.Security: {wang}, roles.Owner: {li}}
		w.inside = []id.Person{zhao, wang}
		r, err := w.ask(wang, 240)
		w.ok(err)
		w.ok(w.approve(li, r.ID))
		p, err := w.glass.Open(ctx, wang, r.ID)
		w.ok(err)
		w.ok(w.glass.Note(ctx, directory.Cause{Request: "req_1"}, p, breakglass.Part{From: 3, To: 9, Messages: 2, Authors: []id.Person{left, zhao}}))
		w.pass(time.Hour)
		w.inside = []id.Person{zhao, wang, late}
		w.ok(w.glass.Note(ctx, directory.Cause{}, p, breakglass.Part{From: 10, To: 12, Messages: 3, Authors: []id.Person{zhao}}))
		list := w.log("break_glass.read")
		if len(list) != 2 {
			t.Fatalf("%d reads in the audit log", len(list))
		}
		for _, record := range list {
			text, err := json.Marshal(record.Public)
			w.ok(err)
			if record.Actor != string(wang) || record.Subject != string(channel) || record.Public["ask"] != string(r.ID) || record.Personal != nil {
				t.Errorf("%s by %s about %s, %v", text, record.Actor, record.Subject, record.Personal)
			}
		}

		w.pass(delay - time.Hour - time.Microsecond)
		w.ok(w.glass.Tell(ctx))
		if n := w.told(zhao); n != 0 {
			t.Errorf("told before the delay: %d", n)
		}
		w.pass(time.Microsecond)
		w.ok(w.glass.Tell(ctx))
		w.ok(w.glass.Tell(ctx))
		if w.told(zhao) != 1 || w.told(left) != 1 || w.told(late) != 0 || w.told(wang) != 0 || w.told(li) != 0 {
			t.Errorf("zhao %d, left %d, late %d, wang %d, li %d", w.told(zhao), w.told(left), w.told(late), w.told(wang), w.told(li))
		}
		w.pass(time.Hour)
		w.ok(w.glass.Tell(ctx))
		if w.told(late) != 1 || w.told(zhao) != 1 {
			t.Errorf("late %d, zhao %d", w.told(late), w.told(zhao))
		}
	})
}

// Ended early: at once, once, and the answers under way with it.
func TestEnd(t *testing.T) {
	both(t, func(w *world) {
		wang, li := w.put("wang", true), w.put("li", true)
		w.holders = map[roles.Role][]id.Person{roles.Security: {wang}, roles.Owner: {li}}
		r, err := w.ask(wang, 60)
		w.ok(err)
		w.is(w.glass.End(ctx, directory.Cause{}, string(wang), r.ID), breakglass.ErrNotFound)
		w.ok(w.approve(li, r.ID))
		p, err := w.glass.Open(ctx, wang, r.ID)
		w.ok(err)
		w.ok(w.glass.End(ctx, directory.Cause{}, string(wang), r.ID))
		w.is(w.glass.End(ctx, directory.Cause{}, string(li), r.ID), breakglass.ErrOver)
		_, err = w.glass.Open(ctx, wang, r.ID)
		w.is(err, breakglass.ErrOver)
		w.is(w.glass.Note(ctx, directory.Cause{}, p, breakglass.Part{}), breakglass.ErrOver)
		if !slices.Equal(w.cut, []id.Person{wang}) || w.glass.Ground(ctx, p)() {
			t.Errorf("cut %v", w.cut)
		}
		if list := w.log("break_glass.ended"); len(list) != 1 || list[0].Actor != string(wang) {
			t.Errorf("%v", list)
		}
	})
}
