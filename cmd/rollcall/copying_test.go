package main

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/backup"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// A database of an earlier version is neither copied nor changed before somebody brings it up to date; the error says how.
func TestCopyOfAnEarlierVersion(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			ctx := t.Context()
			from, to := dbtest.DSN(t, engine), dbtest.DSN(t, db.SQLite)
			change := func(dsn string, fn func(context.Context, *db.DB) error) {
				t.Helper()
				d, err := db.Open(ctx, dsn)
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(fn(ctx, d), d.Close()); err != nil {
					t.Fatal(err)
				}
			}
			change(from, func(context.Context, *db.DB) error { return nil }) // SQLite makes the file
			if _, err := copyDatabase(ctx, from, to); err == nil || !strings.Contains(err.Error(), "there is nothing in it") {
				t.Errorf("of an empty one: %v", err)
			}
			change(from, func(ctx context.Context, d *db.DB) (err error) {
				for _, one := range migrations()[1:] { // before there were restores, which are the first
					err = errors.Join(err, one(ctx, d))
				}
				return err
			})
			var before map[string]backup.Content
			change(from, func(ctx context.Context, d *db.DB) (err error) {
				before, err = backup.Contents(ctx, d)
				return err
			})
			_, err := copyDatabase(ctx, from, to)
			if err == nil || !strings.Contains(err.Error(), "--from: it was written by an earlier version") || !strings.Contains(err.Error(), "backup") || !strings.Contains(err.Error(), "rollcall migrate") {
				t.Fatalf("of an earlier version: %v", err)
			}
			change(from, func(ctx context.Context, d *db.DB) error {
				after, err := backup.Contents(ctx, d)
				if !maps.Equal(after, before) {
					t.Errorf("it was changed: %d tables, and now %d", len(before), len(after))
				}
				return err
			})
			change(to, func(ctx context.Context, d *db.DB) error {
				if empty, err := d.Empty(ctx); err != nil || !empty {
					t.Errorf("something was written to the other: %v", err)
				}
				return nil
			})
			change(from, migrate)
			if _, err := copyDatabase(ctx, from, to); err != nil {
				t.Errorf("brought up to date: %v", err)
			}
		})
	}
}
