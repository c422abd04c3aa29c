package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

func active(on bool) func(*directory.Record) { return func(r *directory.Record) { r.Active = on } }

func number(n string) func(*directory.Record) {
	return func(r *directory.Record) { r.EmployeeNumber = n }
}

func TestDisabledIsFrozenBeforeTheAnswer(t *testing.T) {
	run(t, func(w *world) {
		r := w.post("li")
		w.gate.settling = func() {
			if len(w.gate.changes) != 1 { // called with the gate locked
				t.Error("settled before the freeze was in force")
			}
		}
		ctx, cancel := context.WithCancel(w.ctx)
		a, err := w.Apply(ctx, directory.Cause{Source: w.scim}, directory.EditRecord{Source: w.scim, Link: r.Link, Edit: func(r *directory.Record) error { r.Active = false; return nil }})
		cancel()
		w.gate.settling = nil
		if err != nil || a.Rev == 0 {
			t.Fatalf("%+v, %v", a, err)
		}
		list(t, "slots", w.standing(r.Person), "disabled."+string(w.scim))
		list(t, "told", w.gate.slots(r.Person), "disabled."+string(w.scim))
		last := w.gate.last()
		same(t, "revision waited for", last.rev, a.Rev)
		list(t, "people settled", last.people, r.Person)
		p := w.person(r.Person)
		if !p.Frozen || p.Status != directory.StatusActive { // disabled is not gone: memberships are kept
			t.Errorf("%+v", p)
		}
		list(t, "audit", w.actions(string(r.Person)), "person.created", "person.frozen")
		freezes, err := w.Freezes(w.ctx, r.Person)
		if err != nil || freezes[0].Rev != a.Rev || freezes[0].Cause != directory.CauseDisabled || freezes[0].Source != w.scim {
			t.Errorf("%+v, %v", freezes, err)
		}
		// The same call again writes nothing and still waits for the freeze that stands.
		w.unchanged(func() {
			n := len(w.gate.settled)
			again := w.edit(r, active(false))
			if !again.Noop || len(w.gate.settled) != n+1 || w.gate.last().rev != a.Rev {
				t.Errorf("%+v %+v", again, w.gate.settled)
			}
		})
		w.edit(r, active(true))
		list(t, "slots", w.standing(r.Person))
		same(t, "frozen", w.person(r.Person).Frozen, false)
		list(t, "audit", w.actions(string(r.Person)), "person.created", "person.frozen", "person.unfrozen")
		list(t, "people settled", w.gate.last().people, r.Person)
	})
}

func TestPutThatStandsWaitsForItsFreeze(t *testing.T) {
	run(t, func(w *world) {
		w.put("on")
		n := len(w.gate.settled)
		w.put("on")
		same(t, "calls to settle", len(w.gate.settled), n)
		off := w.put("off", active(false))
		rev := w.gate.last().rev
		w.unchanged(func() { w.put("off", active(false)) })
		if got := w.gate.last(); got.rev != rev || rev == 0 || !slices.Equal(got.people, []id.Person{off.Person}) {
			t.Errorf("%+v", got)
		}
	})
}

func TestSettleFailing(t *testing.T) {
	run(t, func(w *world) {
		r := w.post("li")
		w.gate.fail = errors.New("a node is silent")
		off := directory.EditRecord{Source: w.scim, Link: r.Link, Edit: func(r *directory.Record) error { r.Active = false; return nil }}
		if _, err := w.Apply(w.ctx, directory.Cause{}, off); !errors.Is(err, w.gate.fail) {
			t.Fatal(err)
		}
		list(t, "slots", w.standing(r.Person), "disabled."+string(w.scim)) // what was written stands
		if _, err := w.Apply(w.ctx, directory.Cause{}, off); !errors.Is(err, w.gate.fail) {
			t.Fatal("a repeated call answered before the barrier")
		}
		w.gate.fail = nil
		w.apply(off)
	})
}

// Decision 14: any employment that runs keeps a person in; of one employment every record must agree.
func TestSeveralLinks(t *testing.T) {
	run(t, func(w *world) {
		account := w.post("wang", func(r *directory.Record) { r.EmployeeNumber = "7" })
		job := w.put("wang", number("7"))
		w.apply(directory.LinkRecord{Source: w.ldap, Link: job.Link, Person: account.Person})
		p := account.Person
		disabled := func(s id.Source) string { return "disabled." + string(s) }
		w.put("wang", number("7"), active(false))
		list(t, "one of two records", w.standing(p), disabled(w.ldap))
		w.edit(account, active(false))
		both := []string{disabled(w.ldap), disabled(w.scim)}
		slices.Sort(both)
		list(t, "both records", w.standing(p), both...)
		w.put("wang", number("7"), active(true))
		list(t, "a source lifts only its own", w.standing(p), disabled(w.scim))
		w.edit(account, active(true))
		list(t, "all active", w.standing(p))

		// A contract beside the job, told by another number: ending either leaves the other (J29).
		contract := w.put("ext.wang", number("C-1"))
		w.apply(directory.LinkRecord{Source: w.ldap, Link: contract.Link, Person: p})
		w.put("ext.wang", number("C-1"), active(false))
		list(t, "the contract ends", w.standing(p))
		affiliations, err := w.Affiliations(w.ctx, p)
		if err != nil || len(affiliations) != 2 {
			t.Fatalf("%+v, %v", affiliations, err)
		}
		w.apply(directory.DeleteRecord{Source: w.ldap, Key: "ext.wang"})
		list(t, "the contract is deleted", w.standing(p))
		w.apply(directory.DeleteRecord{Source: w.ldap, Key: "wang"})
		list(t, "the job's record is deleted, the account stays", w.standing(p))
		w.pass(time.Second)
		w.apply(directory.DeleteRecord{Source: w.scim, Link: account.Link})
		list(t, "the last one is deleted", w.standing(p), "deleted."+string(w.scim))
	})
}

func TestAccountWithoutNumberStandsBehindEveryJob(t *testing.T) {
	run(t, func(w *world) {
		one, two := w.put("one", number("1")), w.put("two", number("2"))
		account := w.post("wang")
		for _, r := range []directory.Record{two, account} {
			w.apply(directory.LinkRecord{Source: r.Source, Link: r.Link, Person: one.Person})
		}
		w.edit(account, active(false))
		list(t, "in doubt a no counts", w.standing(one.Person), "disabled."+string(w.scim))
	})
}

func TestAdvisorySource(t *testing.T) {
	run(t, func(w *world) {
		s, err := w.CreateSource(w.ctx, directory.Cause{}, directory.Source{Name: "phonebook", Kind: directory.KindLDAP, Priority: 1, Authority: directory.Advising()})
		if err != nil {
			t.Fatal(err)
		}
		r := w.post("li", func(r *directory.Record) { r.Title = "Engineer" })
		put := func(on bool) directory.Record {
			return w.apply(directory.PutRecord{Record: directory.Record{Source: s.ID, Key: "li", Active: on, Attributes: directory.Attributes{Title: "Boss"}}}).Records[0]
		}
		link := put(true)
		w.apply(directory.LinkRecord{Source: s.ID, Link: link.Link, Person: r.Person})
		put(false)
		list(t, "slots", w.standing(r.Person))
		same(t, "title", w.person(r.Person).Title, "Boss")
		w.edit(r, active(false))
		put(true)
		list(t, "slots", w.standing(r.Person), "disabled."+string(w.scim))
	})
}

func TestDates(t *testing.T) {
	run(t, func(w *world) {
		start, end := w.at.AddDate(0, 0, 5), w.at.AddDate(0, 3, 0)
		r := w.post("joiner", func(r *directory.Record) { r.StartAt, r.EndAt = start, end })
		pending, ended := "pending."+string(w.scim), "ended."+string(w.scim)
		list(t, "slots", w.standing(r.Person), ended, pending)
		status := func(want directory.Status, frozen bool) {
			t.Helper()
			p := w.person(r.Person)
			same(t, "status", p.Status, want)
			same(t, "frozen", p.Frozen, frozen)
			for _, s := range []directory.Status{directory.StatusPending, directory.StatusActive, directory.StatusLeave, directory.StatusNotice, directory.StatusTerminated} {
				page, err := w.People(w.ctx, directory.Query{Status: s})
				if err != nil || len(page.People) != len(map[bool][]int{true: {0}, false: {}}[s == want]) {
					t.Errorf("listed as %s: %d, %v", s, len(page.People), err)
				}
			}
		}
		status(directory.StatusPending, true)
		w.pass(5*24*time.Hour - time.Microsecond)
		status(directory.StatusPending, true)
		w.pass(time.Microsecond) // nobody writes: the clock alone decides
		status(directory.StatusNotice, false)
		w.apply(directory.RefreshPeople{People: []id.Person{r.Person}}) // what is in force is noted, once
		list(t, "audit", w.actions(string(r.Person)), "person.created", "person.frozen", "person.frozen", "person.effective")
		w.unchanged(func() { w.apply(directory.RefreshPeople{People: []id.Person{r.Person}}) })
		w.edit(r, func(r *directory.Record) { r.LeaveFrom, r.LeaveUntil = w.at, w.at.AddDate(0, 0, 10) })
		list(t, "slots", w.standing(r.Person), ended, "leave."+string(w.scim), pending)
		status(directory.StatusLeave, true)
		w.pass(10 * 24 * time.Hour)
		status(directory.StatusNotice, false)

		// The end is moved: the same freeze has another window.
		w.edit(r, func(r *directory.Record) { r.EndAt = end.AddDate(0, 1, 0) })
		change := w.gate.changes[len(w.gate.changes)-1]
		if change.Op != directory.FreezeChanged || !change.Before.From.Equal(end) || !change.Freeze.From.Equal(end.AddDate(0, 1, 0)) || change.Freeze.ID != change.Before.ID {
			t.Errorf("%+v", change)
		}
		w.pass(120 * 24 * time.Hour)
		status(directory.StatusTerminated, true)
		w.edit(r, active(false)) // disabled after the end: ended all the same
		status(directory.StatusTerminated, true)
		w.edit(r, func(r *directory.Record) { r.EndAt, r.Active = time.Time{}, true }) // rescinded
		status(directory.StatusActive, false)
	})
}

func TestWindowsOfTwoContracts(t *testing.T) {
	run(t, func(w *world) {
		day := func(n int) time.Time { return w.at.AddDate(0, 0, n) }
		a := w.put("first", number("1"), func(r *directory.Record) { r.EndAt = day(10) })
		b := w.put("second", number("2"), func(r *directory.Record) { r.StartAt, r.EndAt = day(20), day(30) })
		w.apply(directory.LinkRecord{Source: w.ldap, Link: b.Link, Person: a.Person})
		freezes, err := w.Freezes(w.ctx, a.Person)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range freezes {
			if f.LiftedAt.IsZero() {
				got = append(got, fmt.Sprint(f.Cause, " ", dayOf(f.From, w.at), " ", dayOf(f.Until, w.at)))
			}
		}
		slices.Sort(got)
		list(t, "windows", got, "ended 30 -", "pending 10 20")
		w.put("first", number("1"), func(r *directory.Record) { r.EndAt = day(25) }) // they overlap: never frozen between
		same(t, "windows", len(w.standing(a.Person)), 1)
	})
}

func dayOf(t, zero time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return fmt.Sprint(int(t.Sub(zero).Hours() / 24))
}

func TestConsoleFreeze(t *testing.T) {
	run(t, func(w *world) {
		r := w.post("li")
		a := w.apply(directory.FreezePerson{Person: r.Person, Veto: true})
		f := a.Freezes[0]
		if f.ID == "" || f.Slot != directory.SlotSecurity || !f.Veto || f.Rev != a.Rev || a.Rev == 0 || a.Outcomes[0] != directory.Updated {
			t.Fatalf("%+v", a)
		}
		w.edit(r, active(false))
		w.edit(r, active(true)) // J20: no source lifts it
		list(t, "slots", w.standing(r.Person), directory.SlotSecurity)
		same(t, "status", w.person(r.Person).Status, directory.StatusActive)
		w.unchanged(func() {
			n := len(w.gate.settled)
			again := w.apply(directory.FreezePerson{Person: r.Person})
			if again.Freezes[0].ID != f.ID || len(w.gate.settled) != n+1 || w.gate.last().rev != a.Rev {
				t.Errorf("%+v", again)
			}
			for _, c := range []directory.Change{directory.FreezePerson{Person: "per_none"}, directory.LiftFreeze{Freeze: "frz_none"}, directory.EndPerson{Person: "per_none", At: w.at}} {
				if _, err := w.Apply(w.ctx, directory.Cause{}, c); !errors.Is(err, directory.ErrNotFound) {
					t.Errorf("%T: %v", c, err)
				}
			}
			if _, err := w.Apply(w.ctx, directory.Cause{}, directory.FreezePerson{Person: r.Person, Until: w.at}); !errors.Is(err, directory.ErrInvalid) {
				t.Error(err)
			}
		})
		lifted := w.apply(directory.LiftFreeze{Freeze: f.ID})
		if lifted.Freezes[0].LiftedAt.IsZero() || len(w.standing(r.Person)) != 0 {
			t.Errorf("%+v", lifted)
		}
		w.unchanged(func() { w.apply(directory.LiftFreeze{Freeze: f.ID}) })
		// One that has run out is followed by a new window in the same slot.
		w.apply(directory.FreezePerson{Person: r.Person, Until: w.at.Add(time.Hour)})
		w.pass(2 * time.Hour)
		same(t, "frozen", w.person(r.Person).Frozen, false)
		w.apply(directory.FreezePerson{Person: r.Person, Until: w.at.Add(time.Minute)})
		same(t, "frozen", w.person(r.Person).Frozen, true)

		w.edit(r, active(false))
		freezes, err := w.Freezes(w.ctx, r.Person)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(freezes, func(f directory.Freeze) bool { return f.Cause == directory.CauseDisabled && f.LiftedAt.IsZero() })
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.LiftFreeze{Freeze: freezes[i].ID}); !errors.Is(err, directory.ErrSourceFreeze) {
			t.Error(err)
		}
	})
}

func TestEndPerson(t *testing.T) {
	run(t, func(w *world) {
		r := w.post("li")
		w.apply(directory.EndPerson{Person: r.Person, At: w.at.Add(time.Hour)})
		same(t, "status", w.person(r.Person).Status, directory.StatusNotice)
		w.unchanged(func() { w.apply(directory.EndPerson{Person: r.Person, At: w.at.Add(time.Hour)}) })
		w.edit(r, func(r *directory.Record) { r.Title = "x" }) // sources do not touch it
		w.pass(time.Hour)
		same(t, "status", w.person(r.Person).Status, directory.StatusTerminated)
		w.apply(directory.EndPerson{Person: r.Person})
		same(t, "status", w.person(r.Person).Status, directory.StatusActive)
		w.unchanged(func() { w.apply(directory.EndPerson{Person: r.Person}) })
	})
}

// What hides behind another record, in the merged person, is told all the same: it may decide access.
func TestHiddenChangesAreTold(t *testing.T) {
	run(t, func(w *world) {
		main := w.put("main", number("1"), func(r *directory.Record) { r.UnitKey = "a" })
		side := w.put("side", number("2"), func(r *directory.Record) { r.UnitKey = "b" })
		w.apply(directory.LinkRecord{Source: w.ldap, Link: side.Link, Person: main.Person})
		w.apply(directory.PutGroup{Group: directory.GroupRecord{Source: w.ldap, Key: "g", DisplayName: "g"}, Members: []string{"side"}})
		version := w.person(main.Person).Version
		for _, change := range []directory.Change{
			directory.PutRecord{Record: directory.Record{Source: w.ldap, Key: "side", UserName: "side", Active: true, UnitKey: "c", Attributes: directory.Attributes{EmployeeNumber: "2"}}},
			directory.DeleteRecord{Source: w.ldap, Key: "side"},
		} {
			if a := w.apply(change); !slices.Contains(told(a), main.Person) {
				t.Errorf("%T: %+v", change, a.Changed)
			}
		}
		list(t, "groups", w.person(main.Person).Groups)
		a := w.apply(directory.PutRecord{Record: directory.Record{Source: w.ldap, Key: "side", UserName: "side", Active: true, Attributes: directory.Attributes{EmployeeNumber: "2"}}})
		if !slices.Contains(a.Changed[0].Fields, "groups") && !slices.Contains(a.Changed[0].Fields, "affiliations") {
			t.Errorf("%+v", a.Changed)
		}
		list(t, "groups", w.person(main.Person).Groups, "corp/g")
		same(t, "version", w.person(main.Person).Version, version)
	})
}

func TestMadeAndDeletedInOneCall(t *testing.T) {
	run(t, func(w *world) {
		rec := directory.Record{Source: w.ldap, Key: "k", UserName: "k", Active: true, Attributes: directory.Attributes{Emails: []directory.Email{{Value: "k@x"}}}}
		a := w.apply(directory.PutRecord{Record: rec}, directory.DeleteRecord{Source: w.ldap, Key: "k"})
		p := w.person(a.Records[0].Person)
		same(t, "status", p.Status, directory.StatusTerminated)
		page, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: w.ldap})
		if err != nil || page.Total != 0 {
			t.Errorf("%+v, %v", page, err)
		}
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.FreezePerson{Person: p.ID}, directory.EndPerson{Person: p.ID, At: w.at}); !errors.Is(err, directory.ErrInvalid) {
			t.Error(err)
		}
	})
}
