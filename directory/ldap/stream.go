package ldap

import (
	"context"
	"errors"
	"time"
)

// Cursor says how far a directory has been followed. Only the Stream that made it reads it; empty is the beginning.
type Cursor string

// Op is what became of an object.
type Op string

// The operations.
const (
	OpUpsert    Op = "upsert"    // Object is there, and this is all of it
	OpDelete    Op = "delete"    // the objects Keys are not there any more, or left the base
	OpPresent   Op = "present"   // the objects Keys are there and unchanged since the cursor that was asked from; without Keys only Cursor moved on
	OpMembers   Op = "members"   // the group Object.Key (nothing else of Object is set) gained Add and lost Remove: keys
	OpRefreshed Op = "refreshed" // the stream has caught up with the server
)

// Change is one step of a Stream.
type Change struct {
	Op          Op
	Object      Object
	Keys        []string
	Add, Remove []string
	// Whole is set on OpRefreshed where every object that is there was named since the call began or since the OpRefreshed before, by
	// OpUpsert or OpPresent: what was not named is not there. Proof says how that is known.
	Whole bool
	Proof string
	// Cursor is to be stored in the transaction that stores this change; empty: the one before still holds.
	Cursor Cursor
	At     time.Time // when it came in
}

// Stream is a directory that tells what changed in it.
//
// It tells of entries, and only of those that the server calls changed. When a unit is renamed or moved, what is beneath it has new
// names that nobody tells; when it leaves the base, nobody tells that they left, too, nor what they are when it comes back. Where
// the server mends references to an entry that was renamed or removed (refint of OpenLDAP), it tells nobody either: a name
// that an entry had before leads to it still.
type Stream interface {
	// Changes answers what changed since from, and ends when it has caught up. It answers the cursor to go on from.
	Changes(ctx context.Context, from Cursor, emit func([]Change) error) (Cursor, error)
	// Watch is Changes that goes on: it returns when ctx ends or the stream cannot go on. emit gets what came in together; it gets
	// nothing (an empty slice) as a sign of life, where the server was heard of at that moment. It is never called at the same time.
	Watch(ctx context.Context, from Cursor, emit func([]Change) error) error
	// Inventory names everything that is there, page by page. See Reader.Snapshot for what an incomplete Proof means.
	Inventory(ctx context.Context, emit func(Class, []string) error) (Proof, error)
}

// Why a stream does not begin or go on.
var (
	ErrNoStream   = errors.New("ldap server cannot be followed")           // it offers no way; poll Position and read again
	ErrCursorLost = errors.New("ldap server does not know the cursor")     // read everything again, then follow from its cursor
	ErrBehind     = errors.New("ldap server is behind what was read here") // a restored or lagging server: keep what stands, wait, ask another
)
