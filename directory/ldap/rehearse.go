package ldap

import (
	"context"
	"fmt"

	"github.com/rollcall-im/rollcall/directory"
)

// crowd counts the people among those that are looked at.
func crowd(order []*object) (n int) {
	for _, o := range order {
		if o.class == ClassPerson {
			n++
		}
	}
	return n
}

// rehearse shows what would be written of people who are known, where that may be more than one transaction holds, so that whoever guards against
// much at once sees all of it before the first part. It answers who would not differ, and what to call when everything is written. The units of
// the pass, whose steps are given, are written before. An absence is not shown: all of them are one change.
func (w *writer) rehearse(ctx context.Context, p *pass, order []*object, units []step) (same map[*object]bool, over func(context.Context) error, err error) {
	if err := w.flush(ctx, units, nil); err != nil {
		return nil, nil, fmt.Errorf("write %s: %w", ClassUnit, err)
	}
	same = map[*object]bool{}
	var part []*object
	parts := func(yield func([]directory.Change) bool) {
		var changes []directory.Change
		for _, o := range order {
			if o.class != ClassPerson || !o.row {
				continue
			}
			was := *o
			st, needed := p.step(o)
			if *o = was; !needed || st.change == nil {
				continue
			}
			if part, changes = append(part, o), append(changes, st.change); len(changes) < batch {
				continue
			}
			if !yield(changes) {
				return
			}
			part, changes = nil, nil
		}
		if len(changes) > 0 {
			yield(changes)
		}
	}
	over, err = w.s.Store.Rehearse(ctx, w.s.cause(p.rep, ""), parts, func(outcomes []directory.Outcome) {
		for i, outcome := range outcomes {
			if outcome == directory.Unchanged {
				same[part[i]] = true
			}
		}
	})
	if err != nil {
		return nil, over, fmt.Errorf("look at what is to be written: %w", err)
	}
	return same, over, nil
}
