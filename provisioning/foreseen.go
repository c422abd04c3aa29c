package provisioning

import (
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

const (
	// momentsMost bounds at how many instants one person is looked at; later ones follow when the first have passed.
	momentsMost = 48
	// momentsWatched bounds it for those who are watched; see watch. A rule can ask for as many instants as it has values, and each is looked at with every rule.
	momentsWatched = 1000
)

// moment is an instant from which on something may be otherwise.
type moment struct {
	fact  directory.Fact
	at    time.Time
	moves bool // because of the facts, not because a rule or a reason asks for it
}

// foreseen evaluates the policy for a person now and at each instant that is known, and answers what its rules give with the
// windows of that, and what of own joining stands. An instant is known because a source plans something of the person, or of a manager above, or because a rule asks whether it
// has come. begins is when a person who has not started yet does. At an end nothing changes here: what
// the freeze of an end takes is cleaned up after it, by the guard. beyond tells that there are more instants than the most that are looked at.
func (c *catalog) foreseen(f directory.Fact, above heads, have []Membership, joined []Match, now time.Time, most int) (matches []Match, begins time.Time, failed unjudged, beyond bool) {
	moments, beyond := c.moments(f, above, have, now, most)
	var given [][]Match
	var horizon time.Time // where there are more instants than are looked at: the first that is not
	for i := 0; i < len(moments); i++ {
		m := moments[i]
		if i > 0 && m.fact.Person.Status.Left() {
			given = append(given, given[i-1])
			continue
		}
		subject := c.subject(m.fact, above, m.at)
		list, own, next, wrong := c.given(subject, have, joined, i == 0)
		if i == 0 {
			joined, failed = own, wrong // what is over does not come back
		}
		given = append(given, append(list, own...))
		if !next.IsZero() && (i+1 == len(moments) || next.Before(moments[i+1].at)) {
			if len(moments) < most {
				moments = slices.Insert(moments, i+1, moment{fact: m.fact, at: next})
			} else {
				given, moments, horizon = given[:i+1], moments[:i+1], next
			}
		}
		if begins.IsZero() && i > 0 && f.Person.Status == directory.StatusPending && m.fact.Person.Status != directory.StatusPending {
			begins = m.at
		}
	}
	if len(moments) == 1 && horizon.IsZero() {
		return given[0], begins, failed, beyond
	}
	return windows(moments, given, horizon), begins, failed, beyond || !horizon.IsZero()
}

// moments answers when the facts themselves are known to change, from now on; beyond tells that some are left out.
func (c *catalog) moments(f directory.Fact, above heads, have []Membership, now time.Time, most int) (out []moment, beyond bool) {
	out = []moment{{f, now, true}}
	managers := []id.Person{f.Person.Manager}
	for _, then := range f.Ahead {
		out = append(out, moment{then, then.At, true})
		managers = append(managers, then.Person.Manager)
	}
	insert := func(instants []time.Time, moves bool) {
		for _, at := range instants {
			i, known := slices.BinarySearchFunc(out, at, func(m moment, at time.Time) int { return m.at.Compare(at) })
			if i == 0 || known {
				continue
			}
			if len(out) >= most {
				beyond = true
				continue
			}
			out = slices.Insert(out, i, moment{out[i-1].fact, at, moves})
		}
	}
	if above != nil {
		insert(above.instants(managers), true)
	}
	var more []time.Time
	if c.separates() { // what stands beside rules may begin or end
		for _, m := range have {
			for _, r := range m.Reasons {
				if r.Kind != KindRule && r.Kind != KindKeep && r.Kind != KindHandover {
					more = append(more, r.From, r.Until)
				}
			}
		}
	}
	insert(more, false)
	return out, beyond
}

// windows answers each match with the first window in which it is given.
func windows(moments []moment, given [][]Match, horizon time.Time) []Match {
	var out []Match
	seen := map[Match]bool{}
	for i, list := range given {
		for _, m := range list {
			if seen[m] {
				continue
			}
			seen[m] = true
			end := i + 1
			for end < len(given) && slices.Contains(given[end], m) {
				end++
			}
			window := m
			if window.Until = horizon; end < len(given) {
				window.Until, window.Moved = moments[end].at, moments[end].moves
			}
			if i > 0 {
				window.From = moments[i].at
			}
			out = append(out, window)
		}
	}
	return out
}
