package ldap_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// TestFollowedServers changes real servers at random while a source is followed, while nobody follows, and across crashes of the
// server, and holds what the store has then beside what a first reading gives.
//
// holds: R2, R3, R4, R6, R17, R19
func TestFollowedServers(t *testing.T) {
	company := ldaptest.Company{People: 80, Units: 14, Groups: 4, Members: 10}
	for name, start := range map[string]func(testing.TB) *ldaptest.Server{
		"openldap":                     func(t testing.TB) *ldaptest.Server { return unmended(t, company, ldaptest.SessionLog) },
		"openldap without session log": func(t testing.TB) *ldaptest.Server { return unmended(t, company, "") },
		"389":                          func(t testing.TB) *ldaptest.Server { return ldaptest.Start389(t, company.LDIF()) },
	} {
		t.Run(name, func(t *testing.T) {
			seed := drawn(t)
			if testing.Short() {
				seed = 1795381469803701785 // somebody comes in under a name that the unit has in between
			}
			t.Logf("seed %d", seed)
			s := start(t)
			v := newVandal(t, s, seed)
			c := slapdConfig(s)
			w := newWorld(t, dbtest.SQLite(t))
			rounds := 6
			if testing.Short() {
				rounds = 2
			}
			for round := range rounds {
				sy := w.syncer(c)
				stop := runs(t, sy, time.Hour)
				for began := time.Now(); sy.Status().Mode != "live"; time.Sleep(5 * time.Millisecond) {
					if time.Since(began) > 40*time.Second {
						t.Fatalf("round %d: not followed: %+v", round, sy.Status())
					}
				}
				for range 3 {
					for range v.rand.IntN(25) {
						v.change()
					}
					if v.rand.IntN(3) == 0 {
						s.Kill()
						s.Resume(t)
						v.conn = s.Admin(t)
					}
					v.replace(v.pick(v.people), "title", fmt.Sprintf("mark %d", v.rand.Uint64()))
				}
				fresh := newWorld(t, dbtest.SQLite(t))
				fresh.sync(fresh.syncer(c))
				want, stay := fresh.picture(), v.stay()
				for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
					got := w.picture()
					for group, may := range stay {
						got[group] = without(got[group], want[group], may)
					}
					diff := differences(got, want)
					if len(diff) == 0 {
						break
					}
					if time.Since(began) > 40*time.Second {
						t.Fatalf("round %d: %d differences; %+v\n%s", round, len(diff), sy.Status(), strings.Join(diff[:min(len(diff), 12)], "\n"))
					}
				}
				stop()
				for range v.rand.IntN(15) { // while nobody follows
					v.change()
				}
			}
		})
	}
}
