// Package feed owns the outbox: an ordered log of what happened, written in the transaction in which it
// happened, and the durable cursors of those who follow it.
//
// The invariant: seq comes from one counter row that is locked until the commit, so the order of seq is the
// order of commits and there is no gap. Therefore "seq > cursor" never skips an event that commits late.
// Events are delivered at least once: a follower's effect is idempotent or re-reads state. The feed never
// carries personal data beyond ids.
package feed

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/trace"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the feed's tables up to date.
func Migrate(ctx context.Context, d *db.DB) error {
	return d.Migrate(ctx, "feed", migrations)
}

// Event is one thing that happened. Kind is "<noun>.<verb in the past>", Subject the id it happened to.
type Event struct {
	Seq     int64
	At      time.Time
	Kind    string
	Subject string
	Data    json.RawMessage
	trace   string // of the step that told of it
}

// Feed appends events and runs followers.
type Feed struct {
	db     *db.DB
	log    *slog.Logger
	holder string

	mu   sync.Mutex
	wake chan struct{} // closed and replaced at each nudge

	// Notify, where set before use, is called after each commit that appended, to nudge other nodes.
	Notify func()
	// Person, where set before use, answers whom an event is about; "": nobody.
	Person func(Event) string
	// Doubt, where set before use, is called in the transaction in which an event is set aside, and in the one in which the last of its subject is handled.
	Doubt func(tx *db.Tx, d Doubt) error
}

// Doubt is that something about a subject is set aside from now on, or is not any more.
type Doubt struct {
	Follower, Subject, Person, Kind string
	Begins                          bool
	Closes                          bool // from now on the person is to be denied everything, or, where it ends, not any more
}

// New makes the feed of one node; holder names the node and is unique among those that run.
func New(d *db.DB, holder string, log *slog.Logger) *Feed {
	return &Feed{db: d, log: log, holder: holder, wake: make(chan struct{})}
}

// inserted is how many events are made rows at a time: one call may tell of everybody.
const inserted = 1024

// Append writes events in tx and returns the seq of the last. The counter stays locked until the end of tx:
// append after every domain row, before the authz log and the audit log.
func (f *Feed) Append(tx *db.Tx, events ...Event) (int64, error) {
	if len(events) == 0 {
		return 0, nil
	}
	var last int64
	if err := tx.Raw("update feed_counter set seq = seq + ? where id = 1 returning seq", len(events)).Scan(&last).Error; err != nil {
		return 0, fmt.Errorf("append to feed: %w", err)
	}
	seq, parent := last-int64(len(events)), trace.Parent(tx.Statement.Context)
	for part := range slices.Chunk(events, inserted) {
		rows := make([][]any, len(part))
		for i, e := range part {
			if e.At.IsZero() {
				e.At = time.Now()
			}
			data := "{}"
			if len(e.Data) > 0 {
				data = string(e.Data)
			}
			seq++
			rows[i] = []any{seq, e.At.UnixMicro(), e.Kind, e.Subject, data, parent}
		}
		if err := tx.Insert("feed_events", []string{"seq", "at", "kind", "subject", "data", "trace"}, rows); err != nil {
			return 0, fmt.Errorf("append to feed: %w", err)
		}
	}
	tx.AfterCommit(func() {
		f.Wake()
		if f.Notify != nil {
			f.Notify()
		}
	})
	return last, nil
}

// Wake makes every follower of this node look now.
func (f *Feed) Wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.wake)
	f.wake = make(chan struct{})
}

func (f *Feed) woken() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wake
}

// Head answers the seq of the newest event.
func (f *Feed) Head(ctx context.Context) (int64, error) {
	var seq int64
	err := f.db.Read(ctx).Raw("select seq from feed_counter where id = 1").Scan(&seq).Error
	return seq, err
}

// Position answers how far the follower name has come; 0 where it never ran.
func (f *Feed) Position(ctx context.Context, name string) (int64, error) {
	var seq int64
	err := f.db.Read(ctx).Raw("select seq from feed_cursors where name = ?", name).Scan(&seq).Error
	return seq, err
}

// Follower is a named reader of the feed.
type Follower struct {
	Name string
	// Linger is how long the follower waits after it was woken, so that a burst of small changes is one batch. It is
	// for followers nobody waits for.
	Linger time.Duration
	// Handle is given up to 200 events in order. An error makes the same events come again.
	Handle func(ctx context.Context, events []Event) error
	// HandleTx takes the place of Handle where the effect is rows: it writes them in tx, together with the cursor, so
	// that each event takes effect exactly once.
	HandleTx func(ctx context.Context, tx *db.Tx, events []Event) error
	// Closes says that it decides about access: whoever is the person of an event that it cannot handle is denied everything until it can.
	Closes bool
}

const (
	batch    = 200
	poll     = 250 * time.Millisecond // the safety net under lost nudges
	lease    = 10 * time.Second
	maxPause = 5 * time.Second
)

// Run follows until ctx ends. On one node at a time: the cursor row carries a lease, which is given back at the end.
func (f *Feed) Run(ctx context.Context, follower Follower) error {
	defer f.resign(ctx, follower.Name)
	pause := poll
	for failures := 0; ; {
		wake := f.woken()
		n, err := f.step(ctx, follower)
		if failures++; err == nil {
			failures = 0
		} else if failures >= suspectAfter && ctx.Err() == nil {
			err = f.isolate(ctx, follower, failures >= aloneAfter)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			f.log.Error("follower failed, will retry", "follower", follower.Name, "pause", pause, "error", err)
			pause = min(2*pause, maxPause)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
			continue
		case n == batch:
			continue
		}
		pause = poll
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		case <-time.After(poll):
		}
		if follower.Linger > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(follower.Linger):
			}
		}
	}
}

func (f *Feed) step(ctx context.Context, follower Follower) (int, error) {
	cursor, mine, err := f.acquire(ctx, follower.Name)
	if err != nil || !mine {
		return 0, err
	}
	if err := f.retry(ctx, follower); err != nil {
		return 0, err
	}
	events, err := f.After(ctx, cursor, batch)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	aside, err := f.waiting(ctx, follower.Name)
	if err != nil {
		return 0, err
	}
	var now, later []Event
	for _, e := range events {
		if aside[e.Subject] {
			later = append(later, e)
		} else {
			now = append(now, e)
		}
	}
	err = f.handle(ctx, follower, now, func(tx *db.Tx) error {
		for _, e := range later {
			if err := f.keep(tx, follower, e); err != nil {
				return err
			}
		}
		return f.advance(tx, follower.Name, events[len(events)-1].Seq)
	})
	if errors.Is(err, errLost) {
		return 0, nil
	}
	return len(events), err
}

// After reads up to limit events with seq > after, in order.
func (f *Feed) After(ctx context.Context, after int64, limit int) ([]Event, error) {
	var rows []struct {
		Seq, At                    int64
		Kind, Subject, Data, Trace string
	}
	if err := f.db.Read(ctx).Table("feed_events").Where("seq > ?", after).Order("seq").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read feed: %w", err)
	}
	events := make([]Event, len(rows))
	for i, r := range rows {
		events[i] = Event{Seq: r.Seq, At: time.UnixMicro(r.At).UTC(), Kind: r.Kind, Subject: r.Subject, Data: json.RawMessage(r.Data), trace: r.Trace}
	}
	return events, nil
}

// Restored makes what a backup held fit for a new beginning, in tx: nobody holds a lease.
func Restored(tx *db.Tx) error {
	return tx.Exec("update feed_cursors set holder = '', lease_until = 0").Error
}
