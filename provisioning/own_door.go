package provisioning

import (
	"slices"

	"github.com/rollcall-im/rollcall/directory"
)

// Four eyes count what is taken. What a plan gives is nobody's loss, but for one thing: whoever writes a plan, or applies it, does not let himself into a restricted channel alone.

// watch notes in which groups with restricted channels a plan gives a person who is watched a place, a stronger or a longer one, or lets them see or do more in such a channel. The first
// policy of all opens nothing.
func (l *ledger) watch(a assessment, changes []PlannedChange) {
	if _, watched := l.given[a.person]; !watched || l.before.policy == nil {
		return
	}
	for _, c := range changes {
		was, is := l.before.policy.Group(c.Group), l.after.policy.Group(c.Group)
		if !was.Restricted() && !is.Restricted() {
			continue
		}
		gives := c.Op == OpAdd || c.Op == OpBegin || c.Op == OpRole && c.Role.Strength() > c.Before.Strength()
		if more := slices.Concat(c.Gained, c.Raised); len(more) > 0 {
			gives = gives || was.Restricted(more...) || is.Restricted(more...)
		}
		for _, s := range a.steps {
			ends, will := closes(s.Before.Reasons), closes(standing(s))
			gives = gives || s.Op == OpReasons && l.after.key(s.Group) == c.Group && !ends.IsZero() && (will.IsZero() || will.After(ends))
		}
		if gives {
			l.given[a.person] = append(l.given[a.person], c.Group)
		}
	}
}

// asOf brings a plan that is being applied up to what was looked at again: what other plans took meanwhile, and what it gives to whom.
func (p *Plan) asOf(l *ledger, cause directory.Cause) {
	p.together, p.gives = l.body.Together, l.given[p.Behind]
	if cause.Behind != p.Behind && len(l.given[cause.Behind]) > 0 {
		p.applier = cause.Behind
	}
}
