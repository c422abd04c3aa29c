package provisioning_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Calls that settle at the same time are one transaction, and none notices: what each gave and took is in force when it
// returns, is told in its own name, and a panic on the way is nobody else's.
func TestCallsSettleTogether(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText + "guard: {move: {people: 1000, percent: 100}, cleanup: {people: 1000, percent: 100}}\n")
		scim, err := w.people.CreateSource(ctx, directory.Cause{}, directory.Source{Name: "idp", Kind: directory.KindSCIM, Priority: 20})
		w.ok(err)
		var panics atomic.Int64
		w.r.Now = func() time.Time {
			if panics.Add(1) == 2 {
				panic("once")
			}
			return w.clock()
		}
		const people = 48
		persons := make([]id.Person, people)
		create := func(i int) directory.Change {
			return directory.CreateRecord{Record: directory.Record{Source: scim.ID, UserName: fmt.Sprint("u", i), Active: true, Attributes: directory.Attributes{Department: "R&D"}}}
		}
		links := make([]id.Link, people)
		each(people, func(i int) {
			applied, err := w.people.Apply(ctx, directory.Cause{Actor: fmt.Sprint("actor", i), Source: scim.ID}, create(i))
			if err != nil {
				t.Errorf("create %d: %v", i, err)
				return
			}
			persons[i], links[i] = applied.Records[0].Person, applied.Records[0].Link
			if got := w.sees(persons[i]); got != "apollo/general everybody/news" {
				t.Errorf("%d sees %q when the call returns", i, got)
			}
		})
		w.r.Now = w.clock
		if panics.Load() < 2 {
			t.Error("nothing panicked")
		}
		for i, p := range persons {
			records, err := audit.List(ctx, w.db, audit.Filter{Action: "membership.added", Actor: fmt.Sprint("actor", i)})
			w.ok(err)
			if len(records) != 2 || records[0].Public["person"] != string(p) || records[1].Public["person"] != string(p) {
				t.Errorf("in the name of actor%d: %+v", i, records)
			}
		}
		each(people, func(i int) { // movers, whom the guard judges, among those who are frozen, among failures
			edit := func(change func(*directory.Record)) directory.Change {
				return directory.EditRecord{Source: scim.ID, Link: links[i], Edit: func(r *directory.Record) error { change(r); return nil }}
			}
			cause := directory.Cause{Actor: fmt.Sprint("mover", i), Source: scim.ID}
			switch i % 3 {
			case 0:
				_, err := w.people.Apply(ctx, cause, edit(func(r *directory.Record) { r.Department = "Sales" }))
				if got := w.sees(persons[i]); err != nil || got != "sales/general everybody/news" {
					t.Errorf("mover %d: %v, sees %q", i, err, got)
				}
			case 1:
				_, err := w.people.Apply(ctx, cause, edit(func(r *directory.Record) { r.Active = false }))
				if got := w.sees(persons[i]); err != nil || got != "" {
					t.Errorf("frozen %d: %v, sees %q", i, err, got)
				}
			case 2:
				if _, err := w.people.Apply(ctx, cause, create(i)); err == nil {
					t.Errorf("a second u%d", i)
				}
			}
		})
		w.untouched("reconciling everybody", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err) })
		if _, err := audit.Verify(ctx, w.db, audit.Report{}); err != nil {
			t.Error(err)
		}
	})
}

// each runs fn for 0 to n-1 at once.
func each(n int, fn func(int)) {
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { fn(i) })
	}
	wait.Wait()
}
