package ldap_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// BenchmarkActiveDirectory measures from a write answered by Samba to its Change: p50 and p99 of 200 titles and 200 memberships.
func BenchmarkActiveDirectory(b *testing.B) {
	s := ldaptest.StartAD(b)
	admin := s.Admin(b)
	for name, login := range map[string][2]string{"dirsync": {ldaptest.ADSync, ldaptest.ADPW}, "usn": {ldaptest.ADPlain, ldaptest.ADPW}} {
		cl := client(b, adConfig(s, login[0], login[1]))
		_, proof, err := snapshot(b.Context(), cl)
		if err != nil {
			b.Fatal(err)
		}
		told := map[ldap.Op]chan time.Time{ldap.OpUpsert: make(chan time.Time, 4096), ldap.OpMembers: make(chan time.Time, 4096)}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		ready := make(chan struct{}, 1024)
		go func() {
			done <- cl.Watch(ctx, proof.Cursor, func(changes []ldap.Change) error {
				for _, c := range changes {
					switch c.Op {
					case ldap.OpUpsert, ldap.OpMembers:
						told[c.Op] <- time.Now()
					case ldap.OpRefreshed:
						ready <- struct{}{}
					}
				}
				return nil
			})
		}()
		<-ready
		measure := func(what string, op ldap.Op, write func(i int) error) {
			var took []time.Duration
			for i := range 200 {
				if err := write(i); err != nil {
					b.Fatal(err)
				}
				answered := time.Now()
				select {
				case at := <-told[op]:
					took = append(took, max(at.Sub(answered), 0))
				case <-time.After(10 * time.Second):
					b.Fatalf("%s %d was not told", what, i)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, name+"-"+what+"-p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, name+"-"+what+"-p99-ms")
		}
		measure("title", ldap.OpUpsert, func(i int) error {
			m := goldap.NewModifyRequest(ldaptest.ADPerson(i%ldaptest.ADPeople), nil)
			m.Replace("title", []string{fmt.Sprintf("%s %d", name, i)})
			return admin.Modify(m)
		})
		member := ldap.OpMembers
		if name == "usn" { // the whole group is read again
			member = ldap.OpUpsert
		}
		measure("member", member, func(i int) error {
			m := goldap.NewModifyRequest(ldaptest.ADGroup(3), nil)
			if who := []string{ldaptest.ADPerson(199)}; i%2 == 0 {
				m.Add("member", who)
			} else {
				m.Delete("member", who)
			}
			return admin.Modify(m)
		})
		cancel()
		<-done
	}
	b.ReportMetric(0, "ns/op")
}
