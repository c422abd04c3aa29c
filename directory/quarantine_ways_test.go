package directory_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

func named(name string) func(*directory.Record) {
	return func(r *directory.Record) { r.UserName = name }
}

// hired puts a record of an HR source.
func (w *world) hired(hr id.Source, key string, more ...func(*directory.Record)) directory.Record {
	w.Helper()
	r := directory.Record{Source: hr, Key: key, UserName: key, Active: true}
	for _, m := range more {
		m(&r)
	}
	return w.apply(directory.PutRecord{Record: r}).Records[0]
}

// asked answers the open work item of two people.
func (w *world) asked(a, b id.Person) directory.WorkItem {
	w.Helper()
	for _, item := range w.items(directory.WorkItemQuery{State: directory.ItemOpen, Person: a}) {
		if item.Other(a) == b {
			return item
		}
	}
	w.Fatalf("nobody is asked about %s and %s", a, b)
	return directory.WorkItem{}
}

// Blanks, full-width digits and characters that nobody sees make no other number and no other login, on whichever side they stand.
func TestQuarantineByLooks(t *testing.T) {
	for name, c := range map[string]struct{ known, comes func(*directory.Record) }{
		"blank":            {number("4711"), number(" 4711")},
		"no-break space":   {number("4711"), number("4711\u00a0")},
		"full width":       {number("4711"), number("\uff14\uff17\uff11\uff11")},
		"zero width":       {number("4711"), number("47\u200b11")},
		"known full width": {number("\uff14\uff17\uff11\uff11"), number("4711")},
		"both otherwise":   {number("\uff14\uff17\uff11\uff11"), number("4711 ")},
		"login":            {named("wang"), named("\uff37ang\u00a0")},
		"known login":      {named("\u2060Wang "), named("WANG")},
		"joiner":           {number("4711"), number("47\u034f11")},
		"filler":           {number("4711"), number("\u31644711\uffa0")},
		"empty cell":       {number("4711\u2800"), number("4711")},
		"case":             {number("A4711"), number("a4711")},
		"known small":      {number("a4711"), number("A4711")},
		"other digits":     {number("4711"), number("\u0664\u0667\u0661\u0661")},
		"unseen in login":  {named("wang"), named("wa\u180bn\u17b5g\u2800")},
		"umlaut":           {named("\uff2duller"), named("muller\u3000")},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				hr := w.source("people-hr", directory.KindHRFeed, 1)
				old := w.hired(hr, "4711", c.known).Person
				w.apply(directory.Terminate{Source: hr, Key: "4711"})
				twin := w.post("other", c.comes).Person
				list(t, "slots", w.standing(twin), directory.SlotQuarantine)
				w.apply(directory.SeparatePeople{Item: w.asked(twin, old).ID})
				list(t, "slots of who is told apart", w.standing(twin))
				free := w.post("third", number("4712"), named("wan g")).Person
				list(t, "slots of somebody else", w.standing(free))
			})
		})
	}
}

// Records that were written before anybody looked are looked at when the tables are brought up to date.
func TestLookAlikesOfBefore(t *testing.T) {
	run(t, func(w *world) {
		hr := w.source("people-hr", directory.KindHRFeed, 1)
		w.hired(hr, "a", number("\uff14\uff17\uff11\uff11"))
		w.hired(hr, "b", number("4712"))
		w.apply(directory.Terminate{Source: hr, Key: "a"})
		if err := w.db.Tx(w.ctx, func(tx *db.Tx) error {
			return tx.Exec("delete from record_looks").Error
		}); err != nil {
			t.Fatal(err)
		}
		list(t, "before", w.standing(w.post("one", number("4711")).Person))
		if err := directory.Migrate(w.ctx, w.db); err != nil {
			t.Fatal(err)
		}
		list(t, "after", w.standing(w.post("two", number("4711")).Person), directory.SlotQuarantine)
		list(t, "somebody else", w.standing(w.post("three", number("4712")).Person))
	})
}

// Whoever is there and takes the number or the login of somebody under a veto is in quarantine from then on; of somebody who merely left, not.
func TestQuarantineOfWhoTakes(t *testing.T) {
	run(t, func(w *world) {
		hr := w.source("people-hr", directory.KindHRFeed, 1)
		old := w.hired(hr, "4711", number("4711"), named("wang")).Person
		w.hired(hr, "4712", number("4712"), named("zhao"))
		byNumber, byLogin, sleeping := w.post("one"), w.post("two"), w.post("three", func(r *directory.Record) { r.Active = false })
		w.apply(directory.Terminate{Source: hr, Key: "4711"})
		w.apply(directory.DeleteRecord{Source: hr, Key: "4712"})
		w.edit(byNumber, number("4712"))
		list(t, "who has the number of somebody who left", w.standing(byNumber.Person))
		w.edit(byNumber, number(""))
		for _, takes := range []struct {
			directory.Record
			edit func(*directory.Record)
		}{{byNumber, number("4711")}, {byLogin, named("Wang")}, {sleeping, func(r *directory.Record) { r.Active, r.EmployeeNumber = true, "\uff14711" }}} {
			w.edit(takes.Record, takes.edit)
			list(t, "slots", w.standing(takes.Person), directory.SlotQuarantine)
			same(t, "frozen", w.person(takes.Person).Frozen, true)
			w.apply(directory.SeparatePeople{Item: w.asked(takes.Person, old).ID})
			list(t, "slots of who is told apart", w.standing(takes.Person))
			w.edit(takes.Record, func(r *directory.Record) { r.EmployeeNumber, r.UserName = "", string(r.Link) })
			w.edit(takes.Record, takes.edit)
			list(t, "nobody is asked twice", w.standing(takes.Person))
		}

		// Whom the veto is about takes their own number from another source.
		w.put("again", number("9"))
		w.apply(directory.LinkRecord{Source: w.ldap, Link: w.put("again").Link, Person: old})
		w.put("again", number("4711"))
		if slots := w.standing(old); slices.Contains(slots, directory.SlotQuarantine) {
			t.Errorf("in quarantine for being themselves: %v", slots)
		}
	})
}

// What holds of an open work item when one of the two is terminated holds of the other at that instant.
//
// holds: J20
func TestQuarantineOfATwin(t *testing.T) {
	for name, ends := range map[string]func(old directory.Record) directory.Change{
		"by HR": func(old directory.Record) directory.Change {
			return directory.Terminate{Source: old.Source, Key: old.Key}
		},
		"by hand": func(old directory.Record) directory.Change { return directory.Terminate{Person: old.Person} },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				hr := w.source("people-hr", directory.KindHRFeed, 1)
				old := w.hired(hr, "4711", number("4711"))
				twin, apart, mate := w.post("twin", number("4711")), w.put("apart", number("4711")), w.post("mate", email("team@corp.example"))
				w.apply(directory.SeparatePeople{Item: w.asked(apart.Person, old.Person).ID})
				list(t, "slots before", w.standing(twin.Person))
				w.pass(time.Minute)
				at := w.apply(ends(old))
				if !slices.ContainsFunc(at.Changed, func(c directory.Changed) bool { return c.Person == twin.Person }) {
					t.Error("the call says nothing of the twin")
				}
				list(t, "slots", w.standing(twin.Person), directory.SlotQuarantine)
				if told := w.gate.slots(twin.Person); !slices.Contains(told, directory.SlotQuarantine) || !slices.Contains(w.gate.last().people, twin.Person) {
					t.Errorf("not in force with the answer: %v, %+v", told, w.gate.last())
				}
				list(t, "who was told apart", w.standing(apart.Person))
				list(t, "who shares nothing", w.standing(mate.Person))

				// It is lifted as any quarantine is, and saying the same again changes nothing.
				for _, f := range w.facts(twin.Person).Freezes {
					w.apply(directory.LiftFreeze{Freeze: f.ID})
				}
				w.apply(ends(old))
				list(t, "slots after", w.standing(twin.Person))
			})
		})
	}
}

// In one call, too.
func TestQuarantineWithinACall(t *testing.T) {
	run(t, func(w *world) {
		hr := w.source("people-hr", directory.KindHRFeed, 1)
		w.hired(hr, "4711", number("4711"))
		there := w.put("there")
		again := directory.Record{Source: w.ldap, Key: "new", UserName: "new", Active: true, Attributes: directory.Attributes{EmployeeNumber: "4711"}}
		taken := directory.Record{Source: w.ldap, Key: "there", UserName: "there", Active: true, Attributes: directory.Attributes{EmployeeNumber: "4711"}}
		a := w.apply(directory.Terminate{Source: hr, Key: "4711"}, directory.PutRecord{Record: again}, directory.PutRecord{Record: taken})
		list(t, "who is new", w.standing(a.Records[1].Person), directory.SlotQuarantine)
		list(t, "who was there", w.standing(there.Person), directory.SlotQuarantine)
	})
}

// A link that is taken back brings the quarantine back while the veto stands, and the question too; the preview says so.
func TestSplitBringsQuarantineBack(t *testing.T) {
	for name, c := range map[string]struct {
		keepOld, lift, renumber bool
		want                    []string
	}{
		"into who was terminated":     {keepOld: true, want: []string{directory.SlotQuarantine}},
		"into who was in quarantine":  {want: []string{directory.SlotQuarantine, directory.SlotVeto}},
		"another number meanwhile":    {keepOld: true, renumber: true, want: []string{directory.SlotQuarantine}},
		"the veto was lifted by then": {keepOld: true, lift: true},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				hr := w.source("people-hr", directory.KindHRFeed, 1)
				old := w.hired(hr, "4711", number("4711"))
				w.apply(directory.Terminate{Person: old.Person})
				w.pass(time.Minute)
				twin := w.post("twin", number("4711"))
				list(t, "slots", w.standing(twin.Person), directory.SlotQuarantine)
				w.pass(time.Minute)
				keep, gone := old, twin
				if !c.keepOld {
					keep, gone = twin, old
				}
				w.apply(directory.MergePeople{Keep: keep.Person, Gone: gone.Person})
				if c.renumber {
					w.edit(twin, number("9"))
				}
				if c.lift {
					w.apply(directory.LiftFreeze{Freeze: w.veto(old.Person).ID})
				}
				w.pass(time.Minute)
				in := &directory.SplitInput{ID: keep.Person, Link: gone.Link}
				in.Body.DryRun = true
				seen, err := (&directory.API{Store: w.Store}).Split(context.Background(), in)
				if err != nil {
					t.Fatal(err)
				}
				stands := seen.Body.OtherFreezes
				if !c.keepOld {
					stands = seen.Body.Freezes
				}
				var slots []string
				for _, f := range stands {
					slots = append(slots, f.Slot)
				}
				slices.Sort(slots)
				list(t, "preview", slots, c.want...)
				w.pass(time.Minute)
				w.apply(directory.SplitRecord{Person: keep.Person, Link: gone.Link})
				list(t, "slots after", w.standing(twin.Person), c.want...)
				if c.lift {
					w.nothingAsked()
					return
				}
				w.apply(directory.SeparatePeople{Item: w.asked(twin.Person, old.Person).ID})
				if slices.Contains(w.standing(twin.Person), directory.SlotQuarantine) {
					t.Error("told apart, and in quarantine still")
				}
			})
		})
	}
}
