package hrfeed

import (
	"testing"
)

// What personnel departments really have: Chinese headings, GB18030, a mark at the beginning, workbooks with days kept as numbers.
func TestRealFiles(t *testing.T) {
	run(t, func(w *world) {
		rep := w.testdata("roster.full.xlsx")
		w.counts(rep, Counts{Rows: 4, Refused: 1, People: 3, New: 3})
		same(t, "format", rep.Format, "xlsx")
		same(t, "refused", lines(rep.Refused), "6 lost_zeros")
		same(t, "unknown", len(rep.Unknown), 1) // 岗位级别
		zhang := w.record("00017")
		same(t, "name", zhang.DisplayName, "张伟")
		same(t, "start", zhang.StartAt, shanghai("2020-03-02"))
		same(t, "phone", zhang.Phones[0].Value, "13800138000")
		same(t, "manager", zhang.ManagerKey, "00021")
		same(t, "zeros that are shown", w.record("00018").EndAt, shanghai("2027-01-01"))
		same(t, "equal names", w.record("00018").Person == zhang.Person, false)
		same(t, "complete", rep.Complete, false)
	})
	run(t, func(w *world) {
		rep := w.testdata("roster-gb18030.full.csv")
		w.counts(rep, Counts{Rows: 3, People: 3, New: 3})
		same(t, "format", rep.Format, "csv gb18030")
		same(t, "complete", rep.Complete, true)
		same(t, "manager", w.record("00017").ManagerKey, "00021")
		same(t, "department", w.record("00018").Department, "市场部")
		same(t, "start", w.record("00021").StartAt, shanghai("2018-07-16"))
		rep = w.testdata("roster-bom.full.csv")
		w.counts(rep, Counts{Rows: 2, People: 2, Changed: 2, Absent: 1})
		same(t, "format", rep.Format, "csv utf-8")
		same(t, "name", w.record("00017").DisplayName, "Zhang Wei")
		same(t, "no e-mail", len(w.record("00021").Emails), 0)
		same(t, "absent", w.record("00018").AbsentSince, w.at)
		same(t, "status", w.status("00018"), "notice")
	})
}
