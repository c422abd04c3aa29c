package provisioning

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// PastPlace is a place that a person had in a project group.
type PastPlace struct {
	Membership id.Membership
	Group      id.Group
	Key        string
	Names      map[string]string
	Role       policies.Role // the last
	Since      time.Time
	EndedAt    time.Time // zero: it stands
	EndCause   string
	EndedBy    id.Request
	Hold       id.Hold // that keeps it
}

// PlacesSince answers the places that a person had in project groups at an instant or later, in the order of their beginnings.
func (r *Reactor) PlacesSince(ctx context.Context, person id.Person, since time.Time) ([]PastPlace, error) {
	var rows []struct {
		ID       id.Membership
		GroupID  id.Group
		Key      string
		Names    db.JSON[map[string]string]
		Role     policies.Role
		Since    db.Instant
		EndedAt  db.Instant
		EndCause string
		EndedBy  id.Request
		Hold     id.Hold
	}
	if err := r.db.Read(ctx).Raw(`select m.id, m.group_id, g.key, g.names, m.role, m.since, m.ended_at, m.end_cause, m.ended_by, coalesce(h.hold, '') as hold
		from memberships m join project_groups g on g.id = m.group_id left join held_removals h on h.membership = m.id and h.ended_at is null
		where m.person = ? and m.begins_at is null and (m.ended_at is null or m.ended_at >= ?) order by m.since, m.id`, person, db.At(since)).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read memberships: %w", err)
	}
	out := make([]PastPlace, len(rows))
	for i, row := range rows {
		out[i] = PastPlace{Membership: row.ID, Group: row.GroupID, Key: row.Key, Names: row.Names.V, Role: row.Role, Since: row.Since.Time,
			EndedAt: row.EndedAt.Time, EndCause: row.EndCause, EndedBy: row.EndedBy, Hold: row.Hold}
	}
	return out, nil
}
