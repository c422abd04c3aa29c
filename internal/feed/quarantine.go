package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// An event that makes a follower fail is set aside with everything that follows about the same subject, in order, so that the others go on. It is set
// aside only once an event of another subject behind it can be handled: where none can, the follower is in trouble and not the event, and it stands
// still. What is set aside is tried again, later and later; where the follower decides about access the person whom the event is about is denied
// everything until it is handled.
const (
	suspectAfter = 3                // failures in a row until events are tried one by one
	aloneAfter   = 10               // and until an event is set aside behind which there is none to compare with
	compareWith  = 5                // events of other subjects that are tried beside one that fails
	mostSubjects = 100              // set aside by one follower: with more of them it is the follower that is broken, and it stands still
	retryFirst   = 2 * time.Second  // and twice that after each attempt
	retryMost    = 15 * time.Minute // at most
	retried      = 20               // subjects at a time
)

// ErrTooMany says that a follower has set aside as much as it may.
var ErrTooMany = errors.New("too many events are set aside")

// SetAside is what a follower could not handle about one subject.
type SetAside struct {
	Follower string    `json:"follower"`
	Subject  string    `json:"subject"`
	Person   string    `json:"person,omitempty" doc:"whom it is about"`
	Kind     string    `json:"kind" doc:"of the first of the events"`
	Events   int       `json:"events" doc:"that wait, in order"`
	Attempts int       `json:"attempts"`
	Problem  string    `json:"problem"`
	Closed   bool      `json:"closed" doc:"the person is denied everything until it is handled"`
	Since    time.Time `json:"since"`
	RetryAt  time.Time `json:"retry_at"`
}

// asideRow is a row of feed_quarantine.
type asideRow struct {
	Follower, Subject, Person, Problem          string
	Seq, Attempts, Since, RetryAt, Closed, Done int64
}

func (asideRow) TableName() string { return "feed_quarantine" }

// errProbe rolls a transaction back that only showed that it can be done.
var errProbe = errors.New("tried only")

// handle gives events to the follower; keep is written together with their effect.
func (f *Feed) handle(ctx context.Context, follower Follower, events []Event, keep func(tx *db.Tx) error) (err error) {
	from := make([]string, len(events))
	for i, e := range events {
		from[i] = e.trace
	}
	ctx, step := trace.Follow(ctx, "feed."+follower.Name, from, "rollcall.events", len(events))
	defer func() { step.End(err) }()
	if len(events) > 0 && follower.Handle != nil {
		if err := f.unbroken(func() error { return follower.Handle(ctx, events) }); err != nil {
			return err
		}
	}
	return f.db.Tx(ctx, func(tx *db.Tx) error {
		if len(events) > 0 && follower.HandleTx != nil {
			if err := f.unbroken(func() error { return follower.HandleTx(ctx, tx, events) }); err != nil {
				return err
			}
		}
		return keep(tx)
	})
}

// unbroken makes an error of a panic: the same event would end every node, one after the other.
func (f *Feed) unbroken(fn func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			f.log.Error("follower panicked", "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return fn()
}

// advance moves the follower's cursor in tx. It fails where the lease has been lost: another node goes on.
func (f *Feed) advance(tx *db.Tx, follower string, seq int64) error {
	return f.mine(tx.Exec("update feed_cursors set seq = ? where name = ? and holder = ? and seq < ?", seq, follower, f.holder, seq))
}

// mine is errLost where a statement that wants the lease has changed nothing.
func (f *Feed) mine(done *gorm.DB) error {
	if done.Error == nil && done.RowsAffected == 0 {
		return errLost
	}
	return done.Error
}

var errLost = errors.New("the lease is lost")

// waiting answers the subjects of which the follower has set something aside.
func (f *Feed) waiting(ctx context.Context, follower string) (map[string]bool, error) {
	var subjects []string
	if err := f.db.Read(ctx).Raw("select distinct subject from feed_quarantine where follower = ?", follower).Scan(&subjects).Error; err != nil {
		return nil, fmt.Errorf("read what is set aside: %w", err)
	}
	found := make(map[string]bool, len(subjects))
	for _, s := range subjects {
		found[s] = true
	}
	return found, nil
}

// isolate handles events one by one and sets aside what fails. alone: also where there is no other to compare with.
func (f *Feed) isolate(ctx context.Context, follower Follower, alone bool) error {
	cursor, mine, err := f.acquire(ctx, follower.Name)
	if err != nil || !mine {
		return err
	}
	events, err := f.After(ctx, cursor, batch)
	if err != nil {
		return err
	}
	for i, e := range events {
		if _, mine, err := f.acquire(ctx, follower.Name); err != nil || !mine {
			return err
		}
		aside, err := f.waiting(ctx, follower.Name)
		if err != nil {
			return err
		}
		if aside[e.Subject] {
			if err := f.db.Tx(ctx, func(tx *db.Tx) error { return f.follows(tx, follower, e) }); err != nil {
				return err
			}
			continue
		}
		trouble := f.handle(ctx, follower, []Event{e}, func(tx *db.Tx) error { return f.advance(tx, follower.Name, e.Seq) })
		if trouble == nil {
			continue
		}
		if ctx.Err() != nil || errors.Is(trouble, errLost) {
			return trouble
		}
		if len(aside) >= mostSubjects {
			return fmt.Errorf("%w: %w", ErrTooMany, trouble)
		}
		if guilty, compared := f.guilty(ctx, follower, e, events[i+1:]); !guilty && (compared || !alone) {
			return trouble
		}
		if err := f.setAside(ctx, follower, e, trouble); err != nil {
			return err
		}
	}
	return nil
}

// guilty tells whether an event of another subject can be handled, and whether there was one to try.
func (f *Feed) guilty(ctx context.Context, follower Follower, e Event, behind []Event) (guilty, compared bool) {
	tried := 0
	for _, other := range behind {
		if other.Subject == e.Subject {
			continue
		}
		if tried++; tried > compareWith {
			break
		}
		if err := f.handle(ctx, follower, []Event{other}, func(*db.Tx) error { return errProbe }); errors.Is(err, errProbe) {
			return true, true
		}
	}
	return false, tried > 0
}

func (f *Feed) setAside(ctx context.Context, follower Follower, e Event, trouble error) error {
	row := asideRow{Follower: follower.Name, Seq: e.Seq, Subject: e.Subject, Attempts: 1, Problem: short(trouble), Since: time.Now().UnixMicro(), RetryAt: time.Now().Add(retryFirst).UnixMicro()}
	if f.Person != nil {
		row.Person = f.Person(e)
	}
	if follower.Closes && row.Person != "" {
		row.Closed = 1
	}
	err := f.db.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("set aside: %w", err)
		}
		if err := f.advance(tx, follower.Name, e.Seq); err != nil {
			return err
		}
		if f.Doubt == nil {
			return nil
		}
		return f.Doubt(tx, Doubt{Follower: row.Follower, Subject: row.Subject, Person: row.Person, Kind: e.Kind, Begins: true, Closes: row.Closed == 1})
	})
	if err == nil {
		f.log.Error("follower set an event aside and goes on", "follower", follower.Name, "seq", e.Seq, "kind", e.Kind, "subject", e.Subject, "closed", row.Closed == 1, "error", trouble)
	}
	return err
}

// follows sets an event aside behind an earlier one of its subject.
func (f *Feed) follows(tx *db.Tx, follower Follower, e Event) error {
	if err := f.keep(tx, follower, e); err != nil {
		return err
	}
	return f.advance(tx, follower.Name, e.Seq)
}

func (f *Feed) keep(tx *db.Tx, follower Follower, e Event) error {
	return tx.Exec(`insert into feed_quarantine (follower, seq, subject, person, attempts, problem, since, retry_at, done, closed)
		select ?, ?, subject, person, 0, '', ?, retry_at, 0, closed from feed_quarantine where follower = ? and subject = ? order by seq limit 1`,
		follower.Name, e.Seq, time.Now().UnixMicro(), follower.Name, e.Subject).Error
}

func short(err error) string {
	text := []rune(err.Error())
	return string(text[:min(len(text), 400)])
}

// retry tries again what is due, and tells whether there may be more. The lease is held.
func (f *Feed) retry(ctx context.Context, follower Follower) error {
	var due []string
	if err := f.db.Read(ctx).Raw("select subject from feed_quarantine where follower = ? group by subject having min(retry_at) <= ? order by min(retry_at) limit ?",
		follower.Name, time.Now().UnixMicro(), retried).Scan(&due).Error; err != nil {
		return fmt.Errorf("read what is set aside: %w", err)
	}
	for _, subject := range due {
		if err := f.again(ctx, follower, subject); err != nil {
			return err
		}
	}
	return nil
}

// again handles what is set aside of a subject, in order, up to what fails.
func (f *Feed) again(ctx context.Context, follower Follower, subject string) error {
	for {
		if _, mine, err := f.acquire(ctx, follower.Name); err != nil || !mine {
			return err
		}
		var rows []asideRow
		if err := f.db.Read(ctx).Raw("select * from feed_quarantine where follower = ? and subject = ? order by seq limit 2", follower.Name, subject).Scan(&rows).Error; err != nil || len(rows) == 0 {
			return err
		}
		row := rows[0]
		events, err := f.After(ctx, row.Seq-1, 1)
		if err != nil || len(events) == 0 {
			return err
		}
		var trouble error
		if row.Done == 0 {
			trouble = f.handle(ctx, follower, events, func(tx *db.Tx) error {
				return f.mine(tx.Exec("update feed_quarantine set done = 1 where follower = ? and seq = ? and exists (select 1 from feed_cursors where name = ? and holder = ?)", row.Follower, row.Seq, row.Follower, f.holder))
			})
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(trouble, errLost):
			return nil
		case trouble == nil:
			trouble = f.db.Tx(ctx, func(tx *db.Tx) error { return f.release(tx, row, events[0].Kind, len(rows) == 1) }) // apart, because of the order of locks
			if trouble != nil {
				return trouble
			}
			continue
		}
		pause := min(retryFirst<<min(row.Attempts, 12), retryMost)
		return f.db.Tx(ctx, func(tx *db.Tx) error {
			if err := tx.Exec("update feed_quarantine set attempts = attempts + 1, problem = ? where follower = ? and seq = ?", short(trouble), row.Follower, row.Seq).Error; err != nil {
				return err
			}
			return tx.Exec("update feed_quarantine set retry_at = ? where follower = ? and subject = ?", time.Now().Add(pause).UnixMicro(), row.Follower, row.Subject).Error
		})
	}
}

// release forgets an event that was set aside and has been handled; last: of its subject.
func (f *Feed) release(tx *db.Tx, row asideRow, kind string, last bool) error {
	if err := f.mine(tx.Exec("delete from feed_quarantine where follower = ? and seq = ?", row.Follower, row.Seq)); err != nil {
		return err
	}
	if !last || f.Doubt == nil {
		return nil
	}
	d := Doubt{Follower: row.Follower, Subject: row.Subject, Person: row.Person, Kind: kind}
	if row.Closed == 1 {
		var others int
		if err := tx.Raw("select count(*) from feed_quarantine where person = ? and closed = 1", row.Person).Scan(&others).Error; err != nil {
			return err
		}
		d.Closes = others == 0
	}
	return f.Doubt(tx, d)
}

// Aside answers what followers have set aside, the oldest first.
func (f *Feed) Aside(ctx context.Context) ([]SetAside, error) {
	var rows []struct {
		Follower, Subject, Person, Kind, Problem string
		Attempts, Since, RetryAt, Closed         int64
	}
	if err := f.db.Read(ctx).Raw("select q.*, e.kind from feed_quarantine q join feed_events e on e.seq = q.seq order by q.seq").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read what is set aside: %w", err)
	}
	out, now := []SetAside{}, time.Now().UnixMicro()
	for _, r := range rows {
		at := slices.IndexFunc(out, func(a SetAside) bool { return a.Follower == r.Follower && a.Subject == r.Subject })
		if at >= 0 {
			out[at].Events++
			continue
		}
		out = append(out, SetAside{Follower: r.Follower, Subject: r.Subject, Person: r.Person, Kind: r.Kind, Events: 1, Attempts: int(r.Attempts), Problem: r.Problem, Closed: r.Closed == 1,
			Since: time.UnixMicro(r.Since).UTC(), RetryAt: time.UnixMicro(cmp.Or(r.RetryAt, now)).UTC()})
	}
	return out, nil
}

// RetryNow has what a follower set aside of a subject tried again within a moment, before all that is due; false where there is nothing.
func (f *Feed) RetryNow(ctx context.Context, follower, subject string) (found bool, err error) {
	err = f.db.Tx(ctx, func(tx *db.Tx) error {
		done := tx.Exec("update feed_quarantine set retry_at = 0 where follower = ? and subject = ?", follower, subject)
		found = done.RowsAffected > 0
		return done.Error
	})
	f.Wake()
	return found, err
}
