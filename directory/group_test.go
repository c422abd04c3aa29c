package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

func (w *world) group(name string, members ...string) directory.GroupRecord {
	w.Helper()
	return w.apply(directory.CreateGroup{Group: directory.GroupRecord{Source: w.scim, DisplayName: name}, Members: members}).Groups[0]
}

func (w *world) members(g directory.GroupRecord) []string {
	w.Helper()
	page, err := w.Members(w.ctx, g.ID, directory.MemberQuery{Limit: 1000})
	if err != nil {
		w.Fatal(err)
	}
	var out []string
	for _, m := range page.Members {
		out = append(out, m.Value)
	}
	return out
}

func told(a directory.Applied) []id.Person {
	var out []id.Person
	for _, c := range a.Changed {
		out = append(out, c.Person)
	}
	return out
}

func TestEditGroup(t *testing.T) {
	run(t, func(w *world) {
		a, b := w.post("a"), w.post("b")
		g := w.group("R&D", a.Key)
		list(t, "groups", w.person(a.Person).Groups, "entra/R&D")
		edit := func(e directory.EditGroup) directory.Applied {
			t.Helper()
			e.Source, e.Group = w.scim, g.ID
			return w.apply(e)
		}
		got := edit(directory.EditGroup{Add: []string{b.Key, a.Key, "nobody yet"}})
		list(t, "told", told(got), b.Person) // a was there
		same(t, "version", got.Groups[0].Version, int64(2))
		list(t, "settled", w.gate.last().people, b.Person)
		w.unchanged(func() {
			again := edit(directory.EditGroup{Add: []string{b.Key}, Remove: []string{"never here"}, IfVersion: []int64{2}})
			if !again.Noop || again.Groups[0].Version != 2 {
				t.Errorf("%+v", again)
			}
			if _, err := w.Apply(w.ctx, directory.Cause{}, directory.EditGroup{Source: w.scim, Group: g.ID, IfVersion: []int64{1}, Add: []string{"x"}}); !errors.Is(err, directory.ErrVersion) {
				t.Error(err)
			}
			if _, err := w.Apply(w.ctx, directory.Cause{}, directory.EditGroup{Source: w.ldap, Group: g.ID, Add: []string{"x"}}); !errors.Is(err, directory.ErrNotFound) {
				t.Error(err)
			}
			if _, err := w.Apply(w.ctx, directory.Cause{}, directory.EditGroup{Source: w.scim, Group: g.ID, Add: []string{""}}); !errors.Is(err, directory.ErrInvalid) {
				t.Error(err)
			}
		})
		got = edit(directory.EditGroup{Remove: []string{a.Key, b.Key}, Add: []string{b.Key}})
		list(t, "told", told(got), a.Person)
		w.unchanged(func() { // decision 6 for a removal
			edit(directory.EditGroup{Remove: []string{a.Key}})
			list(t, "settled", w.gate.last().people, a.Person)
		})
		got = edit(directory.EditGroup{Edit: func(g *directory.GroupRecord) error { g.DisplayName, g.ExternalID = "研发", "x1"; return nil }})
		list(t, "told", told(got), b.Person)
		list(t, "groups", w.person(b.Person).Groups, "entra/x1", "entra/研发")
		got = edit(directory.EditGroup{Replace: &[]string{a.Key, b.Key}, Remove: []string{b.Key}})
		list(t, "members", w.members(g), a.Key)
		same(t, "told", len(got.Changed), 2)
		edit(directory.EditGroup{Replace: &[]string{}})
		list(t, "members", w.members(g))
		list(t, "audit", w.actions(string(g.ID)), "group.created", "group.changed", "group.changed", "group.changed", "group.changed", "group.changed")
	})
}

func TestGroupNames(t *testing.T) {
	run(t, func(w *world) {
		g := w.group("Team")
		other := w.group("Other")
		w.unchanged(func() {
			_, err := w.Apply(w.ctx, directory.Cause{}, directory.CreateGroup{Group: directory.GroupRecord{Source: w.scim, DisplayName: "TEAM"}})
			var conflict *directory.ConflictError
			if !errors.As(err, &conflict) || conflict.Group != g.ID {
				t.Error(err)
			}
			if _, err := w.Apply(w.ctx, directory.Cause{}, directory.EditGroup{Source: w.scim, Group: other.ID, Edit: func(g *directory.GroupRecord) error { g.DisplayName = "team"; return nil }}); !errors.Is(err, directory.ErrExists) {
				t.Error(err)
			}
		})
		w.apply(directory.DeleteGroup{Source: w.scim, Group: g.ID})
		w.group("team")
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.DeleteGroup{Source: w.scim, Group: g.ID}); !errors.Is(err, directory.ErrNotFound) {
			t.Error(err)
		}
		put := func() directory.Applied { // a source that is read may have two of a name
			return w.apply(directory.PutGroup{Group: directory.GroupRecord{Source: w.ldap, Key: "u1", DisplayName: "team"}, Members: []string{}},
				directory.PutGroup{Group: directory.GroupRecord{Source: w.ldap, Key: "u2", DisplayName: "team"}, Members: []string{}})
		}
		put()
		w.unchanged(func() { put() })
	})
}

// holds: J06
func TestNestedGroups(t *testing.T) {
	run(t, func(w *world) {
		p := w.post("p")
		c := w.group("C", p.Key)
		b := w.group("B", c.Key)
		a := w.group("A", b.Key)
		list(t, "groups", w.person(p.Person).Groups, "entra/A", "entra/B", "entra/C")
		got := w.apply(directory.EditGroup{Source: w.scim, Group: c.ID, Add: []string{a.Key, c.Key}}) // a circle, and a group in itself
		list(t, "told", told(got), p.Person)
		list(t, "groups", w.person(p.Person).Groups, "entra/A", "entra/B", "entra/C")
		refs, err := w.GroupsOf(w.ctx, w.scim, []id.Link{p.Link})
		if err != nil || len(refs[p.Link]) != 3 || !refs[p.Link][0].Direct || refs[p.Link][0].ID != c.ID || refs[p.Link][1].Direct {
			t.Errorf("%+v, %v", refs, err)
		}
		page, err := w.People(w.ctx, directory.Query{Group: a.ID})
		if err != nil || len(page.People) != 1 {
			t.Errorf("%+v, %v", page, err)
		}
		got = w.apply(directory.DeleteGroup{Source: w.scim, Group: c.ID})
		list(t, "told", told(got), p.Person)
		list(t, "groups", w.person(p.Person).Groups)
		list(t, "members of B", w.members(b))
	})
}

func TestPutGroup(t *testing.T) {
	run(t, func(w *world) {
		// The group of groups comes first, then its group, then the person: any order.
		outer := w.apply(directory.PutGroup{Group: directory.GroupRecord{Source: w.ldap, Key: "outer", DisplayName: "outer"}, Members: []string{"inner"}}).Groups[0]
		inner := directory.GroupRecord{Source: w.ldap, Key: "inner", DisplayName: "inner"}
		w.apply(directory.PutGroup{Group: inner, Members: []string{"p"}})
		p := w.put("p")
		list(t, "groups", w.person(p.Person).Groups, "corp/inner", "corp/outer")
		w.apply(directory.DeleteGroup{Source: w.ldap, Key: "inner"})
		list(t, "members kept pending", w.members(outer), "inner")
		got := w.apply(directory.PutGroup{Group: inner, Members: []string{"p"}})
		list(t, "told", told(got), p.Person)
		w.unchanged(func() {
			w.apply(directory.PutGroup{Group: inner}, directory.PutGroup{Group: inner, Members: []string{"p"}})
		})
		w.unchanged(func() { w.apply(directory.DeleteGroup{Source: w.ldap, Key: "none"}) })
		page, err := w.Members(w.ctx, outer.ID, directory.MemberQuery{Value: "inner", Limit: 1})
		if err != nil || page.Total != 1 || page.Members[0].Group == "" || page.Members[0].Link != "" {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

func TestUnits(t *testing.T) {
	run(t, func(w *world) {
		put := func(key, parent, name string) directory.Applied {
			t.Helper()
			return w.apply(directory.PutUnit{Unit: directory.Unit{Source: w.ldap, Key: key, Name: name, Names: map[string]string{"zh": "部" + name}}, ParentKey: parent})
		}
		p := w.put("p", func(r *directory.Record) { r.UnitKey = "team" })
		same(t, "unit", w.person(p.Person).Unit, id.Unit(""))
		got := put("team", "rnd", "Team") // the child before its parent, both after the person
		list(t, "told", told(got), p.Person)
		if w.person(p.Person).Unit == "" {
			t.Error("the unit is not resolved")
		}
		list(t, "told", told(put("rnd", "corp", "R&D")), p.Person)
		put("corp", "", "Corp")
		path := func() string {
			t.Helper()
			fact := w.facts(p.Person)
			out := ""
			for _, u := range fact.UnitPath {
				out += u.Key + "/"
			}
			return out
		}
		same(t, "path", path(), "team/rnd/corp/")
		w.unchanged(func() {
			put("team", "rnd", "Team")
			for _, c := range [][2]string{{"corp", "team"}, {"corp", "corp"}, {"rnd", "team"}} {
				if _, err := w.Apply(w.ctx, directory.Cause{}, directory.PutUnit{Unit: directory.Unit{Source: w.ldap, Key: c[0]}, ParentKey: c[1]}); !errors.Is(err, directory.ErrCycle) {
					t.Errorf("%v: %v", c, err)
				}
			}
		})
		version := w.person(p.Person).Version
		list(t, "told of a rename above", told(put("corp", "", "Corporation")), p.Person)
		same(t, "version", w.person(p.Person).Version, version) // the person's row is the same
		list(t, "told of nothing", told(put("empty", "", "Empty")))
		// A circle that waits for its last unit is refused when that comes.
		put("x", "z", "x")
		put("y", "x", "y")
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.PutUnit{Unit: directory.Unit{Source: w.ldap, Key: "z"}, ParentKey: "y"}); !errors.Is(err, directory.ErrCycle) {
			t.Error(err)
		}
		units, err := w.Units(w.ctx)
		if err != nil || len(units) != 6 {
			t.Fatalf("%+v, %v", units, err)
		}
		seen := map[id.Unit]bool{"": true}
		for _, u := range units {
			if !seen[u.Parent] {
				t.Errorf("%s stands before its parent", u.Key)
			}
			seen[u.ID] = true
		}
		root := units[slices.IndexFunc(units, func(u directory.Unit) bool { return u.Key == "corp" })]
		page, err := w.People(w.ctx, directory.Query{Unit: root.ID})
		if err != nil || len(page.People) != 1 {
			t.Errorf("%+v, %v", page, err)
		}
		list(t, "told", told(w.apply(directory.RemoveUnit{Source: w.ldap, Key: "rnd"})), p.Person)
		same(t, "path", path(), "team/")
		w.apply(directory.RemoveUnit{Source: w.ldap, Key: "team"})
		same(t, "unit", w.person(p.Person).Unit, id.Unit(""))
		put("team", "", "Team")
		same(t, "path", path(), "team/")
	})
}

func TestSyncDoneAndCursor(t *testing.T) {
	run(t, func(w *world) {
		w.apply(directory.PutCursor{Source: w.ldap, Value: "csn=1"})
		w.unchanged(func() { w.apply(directory.PutCursor{Source: w.ldap, Value: "csn=1"}) })
		if c, err := w.Cursor(w.ctx, w.ldap); err != nil || c != "csn=1" {
			t.Errorf("%q, %v", c, err)
		}
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.SyncDone{Source: w.ldap}); !errors.Is(err, directory.ErrProof) {
			t.Error(err)
		}
		a := w.apply(directory.SyncDone{Source: w.ldap, Run: "run_1", Proof: "SyncDone", Counts: map[string]int{"people": 3}})
		if a.Seq == 0 || a.Noop {
			t.Errorf("%+v", a)
		}
		if s, err := w.SourceByName(w.ctx, "corp"); err != nil || !s.SyncedAt.Equal(w.at) {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// A bulk call that was made already writes nothing, whatever is in it.
func TestSecondRunWritesNothing(t *testing.T) {
	run(t, func(w *world) {
		var changes []directory.Change
		for i := range 700 { // more than one chunk
			changes = append(changes, directory.PutRecord{Record: directory.Record{Source: w.ldap, Key: fmt.Sprint("k", i), UserName: fmt.Sprint("u", i), Active: i%50 != 0,
				Attributes: directory.Attributes{DisplayName: fmt.Sprint("Name ", i), Emails: []directory.Email{{Value: fmt.Sprint("u", i, "@x")}}},
				ManagerKey: fmt.Sprint("k", (i*7)%700), UnitKey: fmt.Sprint("ou", i%9)}})
		}
		for i := range 9 {
			changes = append(changes, directory.PutUnit{Unit: directory.Unit{Source: w.ldap, Key: fmt.Sprint("ou", i), Name: "ou"}, ParentKey: fmt.Sprint("ou", (i-1)/2)})
			if i == 0 {
				changes[len(changes)-1] = directory.PutUnit{Unit: directory.Unit{Source: w.ldap, Key: "ou0", Name: "ou"}}
			}
		}
		var all []string
		for i := range 700 {
			all = append(all, fmt.Sprint("k", i))
		}
		changes = append(changes, directory.PutGroup{Group: directory.GroupRecord{Source: w.ldap, Key: "g", DisplayName: "all"}, Members: all})
		a := w.apply(changes...)
		same(t, "changed", len(a.Changed), 700)
		if p := w.person(a.Changed[0].Person); p.Unit == "" || p.Manager == "" || len(p.Groups) != 1 || !a.Changed[0].Created {
			t.Fatalf("%+v %+v", p, a.Changed[0])
		}
		w.unchanged(func() {
			if again := w.apply(changes...); !again.Noop {
				t.Error("something was written")
			}
		})
	})
}
