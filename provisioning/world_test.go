package provisioning_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
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
	"github.com/rollcall-im/rollcall/provisioning"
)

const policyText = `apiVersion: rollcall/v1
groups:
  - key: apollo
    name: {en: Apollo, zh: 阿波罗}
    channels:
      - {key: general, name: {en: General, zh: 综合}}
      - {key: leads, name: {en: Leads, zh: 负责人}, access: {participant: none, collaborator: none}}
    rules:
      - {key: rnd, role: participant, when: person.department == "R&D"}
      - {key: heads, role: owner, when: person.department == "R&D" && person.title == "Head"}
  - key: sales
    name: {en: Sales, zh: 销售}
    channels:
      - {key: general, name: {en: General, zh: 综合}}
    rules:
      - {key: dept, role: participant, when: person.department == "Sales"}
  - key: everybody
    name: {en: Everybody, zh: 全员}
    channels:
      - {key: news, name: {en: News, zh: 新闻}, access: {participant: read, vendor: read}}
    rules:
      - {key: staff, role: participant, when: person.employee_type != "vendor"}
      - {key: outside, role: vendor, when: person.employee_type == "vendor"}
  - key: reports
    name: {en: Reports, zh: 下属}
    channels:
      - {key: general, name: {en: General, zh: 综合}}
    rules:
      - {key: managed, role: collaborator, when: person.manager != ""}
`

// world is one deployment of one node, made of the real parts.
type world struct {
	testing.TB
	db     *db.DB
	feed   *feed.Feed
	people *directory.Store
	tuples *authz.Store
	index  *authz.Index
	r      *provisioning.Reactor
	source directory.Source
	links  map[string]id.Link
	mu     sync.Mutex
	now    time.Time
}

// barrier remembers which revisions were waited for.
type barrier struct {
	*authz.Index
	mu    sync.Mutex
	waits []int64
}

func (b *barrier) Settled(ctx context.Context, rev int64) error {
	b.mu.Lock()
	b.waits = append(b.waits, rev)
	b.mu.Unlock()
	return b.Index.Settled(ctx, rev)
}

var ctx = context.Background()

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate, authz.Migrate, provisioning.Migrate} {
		if err := migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	w := bareWorld(t, d)
	w.ok(w.index.Load(ctx))
	var err error
	w.source, err = w.people.CreateSource(ctx, directory.Cause{}, directory.Source{Name: "hr", Kind: directory.KindLDAP, Priority: 10})
	w.ok(err)
	return w
}

// openWorld opens what newWorld made.
func openWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate, authz.Migrate, provisioning.Migrate} {
		if err := migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	w := bareWorld(t, d)
	w.ok(w.index.Load(ctx))
	sources, err := w.people.Sources(ctx)
	w.ok(err)
	w.source = sources[0]
	return w
}

func bareWorld(t testing.TB, d *db.DB) *world {
	log := slog.New(slog.DiscardHandler)
	w := &world{TB: t, db: d, links: map[string]id.Link{}, now: time.Now().UTC()}
	w.feed = feed.New(d, "test", log)
	w.people = directory.New(d, w.feed, log)
	w.tuples = authz.New(d, log)
	w.index = authz.NewIndex(w.tuples)
	w.r = provisioning.New(d, w.feed, w.people, w.tuples, w.index, log)
	w.people.Access = w.r
	w.people.Now, w.tuples.Now, w.index.Now, w.r.Now = w.clock, w.clock, w.clock, w.clock
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

func (w *world) policy(text string) provisioning.Result {
	w.Helper()
	result, err := w.r.SetPolicy(ctx, directory.Cause{Actor: "tester"}, []provisioning.File{{Name: "policy.yaml", Source: text}})
	w.ok(err)
	return result
}

func (w *world) apply(changes ...directory.Change) directory.Applied {
	w.Helper()
	applied, err := w.people.Apply(ctx, directory.Cause{Source: w.source.ID}, changes...)
	w.ok(err)
	return applied
}

// record makes a record of key: "dept=R&D title=Head manager=k2 active=false type=vendor" and so on.
func (w *world) record(key, facts string) directory.Record {
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
		case "start":
			d, err := time.ParseDuration(value)
			w.ok(err)
			r.StartAt = w.clock().Add(d).Truncate(time.Second)
		default:
			w.Fatalf("fact %q", fact)
		}
	}
	return r
}

func (w *world) put(key, facts string) id.Person {
	w.Helper()
	return w.apply(directory.PutRecord{Record: w.record(key, facts)}).Records[0].Person
}

func (w *world) putMany(n int, prefix, facts string) []id.Person {
	w.Helper()
	var changes []directory.Change
	for i := range n {
		changes = append(changes, directory.PutRecord{Record: w.record(fmt.Sprintf("%s%03d", prefix, i), facts)})
	}
	var out []id.Person
	for _, r := range w.apply(changes...).Records {
		out = append(out, r.Person)
	}
	return out
}

func (w *world) absent(keys ...string) {
	w.Helper()
	w.apply(directory.MarkAbsent{Source: w.source.ID, Keys: keys, Proof: "read to the end"})
}

// places says what a person has: "apollo:participant everybody:participant".
func (w *world) places(p id.Person) string {
	w.Helper()
	list, err := w.r.MembershipsOf(ctx, p)
	w.ok(err)
	var out []string
	for _, m := range list {
		text := m.Of.Key + ":" + string(m.Role)
		if m.Held {
			text += "!"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// sees says what the index lets a person view: "apollo/general everybody/news".
func (w *world) sees(p id.Person) string {
	w.Helper()
	groups, err := w.r.Groups(ctx)
	w.ok(err)
	var out []string
	for _, g := range groups {
		for _, c := range g.Channels {
			if ok, _ := w.index.Allow(p, c.ID, authz.View); ok {
				out = append(out, g.Key+"/"+c.Key)
			}
		}
	}
	return strings.Join(out, " ")
}

func (w *world) channel(group, key string) provisioning.Channel {
	w.Helper()
	groups, err := w.r.Groups(ctx)
	w.ok(err)
	for _, g := range groups {
		for _, c := range g.Channels {
			if g.Key == group && c.Key == key {
				return c
			}
		}
	}
	w.Fatalf("no channel %s/%s", group, key)
	return provisioning.Channel{}
}

func (w *world) want(what, got, want string) {
	w.Helper()
	if got != want {
		w.Errorf("%s: %q, want %q", what, got, want)
	}
}

// tables names every table but those of the migrations.
func (w *world) tables() []string {
	w.Helper()
	query := "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name"
	if w.db.Engine == db.Postgres {
		query = "select table_name from information_schema.tables where table_schema = 'public' order by table_name"
	}
	var tables []string
	w.ok(w.db.Read(ctx).Raw(query).Scan(&tables).Error)
	return slices.DeleteFunc(tables, func(t string) bool { return strings.HasPrefix(t, "migrations_") })
}

// count counts the rows of every table.
func (w *world) count() map[string]int64 {
	w.Helper()
	out := map[string]int64{}
	for _, table := range w.tables() {
		var n int64
		w.ok(w.db.Read(ctx).Raw("select count(*) from " + table).Scan(&n).Error)
		out[table] = n
	}
	return out
}

// content answers every row of every table, so that an update shows too.
func (w *world) content() map[string]string {
	w.Helper()
	out := map[string]string{}
	for _, table := range w.tables() {
		var rows []map[string]any
		w.ok(w.db.Read(ctx).Raw("select * from " + table).Scan(&rows).Error)
		lines := make([]string, len(rows))
		for i, row := range rows {
			lines[i] = fmt.Sprint(row)
		}
		slices.Sort(lines)
		out[table] = strings.Join(lines, "\n")
	}
	return out
}

// untouched runs fn and fails where it added, changed or removed a row of any table.
func (w *world) untouched(what string, fn func()) {
	w.Helper()
	before := w.content()
	fn()
	after := w.content()
	for table, rows := range after {
		if rows != before[table] {
			w.Errorf("%s wrote to %s", what, table)
		}
	}
}

func (w *world) revision() int64 {
	var rev int64
	w.ok(w.db.Read(ctx).Raw("select seq from authz_counter").Scan(&rev).Error)
	return rev
}

// events answers the kinds of membership events after seq, sorted.
func (w *world) events(after int64) []string {
	w.Helper()
	list, err := w.feed.After(ctx, after, 1000)
	w.ok(err)
	var out []string
	for _, e := range list {
		if strings.HasPrefix(e.Kind, "membership.") {
			var data provisioning.MembershipEvent
			w.ok(json.Unmarshal(e.Data, &data))
			out = append(out, e.Kind+" "+string(data.Role))
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) head() int64 {
	seq, err := w.feed.Head(ctx)
	w.ok(err)
	return seq
}

func (w *world) holds(state string) []provisioning.Hold {
	w.Helper()
	list, err := w.r.Holds(ctx, state)
	w.ok(err)
	return list
}

// sound holds what must be true after every story: a current membership has a standing reason and the role of
// its strongest, nothing past has one, the tuples are exactly those of the memberships, and the audit log is whole.
func (w *world) sound() {
	w.Helper()
	for what, query := range map[string]string{
		"memberships without a reason": "select count(*) from memberships m where m.ended_at is null and not exists (select 1 from reasons r where r.membership = m.id and r.ended_at is null)",
		"reasons without a membership": "select count(*) from reasons r join memberships m on m.id = r.membership where r.ended_at is null and m.ended_at is not null",
		"memberships without a tuple": `select count(*) from memberships m where m.ended_at is null and not exists (select 1 from authz_tuples t
			where t.user_ref = 'user:' || m.person and t.object = 'project:' || m.group_id and t.relation = m.role)
			and exists (select 1 from reasons r where r.membership = m.id and r.ended_at is null and r.kind <> 'handover')`,
		"handover periods without a tuple": `select count(*) from reasons r join memberships m on m.id = r.membership join channels c on c.group_id = m.group_id and c.key = r.ref
			where r.kind = 'handover' and r.ended_at is null and m.ended_at is null and not exists (select 1 from authz_tuples t
			where t.user_ref = 'user:' || m.person and t.object = 'channel:' || c.id and t.relation in ('reader', 'writer', 'manager'))`,
		"tuples without a handover period": `select count(*) from authz_tuples t join channels c on t.object = 'channel:' || c.id and c.kind = 'project'
			where t.user_ref like 'user:%' and t.relation in ('reader', 'writer', 'manager') and not exists (select 1 from reasons r join memberships m on m.id = r.membership
			where r.kind = 'handover' and r.ended_at is null and m.ended_at is null and m.group_id = c.group_id and r.ref = c.key and t.user_ref = 'user:' || m.person)`,
		"tuples without a membership": `select count(*) from authz_tuples t where t.object like 'project:%' and not exists (select 1 from memberships m
			where m.ended_at is null and t.user_ref = 'user:' || m.person and t.object = 'project:' || m.group_id and (t.relation = m.role
			or t.relation in (select r.role from reasons r where r.membership = m.id and r.ended_at is null)))`,
		"tuples of archived channels":     `select count(*) from authz_tuples t join channels c on t.object = 'channel:' || c.id where c.archived_at is not null`,
		"fences that differ from freezes": `select count(*) from fences f where f.slot <> 'absent' and not exists (select 1 from freezes z where z.person_id = f.person and z.slot = f.slot and z.lifted_at is null and z.id = f.freeze_id)`,
		"freezes without a tuple":         `select count(*) from freezes z where z.lifted_at is null and not exists (select 1 from authz_tuples t where t.user_ref = 'user:' || z.person_id and t.object = 'freeze:' || z.slot)`,
	} {
		var n int
		w.ok(w.db.Read(ctx).Raw(query).Scan(&n).Error)
		if n != 0 {
			w.Errorf("%d %s", n, what)
		}
	}
	if _, err := audit.Verify(ctx, w.db, audit.Report{}); err != nil {
		w.Error(err)
	}
	differs, err := w.r.ScanDiffers(ctx)
	w.ok(err)
	for _, d := range differs {
		w.Errorf("read by and by, people are not what they are one by one:\n%s", d)
	}
}

// both runs a story on both engines.
func both(t *testing.T, fn func(w *world)) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		fn(w)
		w.sound()
	})
}

func sqlite(t testing.TB) *db.DB { return dbtest.SQLite(t) }
