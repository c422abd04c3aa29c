package ldap_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// Who stands below a unit that is not shown is counted for the one above it, and the run says so.
func TestParentUnknown(t *testing.T) {
	server, c := double(t, 6)
	lab := "ou=lab,ou=sales,ou=people," + base
	if err := server.Add(demo.Entry{DN: lab, Attributes: map[string][]string{"objectClass": {"top"}}},
		demo.Entry{DN: "uid=lost," + lab, Attributes: map[string][]string{"objectClass": {"inetOrgPerson"}, "cn": {"Lost"}}}); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, dbtest.SQLite(t))
	rep := w.sync(w.syncer(c))
	if !slices.ContainsFunc(rep.Findings, func(f ldap.Finding) bool { return f.Code == "parent_unknown" && strings.Contains(f.Text, "ou=lab") }) {
		t.Errorf("%+v", rep.Findings)
	}
}

// An entry with two ids makes a reading incomplete, and the error says where it stands and what is wrong with it.
func TestTwoIDs(t *testing.T) {
	server, c := double(t, 6)
	if err := server.Modify(dnOf(2), demo.Mod{Kind: demo.ModReplace, Name: "description", Values: []string{"one", "two"}}); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if i != 2 {
			if err := server.Modify(dnOf(i), demo.Mod{Kind: demo.ModReplace, Name: "description", Values: []string{dnOf(i)}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, dn := range []string{"ou=people,", "ou=研发,ou=people,", "ou=sales,ou=people,", "ou=groups,", "cn=all,ou=groups,"} {
		if err := server.Modify(dn+base, demo.Mod{Kind: demo.ModReplace, Name: "description", Values: []string{dn}}); err != nil {
			t.Fatal(err)
		}
	}
	c.IDAttribute = "description"
	w := newWorld(t, dbtest.SQLite(t))
	_, err := w.syncer(c).Sync(t.Context())
	if !errors.Is(err, ldap.ErrIncomplete) || !strings.Contains(err.Error(), "a person below ou=研发,ou=people,"+base+" shows 2 values of description: one, two") {
		t.Errorf("%v", err)
	}
}
