package hrfeed

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// company is a full file of n people in Chinese.
func company(n int) string {
	var b strings.Builder
	b.WriteString("工号,姓名,部门,部门路径,岗位,邮箱,手机号码,入职日期,直属上级工号,公司,员工类型\n")
	for i := range n {
		fmt.Fprintf(&b, "%06d,张%d,部门%d,集团/中心%d/部门%d,工程师,u%d@corp.example,138%08d,2020-03-%02d,%06d,示例科技,正式\n", i+1, i, i%200, i%20, i%200, i, i, i%28+1, i/10+1)
	}
	return b.String()
}

// TestLarge measures a file of ROLLCALL_HR_ROWS rows: taken anew, again, and with one row that differs.
func TestLarge(t *testing.T) {
	rows := os.Getenv("ROLLCALL_HR_ROWS")
	if rows == "" {
		t.Skip("ROLLCALL_HR_ROWS is not set")
	}
	n := 0
	fmt.Sscan(rows, &n)
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			w := open(t, dbtest.Open(t, dbtest.DSN(t, engine)))
			data := company(n)
			if os.Getenv("ROLLCALL_HR_ORDER") == "reversed" { // everybody before their manager
				list := strings.SplitAfter(data, "\n")
				slices.Reverse(list[1 : len(list)-1])
				data = strings.Join(list, "")
			}
			peak := watchHeap(t)
			rep := w.file("a.full.csv", data)
			t.Logf("%d rows, %d bytes: new %.1f s, heap at most %d MiB", rep.Counts.New, len(data), rep.Seconds, peak()>>20)
			rep, err := w.f.Take(t.Context(), Order{Source: w.source, Again: true, File: File{Name: "a.full.csv", Data: []byte(data)}})
			if err != nil {
				t.Fatal(err)
			}
			same(t, "unchanged", rep.Counts.Unchanged, n)
			t.Logf("again: %.1f s", rep.Seconds)
			rep = w.file("b.full.csv", strings.Replace(data, "工程师", "总监", 1))
			same(t, "changed", rep.Counts.Changed, 1)
			t.Logf("one row differs: %.1f s, heap at most %d MiB", rep.Seconds, peak()>>20)
		})
	}
}

func watchHeap(t *testing.T) func() uint64 {
	peak, stop := make(chan uint64, 1), make(chan struct{})
	peak <- 0
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak <- max(<-peak, m.HeapAlloc)
			}
		}
	}()
	t.Cleanup(func() { close(stop) })
	return func() uint64 {
		v := <-peak
		peak <- v
		return v
	}
}
