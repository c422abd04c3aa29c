package db_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// A statement is used again by the next caller, inside its own rows, after an error, and after the tables changed.
func TestStatementsAreUsedAgain(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		do := func(sql string, args ...any) error {
			return d.Tx(ctx, func(tx *db.Tx) error { return tx.Exec(sql, args...).Error })
		}
		if err := do("create table things (id integer primary key, name text not null)"); err != nil {
			t.Fatal(err)
		}
		for i := range 300 { // more than are kept
			if err := do(fmt.Sprintf("insert into things (id, name) values (?, 'n%d')", i), i); err != nil {
				t.Fatal(err)
			}
		}
		if err := do("insert into things (id, name) values (?, 'n0')", 0); !db.IsDuplicate(err) {
			t.Fatalf("a second 0: %v", err)
		}
		if err := do("insert into things (id, name) values (?, 'n0')", 1000); err != nil {
			t.Fatalf("after an error: %v", err)
		}
		const query = "select id from things where id >= ? and id < 10 order by id"
		err := d.Tx(ctx, func(tx *db.Tx) error {
			rows, err := tx.Raw(query, 7).Rows()
			if err != nil {
				return err
			}
			defer rows.Close()
			for n := 7; rows.Next(); n++ {
				var id int
				var inner []int
				if err := rows.Scan(&id); err != nil || id != n {
					return fmt.Errorf("%d, want %d: %w", id, n, err)
				}
				if d.Engine == db.Postgres { // there one set of rows at a time is read
					continue
				}
				if err := tx.Raw(query, 8).Scan(&inner).Error; err != nil || len(inner) != 2 {
					return fmt.Errorf("inside: %v, %w", inner, err)
				}
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		var names []map[string]any
		if err := d.Read(ctx).Raw("select * from things where id = ?", 3).Scan(&names).Error; err != nil || len(names) != 1 {
			t.Fatalf("%v, %v", names, err)
		}
		if err := do("alter table things add column more text not null default 'm'"); err != nil {
			t.Fatal(err)
		}
		names = nil
		if err := d.Read(ctx).Raw("select * from things where id = ?", 3).Scan(&names).Error; err != nil && d.Engine == db.SQLite || d.Engine == db.SQLite && names[0]["more"] != "m" {
			t.Fatalf("%v, %v", names, err)
		}
	})
}
