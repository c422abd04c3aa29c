package directory_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Runs are remembered newest first, a later word on a run takes the place of the earlier, and old ones are forgotten.
func TestRuns(t *testing.T) {
	run(t, func(w *world) {
		began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		made := func(n int) directory.Run {
			return directory.Run{ID: id.Run(fmt.Sprintf("run_%04d", n)), Source: w.ldap, Kind: "full", StartedAt: began.Add(time.Duration(n) * time.Minute),
				EndedAt: began.Add(time.Duration(n)*time.Minute + time.Second), OK: true, Counts: map[string]int{"person": n}, Findings: []byte(`[{"code":"x"}]`), Proof: "page_end"}
		}
		for part := 0; part < 230; part += 46 {
			var changes []directory.Change
			for n := part; n < part+46; n++ {
				changes = append(changes, directory.PutRun{Run: made(n)})
			}
			w.apply(changes...)
		}
		again := made(229)
		again.OK, again.Error = false, "interrupted"
		w.apply(directory.PutRun{Run: again})
		all, err := w.Runs(w.ctx, w.ldap, 1000)
		if err != nil || len(all) != 200 {
			t.Fatalf("%d runs, %v", len(all), err)
		}
		if first := all[0]; first.ID != again.ID || first.OK || first.Error != "interrupted" || first.Counts["person"] != 229 || string(first.Findings) != `[{"code":"x"}]` ||
			!first.StartedAt.Equal(again.StartedAt) || !first.EndedAt.Equal(again.EndedAt) {
			t.Errorf("%+v", first)
		}
		if some, err := w.Runs(w.ctx, w.ldap, 3); err != nil || len(some) != 3 || some[2].ID != "run_0227" {
			t.Errorf("%+v, %v", some, err)
		}
		if none, err := w.Runs(w.ctx, w.scim, 3); err != nil || len(none) != 0 {
			t.Errorf("of another source: %+v, %v", none, err)
		}
	})
}

// What is written alongside stands or falls with the call.
func TestAlongside(t *testing.T) {
	run(t, func(w *world) {
		if err := w.db.Tx(w.ctx, func(tx *db.Tx) error { return tx.Exec("create table beside (name text not null)").Error }); err != nil {
			t.Fatal(err)
		}
		write := func(name string, then error) directory.Change {
			return directory.Alongside{Write: func(tx *db.Tx) error {
				return errors.Join(tx.Exec("insert into beside (name) values (?)", name).Error, then)
			}}
		}
		cursor := func() string {
			t.Helper()
			c, err := w.Cursor(w.ctx, w.ldap)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		w.apply(directory.PutCursor{Source: w.ldap, Value: "one"}, write("kept", nil))
		broken := errors.New("broken")
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.PutCursor{Source: w.ldap, Value: "two"}, write("lost", broken)); !errors.Is(err, broken) || cursor() != "one" {
			t.Errorf("%v, cursor %s", err, cursor())
		}
		if _, err := w.Apply(w.ctx, directory.Cause{}, write("lost", nil), directory.PutRecord{}); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("%v", err)
		}
		var names []string
		if err := w.db.Read(w.ctx).Raw("select name from beside").Scan(&names).Error; err != nil || len(names) != 1 || names[0] != "kept" {
			t.Errorf("%v, %v", names, err)
		}
	})
}
