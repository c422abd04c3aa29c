// Package provisioning decides who belongs where: project groups and their channels, memberships and the
// reasons they stand on, plans, holds, and the tuples that follow from them. It owns every channel and every
// membership, also of direct channels.
//
// It guarantees that a membership exists exactly as long as one of its reasons does; that desired state is a
// function of directory facts, the policy and the time, so that events only wake it and a second run writes
// nothing; that memberships, reasons, feed, tuples and audit are one transaction; that a removal in bulk goes
// through the guard and is held, never half-done; and that Settle returns only when what it wrote is in force.
//
// Locks in a transaction, in this order: policy_state (shared; exclusive when a policy is applied), the
// directory's persons rows by id, guard_state, rows of this package, feed, authz, audit.
//
// It never decides a single access (package authz does), writes the directory through Store.Apply only, when somebody
// undoes a freeze, and knows no message.
package provisioning

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// The errors of this package.
var (
	// ErrNotFound says that there is no such thing, or that it is no longer current.
	ErrNotFound = errors.New("not found")
	// ErrDrift says that a plan, or the preview of a source, no longer describes what applying it would do.
	ErrDrift = errors.New("out of date")
	// ErrHash says that a plan was named with another hash than its own.
	ErrHash = errors.New("plan has another hash")
	// ErrClosed says that a plan was applied, or a hold was closed, before.
	ErrClosed = errors.New("closed already")
	// ErrHeld says that the guard holds what was asked for until somebody confirms it.
	ErrHeld = errors.New("held by the guard")
	// ErrLastAdmin says that releasing a hold would leave no administrator who can get in.
	ErrLastAdmin = errors.New("the last administrator stays: give somebody else the role first")
	// ErrPolicy says that policy files cannot be accepted; the wrapping text says where.
	ErrPolicy = errors.New("policy is not valid")
	// ErrPeople says that a direct channel was asked for between people who cannot have one.
	ErrPeople = errors.New("no direct channel between these people")
)

// HeldError is the answer to applying a plan that the guard holds. errors.Is finds ErrHeld.
type HeldError struct {
	Plan    id.Plan
	Verdict Verdict
}

// Error implements error.
func (e *HeldError) Error() string {
	text := fmt.Sprintf("plan %s is held by the guard", e.Plan)
	for _, b := range e.Verdict.Breaches {
		text += "; " + b.String()
	}
	return text
}

// Unwrap answers ErrHeld.
func (e *HeldError) Unwrap() error { return ErrHeld }

// Kind says what sort of ground a reason is.
type Kind string

// The kinds of reasons.
const (
	KindRule     Kind = "rule"     // a rule of the policy matches
	KindGrant    Kind = "grant"    // somebody with the right gave it
	KindApproval Kind = "approval" // a request was approved
	KindJoin     Kind = "join"     // the person joined an open channel
	KindKeep     Kind = "keep"     // a removal was refused or undone; ends by itself
	KindHandover Kind = "handover" // the person moved away, and keeps one channel, which Ref names, for some days
	KindGuest    Kind = "guest"    // somebody from outside was let into one channel, which Ref names, until an instant
)

// narrow tells whether a kind gives one channel of its group, which Ref names by its key, and nothing else of the group.
func (k Kind) narrow() bool { return k == KindHandover || k == KindGuest }

// toChannel answers the refs by which a row says that its reason gives a channel for itself.
func toChannel(key string) []string { return []string{key, refGuest + key} }

// guestOnly tells whether somebody has a place as nothing but a guest in some of its channels.
func guestOnly(reasons []Reason) bool {
	return len(reasons) > 0 && !slices.ContainsFunc(reasons, func(r Reason) bool { return r.Kind != KindGuest })
}

// Reason is one ground on which a membership stands.
type Reason struct {
	ID        id.Reason
	Kind      Kind
	Ref       string // for a rule "<group key>/<rule key>", for a keep the hold, where one channel is given its key
	Role      policies.Role
	Version   int64     // version of the policy that first gave it; 0 where no policy did
	From      time.Time // zero: open
	Until     time.Time // zero: open; exclusive
	CreatedAt time.Time

	against Cause  // of a keep by a rejected hold: why the membership would have ended
	placed  string // of a keep: where the person worked when it was given; of one by a rejected move: see said
}

// ground is what makes two reasons the same.
type ground struct {
	kind Kind
	ref  string
	role policies.Role
}

func (r Reason) ground() ground { return ground{r.Kind, r.Ref, r.Role} }

// Membership is a person's place in a project group. Its id stays while the place lasts, whatever its role.
type Membership struct {
	ID      id.Membership
	Person  id.Person
	Group   id.Group
	Role    policies.Role
	Since   time.Time
	Begins  time.Time // of a planned one: from when on it is in force; zero: it was, when somebody last looked
	Reasons []Reason
}

// Seat is a place that a person ought to have: the group and every reason for it, at least one.
type Seat struct {
	Group   id.Group
	Reasons []Reason
}

// Role is the strongest role that the seat's reasons give at now.
func (s Seat) Role(now time.Time) policies.Role { return roleAt(s.Reasons, now) }

// strongest answers the strongest role that reasons give in the whole group; where they give single channels only, the strongest of those.
func strongest(reasons []Reason) policies.Role {
	if wide := placewide(reasons); len(wide) > 0 {
		reasons = wide
	}
	var role policies.Role
	for _, r := range reasons {
		if r.Role.Strength() > role.Strength() {
			role = r.Role
		}
	}
	return role
}

// Cause says why a membership comes or goes.
type Cause string

// The causes.
const (
	CauseJoin    Cause = "join"    // a reason appeared
	CauseMove    Cause = "move"    // the person's facts no longer give a reason
	CauseCleanup Cause = "cleanup" // the person has left
	CauseAbsence Cause = "absence" // every source misses the person
	CausePolicy  Cause = "policy"  // another version of the policy says so
	CauseExpiry  Cause = "expiry"  // the last reason reached its end
	CausePlanned Cause = "planned" // a source had said when; announced, hence nothing for the guard
	CauseRelease Cause = "release" // somebody released a hold
	CauseUndo    Cause = "undo"    // somebody undid what took it
	CauseBurst   Cause = "burst"   // of a hold only: a source froze many people
	CauseRevoked Cause = "revoked" // the grant it stood on was taken
	CauseMerge   Cause = "merge"   // a human being said that the person is another one, who has places of their own
)
