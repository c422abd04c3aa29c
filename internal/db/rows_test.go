package db_test

import (
	"context"
	"slices"
	"testing"
	"time"

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

type word string

// What a row holds is stored as it is meant: words, pointers, instants, nothing. A row that is there already is told, and nothing of the call stands.
func TestInsertValues(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx, at := context.Background(), time.UnixMicro(1_700_000_000_000_001).UTC()
		columns := []string{"id", "name", "more", "at", "yes"}
		if err := d.Tx(ctx, func(tx *db.Tx) error {
			return tx.Exec("create table things (id integer primary key, name text not null, more text, at bigint, yes boolean not null)").Error
		}); err != nil {
			t.Fatal(err)
		}
		w := word("w")
		if err := d.Tx(ctx, func(tx *db.Tx) error {
			return tx.Insert("things", columns, [][]any{{1, word("n"), &w, db.At(at), true}, {int64(2), "n", (*word)(nil), db.Instant{}, false}, {3, "n", nil, nil, true}})
		}); err != nil {
			t.Fatal(err)
		}
		err := d.Tx(ctx, func(tx *db.Tx) error {
			return tx.Insert("things", columns, [][]any{{4, "n", nil, nil, true}, {2, "n", nil, nil, true}})
		})
		if !db.IsDuplicate(err) {
			t.Errorf("a second 2: %v", err)
		}
		var rows []struct {
			ID   int
			Name string
			More *string
			At   db.Instant
			Yes  bool
		}
		if err := d.Read(ctx).Raw("select * from things order by id").Scan(&rows).Error; err != nil {
			t.Fatal(err)
		}
		if len(rows) != 3 || rows[0].Name != "n" || rows[0].More == nil || *rows[0].More != "w" || !rows[0].At.Equal(at) || !rows[0].Yes ||
			rows[1].More != nil || !rows[1].At.IsZero() || rows[1].Yes || rows[2].More != nil {
			t.Errorf("%+v", rows)
		}
	})
}
