package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
)

// quarantined is a follower whose effect is rows, some of whose events fail.
type quarantined struct {
	*testing.T
	db    *db.DB
	feed  *feed.Feed
	panic bool

	mu     sync.Mutex
	poison map[string]bool // subjects; "*": all
	doubts []string
}

func newQuarantined(t *testing.T, d *db.DB) *quarantined {
	if err := feed.Migrate(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := d.Tx(t.Context(), func(tx *db.Tx) error { return tx.Exec("create table handled (seq bigint, subject text)").Error }); err != nil {
		t.Fatal(err)
	}
	q := &quarantined{T: t, db: d, poison: map[string]bool{}}
	q.feed = feed.New(d, "node", slog.New(slog.DiscardHandler))
	q.feed.Person = func(e feed.Event) string { return "per_" + e.Subject }
	q.feed.Doubt = func(_ *db.Tx, d feed.Doubt) error {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.doubts = append(q.doubts, fmt.Sprint(d.Person, " ", d.Begins, " ", d.Closes))
		return nil
	}
	return q
}

func (q *quarantined) follow(_ context.Context, tx *db.Tx, events []feed.Event) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range events {
		if q.poison[e.Subject] || q.poison["*"] {
			if q.panic {
				panic("poison")
			}
			return errors.New("poison")
		}
		if err := tx.Exec("insert into handled values (?, ?)", e.Seq, e.Subject).Error; err != nil {
			return err
		}
	}
	return nil
}

func (q *quarantined) happen(subjects ...string) {
	q.Helper()
	for _, s := range subjects {
		if err := q.db.Tx(q.Context(), func(tx *db.Tx) error {
			_, err := q.feed.Append(tx, feed.Event{Kind: "thing.changed", Subject: s})
			return err
		}); err != nil {
			q.Fatal(err)
		}
	}
}

// handled answers the seqs of a subject's events that were handled, in the order in which they were.
func (q *quarantined) handled(subject string) (seqs []int64) {
	q.Helper()
	order := "rowid"
	if q.db.Engine == db.Postgres {
		order = "ctid"
	}
	if err := q.db.Read(q.Context()).Raw("select seq from handled where subject = ? order by "+order, subject).Scan(&seqs).Error; err != nil {
		q.Fatal(err)
	}
	return seqs
}

func (q *quarantined) await(what string, ok func() bool) {
	q.Helper()
	for began := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			q.Fatal("in vain: " + what)
		}
	}
}

func (q *quarantined) aside() []feed.SetAside {
	q.Helper()
	list, err := q.feed.Aside(q.Context())
	if err != nil {
		q.Fatal(err)
	}
	return list
}

func (q *quarantined) set(subject string, poison bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.poison[subject] = poison
}

// run follows until stop.
func (q *quarantined) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.feed.Run(ctx, feed.Follower{Name: "test", Closes: true, HandleTx: q.follow})
	}()
	return func() { cancel(); <-done }
}

// An event that fails, by an error or a panic, is set aside with what follows about its subject, whom it is about is doubted, the others go on, also
// after a restart; when it can be handled everything of the subject is, in order and once, and the doubt ends.
func TestOneRecordDoesNotStopTheOthers(t *testing.T) {
	for name, panics := range map[string]bool{"error": false, "panic": true} {
		t.Run(name, func(t *testing.T) {
			dbtest.Run(t, func(t *testing.T, d *db.DB) {
				q := newQuarantined(t, d)
				q.panic = panics
				q.set("bad", true)
				q.happen("a", "bad", "b", "bad")
				stop := q.run()
				q.await("others go on", func() bool { return len(q.handled("b")) == 1 })
				stop()
				stop = q.run()
				q.happen("bad", "c")
				q.await("others go on after a restart", func() bool { return len(q.handled("c")) == 1 })
				if list := q.aside(); len(list) != 1 || list[0].Events != 3 || !list[0].Closed || list[0].Person != "per_bad" || list[0].Kind != "thing.changed" || list[0].Problem == "" {
					t.Errorf("set aside: %+v", list)
				}
				if got := q.handled("bad"); len(got) != 0 {
					t.Errorf("handled %v", got)
				}
				stop()
				q.set("bad", false)
				if found, err := q.feed.RetryNow(t.Context(), "test", "bad"); !found || err != nil {
					t.Error(found, err)
				}
				if list := q.aside(); len(list) != 1 || time.Since(list[0].RetryAt).Abs() > time.Minute {
					t.Errorf("what is due at once is shown as due at another time: %+v", list)
				}
				stop = q.run()
				q.await("it is tried again", func() bool { return len(q.aside()) == 0 })
				stop()
				if got := q.handled("bad"); !slices.Equal(got, []int64{2, 4, 5}) {
					t.Errorf("handled %v", got)
				}
				for _, subject := range []string{"a", "b", "c"} {
					if got := q.handled(subject); len(got) != 1 {
						t.Errorf("%s was handled as %v", subject, got)
					}
				}
				if want := []string{"per_bad true true", "per_bad false true"}; !slices.Equal(q.doubts, want) {
					t.Errorf("doubts: %v", q.doubts)
				}
			})
		})
	}
}

// Where nothing can be handled the follower stands still and nobody is doubted; then it goes on where it stood.
func TestTroubleOfAllIsNobodys(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		q := newQuarantined(t, d)
		q.set("*", true)
		q.happen("a", "b", "c")
		var logged counting
		q.feed = feed.New(d, "node", slog.New(slog.NewTextHandler(&logged, nil)))
		stop := q.run()
		defer stop()
		q.await("it fails again and again", func() bool { return logged.lines() >= 4 })
		if list := q.aside(); len(list) > 0 {
			t.Errorf("set aside: %+v", list)
		}
		q.set("*", false)
		q.await("it goes on", func() bool { return len(q.handled("c")) == 1 })
		if n := len(q.handled("a")) + len(q.handled("b")); n != 2 {
			t.Errorf("%d handled", n)
		}
	})
}

// counting counts what is written.
type counting struct {
	mu sync.Mutex
	n  int
}

func (c *counting) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return len(p), nil
}

func (c *counting) lines() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}
