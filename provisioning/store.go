package provisioning

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

func (r groupRow) group() Group {
	return Group{ID: r.ID, Key: r.Key, Names: r.Names.V, CreatedAt: r.CreatedAt.Time, ArchivedAt: r.ArchivedAt.Time}
}

func (r channelRow) channel() Channel {
	c := Channel{ID: r.ID, Kind: ChannelKind(r.Kind), Key: r.Key, Names: r.Names.V, Labels: r.Labels.V, Access: r.Access.V, History: policies.History(r.History),
		CreatedAt: r.CreatedAt.Time, ArchivedAt: r.ArchivedAt.Time}
	if r.GroupID != nil {
		c.Group = *r.GroupID
	}
	return c
}

// loadMemberships answers the current memberships of people with their standing reasons, by person and in
// the order of the groups.
func loadMemberships(q reader, people []id.Person) (map[id.Person][]Membership, error) {
	return queryMemberships(q, "m.person in ?", db.Pad(people))
}

// queryMemberships answers the current memberships that where chooses.
func queryMemberships(q reader, where string, args ...any) (map[id.Person][]Membership, error) {
	var rows []membershipRow
	if err := q.Raw("select m.* from memberships m where m.ended_at is null and "+where+" order by m.person, m.group_id", args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read memberships: %w", err)
	}
	out := map[id.Person][]Membership{}
	if len(rows) == 0 {
		return out, nil
	}
	var reasons []reasonRow
	if err := q.Raw("select r.* from reasons r join memberships m on m.id = r.membership where r.ended_at is null and m.ended_at is null and "+where+
		" order by r.created_at, r.id", args...).Scan(&reasons).Error; err != nil {
		return nil, fmt.Errorf("read reasons: %w", err)
	}
	against, err := loadRejected(q, reasons)
	if err != nil {
		return nil, err
	}
	grounds := make(map[id.Membership][]Reason, len(rows))
	for _, row := range reasons {
		r := row.reason()
		r.against = against[row.ID]
		grounds[row.Membership] = append(grounds[row.Membership], r)
	}
	for _, row := range rows {
		out[row.Person] = append(out[row.Person], row.membership(grounds[row.ID]))
	}
	return out, nil
}

func (r membershipRow) membership(reasons []Reason) Membership {
	return Membership{ID: r.ID, Person: r.Person, Group: r.GroupID, Role: r.Role, Since: r.Since.Time, Begins: r.BeginsAt.Time, Reasons: reasons}
}

// loadHeld answers the removals of people that open holds stop, by membership.
func loadHeld(q reader, people []id.Person) (map[id.Membership]heldRow, error) {
	var rows []heldRow
	if err := q.Raw("select * from held_removals where ended_at is null and person in ?", db.Pad(people)).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	out := make(map[id.Membership]heldRow, len(rows))
	for _, row := range rows {
		out[row.Membership] = row
	}
	return out, nil
}

// loadFences answers the freezes of people that stand as tuples.
func loadFences(q reader, people []id.Person) (map[id.Person][]fenceRow, error) {
	var rows []fenceRow
	if err := q.Raw("select * from fences where person in ? order by person, slot", db.Pad(people)).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read fences: %w", err)
	}
	out := map[id.Person][]fenceRow{}
	for _, row := range rows {
		out[row.Person] = append(out[row.Person], row)
	}
	return out, nil
}

// loadFailures answers what failed of people last time.
func loadFailures(q reader, people []id.Person) (map[id.Person]failureRow, error) {
	var rows []failureRow
	if err := q.Raw("select * from failures where person in ?", db.Pad(people)).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read failures: %w", err)
	}
	out := make(map[id.Person]failureRow, len(rows))
	for _, row := range rows {
		out[row.Person] = row
	}
	return out, nil
}

// recent answers what the guard counts from before: removals and held removals within the window, but of who is back in the place, and what was
// confirmed. On a day on which thousands left it is read for every single mover, hence without gorm's reflection.
func recent(q reader, now time.Time) ([]Removal, error) {
	since := db.At(now.Add(-Window))
	rows, err := q.Raw(`select membership, person, group_id, cause, source, 0 from removals where at > ?
			and not exists (select 1 from memberships m where m.person = removals.person and m.group_id = removals.group_id and m.ended_at is null and m.id <> removals.membership)
		union all select r.membership, r.person, r.group_id, r.cause, h.source, 1 from held_removals r join holds h on h.id = r.hold
		where r.ended_at is null and r.released_by = '' and r.created_at > ?
		union all select membership, person, group_id, now_cause, now_source, 1 from held_removals where ended_at is null and released_by = '' and now_cause <> '' and now_at > ?`, since, since, since).Rows()
	if err != nil {
		return nil, fmt.Errorf("read removals: %w", err)
	}
	defer rows.Close()
	var out []Removal
	for rows.Next() {
		var r Removal
		var held int
		if err := rows.Scan(&r.Membership, &r.Person, &r.Group, &r.Cause, &r.Source, &held); err != nil {
			return nil, fmt.Errorf("read removals: %w", err)
		}
		r.Held = held == 1
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read removals: %w", err)
	}
	return out, nil
}

// countMembers answers how many current members each of these groups has; who keeps single channels only is none any more.
func countMembers(q reader, groups []id.Group) (map[id.Group]int, error) {
	out := make(map[id.Group]int, len(groups))
	for part := range slices.Chunk(groups, chunkMost) {
		var rows []struct {
			GroupID id.Group
			N       int
		}
		if err := q.Raw("select group_id, count(*) as n from memberships where ended_at is null and begins_at is null and group_id in ? group by group_id", part).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("count members: %w", err)
		}
		for _, row := range rows {
			out[row.GroupID] = row.N
		}
		rows = nil
		if err := q.Raw(`select m.group_id, count(distinct m.id) as n from reasons r join memberships m on m.id = r.membership
			where r.kind = 'handover' and substr(r.ref, 1, 6) <> 'guest/' and r.ended_at is null and m.ended_at is null and m.begins_at is null and m.group_id in ?
			and not exists (select 1 from reasons o where o.membership = m.id and o.ended_at is null and (o.kind <> 'handover' or substr(o.ref, 1, 6) = 'guest/')) group by m.group_id`, part).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("count members: %w", err)
		}
		for _, row := range rows {
			out[row.GroupID] -= row.N
		}
	}
	return out, nil
}

// countPlaced answers how many people have a current membership.
func countPlaced(q reader) (int, error) {
	var n int
	if err := q.Raw("select count(distinct person) from memberships where ended_at is null and begins_at is null").Scan(&n).Error; err != nil {
		return 0, fmt.Errorf("count people: %w", err)
	}
	return n, nil
}

// duePeople answers up to limit people whose reasons have ended or whose planned memberships have begun by themselves, or whose last run failed.
func duePeople(q reader, now time.Time, limit int) ([]id.Person, error) {
	var out []id.Person
	if err := q.Raw(`select distinct m.person from reasons r join memberships m on m.id = r.membership
		where r.ended_at is null and r.until is not null and r.until <= ? and m.ended_at is null
		and not exists (select 1 from held_removals h where h.membership = m.id and h.ended_at is null)
		union select person from memberships where ended_at is null and begins_at is not null and begins_at <= ? limit ?`, db.At(now), db.At(now), limit).Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("read due reasons: %w", err)
	}
	var failed []id.Person
	if err := q.Raw("select person from failures where rules = '' order by person limit ?", limit).Scan(&failed).Error; err != nil {
		return nil, fmt.Errorf("read failures: %w", err)
	}
	return append(out, failed...), nil
}
