package provisioning

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Ownership is who answers for a project group, and who is to when nobody does.
type Ownership struct {
	Group      Group
	Restricted bool // it has restricted channels
	Successors []policies.Successor
	Owners     []Owner   // now, whether or not they have access
	Former     id.Person // whose ownership ended last; empty where nobody's did
}

// Owner is a person with the role of owner, and the references of the grants among the reasons for it; Ruled where there is any other.
type Owner struct {
	Person id.Person
	Grants []string
	Ruled  bool
}

// Ownerships answers the groups of the policy in force that have or had an owner: these, or all where groups is nil.
func (r *Reactor) Ownerships(ctx context.Context, groups []id.Group) ([]Ownership, error) {
	c, err := r.current(ctx)
	if err != nil || c.policy == nil {
		return nil, err
	}
	now := r.clock()
	q := r.db.Read(ctx)
	where, args := "", []any(nil)
	if groups != nil {
		if len(groups) == 0 {
			return nil, nil
		}
		where, args = " and m.group_id in ?", []any{groups}
	}
	var rows []struct {
		Kind            Kind
		Ref             string
		StartsAt, Until db.Instant
		EndedAt         db.Instant
		Person          id.Person
		GroupID         id.Group
	}
	// Of what is over, only the last of each group.
	if err := q.Raw(`select r.kind, r.ref, r.starts_at, r.until, r.ended_at, m.person, m.group_id from reasons r join memberships m on m.id = r.membership
		where r.role = 'owner' and (r.ended_at is null and m.ended_at is null or r.ended_at = (select max(o.ended_at) from reasons o
			join memberships n on n.id = o.membership where o.role = 'owner' and n.group_id = m.group_id))`+where+" order by m.group_id, m.person, r.id", args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read owners: %w", err)
	}
	byGroup := map[id.Group]*Ownership{}
	var order []id.Group
	for _, row := range rows {
		if !c.live(row.GroupID) {
			continue
		}
		o := byGroup[row.GroupID]
		if o == nil {
			g := c.groups[row.GroupID]
			o = &Ownership{Group: g, Restricted: len(c.restricted(g.ID)) > 0}
			if declared := c.policy.Group(g.Key); declared != nil {
				o.Successors = declared.Successors
			}
			byGroup[row.GroupID], order = o, append(order, row.GroupID)
		}
		reason := Reason{Kind: row.Kind, Ref: row.Ref, From: row.StartsAt.Time, Until: row.Until.Time}
		switch {
		case !row.EndedAt.IsZero():
			o.Former = row.Person
		case reason.openAt(now):
			o.add(row.Person, reason)
		}
	}
	out := make([]Ownership, len(order))
	for i, g := range order {
		out[i] = *byGroup[g]
	}
	return out, nil
}

func (o *Ownership) add(person id.Person, reason Reason) {
	at := slices.IndexFunc(o.Owners, func(w Owner) bool { return w.Person == person })
	if at < 0 {
		o.Owners, at = append(o.Owners, Owner{Person: person}), len(o.Owners)
	}
	if reason.Kind == KindGrant {
		o.Owners[at].Grants = append(o.Owners[at].Grants, reason.Ref)
	} else {
		o.Owners[at].Ruled = true
	}
}

// MembersSince answers who has a role in a group now, those who have been there longest first, at most limit.
func (r *Reactor) MembersSince(ctx context.Context, group id.Group, role policies.Role, limit int) ([]id.Person, error) {
	var out []id.Person
	if err := r.db.Read(ctx).Raw(`select person from memberships where group_id = ? and role = ? and ended_at is null and begins_at is null
		and exists (select 1 from reasons r where r.membership = memberships.id and r.ended_at is null and r.kind <> ?) order by since, person limit ?`, group, role, KindHandover, limit).Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("read members: %w", err)
	}
	return out, nil
}

// OwnedBy answers the groups of which these people are owners now.
func (r *Reactor) OwnedBy(ctx context.Context, people []id.Person) ([]id.Group, error) {
	var out []id.Group
	for part := range slices.Chunk(people, chunkMost) {
		var found []id.Group
		if err := r.db.Read(ctx).Raw(`select distinct m.group_id from memberships m join reasons r on r.membership = m.id
			where m.person in ? and m.ended_at is null and r.role = 'owner' and r.ended_at is null`, part).Scan(&found).Error; err != nil {
			return nil, fmt.Errorf("read owners: %w", err)
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// OwnersIn answers who is owner of a group now, as tx sees it, whether or not they have access.
func (r *Reactor) OwnersIn(tx *db.Tx, group id.Group) ([]id.Person, error) {
	now := db.At(r.clock())
	var out []id.Person
	if err := tx.Raw(`select distinct m.person from memberships m join reasons r on r.membership = m.id where m.group_id = ? and m.ended_at is null and r.role = 'owner' and r.kind <> 'handover'
		and r.ended_at is null and (r.starts_at is null or r.starts_at <= ?) and (r.until is null or r.until > ?) order by m.person`, group, now, now).Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("read owners: %w", err)
	}
	return out, nil
}

// Outsiders answers which of these people have a place as somebody from outside.
func (r *Reactor) Outsiders(ctx context.Context, people []id.Person) (map[id.Person]bool, error) {
	return r.OutsidersIn(&db.Tx{DB: r.db.Read(ctx)}, people)
}

// OutsidersIn is Outsiders as tx sees it.
func (r *Reactor) OutsidersIn(tx *db.Tx, people []id.Person) (map[id.Person]bool, error) {
	out := map[id.Person]bool{}
	for part := range slices.Chunk(people, chunkMost) {
		var found []id.Person
		if err := tx.Raw(`select distinct m.person from memberships m join reasons r on r.membership = m.id
			where m.person in ? and m.ended_at is null and r.role = 'vendor' and r.ended_at is null`, part).Scan(&found).Error; err != nil {
			return nil, fmt.Errorf("read outside people: %w", err)
		}
		for _, p := range found {
			out[p] = true
		}
	}
	return out, nil
}
