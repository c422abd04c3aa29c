package provisioning_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/provisioning"
)

// Many change the same few people at once, a policy is applied in between, the follower runs behind: in the end
// everybody has exactly what the facts give, and nothing is left to do.
func TestConcurrentChanges(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText + "guard: {cleanup: {people: 1000, percent: 100}}\n")
		const people, writers, each = 4, 6, 12
		for i := range people {
			w.put(fmt.Sprint("p", i), "dept=R&D")
		}
		w.putMany(3, "rest", "dept=R&D") // no group empties
		w.putMany(3, "more", "dept=Sales")
		var wait sync.WaitGroup
		for n := range writers {
			wait.Go(func() {
				dice := rand.New(rand.NewPCG(uint64(n), 7))
				for range each {
					facts := []string{"dept=R&D", "dept=Sales", "dept=R&D title=Head", "dept=Sales active=false", "type=vendor", "dept=R&D active=false"}[dice.IntN(6)]
					key := fmt.Sprint("p", dice.IntN(people))
					if _, err := w.people.Apply(ctx, directory.Cause{}, directory.PutRecord{Record: w.record(key, facts)}); err != nil {
						w.Error(err)
					}
				}
			})
		}
		wait.Go(func() {
			next := strings.Replace(policyText, "participant: read, vendor: read", "participant: post, vendor: read", 1)
			for range 20 { // plans drift while others write
				p, err := w.r.PlanPolicy(ctx, files(next), "tester")
				if err == nil {
					_, err = w.r.ApplyPlan(ctx, directory.Cause{}, p.ID, p.Hash, true)
				}
				if err == nil {
					return
				}
				if !strings.Contains(err.Error(), provisioning.ErrDrift.Error()) {
					w.Error(err)
					return
				}
			}
		})
		wait.Go(func() { w.follow() })
		wait.Wait()
		w.untouched("reconciling everybody", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err) })
		for i := range people {
			p, err := w.people.RecordByKey(ctx, w.source.ID, fmt.Sprint("p", i))
			w.ok(err)
			if sees, frozen := w.sees(p.Person), !p.Active; (sees == "") != frozen {
				w.Errorf("active %v and sees %q", p.Active, sees)
			}
		}
	})
}

// A bulk run of several chunks is judged once, held whole, and released whole.
func TestBulk(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		people := w.putMany(150, "p", "dept=R&D")
		var keys []string
		for i := range 140 {
			keys = append(keys, fmt.Sprintf("p%03d", i))
		}
		w.absent(keys...)
		open := w.holds(provisioning.HoldOpen)
		if len(open) != 1 || len(open[0].Removals) != 280 {
			w.Fatalf("%d holds", len(open))
		}
		result, err := w.r.Release(ctx, directory.Cause{Actor: "admin"}, open[0].ID)
		w.ok(err)
		if result.Written != 280 || len(w.holds(provisioning.HoldOpen)) != 0 {
			w.Errorf("%+v", result)
		}
		w.want("left", w.places(people[149]), "apollo:participant everybody:participant")
		w.want("gone", w.places(people[100]), "")
		again := w.putMany(150, "p", "dept=R&D")
		w.want("back", w.places(again[100]), "apollo:participant everybody:participant")
	})
}

// BenchmarkChange measures one person's change of department, from the call to the answer, commits and barrier included.
func BenchmarkChange(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			w := newWorld(b, dbtest.Open(b, dbtest.DSN(b, engine)))
			w.policy(policyText + "guard: {cleanup: {people: 100000, percent: 100}}\n")
			w.putMany(400, "p", "dept=R&D")
			w.putMany(100, "q", "dept=Sales")
			var took []time.Duration
			n := 0
			for b.Loop() {
				n++
				began := time.Now()
				w.put(fmt.Sprintf("p%03d", n%400), []string{"dept=Sales", "dept=R&D"}[n/400%2])
				took = append(took, time.Since(began))
			}
			b.ReportMetric(float64(percentile(took, 50).Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(percentile(took, 99).Microseconds())/1000, "p99-ms")
		})
	}
}

func percentile(took []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}
