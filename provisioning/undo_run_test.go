package provisioning_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// by makes changes as one run of the source.
func (w *world) by(run string, changes ...directory.Change) {
	w.Helper()
	_, err := w.people.Apply(ctx, directory.Cause{Source: w.source.ID, Actor: string(w.source.ID), Request: id.Request(run)}, changes...)
	w.ok(err)
}

// Five hundred go by one run, held first and then let through; the run is undone, and everything is as it was: the same memberships since
// the same day, roles and grants. A second look writes nothing, nor does undoing again.
//
// holds: R12
func TestRunIsUndone(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.put("p0003", "dept=R&D title=Head")
		var changes []directory.Change
		var keys []string
		for i := range 1200 {
			title := ""
			if i%100 == 3 {
				title = " title=Head"
			}
			changes = append(changes, directory.PutRecord{Record: w.record(fmt.Sprintf("p%04d", i), "dept=R&D"+title)})
			if i < 500 {
				keys = append(keys, fmt.Sprintf("p%04d", i))
			}
		}
		w.apply(changes...)
		before := w.placesByID()
		w.pass(time.Hour)
		w.by("run_1", directory.MarkAbsent{Source: w.source.ID, Keys: keys, Proof: "read to the end"})
		hold := w.holds(provisioning.HoldOpen)[0]
		if len(hold.Removals) != 1000 {
			t.Fatalf("%d held", len(hold.Removals))
		}
		_, err := w.r.Release(ctx, directory.Cause{Actor: "somebody", Request: "req_release"}, hold.ID)
		w.ok(err)
		if w.placesByID() == before || w.members("apollo") != 700 {
			t.Fatalf("%d are left", w.members("apollo"))
		}
		done, err := w.r.UndoRun(ctx, admin, "run_1")
		w.ok(err)
		if len(done.People) != 500 || done.Memberships != 1000 || len(done.Frozen) != 0 {
			t.Errorf("undone: %d people, %d memberships", len(done.People), done.Memberships)
		}
		w.want("as before", w.placesByID(), before)
		w.untouched("looking again", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err); w.ok(w.r.Tend(ctx)) })
		again, err := w.r.UndoRun(ctx, admin, "run_1")
		if !errors.Is(err, provisioning.ErrNotFound) && (err != nil || again.Memberships != 0 || len(again.People) != 0) {
			t.Errorf("again: %+v, %v", again, err)
		}
		w.want("still", w.placesByID(), before)
	})
}

// One run moves, demotes, disables and deletes: all of it comes back, but for whom a security freeze keeps out, and nothing of another run.
func TestRunOfEveryKindIsUndone(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.putMany(60, "p", "dept=R&D")
		moved, demoted, off, gone := w.put("moved", "dept=R&D"), w.put("demoted", "dept=R&D title=Head"), w.put("off", "dept=R&D"), w.put("gone", "dept=R&D title=Head")
		vetoed, other := w.put("vetoed", "dept=R&D"), w.put("other", "dept=R&D")
		before := w.placesByID()
		w.pass(time.Hour)
		w.by("run_2", directory.PutRecord{Record: w.record("moved", "dept=Sales")}, directory.PutRecord{Record: w.record("demoted", "dept=R&D")},
			directory.PutRecord{Record: w.record("off", "dept=R&D active=false")}, directory.DeleteRecord{Source: w.source.ID, Key: "gone"},
			directory.PutRecord{Record: w.record("vetoed", "dept=R&D active=false")})
		w.by("run_3", directory.PutRecord{Record: w.record("other", "dept=Sales")})
		_, err := w.people.Apply(ctx, admin, directory.FreezePerson{Person: vetoed, Veto: true})
		w.ok(err)
		w.want("moved", w.places(moved), "everybody:participant sales:participant")
		w.want("demoted", w.places(demoted), "apollo:participant everybody:participant")
		w.want("off", w.sees(off), "")
		w.want("gone", w.places(gone), "")
		done, err := w.r.UndoRun(ctx, admin, "run_2")
		w.ok(err)
		w.want("moved back, and stays where the source says too", w.places(moved), "apollo:participant everybody:participant sales:participant")
		w.want("demoted", w.places(demoted), "apollo:owner everybody:participant")
		w.want("the head sees", w.sees(demoted), "apollo/general apollo/leads everybody/news")
		w.want("off", w.sees(off), sight)
		w.want("gone", w.places(gone)+" "+w.sees(gone), "apollo:owner everybody:participant apollo/general apollo/leads everybody/news")
		w.want("a veto stands", w.sees(vetoed), "")
		w.want("another run", w.places(other), "everybody:participant sales:participant")
		if !slices.Contains(done.Frozen, vetoed) {
			t.Errorf("frozen: %v", done.Frozen)
		}
		for _, line := range strings.Split(before, "\n") {
			if !strings.Contains(w.placesByID(), line) && !strings.Contains(line, string(other)) {
				t.Errorf("lost: %s", line)
			}
		}
		w.untouched("looking again", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err); w.ok(w.r.Tend(ctx)) })
		w.pass(provisioning.KeepFor + time.Second)
		w.ok(w.r.Tend(ctx))
		w.want("after its time the source's word holds", w.places(moved), "everybody:participant sales:participant")
		if _, err := w.r.UndoRun(ctx, admin, "run_unknown"); !errors.Is(err, provisioning.ErrNotFound) {
			t.Errorf("unknown: %v", err)
		}
	})
}

// A plan is a run: what an applied policy took is given back.
func TestPlanIsUndone(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		people := w.putMany(20, "p", "dept=R&D")
		before := w.placesByID()
		files := []provisioning.File{{Name: "p.yaml", Source: strings.ReplaceAll(policyText, `when: person.department == "R&D"}`, `when: person.department == "Nobody"}`)}}
		plan, err := w.r.PlanPolicy(ctx, files, "tester")
		w.ok(err)
		_, err = w.r.ApplyPlan(ctx, admin, plan.ID, plan.Hash, true)
		w.ok(err)
		w.want("taken", w.places(people[0]), "everybody:participant")
		done, err := w.r.UndoRun(ctx, admin, id.Request(plan.ID))
		w.ok(err)
		if done.Memberships != 20 {
			t.Errorf("undone: %+v", done)
		}
		w.want("as before", w.placesByID(), before)
	})
}

// Whom a past date of a run ended is not said to be back: the date is the source's to correct, and then the person is.
func TestRunOfPastEndsIsNotUndone(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.putMany(60, "p", "dept=R&D")
		ended, off := w.put("ended", "dept=R&D title=Head"), w.put("off", "dept=R&D")
		w.pass(time.Hour)
		rec := w.record("ended", "dept=R&D title=Head")
		rec.EndAt = w.clock().Add(-48 * time.Hour)
		w.by("run_4", directory.PutRecord{Record: rec}, directory.PutRecord{Record: w.record("off", "dept=R&D active=false")})
		w.want("ended", w.places(ended)+w.sees(ended), "")
		done, err := w.r.UndoRun(ctx, admin, "run_4")
		w.ok(err)
		if len(done.NotUndone) == 0 {
			t.Error("nothing is said not to be undone")
		}
		for _, miss := range done.NotUndone {
			if miss.Person != ended || miss.Why != provisioning.WhyEnded {
				t.Errorf("not undone: %+v", miss)
			}
		}
		if !slices.Contains(done.People, off) || slices.Contains(done.People, ended) {
			t.Errorf("restored: %v", done.People)
		}
		w.want("is out", w.sees(ended), "")
		w.by("run_5", directory.PutRecord{Record: w.record("ended", "dept=R&D title=Head")})
		w.want("corrected", w.sees(ended), "apollo/general apollo/leads everybody/news")
	})
}
