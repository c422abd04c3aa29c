package approvals_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
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
	"github.com/rollcall-im/rollcall/provisioning/handover"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

const policyText = `apiVersion: rollcall/v1
groups:
  - key: apollo
    name: {en: Apollo, zh: 阿波罗}
    channels:
      - {key: general, name: {en: General, zh: 综合}}
    rules:
      - {key: heads, role: owner, when: person.title == "Head"}
      - {key: staff, role: collaborator, when: person.department == "Staff"}
    eligibility: {join: 'person.department == "R&D"', ask: 'person.department == "Sales"', role: participant}
    approvals:
      elevation: {by: [owners], most_days: 7}
  - key: club
    name: {en: Club, zh: 俱乐部}
    channels: [{key: general, name: {en: General, zh: 综合}}]
    rules: []
    eligibility: {ask: 'true', role: participant}
    approvals:
      join: {by: [manager], lapse_days: 3, most_days: 30}
  - key: trial
    name: {en: Trial, zh: 试用}
    channels: [{key: general, name: {en: General, zh: 综合}}]
    rules: []
    eligibility: {join: 'before(date("2026-10-11"))', role: participant}
  - key: audit
    name: {en: Audit, zh: 审计}
    channels: [{key: general, name: {en: General, zh: 综合}}]
    rules:
      - {key: staff, role: participant, when: person.title == "Auditor"}
    eligibility: {join: 'person.title != "Auditor"', role: participant}
    approvals:
      join: {by: [{person: bo}, {admins: security}], people: 2}
separation:
  - {key: apart, name: {en: Who works does not audit, zh: 审计分离}, never_together: [apollo, audit]}
`

type world struct {
	testing.TB
	db     *db.DB
	feed   *feed.Feed
	people *directory.Store
	r      *provisioning.Reactor
	index  *authz.Index
	e      *approvals.Engine
	g      approvals.Groups
	source directory.Source
	ids    map[string]id.Person
	admins map[string][]id.Person
	holds  map[id.Person]bool // who may decide holds
	mu     sync.Mutex
	now    time.Time
}

var ctx = context.Background()

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	w := &world{TB: t, db: d, now: time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC), ids: map[string]id.Person{}, admins: map[string][]id.Person{}, holds: map[id.Person]bool{}}
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate, authz.Migrate, provisioning.Migrate, notices.Migrate, handover.Migrate, approvals.Migrate} {
		w.ok(migrate(ctx, d))
	}
	log := slog.New(slog.DiscardHandler)
	w.feed = feed.New(d, "test", log)
	w.people = directory.New(d, w.feed, log)
	tuples := authz.New(d, log)
	w.index = authz.NewIndex(tuples)
	w.r = provisioning.New(d, w.feed, w.people, tuples, w.index, log)
	w.people.Access = w.r
	w.people.Now, tuples.Now, w.index.Now, w.r.Now = w.clock, w.clock, w.clock, w.clock
	w.ok(w.index.Load(ctx))
	w.g = approvals.Groups{Reactor: w.r}
	acts := approvals.Acts{Reactor: w.r, Holds: func(_ *db.Tx, p id.Person, _ roles.Permission) (bool, error) { return w.holds[p], nil }}
	w.e = &approvals.Engine{DB: d, Directory: w.people, Outsiders: w.r.OutsidersIn, Now: w.clock, Log: log,
		Admins: func(_ *db.Tx, role string) ([]id.Person, error) { return w.admins[role], nil },
		Kinds: map[policies.ApprovalKind]approvals.Kind{policies.ApproveJoin: approvals.Joining{Groups: w.g},
			policies.ApproveElevation: approvals.Elevation{Groups: w.g}, policies.ApprovePlan: approvals.Planning{Acts: acts}, policies.ApproveRelease: approvals.Releasing{Acts: acts}}}
	w.r.PlanDeciders = func(tx *db.Tx, plan id.Plan, behind id.Person) ([]id.Person, error) {
		return w.e.Deciders(tx, approvals.Request{Kind: policies.ApprovePlan, Requester: behind, Subject: behind, Object: string(plan)})
	}
	var err error
	w.source, err = w.people.CreateSource(ctx, directory.Cause{}, directory.Source{Name: "hr", Kind: directory.KindLDAP, Priority: 10})
	w.ok(err)
	w.policy(policyText)
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

func (w *world) policy(text string) {
	w.Helper()
	_, err := w.r.SetPolicy(ctx, directory.Cause{Actor: "tester"}, []provisioning.File{{Name: "policy.yaml", Source: text}})
	w.ok(err)
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

// put writes a record: "dept=R&D title=Head manager=boss active=false leave=true type=vendor".
func (w *world) put(key, facts string) id.Person {
	w.Helper()
	r := directory.Record{Source: w.source.ID, Key: key, UserName: key, Active: true}
	r.DisplayName = strings.ToUpper(key)
	for _, fact := range strings.Fields(facts) {
		name, value, _ := strings.Cut(fact, "=")
		switch name {
		case "dept":
			r.Department = value
		case "title":
			r.Title = value
		case "manager":
			r.ManagerKey = value
		case "active":
			r.Active = value == "true"
		case "leave":
			r.LeaveFrom = w.clock().Add(-time.Hour)
		default:
			w.Fatalf("fact %q", fact)
		}
	}
	applied, err := w.people.Apply(ctx, directory.Cause{Source: w.source.ID}, directory.PutRecord{Record: r})
	w.ok(err)
	w.ids[key] = applied.Records[0].Person
	return w.ids[key]
}

func (w *world) group(key string) id.Group {
	w.Helper()
	list, err := w.r.Groups(ctx)
	w.ok(err)
	for _, g := range list {
		if g.Key == key {
			return g.ID
		}
	}
	w.Fatalf("no group %s", key)
	return ""
}

// places says what a person has: "apollo:owner".
func (w *world) places(key string) string {
	w.Helper()
	list, err := w.r.MembershipsOf(ctx, w.ids[key])
	w.ok(err)
	var out []string
	for _, m := range list {
		out = append(out, m.Of.Key+":"+string(m.Role))
	}
	return strings.Join(out, " ")
}

// sees says whether the index lets a person view a group's channel.
func (w *world) sees(key, group string) bool {
	w.Helper()
	groups, err := w.r.Groups(ctx)
	w.ok(err)
	for _, g := range groups {
		if g.Key == group {
			ok, _ := w.index.Allow(w.ids[key], g.Channels[0].ID, authz.View)
			return ok
		}
	}
	return false
}

func (w *world) want(what, got, want string) {
	w.Helper()
	if got != want {
		w.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (w *world) try(kind policies.ApprovalKind, who, group string, role policies.Role, days int) (approvals.Request, error) {
	return w.e.Ask(ctx, directory.Cause{Actor: string(w.ids[who])}, approvals.Request{Kind: kind, Requester: w.ids[who], Subject: w.ids[who], Object: string(w.group(group)),
		Role: role, Days: days, Reason: "for the project"})
}

func (w *world) ask(kind policies.ApprovalKind, who, group string, role policies.Role, days int) approvals.Request {
	w.Helper()
	r, err := w.try(kind, who, group, role, days)
	w.ok(err)
	return r
}

func (w *world) approve(who string, r approvals.Request) error {
	_, err := w.e.Approve(ctx, directory.Cause{Actor: string(w.ids[who])}, w.ids[who], r.ID, "fine")
	return err
}

// waits names who has something to decide.
func (w *world) waits(keys ...string) string {
	w.Helper()
	var out []string
	for _, key := range keys {
		list, err := w.e.For(ctx, w.ids[key])
		w.ok(err)
		if len(list) > 0 {
			out = append(out, key)
		}
	}
	return strings.Join(out, " ")
}

func (w *world) inbox(key string) string {
	w.Helper()
	var kinds []string
	w.ok(w.db.Read(ctx).Raw("select kind from notices where person = ? order by at, id", w.ids[key]).Scan(&kinds).Error)
	return strings.Join(kinds, " ")
}

func (w *world) head() [3]int64 {
	w.Helper()
	var n [3]int64
	w.ok(w.db.Read(ctx).Raw("select seq from feed_counter").Scan(&n[0]).Error)
	w.ok(w.db.Read(ctx).Raw("select size from audit_tree").Scan(&n[1]).Error)
	w.ok(w.db.Read(ctx).Raw("select count(*) from approval_decisions").Scan(&n[2]).Error)
	return n
}

func both(t *testing.T, fn func(w *world)) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) { fn(newWorld(t, d)) })
}

func (w *world) channel(group string) id.Channel {
	w.Helper()
	groups, err := w.r.Groups(ctx)
	w.ok(err)
	for _, g := range groups {
		if g.Key == group {
			return g.Channels[0].ID
		}
	}
	return ""
}

func replace(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }
