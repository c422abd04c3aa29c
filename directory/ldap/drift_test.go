package ldap_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// teller is a grove whose stream says what it is given.
type teller struct {
	*grove
	say chan []ldap.Change
}

func (r *teller) Watch(ctx context.Context, _ ldap.Cursor, emit func([]ldap.Change) error) error {
	changes := []ldap.Change{{Op: ldap.OpRefreshed}}
	for {
		if err := emit(changes); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case changes = <-r.say:
		}
	}
}

// TestToldLate tells the new name of a unit first, as one who looked it up knows it, and then what happened beneath its old name: nobody goes elsewhere for that.
//
// holds: R6
func TestToldLate(t *testing.T) {
	g := newGrove(rand.New(rand.NewPCG(1, 1)))
	top, unit := g.add(ldap.ClassUnit), g.add(ldap.ClassUnit)
	inner, person := g.add(ldap.ClassUnit), g.add(ldap.ClassPerson)
	top.above, unit.above, inner.above, person.above = "", top.key, unit.key, inner.key
	r := &teller{grove: g, say: make(chan []ldap.Change)}
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(someConfig)
	sy.Reader = r
	runs(t, sy, time.Hour)
	wait(t, "followed", func() bool { return sy.Status().Mode == "live" })

	tell := func(l *leaf, title string) ldap.Change {
		o := g.object(l)
		if o.Attrs = maps.Clone(o.Attrs); title != "" {
			o.Attrs["title"] = []string{title}
		}
		return ldap.Change{Op: ldap.OpUpsert, Object: o}
	}
	g.mu.Lock()
	late, older := tell(person, "Late"), tell(inner, "")
	came := &leaf{class: ldap.ClassPerson, key: "person-new", name: "uid=new", above: inner.key, attrs: map[string][]string{"uid": {"new"}, "cn": {"New"}}}
	g.entries[came.key] = came
	fresh := tell(came, "")
	person.attrs["title"], unit.name = []string{"Late"}, "ou=renamed"
	renamed := tell(unit, "")
	g.mu.Unlock()
	for _, change := range []ldap.Change{renamed, late, older, fresh} {
		r.say <- []ldap.Change{change}
	}
	wait(t, "the title", func() bool { return w.people()["p4"].Title == "Late" })
	if got := w.people()["p4"].UnitKey; got != inner.key {
		t.Errorf("in %q meanwhile", got)
	}
	if got := w.units()["U3"].ParentKey; got != unit.key {
		t.Errorf("the unit is in %q meanwhile", got)
	}
	inStep(t, w, g, sy)
}

// TestToldBeforeItLeft tells in one breath that somebody came into a unit, and that this unit left the base: they left with it, by whatever name they were told.
//
// holds: R6
func TestToldBeforeItLeft(t *testing.T) {
	const newWithin = "a new unit within a unit, from elsewhere"
	for name, tell := range map[string]func(g *grove, unit, inner, person *leaf) []ldap.Change{
		"a unit with another name": func(g *grove, unit, _, person *leaf) []ldap.Change {
			unit.name, person.above = "ou=renamed", unit.key
			return []ldap.Change{upsert(g, unit), upsert(g, person)}
		},
		"a unit nobody knew": func(g *grove, unit, _, person *leaf) []ldap.Change {
			added := &leaf{class: ldap.ClassUnit, key: "unit-new", name: "ou=new", above: unit.key, attrs: map[string][]string{"ou": {"new"}}}
			g.entries[added.key], person.above = added, added.key
			told := []ldap.Change{upsert(g, added), upsert(g, person), {Op: ldap.OpDelete, Keys: []string{added.key}}}
			added.above = "out"
			return told
		},
		"a unit within a unit": func(g *grove, unit, inner, person *leaf) []ldap.Change {
			inner.above = unit.key
			return []ldap.Change{upsert(g, inner)}
		},
		newWithin: func(g *grove, unit, _, person *leaf) []ldap.Change {
			added := &leaf{class: ldap.ClassUnit, key: "unit-new", name: "ou=new", attrs: map[string][]string{"ou": {"new"}}}
			g.entries[added.key], person.above = added, added.key
			told := []ldap.Change{upsert(g, added), upsert(g, person)}
			added.above = unit.key
			return append(told, upsert(g, added))
		},
		"somebody who came back since": func(g *grove, unit, inner, person *leaf) []ldap.Change {
			person.above = unit.key
			told := []ldap.Change{upsert(g, person)}
			person.above = inner.key
			return told
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGrove(rand.New(rand.NewPCG(1, 1)))
			unit, inner, person := g.add(ldap.ClassUnit), g.add(ldap.ClassUnit), g.add(ldap.ClassPerson)
			g.add(ldap.ClassPerson).above, unit.above, inner.above, person.above = "", "", "", inner.key
			r := &teller{grove: g, say: make(chan []ldap.Change)}
			w := newWorld(t, dbtest.SQLite(t))
			sy := w.syncer(someConfig)
			sy.Reader = r
			runs(t, sy, time.Hour)
			wait(t, "followed", func() bool { return sy.Status().Mode == "live" })
			read := sy.Status().LastRun
			g.mu.Lock()
			told := append(tell(g, unit, inner, person), ldap.Change{Op: ldap.OpDelete, Keys: []string{unit.key}})
			unit.above = "out"
			g.mu.Unlock()
			r.say <- told
			inStep(t, w, g, sy)
			if sy.Status().LastRun != read && name != newWithin { // that one cannot be looked into by the name that was told
				t.Error("everything was read again")
			}
		})
	}
}

func upsert(g *grove, l *leaf) ldap.Change {
	return ldap.Change{Op: ldap.OpUpsert, Object: g.object(l)}
}

// TestLookedUpBeneathNothing finds somebody by a name that no unit has and nobody told, because the unit had left the base when it was told of: who is not found
// when they are looked at again is not left as they were.
//
// holds: R6
func TestLookedUpBeneathNothing(t *testing.T) {
	g := newGrove(rand.New(rand.NewPCG(1, 1)))
	top, unit, person := g.add(ldap.ClassUnit), g.add(ldap.ClassUnit), g.add(ldap.ClassPerson)
	g.add(ldap.ClassPerson).above, unit.above, person.above = "", "", top.key
	r := &teller{grove: g, say: make(chan []ldap.Change)}
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(someConfig)
	sy.Reader = r
	runs(t, sy, time.Hour)
	wait(t, "followed", func() bool { return sy.Status().Mode == "live" })
	g.mu.Lock()
	unit.name, person.above = "ou=renamed", unit.key
	late := []ldap.Change{{Op: ldap.OpUpsert, Object: g.object(person)}}
	unit.above = "out"
	g.mu.Unlock()
	r.say <- late
	r.say <- []ldap.Change{{Op: ldap.OpDelete, Keys: []string{unit.key}}}
	inStep(t, w, g, sy)
}

// TestCameFromElsewhere moves somebody into the base whom nobody knew: references that led out of it follow, and nobody tells of those.
func TestCameFromElsewhere(t *testing.T) {
	g := newGrove(rand.New(rand.NewPCG(1, 1)))
	g.refint = true
	boss, person, group := g.add(ldap.ClassPerson), g.add(ldap.ClassPerson), g.add(ldap.ClassGroup)
	boss.above, person.above, group.above = "out", "", ""
	person.manager, group.members = g.dn(boss), []string{g.dn(boss), g.dn(person)}
	r := &teller{grove: g, say: make(chan []ldap.Change)}
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(someConfig)
	sy.Reader = r
	runs(t, sy, time.Hour)
	wait(t, "followed", func() bool { return sy.Status().Mode == "live" })
	g.mu.Lock()
	g.renames(func() { boss.above = "" })
	came := upsert(g, boss)
	g.mu.Unlock()
	r.say <- []ldap.Change{came}
	inStep(t, w, g, sy)
	if got := w.people()["p2"].ManagerKey; got != boss.key {
		t.Errorf("the manager is %q", got)
	}
}

// TestCameBackWithSomebody moves a unit out of the base, adds somebody there, and moves it back before anything of it was taken in.
//
// holds: R6
func TestCameBackWithSomebody(t *testing.T) {
	g := newGrove(rand.New(rand.NewPCG(1, 1)))
	unit, person := g.add(ldap.ClassUnit), g.add(ldap.ClassPerson)
	unit.above, person.above = "", unit.key
	r := &teller{grove: g, say: make(chan []ldap.Change)}
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(someConfig)
	sy.Reader = r
	runs(t, sy, time.Hour)
	wait(t, "followed", func() bool { return sy.Status().Mode == "live" })
	g.mu.Lock()
	g.entries["person-new"] = &leaf{class: ldap.ClassPerson, key: "person-new", name: "uid=new", above: unit.key, attrs: map[string][]string{"uid": {"new"}, "cn": {"New"}}}
	told := []ldap.Change{{Op: ldap.OpDelete, Keys: []string{unit.key}}, {Op: ldap.OpDelete, Keys: []string{"person-new"}}, upsert(g, unit)}
	g.mu.Unlock()
	r.say <- told
	inStep(t, w, g, sy)
	g.mu.Lock() // and once more, found back where it is looked up
	g.entries["person-newer"] = &leaf{class: ldap.ClassPerson, key: "person-newer", name: "uid=newer", above: unit.key, attrs: map[string][]string{"uid": {"newer"}, "cn": {"Newer"}}}
	g.mu.Unlock()
	r.say <- []ldap.Change{{Op: ldap.OpDelete, Keys: []string{unit.key}}, {Op: ldap.OpDelete, Keys: []string{"person-newer"}}}
	inStep(t, w, g, sy)
}
