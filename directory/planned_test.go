package directory_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// What a source plans takes effect at its instant: of the facts by the clock alone, of the rows when somebody looks.
func TestPlannedChangeTakesEffectByItself(t *testing.T) {
	run(t, func(w *world) {
		unit := func(key, name string) id.Unit {
			w.apply(directory.PutUnit{Unit: directory.Unit{Source: w.ldap, Key: key, Name: name}})
			units, err := w.UnitsOf(w.ctx, w.ldap)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range units {
				if u.Key == key {
					return u.ID
				}
			}
			t.Fatal("no unit")
			return ""
		}
		unit("a", "A")
		move := w.at.AddDate(0, 0, 10)
		r := w.put("li", func(r *directory.Record) {
			r.UnitKey, r.Department, r.Labels = "a", "R&D", map[string]string{"site": "bj", "team": "x"}
			r.Planned = []directory.Planned{{At: move, Set: map[string]string{"unit": "b", "department": "Sales", "manager": "boss", "label.site": "sh", "label.team": ""}}}
		})
		b, boss := unit("b", "B"), w.put("boss") // both arrive after the plan
		p := r.Person
		f := w.facts(p)
		same(t, "department", f.Person.Department, "R&D")
		if len(f.Ahead) != 1 || !f.Ahead[0].At.Equal(move) || f.Ahead[0].Person.Department != "Sales" || f.Ahead[0].Person.Unit != b || f.Ahead[0].Person.Manager != boss.Person {
			t.Fatalf("%+v", f.Ahead)
		}
		w.pass(10*24*time.Hour + 3*time.Second)
		f = w.facts(p)
		if q := f.Person; q.Department != "Sales" || q.Unit != b || q.Manager != boss.Person || q.Labels["site"] != "sh" || q.Labels["team"] != "" || len(f.Ahead) != 0 {
			t.Errorf("%+v", f)
		}
		same(t, "unit path", len(f.UnitPath), 1)
		same(t, "rows are behind", w.person(p).Department, "R&D")
		n, _, err := w.CatchInstants(w.ctx)
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		q := w.person(p)
		same(t, "department", q.Department, "Sales")
		same(t, "unit", q.Unit, b)
		list(t, "audit", w.actions(string(p)), "person.created", "person.effective", "person.changed")
		w.unchanged(func() {
			if n, _, err := w.CatchInstants(w.ctx); err != nil || n != 0 {
				t.Error(n, err)
			}
		})
	})
}

func TestPlannedChangesAreCleaned(t *testing.T) {
	run(t, func(w *world) {
		at := w.at.AddDate(0, 0, 1)
		r := w.put("li", func(r *directory.Record) {
			r.Planned = []directory.Planned{{At: at.Add(time.Hour), Set: map[string]string{"title": "B"}}, {At: at, Set: map[string]string{"title": "A"}},
				{At: at, Set: map[string]string{"department": "D"}}, {At: at}}
		})
		if len(r.Planned) != 2 || r.Planned[0].Set["title"] != "A" || r.Planned[0].Set["department"] != "D" {
			t.Errorf("%+v", r.Planned)
		}
		w.unchanged(func() { w.put("li", func(o *directory.Record) { o.Planned = r.Planned }) })
		for _, bad := range []directory.Planned{{Set: map[string]string{"title": "A"}}, {At: at, Set: map[string]string{"user_name": "x"}},
			{At: at, Set: map[string]string{"label.": "x"}}, {At: at, Set: map[string]string{"title": "\x00"}}} {
			_, err := w.Apply(w.ctx, directory.Cause{}, directory.PutRecord{Record: directory.Record{Source: w.ldap, Key: "bad", Planned: []directory.Planned{bad}}})
			if !errors.Is(err, directory.ErrInvalid) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		w.put("li")
		same(t, "withdrawn", len(w.facts(r.Person).Ahead), 0)
	})
}

// Several nodes look at the clock: what came into force is written once.
func TestInstantsAreCaughtOnce(t *testing.T) {
	run(t, func(w *world) {
		at := w.at.Add(time.Hour)
		var people []id.Person
		for i := range 20 {
			r := w.put(fmt.Sprint("p", i), func(r *directory.Record) {
				r.Planned = []directory.Planned{{At: at, Set: map[string]string{"title": "Head"}}}
			})
			people = append(people, r.Person)
		}
		w.pass(time.Hour)
		var wait sync.WaitGroup
		for range 4 {
			wait.Add(1)
			go func() {
				defer wait.Done()
				if _, _, err := w.CatchInstants(w.ctx); err != nil {
					t.Error(err)
				}
			}()
		}
		wait.Wait()
		for _, p := range people {
			list(t, "audit", w.actions(string(p)), "person.created", "person.effective", "person.changed")
			same(t, "title", w.person(p).Title, "Head")
		}
	})
}

// Whoever is linked to a person who was terminated at once does not shake the veto off.
func TestVetoIsInherited(t *testing.T) {
	run(t, func(w *world) {
		keep, gone := w.post("keep"), w.post("gone")
		until := w.at.Add(48 * time.Hour)
		w.apply(directory.Terminate{Person: gone.Person, Veto: 48 * time.Hour})
		w.apply(directory.MergePeople{Keep: keep.Person, Gone: gone.Person})
		if v := w.veto(keep.Person); !v.Veto || !v.Until.Equal(until) {
			t.Errorf("%+v", v)
		}
		same(t, "frozen", w.person(keep.Person).Frozen, true)
	})
}
