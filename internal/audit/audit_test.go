package audit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

func fill(t *testing.T, d *db.DB, n int) {
	t.Helper()
	if err := audit.Migrate(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := d.Tx(context.Background(), func(tx *db.Tx) error {
			return audit.Append(tx,
				audit.Record{Actor: "system", Action: "thing.made", Subject: fmt.Sprint("t", i), Public: map[string]any{"n": i}},
				audit.Record{Actor: "system", Action: "thing.named", Subject: fmt.Sprint("t", i), Personal: map[string]any{"name": "王伟"}})
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVerify(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 37)
		ctx := context.Background()
		report, err := audit.Verify(ctx, d, audit.Report{})
		if err != nil || report.Size != 74 || len(report.Root) != 64 {
			t.Fatalf("%+v, %v", report, err)
		}
		if err := d.Tx(ctx, func(tx *db.Tx) error { return tx.Exec("delete from audit_personal where seq = 3").Error }); err != nil {
			t.Fatal(err)
		}
		erased, err := audit.Verify(ctx, d, audit.Report{})
		if err != nil || erased.Erased != 1 || erased.Root != report.Root {
			t.Fatalf("after an erasure: %+v, %v", erased, err)
		}
		records, err := audit.List(ctx, d, audit.Filter{Subject: "t1"})
		if err != nil || len(records) != 2 || !records[0].Erased || records[1].Erased {
			t.Fatalf("%+v, %v", records, err)
		}
	})
}

// Every way of tampering that a person with the database at hand has must turn Verify red.
func TestVerifySeesTampering(t *testing.T) {
	for name, statement := range map[string]string{
		"altered leaf":     `update audit_records set leaf = replace(leaf, '"n":5', '"n":6') where seq = 10`,
		"altered column":   `update audit_records set actor = 'nobody' where seq = 10`,
		"altered personal": `update audit_personal set payload = '{"name":"李"}' where seq = 11`,
		"dropped":          `delete from audit_records where seq = 10`,
		"cut off":          `update audit_tree set size = size - 1`,
		"stored hash":      `update audit_hashes set hash = '00' where idx = 9`,
		"dropped last":     `delete from audit_records where seq = 39`,
		"truncated":        `delete from audit_records where seq >= 30; delete from audit_personal where seq >= 30; update audit_tree set size = 30`,
	} {
		t.Run(name, func(t *testing.T) {
			d := dbtest.SQLite(t)
			fill(t, d, 20)
			if err := d.Tx(context.Background(), func(tx *db.Tx) error { return tx.Exec(statement).Error }); err != nil {
				t.Fatal(err)
			}
			if _, err := audit.Verify(context.Background(), d, audit.Report{}); !errors.Is(err, audit.ErrBroken) {
				t.Fatalf("not seen: %v", err)
			}
		})
	}
}

// Whoever rewrites the whole database is found by an earlier root that was kept elsewhere.
func TestVerifySinceAnEarlierRoot(t *testing.T) {
	ctx := context.Background()
	d := dbtest.SQLite(t)
	fill(t, d, 5)
	kept, err := audit.Verify(ctx, d, audit.Report{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, d, 5)
	if _, err := audit.Verify(ctx, d, kept); err != nil {
		t.Errorf("a log that grew: %v", err)
	}
	for name, since := range map[string]audit.Report{
		"another root": {Size: kept.Size, Root: "00" + kept.Root[2:]},
		"emptied":      {Size: 1000, Root: kept.Root},
	} {
		if _, err := audit.Verify(ctx, d, since); !errors.Is(err, audit.ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	d := dbtest.SQLite(b)
	if err := audit.Migrate(context.Background(), d); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := d.Tx(context.Background(), func(tx *db.Tx) error {
			return audit.Append(tx, audit.Record{Actor: "system", Action: "thing.made", Subject: "t"})
		}); err != nil {
			b.Fatal(err)
		}
	}
}
