package ldap_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// reload takes entries out and puts them in again: they have other ids then.
func reload(t *testing.T, d *demo.Directory, change func(*demo.Entry), dns ...string) {
	t.Helper()
	for _, dn := range dns {
		e, err := d.Get(dn)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Delete(dn); err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(e.Attributes, func(name string, _ []string) bool { return name == "entryUUID" || name == "entryuuid" })
		change(&e)
		if err := d.Add(e); err != nil {
			t.Fatal(err)
		}
	}
}

func dnOf(i int) string {
	return fmt.Sprintf("uid=u%03d,ou=%s,ou=people,%s", i, []string{"研发", "sales"}[i%2], base)
}

// links answers which record each login has, and how many groups its person is in.
func (w *world) links() map[string]id.Link {
	out := map[string]id.Link{}
	for login, r := range w.people() {
		p, err := w.store.Person(w.t.Context(), r.Person)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(p.Groups) == 0 && login != "" {
			w.t.Errorf("%s is in no group", login)
		}
		out[login] = r.Link
	}
	return out
}

// A part of the tree is restored without its ids: nothing of it is taken but explicit disables, until it is looked at who is who; linked anew everybody
// has what they had, nobody is new and nobody goes. Who contradicts what is known is not linked by its name.
//
// holds: R20
func TestPartRestoredWithoutIDs(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		server, c := double(t, 60)
		w := newWorld(t, d)
		s := w.syncer(c)
		w.sync(s)
		before := w.links()
		var dns []string
		for i := range 20 {
			dns = append(dns, dnOf(i))
		}
		reload(t, server, func(e *demo.Entry) {}, dns...)
		reload(t, server, func(e *demo.Entry) { e.Attributes["employeeNumber"] = []string{"999"} }, dnOf(3))
		reload(t, server, func(e *demo.Entry) { e.Attributes["pwdAccountLockedTime"] = []string{"000001010000Z"} }, dnOf(4))
		head := w.head()
		rep, err := s.Sync(t.Context())
		if !errors.Is(err, ldap.ErrReborn) || !errors.Is(err, ldap.ErrImplausible) {
			t.Fatalf("taken: %v", err)
		}
		if n := len(w.absent()); n != 0 || len(w.people()) != 60 {
			t.Errorf("%d absent of %d", n, len(w.people()))
		}
		if w.head()-head > 2 || !slices.ContainsFunc(rep.Findings, func(f ldap.Finding) bool { return f.Code == "reborn" && f.Severity == ldap.Error }) {
			t.Errorf("%d events, %+v", w.head()-head, rep.Findings)
		}
		if r := w.people()["u004"]; r.Active {
			t.Error("who is disabled under another id is active")
		}

		desk := w.serve(s, nil)
		desk.call("POST", desk.at+"/relink", `{"hash":"x"}`, 409, nil)
		var v ldap.RelinkView
		desk.call("POST", desk.at+"/relink/preview", "", 200, &v)
		if v.Read != 60 || v.Known != 60 || v.Same != 40 || v.Linked != 19 || v.By[ldap.ByNumber] != 19 || v.Ambig != 1 || v.Unsure[0].Why != "contradiction" || v.New != 0 || v.Missing != 1 || !v.Complete {
			t.Fatalf("%+v", v)
		}
		desk.call("POST", desk.at+"/relink", `{"hash":"`+v.Hash+`"}`, 200, nil)
		rep = w.sync(s)
		after := w.links()
		for login, link := range before {
			if login != "u003" && after[login] != link {
				t.Errorf("%s has another record", login)
			}
		}
		if absent := w.absent(); rep.Absent != 1 || len(absent) != 1 {
			t.Errorf("absent %v, %+v", absent, rep)
		}
		rep = w.sync(s)
		if rep.Written() != 0 {
			t.Errorf("read again: %+v", rep.Outcomes)
		}
		desk.call("POST", desk.at+"/relink/preview", "", 200, &v)
		if v.Linked != 0 {
			t.Errorf("again: %+v", v)
		}
		desk.call("POST", desk.at+"/relink", `{"hash":"`+v.Hash+`"}`, 409, nil)
	})
}

// A whole directory has other ids: units and groups are linked anew by their DN, too, and not one row of anybody's changes.
func TestWholeDirectoryRelinked(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		_, c := double(t, 30)
		_, other := double(t, 30)
		w := newWorld(t, d)
		w.sync(w.syncer(c))
		before, units := w.links(), w.units()
		s := w.syncer(other)
		if _, err := s.Sync(t.Context()); !errors.Is(err, ldap.ErrImplausible) {
			t.Fatalf("taken: %v", err)
		}
		desk := w.serve(s, nil)
		var v ldap.RelinkView
		desk.call("POST", desk.at+"/relink/preview", "", 200, &v)
		if v.Linked != 30 || v.Units != len(units) || v.Groups != 1 || v.Missing != 0 || v.Ambig != 0 {
			t.Fatalf("%+v", v)
		}
		desk.call("POST", desk.at+"/relink", `{"hash":"`+v.Hash+`"}`, 200, nil)
		rep := w.sync(s)
		if !maps.Equal(before, w.links()) || rep.Absent != 0 {
			t.Errorf("%+v", rep)
		}
		for name, u := range w.units() {
			if units[name].ID != u.ID {
				t.Errorf("unit %s has another id", name)
			}
		}
		if rep = w.sync(s); rep.Written() != 0 {
			t.Errorf("read again: %+v", rep.Outcomes)
		}
	})
}
