package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// eachDirectory runs a test on each of these servers.
func eachDirectory(t *testing.T, kinds []string, test func(t *testing.T, kind string)) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) { test(t, kind) })
	}
}

func (w whole) record(login string) directory.Record {
	w.tb.Helper()
	page, err := w.s.app.people.FindRecords(w.tb.Context(), directory.RecordQuery{Source: w.s.app.ldap[w.source.Name].Source.ID,
		Where: directory.Compare{Column: directory.ColUserName, Op: directory.Eq, Value: login}, Limit: 1, NoTotal: true})
	if err != nil || len(page.Records) != 1 {
		w.tb.Fatalf("%s: %v %v", login, page, err)
	}
	return page.Records[0]
}

func (w whole) in(channel string, who id.Person) bool {
	allowed, _ := w.s.app.index.Allow(who, w.channels[channel], "view")
	return allowed
}

// The end of an account acts at its instant, though nothing changes in the directory then: its server is not even there any more.
//
// holds: R13
func TestAccountEndsByItself(t *testing.T) {
	eachDirectory(t, []string{"openldap", "samba"}, func(t *testing.T, kind string) { // 389 has no attribute for it
		server := writtenServer(t, kind, 60)
		w := newWhole(t, server, db.SQLite)
		login, dn := w.outside()[0][0], w.outside()[0][1]
		who := w.record(login).Person
		within(t, "in the channel", func() bool { return w.in("everybody", who) })
		at := time.Now().Add(12 * time.Second).Truncate(time.Second)
		m := goldap.NewModifyRequest(dn, nil)
		w.end(m, at)
		if err := w.conn.Modify(m); err != nil {
			t.Fatal(err)
		}
		within(t, "the end is known", func() bool { return w.record(login).EndAt.Equal(at) })
		server.stop()
		within(t, "the end", func() bool {
			now := time.Now() // before it is asked
			in := w.in("everybody", who)
			if !in && now.Before(at) && time.Now().Before(at) {
				t.Fatal("out before the end")
			}
			if in && now.After(at) {
				t.Fatalf("in %v after the end", now.Sub(at))
			}
			return !in
		})
	})
}

// A ring of groups within groups: whoever is in one of them is in all, who is taken out of it is in none, and who is behind a link that
// was cut is out of what is before it. Each of it follows from one change that the server tells.
//
// holds: R14, J42
func TestRingOfGroups(t *testing.T) {
	eachDirectory(t, directoryKinds, func(t *testing.T, kind string) {
		server := writtenServer(t, kind, 60)
		_, folder, _ := strings.Cut(server.group, ",")
		ring := func(i int) string { return fmt.Sprintf("cn=ring%d,%s", i%5, folder) }
		people := server.outside()
		for i := range 5 { // the last knows somebody until the first is there
			a := goldap.NewAddRequest(ring(4-i), nil)
			a.Attribute("objectClass", []string{server.member})
			a.Attribute("cn", []string{fmt.Sprintf("ring%d", 4-i)})
			member := people[9][1]
			if i > 0 {
				member = ring(4 - i + 1)
			}
			a.Attribute("member", []string{member})
			if err := server.conn.Add(a); err != nil {
				t.Fatal(err)
			}
		}
		server.crew = "ring0"
		w := newWhole(t, server, db.SQLite)
		p, q := w.record(people[0][0]).Person, w.record(people[1][0]).Person
		add := func(dn string) func(*goldap.ModifyRequest) {
			return func(m *goldap.ModifyRequest) { m.Add("member", []string{dn}) }
		}
		drop := func(dn string) func(*goldap.ModifyRequest) {
			return func(m *goldap.ModifyRequest) { m.Delete("member", []string{dn}) }
		}
		w.change("into the last", ring(4), "crew", p, true, add(people[0][1]))
		m := goldap.NewModifyRequest(ring(4), nil)
		m.Add("member", []string{ring(0)})
		if err := w.conn.Modify(m); err != nil { // the ring is closed
			t.Fatal(err)
		}
		w.change("into the middle", ring(2), "crew", q, true, add(people[1][1]))
		if !w.in("crew", p) {
			t.Error("out when the ring was closed")
		}
		w.change("out of the middle", ring(2), "crew", q, false, drop(people[1][1]))
		if !w.in("crew", p) {
			t.Error("out with somebody else")
		}
		w.change("in again", ring(1), "crew", q, true, add(people[1][1]))
		w.change("a link is cut", ring(1), "crew", p, false, drop(ring(2)))
		if !w.in("crew", q) {
			t.Error("out with what was behind the link")
		}
	})
}

// Whoever leaves the base, or the directory, is out of the channel, on each server.
//
// holds: J17
func TestLeavesTheDirectory(t *testing.T) {
	eachDirectory(t, directoryKinds, func(t *testing.T, kind string) {
		server := writtenServer(t, kind, 60)
		outside := ldaptest.ADOutside
		server.source.Inventory = time.Second // Samba shows its deletions to administrators alone
		if kind != "samba" {
			outside = "ou=services," + ldaptest.Base
			server.source.Base = "ou=people," + ldaptest.Base
		}
		people := server.outside()
		w := newWhole(t, server, db.SQLite)
		for i, leave := range map[string]func(dn string) error{
			"moved": func(dn string) error {
				first, _, _ := strings.Cut(dn, ",")
				return w.conn.ModifyDN(goldap.NewModifyDNRequest(dn, first, true, outside))
			},
			"removed": func(dn string) error { return w.conn.Del(goldap.NewDelRequest(dn, nil)) },
		} {
			p := people[len(i)]
			who := w.record(p[0]).Person
			within(t, "in the channel", func() bool { return w.in("everybody", who) })
			if err := leave(p[1]); err != nil {
				t.Fatal(err)
			}
			within(t, i, func() bool { return !w.in("everybody", who) })
		}
	})
}
