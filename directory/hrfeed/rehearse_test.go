package hrfeed

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// judging is an access that judges runs as a whole, and notes whom it was shown before what.
type judging struct {
	access
	shown, settled, before, ended int
}

func (j *judging) Settle(context.Context, directory.Cause, []id.Person, int64) error {
	j.settled++
	return nil
}

func (j *judging) Rehearse(directory.Cause) directory.Rehearsal { return j }

func (j *judging) Look(_ context.Context, _ *db.Tx, people []id.Person, _ []directory.Loss) error {
	j.shown += len(people)
	return nil
}

func (j *judging) Judge(context.Context) error {
	j.before = j.settled
	return nil
}

func (j *judging) Held(context.Context) ([]directory.Held, error) { return nil, nil }

func (j *judging) Over(context.Context) error {
	j.ended++
	return nil
}

// A file that changes more people than one transaction holds is shown whole, whom it misses too, before its first part is written; a first one shows nobody.
func TestMassChangeIsShownWhole(t *testing.T) {
	run(t, func(w *world) {
		j := &judging{}
		w.f.Store.Access = j
		file := func(people int, title string) string {
			var b strings.Builder
			b.WriteString("employee_number,display_name,title\n")
			for i := range people {
				fmt.Fprintf(&b, "E%04d,Person %d,%s\n", i, i, title)
			}
			return b.String()
		}
		w.file("a.full.csv", file(1100, "Engineer"))
		if j.shown != 0 {
			t.Fatalf("a first file showed %d", j.shown)
		}
		before := j.settled
		rep := w.file("b.full.csv", file(1080, "Artist"))
		if j.shown != 1100 || j.before != before || j.ended == 0 || rep.Counts.Changed != 1080 || rep.Counts.Absent != 20 {
			t.Errorf("shown %d, settled %d instead of %d, ended %d, %+v", j.shown, j.before, before, j.ended, rep.Counts)
		}
	})
}
