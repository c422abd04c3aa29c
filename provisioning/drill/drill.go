// Package drill rehearses the offboarding of somebody who does not exist: they listen on every node by every way while messages flow, are taken
// out as a leaver is, and whatever is written to them after that is counted.
//
// It guarantees that what it counts came over the network, from the address of each node; that nobody but the two people of a drill is touched, and
// no list, rule or report ever shows them; that their channel, messages and tokens are gone when it ends, after a crash too; and that a node that could
// not be watched makes a drill incomplete, never passed.
package drill

import (
	"cmp"
	"context"
	"crypto/x509"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of drills up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "drill", migrations) }

// The errors of this package.
var (
	// ErrNotFound says that there is no such drill.
	ErrNotFound = errors.New("no such drill")
	// ErrRunning says that a drill is under way, here or on another node.
	ErrRunning = errors.New("a drill is under way")
)

// Verdict is what a drill showed.
type Verdict string

// The verdicts.
const (
	Passed     Verdict = "passed"     // nothing written after the return reached the leaver, and every door was shut, on every node
	Failed     Verdict = "failed"     // something did, or a door was open
	Incomplete Verdict = "incomplete" // a node could not be watched, or the drill could not be held
)

// Node is one node, and how it is reached.
type Node struct{ Name, URL string }

// Drill is one rehearsal and what it showed.
type Drill struct {
	ID        id.Drill
	Actor     string
	StartedAt time.Time
	EndedAt   time.Time     // zero: under way
	Verdict   Verdict       // empty: under way
	Took      time.Duration // from before the leaver's freeze was written until it was in force on every node
	Before    int           // messages written before that, or while it was on its way
	After     int           // messages whose writing began after it had returned
	Nodes     []Finding
	Fault     string // why it could not be held
}

// Finding is what a drill saw of one node.
type Finding struct {
	Node    string `json:"node"`
	URL     string `json:"url"`
	Heard   int    `json:"heard"`           // messages that reached the leaver's streams
	CutMS   int64  `json:"cut_ms"`          // from the beginning of the offboarding until the last of the streams was seen to end
	Late    int    `json:"late"`            // messages written after the return that reached the leaver
	Open    []Way  `json:"open"`            // ways that still answered the leaver after the return
	Witness int    `json:"witness"`         // messages written after the return that reached who stays: without them silence shows nothing
	Fault   string `json:"fault,omitempty"` // why the node could not be watched
}

// Way is one way in which content leaves a node.
type Way string

// The ways a drill watches.
const (
	WebSocket Way = "websocket"
	Events    Way = "events"
	History   Way = "history"
)

// Cast is who and what stands on the stage.
type Cast struct {
	Channel id.Channel
	Leaver  id.Person
	Witness id.Person
}

// Stage is what the product does for a drill.
type Stage interface {
	// Open makes the channel of the two people, in force when it returns.
	Open(ctx context.Context, c Cast) error
	// Token makes a bearer token of one of them, for some minutes.
	Token(ctx context.Context, person id.Person) (string, error)
	// Post writes a message of the witness.
	Post(ctx context.Context, author id.Person, channel id.Channel, clientID, text string) error
	// Take offboards the leaver; when it returns nothing is delivered to them.
	Take(ctx context.Context, leaver id.Person) error
	// Strike removes, in tx, whatever the others made.
	Strike(tx *db.Tx, c Cast) error
}

// Engine holds drills. Its methods may be called at the same time, on several nodes.
type Engine struct {
	DB    *db.DB
	Stage Stage
	Nodes func(ctx context.Context) ([]Node, error) // those that answer now
	Log   *slog.Logger
	Roots func() *x509.CertPool // who is believed between nodes; nil, or what answers nil: whom the machine believes
	Now   func() time.Time      // nil: time.Now
}

func (e *Engine) clock() time.Time {
	if e.Now != nil {
		return e.Now().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

const (
	longest   = time.Minute // a drill, with all its waits
	forgotten = 2 * longest // from then on one that has not ended is one whose node died
	lookEvery = 30 * time.Second
)

// Hold holds a drill and answers what it showed. ErrRunning where one is under way.
func (e *Engine) Hold(ctx context.Context, actor string) (Drill, error) {
	if err := e.sweep(ctx); err != nil {
		return Drill{}, err
	}
	d := Drill{ID: id.New[id.Drill](), Actor: actor, StartedAt: e.clock()}
	c := Cast{Channel: id.New[id.Channel](), Leaver: id.New[id.Person](), Witness: id.New[id.Person]()}
	if err := e.begin(ctx, d, c); err != nil {
		return Drill{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	defer cancel()
	if err := e.play(ctx, &d, c); err != nil {
		d.Fault = err.Error()
	}
	d.EndedAt, d.Verdict = e.clock(), d.judge()
	if err := e.end(ctx, d, c); err != nil {
		return d, fmt.Errorf("end drill %s: %w", d.ID, err)
	}
	if d.Verdict == Failed {
		e.Log.Error("a drill failed: what was offboarded still got something", "drill", d.ID)
	}
	return d, nil
}

// judge says what the findings amount to.
func (d *Drill) judge() Verdict {
	verdict := Passed
	if d.Fault != "" || len(d.Nodes) == 0 {
		verdict = Incomplete
	}
	for _, n := range d.Nodes {
		if n.Late > 0 || len(n.Open) > 0 {
			return Failed
		}
		if n.Fault != "" {
			verdict = Incomplete
		}
	}
	return verdict
}

// Run strikes the stages of drills whose node died, until ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	for {
		if err := e.sweep(ctx); err != nil && ctx.Err() == nil {
			e.Log.Error("drills that were broken off cannot be cleared away, will retry", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
	}
}

func (e *Engine) sweep(ctx context.Context) error {
	rows, err := e.query(ctx, "running = 1 and started_at < ?", db.At(e.clock().Add(-forgotten)))
	for _, row := range rows {
		d := row.drill()
		d.EndedAt, d.Verdict, d.Fault = e.clock(), Incomplete, cmp.Or(d.Fault, "broken off: the node that held it ended")
		err = errors.Join(err, e.end(ctx, d, row.cast()))
	}
	return err
}
