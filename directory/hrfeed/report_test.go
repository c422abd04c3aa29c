package hrfeed

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// A message that comes again is answered with what came of it; another one under its id is refused, and one that was refused may come mended.
func TestMessageAgain(t *testing.T) {
	run(t, func(w *world) {
		send := func(message, data string) (Report, error) {
			return w.f.Take(t.Context(), Order{Source: w.source, File: File{Data: []byte(data), Origin: "hook"}, message: message})
		}
		const one, other = `{"kind":"delta","rows":[{"employee_number":"A1","name":"a"}]}`, `{"kind":"delta","rows":[{"employee_number":"A1","name":"b"}]}`
		if _, err := send("m1", `{"rows":[]}`); !errors.Is(err, ErrUndeclared) {
			t.Fatalf("no kind: %v", err)
		}
		first, err := send("m1", one)
		if err != nil {
			t.Fatalf("mended: %v", err)
		}
		before := w.written()
		again, err := send("m1", one)
		if err != nil {
			t.Fatalf("again: %v", err)
		}
		same(t, "when", again.Again, first.At)
		same(t, "run", again.Run, first.Run)
		same(t, "counts", again.Counts, first.Counts)
		same(t, "kind", again.Kind, Delta)
		if _, err := send("m1", other); !errors.Is(err, ErrReplayed) {
			t.Errorf("another body: %v", err)
		}
		same(t, "written", w.written(), before)
		if _, err := send("m2", other); err != nil { // the same content under an id of its own is a message of its own
			t.Error(err)
		}
	})
}

// Who is missing is named; a last day that is over ends somebody now; a move that no work is left for is told, and so is one that is not taken back.
func TestReportSays(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		rep := w.file("b.full.csv", strings.Join(strings.Split(roster, "\n")[:4], "\n")+"\n")
		same(t, "absent", strings.Contains(rep.Text(), "absent 00019 王芳\n"), true)
		rep = w.file("1.delta.csv", "工号,操作,离职日期\n00018,离职,2026-02-01\n")
		w.counts(rep, Counts{Rows: 1, People: 1, Ended: 1})
		rep = w.file("2.delta.csv", "工号,操作,部门,生效日期,离职日期\n00017,离职,,,2026-03-31\n00017,调动,市场,2026-06-01,\n")
		same(t, "notes", lines(rep.Notes), "3 after_end")
		same(t, "words", strings.Contains(rep.Text(), "planned nothing → from 2026-05-31T16:00:00Z department 市场\n"), true)
		rep = w.file("3.delta.csv", "工号,操作,部门,生效日期\n00021,调动,市场,2026-06-01\n")
		same(t, "notes", lines(rep.Notes), "")
		rep = w.file("4.delta.csv", "工号,操作\n00021,撤销\n")
		same(t, "says which", strings.Contains(rep.Text(), "a move is, for 2026-06-01"), true)
	})
}

// A preview names what begins and what ends, with the instant; nothing of a name reaches the screen as anything but letters.
func TestForeseen(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		at := time.Date(2026, 5, 31, 16, 0, 0, 0, time.UTC)
		w.f.Foresee = func(_ *db.Tx, people []id.Person) ([]directory.MembershipChange, error) {
			var out []directory.MembershipChange
			for _, p := range people {
				out = append(out, directory.MembershipChange{Person: p, Group: "rnd", Op: "remove", Role: "member", At: at}, directory.MembershipChange{Person: p, Group: "sales", Op: "add", Role: "member"})
			}
			return out, nil
		}
		rep, err := w.f.Take(t.Context(), Order{Source: w.source, Preview: true, File: File{Name: "b.delta.csv", Data: []byte("工号,姓名,部门\n00017,\x1b[31m张\u202e伟\u0007,市场\n00050,新人,市场\n")}})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(rep)
		var far Report // as the command gets it
		if err != nil || json.Unmarshal(raw, &far) != nil {
			t.Fatal(err)
		}
		text := far.Text()
		for _, want := range []string{"loses rnd (member) at 2026-05-31T16:00:00Z: [31m张伟 ", "gets sales (member): [31m张伟 ", "gets sales (member): 新人 "} {
			same(t, want, strings.Contains(text, want), true)
		}
		if strings.ContainsAny(text, "\x1b\u202e\u0007") || strings.Contains(text, "map[") || strings.Contains(text, "<nil>") {
			t.Errorf("%q", text)
		}
	})
}
