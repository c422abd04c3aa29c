package hrfeed

import (
	"strings"
	"testing"
	"time"
)

func TestDates(t *testing.T) {
	for _, c := range []struct {
		in    cell
		order string
		want  string
	}{
		{in: cell{text: "2026-01-05"}, want: "2026-01-05"},
		{in: cell{text: "2026/1/5"}, want: "2026-01-05"},
		{in: cell{text: "2026.1.5"}, want: "2026-01-05"},
		{in: cell{text: "2026年1月5日"}, want: "2026-01-05"},
		{in: cell{text: "2026 年 1 月 5 日"}, want: "2026-01-05"},
		{in: cell{text: "20260105"}, want: "2026-01-05"},
		{in: cell{text: "2026-01-05 00:00:00"}, want: "2026-01-05"},
		{in: cell{text: "2026-01-05 18:30"}, want: "2026-01-05 18:30 there"},
		{in: cell{text: "2026年1月5日 18:30"}, want: "2026-01-05 18:30 there"},
		{in: cell{text: "2026-01-05T18:30:00+08:00"}, want: "2026-01-05 10:30"},
		{in: cell{text: "5 Jan 2026"}, want: "2026-01-05"},
		{in: cell{text: "25/12/2026"}, want: "2026-12-25"},
		{in: cell{text: "12/25/2026"}, want: "2026-12-25"},
		{in: cell{text: "4/4/2026"}, want: "2026-04-04"},
		{in: cell{text: "03/04/2026"}, want: "write 2026-04-03 or 2026-03-04, or say date_order"},
		{in: cell{text: "5.1.2027"}, want: "write 2027-01-05 or 2027-05-01, or say date_order"},
		{in: cell{text: "03/04/2026"}, order: "dmy", want: "2026-04-03"},
		{in: cell{text: "03/04/2026"}, order: "mdy", want: "2026-03-04"},
		{in: cell{text: "25/12/2026"}, order: "mdy", want: "no such day"},
		{in: cell{text: "26-1-5"}, want: "two digits"},
		{in: cell{text: "46027"}, want: "by which Excel keeps a day"},
		{in: cell{text: "2026-02-29"}, want: "no such day"},
		{in: cell{text: "2026-01-05 25:00"}, want: "no such time"},
		{in: cell{text: "0001-01-01"}, want: "cannot be meant"},
		{in: cell{text: "next Monday"}, want: "no date"},
		{in: cell{text: "长期"}, want: "none"},
		{in: cell{text: "9999-12-31"}, want: "none"},
		{in: cell{text: "-"}, want: "none"},
		{in: cell{text: "46027", sort: number, serial: true}, want: "by which Excel keeps a day"},
		{in: cell{text: "46027", sort: number, serial: true, dated: true}, want: "2026-01-05"},
		{in: cell{text: "46027.75", sort: number, serial: true, dated: true}, want: "2026-01-05 18:00 there"},
		{in: cell{text: "44565", sort: number, serial: true, dated: true, epoch1904: true}, want: "2026-01-05"},
		{in: cell{text: "20260105", sort: number, serial: true}, want: "2026-01-05"},
		{in: cell{text: "46027", sort: number}, want: "a number is no date"},
		{in: cell{text: "60", sort: number, serial: true, dated: true}, want: "no day of our time"},
		{in: cell{text: "#N/A", sort: broken}, want: "error of the workbook"},
	} {
		if c.in.sort == missing {
			c.in.sort = text
		}
		m, err := readDate(c.in, c.order)
		got := m.at.Format("2006-01-02 15:04")
		switch {
		case err != nil:
			got = err.Error()
		case m.clear:
			got = "none"
		case m.day:
			got = m.at.Format(time.DateOnly)
		case m.clock:
			got += " there"
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%q %s: %s, want %s", c.in.text, c.order, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		in   cell
		want string
	}{
		{cell{text: "00017"}, "00017"}, {cell{text: "'00017"}, "00017"}, {cell{text: "E17"}, "E17"}, {cell{text: "1e5"}, "1e5"},
		{cell{text: "1.0E+05"}, "has shortened"}, {cell{text: "17", sort: number}, "17"}, {cell{text: "17.0", sort: number}, "17"},
		{cell{text: "17.5", sort: number}, "no employee number"}, {cell{text: "1.2345678901234567E+18", sort: number}, "15 digits"},
		{cell{text: "46027", sort: number, serial: true, dated: true}, "shows dates"}, {cell{sort: formula}, "without a value"},
	} {
		if c.in.sort == missing {
			c.in.sort = text
		}
		got, err := readNumber(c.in)
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%+v: %s, want %s", c.in, got, c.want)
		}
	}
}

// Whatever stands in a cell, a day is a day of our time or an error.
func FuzzDate(f *testing.F) {
	for _, s := range []string{"2026-01-05", "46027.5", "03/04/2026", "2026年1月5日 18:00", "9999-12-31", "1e309", "-1", "NaN"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, value string, numeric bool) {
		c := cell{text: value, sort: text}
		if numeric {
			c.sort, c.serial, c.dated = number, true, true
		}
		m, err := readDate(c, "")
		if err == nil && m.said && !m.clear && (m.at.Year() < 1899 || m.at.Year() > 2201) {
			t.Fatalf("%q is %s", value, m.at)
		}
		m.over(time.UTC)
	})
}
