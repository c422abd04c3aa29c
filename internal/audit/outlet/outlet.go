// Package outlet carries the audit log out of the database, as it grows, to places that whoever administers the database cannot rewrite: syslog
// over TLS (RFC 5424, RFC 5425), signed HTTP calls, files, and an object store that locks what it was given.
//
// It guarantees that every record is handed over in order, at least once and without a gap, whatever breaks in between: the place notes how
// far it is only after the other side has taken the records. It carries leaves, as they were hashed, never what is personal.
// Signed checkpoints (C2SP tlog-checkpoint) go along: who holds one sees from it alone whether the log was rewritten since.
package outlet

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of outlets up to date.
func Migrate(ctx context.Context, d *db.DB) error {
	return d.Migrate(ctx, "audit_outlet", migrations)
}

// Part is what is handed over at a time.
type Part struct {
	Records    []audit.Leaf
	Checkpoint string // a signed note about the log up to the last record and no further; empty: none
}

// sink is a place outside.
type sink interface {
	// Send answers after the other side has taken the part. After an error nothing is known of it, and it is sent again from Sure on.
	Send(ctx context.Context, p Part) error
	// Sure answers before which record nothing can be lost any more.
	Sure(now time.Time) int64
	// Linger is how long records may wait for others to go with them.
	Linger() time.Duration
	Close() error
}

const (
	most      = 500              // records of a part
	look      = time.Second      // between two looks for new records
	slowest   = time.Minute      // between two tries
	patience  = 30 * time.Second // for one part
	firstWait = time.Second
)

// Runner carries the log to one outlet. One runs in a deployment at a time.
type Runner struct {
	DB      *db.DB
	Log     *slog.Logger
	Config  Config
	Signers []note.Signer // the first names the log; none: no checkpoints
	Every   time.Duration // between two checkpoints, where there are new records
	Node    string        // this node's name, of which syslog tells
	Client  *http.Client  // for HTTP; nil: one of its own
	Now     func() time.Time
	Retry   time.Duration // from the first failure to the next try; 0: a second

	at       place
	sink     sink
	next     int64     // to be sent
	noted    int64     // at.Next in the database
	oldest   time.Time // since when records wait
	lastNote time.Time
}

func (r *Runner) clock() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// Run carries records until ctx ends. What fails is tried again, ever more slowly up to once a minute, and shown until it succeeds.
func (r *Runner) Run(ctx context.Context) error {
	defer r.shut()
	first := cmp.Or(r.Retry, firstWait)
	wait := first
	for ctx.Err() == nil {
		pause := look
		switch busy, err := r.step(ctx); {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			r.shut()
			r.failed(ctx, err)
			pause, wait = wait, min(2*wait, slowest)
		case busy:
			pause, wait = 0, first
		default:
			wait = first
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

func (r *Runner) shut() {
	if r.sink != nil {
		_ = r.sink.Close()
		r.sink = nil
	}
}

// step hands one part over, and tells whether there may be more.
func (r *Runner) step(ctx context.Context) (busy bool, err error) {
	if r.sink == nil {
		if r.at, err = read(ctx, r.DB, r.Config.Name); err != nil {
			return false, err
		}
		if r.sink, err = r.Config.open(ctx, r); err != nil {
			return false, err
		}
		r.next, r.noted, r.oldest, r.lastNote = r.at.Next, r.at.Next, time.Time{}, r.at.CheckpointAt
	}
	found, size, err := audit.Leaves(ctx, r.DB, r.next, most)
	if err != nil {
		return false, err
	}
	part, now := Part{Records: found}, r.clock()
	end := r.next + int64(len(found))
	if len(found) > 0 && len(found) < most {
		if r.oldest.IsZero() {
			r.oldest = now
		}
		if now.Sub(r.oldest) < r.sink.Linger() {
			return false, nil
		}
	}
	var made checkpoint
	var broken error
	if len(r.Signers) > 0 && end == size && end > r.at.CheckpointSize && (now.Sub(r.lastNote) >= r.Every || now.Before(r.lastNote)) {
		made, err = r.sign(ctx, end)
		if broken = err; err != nil && !errors.Is(err, audit.ErrBroken) {
			return false, err
		}
		part.Checkpoint = made.Text
	}
	if len(part.Records) > 0 || part.Checkpoint != "" {
		if err := r.hand(ctx, part); err != nil {
			return false, err
		}
		r.next, r.oldest = end, time.Time{}
		r.at.SentAt = now
	}
	if made.Text != "" {
		r.at.CheckpointSize, r.at.CheckpointRoot, r.at.CheckpointAt, r.lastNote = made.Size, made.Root, now, now
	}
	sure := min(r.sink.Sure(now), r.next)
	r.at.Next = max(sure, r.at.Next)
	if broken != nil { // what was written since goes out all the same
		return false, broken
	}
	if sure > r.noted || made.Text != "" || r.at.Problem != "" {
		r.at.Problem, r.at.ProblemSince = "", time.Time{}
		if err := write(ctx, r.DB, r.at); err != nil {
			return false, err
		}
		r.noted = r.at.Next
	}
	return len(found) == most, nil
}

func (r *Runner) hand(ctx context.Context, p Part) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return r.sink.Send(ctx, p)
}

// sign makes a checkpoint, unless the log is not the one that the last checkpoint was about.
func (r *Runner) sign(ctx context.Context, size int64) (checkpoint, error) {
	if r.at.CheckpointSize > 0 {
		root, err := audit.RootAt(ctx, r.DB, r.at.CheckpointSize)
		if err != nil {
			return checkpoint{}, err
		}
		if root != r.at.CheckpointRoot {
			return checkpoint{}, fmt.Errorf("%w: its first %d records are not those that the last checkpoint was about; no other is signed", audit.ErrBroken, r.at.CheckpointSize)
		}
	}
	root, err := audit.RootAt(ctx, r.DB, size)
	if err != nil {
		return checkpoint{}, err
	}
	return signed(size, root, r.Signers)
}

// failed shows that nothing goes out, and since when.
func (r *Runner) failed(ctx context.Context, cause error) {
	text := cause.Error()
	if r.at.Problem == "" {
		r.at.ProblemSince = r.clock()
	}
	if r.at.Problem != text || errors.Is(cause, audit.ErrBroken) {
		r.Log.Error("the audit log does not reach an outlet", "outlet", r.Config.Name, "error", cause)
	}
	r.at.Name, r.at.Problem = r.Config.Name, text
	if err := write(ctx, r.DB, r.at); err != nil && ctx.Err() == nil {
		r.Log.Error("state of an outlet could not be written", "outlet", r.Config.Name, "error", err)
	}
}
