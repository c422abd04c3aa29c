package provisioning

import (
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// A policy may take channels from people, or show them some, and leave every place as it is: by the access of a channel, or by archiving it. A plan says that of
// each member, and counts who loses a channel as it counts who loses a place.

// resights answers the groups in which some role sees other channels under after than under before.
func resights(before, after *catalog) map[id.Group]bool {
	out := map[id.Group]bool{}
	for g, group := range after.groups {
		if !before.live(g) || !after.live(g) {
			continue
		}
		for _, role := range policies.Roles() {
			had, has := before.sights(group.Key, role), after.sights(group.Key, role)
			if len(had) != len(has) || len(without(had, has)) > 0 {
				out[g] = true
			}
		}
	}
	return out
}

// resighted answers those memberships whose group shows its roles other channels under the policy of a plan; of the one in force none.
func (c *catalog) resighted(have []Membership) []Membership {
	if len(c.sighted) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(have), func(m Membership) bool { return !c.sighted[m.Group] })
}

// shows answers the keys of the channels of a group that reasons show at t.
func (c *catalog) shows(g id.Group, reasons []Reason, t time.Time) []string {
	var out []string
	for _, channel := range c.channels[g] {
		if roleIn(reasons, channel, t) != "" {
			out = append(out, channel.Key)
		}
	}
	return out
}

// resight adds to the changes of one person which channels they see no more, and which they see then, where they keep the place.
func (l *ledger) resight(a assessment, list []PlannedChange, batch *Batch) []PlannedChange {
	note := func(m Membership, then []Reason) {
		if m.planned(l.now) {
			return
		}
		had, has := l.before.shows(m.Group, m.Reasons, l.now), l.after.shows(m.Group, then, l.now)
		gains, loses := without(has, had), without(had, has)
		if len(gains)+len(loses) == 0 {
			return
		}
		key := l.after.key(m.Group)
		at := slices.IndexFunc(list, func(c PlannedChange) bool { return c.Group == key })
		if at < 0 {
			at = len(list)
			list = append(list, PlannedChange{Person: a.person, Group: key, Op: OpChannels, Role: m.Role, Cause: CausePolicy, Ground: GroundChannels, Reasons: []string{}})
		}
		list[at].Gained, list[at].Lost = gains, loses
		if len(loses) > 0 {
			batch.Removals = append(batch.Removals, Removal{Membership: m.ID, Person: a.person, Group: m.Group, Cause: CausePolicy, Partly: true})
		}
	}
	for _, s := range a.steps {
		if s.Op == OpRole || s.Op == OpReasons {
			note(s.Before, standing(s))
		}
	}
	for _, m := range a.have {
		if !slices.ContainsFunc(a.steps, func(s step) bool { return s.Group == m.Group }) {
			note(m, m.Reasons)
		}
	}
	return list
}

// loses tells whether the person has less by the change.
func (c PlannedChange) loses() bool { return c.Op == OpRemove || len(c.Lost) > 0 }

// sighted tells whether somebody who is not odd has a place in one of these groups.
func (p *packed) sighted(person id.Person, groups map[id.Group]bool) bool {
	n, known := p.number[person]
	if !known || len(groups) == 0 {
		return false
	}
	for m := p.people[n].first; m >= 0; m = p.members[m].next {
		if groups[id.Group(p.names[p.members[m].group])] {
			return true
		}
	}
	return false
}
