package hrfeed

import (
	"context"
	"fmt"

	"github.com/rollcall-im/rollcall/directory"
)

// rehearse shows what steps would do to people who are known, where that is more than one transaction holds, so that whoever guards against much at
// once sees all of it before the first part. It answers what to call when everything is written.
func (j *job) rehearse(steps []step) (over func(context.Context) error, err error) {
	if len(steps) <= batch {
		return func(context.Context) error { return nil }, nil
	}
	parts := func(yield func([]directory.Change) bool) {
		var changes []directory.Change
		for _, s := range steps {
			if s.p != nil && !s.p.known {
				continue
			}
			changes = append(changes, s.change)
			if _, all := s.change.(directory.MarkAbsent); !all && len(changes) < batch {
				continue
			}
			if !yield(changes) {
				return
			}
			changes = nil
		}
		if len(changes) > 0 {
			yield(changes)
		}
	}
	if over, err = j.Store.Rehearse(j.ctx, j.order.Cause, parts, func([]directory.Outcome) {}); err != nil {
		return nil, fmt.Errorf("look at what is to be written: %w", err)
	}
	return over, nil
}
