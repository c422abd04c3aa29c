package directory_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// Who may not see what is to come sees the person as if no source had said it, until its disclosure; the reasons of freezes never.
func TestSight(t *testing.T) {
	run(t, func(w *world) {
		w.Disclosure = directory.Disclosure{End: 5, Move: 2}
		end, move, leave := w.at.AddDate(0, 0, 30), w.at.AddDate(0, 0, 10), w.at.AddDate(0, 0, 20)
		who := w.put("li", func(r *directory.Record) {
			r.EndAt, r.LeaveFrom, r.LeaveUntil, r.TimeZone, r.Title = end, leave, leave.AddDate(0, 0, 3), "Europe/Berlin", "Engineer"
			r.Planned = []directory.Planned{{At: move, Set: map[string]string{"title": "Director"}}}
		}).Person
		w.apply(directory.FreezePerson{Person: who, Until: w.at.Add(time.Hour)})
		blind, full := w.As(directory.Sight{}), w.As(directory.Sight{Future: roles.Scope{All: true}, Reasons: roles.Scope{All: true}})
		check := func(what string, r directory.Reader, status directory.Status, ends bool, freezes int, planned bool) {
			t.Helper()
			p, err := r.Person(w.ctx, who)
			if err != nil {
				t.Fatal(err)
			}
			same(t, what+": status", p.Status, status)
			same(t, what+": end", !p.EndsAt.IsZero(), ends)
			list, err := r.Freezes(w.ctx, who)
			if err != nil {
				t.Fatal(err)
			}
			same(t, what+": freezes", len(list), freezes)
			records, err := r.Records(w.ctx, who)
			if err != nil {
				t.Fatal(err)
			}
			same(t, what+": end of the record", !records[0].EndAt.IsZero(), ends)
			same(t, what+": planned", len(records[0].Planned) > 0, planned)
			for _, s := range []directory.Status{directory.StatusActive, directory.StatusNotice} {
				page, err := r.People(w.ctx, directory.Query{Status: s})
				if err != nil {
					t.Fatal(err)
				}
				same(t, what+": found as "+string(s), len(page.People) == 1, s == status)
			}
		}
		check("all", full, directory.StatusNotice, true, 3, true)
		check("nobody's", blind, directory.StatusActive, false, 1, false)
		check("somebody's", w.As(directory.Sight{Future: roles.Scope{Units: nil}}), directory.StatusActive, false, 1, false)
		w.pass(8*24*time.Hour + time.Minute)
		check("the move is told", blind, directory.StatusActive, false, 1, true)
		w.pass(17*24*time.Hour + 2*time.Hour) // the clocks may have been set meanwhile
		check("the end is told", blind, directory.StatusNotice, true, 3, true)
	})
}

// A list by status is full pages of those who have it as the reader may tell it, however many others have it.
func TestSightFillsPages(t *testing.T) {
	run(t, func(w *world) {
		w.Disclosure = directory.Disclosure{End: 1}
		for n := range 40 {
			w.put(fmt.Sprintf("p%02d", n), func(r *directory.Record) {
				switch {
				case n%4 == 0:
					r.EndAt = w.at.Add(12 * time.Hour) // told
				case n%4 < 3:
					r.EndAt = w.at.Add(30 * time.Hour) // near, and not told
				}
			})
		}
		blind := w.As(directory.Sight{})
		for status, want := range map[directory.Status]int{directory.StatusNotice: 10, directory.StatusActive: 30} {
			seen := 0
			for q := (directory.Query{Status: status, Limit: 4}); ; {
				page, err := blind.People(w.ctx, q)
				if err != nil {
					t.Fatal(err)
				}
				if seen += len(page.People); page.Next == "" {
					break
				}
				same(t, "a full page", len(page.People), 4)
				q.Cursor = page.Next
			}
			same(t, string(status), seen, want)
		}
	})
}

// What a source says of a disclosure goes before the rule, and what was taken back before it came is told to nobody who may not see it.
func TestDisclosureOfSource(t *testing.T) {
	run(t, func(w *world) {
		w.Disclosure = directory.Disclosure{End: 3650, Move: 3650}
		end := w.at.AddDate(0, 0, 30)
		who := w.put("li", func(r *directory.Record) { r.EndAt, r.DiscloseAt = end, end.AddDate(0, 0, -1) }).Person
		blind := w.As(directory.Sight{})
		ends := func() bool {
			p, err := blind.Person(w.ctx, who)
			if err != nil {
				t.Fatal(err)
			}
			return !p.EndsAt.IsZero()
		}
		same(t, "told before", ends(), false)
		w.put("li")
		list, err := blind.Freezes(w.ctx, who)
		if err != nil || len(list) != 0 {
			t.Errorf("an end that was taken back: %+v, %v", list, err)
		}
		w.put("li", func(r *directory.Record) { r.EndAt, r.DiscloseAt = end, end.AddDate(0, 0, -1) })
		w.pass(29*24*time.Hour + time.Minute)
		same(t, "told", ends(), true)
	})
}
