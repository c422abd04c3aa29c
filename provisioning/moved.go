package provisioning

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Moved is a channel that somebody keeps for some days after they moved away.
type Moved struct {
	Person  id.Person
	Group   id.Group
	Channel id.Channel
	Role    policies.Role
	Until   time.Time
	Owners  []id.Person // of the group, others than the person
}

// kept notes the periods that begin with a step, or began before it, when the move came that had been planned.
func (s *sheet) kept(person id.Person, step step) {
	begun := step.Add
	if len(placewide(step.End)) > 0 {
		begun = standing(step)
	}
	for _, r := range periods(begun) {
		for _, c := range s.catalog.channels[step.Group] {
			if c.Key == r.Ref && r.openAt(s.now) {
				s.moved = append(s.moved, Moved{Person: person, Group: step.Group, Channel: c.ID, Role: r.Role, Until: r.Until})
			}
		}
	}
}

func (r *Reactor) tellMoved(tx *db.Tx, list []Moved) error {
	if r.TellMoved == nil || len(list) == 0 {
		return nil
	}
	owners := map[id.Group][]id.Person{}
	for i, m := range list {
		if _, known := owners[m.Group]; !known {
			var found []id.Person
			if err := tx.Raw("select person from memberships where group_id = ? and role = ? and ended_at is null and begins_at is null order by person", m.Group, policies.Owner).
				Scan(&found).Error; err != nil {
				return fmt.Errorf("read owners: %w", err)
			}
			owners[m.Group] = found
		}
		list[i].Owners = slices.DeleteFunc(slices.Clone(owners[m.Group]), func(p id.Person) bool { return p == m.Person })
	}
	return r.TellMoved(tx, list)
}

// handed answers the changes of tuples by which those who see a channel for itself follow what it gives.
func (s channelStep) handed(q reader) ([]authz.Change, error) {
	if s.before.ID == "" {
		return nil, nil
	}
	var rows []struct {
		Person          id.Person
		Role            policies.Role
		StartsAt, Until db.Instant
	}
	if err := q.Raw(`select m.person, r.role, r.starts_at, r.until from reasons r join memberships m on m.id = r.membership
		where r.kind = ? and r.ref in ? and r.ended_at is null and m.group_id = ? and m.ended_at is null`, KindHandover, toChannel(s.before.Key), s.before.Group).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read who sees a channel for itself: %w", err)
	}
	var out []authz.Change
	for _, row := range rows {
		tuple := func(c Channel) []authz.Tuple {
			relation := relationOf(c.Access[row.Role])
			if relation == "" {
				return nil
			}
			return []authz.Tuple{{User: userRef(row.Person), Relation: relation, Object: channelRef(c.ID), From: row.StartsAt.Time, Until: row.Until.Time}}
		}
		out = append(out, turn(tuple(s.before), tuple(s.after))...)
	}
	return out, nil
}
