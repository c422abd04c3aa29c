package authz

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// bigOrganisation makes people people in people/10 projects of about 11 people and 3 channels each, one project of
// everybody, and 1 in 50 with a planned end.
func bigOrganisation(people int) []Change {
	changes := []Change{put("org:main", "frozen", "freeze:ended#subject"), put("org:main", "frozen", "freeze:disabled#subject")}
	channel := func(name, project string) {
		changes = append(changes, put("channel:"+name, "org", "org:main"))
		for level, roles := range map[string][]string{"manager": {"owner"}, "writer": {"participant", "collaborator"}, "reader": {"vendor"}} {
			for _, role := range roles {
				changes = append(changes, put("channel:"+name, level, "project:"+project+"#"+role))
			}
		}
	}
	person := func(n int) string { return fmt.Sprintf("user:per_%026d", n) }
	for p := range people / 10 {
		project := fmt.Sprintf("grp_%026d", p)
		for c := range 3 {
			channel(fmt.Sprintf("chn_%024d_%d", p, c), project)
		}
		changes = append(changes, put("project:"+project, "owner", person(p*10)))
		for n := range 10 {
			changes = append(changes, put("project:"+project, "participant", person(p*10+n+1)))
		}
	}
	channel("chn_all", "all")
	end := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range people {
		changes = append(changes, put("project:all", "participant", person(n)))
		if n%50 == 49 {
			planned := put("freeze:ended", "subject", person(n))
			planned.Tuple.From = end
			changes = append(changes, planned)
		}
	}
	return changes
}

// company makes 100,000 people in 2,000 projects of five channels each, everybody in 29 of them: 10,000 channels and some 3 million relations.
func company(yield func(Change)) {
	yield(put("org:main", "frozen", "freeze:disabled#subject"))
	for p := range 2000 {
		for c := range 5 {
			channel := fmt.Sprintf("channel:chn_%024d_%d", p, c)
			yield(put(channel, "org", "org:main"))
			for _, role := range []string{"owner", "participant", "vendor"} {
				level := map[string]string{"owner": "manager", "participant": "writer", "vendor": "reader"}[role]
				yield(put(channel, level, fmt.Sprintf("project:grp_%026d#%s", p, role)))
			}
		}
	}
	roles := []string{"participant", "participant", "participant", "vendor", "owner"}
	for n := range 100000 {
		for i := range 29 {
			yield(put(fmt.Sprintf("project:grp_%026d", (n*7+i*67)%2000), roles[(n+i)%len(roles)], fmt.Sprintf("user:per_%026d", n)))
		}
	}
}

// BenchmarkCompany loads what company makes, asks and changes it.
func BenchmarkCompany(b *testing.B) {
	s := newStore(b, dbtest.SQLite(b))
	var batch []Change
	relations := 0
	company(func(c Change) {
		if batch = append(batch, c); len(batch) == 20000 {
			add(b, s, batch...)
			batch = batch[:0]
		}
		relations++
	})
	add(b, s, batch...)
	batch = nil
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / 1e6
	}
	var x *Index
	b.Run("load", func(b *testing.B) {
		before := heap()
		defer cpu(b)()
		for b.Loop() {
			x = nil
			x = loaded(b, s)
		}
		b.ReportMetric(heap()-before, "MB_heap")
		b.ReportMetric(float64(relations), "relations")
	})
	people, channels := make([]id.Person, 4096), make([]id.Channel, 4096)
	for i := range people {
		n := i * 24
		people[i], channels[i] = id.Person(fmt.Sprintf("per_%026d", n)), id.Channel(fmt.Sprintf("chn_%024d_%d", (n*7+i%29*67)%2000, i%5))
	}
	b.Run("allow", func(b *testing.B) {
		defer cpu(b)()
		for i := 0; b.Loop(); i++ {
			if ok, _ := x.Allow(people[i%4096], channels[i%4096], View); !ok {
				b.Fatalf("%s does not see %s", people[i%4096], channels[i%4096])
			}
		}
	})
	x.Attach(func(int64, []id.Person, []id.Channel) {})
	b.Run("change", func(b *testing.B) {
		defer cpu(b)()
		for i := 0; b.Loop(); i++ {
			c := put(fmt.Sprintf("project:grp_%026d", 5), "participant", fmt.Sprintf("user:per_%026d", 7))
			c.Delete = i%2 == 1
			x.g.apply(c)
			x.publish(x.plan(x.at(), false), x.Revision())
		}
	})
	b.Run("freeze", func(b *testing.B) {
		defer cpu(b)()
		for i := 0; b.Loop(); i++ {
			c := put("freeze:disabled", "subject", fmt.Sprintf("user:per_%026d", i%100000))
			c.Delete = i%2 == 1
			x.g.apply(c)
			x.publish(x.plan(x.at(), false), x.Revision())
		}
	})
}

// cpu reports the processor time of the whole process per operation: on a busy machine it says more than the clock.
func cpu(b *testing.B) func() {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	start := used()
	return func() { b.ReportMetric(float64(used()-start)/float64(b.N), "cpu-ns/op") }
}

func benchIndex(b *testing.B, people int) (*Store, *Index) {
	s := newStore(b, dbtest.SQLite(b))
	for changes := bigOrganisation(people); len(changes) > 0; {
		n := min(len(changes), 20000)
		add(b, s, changes[:n]...)
		changes = changes[n:]
	}
	return s, loaded(b, s)
}

func BenchmarkAllow(b *testing.B) {
	_, x := benchIndex(b, 10000)
	people, channels := make([]id.Person, 1024), make([]id.Channel, 1024)
	for i := range people {
		people[i] = id.Person(fmt.Sprintf("per_%026d", i*9))
		channels[i] = id.Channel(fmt.Sprintf("chn_%024d_%d", i*9/10, i%3))
	}
	b.Run("random", func(b *testing.B) {
		defer cpu(b)()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			x.Allow(people[i%1024], channels[i%1024], View)
		}
	})
	b.Run("planned end", func(b *testing.B) { // the clock is read for this person
		defer cpu(b)()
		for b.Loop() {
			x.Allow("per_00000000000000000000000049", "chn_all", View)
		}
	})
	b.Run("fan-out", func(b *testing.B) {
		defer cpu(b)()
		mayView := x.View("chn_all")
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			mayView(people[i%1024])
		}
	})
	b.Run("audience of 10000", func(b *testing.B) {
		defer cpu(b)()
		for b.Loop() {
			for range x.Audience("chn_all") {
			}
		}
	})
	b.Run("channels of a person", func(b *testing.B) {
		defer cpu(b)()
		for i := 0; b.Loop(); i++ {
			x.Channels(people[i%1024])
		}
	})
}

// The same questions to OpenFGA in the process, on SQLite, and what one change costs.
func BenchmarkCheck(b *testing.B) {
	s, x := benchIndex(b, 2000)
	e := ensured(b, s, startEmbedded(b, "sqlite:"+filepath.Join(b.TempDir(), "openfga.db")))
	drain(b, e)
	questions := x.sample(512)
	b.Run("openfga", func(b *testing.B) {
		defer cpu(b)()
		for i := 0; b.Loop(); i++ {
			q := questions[i%len(questions)]
			if _, err := e.Check(context.Background(), q.person, q.channel, View); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("index", func(b *testing.B) {
		defer cpu(b)()
		for i := 0; b.Loop(); i++ {
			q := questions[i%len(questions)]
			x.Allow(q.person, q.channel, View)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	for _, people := range []int{10000, 100000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			s, x := benchIndex(b, people)
			tuples := len(bigOrganisation(people))
			report := cpu(b)
			for b.Loop() {
				x = loaded(b, s)
			}
			report()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(tuples), "tuples")
			b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB_heap")
			runtime.KeepAlive(x)
		})
	}
}

// One change in memory, without the database: a freeze opened and lifted, and a role given and taken.
func BenchmarkChange(b *testing.B) {
	_, x := benchIndex(b, 100000)
	x.Attach(func(int64, []id.Person, []id.Channel) {})
	for _, c := range []Change{put("freeze:disabled", "subject", "user:per_00000000000000000000000007"),
		put("project:grp_00000000000000000000000005", "participant", "user:per_00000000000000000000000007"),
		put("project:all", "participant", "user:per_00000000000000000000000007")} {
		b.Run(splitRef(c.Tuple.Object).typ+" "+splitRef(c.Tuple.Object).id[:3], func(b *testing.B) {
			defer cpu(b)()
			for i := 0; b.Loop(); i++ {
				c.Delete = i%2 == 1
				x.g.apply(c)
				x.publish(x.plan(x.at(), false), x.Revision())
			}
		})
	}
}
