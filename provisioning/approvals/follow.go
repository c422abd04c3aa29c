package approvals

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

const (
	linger = 500 * time.Millisecond // behind the changes, so that what belongs together is seen together
	every  = 5 * time.Minute        // how often everything is looked at anyway
)

// Follower brings requests to who may decide them after the facts changed. It decides nothing: who may is worked out when somebody asks.
func (e *Engine) Follower() feed.Follower {
	return feed.Follower{Name: "approvals", Linger: linger, Handle: func(ctx context.Context, events []feed.Event) error {
		var people []id.Person
		var things []string
		for _, event := range events {
			if event.Kind == provisioning.EventPolicyApplied {
				return e.Look(ctx)
			}
			if strings.HasPrefix(event.Kind, "person.") {
				people = append(people, id.Person(event.Subject))
			}
			if event.Kind == provisioning.EventHoldClosed {
				things = append(things, event.Subject)
			}
			var m provisioning.MembershipEvent
			if strings.HasPrefix(event.Kind, "membership.") && json.Unmarshal(event.Data, &m) == nil {
				things = append(things, string(m.Group))
			}
		}
		slices.Sort(people)
		slices.Sort(things)
		list, err := e.touched(ctx, slices.Compact(people), slices.Compact(things))
		if err != nil {
			return err
		}
		return e.lookAt(ctx, list)
	}}
}

// Look closes what has lapsed, and brings every request that waits to who may decide it now. Where that is done it writes nothing.
func (e *Engine) Look(ctx context.Context) error {
	list, err := e.overdue(ctx, e.clock())
	if err != nil {
		return err
	}
	for _, ask := range list {
		err := e.DB.Tx(ctx, func(tx *db.Tx) error {
			r, err := e.one(tx.DB, ask)
			if err != nil {
				return err
			}
			record, err := e.lapse(tx, r)
			if err != nil {
				return err
			}
			return audit.Append(tx, record)
		})
		if err != nil && !errors.Is(err, ErrClosed) { // somebody was faster
			return err
		}
	}
	if list, err = e.waiting(ctx); err != nil {
		return err
	}
	return e.lookAt(ctx, list)
}

// lookAt brings requests to who may decide them now; one's trouble does not stop the others.
func (e *Engine) lookAt(ctx context.Context, list []id.Ask) error {
	var errs []error
	for _, ask := range list {
		moved := false
		err := e.look(ctx, func(tx *db.Tx) error {
			var err error
			moved, err = e.moved(tx, ask)
			return err
		})
		if err == nil && moved {
			err = e.DB.Tx(ctx, func(tx *db.Tx) error {
				r, err := e.locked(tx, ask)
				if err != nil {
					return err
				}
				k, err := e.kind(r.Kind)
				if err != nil {
					return err
				}
				if over, err := overIn(tx, k, r); err != nil || over {
					return cmp.Or(err, e.close(tx, r))
				}
				rule, err := k.Rule(tx, r)
				if err != nil {
					return err
				}
				_, err = e.present(tx, r, rule)
				return err
			})
		}
		if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrNotOffered) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// moved tells whether others may decide a request than those to whom it was brought.
func (e *Engine) moved(tx *db.Tx, ask id.Ask) (bool, error) {
	r, err := e.one(tx.DB, ask)
	if err != nil || r.State != Waiting {
		return false, err
	}
	k, err := e.kind(r.Kind)
	if err != nil {
		return false, err
	}
	if over, err := overIn(tx, k, r); err != nil || over {
		return over, err
	}
	rule, err := k.Rule(tx, r)
	if err != nil {
		return false, err
	}
	now, err := e.sight(tx).approvers(r, rule)
	if err != nil {
		return false, err
	}
	were, err := told(tx, ask)
	slices.Sort(now)
	return !slices.Equal(now, were), err
}

// overIn tells whether a request is about something of which there is nothing to be decided any more.
func overIn(tx *db.Tx, k Kind, r Request) (bool, error) {
	act, is := k.(Act)
	if !is {
		return false, nil
	}
	return act.Over(tx, r)
}

// close ends a request that nobody need decide any more.
func (e *Engine) close(tx *db.Tx, r Request) error {
	r.State, r.DecidedAt = Withdrawn, e.clock()
	if err := e.shut(tx, r); err != nil {
		return err
	}
	return audit.Append(tx, e.record(directory.Cause{}, r, "approval.withdrawn", "system", ""))
}

// Run looks at everything at the start and every few minutes until ctx ends: a leave that begins by the clock is an event of nobody's request.
func (e *Engine) Run(ctx context.Context) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := e.Look(ctx); err != nil && ctx.Err() == nil {
			e.Log.ErrorContext(ctx, "looking at requests", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
