package directory_test

import (
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// hiring puts somebody whom an HR feed and an LDAP directory know by one number; the account is there already.
func hiring(w *world, of func(*directory.Record)) (hr, account id.Source, p id.Person, put func(of func(*directory.Record)) directory.Applied) {
	hr, account = w.source("people-hr", directory.KindHRFeed, 1, directory.CorrelateEmployeeNumber), w.source("accounts", directory.KindLDAP, 2, directory.CorrelateEmployeeNumber)
	put = func(of func(*directory.Record)) directory.Applied {
		r := directory.Record{Source: hr, Key: "4711", UserName: "wang", Active: true, Attributes: directory.Attributes{DisplayName: "Wang Fang", EmployeeNumber: "4711"}}
		of(&r)
		return w.apply(directory.PutRecord{Record: r})
	}
	p = put(of).Records[0].Person
	w.accountOf(account, p, "")
	w.pass(time.Hour)
	return hr, account, p, put
}

func (w *world) accountOf(source id.Source, p id.Person, title string, of ...func(*directory.Record)) {
	r := directory.Record{Source: source, Key: "uid=wang", UserName: "wang", Active: true, Attributes: directory.Attributes{EmployeeNumber: "4711", Title: title}}
	for _, fn := range of {
		fn(&r)
	}
	same(w, "joined", w.apply(directory.PutRecord{Record: r}).Records[0].Person, p)
}

// What kept somebody out keeps them out when its record is deleted: another source that has said nothing new lets nobody in.
//
// holds: J04
func TestDeletionLetsNobodyIn(t *testing.T) {
	for name, of := range map[string]func(w *world, r *directory.Record){
		"pending": func(w *world, r *directory.Record) { r.StartAt = w.at.AddDate(0, 0, 3) },
		"ended":   func(w *world, r *directory.Record) { r.EndAt = w.at.Add(-time.Hour) },
		"leave": func(w *world, r *directory.Record) {
			r.LeaveFrom, r.LeaveUntil = w.at.Add(-time.Hour), w.at.AddDate(0, 0, 3)
		},
		"inactive": func(_ *world, r *directory.Record) { r.Active = false },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				hr, account, p, put := hiring(w, func(r *directory.Record) { of(w, r) })
				same(t, "frozen", w.person(p).Frozen, true)
				w.apply(directory.DeleteRecord{Source: hr, Key: "4711"})
				list(t, "slots", w.standing(p), "deleted."+string(hr))
				same(t, "status", w.person(p).Status, directory.StatusTerminated)
				w.pass(5 * 24 * time.Hour) // past every date
				w.accountOf(account, p, "Engineer")
				w.apply(directory.RefreshPeople{People: []id.Person{p}})
				same(t, "frozen, whatever else the account says", w.person(p).Frozen, true)

				// Hired by HR all the same: its word is new.
				put(func(*directory.Record) {})
				same(t, "frozen", w.person(p).Frozen, false)
				w.apply(directory.DeleteRecord{Source: hr, Key: "4711"})
				same(t, "deleted while it let them in", w.person(p).Frozen, false)
			})
		})
	}
}

// A hire that was withdrawn before it began is withdrawn, also where the account comes afterwards: a source that comes behind lets nobody in, whatever
// it says. The one that withdrew, or one that comes before it, does.
//
// holds: J04
func TestWithdrawnBeforeTheAccount(t *testing.T) {
	run(t, func(w *world) {
		hr, account := w.source("people-hr", directory.KindHRFeed, 2, directory.CorrelateEmployeeNumber), w.source("accounts", directory.KindLDAP, 3, directory.CorrelateEmployeeNumber)
		first := w.source("group-hr", directory.KindHRFeed, 1, directory.CorrelateEmployeeNumber)
		hire := func(source id.Source, key string, start time.Time) id.Person {
			return w.apply(directory.PutRecord{Record: directory.Record{Source: source, Key: key, Active: true, StartAt: start,
				Attributes: directory.Attributes{DisplayName: "Wang Fang", EmployeeNumber: "4711"}}}).Records[0].Person
		}
		p := hire(hr, "4711", w.at.AddDate(0, 0, 3))
		w.apply(directory.DeleteRecord{Source: hr, Key: "4711"})
		w.pass(24 * time.Hour)
		w.accountOf(account, p, "")
		same(t, "frozen, although the account came later", w.person(p).Frozen, true)
		w.pass(5 * 24 * time.Hour) // past the start
		w.accountOf(account, p, "", func(r *directory.Record) { r.EndAt = w.at.AddDate(1, 0, 0) })
		same(t, "frozen, whatever the account says", w.person(p).Frozen, true)
		w.apply(directory.DeleteRecord{Source: account, Key: "uid=wang"})
		w.accountOf(account, p, "")
		same(t, "frozen, although the account is made anew", w.person(p).Frozen, true)
		list(t, "slots", w.standing(p), "deleted."+string(hr))

		same(t, "the same", hire(first, "A1", time.Time{}), p)
		same(t, "hired by a source that comes before", w.person(p).Frozen, false)
		w.apply(directory.DeleteRecord{Source: first, Key: "A1"})
		same(t, "the same", hire(hr, "4712", time.Time{}), p)
		same(t, "hired by the source that withdrew", w.person(p).Frozen, false)
	})
}

// A human being sets the last word aside, gives the record away, or another source says something new.
func TestLastWordIsLifted(t *testing.T) {
	run(t, func(w *world) {
		hr, account, p, _ := hiring(w, func(r *directory.Record) { r.EndAt = w.at.Add(-time.Minute) })
		link := w.apply(directory.DeleteRecord{Source: hr, Key: "4711"}).Records[0].Link
		freezes, err := w.Freezes(w.ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range freezes {
			if f.Cause == directory.CauseDeleted {
				w.apply(directory.UndoFreeze{Freeze: f.ID, Until: w.at.Add(time.Hour)})
			}
		}
		same(t, "frozen after the undo", w.person(p).Frozen, false)
		w.pass(time.Hour)
		same(t, "frozen when the undo ends", w.person(p).Frozen, true)
		w.accountOf(account, p, "", func(r *directory.Record) { r.EndAt = w.at.AddDate(1, 0, 0) })
		same(t, "frozen by a new word of the account", w.person(p).Frozen, false)
		w.apply(directory.SplitRecord{Person: p, Link: link})
		same(t, "frozen", w.person(p).Frozen, false)
	})
}

// One of two employments ends and its record is deleted: the other one is none of its business. When that ends too, nobody is let in.
//
// holds: J29
// holds: J26
func TestLastWordOfOneOfTwoEmployments(t *testing.T) {
	run(t, func(w *world) {
		hr, account, p, _ := hiring(w, func(r *directory.Record) { r.EndAt = w.at.Add(time.Minute) })
		second := func(end time.Time) id.Link {
			r := w.apply(directory.PutRecord{Record: directory.Record{Source: hr, Key: "4712", UserName: "wang2", Active: true, EndAt: end, Attributes: directory.Attributes{DisplayName: "Wang Fang"}}}).Records[0]
			w.apply(directory.LinkRecord{Source: hr, Link: r.Link, Person: p})
			return r.Link
		}
		second(time.Time{})
		same(t, "frozen", w.person(p).Frozen, false)
		w.apply(directory.DeleteRecord{Source: hr, Key: "4711"})
		same(t, "frozen by the record of the first", w.person(p).Frozen, false)
		w.pass(time.Minute)
		second(w.at)
		same(t, "frozen by the end of the second", w.person(p).Frozen, true)
		w.pass(time.Minute)
		w.apply(directory.DeleteRecord{Source: hr, Key: "4712"})
		same(t, "frozen by the last word of the second", w.person(p).Frozen, true)
		_ = account
	})
}
