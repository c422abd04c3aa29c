package provisioning

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// Barrier waits until a revision of the authorization log is in force on every node.
type Barrier interface {
	Settled(ctx context.Context, rev int64) error
}

// Reactor turns facts into memberships and tuples. It satisfies directory.Access and may be used by many at once.
type Reactor struct {
	db        *db.DB
	feed      *feed.Feed
	directory *directory.Store
	authz     *authz.Store
	barrier   Barrier
	log       *slog.Logger

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// Admins answers who has the administrator role, as tx sees it; nil: nobody is known to.
	Admins func(tx *db.Tx) ([]id.Person, error)

	// DayZone names where days begin for the people of a source who have no time zone, by what the record says of them; nil, and empty: nobody knows.
	DayZone func(directory.Record) string
	// PlanDeciders answers who may approve a plan where the policy says who does; behind is who made it, where that is known.
	PlanDeciders func(tx *db.Tx, plan id.Plan, behind id.Person) ([]id.Person, error)
	// MayApply tells whether a person may put a policy in force, as tx sees it; nil: everybody may.
	MayApply func(tx *db.Tx, person id.Person) (bool, error)

	// TellPlan tells a person, in tx, what became of a plan that was to be applied at an instant; nil: nobody is told.
	TellPlan func(tx *db.Tx, person id.Person, s Schedule) error

	// TellMoved tells, in tx, who moved away and the owners of what they keep; nil: nobody is told.
	TellMoved func(tx *db.Tx, list []Moved) error

	// Outside answers, as tx sees it, by which company and whose word a guest was let into a channel: what an explanation says before the reason. nil: nobody knows.
	Outside func(tx *db.Tx, person id.Person, group id.Group, channel string) ([]Line, error)

	living sync.Mutex // held by whoever takes a source live in this process

	mu       sync.Mutex
	compiled *catalog // the newest one seen

	together together

	scheduled chan struct{} // told of a new schedule
	pastAt    pastAt
}

// New makes a reactor whose tables are migrated. The caller sets people.Access to it.
func New(d *db.DB, f *feed.Feed, people *directory.Store, tuples *authz.Store, barrier Barrier, log *slog.Logger) *Reactor {
	return &Reactor{db: d, feed: f, directory: people, authz: tuples, barrier: barrier, log: log, scheduled: make(chan struct{}, 1)}
}

func (r *Reactor) clock() time.Time {
	if r.Now != nil {
		return r.Now().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

// Revoke appends to the authorization log, in tx, what these freezes need to deny everything, and answers the
// revision, 0 where that stood already. It implements directory.Access.
func (r *Reactor) Revoke(tx *db.Tx, freezes []directory.FreezeChange) (int64, error) {
	now := r.clock()
	var changes []authz.Change
	for _, f := range freezes {
		if err := raiseFence(tx, f.Freeze, now); err != nil {
			return 0, err
		}
		for _, t := range freezeTuples(f.Freeze, r.directory.Leave, now) {
			changes = append(changes, authz.Put(t))
		}
	}
	if len(changes) == 0 {
		return 0, nil
	}
	rev, err := r.authz.Append(tx, changes...)
	if err != nil {
		return 0, fmt.Errorf("revoke: %w", err)
	}
	return rev, nil
}

func raiseFence(tx *db.Tx, f directory.Freeze, now time.Time) error {
	err := tx.Exec(`insert into fences (person, slot, freeze_id, at) values (?, ?, ?, ?)
		on conflict (person, slot) do update set freeze_id = excluded.freeze_id, at = excluded.at where fences.freeze_id <> excluded.freeze_id`,
		f.Person, f.Slot, f.ID, db.At(now)).Error
	if err != nil {
		return fmt.Errorf("raise fence: %w", err)
	}
	return nil
}

// Settle reconciles these people now, lifts the freezes whose rows are lifted after their memberships are
// right, and returns when rev and everything written, by this call or before it, is in force. It returns an error
// where a person could not be reconciled; what the guard holds is no error. It implements directory.Access.
func (r *Reactor) Settle(ctx context.Context, cause directory.Cause, people []id.Person, rev int64) error {
	result, err := r.reconciled(ctx, cause, people)
	if err != nil {
		// What Apply itself revoked is in force all the same before the error is told.
		return errors.Join(err, r.wait(ctx, rev))
	}
	return errors.Join(r.wait(ctx, max(rev, result.Rev)), result.Err())
}

func (r *Reactor) reconciled(ctx context.Context, cause directory.Cause, people []id.Person) (Result, error) {
	ctx, step := trace.Start(ctx, "provisioning.reconcile", "rollcall.people", len(people))
	result, err := r.settle(ctx, cause, people)
	step.Set("rollcall.memberships", result.Written, "rollcall.held", result.Held, "rollcall.failed", len(result.Failed))
	step.End(err)
	return result, err
}

func (r *Reactor) wait(ctx context.Context, rev int64) error {
	if rev == 0 {
		return nil
	}
	ctx, step := trace.Start(ctx, "authz.barrier", "rollcall.revision", rev)
	err := r.barrier.Settled(ctx, rev)
	if step.End(err); err != nil {
		return fmt.Errorf("wait for revision %d: %w", rev, err)
	}
	return nil
}

// Result is what a reconciliation did.
type Result struct {
	Rev     int64               // the newest revision of the authorization log that the run saw or wrote
	Written int                 // changes of memberships
	Held    int                 // removals the guard stopped in this run
	Failed  map[id.Person]error // people who could not be reconciled; nothing of theirs was changed
}

// Err joins the failures, in order of the people; nil where there are none.
func (r Result) Err() error {
	people := make([]id.Person, 0, len(r.Failed))
	for p := range r.Failed {
		people = append(people, p)
	}
	slices.Sort(people)
	errs := make([]error, 0, len(people))
	for _, p := range people {
		errs = append(errs, fmt.Errorf("reconcile %s: %w", p, r.Failed[p]))
	}
	return errors.Join(errs...)
}

func (r *Result) add(other Result) {
	r.Rev = max(r.Rev, other.Rev)
	r.Written += other.Written
	r.Held += other.Held
	for p, err := range other.Failed {
		if r.Failed == nil {
			r.Failed = map[id.Person]error{}
		}
		r.Failed[p] = err
	}
}
