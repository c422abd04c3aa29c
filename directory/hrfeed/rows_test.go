package hrfeed

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Days and times around the change of clocks, as the file says them.
func TestClockChange(t *testing.T) {
	for _, c := range []struct{ zone, said, begin, over string }{
		{"America/Santiago", "2027-09-05", "2027-09-05T04:00:00Z", "2027-09-06T03:00:00Z"},
		{"America/Santiago", "2027-09-04", "2027-09-04T04:00:00Z", "2027-09-05T04:00:00Z"},
		{"Europe/London", "2027-10-31T01:30", "", "2027-10-31T00:30:00Z"},
		{"Europe/Berlin", "2027-10-31T02:30", "", "2027-10-31T00:30:00Z"},
		{"Europe/Berlin", "2027-10-31", "2027-10-30T22:00:00Z", "2027-10-31T23:00:00Z"},
		{"Australia/Sydney", "2027-04-04T02:30", "", "2027-04-03T15:30:00Z"},
		{"America/New_York", "2027-03-14T02:30", "", "2027-03-14T07:30:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		m, err := readDate(cell{text: c.said, sort: text}, "")
		if err != nil {
			t.Fatal(err)
		}
		if c.begin == "" {
			c.begin = c.over
		}
		same(t, c.zone+" begin "+c.said, m.begin(zone).Format(time.RFC3339), c.begin)
		same(t, c.zone+" over "+c.said, m.over(zone).Format(time.RFC3339), c.over)
	}
	santiago, err := time.LoadLocation("America/Santiago")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "today", today(time.Date(2027, 9, 5, 18, 0, 0, 0, time.UTC), santiago), time.Date(2027, 9, 5, 4, 0, 0, 0, time.UTC))
}

// A row that has more than the header names is refused: an unquoted separator would give every field behind it another's value.
func TestWideRows(t *testing.T) {
	run(t, func(w *world) {
		rep := w.file("a.delta.csv", "工号,姓名,部门\n00018,张伟,研发\n00019,Smith, John,R&D\n00020,\"Smith, Jane\",R&D\n")
		same(t, "refused", lines(rep.Refused), "3 long_row")
		same(t, "the others", w.record("00020").DisplayName, "Smith, Jane")
		// Where the last cell is empty the row is as long all the same.
		rep = w.file("b.delta.csv", "工号,姓名,部门,上级工号\n00018,张伟,研发,00020\n00019,Smith, John,R&D,\n")
		same(t, "refused", lines(rep.Refused), "3 long_row")
		// A separator at the end of every row is no column.
		rep = w.file("c.delta.csv", "工号,姓名,部门\n00018,张伟,市场,\n00020,李娜,市场,\n")
		same(t, "refused", lines(rep.Refused), "")
		same(t, "department", w.record("00018").Department, "市场")
		// Nor is one at the end of the header, where nothing stands below it.
		rep = w.file("d.delta.csv", "工号,姓名,部门,\n00018,张伟,财务,\n00020,Smith, John,R&D\n")
		same(t, "refused", lines(rep.Refused), "3 long_row")
		rep = w.file("e.delta.csv", "工号,姓名,部门\n00018,张伟\n")
		same(t, "notes", lines(rep.Notes), "2 short_row")
		same(t, "department", w.record("00018").Department, "财务")
	})
}

// One bad byte costs its row; the names of the others stay, and the report says how they were read.
func TestBadByte(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		rep := w.file("b.full.csv", strings.Replace(roster, "00018,张伟", "00018,张\xe4\xbc", 1))
		same(t, "refused", lines(rep.Refused), "4 unreadable")
		same(t, "why", strings.Contains(rep.Refused[0].Text, "not UTF-8 text"), true)
		same(t, "name", w.record("00017").DisplayName+w.record("00018").DisplayName, "张伟张伟")
		same(t, "named", strings.Contains(rep.Text(), "(csv utf-8)"), true)
		_, err := w.try("c.delta.csv", "工号,姓\xe5\x90,部门\n00017,x,y\n")
		same(t, "a damaged header", errors.Is(err, ErrUnreadable) && strings.Contains(err.Error(), "line 1"), true)
	})
}

// What is no flag is refused: a preview must never be taken for the file.
func TestQuery(t *testing.T) {
	for query, want := range map[string]string{
		"": "false false", "preview=true": "true false", "preview=1&again=0": "true false", "preview=false&again=1&kind=full&name=a.csv&encoding=": "false true",
		"preview=yes": "", "preview=": "", "preview": "", "preview=TRUE": "", "preview=true&preview=false": "", "again=x": "", "Preview=true": "", "dry_run=true": "", "preview=%zz": "", "a;b": "",
	} {
		r := httptest.NewRequest(http.MethodPost, "/?"+query, nil)
		o, err := orderOf(r, nil, "post", "preview", "again")
		got := map[bool]string{true: "true", false: "false"}
		if err == nil != (want != "") || err == nil && got[o.Preview]+" "+got[o.Again] != want {
			t.Errorf("%q: %v, preview %v, again %v", query, err, o.Preview, o.Again)
		}
	}
	if _, err := orderOf(httptest.NewRequest(http.MethodPost, "/?preview=true", nil), nil, "hook"); err == nil {
		t.Error("a hook takes what was meant as a preview")
	}
}
