package ldap_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

func ldapsearch(b *testing.B, s *ldaptest.Server) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, ldaptest.Tool(b, "ldapsearch"), "-x", "-LLL", "-o", "ldif-wrap=no", "-H", s.URLS, "-D", ldaptest.ReaderDN, "-w", ldaptest.ReaderPW,
		"-E", "pr=1000/noprompt", "-b", ldaptest.Base, "(|(objectClass=organizationalUnit)(objectClass=inetOrgPerson)(objectClass=groupOfNames))", "*", "entryUUID")
	cmd.Env = append(os.Environ(), "LDAPTLS_CACERT="+s.CAFile)
	cmd.Stdout = io.Discard
	began := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// BenchmarkLive measures, on real servers, how long after the answer to a change the stream tells it. A change that is told
// before it is answered counts as zero.
//
//	go test ./directory/ldap -run xxx -bench Live -benchtime 300x
func BenchmarkLive(b *testing.B) {
	company := ldaptest.Company{People: 2000, Units: 40, Groups: 40, Members: 50}
	for name, start := range map[string]func() *ldaptest.Server{
		"openldap": func() *ldaptest.Server { return ldaptest.Start(b, company.LDIF()) },
		"389":      func() *ldaptest.Server { return ldaptest.Start389(b, company.LDIF()) },
	} {
		b.Run(name, func(b *testing.B) {
			s := start()
			v := newVandal(b, s, 1)
			told := make(chan ldap.Change, 1000)
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			caughtUp := make(chan bool)
			go func() {
				done <- client(b, slapdConfig(s)).Watch(ctx, "", func(changes []ldap.Change) error {
					for _, c := range changes {
						c.At = time.Now()
						switch {
						case c.Op == ldap.OpRefreshed:
							close(caughtUp)
						case len(c.Object.Attrs["title"]) == 1 && strings.HasPrefix(c.Object.Attrs["title"][0], "bench "):
							told <- c
						}
					}
					return nil
				})
			}()
			<-caughtUp
			var answered, sent []time.Duration
			for i := range b.N {
				title := fmt.Sprintf("bench %d", i)
				began := time.Now()
				v.replace(v.pick(v.people), "title", title)
				answer := time.Now()
				select {
				case c := <-told:
					if c.Object.Attrs["title"][0] != title {
						b.Fatalf("%v came for %s", c.Object.Attrs["title"], title)
					}
					answered, sent = append(answered, max(0, c.At.Sub(answer))), append(sent, c.At.Sub(began))
				case <-time.After(10 * time.Second):
					b.Fatal("a change was not told")
				}
			}
			cancel()
			<-done
			for unit, list := range map[string][]time.Duration{"answered": answered, "sent": sent} {
				slices.Sort(list)
				b.ReportMetric(float64(list[len(list)/2].Microseconds())/1000, "p50ms/"+unit)
				b.ReportMetric(float64(list[len(list)*99/100].Microseconds())/1000, "p99ms/"+unit)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkReconcile100k measures what finds the deletions among 100,000 people: the inventory, and a resumed stream of a server
// without session log, which names everything that is there.
//
//	go test ./directory/ldap -run xxx -bench Reconcile100k -benchtime 1x
func BenchmarkReconcile100k(b *testing.B) {
	const people = 100_000
	s := unmended(b, ldaptest.Company{People: people, Units: 200}, "")
	c := slapdConfig(s)
	c.PageSize = 1000
	cl := client(b, c)
	var inventory, present time.Duration
	for i := range b.N {
		position, err := cl.Position(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		v := &vandal{t: b, conn: s.Admin(b)}
		v.can(v.conn.Del(goldap.NewDelRequest(fmt.Sprintf("uid=u%06d,ou=dept000,ou=people,%s", 200*(i+1), base), nil)))
		began := time.Now()
		proof, err := cl.Inventory(b.Context(), func(ldap.Class, []string) error { return nil })
		if err != nil || !proof.Complete() || proof.Counts[ldap.ClassPerson] < people-b.N-1 {
			b.Fatalf("%+v %v", proof, err)
		}
		inventory += time.Since(began)
		began = time.Now()
		named, whole := 0, false
		if _, err := cl.Changes(b.Context(), ldap.CursorAt(b, cl, position), func(changes []ldap.Change) error {
			for _, c := range changes {
				named += len(c.Keys)
				whole = whole || c.Whole
			}
			return nil
		}); err != nil || !whole || named < people-b.N-1 {
			b.Fatalf("%d named, %v %v", named, whole, err)
		}
		present += time.Since(began)
	}
	b.ReportMetric(inventory.Seconds()/float64(b.N), "s/inventory")
	b.ReportMetric(present.Seconds()/float64(b.N), "s/present-phase")
	b.ReportMetric(0, "ns/op")
}
