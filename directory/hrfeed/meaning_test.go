package hrfeed

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

const roster = "工号,姓名,部门,岗位,邮箱,入职日期,离职日期,直属上级工号\n" +
	"00017,张伟,研发,工程师,zhang.wei@corp.example,2020-03-02,,00021\n" +
	"00021,李娜,研发,总监,,2018-07-16,,\n" +
	"00018,张伟,市场,专员,,2021-05-06,,00021\n" +
	"00019,王芳,市场,专员,,2022-01-05,,00021\n"

// A last day lasts until midnight where somebody works; what is planned acts at its instant, and is taken back before it.
func TestEmployment(t *testing.T) {
	run(t, func(w *world) {
		w.counts(w.file("a.full.csv", roster), Counts{Rows: 4, People: 4, New: 4})

		rep := w.file("1.delta.csv", "工号,操作,离职日期\n00017,离职,2026-03-31\n")
		w.counts(rep, Counts{Rows: 1, People: 1, Changed: 1})
		same(t, "end", w.record("00017").EndAt, shanghai("2026-04-01"))
		same(t, "status", w.status("00017"), directory.StatusNotice)
		same(t, "nothing else", w.record("00017").DisplayName, "张伟")
		w.file("2.delta.csv", "工号,操作\n00017,撤销\n")
		same(t, "rescinded", w.record("00017").EndAt, time.Time{})
		same(t, "status", w.status("00017"), directory.StatusActive)

		// The hour of the last day, in the zone of the row.
		w.file("3.delta.csv", "工号,操作,离职日期,时区\n00017,离职,2026-03-31 18:00,Europe/Berlin\n")
		same(t, "end", w.record("00017").EndAt, time.Date(2026, 3, 31, 16, 0, 0, 0, time.UTC))
		w.file("4.delta.json", `{"kind":"delta","rows":[{"employee_number":"00017","action":"terminate","end":"2026-03-31T18:00:00+08:00"}]}`)
		same(t, "end", w.record("00017").EndAt, time.Date(2026, 3, 31, 10, 0, 0, 0, time.UTC))

		// Over is over: only a hire begins anew, and nobody gets the old end again.
		w.at = time.Date(2026, 4, 10, 0, 0, 0, 0, time.UTC)
		rep = w.file("5.delta.csv", "工号,操作,入职日期\n00017,撤销,\n00017,入职,2026-04-10\n")
		same(t, "refused", lines(rep.Refused), "2 over")
		same(t, "end", w.record("00017").EndAt, time.Time{})
		same(t, "start", w.record("00017").StartAt, time.Date(2026, 4, 9, 22, 0, 0, 0, time.UTC)) // midnight in Berlin, which stayed

		// A list that is behind does not bring back who has left.
		w.file("left.delta.csv", "工号,操作,离职日期\n00021,离职,2026-04-08\n")
		rep = w.file("behind.full.csv", strings.Replace(roster, "2020-03-02", "2026-04-10", 1))
		same(t, "notes", lines(rep.Notes), "3 ended")
		same(t, "left", w.status("00021"), directory.StatusTerminated)
		same(t, "end", w.record("00021").EndAt, shanghai("2026-04-09"))

		w.file("6.delta.csv", "工号,操作,休假开始日期,休假结束日期\n00018,休假,2026-04-01,2026-06-30\n")
		same(t, "leave", w.record("00018").LeaveUntil, shanghai("2026-07-01"))
		same(t, "status", w.status("00018"), directory.StatusLeave)
		w.file("7.delta.csv", "工号,操作\n00018,返岗\n")
		same(t, "status", w.status("00018"), directory.StatusActive)

		rep = w.file("8.delta.csv", "工号,操作,原因\n00019,立即离职,secret reason\n")
		w.counts(rep, Counts{Rows: 1, People: 1, Ended: 1})
		same(t, "frozen", w.status("00019"), "frozen")
		rep = w.file("9.delta.csv", "工号,状态\n00019,在职\n") // stale: the veto stands
		same(t, "veto", w.status("00019"), "frozen")
		same(t, "asserted", w.record("00019").Active, true)

		w.file("10.delta.csv", "工号,操作\n00018,删除\n")
		same(t, "deleted", w.record("00018").DeletedAt.IsZero(), false)
		if strings.Contains(w.log.String(), "张伟") || strings.Contains(w.log.String(), "secret reason") || strings.Contains(w.log.String(), "zhang.wei") {
			t.Errorf("the log holds what files say:\n%s", w.log.String())
		}
	})
}

// A hire that has not begun waits for its day, may be put off, and is withdrawn without a trace.
func TestHireAhead(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		w.file("1.delta.csv", "工号,姓名,部门,操作,入职日期\n00044,刘洋,研发,入职,2026-03-09\n")
		same(t, "status", w.status("00044"), directory.StatusPending)
		w.file("2.delta.csv", "工号,操作,入职日期\n00044,变更,2026-03-16\n")
		same(t, "start", w.record("00044").StartAt, shanghai("2026-03-16"))
		w.file("3.delta.csv", "工号,操作\n00044,撤销\n")
		same(t, "withdrawn", w.record("00044").DeletedAt.IsZero(), false)
		// Without a word for the action, a day to come is the first day of somebody new.
		w.file("4.delta.csv", "工号,姓名,部门,生效日期\n00045,陈静,研发,2026-03-20\n")
		same(t, "start", w.record("00045").StartAt, shanghai("2026-03-20"))
		same(t, "department", w.record("00045").Department, "研发")
	})
}

// Moves ahead: several in one file, each at its day; a later word for the same day counts, and what was planned is melted in once it is past.
func TestMoves(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		rep := w.file("1.delta.csv", "工号,操作,部门,岗位,直属上级工号,邮箱,生效日期\n"+
			"00017,调动,海外,经理,00018,new@corp.example,2026-06-01\n00017,调动,市场,,00018,,2026-04-01\n00017,晋升,,高级工程师,,,2026-03-01\n")
		same(t, "notes", lines(rep.Notes), "2 not_planned")
		r := w.record("00017")
		same(t, "title now", r.Title, "高级工程师")
		same(t, "department now", r.Department, "研发")
		same(t, "planned", len(r.Planned), 2)
		same(t, "first", r.Planned[0].Set["department"]+r.Planned[0].Set["manager"]+r.Planned[0].Set["title"], "市场00018")
		same(t, "second", r.Planned[1].Set["department"]+r.Planned[1].Set["title"]+r.Planned[1].Set["manager"], "海外经理")
		same(t, "e-mail", r.Emails[0].Value, "zhang.wei@corp.example")

		rep = w.file("2.delta.csv", "工号,操作,部门,生效日期\n00017,调动,财务,2026-04-01\n")
		w.counts(rep, Counts{Rows: 1, People: 1, Changed: 1})
		same(t, "corrected", w.record("00017").Planned[0].Set["department"], "财务")
		rep = w.file("3.delta.csv", "工号,操作,部门,生效日期,说明\n00017,调动,财务,2026-04-01,again\n")
		w.counts(rep, Counts{Rows: 1, People: 1, Unchanged: 1})
		w.file("4.delta.csv", "工号,操作,生效日期\n00017,撤销,2026-06-01\n")
		same(t, "planned", len(w.record("00017").Planned), 1)
		same(t, "nothing is planned", lines(w.file("5.delta.csv", "工号,操作,生效日期\n00017,撤销,2026-09-01\n").Refused), "2 nothing_planned")

		w.at = shanghai("2026-04-01")
		before := w.written()
		w.counts(w.file("6.delta.csv", "工号,部门\n00017,财务\n"), Counts{Rows: 1, People: 1, Unchanged: 1})
		if after := w.written(); strings.Split(after, "\n")[2] != strings.Split(before, "\n")[2] {
			t.Error("a record was written although nothing differs")
		}
		w.file("7.delta.csv", "工号,岗位\n00017,主管\n")
		r = w.record("00017")
		same(t, "melted", len(r.Planned), 0)
		same(t, "department", r.Department, "财务")
		same(t, "manager", r.ManagerKey, "00018")
	})
}

// Who is missing from a full file is missing; but not where a row could not be told whose it is, and never from a file that breaks off.
func TestFull(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		short := strings.Join(strings.Split(roster, "\n")[:4], "\n") + "\n"
		rep := w.file("b.full.csv", strings.Replace(short, "00018", "18", 1))
		same(t, "refused", lines(rep.Refused), "4 lost_zeros")
		same(t, "names the one that is meant", strings.Contains(rep.Refused[0].Text, "00018 is known"), true)
		same(t, "complete", rep.Complete, false)
		same(t, "absent", rep.Counts.Absent, 0)

		rep = w.file("c.full.csv", strings.Replace(short, "2021-05-06", "2021-13-06", 1)) // a row that is wrong, but whose it is stands there
		same(t, "refused", lines(rep.Refused), "4 bad_date")
		w.counts(rep, Counts{Rows: 3, Refused: 1, People: 2, Unchanged: 2, Absent: 1})
		same(t, "absent", w.record("00019").AbsentSince, w.at)
		same(t, "frozen", w.status("00019"), directory.StatusActive)

		for name, data := range map[string]string{"trailer.full.csv": short + "#rows,4\n", "cut.full.json": `{"kind":"full","rows":[{"employee_number":"00017"},`} {
			_, err := w.try(name, data)
			if !errors.Is(err, ErrTruncated) {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := w.try("empty.full.csv", "工号,姓名\n")
		same(t, "nobody", errors.Is(err, ErrImplausible), true)
		rep = w.file("quote.full.csv", short+"00019,\"王芳,市场,专员\n")
		same(t, "open quote", lines(rep.Refused), "5 unreadable")
		same(t, "complete", rep.Complete, false)

		rep = w.file("back.full.csv", roster+"#rows,4\n")
		w.counts(rep, Counts{Rows: 4, People: 4, Changed: 1, Unchanged: 3})
		same(t, "back", w.record("00019").AbsentSince, time.Time{})

		rep = w.file("twice.full.csv", roster+"00018,张伟,财务,专员,,2021-05-06,,00021\n00017,张伟,研发,工程师,zhang.wei@corp.example,2020-03-02,,00021\n")
		same(t, "two words for one", lines(rep.Refused), "4 twice, 6 twice")
		same(t, "absent", rep.Counts.Absent, 0)
	})
}

// What a file does not name stays; an empty cell of a full file says that there is nothing, one of a delta says nothing.
func TestSilence(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		w.file("1.delta.csv", "工号,岗位,邮箱\n00017,,\n00021,-,li@corp.example\n")
		same(t, "title", w.record("00017").Title, "工程师")
		same(t, "cleared", w.record("00021").Title, "")
		w.file("b.full.csv", "工号,岗位\n00017,\n00021,总监\n00018,专员\n00019,专员\n")
		same(t, "title", w.record("00017").Title, "")
		same(t, "e-mail", w.record("00017").Emails[0].Value, "zhang.wei@corp.example")
		w.file("c.delta.json", `[{"employee_number":"00017","email":null,"labels":{"grade":"P7"}}]`)
		same(t, "e-mail", len(w.record("00017").Emails), 0)
		same(t, "label", w.record("00017").Labels["grade"], "P7")
	})
}

// The same again writes nothing at all; the same content under another name neither.
func TestSecondTime(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		before := w.written()
		rep := w.file("a.full.csv", roster)
		same(t, "before", rep.Again, w.at)
		w.file("other.full.csv", roster)
		same(t, "written", w.written(), before)
		rep, err := w.f.Take(w.Context(), Order{Source: w.source, Again: true, File: File{Name: "a.full.csv", Data: []byte(roster)}})
		if err != nil {
			t.Fatal(err)
		}
		w.counts(rep, Counts{Rows: 4, People: 4, Unchanged: 4})
		w.file("1.delta.csv", "工号,岗位\n00017,主管\n")
		rep = w.file("a.full.csv", roster) // said again after another: it counts
		w.counts(rep, Counts{Rows: 4, People: 4, Changed: 1, Unchanged: 3})
		rep = w.file("1.delta.csv", "工号,岗位\n00017,主管\n")
		same(t, "overtaken", rep.Again.IsZero(), false)
		same(t, "title", w.record("00017").Title, "工程师")
	})
}

// Units by path or by key; whoever names a unit by key alone does not move it.
func TestUnits(t *testing.T) {
	run(t, func(w *world) {
		rep := w.file("a.full.csv", "工号,姓名,部门路径,部门编码,组织名称\nA1,张伟,研发中心/平台部,D11,\nA2,李娜,研发中心,,\nA3,王芳,,D12,应用部\n")
		same(t, "units", rep.Counts.Units, 3)
		units, err := w.f.Store.UnitsOf(w.Context(), w.source)
		if err != nil {
			t.Fatal(err)
		}
		by := map[string]directory.Unit{}
		for _, u := range units {
			by[u.Key] = u
		}
		same(t, "leaf", by["D11"].Name+" below "+by["D11"].ParentKey, "平台部 below 研发中心")
		same(t, "unit", w.record("A1").UnitKey+" "+w.record("A2").UnitKey+" "+w.record("A3").UnitKey, "D11 研发中心 D12")
		same(t, "named", by["D12"].Name, "应用部")
		rep = w.file("1.delta.csv", "工号,部门编码\nA3,D11\n")
		w.counts(rep, Counts{Rows: 1, People: 1, Changed: 1})
	})
}

// A preview tells what would be and writes nothing; in a dry run the stage is asked.
func TestPreview(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		before := w.written()
		rep, err := w.f.Take(w.Context(), Order{Source: w.source, Preview: true, File: File{Name: "b.full.csv", Data: []byte("工号,姓名,部门路径,操作\n00017,张伟,甲/乙,\n00018,张伟,,立即离职\n00050,新人,甲,\n")}})
		if err != nil {
			t.Fatal(err)
		}
		w.counts(rep, Counts{Rows: 3, People: 3, New: 1, Changed: 1, Ended: 1, Absent: 2, Units: 2})
		same(t, "absent", strings.Join(keysOf(rep.People, "absent"), " "), "00019 00021")
		same(t, "written", w.written(), before)
	})
}

// What the directory refuses of a person is refused with their row, and the rest is made.
func TestConflict(t *testing.T) {
	run(t, func(w *world) {
		rep := w.file("a.full.csv", "工号,姓名,用户名\nA1,张伟,zhang\nA2,张威,ZHANG\nA3,李娜,li\n")
		w.counts(rep, Counts{Rows: 3, Refused: 1, People: 3, New: 2})
		same(t, "refused", lines(rep.Refused), "3 conflict")
		same(t, "others", w.record("A3").DisplayName, "李娜")
		var b strings.Builder
		b.WriteString("工号,姓名,用户名\n")
		for i := range 60 {
			fmt.Fprintf(&b, "B%d,某人,n/a\n", i)
		}
		rep = w.file("b.delta.csv", b.String())
		w.counts(rep, Counts{Rows: 60, Refused: 59, People: 60, New: 1})
	})
}
