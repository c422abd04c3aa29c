package db_test

import (
	"context"
	"slices"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// Whatever the number of rows, each is inserted once and found by a padded list.
func TestInsertAndPad(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		err := d.Tx(ctx, func(tx *db.Tx) error {
			if err := tx.Exec("create table things (id integer primary key, name text not null)").Error; err != nil {
				return err
			}
			next := 0
			for n := range 7 {
				for _, size := range []int{n, 100 + n, 256 + n} {
					var rows [][]any
					var ids []int
					for range size {
						rows, ids, next = append(rows, []any{next, "n"}), append(ids, next), next+1
					}
					if err := tx.Insert("things", []string{"id", "name"}, rows); err != nil {
						return err
					}
					if size == 0 {
						continue
					}
					var found []int
					if err := tx.Raw("select id from things where id in ? order by id", db.Pad(ids)).Scan(&found).Error; err != nil {
						return err
					}
					if !slices.Equal(found, ids) {
						t.Errorf("%d rows: found %d of %d", size, len(found), len(ids))
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	if got := len(db.Pad(make([]int, 5))); got != 8 {
		t.Errorf("5 padded to %d", got)
	}
	if got := len(db.Pad(make([]int, 600))); got != 600 {
		t.Errorf("600 padded to %d", got)
	}
}
