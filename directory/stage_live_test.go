package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
)

// What a source in its dry run shows is what going live does: ids, attributes, freezes, groups, managers.
func TestGoingLiveDoesWhatWasShown(t *testing.T) {
	run(t, func(w *world) {
		li, wu, twice := w.put("li", number("7")), w.put("wu", number("9")), w.put("tw", number("5"))
		w.apply(directory.FreezePerson{Person: wu.Person})
		okta := w.dry("okta", directory.KindSCIM, 1, directory.CorrelateEmployeeNumber)
		var a, b directory.Record
		w.in(okta, func() {
			a = w.post("okta.li", number("7"), func(r *directory.Record) { r.Department, r.Title = "Sales", "Head" })
			b = w.post("new", number("8"), func(r *directory.Record) { r.ManagerKey, r.Organization, r.Department = a.Key, "Corp", "R&D" })
			w.post("off", active(false))
			w.post("wu", number("9"), active(false))
			w.post("t1", number("5"))
			w.post("t2", number("5"))
			gone := w.post("gone", number("77"), email("gone@corp.example"))
			w.apply(directory.DeleteRecord{Source: okta, Link: gone.Link})
		})
		w.apply(directory.CreateGroup{Group: directory.GroupRecord{Source: okta, DisplayName: "Staff"}, Members: []string{a.Key, b.Key}})
		shown := w.staged(okta)
		same(t, "lines", len(shown), 6)
		if f := shown[0]; f.By != directory.CorrelateEmployeeNumber || f.Record.Person != li.Person || len(f.Fields) == 0 || f.After.Person.Department != "Sales" || f.Before.Person.Department != "" {
			t.Errorf("%+v", f)
		}
		if f := shown[1]; f.By != "" || f.After.Person.Manager != li.Person || len(f.After.UnitPath) != 2 || !slices.Contains(f.After.Person.Groups, "okta/Staff") {
			t.Errorf("%+v", f.After)
		}
		same(t, "refused", shown[4].Refused, directory.RefusedTwice)
		same(t, "refused", shown[5].Refused, directory.RefusedTwice)
		if !shown[2].After.Person.Frozen || !shown[3].After.Person.Frozen || len(shown[3].After.Freezes) != 2 {
			t.Errorf("%+v", shown[3].After.Freezes)
		}
		version := w.stage(okta).Version
		if err := w.BeginLive(w.ctx, directory.Cause{}, okta, version-1); !errors.Is(err, directory.ErrStage) {
			t.Errorf("another version: %v", err)
		}
		w.live(okta)
		for _, f := range shown {
			got := w.facts(f.Record.Person)
			if fields := directory.DiffPerson(got.Person, f.After.Person); len(fields) > 0 {
				t.Errorf("%s differs: %+v", f.Record.UserName, fields)
			}
			if got.Person.Frozen != f.After.Person.Frozen || got.Person.Status != f.After.Person.Status || !slices.Equal(got.Person.Groups, f.After.Person.Groups) {
				t.Errorf("%s: %+v %+v", f.Record.UserName, got.Person, f.After.Person)
			}
			if x, y := slotsOf(got.Freezes), slotsOf(f.After.Freezes); !slices.Equal(x, y) {
				t.Errorf("%s: %v %v", f.Record.UserName, x, y)
			}
			if len(got.Records) != len(f.After.Records) || fmt.Sprint(got.UnitPaths) != fmt.Sprint(f.After.UnitPaths) {
				t.Errorf("%s: %v %v", f.Record.UserName, got.UnitPaths, f.After.UnitPaths)
			}
		}
		people, err := w.AllPeople(w.ctx)
		if err != nil || len(people) != 3+4 { // three were there; the deleted record never was anybody
			t.Errorf("%v, %v", people, err)
		}
		list(t, "revoked", w.gate.slots(shown[2].Record.Person), "disabled."+string(okta))
		if _, err := w.StageOf(w.ctx, okta); !errors.Is(err, directory.ErrLive) {
			t.Errorf("%v", err)
		}
		if err := w.Discard(w.ctx, directory.Cause{}, okta); !errors.Is(err, directory.ErrLive) {
			t.Errorf("%v", err)
		}
		if err := w.BeginLive(w.ctx, directory.Cause{}, okta, version); !errors.Is(err, directory.ErrLive) {
			t.Errorf("%v", err)
		}
		list(t, "audit", w.actions(string(okta)), "source.created", "source.going_live", "source.live")
		asked, err := w.WorkItems(w.ctx, directory.WorkItemQuery{})
		for _, f := range shown[4:] { // who they are is for a human being to say
			if err != nil || !slices.ContainsFunc(asked, func(i directory.WorkItem) bool {
				return i.Kind == directory.AmbiguousMatch && i.Link == f.Record.Link && i.Other(f.Record.Person) == twice.Person
			}) {
				t.Errorf("nobody is asked about %s: %+v, %v", f.Record.UserName, asked, err)
			}
		}
		w.unchanged(func() { same(t, "again", w.GoOn(w.ctx, directory.Cause{}, okta), nil) })
	})
}

func slotsOf(freezes []directory.Freeze) []string {
	var out []string
	for _, f := range freezes {
		out = append(out, f.Slot+f.From.String()+f.Until.String())
	}
	slices.Sort(out)
	return out
}

// A going live that stopped anywhere goes on from there, also when two go on at once, and while the source writes.
func TestGoingLiveGoesOn(t *testing.T) {
	run(t, func(w *world) {
		for i := range 30 {
			w.put(fmt.Sprint("p", i), number(fmt.Sprint(i)))
		}
		okta := w.dry("okta", directory.KindSCIM, 1, directory.CorrelateEmployeeNumber)
		var changes []directory.Change
		for i := range 260 {
			changes = append(changes, directory.CreateRecord{Record: directory.Record{Source: okta, UserName: fmt.Sprint("u", i), Active: true,
				Attributes: directory.Attributes{EmployeeNumber: fmt.Sprint(i)}}})
		}
		w.apply(changes...)
		shown := w.staged(okta)
		if err := w.BeginLive(w.ctx, directory.Cause{}, okta, w.stage(okta).Version); err != nil {
			t.Fatal(err)
		}
		w.gate.fail = errors.New("cut") // after the first parts
		if err := w.GoOn(w.ctx, directory.Cause{}, okta); err == nil {
			t.Error("nobody heard of the failure")
		}
		w.gate.fail = nil
		late := directory.Record{}
		w.in(okta, func() { late = w.post("late") })
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if err := w.GoOn(w.ctx, directory.Cause{}, okta); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, f := range shown {
			r, err := w.Record(w.ctx, okta, f.Record.Link)
			if err != nil || r.Person != f.Record.Person || r.Version != 1 {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		if r, err := w.Record(w.ctx, okta, late.Link); err != nil || r.Person == "" {
			t.Errorf("%+v, %v", r, err)
		}
		var n int64
		w.db.Read(w.ctx).Raw("select count(*) from records where person_id is null").Scan(&n)
		same(t, "without a person", n, 0)
	})
}

// What comes while a source goes live waits for its person as the rest does, and nothing is lost between the two.
func TestWritingWhileGoingLive(t *testing.T) {
	run(t, func(w *world) {
		li := w.put("li", number("7"))
		okta := w.dry("okta", directory.KindSCIM, 1, directory.CorrelateEmployeeNumber)
		var a, b directory.Record
		w.in(okta, func() { a = w.post("li", number("7")) })
		if err := w.BeginLive(w.ctx, directory.Cause{}, okta, w.stage(okta).Version); err != nil {
			t.Fatal(err)
		}
		w.in(okta, func() { b = w.post("new") })
		w.edit(a, func(r *directory.Record) { r.Active = false })
		same(t, "nobody yet", b.Person, "")
		list(t, "not yet", w.standing(li.Person))
		if err := w.GoOn(w.ctx, directory.Cause{}, okta); err != nil {
			t.Fatal(err)
		}
		list(t, "frozen", w.standing(li.Person), "disabled."+string(okta))
		w.in(okta, func() {
			if c := w.post("live"); c.Person == "" {
				t.Error("a live source has staged records")
			}
		})
	})
}

// Discarding removes everything that the source said and nothing else.
func TestDiscard(t *testing.T) {
	run(t, func(w *world) {
		w.put("li", number("7"), func(r *directory.Record) { r.Emails = []directory.Email{{Value: "x@corp.example"}} })
		w.apply(directory.PutGroup{Group: directory.GroupRecord{Source: w.ldap, Key: "g", DisplayName: "G"}, Members: []string{"li"}})
		tables := []string{"sources", "source_tokens", "persons", "records", "record_contacts", "units", "directory_groups", "group_members", "freezes", "feed_events"}
		before := w.rows("", tables...)
		okta := w.dry("okta", directory.KindSCIM, 1)
		secret, _, err := w.IssueSourceToken(w.ctx, directory.Cause{}, okta, "t", w.at.AddDate(1, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		w.in(okta, func() {
			a := w.post("a", func(r *directory.Record) {
				r.Department, r.Emails = "R&D", []directory.Email{{Value: "a@corp.example"}}
			})
			w.apply(directory.CreateGroup{Group: directory.GroupRecord{Source: okta, DisplayName: "G"}, Members: []string{a.Key, "x"}})
			w.apply(directory.DeleteRecord{Source: okta, Link: w.post("b").Link})
		})
		if err := w.Discard(w.ctx, directory.Cause{Actor: "test"}, okta); err != nil {
			t.Fatal(err)
		}
		if after := w.rows("", tables...); after != before {
			t.Errorf("before\n%s\nafter\n%s", before, after)
		}
		if _, _, err := w.CheckSourceToken(w.ctx, secret); !errors.Is(err, directory.ErrToken) {
			t.Errorf("%v", err)
		}
		if err := w.Discard(w.ctx, directory.Cause{}, okta); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%v", err)
		}
		if err := w.Discard(w.ctx, directory.Cause{}, w.ldap); !errors.Is(err, directory.ErrLive) {
			t.Errorf("%v", err)
		}
		list(t, "audit", w.actions(string(okta)), "source.created", "source.discarding", "source.discarded")
		w.dry("okta", directory.KindSCIM, 1) // the name is free again
	})
}

// A writer who began while the dry run stood and is slower than going live leaves nothing without a person.
func TestASlowWriterMeetsGoingLive(t *testing.T) {
	run(t, func(w *world) {
		if w.db.Engine == db.SQLite {
			return // one writer at a time
		}
		okta := w.dry("okta", directory.KindSCIM, 1)
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				for i := range 10 {
					if _, err := w.Apply(w.ctx, directory.Cause{}, directory.CreateRecord{Record: directory.Record{Source: okta, UserName: fmt.Sprint("u", n, "-", i), Active: true}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for err := errors.New("first"); err != nil; {
			if err = w.BeginLive(w.ctx, directory.Cause{}, okta, w.stage(okta).Version); err != nil && !errors.Is(err, directory.ErrStage) {
				t.Fatal(err)
			}
		}
		if err := w.GoOn(w.ctx, directory.Cause{}, okta); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		var n int64
		w.db.Read(w.ctx).Raw("select count(*) from records where person_id is null").Scan(&n)
		same(t, "without a person", n, 0)
	})
}
