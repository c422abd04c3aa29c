package provisioning

import (
	"cmp"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// A channel with a handover period keeps those who moved away for some days, as no more than the policy says. That is a reason of a kind of its
// own, KindHandover, whose Ref is the key of the channel: it gives that channel and nothing else of the group. It begins where the facts
// take the last rule that showed the channel, ends by its window, and is not renewed while it runs.

const day = 24 * time.Hour

// handovers are the channels of a group that have a period, each with it.
type handovers struct {
	channel Channel
	period  policies.Handover
}

// handsOver works out which channels of which groups have a period.
func (c *catalog) handsOver() {
	c.handover = map[id.Group][]handovers{}
	if c.policy == nil {
		return
	}
	for _, g := range c.policy.Groups {
		group := c.byKey[g.Key]
		for _, declared := range g.Channels {
			at := slices.IndexFunc(c.channels[group], func(o Channel) bool { return o.Key == declared.Key })
			if declared.Handover.Days > 0 && at >= 0 {
				c.handover[group] = append(c.handover[group], handovers{c.channels[group][at], declared.Handover})
			}
		}
	}
}

// edit notes the rules of before that c has not, or has with another meaning: what they gave ends by the policy, and is no move.
func (c *catalog) edit(before *policies.Policy) {
	was, is := rulesOf(before), rulesOf(c.policy)
	for ref, rule := range was {
		if now, stays := is[ref]; !stays || now.When != rule.When || now.Role != rule.Role {
			if c.edited == nil {
				c.edited = map[string]bool{}
			}
			c.edited[ref] = true
		}
	}
}

// mover is what about a person decides whether places outlast a move.
type mover struct {
	catalog *catalog
	begins  bool // a period may begin
	stays   bool // one that runs may go on
	now     time.Time
	subject func(time.Time) policies.Subject
}

// moverOf answers nil where nothing of what a person has outlasts anything.
func (run *run) moverOf(c *catalog, f directory.Fact, s Standing, now time.Time) *mover {
	if len(c.handover) == 0 || s.Merged {
		return nil
	}
	m := &mover{catalog: c, begins: f.Person.Status != directory.StatusPending, stays: true, now: now,
		subject: func(t time.Time) policies.Subject { return c.subject(presentFact(f, t), run.above, t) }}
	for _, freeze := range f.Freezes {
		if !freeze.OpenAt(now) {
			continue
		}
		switch freeze.Cause {
		case directory.CauseLeave:
		case directory.CauseVeto, directory.CauseSecurity: // somebody decided that: it is over for good
			m.begins, m.stays = false, false
		default: // what runs goes on behind the freeze, which denies everything while it lasts
			m.begins = false
		}
	}
	return m
}

// outlast adds to the seats that a person ought to have what a move leaves for some days. It is pure.
func (o *mover) outlast(have []Membership, want []Seat, matches []Match) []Seat {
	if o == nil {
		return want
	}
	out := slices.Clone(want)
	for _, m := range have {
		if !slices.ContainsFunc(want, func(s Seat) bool { return s.Group == m.Group }) {
			out = append(out, Seat{Group: m.Group})
		}
	}
	found := false
	for i, seat := range out {
		channels := o.catalog.handover[seat.Group]
		if len(channels) == 0 || !o.catalog.live(seat.Group) {
			continue
		}
		var m Membership
		if at := slices.IndexFunc(have, func(h Membership) bool { return h.Group == seat.Group }); at >= 0 {
			m = have[at]
		}
		kept := o.running(m, seat.Reasons, channels)
		kept = o.begun(m, seat.Reasons, channels, kept)
		kept = o.planned(seat.Group, seat.Reasons, channels, matches, kept)
		out[i].Reasons, found = append(slices.Clone(seat.Reasons), kept...), found || len(kept) > 0
	}
	if !found {
		return want
	}
	out = slices.DeleteFunc(out, func(s Seat) bool { return len(s.Reasons) == 0 })
	slices.SortFunc(out, func(a, b Seat) int { return cmp.Compare(a.Group, b.Group) })
	return o.catalog.apart(out, o.subject, o.now)
}

// running answers the periods that go on: the channel still has one, and nothing else shows it.
func (o *mover) running(m Membership, rest []Reason, channels []handovers) (kept []Reason) {
	role := placeRole(rest, o.now)
	for _, r := range m.Reasons {
		if r.Kind != KindHandover || !r.openAt(o.now) || !o.stays {
			continue
		}
		if slices.ContainsFunc(channels, func(h handovers) bool {
			return h.channel.Key == r.Ref && relationOf(h.channel.Access[role]) == "" && relationOf(h.channel.Access[r.Role]) != ""
		}) {
			kept = append(kept, r)
		}
	}
	return kept
}

// begun adds the periods that begin because rules give nothing any more that they gave.
func (o *mover) begun(m Membership, rest []Reason, channels []handovers, kept []Reason) []Reason {
	if !o.begins || m.planned(o.now) || !slices.ContainsFunc(m.Reasons, func(r Reason) bool {
		return r.Kind == KindRule && r.openAt(o.now) && !o.catalog.edited[r.Ref] && !slices.ContainsFunc(rest, func(s Reason) bool { return s.ground() == r.ground() })
	}) {
		return kept
	}
	return lasting(channels, placeRole(m.Reasons, o.now), placeRole(rest, o.now), o.now, kept)
}

// planned adds those that will begin when a move comes that a source plans.
func (o *mover) planned(group id.Group, rest []Reason, channels []handovers, matches []Match, kept []Reason) []Reason {
	var ends []time.Time
	for _, m := range matches {
		if m.Group == group && m.Kind == KindRule && m.Moved && m.Until.After(o.now) {
			ends = append(ends, m.Until)
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	for _, at := range ends {
		kept = lasting(channels, placeRole(rest, at.Add(-time.Microsecond)), placeRole(rest, at), at, kept)
	}
	return kept
}

// lasting adds the periods of the channels that had showed and has does not, but those that kept has already.
func lasting(channels []handovers, had, has policies.Role, at time.Time, kept []Reason) []Reason {
	for _, h := range channels {
		role := had
		if h.period.Role.Strength() < role.Strength() {
			role = h.period.Role
		}
		runs := slices.ContainsFunc(kept, func(r Reason) bool { return r.Ref == h.channel.Key })
		if relationOf(h.channel.Access[had]) == "" || relationOf(h.channel.Access[has]) != "" || relationOf(h.channel.Access[role]) == "" || runs {
			continue
		}
		kept = append(kept, Reason{Kind: KindHandover, Ref: h.channel.Key, Role: role, From: at, Until: at.Add(time.Duration(h.period.Days) * day)})
	}
	return kept
}

// apart takes from the seats the periods that a separation forbids: they yield to whatever else somebody has.
func (c *catalog) apart(want []Seat, subject func(time.Time) policies.Subject, now time.Time) []Seat {
	if !c.separates() {
		return want
	}
	out := slices.Clone(want)
	for i, seat := range out {
		for _, r := range seat.Reasons {
			if r.Kind != KindHandover {
				continue
			}
			at := r.From
			if at.Before(now) {
				at = now
			}
			var standing, rules []policies.Wanted
			for _, s := range want {
				for _, o := range s.Reasons {
					w := c.place(s.Group, o)
					switch {
					case o.Kind == KindHandover || !o.openAt(at):
					case o.Kind == KindRule:
						rules = append(rules, w)
					default:
						standing = append(standing, w)
					}
				}
			}
			without := c.policy.Separate(subject(at), standing, rules)
			with := c.policy.Separate(subject(at), append(standing, c.place(seat.Group, r)), rules)
			if len(with.Barred)+len(with.Withheld) > len(without.Barred)+len(without.Withheld) {
				out[i].Reasons = slices.DeleteFunc(slices.Clone(out[i].Reasons), func(o Reason) bool { return o.ground() == r.ground() })
			}
		}
	}
	return slices.DeleteFunc(out, func(s Seat) bool { return len(s.Reasons) == 0 })
}

// placewide answers the reasons that give a role in the whole group.
func placewide(reasons []Reason) []Reason {
	narrow := func(r Reason) bool { return r.Kind.narrow() }
	if !slices.ContainsFunc(reasons, narrow) {
		return reasons
	}
	return slices.DeleteFunc(slices.Clone(reasons), narrow)
}

// periods answers the reasons that are handover periods.
func periods(reasons []Reason) []Reason {
	return slices.DeleteFunc(slices.Clone(reasons), func(r Reason) bool { return r.Kind != KindHandover })
}

// placeRole answers the role that reasons give in the whole group at t; none where they give single channels, or nothing yet.
func placeRole(reasons []Reason, t time.Time) policies.Role {
	if wide := placewide(reasons); anyOpen(wide, t) {
		return roleAt(wide, t)
	}
	return ""
}

// roleIn answers as what a member sees a channel of the group at t, the role that lets do most in it; "" where they do not. What gives the channel for itself adds to the role in the group.
func roleIn(reasons []Reason, c Channel, t time.Time) policies.Role {
	var best policies.Role
	take := func(role policies.Role) {
		if relationOf(c.Access[role]) != "" && (best == "" || more(c.Access[role], c.Access[best])) {
			best = role
		}
	}
	take(placeRole(reasons, t))
	for _, r := range reasons {
		if r.Kind.narrow() && r.Ref == c.Key && r.openAt(t) {
			take(r.Role)
		}
	}
	return best
}

// keptUntil answers when a channel goes that a member sees for itself, for the handover or as a guest; zero where it is seen by the role in the group.
func keptUntil(reasons []Reason, c Channel, t time.Time) time.Time {
	if relationOf(c.Access[placeRole(reasons, t)]) == "" {
		for _, r := range reasons {
			if r.Kind.narrow() && r.Ref == c.Key && r.openAt(t) {
				return r.Until
			}
		}
	}
	return time.Time{}
}

// seen answers the channels that a member sees by the role in the group, or for itself by what has not been ended.
func (c *catalog) seen(m Membership) []id.Channel {
	role := m.Role
	if len(placewide(m.Reasons)) == 0 && len(m.Reasons) > 0 {
		role = ""
	}
	out := []id.Channel{}
	for _, channel := range c.channels[m.Group] {
		if relationOf(channel.Access[role]) != "" || slices.ContainsFunc(m.Reasons, func(r Reason) bool {
			return r.Kind.narrow() && r.Ref == channel.Key && relationOf(channel.Access[r.Role]) != ""
		}) {
			out = append(out, channel.ID)
		}
	}
	return out
}

// hands tells whether a step leaves, from now on, nothing but handover periods of a place.
func (s step) hands(now time.Time) bool {
	return s.Op != OpRemove && !anyOpen(placewide(standing(s)), now) && slices.ContainsFunc(s.Add, func(r Reason) bool { return r.Kind == KindHandover && r.openAt(now) })
}
