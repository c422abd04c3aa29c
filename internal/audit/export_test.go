package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// An export goes on where a log was at a size, whatever that log holds since; one that was altered, or is of another log, does not. Personal
// payloads are not in it.
func TestExportContinues(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		if err := audit.Migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
		add := func(d *db.DB, n int, subject string) {
			t.Helper()
			for i := range n {
				if err := d.Tx(ctx, func(tx *db.Tx) error {
					return audit.Append(tx, audit.Record{Actor: "a", Action: "thing.made", Subject: fmt.Sprint(subject, i), Personal: map[string]any{"name": "canary"}})
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		add(d, 13, "s")
		for _, from := range []int64{0, 5, 13} {
			var out bytes.Buffer
			if _, err := audit.WriteExport(ctx, d, from, &out); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "canary") {
				t.Error("personal payload in the export")
			}
			export, err := audit.ReadExport(bytes.NewReader(out.Bytes()))
			if err != nil || export.Size != 13 || export.From != from {
				t.Fatalf("%+v %v", export, err)
			}
			for size := int64(0); size <= 14; size++ {
				err := export.Continues(ctx, d, size)
				if want := size >= from && size <= 13; (err == nil) != want {
					t.Errorf("from %d, at %d: %v", from, size, err)
				}
			}
			records, err := export.Records(7)
			if want := 13 - max(7, int(from)); err != nil || len(records) != want {
				t.Errorf("from %d: %d records, want %d: %v", from, len(records), want, err)
			}
		}
		var out bytes.Buffer
		if _, err := audit.WriteExport(ctx, d, 9, &out); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"altered": strings.Replace(out.String(), "s11", "s99", 1), "another root": strings.Replace(out.String(), `"root":"`, `"root":"0`, 1),
			"cut": out.String()[:out.Len()/2], "something": "hello",
		} {
			export, err := audit.ReadExport(strings.NewReader(text))
			if err == nil {
				err = export.Continues(ctx, d, 9)
			}
			if err == nil {
				t.Errorf("%s: taken", name)
			}
		}
		export, err := audit.ReadExport(&out)
		if err != nil {
			t.Fatal(err)
		}
		add(d, 4, "later")
		if err := export.Continues(ctx, d, 9); err != nil {
			t.Errorf("after the log grew: %v", err)
		}
		other := dbtest.SQLite(t)
		if err := audit.Migrate(ctx, other); err != nil {
			t.Fatal(err)
		}
		add(other, 13, "o")
		if err := export.Continues(ctx, other, 9); err == nil {
			t.Error("another log's export is taken")
		}
	})
}
