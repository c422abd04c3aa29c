package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

func email(values ...string) func(*directory.Record) {
	return func(r *directory.Record) {
		r.Emails = nil
		for _, v := range values {
			r.Emails = append(r.Emails, directory.Email{Value: v})
		}
	}
}

func external(value string) func(*directory.Record) {
	return func(r *directory.Record) { r.ExternalID = value }
}

func (w *world) items(q directory.WorkItemQuery) []directory.WorkItem {
	w.Helper()
	out, err := w.WorkItems(w.ctx, q)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// item answers the only open work item.
func (w *world) item() directory.WorkItem {
	w.Helper()
	open := w.items(directory.WorkItemQuery{State: directory.ItemOpen})
	if len(open) != 1 {
		w.Fatalf("open work items: %+v", open)
	}
	return open[0]
}

func (w *world) nothingAsked() {
	w.Helper()
	if open := w.items(directory.WorkItemQuery{State: directory.ItemOpen}); len(open) > 0 {
		w.Fatalf("open work items: %+v", open)
	}
}

func (w *world) refused(want error, changes ...directory.Change) {
	w.Helper()
	if _, err := w.Apply(w.ctx, directory.Cause{Actor: "test"}, changes...); !errors.Is(err, want) {
		w.Fatalf("got %v, want %v", err, want)
	}
}

// A new number and an old e-mail address: whether it is the same human being is for a human being to say.
//
// holds: J27, J28
func TestPossibleRehire(t *testing.T) {
	run(t, func(w *world) {
		old := w.post("zhang.wei", external("A001"), email("Zhang.Wei@Corp.example"), number("1"))
		w.apply(directory.DeleteRecord{Source: w.scim, Link: old.Link})
		again := w.post("zhang.wei2", external("A777"), email("private@home.example", "zhang.wei@corp.EXAMPLE"), number("77"))
		if again.Person == old.Person {
			t.Fatal("an e-mail address merged two people")
		}
		item := w.item()
		same(t, "kind", item.Kind, directory.PossibleRehire)
		same(t, "hint", item.Hint, directory.HintEmail)
		same(t, "newer", item.Newer, again.Person)
		same(t, "older", item.Older, old.Person)
		same(t, "link", item.Link, again.Link)
		list(t, "freezes of the predecessor", w.standing(old.Person), "deleted."+string(w.scim))

		// The source says it once more, and nothing is asked twice.
		w.unchanged(func() { w.edit(again, func(*directory.Record) {}) })
		w.edit(again, func(r *directory.Record) { r.Title = "Engineer" })
		same(t, "asked once", w.item().ID, item.ID)

		// Separated is separated, whatever is written later.
		w.apply(directory.SeparatePeople{Item: item.ID})
		w.unchanged(func() { w.apply(directory.SeparatePeople{Item: item.ID}) })
		w.edit(again, email())
		w.edit(again, email("zhang.wei@corp.example"))
		w.nothingAsked()
		w.refused(directory.ErrDecided, directory.MergePeople{Keep: old.Person, Gone: again.Person})
		list(t, "audit", w.actions(string(item.ID)), "work_item.separated")
	})
}

func TestNothingToAsk(t *testing.T) {
	run(t, func(w *world) {
		for i := range 12 { // a shared mailbox tells nobody apart
			w.post(fmt.Sprintf("clerk%d", i), email("info@corp.example"), external(fmt.Sprint(i)))
		}
		open := w.items(directory.WorkItemQuery{State: directory.ItemOpen, Limit: 500})
		if len(open) > 8*9/2 {
			t.Errorf("%d work items about a shared mailbox", len(open))
		}
		if last := open[len(open)-1]; last.Newer == w.post("one.more", email("info@corp.example")).Person {
			t.Error("the thirteenth was asked about")
		}
	})
	run(t, func(w *world) {
		w.post("", external("1"), func(r *directory.Record) { r.UserName = "a" })
		w.post("b", external("2")) // no e-mail, no number: empty values are nobody's
		w.nothingAsked()
		w.put("uuid-1", external("1"), func(r *directory.Record) { r.UserName = "c" }) // an opaque word of another source
		w.nothingAsked()
	})
}

func TestSameUserName(t *testing.T) {
	run(t, func(w *world) {
		a := w.post("Straße")
		b := w.put("uuid-1", func(r *directory.Record) { r.UserName = "STRASSE" })
		item := w.item()
		same(t, "kind", item.Kind, directory.SameUserName)
		if a.Person == b.Person {
			t.Fatal("a userName merged two people")
		}
		// The hint goes, so does the question; it comes back, so does the question: the same one.
		w.edit(a, func(r *directory.Record) { r.UserName = "other" })
		w.nothingAsked()
		w.edit(a, func(r *directory.Record) { r.UserName = "strasse"; email("s@x.example")(r) })
		same(t, "the same item", w.item().ID, item.ID)
		w.put("uuid-1", func(r *directory.Record) { r.UserName = "strasse"; email("s@x.example")(r) })
		same(t, "kind", w.item().Kind, directory.PossibleDuplicate)
		list(t, "hints", w.item().Hints, directory.HintEmail, directory.HintUserName)
		w.edit(a, func(r *directory.Record) { r.UserName = "again.other" })
		list(t, "hints", w.item().Hints, directory.HintEmail)
		w.apply(directory.DeleteRecord{Source: w.ldap, Key: "uuid-1"})
		w.nothingAsked()
	})
}

func TestAmbiguousMatch(t *testing.T) {
	run(t, func(w *world) {
		crm := w.source("crm", directory.KindSCIM, 30, directory.CorrelateEmployeeNumber)
		a := w.post("a", number("7"))
		b := w.put("b", number("7"))
		w.apply(directory.SeparatePeople{Item: w.item().ID})
		c := w.apply(directory.CreateRecord{Record: directory.Record{Source: crm, UserName: "c", Active: true, Attributes: directory.Attributes{EmployeeNumber: "7"}}}).Records[0]
		if c.Person == a.Person || c.Person == b.Person {
			t.Fatal("one of two was chosen")
		}
		open := w.items(directory.WorkItemQuery{State: directory.ItemOpen})
		same(t, "asked", len(open), 2)
		for _, item := range open {
			same(t, "kind", item.Kind, directory.AmbiguousMatch)
			same(t, "newer", item.Newer, c.Person)
		}
		// One whom the source knows already is no match either.
		w.apply(directory.MergePeople{Keep: a.Person, Gone: c.Person})
		d := w.apply(directory.CreateRecord{Record: directory.Record{Source: crm, UserName: "d", Active: true, Attributes: directory.Attributes{EmployeeNumber: "7"}}}).Records[0]
		if d.Person == a.Person || d.Person == b.Person {
			t.Fatal("a second record of one source was joined")
		}
	})
}

// Linking gives every record to who stays; who goes is nobody, and what the console said of them holds on.
func TestMergePeople(t *testing.T) {
	run(t, func(w *world) {
		s := w.post("zhang.wei", external("A001"), email("z@corp.example"))
		w.edit(s, func(r *directory.Record) { r.Active = false })
		w.pass(24 * time.Hour)
		m := w.post("zhang.wei2", external("A777"), email("z@corp.example"))
		other := w.post("wang.li", email("z@corp.example"))
		for _, item := range w.items(directory.WorkItemQuery{State: directory.ItemOpen, Person: other.Person}) {
			if item.Other(other.Person) == m.Person {
				w.apply(directory.SeparatePeople{Item: item.ID})
			}
		}
		w.apply(directory.FreezePerson{Person: m.Person, Veto: true})
		applied := w.apply(directory.MergePeople{Keep: s.Person, Gone: m.Person})
		same(t, "people changed", len(applied.Changed), 2)
		list(t, "freezes of who goes", w.standing(m.Person), "deleted.unlinked", "security")
		list(t, "freezes of who stays", w.standing(s.Person), "security")
		gone := w.person(m.Person)
		same(t, "merged into", gone.MergedInto, s.Person)
		same(t, "name stays readable", gone.UserName, "zhang.wei2")
		names, err := w.Names(w.ctx, []id.Person{m.Person})
		if err != nil || names[m.Person] != w.person(s.Person).DisplayName {
			t.Errorf("names: %v, %v", names, err)
		}
		page, err := w.People(w.ctx, directory.Query{Text: "zhang"})
		if err != nil || len(page.People) != 1 || page.People[0].ID != s.Person {
			t.Errorf("listed: %+v, %v", page.People, err)
		}
		same(t, "attributes of the active record win", w.person(s.Person).UserName, "zhang.wei2")
		w.unchanged(func() { w.apply(directory.MergePeople{Keep: s.Person, Gone: m.Person}) })
		w.refused(directory.ErrDecided, directory.MergePeople{Keep: other.Person, Gone: m.Person})
		w.refused(directory.ErrDecided, directory.MergePeople{Keep: m.Person, Gone: other.Person})
		list(t, "audit of who went", w.actions(string(m.Person)), "person.created", "person.frozen", "person.deleted", "person.frozen", "person.merged")
		if !slices.Contains(w.actions(string(m.Link)), "record.linked") {
			t.Errorf("audit of the record: %v", w.actions(string(m.Link)))
		}
		// Who was told apart from who went is told apart from who stays; freezing who went freezes who they are.
		for _, item := range w.items(directory.WorkItemQuery{Person: s.Person}) {
			if item.Other(s.Person) == other.Person && item.State == directory.ItemVanished {
				t.Errorf("forgotten: %+v", item)
			}
		}
		w.apply(directory.LiftFreeze{Freeze: w.facts(s.Person).Freezes[0].ID})
		w.apply(directory.FreezePerson{Person: m.Person})
		list(t, "freezes of who stays", w.standing(s.Person), "security")

		// A deleted record keeps its person for a new one of the same externalId.
		w.apply(directory.DeleteRecord{Source: w.scim, Link: m.Link})
		same(t, "found by externalId", w.post("zhang.wei3", external("A777")).Person, s.Person)
	})
}

// Splitting undoes linking: the record goes back to whom it came from, and the question stays answered.
func TestSplitRecord(t *testing.T) {
	run(t, func(w *world) {
		s := w.post("s", email("z@corp.example"))
		m := w.post("m", email("z@corp.example"))
		w.refused(directory.ErrInvalid, directory.SplitRecord{Person: s.Person, Link: s.Link})
		w.refused(directory.ErrNotFound, directory.SplitRecord{Person: s.Person, Link: m.Link})
		w.apply(directory.MergePeople{Keep: s.Person, Gone: m.Person})
		w.apply(directory.SplitRecord{Person: s.Person, Link: m.Link})
		same(t, "back", w.person(m.Person).MergedInto, "")
		list(t, "freezes", w.standing(m.Person))
		w.nothingAsked()
		w.edit(m, email())
		w.edit(m, email("z@corp.example"))
		w.nothingAsked()

		// Of a person who was never two, a record becomes a person of its own.
		w.apply(directory.LinkRecord{Source: w.scim, Link: m.Link, Person: s.Person})
		applied := w.apply(directory.SplitRecord{Person: s.Person, Link: m.Link})
		if p := applied.Records[0].Person; p == s.Person || p == m.Person {
			t.Errorf("split to %s", p)
		}
		w.nothingAsked()

		// It may be linked again by somebody who says so in spite of it.
		now := applied.Records[0].Person
		w.refused(directory.ErrDecided, directory.MergePeople{Keep: s.Person, Gone: now})
		w.apply(directory.MergePeople{Keep: s.Person, Gone: now, Anyway: true})
		same(t, "records", len(w.facts(s.Person).Records), 2)
	})
}

// Chains: who was merged into somebody who is merged is that third one, and comes back one by one.
func TestMergeChain(t *testing.T) {
	run(t, func(w *world) {
		a, b, c := w.post("a"), w.post("b"), w.post("c")
		w.apply(directory.MergePeople{Keep: b.Person, Gone: a.Person})
		w.apply(directory.MergePeople{Keep: c.Person, Gone: b.Person})
		same(t, "a is", w.person(a.Person).MergedInto, c.Person)
		same(t, "b is", w.person(b.Person).MergedInto, c.Person)
		w.apply(directory.SplitRecord{Person: c.Person, Link: a.Link})
		same(t, "the last decision is undone first", w.person(b.Person).MergedInto, "")
		w.apply(directory.SplitRecord{Person: c.Person, Link: b.Link})
		if facts := w.facts(c.Person); len(facts.Records) != 1 || facts.Records[0].Link != c.Link {
			t.Errorf("c has %+v", facts.Records)
		}
	})
}

// holds: J14, J26
func TestRehiredAt(t *testing.T) {
	run(t, func(w *world) {
		r := w.post("zhang.wei", external("A001"))
		w.edit(r, func(r *directory.Record) { r.Active = false })
		w.pass(time.Minute)
		again := w.post("zhang.wei.new", external("A001")) // a rename
		same(t, "person", again.Person, r.Person)
		if at := w.person(r.Person).RehiredAt; !at.IsZero() {
			t.Errorf("a rename is a rehire at %s", at)
		}
		w.edit(r, func(r *directory.Record) { r.Active = false })
		w.pass(180 * 24 * time.Hour)
		w.post("zhang.wei", external("A001"))
		same(t, "rehired", w.person(r.Person).RehiredAt, w.at)
		w.apply(directory.DeleteRecord{Source: w.scim, Link: r.Link})
		w.pass(180 * 24 * time.Hour)
		third := w.post("zhang.wei", external("A001"))
		same(t, "person", third.Person, r.Person)
		same(t, "rehired", w.person(r.Person).RehiredAt, w.at)
		w.nothingAsked()
	})
}

// Two sources that write one e-mail address at the same time are asked about, whoever comes first.
func TestParallelHints(t *testing.T) {
	run(t, func(w *world) {
		crm := w.source("crm", directory.KindSCIM, 30)
		const pairs = 10
		var wait sync.WaitGroup
		for i := range pairs {
			for _, source := range []id.Source{w.scim, crm} {
				wait.Add(1)
				go func() {
					defer wait.Done()
					r := directory.Record{Source: source, UserName: fmt.Sprintf("%s-%d", source, i), Active: true}
					email(fmt.Sprintf("p%d@corp.example", i))(&r)
					if _, err := w.Apply(w.ctx, directory.Cause{Actor: "test"}, directory.CreateRecord{Record: r}); err != nil {
						t.Error(err)
					}
				}()
			}
		}
		wait.Wait()
		same(t, "asked", len(w.items(directory.WorkItemQuery{State: directory.ItemOpen})), pairs)
	})
}

// A POST that finds somebody by a tombstone, at the same time as a human being links them, ends at who stays.
func TestPostWhileLinked(t *testing.T) {
	run(t, func(w *world) {
		for i := range 8 {
			s := w.post(fmt.Sprintf("s%d", i))
			m := w.post(fmt.Sprintf("m%d", i), external(fmt.Sprintf("x%d", i)))
			w.apply(directory.DeleteRecord{Source: w.scim, Link: m.Link})
			var wait sync.WaitGroup
			wait.Add(2)
			go func() {
				defer wait.Done()
				if _, err := w.Apply(w.ctx, directory.Cause{Actor: "test"}, directory.MergePeople{Keep: s.Person, Gone: m.Person}); err != nil {
					t.Error(err)
				}
			}()
			go func() {
				defer wait.Done()
				r := directory.Record{Source: w.scim, UserName: fmt.Sprintf("n%d", i), ExternalID: fmt.Sprintf("x%d", i), Active: true}
				if _, err := w.Apply(w.ctx, directory.Cause{Actor: "test"}, directory.CreateRecord{Record: r}); err != nil {
					t.Error(err)
				}
			}()
			wait.Wait()
			same(t, "records of who stays", len(w.facts(s.Person).Records), 3)
			same(t, "records of who went", len(w.facts(m.Person).Records), 0)
		}
	})
}

// A disabled record says nothing where another employment runs, and its groups wait where none does.
//
// holds: J29
func TestGroupsOfEndedEmployment(t *testing.T) {
	run(t, func(w *world) {
		a, b := w.post("a", number("1")), w.put("b", number("2"))
		w.apply(directory.CreateGroup{Group: directory.GroupRecord{Source: w.scim, DisplayName: "out"}, Members: []string{string(a.Link)}},
			directory.PutGroup{Group: directory.GroupRecord{Source: w.ldap, Key: "g", DisplayName: "in"}, Members: []string{"b"}})
		w.apply(directory.MergePeople{Keep: a.Person, Gone: b.Person})
		list(t, "both", w.person(a.Person).Groups, "corp/in", "entra/out")
		w.edit(a, func(r *directory.Record) { r.Active = false })
		list(t, "the other ended", w.person(a.Person).Groups, "corp/in")
		list(t, "never frozen", w.standing(a.Person))
		w.put("b", number("2"), func(r *directory.Record) { r.Active = false })
		list(t, "both wait", w.person(a.Person).Groups, "corp/in", "entra/out")
	})
}

// A call about many people finds whom one about a single person would, by each of the ways in which few people are known.
func TestHintsAmongMany(t *testing.T) {
	claims := func(r *directory.Record) { r.Claims = "Wang" }
	leave := func(w *world, old directory.Record) {
		w.apply(directory.Terminate{Person: old.Person})
		w.edit(old, func(r *directory.Record) { r.UserName, r.EmployeeNumber = "left", "X1" })
	}
	for name, c := range map[string]struct {
		known, comes func(*directory.Record)
		then         func(w *world, old directory.Record)
	}{
		"a number that looks so": {known: number("\uff14\uff17\uff11\uff11"), comes: number("4711")},
		"a login that looks so":  {known: named("\u2060Wang "), comes: named("wang")},
		"a login that is wanted": {known: claims, comes: named("wang")},
		"a number that was kept": {known: number("4711"), comes: number("4711"), then: leave},
		"a login that was kept":  {known: named("wang"), comes: named("wang"), then: leave},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				old := w.post("old", c.known)
				if c.then != nil {
					c.then(w, old)
				}
				twin := directory.Record{Source: w.ldap, Key: "twin", UserName: "twin", Active: true}
				c.comes(&twin)
				changes := []directory.Change{directory.PutRecord{Record: twin}}
				for i := range 40 {
					key := fmt.Sprintf("m%02d", i)
					changes = append(changes, directory.PutRecord{Record: directory.Record{Source: w.ldap, Key: key, UserName: key, Active: true}})
				}
				came := w.apply(changes...).Records[0].Person
				same(t, "asked about", w.item().Other(came), old.Person)
			})
		})
	}
}
