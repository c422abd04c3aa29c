package provisioning_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// What is foreseen of planned moves stands with the instant at which each place begins and ends, as it is then written.
func TestForeseeMoves(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		p := w.put("li", "dept=R&D")
		day := func(n int) time.Time { return w.clock().AddDate(0, 0, n).Truncate(time.Microsecond) }
		first, second := day(10), day(20)
		foresee := func(steps ...directory.Planned) string {
			t.Helper()
			r, out := w.record("li", "dept=R&D"), ""
			r.Planned = steps
			_, err := w.people.Try(ctx, directory.Cause{Actor: "tester"}, func(tx *db.Tx) error {
				list, err := w.r.Foresee(tx, []id.Person{p})
				for _, c := range list {
					at := map[time.Time]string{{}: "now", first.UTC(): "first", second.UTC(): "second"}[c.At.UTC()]
					out += fmt.Sprintf("%s %s %s;", c.Op, c.Group, at)
				}
				return err
			}, directory.PutRecord{Record: r})
			w.ok(err)
			return out
		}
		sales := directory.Planned{At: first, Set: map[string]string{"department": "Sales"}}
		back := directory.Planned{At: second, Set: map[string]string{"department": "Other"}}
		w.want("a move", foresee(sales), "remove apollo first;add sales first;")
		w.want("two moves", foresee(sales, back), "remove apollo first;add sales first;remove sales second;")
		r := w.record("li", "dept=R&D")
		r.Planned = []directory.Planned{sales}
		w.putRecord(r)
		w.want("a further move", foresee(sales, back), "remove sales second;")
		w.want("put off", foresee(directory.Planned{At: second, Set: sales.Set}), "remove apollo second;add sales second;")
		w.want("taken back", foresee(), "reasons apollo now;remove sales first;")
	})
}
