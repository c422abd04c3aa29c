package ldap_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// TestDS389 is everything that needs a real 389 Directory Server, on one of them.
//
// holds: R3, R4, R5, R6, R17
func TestDS389(t *testing.T) {
	s := ldaptest.Start389(t, ldaptest.Company{People: 120, Units: 12, Groups: 6, Members: 10}.LDIF())
	s.Modify(t, "dn: uid=leaver,ou=people,"+base+"\nchangetype: add\nobjectClass: inetOrgPerson\nobjectClass: extensibleObject\nuid: leaver\ncn: x\nsn: x\n")
	c := slapdConfig(s)
	c.Timeout = 6 * time.Second
	cl := client(t, c)
	caps, findings, err := cl.Probe(t.Context())
	if err != nil || caps.Vendor != "389" || caps.IDAttribute != "nsuniqueid" || !caps.ContentSync || caps.Position == "" || len(findings) != 0 {
		t.Fatalf("%+v %+v %v", caps, findings, err)
	}
	m := newMirror()
	m.load(t, cl)
	if m.cursor != "" {
		t.Fatal("a cursor that the server did not give")
	}
	stop := m.catchUp(t, cl)
	if _, whole := m.count(ldap.OpRefreshed); !whole {
		t.Error("from the beginning is everything")
	}
	same := func(t *testing.T) {
		t.Helper()
		if d := m.differs(t, cl); d != "" {
			t.Error(d)
		}
	}
	lock := func(value string) string {
		return "dn: " + u1 + "\nchangetype: modify\nreplace: nsAccountLock\nnsAccountLock: " + value + "\n"
	}
	locked := func(value string) func() bool {
		return func() bool {
			o, _ := m.byDN(u1)
			return slices.Equal(o.Attrs["nsaccountlock"], []string{value})
		}
	}
	t.Run("live", func(t *testing.T) {
		s.Modify(t, lock("true"))
		m.until(t, "lock", locked("true"))
		s.Modify(t, lock("false"))
		m.until(t, "unlock", locked("false"))
		same(t)
		m.until(t, "a sign of life on the stream's own connection", func() bool { return m.alive > 0 })
	})
	t.Run("unchanged", func(t *testing.T) {
		if err := stop(); err == nil {
			t.Error("ended with success")
		}
		before := m.size()
		cursor, err := cl.Changes(t.Context(), m.begin(), m.emit)
		if n, _ := m.count(ldap.OpRefreshed); err != nil || cursor == "" || n != 1 || m.proof() != "listing" || m.size() != before {
			t.Errorf("%q %d %q %v: %d of %d", cursor, n, m.proof(), err, m.size(), before)
		}
	})
	t.Run("offline", func(t *testing.T) {
		s.Modify(t, strings.Join([]string{lock("true"),
			"dn: uid=u000002,ou=dept002,ou=people," + base + "\nchangetype: delete\n",
			"dn: uid=u000003,ou=dept009,ou=people," + base + "\nchangetype: modrdn\nnewrdn: uid=renamed\ndeleteoldrdn: 1\n",
			"dn: uid=u000004,ou=dept004,ou=people," + base + "\nchangetype: modify\nreplace: employeeType\nemployeeType: leaver\n",
			"dn: uid=new,ou=dept001,ou=people," + base + "\nchangetype: add\nobjectClass: inetOrgPerson\nuid: new\ncn: new\nsn: new\n",
			"dn: ou=dept008,ou=people," + base + "\nchangetype: modrdn\nnewrdn: ou=renamed\ndeleteoldrdn: 1\n",
			"dn: ou=dept007,ou=people," + base + "\nchangetype: moddn\nnewrdn: ou=dept007\ndeleteoldrdn: 1\nnewsuperior: ou=dept001,ou=people," + base + "\n",
			"dn: cn=g00001,ou=groups," + base + "\nchangetype: modify\nadd: member\nmember: uid=new,ou=dept001,ou=people," + base + "\n"}, "\n"))
		if cursor, err := cl.Changes(t.Context(), m.begin(), m.emit); err != nil || cursor == "" {
			t.Fatal(err)
		}
		same(t)
		m.mu.Lock()
		o, _ := m.byDN(strings.Replace(u1, "ou=dept007,", "ou=dept007,ou=dept001,", 1))
		m.mu.Unlock()
		if !slices.Equal(o.Attrs["nsaccountlock"], []string{"true"}) {
			t.Errorf("an account that was locked while nobody listened: %v", o.Attrs)
		}
	})
	t.Run("many gone", func(t *testing.T) { // of those that went offline it leaves out each 51st
		var gone []string
		for dn := range m.people() {
			if gone = append(gone, "dn: "+dn+"\nchangetype: delete\n"); len(gone) == 70 {
				break
			}
		}
		s.Modify(t, strings.Join(gone, "\n"))
		if _, err := cl.Changes(t.Context(), m.begin(), m.emit); err != nil {
			t.Fatal(err)
		}
		same(t)
	})
	t.Run("killed", func(t *testing.T) {
		stop := m.catchUp(t, cl)
		s.Kill()
		m.until(t, "the end", func() bool { return m.err != nil })
		if err := stop(); !errors.Is(err, ldap.ErrClosed) {
			t.Errorf("ended with %v", err)
		}
		s.Resume(t)
		m.catchUp(t, cl)
		same(t)
	})
	t.Run("leaves the filter", func(t *testing.T) { leaves389(t, s) })
	t.Run("cursors", func(t *testing.T) { cursors389(t, s, m.begin()) })
}

// leaves389 shows why filters name classes only, and what finds the rest: 389 does not tell what left a filter offline.
func leaves389(t *testing.T, s *ldaptest.Server) {
	c := slapdConfig(s)
	c.PersonClasses = []string{"extensibleObject"}
	cl := client(t, c)
	m := newMirror()
	m.catchUp(t, cl)()
	key := ""
	for k, o := range m.objects {
		if o.Class == ldap.ClassPerson {
			key = k
		}
	}
	s.Modify(t, "dn: uid=leaver,ou=people,"+base+"\nchangetype: modify\ndelete: objectClass\nobjectClass: extensibleObject\n")
	if _, err := cl.Changes(t.Context(), m.begin(), m.emit); err != nil {
		t.Fatal(err)
	}
	if n, _ := m.count(ldap.OpDelete); n > 0 {
		t.Log("this version tells it")
	}
	proof, err := cl.Inventory(t.Context(), func(_ ldap.Class, keys []string) error {
		if slices.Contains(keys, key) {
			t.Error("the inventory names who left the filter")
		}
		return nil
	})
	if err != nil || !proof.Complete() || proof.Counts[ldap.ClassUnit] == 0 {
		t.Errorf("%+v %v", proof, err)
	}
}

func cursors389(t *testing.T, s *ldaptest.Server, good ldap.Cursor) {
	for name, cursor := range map[string]ldap.Cursor{
		"rubbish":        "rubbish",
		"future":         ldap.Forge(t, good, func(c string) string { return c + "77" }),
		"another server": ldap.Forge(t, good, func(c string) string { return strings.Replace(c, "localhost", "elsewhere", 1) }),
	} {
		_, err := client(t, slapdConfig(s)).Changes(t.Context(), cursor, func([]ldap.Change) error { t.Error(name + ": something was told"); return nil })
		if !errors.Is(err, ldap.ErrCursorLost) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTrimmed389 comes back after the server has forgotten some of the changes: it would tell the rest and say nothing of those.
//
// holds: R3
func TestTrimmed389(t *testing.T) {
	s := ldaptest.Start389(t, ldaptest.Company{People: 20, Units: 12}.LDIF())
	s.Stop()
	s.Rewrite(t, "nsslapd-include-suffix", "nsslapd-changelogmaxage: 1s\nnsslapd-changelog-trim-interval: 1\nnsslapd-include-suffix")
	s.Resume(t)
	cl := client(t, slapdConfig(s))
	m := newMirror()
	m.catchUp(t, cl)()
	s.Modify(t, "dn: uid=u000002,ou=dept002,ou=people,"+base+"\nchangetype: delete\n")
	admin := s.Admin(t)
	for i := 0; ; i++ {
		s.Modify(t, fmt.Sprintf("dn: %s\nchangetype: modify\nreplace: title\ntitle: %d\n", u1, i))
		found, err := admin.Search(goldap.NewSearchRequest("", 0, 0, 0, 0, false, "(objectClass=*)", []string{"firstchangenumber"}, nil))
		if err != nil || len(found.Entries) != 1 {
			t.Fatal(err)
		}
		first, err := strconv.Atoi(found.Entries[0].GetEqualFoldAttributeValue("firstchangenumber"))
		if err != nil || i == 200 {
			t.Fatalf("the server forgets nothing: %v", err)
		}
		if first > 5 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if _, err := cl.Changes(t.Context(), m.begin(), m.emit); !errors.Is(err, ldap.ErrCursorLost) {
		t.Errorf("changes that are forgotten: %v", err)
	}
}
