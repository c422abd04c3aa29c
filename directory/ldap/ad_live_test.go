package ldap_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// TestAskedServersLive runs a source on servers that tell only when they are asked: what changes arrives, and who is gone is found
// where the server tells no deletions, each time.
//
// holds: R5, R7
func TestAskedServersLive(t *testing.T) {
	for _, row := range []struct {
		name, person, group string
		look                demo.Look
		f                   demo.Faults
	}{
		{"ad", "user", "group", demo.LookAD, demo.Faults{}},
		{"ad that hides deletions", "user", "group", demo.LookAD, demo.Faults{HideDeleted: true}},
		{"plain", "inetOrgPerson", "groupOfNames", demo.LookPlain, demo.Faults{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			dbtest.Run(t, func(t *testing.T, engine *db.DB) {
				d, c := doubleOf(t, row.look, row.person, row.group, 40)
				d.SetFaults(row.f)
				c.Mapping = map[string]string{"user_name": "samaccountname"}
				w := newWorld(t, engine)
				s := w.syncer(c)
				runs(t, s, time.Hour)
				w.until("live", func() bool { return s.Status().Mode == "live" })
				if n := len(w.people()); n != 40 {
					t.Fatalf("%d people", n)
				}
				title(t, d, 3, "Boss")
				w.until("title", func() bool { return w.people()["u3"].Title == "Boss" })
				if err := d.Modify(adDouble(5), demo.Mod{Kind: demo.ModReplace, Name: "userAccountControl", Values: []string{"514"}}); err != nil {
					t.Fatal(err)
				}
				w.until("disabled", func() bool { return !w.people()["u5"].Active })
				for n, gone := range []int{8, 9} { // the second inventory finds whom the first one still named
					if err := d.Delete(adDouble(gone)); err != nil {
						t.Fatal(err)
					}
					w.until("gone", func() bool { return slices.Equal(w.absent(), []string{"u8", "u9"}[:n+1]) })
				}
			})
		})
	}
}
