package hrfeed

import (
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

// A row that says somebody works here whom an administrator terminated at once lifts nothing, says so, and is noted on the veto although
// it says nothing new.
//
// holds: J20
func TestVetoStandsAgainstAFile(t *testing.T) {
	run(t, func(w *world) {
		w.file("a.full.csv", roster)
		p := w.record("00017").Person
		if _, err := w.f.Store.Apply(t.Context(), directory.Cause{}, directory.Terminate{Person: p}); err != nil {
			t.Fatal(err)
		}
		w.at = w.at.Add(time.Minute)
		rep := w.file("b.delta.csv", "工号,姓名,状态\n00017,张伟,在职\n")
		same(t, "notes", lines(rep.Notes), "2 veto")
		same(t, "changed", rep.Counts.Changed, 0)
		freezes, err := w.f.Store.Freezes(t.Context(), p)
		if err != nil || len(freezes) == 0 || freezes[0].Slot != directory.SlotVeto || freezes[0].ContestedBy != w.source || !freezes[0].OpenAt(w.at) {
			t.Errorf("%+v, %v", freezes, err)
		}
	})
}
