package directory_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// In whatever order and in whatever portions records, units and groups arrive, also twice, and after a dry run, the people end up the same.
//
// holds: J05
// holds: J06
func TestAnyOrderEndsTheSame(t *testing.T) {
	run(t, func(w *world) {
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			if n++; n > w.checks() {
				return
			}
			people := rapid.IntRange(1, 6).Draw(rt, "people")
			units := rapid.IntRange(0, 4).Draw(rt, "units")
			groups := rapid.IntRange(0, 4).Draw(rt, "groups")
			one := w.source(fmt.Sprint("a", n), directory.KindLDAP, 1)
			two := w.source(fmt.Sprint("b", n), directory.KindLDAP, 1)
			var makers []func(id.Source) directory.Change
			person := func(i int) string { return fmt.Sprint("p", i) }
			for i := range people {
				manager := rapid.IntRange(0, people).Draw(rt, "manager") // people itself never arrives
				unit := rapid.IntRange(0, units).Draw(rt, "unit")
				makers = append(makers, func(s id.Source) directory.Change {
					return directory.PutRecord{Record: directory.Record{Source: s, Key: person(i), UserName: person(i), Active: true, ManagerKey: person(manager), UnitKey: fmt.Sprint("u", unit)}}
				})
			}
			for i := range units {
				parent := rapid.IntRange(-1, i-1).Draw(rt, "parent") // no circle
				makers = append(makers, func(s id.Source) directory.Change {
					return directory.PutUnit{Unit: directory.Unit{Source: s, Key: fmt.Sprint("u", i), Name: fmt.Sprint("Unit ", i)}, ParentKey: map[bool]string{true: "", false: fmt.Sprint("u", parent)}[parent < 0]}
				})
			}
			for i := range groups {
				var members []string
				for _, m := range rapid.SliceOfN(rapid.IntRange(0, people+groups), 0, 5).Draw(rt, "members") {
					members = append(members, map[bool]string{true: person(m), false: fmt.Sprint("g", m-people)}[m < people])
				}
				makers = append(makers, func(s id.Source) directory.Change {
					return directory.PutGroup{Group: directory.GroupRecord{Source: s, Key: fmt.Sprint("g", i), DisplayName: fmt.Sprint("G", i)}, Members: slices.Clip(append([]string{}, members...))}
				})
			}
			send := func(s id.Source, order []int, size int) {
				for part := range slices.Chunk(order, size) {
					var changes []directory.Change
					for _, i := range part {
						changes = append(changes, makers[i](s))
					}
					if _, err := w.Apply(w.ctx, directory.Cause{Source: s}, changes...); err != nil {
						rt.Fatal(err)
					}
				}
			}
			straight := make([]int, len(makers))
			for i := range straight {
				straight[i] = i
			}
			send(one, straight, len(makers))
			order := rapid.Permutation(straight).Draw(rt, "order")
			order = append(order, rapid.SliceOfN(rapid.SampledFrom(straight), 0, 4).Draw(rt, "again")...)
			send(two, order, rapid.IntRange(1, 4).Draw(rt, "portion"))
			if a, b := w.picture(rt, one), w.picture(rt, two); a != b {
				rt.Fatalf("straight\n%s\npermuted\n%s", a, b)
			}
			dry := w.dry(fmt.Sprint("c", n), directory.KindLDAP, 1)
			send(dry, order, 2)
			w.live(dry)
			if a, b := w.picture(rt, one), w.picture(rt, dry); a != b {
				rt.Fatalf("straight\n%s\nafter a dry run\n%s", a, b)
			}
			before := w.written()
			send(two, order, 3)
			send(dry, order, 3)
			if after := w.written(); after != before {
				rt.Fatalf("the second run wrote\n%s\n%s", before, after)
			}
		})
	})
}

// picture draws all that matters of a source's people, by keys.
func (w *world) picture(rt *rapid.T, source id.Source) string {
	keys, err := w.RecordKeys(w.ctx, source)
	if err != nil {
		rt.Fatal(err)
	}
	byPerson, ids := map[id.Person]string{}, []id.Person{}
	for _, k := range keys {
		byPerson[k.Person] = k.Key
		ids = append(ids, k.Person)
	}
	var facts []directory.Fact
	if err := w.db.Tx(w.ctx, func(tx *db.Tx) error {
		facts, err = w.Facts(tx, ids, false)
		return err
	}); err != nil {
		rt.Fatal(err)
	}
	lines := map[string]string{}
	for _, f := range facts {
		line := "manager " + byPerson[f.Person.Manager] + " unit"
		for _, u := range f.UnitPath {
			line += " " + u.Key
		}
		for _, g := range f.Person.Groups {
			_, name, _ := strings.Cut(g, "/")
			line += " in " + name
		}
		lines[byPerson[f.Person.ID]] = line
	}
	out := ""
	for _, k := range slices.Sorted(maps.Keys(lines)) {
		out += k + ": " + lines[k] + "\n"
	}
	return out
}

// freezesOf is pure: whatever the records say, somebody may come in exactly while some employment says so.
func TestRandomEmployments(t *testing.T) {
	run(t, func(w *world) {
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			if n++; n > w.checks() {
				return
			}
			day := func(label string) int { return rapid.IntRange(-3, 6).Draw(rt, label) }
			var first id.Person
			type job struct {
				active     bool
				start, end int
			}
			var jobs []job
			for i := range rapid.IntRange(1, 3).Draw(rt, "jobs") {
				j := job{rapid.Bool().Draw(rt, "active"), day("start"), 0}
				j.end = j.start + rapid.IntRange(1, 4).Draw(rt, "length")
				jobs = append(jobs, j)
				rec := w.put(fmt.Sprint("n", n, "j", i), number(fmt.Sprint(n, "-", i)), active(j.active), func(r *directory.Record) {
					r.StartAt, r.EndAt = w.at.AddDate(0, 0, j.start), w.at.AddDate(0, 0, j.end)
				})
				if first == "" {
					first = rec.Person
				} else {
					w.apply(directory.LinkRecord{Source: w.ldap, Link: rec.Link, Person: first})
				}
			}
			freezes, err := w.Freezes(w.ctx, first)
			if err != nil {
				rt.Fatal(err)
			}
			for d := -4; d < 12; d++ {
				in := false
				for _, j := range jobs {
					in = in || j.active && j.start <= d && d < j.end
				}
				at, frozen := w.at.AddDate(0, 0, d), false
				for _, f := range freezes {
					frozen = frozen || f.OpenAt(at)
				}
				if in == frozen {
					rt.Fatalf("day %d: a job runs %v, frozen %v: %+v", d, in, frozen, jobs)
				}
			}
		})
	})
}
