package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Successions answers what is declared of the units of a source, of all sources where it is empty; the latest first.
func (r Reader) Successions(ctx context.Context, source id.Source) ([]Succession, error) {
	q := r.from(ctx)
	if source != "" {
		q = q.Where("source_id = ?", source)
	}
	return listSuccessions(q.Order("effective_at desc, id, old_key, new_key"))
}

func listSuccessions(q handle) ([]Succession, error) {
	var rows []successionRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read successions: %w", err)
	}
	out := make([]Succession, len(rows))
	for i, row := range rows {
		out[i] = row.succession()
	}
	return out, nil
}

// formers adds what units of a source succeed, and what that succeeded.
func (r Reader) formers(ctx context.Context, to *unitPaths, source id.Source, units []unitRow) error {
	keys := make([]string, len(units))
	for i, row := range units {
		keys[i] = row.UnitKey
	}
	for part := range slices.Chunk(keys, chunk) {
		var rows []successionRow
		if err := r.from(ctx).Raw(`with recursive back (old_key, new_key) as (
				select old_key, new_key from unit_successions where source_id = ? and new_key in ?
				union
				select s.old_key, s.new_key from back b join unit_successions s on s.source_id = ? and s.new_key = b.old_key)
			select s.* from back b join unit_successions s on s.source_id = ? and s.old_key = b.old_key and s.new_key = b.new_key`,
			source, db.Pad(part), source, source).Scan(&rows).Error; err != nil {
			return fmt.Errorf("read successions: %w", err)
		}
		for _, row := range rows {
			to.note(row.succession())
		}
	}
	return nil
}

// allFormers answers what each unit succeeds.
func (r Reader) allFormers(ctx context.Context) (map[reference][]Succession, error) {
	list, err := r.Successions(ctx, "")
	out := unitPaths{former: map[reference][]Succession{}}
	for _, s := range list {
		out.note(s)
	}
	return out.former, err
}

// note adds a succession that is not there yet.
func (u unitPaths) note(s Succession) {
	at := reference{s.Source, s.New}
	if !slices.ContainsFunc(u.former[at], func(o Succession) bool { return o.Old == s.Old }) {
		u.former[at] = append(u.former[at], s)
	}
}

// was answers the units that one succeeds at t, and those that these succeeded.
func (u unitPaths) was(unit reference, t time.Time) []UnitKey {
	if len(u.former) == 0 {
		return nil
	}
	var out []UnitKey
	seen := map[reference]bool{unit: true}
	for queue := []reference{unit}; len(queue) > 0; {
		at := queue[0]
		queue = queue[1:]
		for _, s := range u.former[at] {
			old := reference{s.Source, s.Old}
			if s.At.After(t) || seen[old] {
				continue
			}
			seen[old] = true
			queue = append(queue, old)
			out = append(out, UnitKey{ID: s.OldUnit, Source: s.Source, Key: s.Old, Name: s.OldName, Names: s.OldNames})
		}
	}
	slices.SortFunc(out, func(a, b UnitKey) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// heirs answers, beside these units, what became of them and of what they were.
func heirs(units []id.Unit, forest []Unit, list []Succession) []id.Unit {
	at := map[reference]id.Unit{}
	for _, u := range forest {
		at[reference{u.Source, u.Key}] = u.ID
	}
	out := slices.Clone(units)
	seen := map[reference]bool{}
	var queue []reference
	for _, s := range list {
		if slices.Contains(units, s.OldUnit) {
			queue = append(queue, reference{s.Source, s.Old})
		}
	}
	for len(queue) > 0 {
		from := queue[0]
		queue = queue[1:]
		if seen[from] {
			continue
		}
		seen[from] = true
		if unit, there := at[from]; there {
			out = append(out, unit)
		}
		for _, s := range list {
			if s.Source == from.source && s.Old == from.key && !s.SettledAt.IsZero() {
				queue = append(queue, reference{s.Source, s.New})
			}
		}
	}
	return out
}
