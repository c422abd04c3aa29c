// Package authz owns who may do what: model.fga (the one statement of it), the relation tuples, the ordered
// log of their changes, the Index that answers from memory and the OpenFGA server that holds the same tuples.
//
// The invariant: a revision (authz_log.seq) comes from one counter row that is locked until the commit, so
// the order of revisions is the order of commits and there is no gap. A revision is in force on a node when
// its Index has published it and every attached callback has returned; only then does Revision move.
//
// It guarantees that the Index and OpenFGA evaluate the same model over the same tuples, that a window ends
// at its instant without any write, and that an open freeze denies everything. It never decides who should
// have access (provisioning does), never answers from a cache without a version, and never takes a tuple
// that somebody else wrote into OpenFGA for true.
package authz

import (
	"context"
	"embed"
	"errors"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
)

//go:embed model.fga
var modelText string

//go:embed migrations/*.sql
var migrations embed.FS

// Errors of this package.
var (
	// ErrInvalid says that a tuple does not fit the model.
	ErrInvalid = errors.New("tuple does not fit the model")
	// ErrNotLeader says that another node applies the log to OpenFGA.
	ErrNotLeader = errors.New("another node leads")
	// ErrBehind says that OpenFGA has not yet applied every change.
	ErrBehind = errors.New("openfga is behind")
)

// Actions that Index.Allow and Engine.Check know.
const (
	View   = "view"
	Post   = "post"
	Manage = "manage"
)

// Migrate brings the tables of authz up to date.
func Migrate(ctx context.Context, d *db.DB) error {
	return d.Migrate(ctx, "authz", migrations)
}

// Tuple says that User has Relation to Object, in OpenFGA's words: User is "user:<id>", "project:<id>#owner"
// or "org:main". A window, From inclusive and Until exclusive, limits it in time; a zero end is open, both
// zero means no window. Instants are kept to the microsecond.
type Tuple struct {
	User, Relation, Object string
	From, Until            time.Time
}

// Change is one tuple written (or written again with another window) or deleted.
type Change struct {
	Delete bool
	Tuple  Tuple
}

// Put makes the change that lets t stand, with exactly its window.
func Put(t Tuple) Change { return Change{Tuple: t} }

// Remove makes the change after which no tuple of t's user, relation and object stands, whatever its window.
func Remove(t Tuple) Change { return Change{Delete: true, Tuple: t} }
