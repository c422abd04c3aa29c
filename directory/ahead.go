package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// aheadMost bounds how many future instants of one person are worked out; later ones are when these have passed.
const aheadMost = 16

// factAt is one instant at which somebody's facts are worked out from their records.
type factAt struct {
	of            int // which fact
	at            time.Time
	present       bool
	person        Person
	unit, manager reference
}

// ahead works out what will hold of these people at each instant that is known, and what holds now of those
// whose rows are behind an instant that has passed: rows only follow the clock, they do not decide.
func (r Reader) ahead(ctx context.Context, out []Fact, rows []personRow, sources map[id.Source]Source, paths unitPaths, now time.Time) error {
	var list []factAt
	managers := map[id.Source]map[string]bool{}
	add := func(i int, at time.Time, present bool) {
		f := factAt{of: i, at: at, present: present}
		f.person, f.unit, f.manager = merge(out[i].Records, sources, at)
		if f.manager.key != "" {
			if managers[f.manager.source] == nil {
				managers[f.manager.source] = map[string]bool{}
			}
			managers[f.manager.source][f.manager.key] = true
		}
		list = append(list, f)
	}
	for i := range out {
		due := rows[i].DueAt.Time
		if due.IsZero() || len(out[i].Records) == 0 {
			continue // nothing is known to change by itself
		}
		if !due.After(now) {
			add(i, now, true)
		}
		var last time.Time
		n := 0
		for _, b := range boundaries(out[i].Records, out[i].Freezes) {
			if b.at.After(now) && b.at.After(last) && n < aheadMost {
				add(i, b.at, false)
				last = b.at
				n++
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	heads, err := r.behind(ctx, managers)
	if err != nil {
		return err
	}
	for _, f := range list {
		to := &out[f.of]
		was, p := to.Person, f.person
		p.ID, p.Unit, p.Manager, p.Groups = was.ID, paths.ids[f.unit], heads[f.manager], was.Groups
		p.MergedInto, p.RehiredAt, p.Version, p.CreatedAt, p.UpdatedAt = was.MergedInto, was.RehiredAt, was.Version, was.CreatedAt, was.UpdatedAt
		p.Status, p.Frozen, p.EndsAt = statusOf(to.Freezes, f.at)
		if f.present {
			to.Person = p
			continue
		}
		then := Fact{Person: p, At: f.at, Records: slices.Clone(to.Records), Freezes: to.Freezes}
		then.arrange(sources, paths, f.at)
		to.Ahead = append(to.Ahead, then)
	}
	return nil
}

// behind answers who stands behind keys of records.
func (r Reader) behind(ctx context.Context, keys map[id.Source]map[string]bool) (map[reference]id.Person, error) {
	out := map[reference]id.Person{}
	for source, set := range keys {
		for part := range slices.Chunk(sorted(set), chunk) {
			var rows []lightRow
			if err := r.from(ctx).Raw(`select record_key, person_id from records where source_id = ? and record_key in ? and deleted_at is null
				and person_id is not null`, source, part).Scan(&rows).Error; err != nil {
				return nil, fmt.Errorf("resolve managers: %w", err)
			}
			for _, row := range rows {
				out[reference{source, row.RecordKey}] = row.PersonID
			}
		}
	}
	return out, nil
}
