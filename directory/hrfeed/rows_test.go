package hrfeed

import (
	"errors"
	"fmt"
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

// A cell of a workbook under no heading is left out, and said with its line and column.
func TestCellWithoutHeading(t *testing.T) {
	run(t, func(w *world) {
		line := func(n int, cells ...string) string {
			out := ""
			for i := 0; i < len(cells); i += 2 {
				out += fmt.Sprintf(`<c r="%s%d" t="str"><v>%s</v></c>`, cells[i], n, cells[i+1])
			}
			return fmt.Sprintf(`<row r="%d">%s</row>`, n, out)
		}
		sheet := `<worksheet><sheetData>` + line(1, "A", "工号", "B", "姓名") + line(2, "A", "00018", "B", "张伟", "D", "研发") + line(3, "A", "00019", "B", "李娜", "AB", "x") + line(4, "A", "00020", "B", "王芳") +
			`</sheetData></worksheet>`
		rep := w.file("a.full.xlsx", string(archive(t, workbookParts(sheet))))
		same(t, "refused", lines(rep.Refused), "")
		same(t, "notes", lines(rep.Notes), "2 no_header, 3 no_header")
		same(t, "where", rep.Notes[0].Column+rep.Notes[1].Column+rep.Notes[0].Key, "DAB00018")
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

// Numbers with letters lose zeros too; one that differs from a known one in capital letters alone is nobody new.
func TestNumberForms(t *testing.T) {
	run(t, func(w *world) {
		c := w.f.Configs[w.source]
		c.Mapping.NumberLength = 6
		w.f.Configs[w.source] = c
		w.file("a.full.csv", "工号,姓名\nE00017,张伟\nE00018,李娜\n")
		rep := w.file("b.delta.csv", "工号,姓名,上级工号\nE17,x,\nE000171,x,\nABC,x,\ne00017,x,\nE00019,王芳,e00018\nE00020,x,E18\nF00001,x,\nf00001,x,\n")
		same(t, "refused", lines(rep.Refused), "2 lost_zeros, 3 bad_length, 4 bad_length, 5 other_case, 6 other_case, 7 lost_zeros, 9 other_case")
		same(t, "names the one that is meant", strings.Contains(rep.Refused[0].Text, "E00017 is known") && strings.Contains(rep.Refused[3].Text, "E00017 is known"), true)
		same(t, "name", w.record("E00017").DisplayName, "张伟")
		files, err := w.f.Files(t.Context(), w.source, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files[0].Findings {
			if strings.Contains(f.Text, "00017") || strings.Contains(f.Text, "00001") {
				t.Errorf("the history names somebody: %s", f.Text)
			}
		}
		// Without a word in the mapping the zeros that are there say it.
		c.Mapping.NumberLength = 0
		w.f.Configs[w.source] = c
		w.file("c.delta.csv", "工号,姓名\nE00019,王芳\nT9,a\nT10,b\n")
		rep = w.file("d.delta.csv", "工号,姓名\nE21,x\nT8,c\n")
		same(t, "refused", lines(rep.Refused), "2 lost_zeros")
	})
}

// Where few numbers are known, those of the file that begin with a zero say how long they are, as far as the known ones agree.
func TestFewKnownNumbers(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", "工号,姓名\n00017,张伟\n00021,李娜\n")
		rep := w.file("b.full.csv", "工号,姓名\n00017,张伟\n00021,李娜\n22,王芳\n00023,赵敏\n")
		same(t, "refused", lines(rep.Refused), "4 lost_zeros")
		same(t, "new and complete", fmt.Sprint(rep.Counts.New, rep.Complete), "1 false")
	})
	run(t, func(w *world) {
		w.file("a.full.csv", "工号,姓名\n17,张伟\n21,李娜\n")
		rep := w.file("b.delta.csv", "工号,姓名\n22,王芳\n00023,赵敏\n")
		same(t, "refused where known ones have no zeros", lines(rep.Refused), "")
	})
}

// A number that looks like a known one makes nobody new, however wide it is written; and nobody is absent by it.
func TestNumberWidth(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", "工号,姓名\n00004,张伟\n00005,李娜\n00006,x\n")
		rep := w.file("b.delta.csv", "工号,姓名,上级工号\n\uff100004,x,\n000\u200b05,x,\n\uff15,x,\n00007,王芳,\uff10\uff10\uff10\uff10\uff14\n\uff10\uff10\uff10\uff10\uff19,y,\n00009,z,\n")
		same(t, "refused", lines(rep.Refused), "2 other_form, 3 other_form, 4 lost_zeros, 5 other_form, 7 other_form")
		same(t, "names the one that is meant", strings.Contains(rep.Refused[0].Text, "00004 is known"), true)
		rep = w.file("c.full.csv", "工号,姓名\n00004,张伟\n\uff10\uff10\uff10\uff15,李娜\n\uff10\uff10\uff10\uff10\uff16,x\n")
		same(t, "refused", lines(rep.Refused), "3 lost_zeros, 4 other_form")
		same(t, "new and absent", fmt.Sprint(rep.Counts.New, rep.Counts.Absent, rep.Complete), "0 0 false")
		files, err := w.f.Files(t.Context(), w.source, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, f := range file.Findings {
				if strings.Contains(f.Text, "0000") {
					t.Errorf("the history names somebody: %s", f.Text)
				}
			}
		}
	})
}

// In JSON a row is told by its number; two rows of one line are two.
func TestJSONRows(t *testing.T) {
	run(t, func(w *world) {
		rep := w.file("a.full.json", `{"kind":"full","rows":[{"employee_number":"A1","name":"a"},{"employee_number":"A2","name":"b","name":"c"},{"employee_number":"A3","start":"x"},{"employee_number":"A1","name":"z"}]}`)
		var got []int
		for _, f := range rep.Refused {
			got = append(got, f.Row)
		}
		same(t, "rows", fmt.Sprint(got), "[1 2 3 4]")
		same(t, "text", strings.Contains(rep.Text(), "refused row 3, line 1, start, A3: ") && strings.Contains(rep.Text(), "row 4 says something else"), true)
	})
}
