package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Millisecond)
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func open(t testing.TB, d *db.DB, o Options) (*Journal, *clock) {
	t.Helper()
	if err := Migrate(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	c := &clock{at: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)}
	o.Now = c.now
	return New(d, o), c
}

const entra, okta = id.Source("src_entra"), id.Source("src_okta")

func (c *clock) entry(source id.Source, n int, status int) Entry {
	return Entry{ID: id.Request(fmt.Sprintf("req_%s_%05d", source, n)), Source: source, At: c.now(), Method: "GET", Path: fmt.Sprintf("/Users/%d", n), Status: status, Failed: status >= 400,
		Took: 3 * time.Millisecond, Request: `{"userName":"张伟"}`, Answer: "{}", RequestBytes: 21, AnswerBytes: 2}
}

// Of each source the last 200 requests and the last 50 failures stay, whether they come at once or one by one.
func TestRing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		j, c := open(t, d, Options{Bodies: true, Keep: 24 * time.Hour})
		for n := range 70 {
			j.Note(c.entry(entra, n, 409))
		}
		for n := range 500 {
			j.Note(c.entry(entra, 1000+n, 200))
			if n%90 == 0 {
				if err := j.Write(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		j.Note(c.entry(okta, 1, 200))
		got, err := j.Requests(ctx, entra)
		if err != nil {
			t.Fatal(err)
		}
		failures := 0
		for i, e := range got {
			if e.Failed {
				failures++
			}
			if i < 200 && e.Path != fmt.Sprintf("/Users/%d", 1499-i) {
				t.Fatalf("at %d stands %s", i, e.Path)
			}
		}
		if len(got) != 250 || failures != 50 || got[249].Path != "/Users/20" {
			t.Errorf("%d requests, %d failures, the first is %s", len(got), failures, got[len(got)-1].Path)
		}
		if one, err := j.Request(ctx, entra, got[0].ID); err != nil || one.Request != `{"userName":"张伟"}` || one.Took != 3*time.Millisecond || one.AnswerBytes != 2 {
			t.Errorf("%+v, %v", one, err)
		}
		if _, err := j.Request(ctx, okta, got[0].ID); !errors.Is(err, ErrNotFound) {
			t.Error("a source shows another's request:", err)
		}
		traffic, err := j.Traffic(ctx, entra)
		if err != nil || traffic.Requests != 570 || traffic.Failed != 70 || traffic.Dropped != 0 {
			t.Errorf("%+v, %v", traffic, err)
		}
	})
}

// What came is counted by source, also what has none; names of attributes are bounded; what is hostile is stored as text.
func TestTraffic(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		j, c := open(t, d, Options{Bodies: true, Keep: time.Hour})
		j.Note(Entry{ID: "req_1", At: c.now(), Status: 401, Failed: true})
		e := c.entry(entra, 1, 429)
		e.Ignored = []string{"nickName2", `addresses[type eq "secret"].x`}
		j.Note(e)
		for range 2 {
			e := c.entry(entra, 2, 200) // the same request twice is one row, and counted twice
			e.Ignored, e.Client, e.Path, e.Answer = []string{"nickName2"}, strings.Repeat("é", 300), "/a\x00\xff", strings.Repeat("长", 9000)
			j.Note(e)
		}
		for n := range 2 * maxNames {
			e := c.entry(okta, n, 200)
			e.Ignored = []string{fmt.Sprintf("made.up.%d", n)}
			j.Note(e)
		}
		got, err := j.Traffic(ctx, entra)
		if err != nil || got.Requests != 3 || got.Limited != 1 || got.Strangers != 1 || len(got.Ignored) != 2 || got.Ignored[0].Attribute != "nickName2" || got.Ignored[0].Requests != 3 || got.Ignored[1].Attribute != "addresses" {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err = j.Traffic(ctx, okta); err != nil || len(got.Ignored) != maxNames {
			t.Errorf("%d names, %v", len(got.Ignored), err)
		}
		list, err := j.Requests(ctx, entra)
		if err != nil || len(list) != 2 || list[0].Path != "/a��" || len(list[0].Client) > maxName+2 || len(list[0].Answer) > maxBody+2 {
			t.Errorf("%+v, %v", list, err)
		}
		c.pass(15 * 24 * time.Hour)
		if err := j.tidy(ctx); err != nil {
			t.Fatal(err)
		}
		if got, err = j.Traffic(ctx, entra); err != nil || got.Requests != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// Nothing is older than it may be, bodies go when they are switched off, and 0 keeps no request.
func TestKeep(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		j, c := open(t, d, Options{Bodies: true, Keep: time.Hour})
		j.Note(c.entry(entra, 1, 200))
		c.pass(50 * time.Minute)
		j.Note(c.entry(entra, 2, 200))
		c.pass(20 * time.Minute)
		if list, err := j.Requests(ctx, entra); err != nil || len(list) != 1 || list[0].Path != "/Users/2" {
			t.Errorf("%+v, %v", list, err)
		}
		rows := func() (n int) {
			t.Helper()
			if err := d.Read(ctx).Raw("select count(*) from source_requests").Scan(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := rows(); n != 2 {
			t.Errorf("%d rows", n)
		}
		if err := j.tidy(ctx); err != nil || rows() != 1 {
			t.Errorf("%d rows, %v", rows(), err)
		}
		silent := New(d, Options{Keep: time.Hour, Now: c.now})
		if err := silent.tidy(ctx); err != nil {
			t.Fatal(err)
		}
		silent.Note(c.entry(entra, 3, 200))
		list, err := silent.Requests(ctx, entra)
		if err != nil || len(list) != 2 || list[0].Request+list[0].Answer+list[1].Request+list[1].Answer != "" || list[0].RequestBytes != 21 {
			t.Errorf("%+v, %v", list, err)
		}
		none := New(d, Options{Now: c.now})
		none.Note(c.entry(entra, 4, 200))
		if err := none.Close(); err != nil {
			t.Fatal(err)
		}
		if err := none.tidy(ctx); err != nil || rows() != 0 {
			t.Errorf("%d rows, %v", rows(), err)
		}
		if got, err := none.Traffic(ctx, entra); err != nil || got.Requests != 4 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// A database that cannot be written to keeps nobody waiting: what is lost is counted, and memory is bounded.
func TestLost(t *testing.T) {
	d := dbtest.Open(t, dbtest.DSN(t, db.SQLite))
	j, c := open(t, d, Options{Bodies: true, Keep: time.Hour})
	for s := range 40 {
		for n := range 200 {
			j.Note(c.entry(id.Source(fmt.Sprint("src_", s)), n, 200))
		}
	}
	if j.pending != maxPending || j.dropped != 3000 {
		t.Errorf("%d pending, %d dropped", j.pending, j.dropped)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Write(context.Background()); err == nil || j.dropped != 8000 {
		t.Errorf("%d dropped, %v", j.dropped, err)
	}
}

// Noting is cheap and safe from many sides at once.
func TestNoteInParallel(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		j, c := open(t, d, Options{Bodies: true, Keep: time.Hour})
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for n := range 250 {
					j.Note(c.entry(entra, 1000*w+n, 200))
					if n%100 == 0 {
						if err := j.Write(ctx); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Wait()
		if got, err := j.Traffic(ctx, entra); err != nil || got.Requests != 1000 || got.Dropped != 0 {
			t.Errorf("%+v, %v", got, err)
		}
		if list, err := j.Requests(ctx, entra); err != nil || len(list) != 200 {
			t.Errorf("%d requests, %v", len(list), err)
		}
		j.Note(c.entry(okta, 1, 200))
		if err := j.Forget(ctx, entra); err != nil {
			t.Fatal(err)
		}
		if got, err := j.Traffic(ctx, entra); err != nil || got.Requests != 0 {
			t.Errorf("%+v, %v", got, err)
		}
		if list, err := j.Requests(ctx, okta); err != nil || len(list) != 1 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func BenchmarkNote(b *testing.B) {
	d := dbtest.Open(b, dbtest.DSN(b, db.SQLite))
	j, c := open(b, d, Options{Bodies: true, Keep: time.Hour})
	e := c.entry(entra, 1, 200)
	e.Request, e.Answer = strings.Repeat("x", 1000), strings.Repeat("y", 1200)
	b.ReportAllocs()
	for b.Loop() {
		j.Note(e)
	}
}
