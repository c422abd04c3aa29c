package evidence

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// ActionFenced is what the audit log says when a freeze was in force everywhere.
const ActionFenced = "person.fenced"

// instant is how instants stand in records: to the microsecond.
const instant = "2006-01-02T15:04:05.000000Z07:00"

// How says by what it is known that a freeze was in force.
type How string

// The ways.
const (
	ByBarrier How = "barrier" // the barrier of its call returned: every connection and every answer begun before had ended
	ByClock   How = "clock"   // its instant came, and the connections were cut
	Late      How = "late"    // nobody noted it at the time; it was found in force, and has been since then at the latest
)

// Fences notes from when on freezes are in force everywhere. It writes behind the calls, never in them: a freeze does not wait for it.
// Its methods may be called at the same time.
type Fences struct {
	DB        *db.DB
	Directory *directory.Store
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger

	mu      sync.Mutex
	queue   []fenceRow
	people  []passed
	wake    chan struct{}
	writing sync.Mutex
}

// passed are people who lost something at an instant, maybe because a freeze of theirs began.
type passed struct {
	at     time.Time
	people []id.Person
}

// queueMost bounds what waits to be written; what is beyond is found by the next look.
const queueMost = 50_000

// NewFences makes a Fences whose table is migrated.
func NewFences(d *db.DB, people *directory.Store, log *slog.Logger) *Fences {
	return &Fences{DB: d, Directory: people, Log: log, wake: make(chan struct{}, 1)}
}

// Settled notes that the barrier of a revision has returned: these freezes are in force everywhere since at.
func (f *Fences) Settled(rev int64, freezes []directory.Freeze, at time.Time) {
	f.mu.Lock()
	for _, one := range freezes {
		if len(f.queue) < queueMost {
			f.queue = append(f.queue, fenceRow{FreezeID: one.ID, Rev: rev, Person: one.Person, At: db.At(at), How: ByBarrier})
		}
	}
	f.mu.Unlock()
	f.nudge()
}

// Lost has the shape that the index calls when people lost something, once their connections are cut. It takes note and returns.
func (f *Fences) Lost(_ int64, people []id.Person, _ []id.Channel) {
	at := now(f.Now)
	f.mu.Lock()
	if len(f.people) < queueMost {
		f.people = append(f.people, passed{at, slices.Clone(people)})
	}
	f.mu.Unlock()
	f.nudge()
}

func (f *Fences) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Run writes what was noted until ctx ends, and looks once a minute for what nobody noted: after a crash between a freeze and its note.
func (f *Fences) Run(ctx context.Context) error {
	const every, linger, back = time.Minute, 100 * time.Millisecond, 24 * time.Hour
	since, young := now(f.Now).Add(-back), time.Duration(0)
	for {
		looked := now(f.Now)
		err := f.look(ctx, since, looked.Add(-young))
		if err == nil {
			since, young = looked.Add(-3*every), every // a younger one may be on its way
		}
		for next := time.After(every); err == nil; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-next:
			case <-f.wake:
				select { // several go into one transaction
				case <-ctx.Done():
				case <-time.After(linger):
				}
				err = f.Flush(ctx)
				continue
			}
			break
		}
		if err != nil && ctx.Err() == nil {
			f.Log.ErrorContext(ctx, "fences were not noted, will retry", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// fencePart is how many fences one transaction notes.
const fencePart = 200

// Flush writes what was noted until now.
func (f *Fences) Flush(ctx context.Context) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	f.mu.Lock()
	queue, people := f.queue, f.people
	f.queue, f.people = nil, nil
	f.mu.Unlock()
	for _, p := range people {
		begun, err := f.begun(ctx, p)
		if err != nil {
			return err // the next look finds them
		}
		queue = append(queue, begun...)
	}
	for part := range slices.Chunk(queue, fencePart) {
		if err := put(ctx, f.DB, part); err != nil {
			return err
		}
	}
	return nil
}

// begun answers the freezes of people that began at their instant, and not with their call, shortly before.
func (f *Fences) begun(ctx context.Context, p passed) ([]fenceRow, error) {
	standing, err := f.Directory.StandingFreezes(ctx, p.people)
	if err != nil {
		return nil, err
	}
	var out []fenceRow
	for _, person := range p.people {
		for _, one := range standing[person] {
			if one.From.After(one.CreatedAt) && one.OpenAt(p.at) && one.From.After(p.at.Add(-time.Hour)) {
				out = append(out, fenceRow{FreezeID: one.ID, Rev: one.Rev, Person: person, At: db.At(p.at), How: ByClock})
			}
		}
	}
	return out, nil
}

// look notes of the freezes that began within an interval, stand and have no note, that they are in force now.
func (f *Fences) look(ctx context.Context, since, until time.Time) error {
	if err := f.Flush(ctx); err != nil {
		return err
	}
	at := now(f.Now)
	list, err := f.Directory.FreezesBegun(ctx, since, until)
	if err != nil {
		return err
	}
	var ids []id.Freeze
	for _, one := range list {
		ids = append(ids, one.ID)
	}
	known, err := fencesOf(f.DB, ctx, ids)
	if err != nil {
		return err
	}
	var missing []fenceRow
	for _, one := range list {
		if _, is := known[one.ID]; !is {
			missing = append(missing, fenceRow{FreezeID: one.ID, Rev: one.Rev, Person: one.Person, At: db.At(at), How: Late})
		}
	}
	for part := range slices.Chunk(missing, fencePart) {
		if err := put(ctx, f.DB, part); err != nil {
			return err
		}
	}
	return nil
}
