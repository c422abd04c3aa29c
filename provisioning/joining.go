package provisioning

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Own joining is a reason that its person gave, and that stands as long as the group's eligibility admits them: it is evaluated with the rules, at
// every instant that is known, and has no window of its own.

// RefJoin names the reason of own joining.
const RefJoin = "eligibility"

// joined answers own joining that may stand, as the policy has it.
func (c *catalog) joined(have []Membership, now time.Time) []Match {
	var out []Match
	for _, m := range have {
		if slices.ContainsFunc(m.Reasons, func(r Reason) bool { return r.Kind == KindJoin && (r.Until.IsZero() || now.Before(r.Until)) }) {
			out = c.joins(out, m.Group)
		}
	}
	return out
}

// joins adds own joining of a group to list.
func (c *catalog) joins(list []Match, g id.Group) []Match {
	if !c.live(g) || c.policy == nil {
		return list
	}
	declared := c.policy.Group(c.key(g))
	if declared == nil || declared.Eligibility.Role == "" || slices.ContainsFunc(list, func(m Match) bool { return m.Group == g }) {
		return list
	}
	return append(list, Match{Kind: KindJoin, Group: g, Role: declared.Eligibility.Role, Ref: RefJoin})
}

// joinable answers who may join a group by themselves, and as what.
func (c *catalog) joinable(g id.Group) [2]string {
	if c.policy == nil || c.policy.Group(c.key(g)) == nil {
		return [2]string{}
	}
	e := c.policy.Group(c.key(g)).Eligibility
	return [2]string{e.Join, string(e.Role)}
}

// joined answers own joining of a person that may stand, with what this run gives. What was joined before a dismissal is over.
func (run *run) joined(c *catalog, s Standing, person id.Person, have []Membership, now time.Time) []Match {
	if s.Merged {
		return nil
	}
	if !s.Rehired.IsZero() {
		have = slices.Clone(have)
		for i, m := range have {
			have[i].Reasons = slices.DeleteFunc(slices.Clone(m.Reasons), func(r Reason) bool { return r.CreatedAt.Before(s.Rehired) })
		}
	}
	out := c.joined(have, now)
	for _, g := range run.given[person] {
		if g.Kind == KindJoin && !g.Take {
			out = c.joins(out, g.Group)
		}
	}
	return out
}

// RefElevation begins the reference of a reason that lifts a role for some time, on a place that others give.
const RefElevation = "elevation/"

func (r Reason) lifts() bool {
	return r.Kind == KindApproval && strings.HasPrefix(r.Ref, RefElevation)
}

// founded takes from seats the lifted roles that stand on nothing, and ends the others with what they stand on.
func founded(want []Seat) []Seat {
	if !slices.ContainsFunc(want, func(s Seat) bool { return slices.ContainsFunc(s.Reasons, Reason.lifts) }) {
		return want
	}
	out := slices.Clone(want)
	for i, seat := range out {
		base := slices.DeleteFunc(slices.Clone(seat.Reasons), Reason.lifts)
		if out[i].Reasons = base; len(base) == 0 {
			continue
		}
		end := closes(base)
		for _, r := range seat.Reasons {
			if !r.lifts() {
				continue
			}
			if r.Until = sooner(r.Until, end); r.Until.IsZero() || r.From.Before(r.Until) {
				out[i].Reasons = append(out[i].Reasons, r)
			}
		}
	}
	return out
}

// admitted answers which of own joining the policy lets stand at the subject's present, and until when that holds for the same facts.
func (c *catalog) admitted(s policies.Subject, joined []Match) ([]Match, time.Time, unjudged) {
	if len(joined) == 0 {
		return nil, time.Time{}, nil
	}
	keys := make([]string, len(joined))
	for i, m := range joined {
		keys[i] = c.key(m.Group)
	}
	list, next, failed := c.policy.Admits(s, keys...)
	return slices.DeleteFunc(slices.Clone(joined), func(m Match) bool {
		return !slices.ContainsFunc(list, func(a policies.Admission) bool { return a.Group == c.key(m.Group) && a.Join })
	}), next, failed
}

// Candidate is somebody as the policy in force sees them on one state: what they may do about project groups by themselves, and what stands against it.
type Candidate struct {
	Person directory.Person
	Places []Membership

	catalog *catalog
	subject policies.Subject
	held    []Membership // what stands, with what the guard holds
}

// Candidate answers somebody on the state that tx sees; directory.ErrNotFound.
func (r *Reactor) Candidate(tx *db.Tx, person id.Person) (Candidate, error) {
	c, err := r.catalogIn(tx.DB)
	if err != nil {
		return Candidate{}, err
	}
	facts, err := r.directory.In(tx).Facts(tx, []id.Person{person}, false)
	if err != nil {
		return Candidate{}, fmt.Errorf("read facts: %w", err)
	}
	if len(facts) == 0 {
		return Candidate{}, fmt.Errorf("person %s: %w", person, directory.ErrNotFound)
	}
	above, err := r.headsOf(tx, c, facts)
	if err != nil {
		return Candidate{}, err
	}
	have, err := loadMemberships(tx.DB, []id.Person{person})
	if err != nil {
		return Candidate{}, err
	}
	held, err := loadHeld(tx.DB, []id.Person{person})
	if err != nil {
		return Candidate{}, err
	}
	now := r.clock()
	f := presentFact(facts[0], now)
	return Candidate{Person: f.Person, Places: have[person], catalog: c, subject: c.subject(f, above, now), held: withHeld(have[person], held)}, nil
}

// Look calls fn with the state of now, for reading.
func (r *Reactor) Look(ctx context.Context, fn func(tx *db.Tx) error) error {
	return r.look(ctx, func(tx *db.Tx, _ *catalog) error { return fn(tx) })
}

// Admission is what somebody may do about one project group.
type Admission struct {
	Group       Group
	Description map[string]string // by language
	Role        policies.Role     // that joining or asking gives; empty where they may do neither
	Join, Ask   bool
}

// Admissions answers what the policy lets the candidate do about these groups by themselves; about all where none is named. Groups that it knows
// nothing of are left out.
func (m Candidate) Admissions(groups ...id.Group) ([]Admission, error) {
	c := m.catalog
	if c.policy == nil {
		return nil, nil
	}
	var keys []string
	for _, g := range groups {
		if c.live(g) {
			keys = append(keys, c.key(g))
		}
	}
	if len(groups) > 0 && keys == nil {
		return nil, nil
	}
	list, _, _ := c.policy.Admits(m.subject, keys...)
	out := make([]Admission, len(list))
	for i, a := range list {
		out[i] = Admission{Group: c.groups[c.byKey[a.Group]], Description: c.policy.Group(a.Group).Description, Role: a.Role, Join: a.Join, Ask: a.Ask}
	}
	return out, nil
}

// Place answers what the candidate has in a group now: the role that is in force, and the membership. Single channels that are handed over are none.
func (m Candidate) Place(g id.Group) (policies.Role, Membership) {
	for _, have := range m.Places {
		if wide := placewide(have.Reasons); have.Group == g && anyOpen(wide, m.subject.Now) {
			return roleAt(wide, m.subject.Now), have
		}
	}
	return "", Membership{}
}

// Apart answers what a separation would take, from the place or because of it, if the candidate had that role in a group.
func (m Candidate) Apart(g id.Group, role policies.Role) ([]Conflict, error) {
	c := m.catalog
	joined := c.joined(m.Places, m.subject.Now)
	before := c.conflicts(m.Person.ID, m.subject, m.held, joined)
	after := c.conflicts(m.Person.ID, m.subject, m.held, joined, policies.Wanted{Group: c.key(g), Role: role, Rule: "asked"})
	if len(after) <= len(before) {
		return nil, nil
	}
	return slices.DeleteFunc(after, func(k Conflict) bool {
		return slices.ContainsFunc(before, func(o Conflict) bool { return o.Group == k.Group && o.Rule == k.Rule && o.Separation == k.Separation })
	}), nil
}

// Decides answers how requests of a kind about a group, or about none, are decided by the policy that tx sees; false where it says nothing.
// ErrNotFound where it has no such group.
func (r *Reactor) Decides(tx *db.Tx, g id.Group, kind policies.ApprovalKind) (policies.Approval, bool, error) {
	c, err := r.catalogIn(tx.DB)
	if err == nil && g != "" && !c.live(g) {
		err = fmt.Errorf("group %s: %w", g, ErrNotFound)
	}
	if err != nil || c.policy == nil {
		return policies.Approval{}, false, err
	}
	a, said := c.policy.Decides(c.key(g), kind)
	return a, said, nil
}

// Tells answers who is told of what in a group, or of what is about none, by the policy that tx sees.
func (r *Reactor) Tells(tx *db.Tx, g id.Group) (policies.Tell, error) {
	c, err := r.catalogIn(tx.DB)
	if err != nil {
		return policies.Tell{}, err
	}
	key := ""
	if g != "" {
		key = c.key(g)
	}
	return c.policy.Tells(key), nil
}

// BeforeEnd answers so many days before a planned end somebody is told, going down; nil where the policy in force does not say.
func (r *Reactor) BeforeEnd(ctx context.Context) ([]int, error) {
	c, err := r.current(ctx)
	if err != nil || c.policy == nil {
		return nil, err
	}
	return c.policy.Notifications.BeforeEndDays, nil
}

// Group answers a group that the policy has; ErrNotFound.
func (m Candidate) Group(g id.Group) (Group, error) {
	if !m.catalog.live(g) {
		return Group{}, fmt.Errorf("group %s: %w", g, ErrNotFound)
	}
	return m.catalog.groups[g], nil
}
