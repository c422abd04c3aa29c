package hrfeed

import (
	"errors"
	"strings"
	"testing"
)

// A name says what a file is in several ways, and never two things.
func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"people.full.csv": "full", "2026-01.delta.xlsx": "delta", "a.FULL": "full", "people_full.csv": "full", "people-delta.xlsx": "delta", "hr 2026 full.csv": "full",
		"员工全量.xlsx": "full", "全量_2026-03.csv": "full", "2026增量.csv": "delta", "a.full.full.csv": "full", "people_full.v2.csv": "full",
		"f4.full.delta.csv": "both", "people_delta.full.csv": "both", "全量.delta.csv": "both", "全量增量.csv": "both",
		"people.csv": "", "full.csv": "", "delta.csv": "", "full_time_staff.csv": "", "delta-airlines.csv": "", "非全量.csv": "", "fullname.csv": "", "": "",
	} {
		kind, err := declared(File{Name: name}, &table{})
		got := string(kind)
		if err != nil && strings.Contains(err.Error(), "both") {
			got = "both"
		}
		if got != want || (err == nil) != (want == "full" || want == "delta") || err != nil && !errors.Is(err, ErrUndeclared) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if _, err := declared(File{Name: "people.delta.csv", Kind: Full}, &table{}); !errors.Is(err, ErrUndeclared) {
		t.Errorf("a name that says something else: %v", err)
	}
	run(t, func(w *world) {
		_, err := w.try("x.full.xls", "<html><table><tr><td>工号</td></tr></table></html>")
		same(t, "an old workbook", errors.Is(err, ErrUnreadable) && strings.Contains(err.Error(), "save it as .xlsx"), true)
		w.file("员工_full.csv", "工号,姓名,开始日期\n00018,张伟,2020-03-02\n")
		same(t, "start", w.record("00018").StartAt, shanghai("2020-03-02"))
	})
}

// A full list that ends somebody at once and says something else of them besides is no word on them: neither row is taken, and both are told.
func TestEndedAndNot(t *testing.T) {
	run(t, func(w *world) {
		const head = "工号,姓名,部门,操作,生效日期\n"
		w.file("a.full.csv", head+"00018,张伟,研发,,\n00019,李娜,市场,,\n")
		for name, rows := range map[string]string{
			"as it is":   "00018,张伟,研发,,\n00018,,,terminate_now,\n",
			"the other":  "00018,,,terminate_now,\n00018,张伟,财务,,\n",
			"of its own": "00018,张伟,研发,,\n00018,,,terminate_now,2026-03-01\n",
		} {
			rep := w.file("b.full.csv", head+rows+"00019,李娜,市场,,\n")
			same(t, name, lines(rep.Refused), "2 twice, 3 twice")
			same(t, name+": lines", strings.Contains(rep.Refused[0].Text, "line 3") && strings.Contains(rep.Refused[1].Text, "line 2"), true)
			same(t, name+": department", w.record("00018").Department+string(w.status("00018")), "研发active")
		}
		rep := w.file("c.full.csv", head+"00018,张伟,研发,terminate_now,\n00018,张伟,研发,terminate_now,\n00019,李娜,市场,,\n")
		same(t, "said twice", lines(rep.Refused), "")
		same(t, "ended", w.status("00018") != "active", true)
	})
}

// A report tells what is wrong in the order of the file, and one of a thing as one.
func TestReportReadsWell(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", "工号,姓名,部门编号\n00018,张伟,u1\n00019,李娜,u1\n00020,x,u1\n00021,y,u1\n00022,z,u1\n")
		rep := w.file("b.full.csv", "工号,姓名,部门编号,入职日期\n00018,张伟,u1,\n00019,李娜,u1,\n7,王芳,u1,\n00019,李娜娜,u1,\n00020,x,u1,soon\n")
		same(t, "refused", lines(rep.Refused), "3 twice, 4 lost_zeros, 5 twice, 6 bad_date")
		same(t, "a digit", strings.Contains(rep.Text(), "it has 1 digit, and 5 are expected"), true)
		text := w.file("c.delta.csv", "工号,姓名,部门编号\n00018,张伟,u2\n").Text()
		same(t, "one of each: "+text, strings.Contains(text, "1 row, 0 refused; 1 person: ") && strings.Contains(text, "; 1 unit\n"), true)
	})
}
