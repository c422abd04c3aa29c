package provisioning

import (
	"cmp"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Op is what a change does to a membership.
type Op string

// The operations.
const (
	OpAdd     Op = "add"     // a membership begins, now or when it is planned to
	OpBegin   Op = "begin"   // a planned one is in force
	OpRemove  Op = "remove"  // it ends
	OpRole    Op = "role"    // its role changes
	OpReasons Op = "reasons" // only its reasons change
	// OpChannels is in plans alone: the membership stays as it is, and the policy shows it other channels.
	OpChannels Op = "channels"
)

// Change is one step from the memberships a person has to those the person ought to have.
type Change struct {
	Op     Op
	Group  id.Group
	Before Membership // zero for OpAdd
	Role   policies.Role
	Begins time.Time // of a planned membership: when; zero: in force
	Add    []Reason  // reasons that begin; they have no id yet
	End    []Reason  // reasons that end
}

// Diff answers the changes that turn have into want, both of one person, in the order of the groups. It is
// pure; Diff of what stands against itself is empty. have holds at most one membership per group, want at
// most one seat per group. A seat without a reason is no seat. One that is over and comes back later is two changes.
func Diff(have []Membership, want []Seat, now time.Time) []Change {
	seats := make(map[id.Group]Seat, len(want))
	for _, s := range want {
		if len(s.Reasons) > 0 {
			seats[s.Group] = s
		}
	}
	var out []Change
	for _, m := range have {
		seat, stays := seats[m.Group]
		delete(seats, m.Group)
		if !stays {
			out = append(out, Change{Op: OpRemove, Group: m.Group, Before: m, End: m.Reasons})
			continue
		}
		c := Change{Op: OpReasons, Group: m.Group, Before: m, Role: seat.Role(now), Begins: seat.begins(now)}
		if m.Begins.IsZero() && !c.Begins.IsZero() {
			out = append(out, Change{Op: OpRemove, Group: m.Group, Before: m, End: m.Reasons}, seat.change(now))
			continue
		}
		c.Add, c.End = diffReasons(m.Reasons, seat.Reasons)
		switch {
		case !m.Begins.IsZero() && c.Begins.IsZero():
			c.Op = OpBegin
		case c.Role != m.Role:
			c.Op = OpRole
		case len(c.Add)+len(c.End) == 0:
			continue
		}
		out = append(out, c)
	}
	for _, s := range seats {
		out = append(out, s.change(now))
	}
	slices.SortStableFunc(out, func(a, b Change) int { return cmp.Compare(a.Group, b.Group) })
	return out
}

// begins answers when the seat begins, where that lies ahead.
func (s Seat) begins(now time.Time) time.Time {
	if anyOpen(s.Reasons, now) {
		return time.Time{}
	}
	return opens(s.Reasons, now)
}

// change answers how the seat begins where there was none.
func (s Seat) change(now time.Time) Change {
	return Change{Op: OpAdd, Group: s.Group, Role: s.Role(now), Begins: s.begins(now), Add: s.Reasons}
}

// diffReasons compares by ground and by window: a ground whose window moved ends and begins anew.
func diffReasons(have, want []Reason) (add, end []Reason) {
	standing := make(map[ground]Reason, len(have))
	for _, r := range have {
		standing[r.ground()] = r
	}
	for _, r := range want {
		old, ok := standing[r.ground()]
		if ok && old.From.Equal(r.From) && old.Until.Equal(r.Until) {
			delete(standing, r.ground())
			continue
		}
		add = append(add, r)
	}
	for _, r := range have {
		if _, left := standing[r.ground()]; left {
			end = append(end, r)
		}
	}
	return add, end
}

// Match is what gives a person a role in a group: a rule, or own joining that the group still admits.
type Match struct {
	Kind  Kind // KindRule or KindJoin
	Group id.Group
	Role  policies.Role
	Ref   string    // of a rule "<group key>/<rule key>"
	From  time.Time // zero: now
	Until time.Time // zero: no end is known
	Moved bool      // at Until the facts change, and with them what this rule gives
}

// Standing is what about a person, apart from rules, decides which reasons may live on.
type Standing struct {
	Terminated bool      // every record ended: nothing but a keep survives
	Absent     bool      // every source misses the person: rules give nothing
	Merged     bool      // the person is another one now
	Rehired    time.Time // of a person who came back after a dismissal: what was given before is over
	Begins     time.Time // of a person who has not started: when they do
	Placed     string    // where the person works, as a keep notes it; empty where nobody asks
	Version    int64
	Live       func(id.Group) bool         // whether the policy still has the group
	Barred     func(id.Group, Reason) bool // whether a separation forbids what no rule gave; nil: nothing
}

// Desired answers the seats a person ought to have: what the rules and own joining give, and of the other reasons
// those that are still valid at now. It is pure.
func Desired(have []Membership, matches []Match, s Standing, now time.Time) []Seat {
	seats := map[id.Group]*Seat{}
	put := func(g id.Group, r Reason) {
		seat := seats[g]
		if seat == nil {
			seat = &Seat{Group: g}
			seats[g] = seat
		}
		if !slices.ContainsFunc(seat.Reasons, func(o Reason) bool { return o.ground() == r.ground() }) {
			seat.Reasons = append(seat.Reasons, r)
		}
	}
	if !s.Terminated && !s.Absent {
		for _, m := range matches {
			if r, holds := s.windowed(m, have, now); holds {
				put(m.Group, r)
			}
		}
	}
	for _, m := range have {
		if !s.Live(m.Group) {
			continue
		}
		for _, r := range m.Reasons {
			if r.Kind == KindRule || r.Kind == KindHandover || r.Kind == KindJoin && !s.Absent || s.Merged || s.Terminated && r.Kind != KindKeep || !r.Until.IsZero() && !now.Before(r.Until) ||
				r.Kind != KindKeep && r.CreatedAt.Before(s.Rehired) {
				continue
			}
			if s.Barred != nil && s.Barred(m.Group, r) {
				continue
			}
			put(m.Group, r)
		}
	}
	out := make([]Seat, 0, len(seats))
	for _, seat := range seats {
		out = append(out, *seat)
	}
	slices.SortFunc(out, func(a, b Seat) int { return cmp.Compare(a.Group, b.Group) })
	return out
}

// causeOf says why a removal comes.
func causeOf(c Change, s Standing, now time.Time) Cause {
	expired := slices.ContainsFunc(c.Before.Reasons, func(r Reason) bool {
		return r.Kind != KindRule && r.Kind != KindKeep && !r.Until.IsZero() && !now.Before(r.Until)
	})
	planned := slices.ContainsFunc(c.Before.Reasons, func(r Reason) bool { return r.Kind == KindRule && !r.Until.IsZero() && !now.Before(r.Until) })
	switch {
	case c.Op != OpRemove:
		return CauseJoin
	case !c.Before.Begins.IsZero(): // nobody had it yet
		return CausePlanned
	case !s.Live(c.Group):
		return CausePolicy
	case s.Merged:
		return CauseMerge
	case s.Terminated:
		return CauseCleanup
	case s.Absent:
		return CauseAbsence
	case expired:
		return CauseExpiry
	case planned:
		return CausePlanned
	case guestOnly(c.Before.Reasons): // nothing but the policy takes what has not ended
		return CausePolicy
	case len(placewide(c.Before.Reasons)) == 0: // that they moved was judged when the period began
		return CauseExpiry
	}
	return CauseMove
}
