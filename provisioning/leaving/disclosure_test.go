package leaving_test

import (
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Before an end is disclosed the administrators hear of it and the manager does not; from then on the manager hears the level that is due.
// Where the rule says so the manager hears at once.
func TestManagerHearsWhenDisclosed(t *testing.T) {
	both(t, func(w *world) {
		boss, admin := w.put("boss", "", nil), w.put("admin", "", nil)
		w.admins = []id.Person{admin}
		end := time.Date(2026, 10, 30, 10, 0, 0, 0, time.UTC)
		w.put("zhang", "boss", func(r *directory.Record) { r.EndAt, r.DiscloseAt = end, end.AddDate(0, 0, -3) })
		w.now = end.AddDate(0, 0, -10)
		w.look()
		w.want("the manager, before", w.inbox(boss), "")
		w.want("the administrator, before", w.inbox(admin), "leaving.soon 14")
		w.now = end.AddDate(0, 0, -3)
		w.restart()
		w.look()
		w.want("the manager, disclosed", w.inbox(boss), "leaving.soon 7")

		w.put("li", "boss", func(r *directory.Record) { r.EndAt, r.DiscloseAt = end.Add(time.Hour), end })
		w.watch.ManagerFirst = true
		w.look()
		w.want("the manager, always", w.inbox(boss), "leaving.soon 7, leaving.soon 7")
	})
}
