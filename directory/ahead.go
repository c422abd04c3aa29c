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
	for i := range out {
		due := rows[i].DueAt.Time
		if due.IsZero() || len(out[i].Records) == 0 {
			continue // nothing is known to change by itself
		}
		if !due.After(now) {
			f := factAt{of: i, at: now, present: true}
			f.person, f.unit, f.manager = merge(out[i].Records, sources, now)
			list = append(list, f)
		}
		list = append(list, factsAhead(i, out[i], sources, now)...)
	}
	if len(list) == 0 {
		return nil
	}
	managers := map[id.Source]map[string]bool{}
	for _, f := range list {
		if managers[f.manager.source] == nil {
			managers[f.manager.source] = map[string]bool{}
		}
		managers[f.manager.source][f.manager.key] = true
	}
	heads, err := r.behind(ctx, managers)
	if err != nil {
		return err
	}
	for _, f := range list {
		f.put(&out[f.of], heads, sources, paths, *r.leave)
	}
	return nil
}

// factsAhead begins the facts of one person at each instant that is known.
func factsAhead(of int, f Fact, sources map[id.Source]Source, now time.Time) []factAt {
	var out []factAt
	last := now
	for _, b := range boundaries(f.Records, f.Freezes) {
		if !b.at.After(last) || len(out) == aheadMost {
			continue
		}
		then := factAt{of: of, at: b.at}
		then.person, then.unit, then.manager = merge(f.Records, sources, b.at)
		out, last = append(out, then), b.at
	}
	return out
}

// put completes what was begun, as the present or as one of Ahead.
func (f factAt) put(to *Fact, heads map[reference]id.Person, sources map[id.Source]Source, paths unitPaths, rule LeaveRule) {
	was, p := to.Person, f.person
	p.ID, p.Unit, p.Manager, p.Groups = was.ID, paths.ids[f.unit], heads[f.manager], was.Groups
	p.MergedInto, p.RehiredAt, p.Version, p.CreatedAt, p.UpdatedAt = was.MergedInto, was.RehiredAt, was.Version, was.CreatedAt, was.UpdatedAt
	p.Status, p.Frozen, p.EndsAt = statusOf(to.Freezes, f.at, rule)
	if f.present {
		to.Person = p
		return
	}
	then := Fact{Person: p, At: f.at, Records: slices.Clone(to.Records), Freezes: to.Freezes}
	then.arrange(sources, paths, f.at)
	to.Ahead = append(to.Ahead, then)
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
