package hrfeed

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// Whatever files say, in whatever order: a preview writes nothing and says what the file then does, and the same file taken again changes nobody.
func TestAnyFiles(t *testing.T) {
	checks := 0
	rapid.Check(t, func(rt *rapid.T) {
		if checks++; checks > 40 {
			return
		}
		w := open(t, dbtest.Open(t, dbtest.DSN(t, db.SQLite)))
		w.file("first.full.csv", roster)
		for n := range rapid.IntRange(1, 4).Draw(rt, "files") {
			w.at = w.at.Add(time.Duration(rapid.IntRange(0, 40).Draw(rt, "days")) * 24 * time.Hour)
			kind := rapid.SampledFrom([]Kind{Full, Delta, Delta}).Draw(rt, "kind")
			file := File{Name: fmt.Sprintf("%d.csv", n), Kind: kind, Data: []byte(anyRows(rt))}
			before := w.written()
			seen, err := w.f.Take(t.Context(), Order{Source: w.source, Preview: true, Again: true, File: file})
			if after := w.written(); after != before {
				rt.Fatalf("a preview wrote\n%s", file.Data)
			}
			rep, wrong := w.f.Take(t.Context(), Order{Source: w.source, Again: true, File: file})
			if (err == nil) != (wrong == nil) || wrong != nil && !atFault(wrong) {
				rt.Fatalf("%v, and then %v\n%s", err, wrong, file.Data)
			}
			if seen.Counts != rep.Counts {
				rt.Fatalf("preview %+v, then %+v\n%s", seen.Counts, rep.Counts, file.Data)
			}
			again, err := w.f.Take(t.Context(), Order{Source: w.source, Again: true, File: file})
			if err != nil {
				continue
			}
			if rep.Counts.Refused > 0 { // a row may fit the second time, after those behind it
				continue
			}
			if relative(string(file.Data)) {
				continue
			}
			if c := again.Counts; c.written()-c.Ended > 0 {
				rt.Fatalf("the second time: %+v\n%s\nafter\n%s\n%s", c, again.Text(), rep.Text(), file.Data)
			}
		}
	})
}

// relative tells whether a file says several things of one person, one of which depends on what stood before: a withdrawal takes back, the second
// time, what a later row had said the first time.
func relative(file string) bool {
	rows, depends := map[string]int{}, map[string]bool{}
	for line := range strings.Lines(file) {
		cells := strings.Split(line, ",")
		rows[cells[0]]++
		depends[cells[0]] = depends[cells[0]] || cells[1] == "撤销" || cells[1] == "删除" || cells[1] == "入职"
	}
	for key, n := range rows {
		if n > 1 && depends[key] {
			return true
		}
	}
	return false
}

func anyRows(rt *rapid.T) string {
	var b strings.Builder
	b.WriteString("工号,操作,姓名,部门,岗位,直属上级工号,入职日期,离职日期,生效日期\n")
	day := rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "empty") {
			return ""
		}
		return shanghai("2026-03-02").AddDate(0, 0, rapid.IntRange(-30, 200).Draw(t, "day")).Format("2006-01-02")
	})
	for range rapid.IntRange(1, 8).Draw(rt, "rows") {
		fmt.Fprintf(&b, "%s,%s,%s,%s,%s,%s,%s,%s,%s\n", rapid.SampledFrom([]string{"00017", "00018", "00019", "00021", "00050", "00051"}).Draw(rt, "key"),
			rapid.SampledFrom([]string{"", "", "入职", "变更", "调动", "休假", "返岗", "离职", "撤销", "删除"}).Draw(rt, "action"),
			rapid.SampledFrom([]string{"", "甲", "乙"}).Draw(rt, "name"), rapid.SampledFrom([]string{"", "研发", "市场", "-"}).Draw(rt, "department"),
			rapid.SampledFrom([]string{"", "工程师", "总监"}).Draw(rt, "title"), rapid.SampledFrom([]string{"", "00017", "00021"}).Draw(rt, "manager"),
			day.Draw(rt, "start"), day.Draw(rt, "end"), day.Draw(rt, "effective"))
	}
	return b.String()
}
