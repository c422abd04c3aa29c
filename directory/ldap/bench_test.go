package ldap_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// BenchmarkFullSync20k reads 20,000 people, 200 units and 400 groups from a real slapd: with ldapsearch, with the client
// alone, into an empty store, and without a change: compared with
// the store (unchanged) and with what the same process wrote (remembered); all in the same run, so that the ratios mean something.
//
//	go test ./directory/ldap -run xxx -bench FullSync20k -benchtime 1x
func BenchmarkFullSync20k(b *testing.B) {
	s := ldaptest.Start(b, ldaptest.Company{People: 20_000, Units: 200, Groups: 400, Members: 100}.LDIF())
	c := slapdConfig(s)
	c.PageSize, c.URL = 1000, s.URLS
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			var tool, read, first, again, one time.Duration
			for range b.N {
				tool += ldapsearch(b, s)
				began := time.Now()
				if _, proof, err := snapshot(b.Context(), client(b, c)); err != nil || !proof.Complete() || proof.Counts[ldap.ClassPerson] != 20_000 {
					b.Fatalf("%+v %v", proof, err)
				}
				read += time.Since(began)
				w := newWorld(b, dbtest.Open(b, dbtest.DSN(b, engine)))
				sy := w.syncer(c)
				rep := w.sync(sy)
				first += rep.Duration
				if rep = w.sync(w.syncer(c)); rep.Written() != 0 {
					b.Fatalf("the second sync wrote: %+v", rep)
				}
				again += rep.Duration
				if rep = w.sync(sy); rep.Written() != 0 {
					b.Fatalf("the third sync wrote: %+v", rep)
				}
				one += rep.Duration
			}
			n := float64(b.N)
			b.ReportMetric(tool.Seconds()/n, "s/ldapsearch")
			b.ReportMetric(read.Seconds()/n, "s/read")
			b.ReportMetric(first.Seconds()/n, "s/first-sync")
			b.ReportMetric(again.Seconds()/n, "s/unchanged-sync")
			b.ReportMetric(one.Seconds()/n, "s/remembered-sync")
			b.ReportMetric(float64(read)/float64(tool), "read/ldapsearch")
			b.ReportMetric(0, "ns/op")
		})
	}
}

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
