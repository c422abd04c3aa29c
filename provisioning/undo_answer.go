package provisioning

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// WhyNot says why an undo did not give something back.
type WhyNot string

// The reasons why something did not come back.
const (
	WhyLeft     WhyNot = "left"           // the person has left, or is another one now
	WhyEnded    WhyNot = "end_date"       // a date of the source ended the employment: the person is back when it is corrected
	WhyWaits    WhyNot = "plan_waits"     // it comes back with the plan that goes back, which waits
	WhyArchived WhyNot = "group_archived" // the policy in force has no such group
	WhyVersion  WhyNot = "later_version"  // another version is in force since, and does not show it
	WhyPolicy   WhyNot = "policy"         // the policy in force does not let it stand: a separation, or the role would show less than the one they have
)

// NotUndone is something that a run took of somebody and that an undo did not give back.
type NotUndone struct {
	Person   id.Person
	Group    string        // key
	Role     policies.Role // of the place that is not back, or that is back in a weaker role; empty: what the person misses is channels alone
	Channels []string      // keys of those that they see no more, or may do less in
	Why      WhyNot
}

// claim is what a run took: a role in a group, channels of it, or both.
type claim struct {
	position
	role   policies.Role
	rights map[string]right // in channels, by key
	ended  id.Membership    // that it ended; none of a plan's change
}

// claim answers what a change of a plan took.
func (p *Plan) claim(c *catalog, before *policies.Group, change PlannedChange) claim {
	out := claim{position: position{change.Person, c.byKey[change.Group]}, rights: map[string]right{}}
	lost, was := slices.Concat(change.Lost, change.Lowered), change.Role
	switch change.Op {
	case OpRemove:
		out.role = change.Role
		for _, s := range p.Sights {
			if s.Group == change.Group && s.Before == change.Role && s.After == "" {
				lost = s.Loses
			}
		}
	case OpRole:
		if out.role, was = change.Before, change.Before; change.Role.Strength() > change.Before.Strength() {
			out.role = ""
		}
	}
	for _, key := range lost {
		out.rights[key] = right{access: policies.None} // to see it is enough, where it came by a handover period
		if at := slices.IndexFunc(before.Channels, func(o policies.Channel) bool { return o.Key == key }); at >= 0 {
			out.rights[key] = rightBy(before.Channels[at], was)
		}
	}
	return out
}

// answer completes what an undo says: whose places are back, and what is not.
func (r *Reactor) answer(ctx context.Context, took *taking, out *Restored) error {
	slices.SortStableFunc(took.claims, func(a, b claim) int { return cmp.Compare(a.person, b.person) })
	for part := range slices.Chunk(took.claims, chunkMost) {
		if err := r.look(ctx, func(tx *db.Tx, c *catalog) error {
			return r.compareClaims(tx, c, part, took.version > 0 && c.version != took.version, out)
		}); err != nil {
			return err
		}
	}
	out.People = distinct(out.People)
	return nil
}

// missing answers the channels in which less is had than was taken.
func (of claim) missing(has map[string]right) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(of.rights)) {
		if is, seen := has[key]; !seen || is.less(of.rights[key]) {
			out = append(out, key)
		}
	}
	return out
}

// compareClaims notes which of these claims are met.
func (r *Reactor) compareClaims(tx *db.Tx, c *catalog, part []claim, later bool, out *Restored) error {
	people := make([]id.Person, len(part))
	for i, of := range part {
		people[i] = of.person
	}
	people = distinct(people)
	have, err := loadMemberships(tx.DB, people)
	if err != nil {
		return err
	}
	facts, err := r.directory.In(tx).Facts(tx, people, false)
	if err != nil {
		return fmt.Errorf("read facts: %w", err)
	}
	now := r.clock()
	for _, of := range part {
		var m Membership
		if at := slices.IndexFunc(have[of.person], func(m Membership) bool { return m.Group == of.group }); at >= 0 {
			m = have[of.person][at]
		}
		if of.ended != "" && m.ID == of.ended {
			out.Memberships, out.People = out.Memberships+1, append(out.People, of.person)
		}
		left := slices.ContainsFunc(facts, func(f directory.Fact) bool {
			return f.Person.ID == of.person && (f.Person.Status.Left() || f.Person.MergedInto != "")
		})
		miss := NotUndone{Person: of.person, Group: c.key(of.group), Channels: of.missing(c.shows(of.group, m.Reasons, now))}
		if placeRole(m.Reasons, now).Strength() < of.role.Strength() {
			miss.Role = of.role
		}
		if miss.Role == "" && len(miss.Channels) == 0 {
			if out.Applied && of.ended == "" {
				out.People = append(out.People, of.person)
			}
			continue
		}
		ended := slices.ContainsFunc(facts, func(f directory.Fact) bool { return f.Person.ID == of.person && endedByDate(f, now) })
		switch miss.Why = WhyPolicy; {
		case ended:
			miss.Why = WhyEnded
		case left:
			miss.Why = WhyLeft
		case out.Plan != "" && !out.Applied:
			miss.Why = WhyWaits
		case !c.live(of.group):
			miss.Why = WhyArchived
		case later:
			miss.Why = WhyVersion
		}
		out.note(miss)
	}
	return nil
}

// endedByDate tells whether a date of a source keeps somebody out, and nothing else of a source.
func endedByDate(f directory.Fact, now time.Time) bool {
	by := func(causes ...directory.FreezeCause) bool {
		return slices.ContainsFunc(f.Freezes, func(z directory.Freeze) bool { return slices.Contains(causes, z.Cause) && z.OpenAt(now) })
	}
	return by(directory.CauseEnded) && !by(directory.CauseDeleted, directory.CauseDisabled)
}

// note adds what did not come back, once of each place; they come person by person.
func (out *Restored) note(miss NotUndone) {
	for i := len(out.NotUndone) - 1; i >= 0 && out.NotUndone[i].Person == miss.Person; i-- {
		if o := &out.NotUndone[i]; o.Group == miss.Group {
			if len(miss.Channels) > len(o.Channels) {
				*o = miss
			}
			return
		}
	}
	out.NotUndone = append(out.NotUndone, miss)
}
