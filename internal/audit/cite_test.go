package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// A citation proves by itself that its records stood in the log; whatever is altered in it is seen.
func TestCite(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		fill(t, d, 19)
		c, err := audit.Cite(ctx, d, []int64{0, 30, 7, 37, 7})
		if err != nil || c.Size != 38 || len(c.Records) != 4 {
			t.Fatalf("%+v, %v", c, err)
		}
		report, err := audit.Verify(ctx, d, audit.Report{})
		if err != nil || report.Root != c.Root {
			t.Fatalf("%s, %+v, %v", c.Root, report, err)
		}
		fill(t, d, 5) // the log goes on
		records, err := c.Check()
		if err != nil || records[1].Seq != 7 || records[1].Action != "thing.named" || records[0].Subject != "t0" {
			t.Fatalf("%+v, %v", records, err)
		}
		if _, err := audit.Verify(ctx, d, audit.Report{Size: c.Size, Root: c.Root}); err != nil {
			t.Error(err)
		}
		for name, alter := range map[string]func(*audit.Citation){
			"leaf":    func(c *audit.Citation) { c.Records[0].Leaf = strings.Replace(c.Records[0].Leaf, "t0", "t1", 1) },
			"number":  func(c *audit.Citation) { c.Records[1].Seq = 8 },
			"swap":    func(c *audit.Citation) { c.Records[0].Leaf, c.Records[1].Leaf = c.Records[1].Leaf, c.Records[0].Leaf },
			"path":    func(c *audit.Citation) { c.Records[2].Path = c.Records[2].Path[1:] },
			"root":    func(c *audit.Citation) { c.Root = strings.Repeat("0", 64) },
			"size":    func(c *audit.Citation) { c.Size++ },
			"beyond":  func(c *audit.Citation) { c.Records[3].Seq = 99 },
			"no hash": func(c *audit.Citation) { c.Records[0].Path = []string{"x"} },
		} {
			other := c
			other.Records = append([]audit.Cited{}, c.Records...)
			alter(&other)
			if _, err := other.Check(); !errors.Is(err, audit.ErrBroken) {
				t.Errorf("%s is not seen: %v", name, err)
			}
		}
		if _, err := audit.Cite(ctx, d, []int64{1000}); !errors.Is(err, audit.ErrBroken) {
			t.Errorf("a record that does not exist: %v", err)
		}
	})
}

// What an interval holds is found by its instants, page by page, and nothing else is read.
func TestEach(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		fill(t, d, 0)
		first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for part := range 5 {
			if err := d.Tx(ctx, func(tx *db.Tx) error {
				var list []audit.Record
				for i := range 500 {
					list = append(list, audit.Record{At: first.Add(time.Duration(part*500+i) * time.Minute), Actor: "system", Action: "thing.made", Subject: fmt.Sprint("t", part*500+i)})
				}
				return audit.Append(tx, list...)
			}); err != nil {
				t.Fatal(err)
			}
		}
		var seen []int64
		if err := audit.Each(ctx, d, first.Add(100*time.Minute), first.Add(2200*time.Minute), func(list []audit.Record) error {
			for _, r := range list {
				seen = append(seen, r.Seq)
			}
			return nil
		}); err != nil || len(seen) != 2100 || seen[0] != 100 || seen[2099] != 2199 {
			t.Fatalf("%d records, %v", len(seen), err)
		}
		found, err := audit.About(ctx, d, []string{"t5", "t2000", "t2001"}, first.Add(2000*time.Minute), 10)
		if err != nil || len(found) != 2 || found[0].Subject != "t2000" {
			t.Fatalf("%+v, %v", found, err)
		}
	})
}
