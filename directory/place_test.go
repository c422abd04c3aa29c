package directory_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// A SCIM source knows no units: organization, division and department make them, once, however many arrive at once.
func TestUnitsOfASCIMSource(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		set := func(r *directory.Record, organization, division, department string) {
			r.Organization, r.Division, r.Department = organization, division, department
		}
		create := func(name, organization, division, department string) directory.Record {
			r := directory.Record{Source: w.scim, UserName: name, Active: true}
			set(&r, organization, division, department)
			applied, err := w.Apply(w.ctx, directory.Cause{Source: w.scim}, directory.CreateRecord{Record: r})
			if err != nil {
				t.Error(err)
				return r
			}
			return applied.Records[0]
		}
		path := func(p id.Person) string {
			var names []string
			if err := d.Tx(w.ctx, func(tx *db.Tx) error {
				facts, err := w.Facts(tx, []id.Person{p}, false)
				names = nil
				for _, u := range facts[0].UnitPath {
					names = append(names, u.Name)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return strings.Join(names, " ")
		}
		var wait sync.WaitGroup
		for _, name := range []string{"b", "c", "d"} {
			wait.Go(func() { create(name, "Aurora", "R&D", "Platform") })
		}
		a := create("a", "Aurora", "R&D", "Platform")
		wait.Wait()
		create("e", "Aurora", "Finance", "Finance")
		create("f", "", "", "")
		units, err := w.Units(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, u := range units {
			got = append(got, u.ParentKey+" > "+u.Key+" "+u.Name)
		}
		slices.Sort(got)
		if text := strings.Join(got, "; "); text != " > Aurora Aurora; Aurora > Aurora/Finance Finance; Aurora > Aurora/R&D R&D; Aurora/R&D > Aurora/R&D/Platform Platform" {
			t.Errorf("units: %s", text)
		}
		if got := path(a.Person); got != "Platform R&D Aurora" {
			t.Errorf("path: %s", got)
		}
		for want, parts := range map[string][3]string{"Finance Aurora": {"Aurora", "Finance", "Finance"}, "": {}} {
			if _, err := w.Apply(w.ctx, directory.Cause{Source: w.scim}, directory.EditRecord{Source: w.scim, Link: a.Link, Edit: func(r *directory.Record) error {
				set(r, parts[0], parts[1], parts[2])
				return nil
			}}); err != nil {
				t.Fatal(err)
			}
			if got := path(a.Person); got != want {
				t.Errorf("path after a move: %s, want %s", got, want)
			}
		}
	})
}
