package provisioning

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Populace chooses memberships: of a project group, of those of one who see a channel, or with a kind of reason anywhere.
type Populace struct {
	Group   id.Group
	Channel id.Channel
	Kind    Kind
	Role    policies.Role // of the strongest reason: policies.Vendor chooses outside people
	Members []id.Membership
}

// ViewsOf answers reasons as every route shows them.
func ViewsOf(reasons []Reason) []ReasonView { return reasonViews(reasons) }

// EndedBy answers which memberships a call ended.
func (r *Reactor) EndedBy(ctx context.Context, by id.Request) (map[id.Membership]bool, error) {
	var ids []id.Membership
	if err := r.db.Read(ctx).Raw("select id from memberships where ended_by = ?", by).Scan(&ids).Error; err != nil {
		return nil, fmt.Errorf("read memberships: %w", err)
	}
	out := make(map[id.Membership]bool, len(ids))
	for _, m := range ids {
		out[m] = true
	}
	return out, nil
}

// Population answers the current memberships that are chosen, with their open reasons, in the order of group and person, and by their ids
// which of them the guard holds.
func (r *Reactor) Population(ctx context.Context, of Populace) ([]Membership, map[id.Membership]id.Hold, error) {
	where, args := "1 = 1", []any(nil)
	if of.Channel != "" {
		c, err := r.Channel(ctx, of.Channel)
		if err != nil {
			return nil, nil, err
		}
		if of.Group = c.Group; c.Group == "" {
			return nil, nil, fmt.Errorf("channel %s: %w", of.Channel, ErrNotFound)
		}
		sees := []policies.Role{""}
		for role, access := range c.Access {
			if relationOf(access) != "" {
				sees = append(sees, role)
			}
		}
		slices.Sort(sees)
		where, args = where+" and m.role in ? and exists (select 1 from reasons y where y.membership = m.id and y.ended_at is null and (y.kind <> 'handover' or y.ref in ?))",
			append(args, sees, toChannel(c.Key))
	}
	if of.Group != "" {
		if _, err := r.Group(ctx, of.Group); err != nil {
			return nil, nil, err
		}
		where, args = where+" and m.group_id = ?", append(args, of.Group)
	}
	if of.Kind != "" {
		where, args = where+" and exists (select 1 from reasons x where x.membership = m.id and x.ended_at is null and x.kind = ?)", append(args, of.Kind)
	}
	if of.Role != "" {
		where, args = where+" and m.role = ?", append(args, of.Role)
	}
	if of.Members != nil {
		where, args = where+" and m.id in ?", append(args, append([]id.Membership{""}, of.Members...))
	}
	var rows []membershipRow
	q := r.db.Read(ctx)
	if err := q.Raw("select m.* from memberships m where m.ended_at is null and m.begins_at is null and "+where+" order by m.group_id, m.person", args...).Scan(&rows).Error; err != nil {
		return nil, nil, fmt.Errorf("read memberships: %w", err)
	}
	out, at := make([]Membership, len(rows)), map[id.Membership]int{}
	ids := make([]id.Membership, len(rows))
	for i, row := range rows {
		out[i] = Membership{ID: row.ID, Person: row.Person, Group: row.GroupID, Role: row.Role, Since: row.Since.Time}
		at[row.ID], ids[i] = i, row.ID
	}
	held := map[id.Membership]id.Hold{}
	for part := range slices.Chunk(ids, chunkMost) {
		var reasons []reasonRow
		if err := q.Raw("select * from reasons where membership in ? and ended_at is null order by created_at, id", db.Pad(part)).Scan(&reasons).Error; err != nil {
			return nil, nil, fmt.Errorf("read reasons: %w", err)
		}
		for _, row := range reasons {
			m := &out[at[row.Membership]]
			m.Reasons = append(m.Reasons, row.reason())
		}
		var holds []heldRow
		if err := q.Raw("select membership, hold from held_removals where membership in ? and ended_at is null", db.Pad(part)).Scan(&holds).Error; err != nil {
			return nil, nil, fmt.Errorf("read holds: %w", err)
		}
		for _, row := range holds {
			held[row.Membership] = row.Hold
		}
	}
	return out, held, nil
}
