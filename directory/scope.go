package directory

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// belowUnits is the condition that a person's unit is one of some units, or of what became of one by a succession in force, or below one of them.
const belowUnits = `unit_id in (with recursive given (source_id, unit_key) as (
	select source_id, unit_key from (select id, source_id, unit_key from units
		union all select old_unit, source_id, old_key from unit_successions where settled_at is not null) known where id in ?
	union select s.source_id, s.new_key from given g join unit_successions s on s.source_id = g.source_id and s.old_key = g.unit_key where s.settled_at is not null),
	below (id, source_id, unit_key) as (
	select u.id, u.source_id, u.unit_key from given g join units u on u.source_id = g.source_id and u.unit_key = g.unit_key
	union select u.id, u.source_id, u.unit_key from below b join units u on u.source_id = b.source_id and u.parent_key = b.unit_key)
	select id from below)`

// Within tells whether person is of one of these units, or of one below: by the unit that their page shows.
func (r Reader) Within(ctx context.Context, units []id.Unit, person id.Person) (bool, error) {
	if len(units) == 0 {
		return false, nil
	}
	var n int64
	err := r.from(ctx).Raw("select count(*) from persons where id = ? and merged_into = '' and "+belowUnits, person, units).Scan(&n).Error
	if err != nil {
		return false, fmt.Errorf("read people: %w", err)
	}
	return n > 0, nil
}

// Among answers those of people whom a scope reaches by their unit.
func (r Reader) Among(ctx context.Context, scope roles.Scope, people []id.Person) (map[id.Person]bool, error) {
	out := make(map[id.Person]bool, len(people))
	for part := range slices.Chunk(people, chunk) {
		found := part
		if !scope.All {
			found = nil
			if len(scope.Units) == 0 {
				continue
			}
			if err := r.from(ctx).Raw("select id from persons where id in ? and merged_into = '' and "+belowUnits, part, scope.Units).Scan(&found).Error; err != nil {
				return nil, fmt.Errorf("read people: %w", err)
			}
		}
		for _, p := range found {
			out[p] = true
		}
	}
	return out, nil
}

// Reaches is ErrNotFound where person lies outside of scope, as for somebody whom nobody knows.
func (r Reader) Reaches(ctx context.Context, scope roles.Scope, person id.Person) error {
	if scope.All {
		return nil
	}
	ok, err := r.Within(ctx, scope.Units, person)
	if err == nil && !ok {
		err = fmt.Errorf("person %s: %w", person, ErrNotFound)
	}
	return err
}

// UnitName answers the name of a unit; ErrNotFound.
func (r Reader) UnitName(ctx context.Context, unit id.Unit) (string, error) {
	refs, err := r.unitRefs(ctx, []id.Unit{unit})
	if err != nil {
		return "", err
	}
	if refs[unit] == nil {
		return "", fmt.Errorf("unit %s: %w", unit, ErrNotFound)
	}
	return refs[unit].Name, nil
}

// within answers those of a forest that are one of these units or below one; what is above them stays out.
func within(forest []Unit, units []id.Unit) []Unit {
	inside := map[id.Unit]bool{}
	for _, u := range units {
		inside[u] = true
	}
	out := []Unit{}
	for _, u := range forest { // parents before children
		if !inside[u.ID] && !inside[u.Parent] {
			continue
		}
		if !inside[u.Parent] {
			u.Parent = ""
		}
		inside[u.ID] = true
		out = append(out, u)
	}
	return out
}
