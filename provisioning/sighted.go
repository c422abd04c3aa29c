package provisioning

import (
	"maps"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// A policy may take channels from people, or what they may do there, and leave every place as it is: by the access and the history of a channel, by archiving it, by a weaker
// role, or by an end that it gives a place. A plan says that of each member, and counts who loses so as it counts who loses a place.

// right is what somebody may do in a channel.
type right struct {
	access  policies.Access
	joining bool // sees what was written since joining only
}

// less tells whether r is less than than.
func (r right) less(than right) bool {
	return more(than.access, r.access) || r.joining && !than.joining
}

// more tells whether a lets do more than b.
func more(a, b policies.Access) bool {
	rank := []policies.Access{policies.None, policies.Read, policies.Post, policies.Manage}
	return slices.Index(rank, a) > slices.Index(rank, b)
}

func rightIn(c Channel, role policies.Role) right { return right{c.Access[role], joining(c, role)} }

// resights answers the groups in which some role sees other channels under after than under before, or may do something else there.
func resights(before, after *catalog) map[id.Group]bool {
	out := map[id.Group]bool{}
	for g := range after.groups {
		if !before.live(g) || !after.live(g) {
			continue
		}
		for _, role := range policies.Roles() {
			if !maps.Equal(before.rights(g, role), after.rights(g, role)) {
				out[g] = true
			}
		}
	}
	return out
}

// rights answers what a role may do in the channels of a group that it sees, by their keys.
func (c *catalog) rights(g id.Group, role policies.Role) map[string]right {
	out := map[string]right{}
	for _, channel := range c.channels[g] {
		if relationOf(channel.Access[role]) != "" {
			out[channel.Key] = rightIn(channel, role)
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

// shows answers what reasons let do in the channels of a group at t, by their keys.
func (c *catalog) shows(g id.Group, reasons []Reason, t time.Time) map[string]right {
	out := map[string]right{}
	for _, channel := range c.channels[g] {
		if role := roleIn(reasons, channel, t); role != "" {
			out[channel.Key] = rightIn(channel, role)
		}
	}
	return out
}

// sighting is how what somebody may do in the channels of a group changes.
type sighting struct{ gained, lost, raised, lowered []string }

func compareRights(had, has map[string]right) sighting {
	var s sighting
	for _, key := range slices.Sorted(maps.Keys(had)) {
		is, stays := has[key]
		if !stays {
			s.lost = append(s.lost, key)
			continue
		}
		if is.less(had[key]) {
			s.lowered = append(s.lowered, key)
		}
		if had[key].less(is) { // both, where somebody may write for whom history begins with joining
			s.raised = append(s.raised, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(has)) {
		if _, stood := had[key]; !stood {
			s.gained = append(s.gained, key)
		}
	}
	return s
}

// takesLater tells whether then gives less than the reasons of m at an instant to come, but for what it gives less of at once.
func (l *ledger) takesLater(m Membership, then []Reason) bool {
	for _, r := range slices.Concat(m.Reasons, then) {
		for _, t := range []time.Time{r.From, r.Until} {
			if !t.After(l.now) {
				continue
			}
			s := compareRights(l.before.shows(m.Group, m.Reasons, t), l.after.shows(m.Group, then, t))
			if len(s.lost)+len(s.lowered) > 0 || placeRole(then, t).Strength() < placeRole(m.Reasons, t).Strength() {
				return true
			}
		}
	}
	return false
}

// resight adds to the changes of one person which channels they see no more, and which they see then, where they keep the place, and where they may do more or less.
func (l *ledger) resight(a assessment, list []PlannedChange, batch *Batch) []PlannedChange {
	note := func(m Membership, then []Reason) {
		if m.planned(l.now) {
			return
		}
		s := compareRights(l.before.shows(m.Group, m.Reasons, l.now), l.after.shows(m.Group, then, l.now))
		key := l.after.key(m.Group)
		at := slices.IndexFunc(list, func(c PlannedChange) bool { return c.Group == key })
		if at < 0 {
			if len(s.gained)+len(s.lost)+len(s.raised)+len(s.lowered) == 0 {
				return
			}
			at = len(list)
			list = append(list, PlannedChange{Person: a.person, Group: key, Op: OpChannels, Role: m.Role, Cause: CausePolicy, Ground: GroundChannels, Reasons: []string{}})
		}
		c := &list[at]
		c.Gained, c.Lost, c.Raised, c.Lowered = s.gained, s.lost, s.raised, s.lowered
		c.Later = c.Ground != GroundFacts && c.Op != OpChannels && l.takesLater(m, then)
		if c.loses() {
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
func (c PlannedChange) loses() bool {
	return c.Op == OpRemove || len(c.Lost) > 0 || c.Later || c.lowers()
}

// lowers tells whether the person keeps the place, and may do less there: by the role, or in a channel that they see still.
func (c PlannedChange) lowers() bool {
	return len(c.Lowered) > 0 || c.Op == OpRole && c.At.IsZero() && c.Role.Strength() < c.Before.Strength()
}

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
