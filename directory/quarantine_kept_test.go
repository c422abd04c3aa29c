package directory_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// What an identity provider does with the account of somebody who leaves frees neither their number nor their login while the veto stands.
func TestQuarantineAfterARename(t *testing.T) {
	gone := func(r *directory.Record) { r.UserName, r.EmployeeNumber = "wang-left", "X4711" }
	for name, leave := range map[string]func(w *world, hr id.Source, old directory.Record){
		"renamed": func(w *world, hr id.Source, old directory.Record) {
			w.apply(directory.Terminate{Person: old.Person})
			w.pass(time.Minute)
			w.edit(old, gone)
		},
		"renamed twice": func(w *world, hr id.Source, old directory.Record) {
			w.apply(directory.Terminate{Person: old.Person})
			w.edit(old, gone)
			w.edit(old, func(r *directory.Record) { r.UserName, r.EmployeeNumber = "wang-left-2", "" })
		},
		"renamed and deleted": func(w *world, hr id.Source, old directory.Record) {
			w.apply(directory.Terminate{Person: old.Person})
			w.edit(old, gone)
			w.apply(directory.DeleteRecord{Source: old.Source, Link: old.Link})
		},
		"renamed by the call that terminates": func(w *world, hr id.Source, old directory.Record) {
			w.apply(directory.Terminate{Person: old.Person}, directory.EditRecord{Source: old.Source, Link: old.Link, Edit: func(r *directory.Record) error { gone(r); return nil }})
		},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, hired := range map[string]func(w *world, hr id.Source) directory.Record{
				"scim": func(w *world, _ id.Source) directory.Record { return w.post("wang", number("4711")) },
				"ldap": func(w *world, _ id.Source) directory.Record { return w.put("e1", number("4711"), named("wang")) },
				"hr": func(w *world, hr id.Source) directory.Record {
					return w.hired(hr, "4711", number("4711"), named("wang"))
				},
			} {
				t.Run(kind, func(t *testing.T) {
					run(t, func(w *world) {
						hr := w.source("people-hr", directory.KindHRFeed, 1)
						old, there := hired(w, hr), w.post("there")
						leave(w, hr, old)
						w.pass(time.Minute)
						for how, twin := range map[string]directory.Record{
							"number": w.put("n1", number("4711")), "looks": w.post("n2", number("４７１１")), "login": w.put("n3", named("WANG")),
						} {
							list(t, how, w.standing(twin.Person), directory.SlotQuarantine)
							same(t, "frozen", w.person(twin.Person).Frozen, true)
						}
						w.edit(there, number("4711"))
						list(t, "who takes it", w.standing(there.Person), directory.SlotQuarantine)
						w.apply(directory.SeparatePeople{Item: w.asked(there.Person, old.Person).ID})
						for _, item := range w.items(directory.WorkItemQuery{State: directory.ItemOpen, Person: there.Person}) { // the other new ones have it too
							w.apply(directory.SeparatePeople{Item: item.ID})
						}
						list(t, "who is told apart", w.standing(there.Person))
						list(t, "who shares nothing", w.standing(w.post("free", number("4712")).Person))
					})
				})
			}
		})
	}
}

// In one call with the newcomer, and in a preview; and no longer than the veto stands.
func TestKeptValuesEnd(t *testing.T) {
	run(t, func(w *world) {
		old := w.put("e1", number("4711"), named("wang"))
		w.apply(directory.Terminate{Person: old.Person})
		put := func(key, number, login string) directory.PutRecord {
			return directory.PutRecord{Record: directory.Record{Source: w.ldap, Key: key, UserName: login, Active: true, Attributes: directory.Attributes{EmployeeNumber: number}}}
		}
		a := w.apply(put("e1", "X4711", "wang-left"), put("e2", "4711", "wang"))
		list(t, "in one call", w.standing(a.Records[1].Person), directory.SlotQuarantine)
		w.asked(a.Records[1].Person, old.Person)
		w.apply(directory.SeparatePeople{Item: w.asked(a.Records[1].Person, old.Person).ID})
		w.apply(put("e2", "", "e2"))
		w.apply(directory.LiftFreeze{Freeze: w.veto(old.Person).ID})
		list(t, "the veto is over", w.standing(w.post("after", number("4711")).Person))
		if err := w.ForgetLosses(w.ctx); err != nil {
			t.Fatal(err)
		}
		w.apply(directory.Terminate{Person: old.Person})
		list(t, "another veto", w.standing(w.put("later", number("4711")).Person))
		list(t, "what they have now", w.standing(w.post("wang-left").Person), directory.SlotQuarantine)
	})
}

// Whoever is split off from somebody under a veto is in quarantine, whatever their source changed since they were linked; and somebody is asked.
func TestSplitAfterAChange(t *testing.T) {
	for name, shares := range map[string]func(*directory.Record){
		"number": number("4711"), "address": email("wang@corp.example"), "nothing": func(*directory.Record) {},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				old, twin := w.put("e1", shares), w.post("twin", shares)
				w.pass(time.Minute)
				w.apply(directory.MergePeople{Keep: old.Person, Gone: twin.Person})
				w.pass(time.Minute)
				w.apply(directory.Terminate{Person: old.Person})
				w.edit(twin, func(r *directory.Record) { r.UserName, r.EmployeeNumber, r.Emails = "other", "9", nil })
				w.pass(time.Minute)
				w.apply(directory.SplitRecord{Person: old.Person, Link: twin.Link})
				list(t, "slots", w.standing(twin.Person), directory.SlotQuarantine)
				same(t, "frozen", w.person(twin.Person).Frozen, true)
				w.apply(directory.SeparatePeople{Item: w.asked(twin.Person, old.Person).ID})
				list(t, "told apart", w.standing(twin.Person))
			})
		})
	}
	t.Run("never asked about", func(t *testing.T) {
		run(t, func(w *world) {
			old, twin := w.put("e1"), w.post("twin")
			w.apply(directory.LinkRecord{Source: w.scim, Link: twin.Link, Person: old.Person})
			w.apply(directory.Terminate{Person: old.Person})
			w.pass(time.Minute)
			split := w.apply(directory.SplitRecord{Person: old.Person, Link: twin.Link}).Records[0].Person
			list(t, "slots", w.standing(split), directory.SlotQuarantine)
			item := w.asked(split, old.Person)
			same(t, "of the record", item.Link, twin.Link)
			w.apply(directory.SeparatePeople{Item: item.ID})
			if slots := w.standing(split); slices.Contains(slots, directory.SlotQuarantine) {
				t.Errorf("told apart, and %v", slots)
			}
		})
	})
}
