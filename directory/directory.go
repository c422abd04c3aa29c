// Package directory owns who works here: people, what each source says about them, units, groups of the
// directory, freezes, sources and their tokens.
//
// It guarantees that Store.Apply is the only write door; that one call is one transaction of rows, feed
// events, the revocation it causes and audit; that a call which takes access away returns only when that is in
// force (Access); that a change which changes nothing writes nothing and keeps the version; that records,
// managers, units and members may arrive in any order; and that a source lifts only its own freezes.
//
// It never decides who is in which channel, never merges people by name or e-mail, and never takes what a
// source fails to say for a removal.
package directory

import (
	"context"
	"embed"
	"errors"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the directory's tables up to date.
func Migrate(ctx context.Context, d *db.DB) error {
	if err := d.Migrate(ctx, "directory", migrations); err != nil {
		return err
	}
	return lookAlikes(ctx, d)
}

// What can go wrong. A caller compares with errors.Is; the texts are for people.
var (
	ErrNotFound     = errors.New("not found")
	ErrExists       = errors.New("already exists")
	ErrVersion      = errors.New("version does not match")
	ErrInvalid      = errors.New("invalid value")
	ErrCycle        = errors.New("unit would be below itself")
	ErrProof        = errors.New("absence without proof of completeness")
	ErrNotUndone    = errors.New("this freeze is not undone: it ends another way")
	ErrSourceFreeze = errors.New("freeze belongs to a source and ends when the source says so")
	ErrGuestFreeze  = errors.New("freeze keeps guests out and ends when their company, all guests or this guest are resumed")
	ErrBuiltIn      = errors.New("the source of guests is built in: it has no configuration and no token")
	ErrToken        = errors.New("source token is not valid")
	ErrTokens       = errors.New("source has two live tokens already")
	ErrLive         = errors.New("it is live: what it says is in force as it comes. Only a source in its dry run, which is before it goes live and never again, is previewed, taken live or discarded")
	ErrStage        = errors.New("the dry run is no longer what it was")
	ErrDecided      = errors.New("decided already")
	ErrConfigured   = errors.New("the source is named in the configuration file: it is configured there")
	ErrAhead        = errors.New("a token of this source reads what is not disclosed yet: only who may see that (future.read) makes one")
	ErrNoAccess     = errors.New("directory has nothing to revoke access with")
)

// ChangeError says which change of a call failed; it wraps the reason.
type ChangeError struct {
	Index int // of the change among Apply's arguments
	Err   error
}

// Error implements error.
func (e *ChangeError) Error() string { return e.Err.Error() }

// Unwrap answers the reason.
func (e *ChangeError) Unwrap() error { return e.Err }

// ConflictError says what is taken already; it is an ErrExists.
type ConflictError struct {
	Field string // "userName", "externalId", "displayName", "name"
	Link  id.Link
	Group id.DirectoryGroup
}

// Error implements error.
func (e *ConflictError) Error() string { return e.Field + " " + ErrExists.Error() }

// Is tells that a conflict is an ErrExists.
func (e *ConflictError) Is(target error) bool { return target == ErrExists }

// FreezeOp says what became of a freeze.
type FreezeOp string

// What a FreezeChange can be.
const (
	FreezeOpened  FreezeOp = "open"   // a new row in its slot
	FreezeChanged FreezeOp = "change" // the row of the slot has another window now, or another row took the slot
)

// FreezeChange is one freeze that a call opened or changed. Before is the zero Freeze where none stood.
type FreezeChange struct {
	Freeze Freeze
	Op     FreezeOp
	Before Freeze
}

// Access is what the directory needs from those who hold the access: it is told in the transaction and waited for after.
type Access interface {
	// Revoke appends, in tx, the authz changes that the freezes opened or changed by these changes need, and
	// returns the revision (0 = none). It is called after domain rows and feed, before audit. Lifting is not done here.
	Revoke(tx *db.Tx, freezes []FreezeChange) (rev int64, err error)
	// Settle reconciles these people now, lifts authz freezes whose rows are lifted, and returns when rev and
	// everything it wrote is in force on every node.
	Settle(ctx context.Context, cause Cause, people []id.Person, rev int64) error
}
