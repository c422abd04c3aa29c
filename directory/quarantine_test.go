package directory_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// A second source that does not correlate brings nobody back: neither whom a veto keeps out, nor who was terminated under the same number.
// A human being decides, and nobody else.
func TestQuarantine(t *testing.T) {
	login := func(name string) func(*directory.Record) { return func(r *directory.Record) { r.UserName = name } }
	for name, c := range map[string]struct {
		ends  func(w *world, hr id.Source) directory.Change
		again []func(*directory.Record)
		free  bool
	}{
		"veto, number": {ends: func(_ *world, hr id.Source) directory.Change { return directory.Terminate{Source: hr, Key: "4711"} }, again: []func(*directory.Record){number("4711")}},
		"veto, login":  {ends: func(_ *world, hr id.Source) directory.Change { return directory.Terminate{Source: hr, Key: "4711"} }, again: []func(*directory.Record){login("WANG")}},
		"dismissed, number": {ends: func(_ *world, hr id.Source) directory.Change { return directory.DeleteRecord{Source: hr, Key: "4711"} },
			again: []func(*directory.Record){number("4711")}},
		"dismissed, login": {ends: func(_ *world, hr id.Source) directory.Change { return directory.DeleteRecord{Source: hr, Key: "4711"} },
			again: []func(*directory.Record){login("wang")}, free: true},
		"works here":    {again: []func(*directory.Record){number("4711")}, free: true},
		"somebody else": {ends: func(_ *world, hr id.Source) directory.Change { return directory.Terminate{Source: hr, Key: "4711"} }, free: true},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				hr := w.source("people-hr", directory.KindHRFeed, 1)
				old := w.apply(directory.PutRecord{Record: directory.Record{Source: hr, Key: "4711", UserName: "wang", Active: true,
					Attributes: directory.Attributes{DisplayName: "Wang Fang", EmployeeNumber: "4711"}}}).Records[0].Person
				w.pass(time.Minute)
				if c.ends != nil {
					w.apply(c.ends(w, hr))
				}
				w.pass(time.Minute)
				for _, r := range []directory.Record{w.post("other", c.again...), w.put("uuid-1", c.again...)} {
					if r.Person == old {
						t.Fatal("a silent merge")
					}
					same(t, "frozen", w.person(r.Person).Frozen, !c.free)
					if c.free {
						continue
					}
					list(t, "slots", w.standing(r.Person), directory.SlotQuarantine)
					if told := w.gate.slots(r.Person); !slices.Contains(told, directory.SlotQuarantine) {
						t.Errorf("told %v", told)
					}
					w.edit(r, func(r *directory.Record) { r.EmployeeNumber, r.UserName = "9", "nobody" }) // what a source takes back decides nothing
					same(t, "still frozen", w.person(r.Person).Frozen, true)
					decided := 0
					for _, item := range w.items(directory.WorkItemQuery{State: directory.ItemOpen, Person: r.Person}) {
						if item.Newer == old || item.Older == old {
							decided++
							w.apply(directory.SeparatePeople{Item: item.ID})
						}
					}
					same(t, "asked", decided, 1)
					same(t, "separated", w.person(r.Person).Frozen, false)
				}
			})
		})
	}
}

// Linked to whom it was, the new record is under the veto; to go live does not go round it.
func TestQuarantineOfAStage(t *testing.T) {
	run(t, func(w *world) {
		hr := w.source("people-hr", directory.KindHRFeed, 1)
		rec := func(source id.Source) directory.PutRecord {
			return directory.PutRecord{Record: directory.Record{Source: source, Key: "4711", UserName: "wang", Active: true,
				Attributes: directory.Attributes{DisplayName: "Wang Fang", EmployeeNumber: "4711"}}}
		}
		old := w.apply(rec(hr)).Records[0].Person
		w.apply(directory.Terminate{Source: hr, Key: "4711"})
		second, err := w.CreateSource(w.ctx, directory.Cause{Actor: "test"}, directory.Source{Name: "people-hr2", Kind: directory.KindHRFeed, Priority: 2, Mode: directory.ModeDryRun})
		if err != nil {
			t.Fatal(err)
		}
		w.apply(rec(second.ID))
		stage, err := w.StageOf(w.ctx, second.ID)
		if err != nil {
			t.Fatal(err)
		}
		staged := func() int {
			c, err := w.SourceCounts(w.ctx, second.ID)
			if err != nil {
				t.Fatal(err)
			}
			return c.Staged
		}
		same(t, "staged", staged(), 1)
		var seen directory.StageFact
		if err := w.EachStaged(w.ctx, stage.Source, "", func(f []directory.StageFact) (bool, error) { seen = f[0]; return true, nil }); err != nil {
			t.Fatal(err)
		}
		if !seen.After.Person.Frozen || !slices.Contains(seen.Doubles, directory.Double{Person: old, By: "employee_number"}) {
			t.Errorf("the dry run says %+v", seen)
		}
		if err := w.BeginLive(w.ctx, directory.Cause{Actor: "test"}, second.ID, stage.Version); err != nil {
			t.Fatal(err)
		}
		if err := w.GoOn(w.ctx, directory.Cause{Actor: "test"}, second.ID); err != nil {
			t.Fatal(err)
		}
		same(t, "staged", staged(), 0)
		item := w.item()
		twin := item.Other(old)
		list(t, "slots", w.standing(twin), directory.SlotQuarantine)
		w.apply(directory.MergePeople{Keep: twin, Gone: old})
		if standing := w.standing(twin); !slices.Contains(standing, directory.SlotVeto) || slices.Contains(standing, directory.SlotQuarantine) {
			t.Errorf("%v", standing)
		}
		same(t, "frozen", w.person(twin).Frozen, true)
	})
}
