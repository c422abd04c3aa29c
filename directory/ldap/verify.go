package ldap

import (
	"context"
	"fmt"
	"time"
)

// verified notes that the store holds what the directory said at that moment.
func (f *session) verified(at time.Time) {
	if !f.caught {
		return
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if at.After(f.s.status.VerifiedAt) {
		f.s.status.VerifiedAt = at
	}
	f.s.well()
}

// beat looks at doubts, and after a stream that is silent.
func (f *session) beat(ctx context.Context) error {
	now := f.s.now()
	if due := f.due(now); f.caught && len(due) > 0 {
		if err := f.review(ctx, due); err != nil {
			return err
		}
	}
	if !f.caught || now.Sub(f.heard) < quietMost || now.Sub(f.askedAt) < quietMost/2 {
		return nil
	}
	position, err := f.reader.Position(ctx)
	if err != nil {
		return fmt.Errorf("the stream is silent: %w", err)
	}
	// The same mark as before: nothing was written since it was first seen, and the store was level after that.
	if position != "" && position == f.position && f.s.Status().VerifiedAt.After(f.askedAt) {
		f.verified(now)
	}
	if f.position != "" && position != f.position && f.movedAt.IsZero() {
		f.movedAt = now
	}
	if f.position != position || position == "" {
		f.position, f.askedAt = position, now
	}
	if !f.movedAt.IsZero() && now.Sub(f.movedAt) > stuckMost {
		return fmt.Errorf("%w: the stream is silent, and the server is written to", ErrTimeout)
	}
	return nil
}
