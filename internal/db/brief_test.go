package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// Short transactions of many callers are committed together, and each still stands or falls by itself: by its error, by
// its panic, by a caller who has gone.
func TestBriefsStandAndFallByThemselves(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		if err := d.Tx(ctx, func(tx *db.Tx) error {
			return tx.Exec("create table things (id integer primary key)").Error
		}); err != nil {
			t.Fatal(err)
		}
		failure := errors.New("no")
		var committed atomic.Int64
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				defer func() {
					if p := recover(); (p != nil) != (i%7 == 5) {
						t.Errorf("%d panicked: %v", i, p)
					}
				}()
				begun, cancel := context.WithCancel(ctx)
				defer cancel()
				err := d.Brief(begun, func(tx *db.Tx) error {
					if err := tx.Exec("insert into things (id) values (?)", i).Error; err != nil {
						return err
					}
					cancel() // who has begun ends what was begun
					tx.AfterCommit(func() { committed.Add(1) })
					switch i % 7 {
					case 3:
						return fmt.Errorf("%d: %w", i, failure)
					case 4:
						return tx.Exec("insert into things (id) values (?)", i).Error // a duplicate
					case 5:
						panic(i)
					}
					return tx.Exec("update things set id = id where id = ?", i).Error
				})
				switch i % 7 {
				case 3:
					if !errors.Is(err, failure) || err.Error() != fmt.Sprint(i, ": no") {
						t.Errorf("%d: %v", i, err)
					}
				case 4:
					if !db.IsDuplicate(err) {
						t.Errorf("%d: %v", i, err)
					}
				default:
					if err != nil {
						t.Errorf("%d: %v", i, err)
					}
				}
			})
		}
		all.Wait()
		var rows []int
		if err := d.Read(ctx).Raw("select id from things order by id").Scan(&rows).Error; err != nil {
			t.Fatal(err)
		}
		want := 0
		for i := range 200 {
			if i%7 != 3 && i%7 != 4 && i%7 != 5 {
				want++
			}
		}
		if len(rows) != want || int(committed.Load()) != want {
			t.Errorf("%d rows, %d told of a commit, want %d", len(rows), committed.Load(), want)
		}
		for _, i := range rows {
			if m := i % 7; m == 3 || m == 4 || m == 5 {
				t.Errorf("%d stands", i)
			}
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if err := d.Brief(gone, func(*db.Tx) error { t.Error("ran"); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who had gone: %v", err)
		}
	})
}

// The disk being asked once for many is the point: with callers at work there are fewer commits than transactions.
func BenchmarkBrief(b *testing.B) {
	for _, together := range []bool{false, true} {
		b.Run(fmt.Sprint("together=", together), func(b *testing.B) {
			d, ctx := dbtest.SQLite(b), context.Background()
			if err := d.Tx(ctx, func(tx *db.Tx) error {
				return tx.Exec("create table things (id integer primary key, v integer)").Error
			}); err != nil {
				b.Fatal(err)
			}
			var next atomic.Int64
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					run := d.Tx
					if together {
						run = d.Brief
					}
					if err := run(ctx, func(tx *db.Tx) error { return tx.Exec("insert into things (id, v) values (?, 1)", next.Add(1)).Error }); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
