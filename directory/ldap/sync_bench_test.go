package ldap_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// BenchmarkLDAP reads a company from a real slapd: with ldapsearch, with the client alone, into an empty store, and again without a
// change; then it follows the server, changes a title, and adds a member to the group that everybody is in. All of it in one run, so that the ratios mean
// something. The memory is the peak of this process, with the store in it, after the company was loaded.
//
//	LDAP_PEOPLE=100000 go test ./directory/ldap -run xxx -bench 'LDAP$' -benchtime 1x -timeout 30m
//
// LDAP_FIRST=1 ends it after the first sync.
func BenchmarkLDAP(b *testing.B) {
	people := 5000
	if n, err := strconv.Atoi(os.Getenv("LDAP_PEOPLE")); err == nil {
		people = n
	}
	s := ldaptest.Start(b, ldaptest.Company{People: people, Units: 200, Groups: people / 50, Members: 500, Everybody: true}.LDIF())
	c := slapdConfig(s)
	c.PageSize, c.URL = 1000, s.URLS
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			for range b.N {
				benchLDAP(b, s, c, engine, people)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func benchLDAP(b *testing.B, s *ldaptest.Server, c ldap.Config, engine db.Engine, people int) {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the peak begins anew
	b.ReportMetric(ldapsearch(b, s).Seconds(), "s/ldapsearch")
	began := time.Now()
	proof, err := client(b, c).Snapshot(b.Context(), func([]ldap.Object) error { return nil })
	if err != nil || !proof.Complete() || proof.Counts[ldap.ClassPerson] != people {
		b.Fatalf("%+v %v", proof, err)
	}
	b.ReportMetric(time.Since(began).Seconds(), "s/read")
	w := newWorld(b, dbtest.Open(b, dbtest.DSN(b, engine)))
	cpu := used(b, syscall.RUSAGE_SELF)
	rep := w.sync(w.syncer(c))
	b.ReportMetric(used(b, syscall.RUSAGE_SELF)-cpu, "cpu-s/first-sync")
	b.ReportMetric(rep.Duration.Seconds(), "s/first-sync")
	b.ReportMetric(rep.ReadTime.Seconds(), "s/first-sync-read")
	b.ReportMetric(peak(b), "MB/first-sync-peak")
	if os.Getenv("LDAP_FIRST") != "" {
		return
	}
	sy := w.syncer(c)
	if rep = w.sync(sy); rep.Written() != 0 {
		b.Fatalf("the second sync wrote: %+v", rep)
	}
	b.ReportMetric(rep.Duration.Seconds(), "s/unchanged-after-start")
	if rep = w.sync(sy); rep.Written() != 0 {
		b.Fatalf("the third sync wrote: %+v", rep)
	}
	b.ReportMetric(rep.Duration.Seconds(), "s/unchanged")
	b.ReportMetric(rep.ReadTime.Seconds(), "s/unchanged-read")
	stop := runs(b, sy, time.Hour)
	until := func(what string, fn func() bool) time.Duration {
		b.Helper()
		began := time.Now()
		for ; !fn(); time.Sleep(time.Millisecond) {
			if time.Since(began) > 2*time.Minute {
				b.Fatalf("%s: not within 2 min: %+v", what, sy.Status())
			}
		}
		return time.Since(began)
	}
	until("following", func() bool { return sy.Status().Mode == "live" })
	record := func(login string) directory.Record {
		page, err := w.store.FindRecords(b.Context(), directory.RecordQuery{Source: w.source.ID, Where: directory.Compare{Column: directory.ColUserName, Op: directory.Eq, Value: login}, Limit: 1, NoTotal: true})
		if err != nil || len(page.Records) != 1 {
			b.Fatalf("%v %v", page, err)
		}
		return page.Records[0]
	}
	title := string(engine) + " title"
	s.Modify(b, "dn: "+u1+"\nchangetype: modify\nreplace: title\ntitle: "+title+"\n")
	b.ReportMetric(until("title", func() bool { return record("u000001").Title == title }).Seconds()*1000, "ms/title")
	one := "uid=x" + string(engine) + ",ou=people," + base
	s.Modify(b, "dn: "+one+"\nchangetype: add\nobjectClass: inetOrgPerson\nuid: x"+string(engine)+"\ncn: X\nsn: X\n")
	until("new", func() bool { return sy.Status().Lag > 0 && known(b, w, "x"+string(engine)) })
	key := record("x" + string(engine)).Key
	all, err := w.store.FindGroups(b.Context(), directory.GroupQuery{Source: w.source.ID, Where: directory.Compare{Column: directory.ColDisplayName, Op: directory.Eq, Value: "g-all"}, Limit: 1})
	if err != nil || len(all.Groups) != 1 {
		b.Fatalf("%v %v", all, err)
	}
	began = time.Now()
	s.Modify(b, "dn: cn=g-all,ou=groups,"+base+"\nchangetype: modify\nadd: member\nmember: "+one+"\n")
	b.ReportMetric(time.Since(began).Seconds()*1000, "ms/server-add-member")
	b.ReportMetric(until("member", func() bool {
		m, err := w.store.Members(b.Context(), all.Groups[0].ID, directory.MemberQuery{Value: key, Limit: 1, NoTotal: true})
		return err == nil && len(m.Members) == 1
	}).Seconds()*1000, "ms/member-of-all")
	stop()
	b.ReportMetric(peak(b), "MB/peak")
	s.Modify(b, "dn: cn=g-all,ou=groups,"+base+"\nchangetype: modify\ndelete: member\nmember: "+one+"\n\ndn: "+one+"\nchangetype: delete\n")
}

func known(b *testing.B, w *world, login string) bool {
	page, err := w.store.FindRecords(b.Context(), directory.RecordQuery{Source: w.source.ID, Where: directory.Compare{Column: directory.ColUserName, Op: directory.Eq, Value: login}, Limit: 1, NoTotal: true})
	if err != nil {
		b.Fatal(err)
	}
	return len(page.Records) == 1
}

func peak(b *testing.B) float64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc")
	}
	_, rest, _ := bytes.Cut(raw, []byte("VmHWM:"))
	var kb float64
	if _, err := fmt.Fscan(strings.NewReader(string(rest)), &kb); err != nil {
		b.Fatal(err)
	}
	return kb / 1024
}
