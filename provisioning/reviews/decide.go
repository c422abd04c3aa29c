package reviews

import (
	"context"
	"fmt"
	"strings"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Answer is what somebody decides about one line.
type Answer struct {
	Membership id.Membership
	Decision   string // Keep or Remove
	Why        string // of Keep: needed
}

// whyMost bounds a reason, in characters.
const whyMost = 500

// Decide has somebody decide lines of a review, all or none: the reviewer of each or, where admin, whoever administers reviews. A decision
// may be changed until the review ends; it takes effect then. ErrOwn for a line about themselves, ErrNotFound for one of somebody else's.
func (e *Engine) Decide(ctx context.Context, by id.Person, actor string, admin bool, review id.Review, answers []Answer) error {
	r, err := e.Review(ctx, review)
	if err != nil {
		return err
	}
	if now := e.clock(); !r.ClosedAt.IsZero() || !now.Before(r.EndsAt) {
		return fmt.Errorf("review %s: %w", review, ErrClosed)
	}
	lines, err := e.Lines(ctx, review)
	if err != nil {
		return err
	}
	of := map[id.Membership]Line{}
	for _, l := range lines {
		of[l.Membership] = l
	}
	var decided []Line
	var records []audit.Record
	for _, a := range answers {
		l, known := of[a.Membership]
		a.Why = strings.TrimSpace(a.Why)
		switch {
		case !known || !admin && l.Reviewer != by:
			return fmt.Errorf("line %s of review %s: %w", a.Membership, review, ErrNotFound)
		case by != "" && l.Person == by:
			return ErrOwn
		case a.Decision != Keep && a.Decision != Remove:
			return fmt.Errorf("%w: a decision is keep or remove", ErrInvalid)
		case a.Decision == Keep && a.Why == "":
			return ErrWhy
		case len([]rune(a.Why)) > whyMost:
			return fmt.Errorf("%w: a reason has at most %d characters", ErrInvalid, whyMost)
		}
		l.Decision, l.Why, l.DecidedBy, l.DecidedAt = a.Decision, a.Why, actor, e.clock()
		decided = append(decided, l)
		record := r.record(l.DecidedAt, actor, "review.decided", map[string]any{"membership": string(l.Membership), "person": string(l.Person), "decision": l.Decision})
		if l.Why != "" {
			record.Personal = map[string]any{"why": l.Why}
		}
		records = append(records, record)
	}
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		for _, l := range decided {
			if err := decide(tx, l); err != nil {
				return err
			}
		}
		return audit.Append(tx, records...)
	})
}
