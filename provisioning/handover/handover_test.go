package handover_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
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
      - {key: rnd, role: participant, when: person.department == "R&D"}
      - {key: heads, role: owner, when: person.department == "R&D" && person.title == "Head"}
    successors: [manager, {member: participant}]
  - key: sales
    name: {en: Sales, zh: 销售}
    channels:
      - {key: general, name: {en: General, zh: 综合}}
    rules:
      - {key: heads, role: owner, when: person.department == "Sales" && person.title == "Head"}
      - {key: outside, role: vendor, when: person.employee_type == "vendor"}
    successors: [manager]
  - key: quiet
    name: {en: Quiet, zh: 安静}
    channels:
      - {key: general, name: {en: General, zh: 综合}}
    rules:
      - {key: heads, role: owner, when: person.title == "Head"}
  - key: vault
    name: {en: Vault, zh: 金库}
    channels:
      - {key: secrets, name: {en: Secrets, zh: 机密}, labels: [restricted]}
    rules:
      - {key: keepers, role: owner, when: person.title == "Keeper"}
    successors: [manager]
`

type world struct {
	testing.TB
	db     *db.DB
	people *directory.Store
	r      *provisioning.Reactor
	e      *handover.Engine
	source directory.Source
	now    time.Time
	facts  map[string]string
	ids    map[string]id.Person
}

var ctx = context.Background()

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	w := &world{TB: t, db: d, now: time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC), facts: map[string]string{}, ids: map[string]id.Person{}}
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate, authz.Migrate, provisioning.Migrate, notices.Migrate, handover.Migrate} {
		w.ok(migrate(ctx, d))
	}
	log := slog.New(slog.DiscardHandler)
	clock := func() time.Time { return w.now }
	f := feed.New(d, "test", log)
	w.people = directory.New(d, f, log)
	tuples := authz.New(d, log)
	index := authz.NewIndex(tuples)
	w.r = provisioning.New(d, f, w.people, tuples, index, log)
	w.people.Access = w.r
	w.people.Now, tuples.Now, index.Now, w.r.Now = clock, clock, clock, clock
	w.ok(index.Load(ctx))
	w.e = &handover.Engine{DB: d, Directory: w.people, Outsiders: w.r.Outsiders, Now: clock, Log: log,
		Admins: func(context.Context) ([]id.Person, error) { return []id.Person{"per_admin"}, nil },
		Kinds:  map[string]handover.Owned{handover.KindGroup: handover.Groups{Reactor: w.r}}}
	var err error
	w.source, err = w.people.CreateSource(ctx, directory.Cause{}, directory.Source{Name: "hr", Kind: directory.KindLDAP, Priority: 10})
	w.ok(err)
	_, err = w.r.SetPolicy(ctx, directory.Cause{Actor: "tester"}, []provisioning.File{{Name: "policy.yaml", Source: policyText}})
	w.ok(err)
	return w
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
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
		case "type":
			r.EmployeeType = value
		case "manager":
			r.ManagerKey = value
		case "active":
			r.Active = value == "true"
		case "leave":
			r.LeaveFrom = w.now.Add(-time.Hour)
		default:
			w.Fatalf("fact %q", fact)
		}
	}
	applied, err := w.people.Apply(ctx, directory.Cause{Source: w.source.ID}, directory.PutRecord{Record: r})
	w.ok(err)
	w.ids[key], w.facts[key] = applied.Records[0].Person, facts
	return w.ids[key]
}

func (w *world) look() {
	w.Helper()
	w.now = w.now.Add(time.Second)
	w.ok(w.e.Look(ctx, handover.KindGroup, nil))
}

func (w *world) open(state handover.State) []handover.Step {
	w.Helper()
	list, err := w.e.Steps(ctx, state)
	w.ok(err)
	return list
}

func (w *world) offers(key string) handover.Step {
	w.Helper()
	list, err := w.e.To(ctx, w.ids[key])
	w.ok(err)
	for _, s := range list {
		if s.State == handover.Offered {
			return s
		}
	}
	return handover.Step{}
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

func (w *world) want(what, got, want string) {
	w.Helper()
	if got != want {
		w.Errorf("%s: %q, want %q", what, got, want)
	}
}

// dangling answers what nobody answers for although somebody did, and what does not wait for an administrator either.
func (w *world) dangling() string {
	w.Helper()
	things, err := handover.Groups{Reactor: w.r}.Things(ctx, nil)
	w.ok(err)
	waits := map[string]bool{}
	for _, s := range w.open(handover.Waiting) {
		waits[s.Thing] = true
	}
	for _, t := range things {
		held := waits[t.ID]
		for _, o := range t.Owners {
			p, err := w.people.Person(ctx, o.Person)
			w.ok(err)
			held = held || handover.Able(p)
		}
		if !held {
			return t.ID
		}
	}
	return ""
}

func both(t *testing.T, fn func(w *world)) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) { fn(newWorld(t, d)) })
}

// There and back, twice: who stands in has it as long as it is needed; nothing is left of it, and one notice of a day.
func TestStandsInAsLongAsNeeded(t *testing.T) {
	both(t, func(w *world) {
		w.put("boss", "dept=Board")
		w.put("zhang", "dept=Sales title=Head manager=boss")
		w.put("other", "dept=Board title=Head")
		w.look()
		for range 2 {
			w.put("zhang", "dept=Sales title=Head manager=boss active=false")
			w.look()
			w.look()
			w.want("while away", w.places("boss"), "sales:owner")
			w.put("zhang", "dept=Sales title=Head manager=boss")
			w.look()
			w.want("back", w.places("boss"), "")
			w.want("back", w.places("zhang"), "quiet:owner sales:owner")
		}
		told, err := (&notices.Store{DB: w.db}).Told(ctx, handover.KindOffered, time.Unix(0, 0))
		w.ok(err)
		w.want("told", fmt.Sprint(len(told)), "1")
	})
}

// Whoever keeps out who answered for restricted channels does not take them over by it: it goes past them, to the next or to the administrators. What a token
// did may be any administrator's hand. What a source says is nobody's.
func TestNobodyTakesOverByTheirOwnHand(t *testing.T) {
	both(t, func(w *world) {
		w.put("chief", "dept=Board")
		w.put("boss", "dept=Board manager=chief")
		keeper := w.put("keeper", "dept=Vault title=Keeper manager=boss")
		w.look()
		w.e.Admins = func(context.Context) ([]id.Person, error) { return []id.Person{w.ids["boss"], w.ids["chief"]}, nil }
		frozen := func(actor string) {
			w.Helper()
			_, err := w.people.Apply(ctx, directory.Cause{Actor: actor}, directory.FreezePerson{Person: keeper})
			w.ok(err)
			w.look()
		}
		back := func() {
			w.Helper()
			standing, err := w.people.Freezes(ctx, keeper)
			w.ok(err)
			for _, f := range standing {
				if f.LiftedAt.IsZero() {
					_, err := w.people.Apply(ctx, directory.Cause{Actor: "per_other"}, directory.LiftFreeze{Freeze: f.ID})
					w.ok(err)
				}
			}
			w.look()
		}
		frozen(string(w.ids["boss"]))
		w.want("by their manager", w.places("boss")+"/"+w.places("chief"), "/vault:owner")
		back()
		frozen("per_other")
		w.want("by somebody else", w.places("boss")+"/"+w.places("chief"), "vault:owner/")
		back()
		frozen("tok_somebody")
		w.want("by a token", w.places("boss")+"/"+w.places("chief"), "/")
		w.want("waits", fmt.Sprint(len(w.open(handover.Waiting))), "1")
		back()
		w.put("keeper", "dept=Vault title=Keeper manager=boss active=false")
		w.look()
		w.want("by the source", w.places("boss"), "vault:owner")
	})
}

// A mover hands over too, to who was above them before the move; the role follows their own facts.
func TestMover(t *testing.T) {
	both(t, func(w *world) {
		w.put("old", "dept=Board")
		w.put("new", "dept=Board")
		w.put("zhang", "dept=Sales title=Head manager=old")
		w.look()
		w.put("zhang", "dept=Board title=Head manager=new")
		w.look()
		w.want("of the old team", w.places("old"), "sales:owner")
		w.want("of the new one", w.places("new"), "")
		w.ok(w.e.Accept(ctx, w.ids["old"], w.offers("old").ID))
		w.put("wang", "dept=Sales title=Head")
		w.look()
		w.want("accepted is kept", w.places("old"), "sales:owner")
	})
}

// Nothing dangles, whatever the order of leaving, coming back, moving, going on leave, accepting and refusing.
func TestNothingDangles(t *testing.T) {
	tried, cases := 0, 25
	if testing.Short() {
		cases = 6
	}
	names := []string{"ann", "bob", "cid", "dan", "eve"}
	rapid.Check(t, func(rt *rapid.T) {
		if tried++; tried > cases { // each one is a database
			return
		}
		w := newWorld(t, dbtest.SQLite(t))
		for i, name := range names {
			w.put(name, fmt.Sprintf("dept=%s title=%s manager=%s", []string{"R&D", "Sales"}[i%2], []string{"Head", "Clerk"}[i%3%2], names[(i+1)%len(names)]))
		}
		for range rapid.IntRange(3, 12).Draw(rt, "steps") {
			name := rapid.SampledFrom(names).Draw(rt, "who")
			switch rapid.SampledFrom([]string{"put", "put", "put", "accept", "refuse", "look"}).Draw(rt, "what") {
			case "put":
				facts := "dept=" + rapid.SampledFrom([]string{"R&D", "Sales", "Board"}).Draw(rt, "dept") + " title=" + rapid.SampledFrom([]string{"Head", "Clerk"}).Draw(rt, "title") +
					" manager=" + rapid.SampledFrom(names).Draw(rt, "manager") + rapid.SampledFrom([]string{"", "", " active=false", " leave=true", " type=vendor"}).Draw(rt, "state")
				w.put(name, facts)
			case "accept":
				if s := w.offers(name); s.ID != "" {
					w.ok(w.e.Accept(ctx, w.ids[name], s.ID))
				}
			case "refuse":
				if s := w.offers(name); s.ID != "" {
					w.ok(w.e.Refuse(ctx, w.ids[name], s.ID))
				}
			}
			w.look()
			if thing := w.dangling(); thing != "" {
				rt.Fatalf("nobody answers for %s after %v", thing, w.facts)
			}
			for _, s := range w.open(handover.Offered) {
				p, err := w.people.Person(ctx, s.To)
				w.ok(err)
				if !handover.Able(p) || strings.Contains(w.facts[strings.ToLower(p.DisplayName)], "vendor") {
					rt.Fatalf("offered to %s, who is %v", p.DisplayName, w.facts)
				}
			}
		}
		head := func() string {
			var n [2]int64
			w.ok(w.db.Read(ctx).Raw("select seq from feed_counter").Scan(&n[0]).Error)
			w.ok(w.db.Read(ctx).Raw("select size from audit_tree").Scan(&n[1]).Error)
			return fmt.Sprint(n)
		}
		before := head()
		w.look()
		if after := head(); before != after {
			rt.Fatalf("a second look wrote: %s, %s", before, after)
		}
	})
}
