package ldap_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// liveAD runs a source on a domain controller with the account the manual asks for: what is written there arrives in the store, a
// unit that leaves the base takes everybody with it, and the source comes back after the server was killed.
//
// holds: R6, R7, R17
func liveAD(t *testing.T, s *ldaptest.AD) {
	w := newWorld(t, dbtest.SQLite(t))
	c := adConfig(s, ldaptest.ADSync, ldaptest.ADPW)
	c.PageSize = 500
	sy := w.syncer(c)
	runs(t, sy, time.Hour)
	w.until("live", func() bool { return sy.Status().Mode == "live" })
	admin := s.Admin(t)
	set := func(dn, name string, values ...string) {
		t.Helper()
		m := goldap.NewModifyRequest(dn, nil)
		m.Replace(name, values)
		if err := admin.Modify(m); err != nil {
			t.Fatal(err)
		}
	}
	login := func(i int) string { return fmt.Sprintf("u%03d", i) }
	set(ldaptest.ADPerson(30), "title", "Chief")
	w.until("title", func() bool { return w.people()[login(30)].Title == "Chief" })
	set(ldaptest.ADPerson(31), "userAccountControl", "546")
	w.until("disabled", func() bool { return !w.people()[login(31)].Active })
	set(ldaptest.ADPerson(32), "accountExpires", "134489376000000000")
	w.until("an end", func() bool { return w.people()[login(32)].EndAt.Equal(time.Date(2027, 3, 8, 0, 0, 0, 0, time.UTC)) })

	var with []string // whom the unit takes with it
	for i := 5; i < ldaptest.ADPeople; i += ldaptest.ADUnits {
		with = append(with, login(i))
	}
	move := func(dn, parent string) {
		t.Helper()
		if err := admin.ModifyDN(goldap.NewModifyDNRequest(dn, "OU=dept05", true, parent)); err != nil {
			t.Fatal(err)
		}
	}
	move(ldaptest.ADUnit(5), ldaptest.ADOutside)
	w.until("the unit left", func() bool { return slices.Equal(w.absent(), with) })
	move("OU=dept05,"+ldaptest.ADOutside, "OU=People,"+ldaptest.ADBase)
	w.until("the unit came back", func() bool { return len(w.absent()) == 0 })

	s.Kill()
	w.until("the failure is seen", func() bool { return sy.Status().LastError != "" })
	s.Resume(t)
	admin = s.Admin(t)
	set(ldaptest.ADPerson(33), "title", "After the restart")
	w.until("title after a restart", func() bool { return w.people()[login(33)].Title == "After the restart" && sy.Status().Mode == "live" })
	if len(w.absent()) != 0 {
		t.Errorf("absent: %v", w.absent())
	}
}
