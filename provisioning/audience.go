package provisioning

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// AudienceEntry is one person with a place in a channel, and why.
type AudienceEntry struct {
	Membership Membership // of a direct channel: without id, group and reasons
	Name       string     // the person's display name
	Suspended  bool       // a freeze is open: the place is kept and gives nothing
	Held       bool       // a removal is held: nothing but the guard keeps the place
}

// Audience answers who has a place in a channel, in order of the people, up to limit after the person after.
// more tells whether others follow.
func (r *Reactor) Audience(ctx context.Context, channel id.Channel, after id.Person, limit int) (entries []AudienceEntry, more bool, err error) {
	c, err := r.Channel(ctx, channel)
	if err != nil {
		return nil, false, err
	}
	if c.Kind != KindProject {
		var list []Membership
		for _, p := range c.People {
			if p > after {
				list = append(list, Membership{Person: p, Role: policies.Participant, Since: c.CreatedAt})
			}
		}
		return r.entries(ctx, list, limit)
	}
	var roles []policies.Role
	for _, role := range policies.Roles() {
		if relationOf(c.Access[role]) != "" && c.ArchivedAt.IsZero() {
			roles = append(roles, role)
		}
	}
	return r.seated(ctx, c.Group, roles, c.Key, after, limit)
}

// Members answers who has a place in a project group, whatever the role; see Audience.
func (r *Reactor) Members(ctx context.Context, group id.Group, after id.Person, limit int) (entries []AudienceEntry, more bool, err error) {
	if _, err := r.Group(ctx, group); err != nil {
		return nil, false, err
	}
	return r.seated(ctx, group, policies.Roles(), "", after, limit)
}

// seated answers who has one of these roles in a group. Where only names a channel of it, of those who keep single channels it is who keeps that.
func (r *Reactor) seated(ctx context.Context, group id.Group, roles []policies.Role, only string, after id.Person, limit int) ([]AudienceEntry, bool, error) {
	if len(roles) == 0 {
		return nil, false, nil
	}
	q := r.db.Read(ctx)
	var people []id.Person
	where, args := "", []any{group, roles, after}
	if only != "" {
		where = ` and (exists (select 1 from reasons r where r.membership = m.id and r.ended_at is null and (r.kind <> 'handover' or r.ref in ?)))`
		args = append(args, toChannel(only))
	}
	if err := q.Raw("select m.person from memberships m where m.group_id = ? and m.role in ? and m.person > ? and m.ended_at is null"+where+" order by m.person limit ?",
		append(args, limit+1)...).Scan(&people).Error; err != nil {
		return nil, false, fmt.Errorf("read members: %w", err)
	}
	if len(people) == 0 {
		return nil, false, nil
	}
	found, err := queryMemberships(q, "m.group_id = ? and m.role in ? and m.person in ?", group, roles, people)
	if err != nil {
		return nil, false, err
	}
	var list []Membership
	for _, p := range people {
		list = append(list, found[p]...)
	}
	return r.entries(ctx, list, limit)
}

// entries fills in who they are.
func (r *Reactor) entries(ctx context.Context, list []Membership, limit int) ([]AudienceEntry, bool, error) {
	more := len(list) > limit
	if more {
		list = list[:limit]
	}
	if len(list) == 0 {
		return nil, false, nil
	}
	var people []id.Person
	for _, m := range list {
		people = append(people, m.Person)
	}
	found, err := r.directory.PeopleByID(ctx, people)
	if err != nil {
		return nil, false, fmt.Errorf("read people: %w", err)
	}
	known := make(map[id.Person]directory.Person, len(found))
	for _, p := range found {
		known[p.ID] = p
	}
	held, err := loadHeld(r.db.Read(ctx), people)
	if err != nil {
		return nil, false, err
	}
	out := make([]AudienceEntry, len(list))
	for i, m := range list {
		_, stopped := held[m.ID]
		out[i] = AudienceEntry{Membership: m, Name: known[m.Person].DisplayName, Suspended: known[m.Person].Frozen, Held: stopped}
	}
	return out, more, nil
}

// MembershipView is one membership of a person with its group and the channels it gives.
type MembershipView struct {
	Membership
	Of        Group
	Channels  []Channel
	Suspended bool
	Held      bool
	hold      HeldBy // where it is held
}

// MembershipsOf answers the current memberships of a person in the order of the groups' keys; directory.ErrNotFound.
func (r *Reactor) MembershipsOf(ctx context.Context, person id.Person) ([]MembershipView, error) {
	p, err := r.directory.Person(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("person %s: %w", person, err)
	}
	c, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	q := r.db.Read(ctx)
	found, err := loadMemberships(q, []id.Person{person})
	if err != nil {
		return nil, err
	}
	held, err := loadHeld(q, []id.Person{person})
	if err != nil {
		return nil, err
	}
	var out []MembershipView
	for _, m := range found[person] {
		v := MembershipView{Membership: m, Of: c.groups[m.Group], Suspended: p.Frozen}
		if row, stopped := held[m.ID]; stopped {
			v.Held, v.hold = true, HeldBy{Hold: row.Hold, Cause: cmp.Or(row.NowCause, row.Cause), Since: row.CreatedAt.Time}
		}
		sees := c.seen(m)
		for _, channel := range c.channels[m.Group] {
			if slices.Contains(sees, channel.ID) {
				v.Channels = append(v.Channels, channel)
			}
		}
		out = append(out, v)
	}
	sortViews(out)
	return out, nil
}

func sortViews(list []MembershipView) {
	slices.SortFunc(list, func(a, b MembershipView) int { return strings.Compare(a.Of.Key, b.Of.Key) })
}
