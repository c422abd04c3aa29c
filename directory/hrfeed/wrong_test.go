package hrfeed

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
)

// What is wrong in a row leaves what was right as it was.
func TestWrongValuesEraseNothing(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		rep := w.file("1.delta.json", `{"kind":"delta","rows":[{"employee_number":"00017","manager":"00017","title":true,"labels":{"remote":true}}]}`)
		same(t, "notes", lines(rep.Notes), "1 bad_value, 1 own_manager")
		r := w.record("00017")
		same(t, "manager", r.ManagerKey, "00021")
		same(t, "title", r.Title, "工程师")
		same(t, "label", r.Labels["remote"], "true")
		rep = w.file("2.delta.json", `{"kind":"delta","rows":[{"employee_number":true,"title":"x"}]}`)
		same(t, "refused", lines(rep.Refused), "1 bad_key")
		rep = w.file("3.delta.json", `{"kind":"delta","rows":[{"employee_number":"00017","title":"a","title":"b"}]}`)
		if len(rep.Refused) != 1 || !strings.Contains(rep.Refused[0].Text, `"title" stands twice`) {
			t.Errorf("%+v", rep)
		}
		w.file("4.delta.json", `{"kind":"delta","rows":[{}]}`)
	})
}

// What nobody sees is told: a number with it is another number, which is not guessed away, and a name is taken as it stands.
func TestInvisible(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		rep := w.file("1.delta.csv", "工号,姓名,职位\n00\u200b918,Ann,Boss\n00021,Li\u202e gnaW,Boss\n00900,نمی\u200cدانم,Boss\n00901,A\ufeffnn,Boss\n")
		same(t, "refused", lines(rep.Refused), "2 bad_key")
		same(t, "notes", lines(rep.Notes), "3 invisible, 5 invisible")
		if text := rep.Refused[0].Text; !strings.Contains(text, "U+200B") {
			t.Error(text)
		}
		if n := rep.Notes[0]; !strings.Contains(n.Text, "U+202E") || n.Column != "姓名" || n.Key != "00021" {
			t.Errorf("%+v", n)
		}
		same(t, "taken all the same", w.record("00021").Title, "Boss")
		if text := rep.Text(); strings.Contains(text, "\u202e") || !strings.Contains(text, `\u202e`) {
			t.Error(text)
		}
	})
}

// Nobody begins by a number alone, nor again after a hire that was taken back.
func TestWhoBegins(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		rep := w.file("1.delta.csv", "工号,员工状态\n00900,在职\n00901,\n")
		same(t, "refused", lines(rep.Refused), "2 unknown_person, 3 unknown_person")
		w.counts(rep, Counts{Rows: 2, Refused: 2, People: 2})
		if text := rep.Text(); !strings.Contains(text, "2 people: 0 new, 0 changed, 0 ended, 0 deleted, 0 unchanged, 2 without effect;") {
			t.Error(text)
		}
		w.counts(w.file("2.delta.csv", "工号,姓名,操作,入职日期\n00902,王小明,,\n00903,,入职,\n00904,,,2026-02-01\n00905,李四,,2026-09-01\n"), Counts{Rows: 4, People: 4, New: 4})
		w.file("3.delta.csv", "工号,操作\n00905,撤销\n")
		same(t, "withdrawn", w.status("00905"), directory.StatusTerminated)
		rep = w.file("4.delta.csv", "工号,姓名,员工状态\n00905,李四,在职\n")
		same(t, "refused", lines(rep.Refused), "2 withdrawn")
		same(t, "withdrawn", w.status("00905"), directory.StatusTerminated)
		w.counts(w.file("5.delta.csv", "工号,姓名,操作\n00905,李四,入职\n"), Counts{Rows: 1, People: 1, New: 1})
		same(t, "hired all the same", w.status("00905"), directory.StatusActive)
	})
}

// The route takes the source's name as the hook does.
func TestFeedByName(t *testing.T) {
	run(t, func(w *world) {
		a := &API{Feeds: w.f}
		for name, want := range map[string]int{"hr": http.StatusUnauthorized, string(w.source): http.StatusUnauthorized} {
			source, err := a.named(w.Context(), name)
			same(t, "source", source, w.source)
			if err != nil {
				t.Error(err)
			}
			req := httptest.NewRequest("POST", "/api/v1/sources/"+name+"/feed", strings.NewReader(""))
			req.SetPathValue("id", name)
			rec := httptest.NewRecorder()
			a.Feed().ServeHTTP(rec, req)
			same(t, "status", rec.Code, want)
		}
	})
}
