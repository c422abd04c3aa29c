package approvals

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// decideTries bounds how often a decision is tried again because something of the request changed between the look and the transaction.
const decideTries = 5

var errAgain = errors.New("the request has changed: look again")

// verdict is one decision on its way.
type verdict struct {
	e        *Engine
	kind     Kind
	cause    directory.Cause
	approver id.Person
	agrees   bool
	comment  string
}

// Approve has somebody agree to a request. Where that is enough it is granted, in the same transaction, after everything was checked again there.
// Errors are ErrNotFound, ErrNotApprover, ErrClosed, ErrGone, ErrApart and those of the kind; then nothing is written.
func (e *Engine) Approve(ctx context.Context, cause directory.Cause, approver id.Person, ask id.Ask, comment string) (Request, error) {
	v := verdict{e: e, cause: cause, approver: approver, agrees: true, comment: strings.TrimSpace(comment)}
	for range decideTries {
		r, err := v.attempt(ctx, ask)
		if !errors.Is(err, errAgain) {
			return r, err
		}
	}
	return Request{}, fmt.Errorf("request %s: %w", ask, ErrClosed)
}

// attempt looks at the request, and agrees in the way that follows from that.
func (v verdict) attempt(ctx context.Context, ask id.Ask) (Request, error) {
	var r Request
	var rule policies.Approval
	agreed := 0
	err := v.e.look(ctx, func(tx *db.Tx) (err error) {
		if r, err = v.e.one(tx.DB, ask); err != nil {
			return err
		}
		if v.kind, err = v.e.kind(r.Kind); err != nil {
			return err
		}
		r, rule, agreed, err = v.seen(tx, r)
		return err
	})
	if err != nil {
		return r, err
	}
	if agreed+1 < rule.People {
		err := v.e.DB.Tx(ctx, func(tx *db.Tx) error {
			records, err := v.agree(tx, r, false)
			if err != nil {
				return err
			}
			return audit.Append(tx, records...)
		})
		return r, err
	}
	r.State, r.DecidedAt = Granted, v.e.clock()
	r.Until = r.until(rule)
	cause := v.cause
	cause.Actor, cause.Reason = string(v.approver), ""
	err = v.kind.Grant(ctx, cause, r, func(tx *db.Tx) ([]audit.Record, error) { return v.agree(tx, r, true) })
	return r, err
}

// least answers the smaller of two numbers of days; 0: no bound.
func least(a, b int) int {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// seen answers a request as it may be granted on the state that tx sees, the rule by which, and how many others agreed who still may; an error says why the
// approver may not.
func (v verdict) seen(tx *db.Tx, r Request) (Request, policies.Approval, int, error) {
	rule, agreed, err := v.may(tx, r)
	if err != nil {
		return r, rule, 0, err
	}
	_, err = v.e.allowed(tx, v.kind, &r)
	return r, rule, agreed, gone(err)
}

// gone says to an approver what would tell who asks that there is nothing to ask for.
func gone(err error) error {
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrNotOffered) {
		return fmt.Errorf("%w: %v", ErrGone, err)
	}
	return err
}

// may answers the rule of a request that waits and that the approver may decide, and how many others agreed to it who may decide it still.
func (v verdict) may(tx *db.Tx, r Request) (policies.Approval, int, error) {
	if r.State != Waiting {
		return policies.Approval{}, 0, fmt.Errorf("request %s is %s: %w", r.ID, r.State, ErrClosed)
	}
	rule, err := v.kind.Rule(tx, r)
	if errors.Is(err, ErrNotOffered) {
		err = fmt.Errorf("request %s: %w", r.ID, ErrGone)
	}
	if err != nil {
		return rule, 0, err
	}
	list, err := v.e.sight(tx).approvers(r, rule)
	if err == nil && !slices.Contains(list, v.approver) {
		err = fmt.Errorf("request %s: %w", r.ID, ErrNotApprover)
	}
	agreed := r.agreed(list, v.approver)
	if err == nil && r.said(v.approver) && !(v.agrees && agreed+1 >= rule.People) { // where others may decide again it can be enough by now
		err = fmt.Errorf("request %s: %w: you have decided it", r.ID, ErrClosed)
	}
	return rule, agreed, err
}

// agree writes in tx that the approver agrees and, where last, that the request is granted as r says. What is not as the look found it is errAgain.
func (v verdict) agree(tx *db.Tx, r Request, last bool) ([]audit.Record, error) {
	now, err := v.e.locked(tx, r.ID)
	if err != nil {
		return nil, err
	}
	now, rule, agreed, err := v.seen(tx, now)
	if err != nil {
		return nil, err
	}
	if last != (agreed+1 >= rule.People) || last && (now.Role != r.Role || !r.Until.Equal(r.until(rule))) {
		return nil, errAgain
	}
	if !now.said(v.approver) {
		if err := say(tx, r.ID, Decision{Approver: v.approver, Agrees: true, Comment: v.comment, At: v.e.clock()}); err != nil {
			return nil, err
		}
	}
	if !last {
		return []audit.Record{v.e.record(v.cause, r, "approval.agreed", string(v.approver), v.comment)}, nil
	}
	if err := v.e.shut(tx, r); err != nil {
		return nil, err
	}
	if err := notices.Tell(tx, r.notice(KindGranted, r.Requester, "closed", r.DecidedAt)); err != nil {
		return nil, err
	}
	return []audit.Record{v.e.record(v.cause, r, "approval.granted", string(v.approver), v.comment)}, nil
}

// until answers when what is given at the instant of the decision ends by the rule.
func (r Request) until(rule policies.Approval) time.Time {
	end := r.AskedFor
	if days := least(r.Days, rule.MostDays); days > 0 {
		if at := r.DecidedAt.Add(time.Duration(days) * 24 * time.Hour); end.IsZero() || at.Before(end) {
			end = at
		}
	}
	if r.Minutes > 0 {
		if at := r.DecidedAt.Add(time.Duration(r.Minutes) * time.Minute); end.IsZero() || at.Before(end) {
			end = at
		}
	}
	return end
}

// Refuse has somebody refuse a request: then it is over. Errors are those of Approve; one that cannot be granted any more can be refused.
func (e *Engine) Refuse(ctx context.Context, cause directory.Cause, approver id.Person, ask id.Ask, comment string) (Request, error) {
	v := verdict{e: e, cause: cause, approver: approver, comment: strings.TrimSpace(comment)}
	var r Request
	err := e.DB.Tx(ctx, func(tx *db.Tx) (err error) {
		if r, err = e.one(tx.DB, ask); err != nil {
			return err
		}
		if v.kind, err = e.kind(r.Kind); err != nil {
			return err
		}
		if r, err = e.locked(tx, ask); err != nil {
			return err
		}
		if _, _, err := v.may(tx, r); err != nil {
			return err
		}
		d := Decision{Approver: approver, Comment: v.comment, At: e.clock()}
		if err := say(tx, ask, d); err != nil {
			return err
		}
		r.State, r.DecidedAt = Refused, d.At
		if err := e.shut(tx, r); err != nil {
			return err
		}
		if err := notices.Tell(tx, r.notice(KindRefused, r.Requester, "closed", d.At)); err != nil {
			return err
		}
		return audit.Append(tx, e.record(cause, r, "approval.refused", string(approver), v.comment))
	})
	return r, err
}

// Open is a request that waits for somebody, and why it cannot be granted, where that is so.
type Open struct {
	Request
	Obstacle error
}

// For answers what waits for a person to decide now, the oldest first.
func (e *Engine) For(ctx context.Context, person id.Person) ([]Open, error) {
	var out []Open
	err := e.look(ctx, func(tx *db.Tx) error {
		list, err := e.load(tx.DB, "state = 'waiting' and lapses_at > ? order by id limit ?", db.At(e.clock()), lookMost)
		if err != nil {
			return err
		}
		s := e.sight(tx)
		if able, err := s.able(person); err != nil || !able {
			return err
		}
		for _, r := range list {
			k, err := e.kind(r.Kind)
			if err != nil {
				continue
			}
			if over, err := overIn(tx, k, r); err != nil {
				return err
			} else if over {
				continue
			}
			rule, err := k.Rule(tx, r)
			if errors.Is(err, ErrNotOffered) {
				continue // the policy has no such request any more: it lapses
			}
			if err != nil {
				return err
			}
			who, err := s.approvers(r, rule)
			if err != nil {
				return err
			}
			if !slices.Contains(who, person) || r.said(person) && r.agreed(who, person)+1 < rule.People {
				continue
			}
			r.Lacking = max(0, rule.People-len(who))
			open := Open{Request: r}
			if _, err := e.allowed(tx, k, &open.Request); err != nil {
				open.Obstacle = gone(err)
			}
			out = append(out, open)
		}
		return nil
	})
	return out, err
}

// Approvers answers who may decide a request now, and how many are lacking; nobody where it does not wait.
func (e *Engine) Approvers(ctx context.Context, r Request) (out []id.Person, lacking int, err error) {
	if r.State != Waiting {
		return nil, 0, nil
	}
	err = e.look(ctx, func(tx *db.Tx) error {
		k, err := e.kind(r.Kind)
		if err != nil {
			return nil
		}
		rule, err := k.Rule(tx, r)
		if err == nil {
			out, err = e.sight(tx).approvers(r, rule)
			lacking = max(0, rule.People-len(out))
		}
		if errors.Is(err, ErrNotOffered) {
			err = nil
		}
		return err
	})
	return out, lacking, err
}
