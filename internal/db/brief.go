package db

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/trace"
)

// briefs commits short transactions of SQLite together. Its one writer would else wait for the disk once for each of
// them. The first caller opens the transaction; each caller runs its own part, in its own goroutine, behind a savepoint
// of its own; who waits when a part ends is next; and the one that opened commits for all.
type briefs struct {
	mu      sync.Mutex // guards the rest
	waiting []*brief
	busy    bool
}

// brief is one part.
type brief struct {
	turn chan turn
	ran  chan error // what the part came to
	over chan error // what the commit came to
}

// turn is what a part waits for: the open transaction, or to open one itself, or an error.
type turn struct {
	handle *gorm.DB
	err    error
}

// How much one commit takes together: whoever was first waits for the last.
const (
	briefMost = 64
	briefTime = 10 * time.Millisecond
)

var errAborted = errors.New("the part of a transaction did not return")

// Brief is Tx for what takes a few milliseconds: on SQLite such transactions that come at the same time are committed together, each
// behind a savepoint, so that an error of fn undoes what fn did and nothing else. Once begun fn runs to its end
// even where ctx ends: a statement that is cut takes the whole transaction with it.
func (d *DB) Brief(ctx context.Context, fn func(*Tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.Engine != SQLite { // it has many writers, and waits for the disk once for all that commit
		return d.Tx(context.WithoutCancel(ctx), fn)
	}
	ctx, step := trace.Start(ctx, "db.transaction")
	defer func() { step.End(err) }()
	tx := &Tx{engine: SQLite}
	part := &brief{turn: make(chan turn, 1), ran: make(chan error, 1), over: make(chan error, 1)}
	run := func(handle *gorm.DB) (err error) {
		err = errAborted
		defer func() { part.ran <- err }() // also where fn panics: its part is undone, and the panic goes its way
		tx.DB = handle.WithContext(context.WithoutCancel(ctx))
		err = fn(tx)
		return err
	}
	if err := d.brief(ctx, part, run); err != nil {
		return err
	}
	for _, after := range tx.after {
		after()
	}
	return nil
}

// brief leads, or waits for its turn and its commit.
func (d *DB) brief(ctx context.Context, part *brief, run func(*gorm.DB) error) error {
	if d.briefs.join(part) {
		return d.leadBriefs(ctx, part, run)
	}
	switch t := <-part.turn; {
	case t.err != nil:
		return t.err
	case t.handle == nil:
		return d.leadBriefs(ctx, part, run)
	default:
		if err := run(t.handle); err != nil {
			return err
		}
	}
	return <-part.over
}

func (b *briefs) join(part *brief) (leads bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy {
		b.waiting = append(b.waiting, part)
		return false
	}
	b.busy = true
	return true
}

// next answers a part that waits.
func (b *briefs) next() *brief {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		return nil
	}
	part := b.waiting[0]
	b.waiting = b.waiting[1:]
	return part
}

// pass has one of those who wait lead, after the leader's commit.
func (b *briefs) pass() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		b.busy = false
		return
	}
	b.waiting[0].turn <- turn{}
	b.waiting = b.waiting[1:]
}

// errLost says that the engine took back the transaction as a whole, as it does where the disk is full.
var errLost = errors.New("the database took the transaction back")

// leadBriefs opens a transaction, runs own and then what waits, and commits.
func (d *DB) leadBriefs(ctx context.Context, own *brief, run func(*gorm.DB) error) error {
	var stand []*brief // whose parts came to an end
	var mine error
	defer d.briefs.pass()
	err := d.write.WithContext(context.WithoutCancel(ctx)).Transaction(func(handle *gorm.DB) (failure error) {
		defer func() {
			if failure == nil {
				d.edge.at(false)
			}
		}()
		began := time.Now()
		if err := begin(handle); err != nil {
			return err
		}
		mine = run(handle)
		if err := end(handle, mine); err != nil {
			return err
		}
		for n := 1; n < briefMost && time.Since(began) < briefTime; n++ {
			part := d.briefs.next()
			if part == nil {
				return nil
			}
			if err := begin(handle); err != nil {
				part.turn <- turn{err: err}
				return err
			}
			part.turn <- turn{handle: handle}
			err := <-part.ran
			if err == nil {
				stand = append(stand, part)
			}
			if err := end(handle, err); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		d.edge.at(true)
	}
	for _, part := range stand {
		part.over <- err
	}
	if mine != nil {
		return mine
	}
	return err
}

func begin(handle *gorm.DB) error {
	if err := handle.Exec("savepoint part").Error; err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return nil
}

// end keeps a part, or undoes it where it failed.
func end(handle *gorm.DB, failure error) error {
	if failure != nil {
		if err := handle.Exec("rollback to part").Error; err != nil {
			return fmt.Errorf("%w: %w", errLost, err)
		}
	}
	if err := handle.Exec("release part").Error; err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return nil
}
