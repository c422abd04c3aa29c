package evidence

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/roles"
)

var joiners = flag.Int("joiners", 8000, "how many joiners TestPeriodIsNotHeld reports")

// counting counts bytes, and looks now and then how much memory lives.
type counting struct {
	bytes, lines int
	most         uint64
}

func (c *counting) Write(p []byte) (int, error) {
	if c.bytes>>20 != (c.bytes+len(p))>>20 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		c.most = max(c.most, m.HeapAlloc)
	}
	c.bytes += len(p)
	c.lines += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

// A report of any length is written as it is read: what is held does not grow with it.
func TestPeriodIsNotHeld(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := migrated(t, d)
		if err := feed.Migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
		if err := directory.Migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
		people := directory.New(d, feed.New(d, "n", slog.New(slog.DiscardHandler)), slog.New(slog.DiscardHandler))
		s := &Store{DB: d, Directory: people, Fences: NewFences(d, people, nil), Log: slog.New(slog.DiscardHandler)}
		first := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
		for n := 0; n < *joiners; n += 1000 {
			var list []audit.Record
			for i := n; i < n+1000; i++ {
				at, who := first.Add(time.Duration(i)*time.Millisecond), fmt.Sprintf("per_%d", i)
				list = append(list, audit.Record{At: at, Actor: "src_a", Action: "person.created", Subject: who, RequestID: "run_1", Public: map[string]any{"fields": []string{"title"}}},
					audit.Record{At: at.Add(time.Millisecond), Actor: "src_a", Action: "membership.added", Subject: "mem_" + who, RequestID: "run_1", Public: map[string]any{"person": who}})
			}
			if err := d.Tx(ctx, func(tx *db.Tx) error { return audit.Append(tx, list...) }); err != nil {
				t.Fatal(err)
			}
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		for _, format := range []string{"csv", "json", "html"} {
			out := &counting{}
			began := time.Now()
			err := s.writePeriod(ctx, PeriodFile{Query: Query{From: first, Until: first.Add(24 * time.Hour), Scope: roles.Scope{All: true}}, Format: format}, out)
			if err != nil || out.lines < *joiners {
				t.Fatalf("%s: %d lines, %v", format, out.lines, err)
			}
			t.Logf("%s: %d bytes in %s, %d kB more than before at most", format, out.bytes, time.Since(began), (int64(out.most)-int64(m.HeapAlloc))/1024)
			if grown := int64(out.most) - int64(m.HeapAlloc); grown > 64<<20 {
				t.Errorf("%s: %d MB are held", format, grown>>20)
			}
		}
	})
}

// What somebody is called is no formula, whatever it begins with, and stays what it is to whoever reads it.
func TestCells(t *testing.T) {
	for _, name := range []string{"=HYPERLINK(\"http://evil\")", "+1", "-1", "@SUM(1)", "\t=1", " =1", "\r=1", "＝1", "|calc", "\u3000=1", "\n=1"} {
		if got := Cells(name)[0]; got != "'"+name {
			t.Errorf("%q: %q", name, got)
		}
	}
	for _, name := range []string{"", "王伟", "O'Brien", "a=b", "李-娜"} {
		if got := Cells(name)[0]; got != name {
			t.Errorf("%q: %q", name, got)
		}
	}
	var b bytes.Buffer
	s := newSheet(&b)
	if err := s.row(Row{Kind: Joiner, Name: "=1,\"\n"}); err != nil {
		t.Fatal(err)
	}
	if err := s.end(Tally{}); err != nil {
		t.Fatal(err)
	}
	text, found := strings.CutPrefix(b.String(), BOM)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !found || len(rows) != 2 || rows[1][3] != "'=1,\"\n" {
		t.Errorf("%q, %v", rows, err)
	}
}

// An empty report is a report.
func TestEmptyReport(t *testing.T) {
	var b bytes.Buffer
	d := dbtest.SQLite(t)
	ctx := migrated(t, d)
	if err := feed.Migrate(ctx, d); err != nil {
		t.Fatal(err)
	}
	if err := directory.Migrate(ctx, d); err != nil {
		t.Fatal(err)
	}
	people := directory.New(d, feed.New(d, "n", slog.New(slog.DiscardHandler)), slog.New(slog.DiscardHandler))
	s := &Store{DB: d, Directory: people, Fences: NewFences(d, people, nil)}
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	if err := s.writePeriod(ctx, PeriodFile{Query: Query{From: at, Until: at.Add(time.Hour)}, Format: "json"}, &b); err != nil {
		t.Fatal(err)
	}
	var out struct {
		Rows   []Row
		Counts Tally
	}
	if err := json.Unmarshal(b.Bytes(), &out); err != nil || out.Rows == nil || len(out.Rows) != 0 {
		t.Errorf("%s, %v", &b, err)
	}
}
