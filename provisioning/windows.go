package provisioning

import (
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/policies"
)

// Known instants are written ahead: a reason carries the window within which it will hold, so that a planned start, move or
// end takes effect by the windows of tuples, whether or not anybody runs at that instant. A ground that would
// hold in several windows is written with the first; the next one follows when that is over.

// openAt tells whether the reason holds at t. A keep holds until it is swept: what it protects goes through the guard again.
func (r Reason) openAt(t time.Time) bool {
	return r.Kind == KindKeep || !t.Before(r.From) && (r.Until.IsZero() || t.Before(r.Until))
}

func anyOpen(reasons []Reason, t time.Time) bool {
	return slices.ContainsFunc(reasons, func(r Reason) bool { return r.openAt(t) })
}

// opens answers when the first reason begins to hold after t; zero where none does.
func opens(reasons []Reason, t time.Time) time.Time {
	var first time.Time
	for _, r := range reasons {
		if r.From.After(t) && (first.IsZero() || r.From.Before(first)) {
			first = r.From
		}
	}
	return first
}

// closes answers when the last reason ends; zero where one has no end.
func closes(reasons []Reason) time.Time {
	var last time.Time
	for _, r := range reasons {
		if r.Until.IsZero() || r.Kind == KindKeep {
			return time.Time{}
		}
		if r.Until.After(last) {
			last = r.Until
		}
	}
	return last
}

// roleAt answers the strongest role that reasons give at t; before they begin that with which they will.
func roleAt(reasons []Reason, t time.Time) policies.Role {
	if !anyOpen(reasons, t) {
		if t = opens(reasons, t); t.IsZero() {
			return strongest(reasons)
		}
	}
	return strongest(slices.DeleteFunc(slices.Clone(reasons), func(r Reason) bool { return !r.openAt(t) }))
}

// stay is a window within which a role is the strongest that reasons give.
type stay struct {
	role        policies.Role
	from, until time.Time
}

// stays answers the first window of each role in the whole group from now on. Where nothing holds any more, it answers what last did.
func stays(reasons []Reason, now time.Time) []stay {
	reasons = placewide(reasons)
	instants := []time.Time{now}
	for _, r := range reasons {
		for _, at := range []time.Time{r.From, r.Until} {
			if at.After(now) && r.Kind != KindKeep {
				instants = append(instants, at)
			}
		}
	}
	slices.SortFunc(instants, time.Time.Compare)
	var out []stay
	var role policies.Role
	running := -1
	for i, at := range instants {
		is := policies.Role("")
		if anyOpen(reasons, at) {
			is = roleAt(reasons, at)
		}
		if is == role {
			continue
		}
		if running >= 0 {
			out[running].until = at
		}
		role, running = is, -1
		if is == "" || slices.ContainsFunc(out, func(s stay) bool { return s.role == is }) {
			continue
		}
		from := at
		if i == 0 {
			from = earliest(reasons, is, now)
		}
		out, running = append(out, stay{role: is, from: from}), len(out)
	}
	if len(out) == 0 && len(reasons) > 0 {
		out = []stay{{strongest(reasons), time.Time{}, closes(reasons)}}
	}
	return out
}

// earliest answers since when a role that holds at t has been given; zero where one of its reasons has no beginning.
func earliest(reasons []Reason, role policies.Role, t time.Time) time.Time {
	var first time.Time
	for _, r := range reasons {
		switch {
		case r.Role != role || !r.openAt(t):
		case r.From.IsZero() || r.Kind == KindKeep:
			return time.Time{}
		case first.IsZero() || r.From.Before(first):
			first = r.From
		}
	}
	return first
}

// presentFact answers the fact as it is at now, where an instant has passed between the reading and the question.
func presentFact(f directory.Fact, now time.Time) directory.Fact {
	for len(f.Ahead) > 0 && !f.Ahead[0].At.After(now) {
		rest := f.Ahead[1:]
		f = f.Ahead[0]
		f.Ahead = rest
	}
	return f
}

// windowed answers the reason that a match gives. What holds already keeps the beginning it was given; who has not started gets
// no place before the start, but keeps one that was held before.
func (s Standing) windowed(m Match, have []Membership, now time.Time) (Reason, bool) {
	r := Reason{Kind: m.Kind, Ref: m.Ref, Role: m.Role, Version: s.Version, From: m.From, Until: m.Until}
	at := slices.IndexFunc(have, func(o Membership) bool { return o.Group == m.Group })
	if s.Begins.After(r.From) && (at < 0 || have[at].planned(now)) {
		r.From = s.Begins
	}
	if !r.Until.IsZero() && !r.From.Before(r.Until) {
		return r, false
	}
	if at >= 0 && !r.From.After(now) {
		for _, old := range have[at].Reasons {
			if old.ground() == r.ground() && !old.From.After(now) {
				r.From = old.From
			}
		}
	}
	return r, true
}

// planned tells whether the membership is one that begins later.
func (m Membership) planned(now time.Time) bool { return m.Begins.After(now) }
