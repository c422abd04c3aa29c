package ldap_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// titled changes the title of person u000001 and waits until the mirror has it.
func titled(t testing.TB, s *ldaptest.Server, m *mirror, title string) {
	t.Helper()
	s.Modify(t, fmt.Sprintf("dn: %s\nchangetype: modify\nreplace: title\ntitle: %s\n", u1, title))
	m.until(t, "title "+title, func() bool {
		o, ok := m.byDN(u1)
		return ok && len(o.Attrs["title"]) == 1 && o.Attrs["title"][0] == title
	})
}

const u1 = "uid=u000001,ou=dept007,ou=people," + base

// TestWatch follows a real slapd from a reading on.
//
// holds: R3
func TestWatch(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 60, Units: 12, Groups: 6, Members: 10}.LDIF())
	cl := client(t, slapdConfig(s))
	m := newMirror()
	m.load(t, cl)
	if m.cursor == "" {
		t.Fatal("the reading gives no cursor")
	}
	stop := m.catchUp(t, cl)
	if n, _ := m.count(ldap.OpUpsert); n != 0 {
		t.Errorf("%d objects came again", n)
	}
	if _, whole := m.count(ldap.OpRefreshed); !whole || m.proof() != "listing" {
		t.Errorf("a resumed stream was not checked: %v %q", whole, m.proof())
	}
	titled(t, s, m, "Changed")
	s.Modify(t, "dn: cn=hidden,"+base+"\nchangetype: add\nobjectClass: device\ncn: hidden\n")
	titled(t, s, m, "Changed again")
	if d := m.differs(t, cl); d != "" {
		t.Error(d)
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	for _, c := range m.ops {
		if c.Object.DN != "" && c.Cursor == "" {
			t.Errorf("%s came without a cursor", c.Object.DN)
		}
	}
	cursor, err := cl.Changes(t.Context(), m.begin(), m.emit)
	if n, whole := m.count(ldap.OpRefreshed); err != nil || cursor == "" || n != 1 || !whole {
		t.Errorf("nothing changed: %q %d %v %v", cursor, n, whole, err)
	}
}

// TestOffline holds what is told of changes that happened while nobody listened, in every way a server may tell it.
//
// holds: R3, R10
func TestOffline(t *testing.T) {
	restart := func(end func(*ldaptest.Server), old, new string) func(testing.TB, *ldaptest.Server) {
		return func(t testing.TB, s *ldaptest.Server) {
			end(s)
			if old != "" {
				s.Rewrite(t, old, new)
			}
			s.Resume(t)
		}
	}
	for name, row := range map[string]struct {
		before, between, after func(testing.TB, *ldaptest.Server)
		proof                  string
		again                  bool
	}{
		"session log":    {proof: "listing"},
		"no session log": {before: restart((*ldaptest.Server).Stop, ldaptest.SessionLog, ""), proof: "present phase"},
		"restart":        {after: restart((*ldaptest.Server).Stop, "", ""), proof: "present phase"}, // the log is in memory
		"kill":           {after: restart((*ldaptest.Server).Kill, "", ""), proof: "present phase"},
		"another SID":    {between: restart((*ldaptest.Server).Stop, ldaptest.ServerID, "serverID 2"), proof: "present phase", again: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := ldaptest.Start(t, ldaptest.Company{People: 600, Units: 12, Groups: 3, Members: 10}.LDIF())
			do := func(f func(testing.TB, *ldaptest.Server)) {
				if f != nil {
					f(t, s)
				}
			}
			restart((*ldaptest.Server).Stop, ldaptest.Refint, "")(t, s)
			do(row.before)
			cl := client(t, slapdConfig(s))
			m := newMirror()
			stop := m.catchUp(t, cl)
			if _, whole := m.count(ldap.OpRefreshed); !whole {
				t.Error("from the beginning is everything")
			}
			_ = stop()
			do(row.between)
			s.Modify(t, strings.Join([]string{
				"dn: uid=u000002,ou=dept002,ou=people," + base + "\nchangetype: delete\n", // (2*7)%12
				"dn: uid=u000003,ou=dept009,ou=people," + base + "\nchangetype: modrdn\nnewrdn: uid=renamed\ndeleteoldrdn: 1\n",
				"dn: uid=u000004,ou=dept004,ou=people," + base + "\nchangetype: moddn\nnewrdn: uid=u000004\ndeleteoldrdn: 1\nnewsuperior: ou=dept001,ou=people," + base + "\n",
				"dn: uid=new,ou=dept001,ou=people," + base + "\nchangetype: add\nobjectClass: inetOrgPerson\ncn: new\nsn: new\n",
				"dn: " + u1 + "\nchangetype: modify\nreplace: title\ntitle: Offline\n",
			}, "\n"))
			do(row.after)
			cursor, err := cl.Changes(t.Context(), m.begin(), m.emit)
			if err != nil || cursor == "" {
				t.Fatalf("%q %v", cursor, err)
			}
			upserts, _ := m.count(ldap.OpUpsert)
			if _, whole := m.count(ldap.OpRefreshed); !whole || m.proof() != row.proof || upserts > 4 != row.again {
				t.Errorf("whole=%v %q, %d objects", whole, m.proof(), upserts)
			}
			if d := m.differs(t, cl); d != "" {
				t.Error(d)
			}
			m.catchUp(t, cl)
			if n, _ := m.count(ldap.OpUpsert); n > 4 { // where a crash took the mark, what changed last comes twice
				t.Errorf("%d objects came twice", n)
			}
			titled(t, s, m, "Live after "+name)
		})
	}
}

// TestCursors shows cursors that are not those of the server.
//
// holds: R3
func TestCursors(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 20, Units: 12}.LDIF())
	cl := client(t, slapdConfig(s))
	m := newMirror()
	m.catchUp(t, cl)()
	good := m.cursor
	none := func([]ldap.Change) error { t.Error("something was told"); return nil }
	for name, row := range map[string]struct {
		cursor ldap.Cursor
		alter  func(*ldap.Config)
		want   error
	}{
		"rubbish":         {"rubbish", nil, ldap.ErrCursorLost},
		"empty cookie":    {ldap.Forge(t, good, func(string) string { return "" }), nil, ldap.ErrCursorLost},
		"future":          {ldap.Forge(t, good, func(c string) string { return strings.Replace(c, "csn=2", "csn=3", 1) }), nil, ldap.ErrBehind},
		"unknown replica": {ldap.Forge(t, good, func(c string) string { return c + ";20200101000000.000000Z#000000#00f#000000" }), nil, ldap.ErrBehind},
		"another base":    {good, func(c *ldap.Config) { c.Base = "ou=people," + base }, ldap.ErrCursorLost},
		"another account": {good, func(c *ldap.Config) { c.BindDN, c.Password = ldaptest.AdminDN, ldaptest.AdminPW }, ldap.ErrCursorLost},
		"another mapping": {good, func(c *ldap.Config) { c.Mapping = map[string]string{"company": "businessCategory"} }, ldap.ErrCursorLost},
		"another class":   {good, func(c *ldap.Config) { c.PersonClasses = []string{"person"} }, ldap.ErrCursorLost},
		"another id":      {good, func(c *ldap.Config) { c.IDAttribute = "employeeNumber" }, ldap.ErrCursorLost},
	} {
		c := slapdConfig(s)
		if row.alter != nil {
			row.alter(&c)
		}
		if _, err := client(t, c).Changes(t.Context(), row.cursor, none); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err := client(t, c).Watch(t.Context(), row.cursor, none); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A number from before the server's memory: it tells everything again.
	old := ldap.Forge(t, good, func(c string) string { return "rid=000,csn=20200101000000.000000Z#000000#001#000000" })
	m.begin()
	if _, err := cl.Changes(t.Context(), old, m.emit); err != nil {
		t.Fatal(err)
	}
	if n, whole := m.count(ldap.OpRefreshed); n != 1 || !whole {
		t.Error("everything again, and not said so")
	}
	// A cookie it cannot read: likewise.
	m.begin()
	cursor, err := cl.Changes(t.Context(), ldap.Forge(t, good, func(string) string { return "rubbish" }), m.emit)
	if n, whole := m.count(ldap.OpRefreshed); err != nil || n != 1 || !whole || cursor == "" {
		t.Errorf("everything again: %v %q %v", whole, cursor, err)
	}
}

// TestLeavesFilterAndBase holds that what leaves the filter or the base is told as gone, offline and live.
//
// holds: R5, R6
func TestLeavesFilterAndBase(t *testing.T) {
	for _, log := range []string{ldaptest.SessionLog, ""} {
		s := ldaptest.Start(t, ldaptest.Company{People: 60, Units: 12}.LDIF())
		s.Stop()
		s.Rewrite(t, ldaptest.SessionLog, log)
		s.Resume(t)
		leaver := func(n int) string { return fmt.Sprintf("uid=leaver%d,ou=people,%s", n, base) }
		for n := range 4 {
			s.Modify(t, "dn: "+leaver(n)+"\nchangetype: add\nobjectClass: inetOrgPerson\nobjectClass: uidObject\nobjectClass: extensibleObject\ncn: x\nsn: x\n")
		}
		s.Modify(t, "dn: uid=beneath,ou=dept003,ou=people,"+base+"\nchangetype: add\nobjectClass: inetOrgPerson\nobjectClass: extensibleObject\ncn: x\nsn: x\n")
		c := slapdConfig(s)
		c.Base, c.PersonClasses = "ou=people,"+base, []string{"extensibleObject"}
		cl := client(t, c)
		m := newMirror()
		stop := m.catchUp(t, cl)
		leave := func(filter, scope int, unit string) {
			s.Modify(t, strings.Join([]string{
				"dn: " + leaver(filter) + "\nchangetype: modify\ndelete: objectClass\nobjectClass: extensibleObject\n",
				"dn: " + leaver(scope) + "\nchangetype: moddn\nnewrdn: uid=leaver" + fmt.Sprint(scope) + "\ndeleteoldrdn: 1\nnewsuperior: ou=services," + base + "\n",
				"dn: " + unit + ",ou=people," + base + "\nchangetype: moddn\nnewrdn: " + unit + "\ndeleteoldrdn: 1\nnewsuperior: ou=services," + base + "\n",
			}, "\n"))
		}
		gone := func(keys ...int) func() bool {
			return func() bool {
				for _, n := range keys {
					if _, there := m.byDN(leaver(n)); there {
						return false
					}
				}
				return true
			}
		}
		leave(0, 1, "ou=dept003")
		m.until(t, "left, live", gone(0, 1))
		// Of what was beneath a unit that left nothing is told: who follows must look for it when its unit goes.
		if d := m.differs(t, cl); d != "left over uid=beneath,ou=dept003,ou=people,"+base {
			t.Errorf("session log %q: %s", log, d)
		}
		_ = stop()
		leave(2, 3, "ou=dept004")
		m.catchUp(t, cl)
		m.until(t, "left, offline", gone(2, 3))
		if d := m.differs(t, cl); d != "" {
			t.Errorf("session log %q: %s", log, d)
		}
	}
}

// TestKilledStream holds that a server that dies is an error and never an end, and that following goes on after it.
//
// holds: R17
func TestKilledStream(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 30, Units: 12}.LDIF())
	cl := client(t, slapdConfig(s))
	m := newMirror()
	for i, end := range []func(){s.Kill, s.Stop} {
		stop := m.catchUp(t, cl)
		titled(t, s, m, fmt.Sprint("before ", i))
		end()
		m.until(t, "the end of the stream", func() bool { return m.err != nil })
		if err := stop(); errors.Is(err, context.Canceled) || !errors.Is(err, ldap.ErrClosed) {
			t.Errorf("ended with %v", err)
		}
		if err := cl.Watch(t.Context(), m.begin(), m.emit); !errors.Is(err, ldap.ErrUnreachable) {
			t.Errorf("nobody there: %v", err)
		}
		if m.size() == 0 {
			t.Error("a dead server emptied the mirror")
		}
		s.Resume(t)
	}
	m.catchUp(t, cl)
	titled(t, s, m, "after")
}

// TestWatchDemo follows the demo directory, whose refresh names everything.
func TestWatchDemo(t *testing.T) {
	d, c := double(t, 30)
	cl := client(t, c)
	m := newMirror()
	stop := m.catchUp(t, cl)
	gone, renamed := "uid=u004,ou=研发,ou=people,"+base, "uid=neu,ou=sales,ou=people,"+base
	change := func(title string) {
		if err := d.Modify("uid=u002,ou=研发,ou=people,"+base, demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{title}}); err != nil {
			t.Fatal(err)
		}
	}
	change("Live")
	m.until(t, "title", func() bool {
		o, _ := m.byDN("uid=u002,ou=研发,ou=people," + base)
		return len(o.Attrs["title"]) == 1 && o.Attrs["title"][0] == "Live"
	})
	_ = stop()
	change("Offline")
	if err := errors.Join(d.Delete(gone), d.Move("uid=u005,ou=sales,ou=people,"+base, "uid=neu", true, "")); err != nil {
		t.Fatal(err)
	}
	stop = m.catchUp(t, cl)
	if _, there := m.byDN(renamed); !there {
		t.Error("the new name is not known")
	}
	if d := m.differs(t, cl); d != "" {
		t.Error(d)
	}
	_ = stop()
	c.Timeout = 200 * time.Millisecond
	stop = m.catchUp(t, client(t, c))
	m.until(t, "a sign of life", func() bool { return m.alive > 1 })
	d.SetFaults(demo.Faults{Silent: true})
	m.until(t, "the silence", func() bool { return m.err != nil })
	if err := stop(); !errors.Is(err, ldap.ErrTimeout) {
		t.Errorf("a silent server: %v", err)
	}
}
