package ldap_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap/demo"
)

// TestRenamedWhileRead gives a unit another name, moves it out of the base or deletes it just after the client was told its name, and before it looks beneath it: the
// stream goes on, and tells the rest.
//
// holds: R6, R7
func TestRenamedWhileRead(t *testing.T) {
	here, there := "ou=moved,ou=company,"+base, "ou=elsewhere,"+base
	for name, row := range map[string]struct {
		look demo.Look
		f    demo.Faults
		then func(*demo.Directory) error
	}{
		"DirSync, another name":                      {demo.LookAD, demo.Faults{}, func(d *demo.Directory) error { return d.Move(here, "ou=b", true, "") }},
		"DirSync, out of the base":                   {demo.LookAD, demo.Faults{}, func(d *demo.Directory) error { return d.Move(here, "ou=moved", true, there) }},
		"DirSync, deletions hidden, out of the base": {demo.LookAD, demo.Faults{HideDeleted: true}, func(d *demo.Directory) error { return d.Move(here, "ou=moved", true, there) }},
		"DirSync, deleted":                           {demo.LookAD, demo.Faults{}, func(d *demo.Directory) error { return empty(d, here) }},
		"updates, another name":                      {demo.LookAD, demo.Faults{NoDirSync: true}, func(d *demo.Directory) error { return d.Move(here, "ou=b", true, "") }},
		"times, another name":                        {demo.LookPlain, demo.Faults{}, func(d *demo.Directory) error { return d.Move(here, "ou=b", true, "") }},
	} {
		t.Run(name, func(t *testing.T) {
			person, group := "user", "group"
			if row.look == demo.LookPlain {
				person, group = "inetOrgPerson", "groupOfNames"
			}
			d, c := doubleOf(t, row.look, person, group, 20)
			row.f.NoNotify = true // a sign names it, too
			d.SetFaults(row.f)
			p := newProxy(t, strings.TrimPrefix(c.URL, "ldap://"), true)
			direct := c
			c.URL, c.Inventory = "ldap://"+p.address, time.Hour // else an inventory names it first
			var armed atomic.Bool
			p.swallow = func(_ net.Conn, m *ber.Packet) bool {
				op := m.Children[1]
				told := op.Tag == goldap.ApplicationSearchResultEntry && strings.EqualFold(fmt.Sprint(op.Children[0].Value), here)
				if told && (row.look == demo.LookPlain || len(op.Children[1].Children) <= 1) && armed.CompareAndSwap(true, false) {
					if err := row.then(d); err != nil {
						t.Error(err)
					}
				}
				return false
			}
			cl, r := client(t, c), newReplica()
			at, err := cl.Changes(t.Context(), "", r.apply)
			if err != nil {
				t.Fatal(err)
			}
			end := r.watches(t, cl, at)
			r.settles(t, "at first", client(t, direct))
			armed.Store(true)
			if err := d.Move("ou=b,ou=company,"+base, "ou=moved", true, ""); err != nil {
				t.Fatal(err)
			}
			for began := time.Now(); armed.Load() && r.ended() == nil && time.Since(began) < 20*time.Second; time.Sleep(time.Millisecond) {
			}
			r.settles(t, "in the end", client(t, direct))
			if end(); armed.Load() {
				t.Error("the name was never told")
			}
		})
	}
}

// empty deletes a unit with everything in it.
func empty(d *demo.Directory, unit string) error {
	for i := range 10 {
		if err := d.Delete(fmt.Sprintf("cn=Person %d,%s", 2*i+1, unit)); err != nil {
			return err
		}
	}
	return d.Delete(unit)
}
