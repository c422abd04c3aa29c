package provisioning_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

var (
	scalePeople = flag.Int("people", 2000, "how many people the company of BenchmarkScale has")
	scaleParts  = flag.String("parts", "run plan rewrite edit move leave", "what BenchmarkScale measures")
	scaleKeep   = flag.String("company", "", "a folder in which BenchmarkScale keeps the company it made, for the next run (SQLite)")
)

const (
	scaleRules    = 500
	scaleGroups   = 2000
	scaleChannels = 5 // of each group
)

// scaleRule is the condition of one of 500 rules: most are about a unit, some about two facts, three about nearly everybody.
func scaleRule(i int) string {
	switch {
	case i < 300:
		return fmt.Sprintf(`within("team-%d")`, i)
	case i < 400:
		return fmt.Sprintf(`person.department == "dept-%d" && person.title.startsWith("Head")`, i-300)
	case i < 450:
		return fmt.Sprintf(`person.labels["site"] == "site-%d" && within("div-%d")`, i%10, (i-400)/10)
	case i < 490:
		return fmt.Sprintf(`"hr/g%d" in person.groups`, i-450)
	case i < 495:
		return fmt.Sprintf(`person.company == "company-%d" && person.employee_type != "vendor"`, i-490)
	case i < 497:
		return fmt.Sprintf(`person.title.matches("^(Head|Lead) of .*%d$")`, i)
	case i < 499:
		return `person.employee_type != "vendor"`
	}
	return `person.manager != ""`
}

// scalePolicy writes the policy; edit changes rules before they are written.
func scalePolicy(edit func(i int, when string) string) string {
	var b strings.Builder
	b.WriteString("apiVersion: rollcall/v1\nguard:\n  move: {people: 1000000}\n  cleanup: {people: 1000000}\ngroups:\n")
	for i := range scaleGroups {
		fmt.Fprintf(&b, "  - key: g%d\n    name: {en: Group %d, zh: 项目 %d}\n    channels:\n", i, i, i)
		for c := range scaleChannels {
			fmt.Fprintf(&b, "      - {key: c%d, name: {en: Channel %d, zh: 频道 %d}}\n", c, c, c)
		}
		if i < scaleRules {
			when := scaleRule(i)
			if edit != nil {
				when = edit(i, when)
			}
			fmt.Fprintf(&b, "    rules:\n      - {key: r, role: participant, when: %q}\n", when)
		}
	}
	return b.String()
}

// company is a world of many people, of 1,000 teams in 100 departments in 10 divisions.
type company struct {
	*world
	people []id.Person
}

func (w *world) scaleRecord(i int) directory.Record {
	r := directory.Record{Source: w.source.ID, Key: fmt.Sprint("k", i), UserName: fmt.Sprintf("user%d@corp.example", i), Active: true,
		UnitKey: fmt.Sprint("team-", i%1000), Raw: []byte(fmt.Sprintf(`{"entryUUID":"%032d","mail":"user%d@corp.example"}`, i, i))}
	r.DisplayName, r.GivenName, r.FamilyName = fmt.Sprint("User ", i), "User", fmt.Sprint(i)
	r.Emails = []directory.Email{{Value: r.UserName, Primary: true}}
	r.Department, r.Company = fmt.Sprint("dept-", i/10%100), fmt.Sprint("company-", i%5)
	r.Title, r.EmployeeNumber, r.Locale = "Engineer", fmt.Sprint(100000+i), "zh-CN"
	if i%20 == 3 {
		r.Title = fmt.Sprint("Head of ", i/10%100)
	}
	r.Labels = map[string]string{"site": fmt.Sprint("site-", i/7%10)}
	if i%25 == 7 {
		r.EmployeeType = "vendor"
	}
	if i >= 1000 {
		r.ManagerKey = fmt.Sprint("k", i%1000)
	}
	return r
}

func (c *company) fill(n int) {
	var units []directory.Change
	for d := range 10 {
		units = append(units, directory.PutUnit{Unit: directory.Unit{Source: c.source.ID, Key: fmt.Sprint("div-", d), Name: fmt.Sprint("Division ", d)}})
	}
	for d := range 100 {
		units = append(units, directory.PutUnit{Unit: directory.Unit{Source: c.source.ID, Key: fmt.Sprint("dept-", d), Name: fmt.Sprint("Department ", d)}, ParentKey: fmt.Sprint("div-", d/10)})
	}
	for d := range 1000 {
		units = append(units, directory.PutUnit{Unit: directory.Unit{Source: c.source.ID, Key: fmt.Sprint("team-", d), Name: fmt.Sprint("Team ", d)}, ParentKey: fmt.Sprint("dept-", d/10)})
	}
	c.apply(units...)
	members := map[int][]string{}
	for first := 0; first < n; first += 500 {
		var changes []directory.Change
		for i := first; i < min(first+500, n); i++ {
			changes = append(changes, directory.PutRecord{Record: c.scaleRecord(i)})
			members[i%400] = append(members[i%400], fmt.Sprint("k", i))
		}
		c.apply(changes...)
	}
	for g := range 400 {
		c.apply(directory.PutGroup{Group: directory.GroupRecord{Source: c.source.ID, Key: fmt.Sprint("g", g), DisplayName: fmt.Sprint("g", g)}, Members: members[g]})
	}
	c.ok(c.db.Analyze(ctx))
	c.policy(scalePolicy(nil))
	c.ok(c.db.Analyze(ctx))
}

// multiply puts k more people beside each one, who differ from them by name alone: what the directory, the memberships and the relations hold of them.
func (c *company) multiply(k int) {
	pool, err := c.db.Pool()
	c.ok(err)
	for _, t := range []struct {
		table string
		own   []string // columns in which they differ
	}{{"persons", []string{"id", "user_name"}}, {"records", []string{"link", "record_key", "person_id", "user_name", "user_name_fold", "user_name_key", "employee_number"}},
		{"group_members", []string{"value"}}, {"memberships", []string{"id", "person"}}, {"reasons", []string{"id", "membership"}}, {"authz_tuples", []string{"user_ref"}}} {
		rows, err := pool.Query("select * from " + t.table + " limit 0")
		c.ok(err)
		columns, err := rows.Columns()
		c.ok(err)
		c.ok(rows.Close())
		values := slices.Clone(columns)
		for i, name := range columns {
			if slices.Contains(t.own, name) {
				values[i] = name + " || '-' || k.n"
			}
		}
		where := ""
		if t.table == "authz_tuples" {
			where = " where user_ref like 'user:%'"
		}
		_, err = pool.Exec(fmt.Sprintf("insert into %s (%s) select %s from %s, (with recursive k (n) as (select 1 union all select n + 1 from k where n < %d) select n from k) k%s",
			t.table, strings.Join(columns, ", "), strings.Join(values, ", "), t.table, k, where))
		c.ok(err)
	}
	c.ok(c.db.Analyze(ctx))
}

// scaleBase is how many people are hired; of a larger company the others are made beside them.
const scaleBase = 2000

// newCompany makes the company, or takes a copy of one that was kept.
func newCompany(b *testing.B, engine db.Engine) *company {
	b.Helper()
	kept := ""
	if *scaleKeep != "" && engine == db.SQLite {
		kept = filepath.Join(*scaleKeep, fmt.Sprintf("company-%d.db", *scalePeople))
	}
	fresh := true
	dsn := dbtest.DSN(b, engine)
	if _, err := os.Stat(kept); kept != "" && err == nil {
		whole, err := os.ReadFile(kept)
		if err == nil {
			err = os.WriteFile(strings.TrimPrefix(dsn, "sqlite:"), whole, 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
		fresh = false
	}
	c := &company{}
	d := dbtest.Open(b, dsn)
	if fresh {
		c.world = newWorld(b, d)
		began := time.Now()
		c.fill(min(*scalePeople, scaleBase))
		if more := *scalePeople/scaleBase - 1; more > 0 {
			c.multiply(more)
			c.ok(c.index.Load(ctx))
		}
		b.Logf("%s: filled in %.1f s", engine, time.Since(began).Seconds())
		if kept != "" {
			pool, err := d.Pool()
			c.ok(err)
			_, err = pool.Exec("vacuum into ?", kept)
			c.ok(err)
		}
	} else {
		c.world = openWorld(b, d)
	}
	c.policyOff()
	c.catchUp()
	var err error
	c.people, err = c.world.people.AllPeople(ctx)
	c.ok(err)
	return c
}

// policyOff lets the clock run: what is measured is not about time.
func (c *company) policyOff() {
	c.world.people.Now, c.tuples.Now, c.index.Now, c.r.Now = nil, nil, nil, nil
}

// catchUp has the follower come to the end of the feed, as a server's has a moment after the last change.
func (c *company) catchUp() {
	running, stop := context.WithCancel(ctx)
	defer stop()
	head, err := c.feed.Head(ctx)
	c.ok(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.feed.Run(running, c.r.Follower())
	}()
	for at := int64(0); at < head; {
		time.Sleep(50 * time.Millisecond)
		at, err = c.feed.Position(ctx, "reconcile")
		c.ok(err)
	}
	stop()
	<-done
}

// cost runs fn on one core and answers its time, its CPU and the most heap that was in use meanwhile.
func cost(fn func()) (took, cpu time.Duration, heap uint64) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	debug.FreeOSMemory()
	var most atomic.Uint64
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse+m.StackInuse))
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	before, began := cpuTime(), time.Now()
	fn()
	took, cpu = time.Since(began), cpuTime()-before
	close(done)
	watch.Wait()
	return took, cpu, most.Load()
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (c *company) report(b *testing.B, what string, fn func()) {
	took, cpu, heap := cost(fn)
	load, _ := os.ReadFile("/proc/loadavg")
	b.Logf("%s: %.2f s, %.2f s of CPU, %d MB of heap at most, load %.4s", what, took.Seconds(), cpu.Seconds(), heap>>20, load)
}

// BenchmarkScale prints what a company costs: run it once, with -people 100000 for the figures of docs/performance.md.
func BenchmarkScale(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			c := newCompany(b, engine)
			for b.Loop() {
				c.measure(b)
			}
		})
	}
}

func (c *company) plan(edit func(int, string) string) *provisioning.Plan {
	p, err := c.r.PlanPolicy(ctx, []provisioning.File{{Name: "policy.yaml", Source: scalePolicy(edit)}}, "bench")
	c.ok(err)
	return p
}

// naive has the interpreter ask every rule about some of the people, and answers what that costs for one of them.
func (c *company) naive(b *testing.B) time.Duration {
	p, err := policies.Parse(policies.File{Name: "policy.yaml", Source: scalePolicy(nil)})
	c.ok(err)
	const some = 500
	_, cpu, _ := cost(func() {
		for i := range some {
			r := c.scaleRecord(i)
			team := i % 1000
			if _, err := p.EvaluateAll(policies.Subject{ID: r.Key, DisplayName: r.DisplayName, UserName: r.UserName, Title: r.Title, Department: r.Department, Company: r.Company,
				EmployeeType: r.EmployeeType, Labels: r.Labels, Manager: "k1", Groups: []string{fmt.Sprint("hr/g", i%400)}, UnitKey: r.UnitKey,
				UnitPath: []string{r.UnitKey, fmt.Sprint("dept-", team/10), fmt.Sprint("div-", team/100)}}); err != nil {
				b.Fatal(err)
			}
		}
	})
	return cpu / some
}

func (c *company) measure(b *testing.B) {
	each := c.naive(b)
	b.Logf("every rule asked about every person, without reading or comparing anything: %s each, %.0f s for all", each, (each * time.Duration(len(c.people))).Seconds())
	for _, part := range strings.Fields(*scaleParts) {
		switch part {
		case "run":
			c.report(b, "full run, nothing changed", func() {
				result, err := c.r.ReconcileAll(ctx)
				c.ok(err)
				if result.Written != 0 {
					b.Errorf("a run over an unchanged company wrote %d changes", result.Written)
				}
			})
		case "plan":
			c.report(b, "plan, nothing changed", func() { c.plan(nil) })
		case "rewrite":
			c.report(b, "plan, every rule touched", func() {
				c.plan(func(_ int, when string) string { return "(" + when + ") && true" })
			})
		case "edit":
			var p *provisioning.Plan
			c.report(b, "plan, a rule edit that touches a tenth", func() { p = c.plan(scaleEdit) })
			b.Logf("that plan: %+v", p.Summary())
		case "move":
			c.movers(b)
		case "leave":
			c.leavers(b)
		default:
			b.Fatalf("no part %q", part)
		}
	}
}

// scaleEdit takes half of a fifth of the company out of a group.
func scaleEdit(i int, when string) string {
	if i != 490 {
		return when
	}
	return `person.company == "company-0" && person.employee_type != "vendor" && !within("div-0") && !within("div-1") && !within("div-2") && !within("div-3") && !within("div-4")`
}

// movers changes one person after the other: until the call has returned, and with it what the memberships ought to be is in force.
func (c *company) movers(b *testing.B) {
	n := min(1000, scaleBase/2, len(c.people)/2)
	var took []time.Duration
	for i := range n {
		r := c.scaleRecord(i)
		r.UnitKey = fmt.Sprint("team-", (i+7)%1000)
		began := time.Now()
		c.apply(directory.PutRecord{Record: r})
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.Logf("one person moves: p50 %s, p99 %s of %d", took[n/2], took[n*99/100], n)
}

// leavers offboards a tenth of the company, each by a call of its own that returns when nothing is delivered any more; 16 clients.
func (c *company) leavers(b *testing.B) {
	n := len(c.people) / 10
	var next atomic.Int64
	next.Store(int64(len(c.people) - n))
	took, cpu, _ := cost(func() {
		runtime.GOMAXPROCS(runtime.NumCPU())
		var clients sync.WaitGroup
		for range 16 {
			clients.Go(func() {
				for i := int(next.Add(1) - 1); i < len(c.people); i = int(next.Add(1) - 1) {
					r := c.scaleRecord(i)
					r.Active = false
					if _, err := c.world.people.Apply(ctx, directory.Cause{Source: c.source.ID}, directory.PutRecord{Record: r}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		clients.Wait()
	})
	b.Logf("%d offboardings, each with its own guarantee: %.1f s, %.1f s of CPU", n, took.Seconds(), cpu.Seconds())
}
