// Package handover owns what becomes of the things that somebody answers for when nobody who has access does any more: whose they are
// meanwhile, why theirs, and whether they took them.
//
// It guarantees that, once it has looked, each thing that ever had somebody has somebody who works here and has access, or waits in
// the administrators' queue; that an offer that nobody accepted ends by itself when somebody else answers for the thing again; that
// nobody is asked twice in one succession; and that it never stands in the way of a freeze: it looks behind what happened. It never says
// who may own what: the policy names successors, and where it names none nobody gets anything.
package handover

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of handovers up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "handover", migrations) }

// The errors of this package.
var (
	// ErrNotFound says that there is no such handover, or that it is not the caller's.
	ErrNotFound = errors.New("no such handover")
	// ErrClosed says that the handover was answered, or is over.
	ErrClosed = errors.New("this handover is over")
	// ErrUnable says that a person cannot answer for a thing: they have no access, or are from outside.
	ErrUnable = errors.New("this person cannot take over")
)

// The kinds of notices of this package.
const (
	KindOffered notices.Kind = "handover.offered" // to the successor: about kind, thing, person, handover
	KindWaiting notices.Kind = "handover.waiting" // to administrators: nobody of the successors can
	KindOver    notices.Kind = "handover.over"    // to the successor: somebody else answers for it again
)

// State is what became of one step.
type State string

// The states.
const (
	Waiting  State = "waiting"  // nobody was found: an administrator has to
	Offered  State = "offered"  // somebody answers for it until they say whether they will
	Accepted State = "accepted" // they will
	Refused  State = "refused"  // they will not
	Ended    State = "ended"    // it was not needed any more, or they lost their access
)

// Step is one step of a succession: one thing, offered to one person.
type Step struct {
	ID       id.Handover
	Case     id.Handover // the first step of the same succession
	Kind     string
	Thing    string
	From     id.Person // who answered for it last
	To       id.Person // empty while it waits
	Why      string    // what of the policy found them: "manager", "member participant", "person"; "admin"
	State    State
	OpenedAt time.Time
	ClosedAt time.Time
	ClosedBy string
}

// ref names the grant of a step.
func (s Step) ref() string { return "handover/" + string(s.ID) }

func (s Step) open() bool { return s.State == Waiting || s.State == Offered }

// Thing is something that somebody has to answer for.
type Thing struct {
	ID         string
	Restricted bool // nobody takes it over by having kept out who answered for it
	Owners     []Stand
	Former     id.Person // who answered for it last, of those who do not any more
	Successors []policies.Successor
	// Members answers who has a role around the thing, the longest first.
	Members func(context.Context, policies.Role) ([]id.Person, error)
}

// Stand is one person who answers for a thing: by steps of handovers (Refs), and by anything else (Otherwise).
type Stand struct {
	Person    id.Person
	Refs      []string
	Otherwise bool
}

// Change is who begins and who ceases to answer for a thing, by the grounds that these references name; empty people: nobody.
type Change struct {
	Thing          string
	To, From       id.Person
	ToRef, FromRef string
}

// Owned is one kind of thing that people answer for. A package that has such things gives one to the Engine.
type Owned interface {
	// Things answers things by their ids, or all where ids is nil, that have or had somebody who answers for them.
	Things(ctx context.Context, ids []string) ([]Thing, error)
	// Of answers the ids of the things for which any of these people answers.
	Of(ctx context.Context, people []id.Person) ([]string, error)
	// Move makes a change in one transaction with also, which writes its rows before and answers records of the audit log. What stands is left.
	Move(ctx context.Context, cause directory.Cause, c Change, also func(*db.Tx) ([]audit.Record, error)) error
	// Suspend lets a thing rest for which nobody was found, where that makes sense, in one transaction with also.
	Suspend(ctx context.Context, cause directory.Cause, thing string, also func(*db.Tx) ([]audit.Record, error)) error
}

// Taker is an Owned that has something to write when somebody takes a thing over for good, in the transaction that closes the step, and before it does.
type Taker interface {
	Taken(tx *db.Tx, thing string, by id.Person) error
}

// Engine works out successions. Its methods may be called at the same time, on several nodes.
type Engine struct {
	DB        *db.DB
	Directory *directory.Store
	// Outsiders answers which of these people are from outside.
	Outsiders func(ctx context.Context, people []id.Person) (map[id.Person]bool, error)
	// Admins answers who is told of what waits.
	Admins func(ctx context.Context) ([]id.Person, error)
	Kinds  map[string]Owned
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger

	mu sync.Mutex // one look at a time in this process
}

func (e *Engine) clock() time.Time {
	if e.Now != nil {
		return e.Now().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

func (e *Engine) kind(name string) (Owned, error) {
	o, ok := e.Kinds[name]
	if !ok {
		return nil, fmt.Errorf("things of kind %q: %w", name, ErrNotFound)
	}
	return o, nil
}

// Able tells whether somebody works here now and has access: who is on leave, has left, has not come yet or is frozen does not answer
// for anything.
func Able(p directory.Person) bool {
	return (p.Status == directory.StatusActive || p.Status == directory.StatusNotice) && !p.Frozen && !p.Absent && p.MergedInto == ""
}
