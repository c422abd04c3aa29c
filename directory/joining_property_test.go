package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// matching is a directory of two sources with few values, so that much is alike, and what a model knows of it.
type matching struct {
	*world
	sources []id.Source
	owner   map[id.Link]id.Person // of every record there ever was
	human   map[id.Person]bool    // whom a human being gave a second record
	apart   map[id.WorkItem]bool  // what a human being separated
	prefix  string
}

func (m *matching) value(t *rapid.T, what string, of ...string) string {
	v := rapid.SampledFrom(of).Draw(t, what)
	if v == "" {
		return ""
	}
	return m.prefix + v
}

func (m *matching) content(t *rapid.T, r *directory.Record) {
	r.UserName = m.value(t, "userName", "a", "b", "c", "d", "e", "f")
	r.ExternalID = m.value(t, "externalId", "", "1", "2", "3")
	r.EmployeeNumber = m.value(t, "number", "", "", "7", "8")
	r.Emails = nil
	if e := m.value(t, "email", "", "x@x", "X@x", "y@x"); e != "" {
		r.Emails = []directory.Email{{Value: e}}
	}
	r.Active = rapid.Bool().Draw(t, "active")
}

// do makes a change that may be refused for a good reason, and answers whether it was made.
func (m *matching) do(t *rapid.T, c directory.Change) (directory.Applied, bool) {
	a, err := m.Apply(m.ctx, directory.Cause{Actor: "test"}, c)
	for _, fine := range []error{directory.ErrExists, directory.ErrNotFound, directory.ErrInvalid, directory.ErrDecided} {
		if errors.Is(err, fine) {
			return a, false
		}
	}
	if err != nil {
		t.Fatalf("%T: %v", c, err)
	}
	return a, true
}

func (m *matching) link(t *rapid.T) id.Link {
	links := make([]id.Link, 0, len(m.owner))
	for l := range m.owner {
		links = append(links, l)
	}
	if len(links) == 0 {
		return ""
	}
	slices.Sort(links)
	return rapid.SampledFrom(links).Draw(t, "link")
}

func (m *matching) sourceOf(l id.Link) id.Source {
	for _, r := range m.all() {
		if r.Link == l {
			return r.Source
		}
	}
	return ""
}

// all answers every record of the people whom the model knows.
func (m *matching) all() []directory.Record {
	people := map[id.Person]bool{}
	for _, p := range m.owner {
		people[p] = true
	}
	var out []directory.Record
	for p := range people {
		records, err := m.Records(m.ctx, p)
		if err != nil {
			m.Fatal(err)
		}
		out = append(out, records...)
	}
	return out
}

// step makes one random change and moves the model.
func (m *matching) step(t *rapid.T) {
	switch rapid.SampledFrom([]string{"post", "post", "patch", "delete", "merge", "separate", "split", "pass"}).Draw(t, "step") {
	case "post":
		r := directory.Record{Source: rapid.SampledFrom(m.sources).Draw(t, "source")}
		m.content(t, &r)
		if a, ok := m.do(t, directory.CreateRecord{Record: r}); ok {
			rec := a.Records[0]
			if before, known := m.owner[rec.Link]; known && before != rec.Person {
				t.Fatalf("a POST moved record %s", rec.Link)
			}
			if before := m.tombstone(rec); rec.Person != before && m.known(rec.Person) && m.owner[rec.Link] == "" {
				t.Fatalf("a POST of externalId %q joined %s, known by nothing that may", rec.ExternalID, rec.Person)
			}
			m.owner[rec.Link] = rec.Person
		}
	case "patch":
		if l := m.link(t); l != "" {
			m.do(t, directory.EditRecord{Source: m.sourceOf(l), Link: l, Edit: func(r *directory.Record) error { m.content(t, r); return nil }})
		}
	case "delete":
		if l := m.link(t); l != "" {
			m.do(t, directory.DeleteRecord{Source: m.sourceOf(l), Link: l})
		}
	case "merge":
		if x, y := m.link(t), m.link(t); x != "" && m.owner[x] != m.owner[y] {
			keep, gone := m.owner[x], m.owner[y]
			if _, ok := m.do(t, directory.MergePeople{Keep: keep, Gone: gone, Anyway: rapid.Bool().Draw(t, "anyway")}); ok {
				for l, p := range m.owner {
					if p == gone {
						m.owner[l] = keep
					}
				}
				m.human[keep] = true
			}
		}
	case "separate":
		open, err := m.WorkItems(m.ctx, directory.WorkItemQuery{State: directory.ItemOpen})
		if err != nil {
			t.Fatal(err)
		}
		if len(open) > 0 {
			item := rapid.SampledFrom(open).Draw(t, "item")
			m.do(t, directory.SeparatePeople{Item: item.ID})
			m.apart[item.ID] = true
		}
	case "split":
		if l := m.link(t); l != "" {
			if a, ok := m.do(t, directory.SplitRecord{Person: m.owner[l], Link: l}); ok {
				m.owner[l] = a.Records[0].Person
			}
		}
	case "pass":
		m.pass(24 * time.Hour)
	}
}

func (m *matching) known(p id.Person) bool {
	for _, o := range m.owner {
		if o == p {
			return true
		}
	}
	return false
}

// tombstone answers whose a deleted record of the same externalId in the same source is, the last one.
func (m *matching) tombstone(rec directory.Record) id.Person {
	var last directory.Record
	for _, r := range m.all() {
		if r.Source == rec.Source && r.ExternalID == rec.ExternalID && rec.ExternalID != "" && !r.DeletedAt.IsZero() &&
			(last.Link == "" || r.DeletedAt.After(last.DeletedAt) || r.DeletedAt.Equal(last.DeletedAt) && r.Link > last.Link) {
			last = r
		}
	}
	return last.Person
}

// holds looks at everything that must be so after each step.
func (m *matching) holds(t *rapid.T) {
	seen := map[id.Link]bool{}
	live := map[string]int{}
	for _, r := range m.all() {
		seen[r.Link] = true
		if m.owner[r.Link] != r.Person {
			t.Fatalf("record %s is of %s, want %s", r.Link, r.Person, m.owner[r.Link])
		}
		if r.DeletedAt.IsZero() {
			live[string(r.Person)+" "+string(r.Source)]++
			if live[string(r.Person)+" "+string(r.Source)] > 1 && !m.human[r.Person] {
				t.Fatalf("%s has two live records of one source, and nobody said so", r.Person)
			}
			if p := m.person(r.Person); p.MergedInto != "" {
				t.Fatalf("%s has a record and is merged into %s", p.ID, p.MergedInto)
			}
		}
	}
	if len(seen) != len(m.owner) {
		t.Fatalf("%d records, want %d", len(seen), len(m.owner))
	}
	items, err := m.WorkItems(m.ctx, directory.WorkItemQuery{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	pairs := map[string]bool{}
	for _, i := range items {
		pair := fmt.Sprint(i.Newer, i.Older)
		if pairs[pair] {
			t.Fatalf("two work items of %s", pair)
		}
		pairs[pair] = true
		if i.State == directory.ItemOpen && (m.apart[i.ID] || m.person(i.Newer).MergedInto != "" || m.person(i.Older).MergedInto != "") {
			t.Fatalf("asked about what is decided: %+v", i)
		}
	}
}

// No sequence of a source's calls and a human being's decisions loses a record, gives one person two live records of one source by itself, merges two
// people without somebody who said so, or asks about what was separated.
//
// holds: J27, J28
func TestNobodyIsMergedSilently(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		sources := []id.Source{w.scim, w.source("second", directory.KindSCIM, 30)}
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			if n > w.checks() {
				return
			}
			m := &matching{world: w, sources: sources, owner: map[id.Link]id.Person{}, human: map[id.Person]bool{}, apart: map[id.WorkItem]bool{}, prefix: fmt.Sprintf("%d-", n)}
			for range rapid.IntRange(1, 25).Draw(rt, "steps") {
				m.step(rt)
				m.holds(rt)
			}
		})
	})
}
