package approvals

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/handover"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

const (
	waitMost   = 20 // requests of one person that wait at a time
	reasonMost = 500
	daysMost   = 3650
)

// Ask takes a request and brings it to who may decide it. Of what is given Kind, Requester, Subject, Object, Role, Days, AskedFor and Reason count. Errors are
// ErrInvalid, ErrNotOffered, ErrAsked, ErrMany, ErrGone, and those of the kind.
func (e *Engine) Ask(ctx context.Context, cause directory.Cause, r Request) (Request, error) {
	k, err := e.kind(r.Kind)
	if err != nil {
		return r, err
	}
	r.Reason = strings.TrimSpace(r.Reason)
	switch {
	case r.Reason == "" || len([]rune(r.Reason)) > reasonMost:
		return r, fmt.Errorf("%w: it wants a reason of at most %d characters", ErrInvalid, reasonMost)
	case !r.AskedFor.IsZero() && !e.clock().Before(r.AskedFor):
		return r, fmt.Errorf("%w: it is asked for until an instant that has passed", ErrInvalid)
	case r.Days < 0 || r.Days > daysMost:
		return r, fmt.Errorf("%w: it is for at most %d days", ErrInvalid, daysMost)
	}
	err = e.DB.Tx(ctx, func(tx *db.Tx) error {
		now := e.clock()
		asked := r // the transaction may run again
		asked.ID, asked.State, asked.AskedAt = id.New[id.Ask](), Waiting, now
		rule, err := e.allowed(tx, k, &asked)
		if err != nil {
			return err
		}
		asked.LapsesAt = now.Add(time.Duration(rule.LapseDays) * 24 * time.Hour)
		waiting, err := e.load(tx.DB, "state = 'waiting' and (requester = ? or kind = ? and subject = ? and object = ?)", r.Requester, r.Kind, r.Subject, r.Object)
		if err != nil {
			return err
		}
		n := 0
		var records []audit.Record
		for _, w := range waiting {
			if w.State == Lapsed {
				record, err := e.lapse(tx, w)
				if err != nil {
					return err
				}
				records = append(records, record)
			} else if w.Requester == r.Requester {
				n++
			}
		}
		if n >= waitMost {
			return ErrMany
		}
		if err := open(tx, asked); err != nil {
			return err
		}
		if asked.Lacking, err = e.present(tx, asked, rule); err != nil {
			return err
		}
		r = asked
		return audit.Append(tx, append(records, e.record(cause, asked, "approval.asked", string(asked.Requester), asked.Reason))...)
	})
	return r, err
}

// allowed answers the rule of a request that may be granted now, as far as it is not for the approvers.
func (e *Engine) allowed(tx *db.Tx, k Kind, r *Request) (policies.Approval, error) {
	rule, err := k.Rule(tx, *r)
	if err != nil {
		return rule, err
	}
	s := e.sight(tx)
	for _, p := range []id.Person{r.Requester, r.Subject} {
		known, err := s.person(p)
		if err != nil {
			return rule, err
		}
		if p != "" && !handover.Able(known) {
			return rule, fmt.Errorf("person %s has no access: %w", p, ErrGone)
		}
	}
	dismissed, err := e.Directory.In(tx).DismissedSince(tx.Statement.Context, []id.Person{r.Requester, r.Subject}, r.AskedAt)
	if err != nil {
		return rule, err
	}
	if len(dismissed) > 0 {
		return rule, fmt.Errorf("they left since it was asked for, and came back: %w", ErrGone)
	}
	if !r.AskedFor.IsZero() && !e.clock().Before(r.AskedFor) {
		return rule, fmt.Errorf("until when it was asked for has passed: %w", ErrGone)
	}
	return rule, k.Check(tx, r)
}

// present tells everybody who may decide a request and was not told, takes it back from who may not any more, and answers how many are lacking.
// Where all is as it was it writes nothing.
func (e *Engine) present(tx *db.Tx, r Request, rule policies.Approval) (lacking int, err error) {
	now, err := e.sight(tx).approvers(r, rule)
	if err != nil {
		return 0, err
	}
	lacking = max(0, rule.People-len(now))
	were, err := told(tx, r.ID)
	if err != nil {
		return 0, err
	}
	for _, p := range were {
		if slices.Contains(now, p) {
			continue
		}
		if err := notices.Withdraw(tx, r.notice(KindWaiting, p, "waiting/"+string(p), time.Time{}).Key); err != nil {
			return 0, err
		}
		if err := tx.Exec("delete from approval_told where request = ? and person = ?", r.ID, p).Error; err != nil {
			return 0, fmt.Errorf("take a request back: %w", err)
		}
	}
	now = slices.DeleteFunc(now, func(p id.Person) bool { return slices.Contains(were, p) })
	for _, p := range now {
		if err := notices.Tell(tx, r.notice(KindWaiting, p, "waiting/"+string(p), e.clock())); err != nil {
			return 0, err
		}
	}
	return lacking, bring(tx, r.ID, now)
}

// Withdraw takes back what person asked for; ErrNotFound, ErrClosed.
func (e *Engine) Withdraw(ctx context.Context, cause directory.Cause, person id.Person, ask id.Ask) error {
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		r, err := e.one(tx.DB, ask)
		if err != nil {
			return err
		}
		if r.Requester != person {
			return fmt.Errorf("request %s: %w", ask, ErrNotFound)
		}
		if r, err = e.locked(tx, ask); err != nil {
			return err
		}
		r.State, r.DecidedAt = Withdrawn, e.clock()
		if err := e.shut(tx, r); err != nil {
			return err
		}
		return audit.Append(tx, e.record(cause, r, "approval.withdrawn", string(person), ""))
	})
}

// shut closes a request, and takes it back from those who might have decided it.
func (e *Engine) shut(tx *db.Tx, r Request) error {
	if err := notices.Withdraw(tx, r.notice(KindWaiting, "", "waiting/", time.Time{}).Key); err != nil {
		return err
	}
	return shut(tx, r)
}

// lapse closes a request whose time is over, tells who asked, and answers the record of it.
func (e *Engine) lapse(tx *db.Tx, r Request) (audit.Record, error) {
	r.State, r.DecidedAt = Lapsed, r.LapsesAt
	if err := e.shut(tx, r); err != nil {
		return audit.Record{}, err
	}
	record := e.record(directory.Cause{}, r, "approval.lapsed", "system", "")
	return record, notices.Tell(tx, r.notice(KindLapsed, r.Requester, "closed", e.clock()))
}
