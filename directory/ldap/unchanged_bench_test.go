package ldap_test

import (
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"testing"

	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// BenchmarkUnchanged compares a company of which nothing changed, by a Syncer that has just started and by one that knows the space already,
// each time beside ldapsearch of the same. CPU is told besides the time, because that hardly depends on what else the machine does; of the
// Syncer it holds SQLite's. The memory is the peak of this process, with the store in it, of the last round.
//
//	LDAP_PEOPLE=20000 go test ./directory/ldap -run xxx -bench 'Unchanged$' -benchtime 3x
func BenchmarkUnchanged(b *testing.B) {
	people := 5000
	if n, err := strconv.Atoi(os.Getenv("LDAP_PEOPLE")); err == nil {
		people = n
	}
	s := ldaptest.Start(b, ldaptest.Company{People: people, Units: 200, Groups: people / 50, Members: 500, Everybody: true}.LDIF())
	c := slapdConfig(s)
	c.PageSize, c.URL = 1000, s.URLS
	w := newWorld(b, dbtest.Open(b, dbtest.DSN(b, db.SQLite)))
	w.sync(w.syncer(c))
	took, cpu := map[string]float64{}, map[string]float64{}
	for b.Loop() {
		debug.FreeOSMemory()
		_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the peak begins anew
		before := used(b, syscall.RUSAGE_CHILDREN)
		took["ldapsearch"] += ldapsearch(b, s).Seconds()
		cpu["ldapsearch"] += used(b, syscall.RUSAGE_CHILDREN) - before
		sy := w.syncer(c)
		for _, when := range []string{"after-start", "again"} {
			before := used(b, syscall.RUSAGE_SELF)
			rep := w.sync(sy)
			if rep.Written() != 0 {
				b.Fatalf("%s: %+v", when, rep)
			}
			took[when] += rep.Duration.Seconds()
			cpu[when] += used(b, syscall.RUSAGE_SELF) - before
		}
	}
	for what := range took {
		b.ReportMetric(took[what]/float64(b.N), "s/"+what)
		b.ReportMetric(cpu[what]/float64(b.N), "cpu-s/"+what)
	}
	b.ReportMetric(peak(b), "MB/peak")
	b.ReportMetric(0, "ns/op")
}

// used answers the seconds of CPU of this process, or of the commands it waited for.
func used(b *testing.B, who int) float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		b.Fatal(err)
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}
