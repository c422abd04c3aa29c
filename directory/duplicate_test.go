package directory_test

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
)

// Two who are both here are no rehire; one who left is.
func TestPossibleDuplicate(t *testing.T) {
	run(t, func(w *world) {
		a := w.post("a", number("7"))
		w.put("b", number("7"))
		same(t, "both are here", w.item().Kind, directory.PossibleDuplicate)
		w.apply(directory.SeparatePeople{Item: w.item().ID})
		w.edit(a, func(r *directory.Record) { r.Active, r.EmployeeNumber = false, "8" })
		w.put("c", number("8"))
		same(t, "one is disabled", w.item().Kind, directory.PossibleRehire)
	})
	run(t, func(w *world) {
		w.put("a", number("7"), func(r *directory.Record) { r.EndAt = w.at.Add(-time.Hour) })
		w.post("b", number("7"))
		same(t, "one has ended", w.item().Kind, directory.PossibleRehire)
	})
}

// The migration that gives duplicates their kind keeps every row, and tells open ones apart by who is here.
func TestDuplicateMigration(t *testing.T) {
	run(t, func(w *world) {
		a, b := w.post("a", number("7")), w.put("b", number("7"))
		w.put("c", number("8"), active(false))
		w.post("d", number("8"))
		sql, err := os.ReadFile("migrations/00021_duplicate.sql")
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(sql), "-- +goose Down")
		before := w.items(directory.WorkItemQuery{Limit: 10})
		if err := w.db.Tx(w.ctx, func(tx *db.Tx) error {
			for _, statement := range append([]string{"update work_items set kind = 'possible_rehire'"}, strings.Split(up, ";\n")...) {
				if strings.TrimSpace(statement) != "" {
					if err := tx.Exec(statement).Error; err != nil {
						return err
					}
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		after := w.items(directory.WorkItemQuery{Limit: 10})
		if len(before) != 2 || !reflect.DeepEqual(before, after) {
			t.Errorf("before %+v\nafter %+v", before, after)
		}
		same(t, "both here", w.asked(a.Person, b.Person).Kind, directory.PossibleDuplicate)
	})
}
