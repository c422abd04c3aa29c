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
