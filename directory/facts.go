package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Facts answers what decides the access of these people, in order of id; unknown ids are left out. With lock their rows
// stay locked, in order of id, until the end of tx.
func (r Reader) Facts(tx *db.Tx, people []id.Person, lock bool) ([]Fact, error) {
	in := r
	ctx := context.Background() // a transaction carries its own
	in.from = func(context.Context) handle { return tx.DB }
	sources, err := in.sourceMap(ctx)
	if err != nil {
		return nil, err
	}
	ids := slices.Clone(people)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var out []Fact
	for part := range slices.Chunk(ids, chunk) {
		var rows []personRow
		q := tx.DB
		if lock {
			q = tx.ForUpdate()
		}
		if err := q.Where("id in ?", db.Pad(part)).Order("id").Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("read people: %w", err)
		}
		facts, err := in.facts(ctx, rows, sources)
		if err != nil {
			return nil, err
		}
		out = append(out, facts...)
	}
	return out, nil
}

func (r Reader) facts(ctx context.Context, rows []personRow, sources map[id.Source]Source) ([]Fact, error) {
	people, freezes, err := r.withFreezes(ctx, rows)
	if err != nil || len(people) == 0 {
		return nil, err
	}
	ids := make([]id.Person, len(people))
	at := map[id.Person]int{}
	for i, p := range people {
		ids[i], at[p.ID] = p.ID, i
	}
	out := make([]Fact, len(people))
	for i, p := range people {
		out[i].Person = p
	}
	records, err := r.recordsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, rec := range records {
		f := &out[at[rec.Person]]
		f.Records = append(f.Records, rec)
	}
	for _, fr := range freezes {
		f := &out[at[fr.Person]]
		f.Freezes = append(f.Freezes, fr)
	}
	paths, err := r.unitPaths(ctx, records)
	if err != nil {
		return nil, err
	}
	now := r.now()
	if err := r.ahead(ctx, out, rows, sources, paths, now); err != nil {
		return nil, err
	}
	for i := range out {
		out[i].arrange(sources, paths, now)
	}
	return out, nil
}

// arrange works out what follows from the records and the unit of a fact.
func (f *Fact) arrange(sources map[id.Source]Source, paths unitPaths, now time.Time) {
	f.Records = leading(f.Records, sources, now)
	f.Affiliations = affiliationsOf(f.Person.ID, f.Records, sources, paths.ids, now)
	f.UnitPath = paths.up(f.Person.Unit, now)
	f.Guest = len(f.Records) > 0 && !slices.ContainsFunc(f.Records, func(r Record) bool { return sources[r.Source].Kind != KindGuests })
	runs := slices.ContainsFunc(f.Affiliations, func(a Affiliation) bool { return a.runs(now) })
	for _, a := range f.Affiliations {
		if path := paths.up(a.Unit, now); a.Active && (!runs || a.runs(now)) && len(path) > 0 {
			f.UnitPaths = append(f.UnitPaths, path)
		}
	}
}

// runs tells whether the affiliation is active at t.
func (a Affiliation) runs(t time.Time) bool {
	return a.Active && (a.StartAt.IsZero() || !t.Before(a.StartAt)) && (a.EndAt.IsZero() || t.Before(a.EndAt))
}

// unitPaths holds the units that some records name and all above them.
type unitPaths struct {
	ids    map[reference]id.Unit
	units  map[id.Unit]Unit
	former map[reference][]Succession // by the unit that is
}

// up answers the path from a unit to its root, itself first, as it is at t.
func (u unitPaths) up(unit id.Unit, t time.Time) []UnitKey {
	var path []UnitKey
	for steps := 0; unit != "" && steps <= len(u.units); steps++ {
		node, ok := u.units[unit]
		if !ok {
			break
		}
		path = append(path, UnitKey{ID: node.ID, Source: node.Source, Key: node.Key, Name: node.Name, Names: node.Names, Was: u.was(reference{node.Source, node.Key}, t)})
		unit = u.ids[reference{node.Source, node.ParentKey}]
	}
	return path
}

func (r Reader) unitPaths(ctx context.Context, records []Record) (unitPaths, error) {
	out := unitPaths{ids: map[reference]id.Unit{}, units: map[id.Unit]Unit{}, former: map[reference][]Succession{}}
	named := map[id.Source]map[string]bool{}
	for _, rec := range records {
		for _, key := range rec.plannedKeys("unit") {
			if named[rec.Source] == nil {
				named[rec.Source] = map[string]bool{}
			}
			named[rec.Source][key] = true
		}
	}
	for source, keys := range named {
		var rows []unitRow
		if err := r.from(ctx).Raw(`with recursive up (id, parent_key) as (
				select id, parent_key from units where source_id = ? and unit_key in ?
				union
				select u.id, u.parent_key from up join units u on u.source_id = ? and u.unit_key = up.parent_key)
			select * from units where id in (select id from up)`, source, sorted(keys), source).Scan(&rows).Error; err != nil {
			return unitPaths{}, fmt.Errorf("read units: %w", err)
		}
		for _, row := range rows {
			out.ids[reference{source, row.UnitKey}] = row.ID
			out.units[row.ID] = row.unit()
		}
		if err := r.formers(ctx, &out, source, rows); err != nil {
			return unitPaths{}, err
		}
	}
	return out, nil
}

// Units answers all units of all sources that are no dry run, parents before children.
func (r Reader) Units(ctx context.Context) ([]Unit, error) {
	return r.forest(r.from(ctx).Where("source_id not in (select id from sources where mode in ?)", []Mode{ModeDryRun, ModeDiscarding}))
}

// UnitsOf answers all units of one source, parents before children.
func (r Reader) UnitsOf(ctx context.Context, source id.Source) ([]Unit, error) {
	return r.forest(r.from(ctx).Where("source_id = ?", source))
}

func (r Reader) forest(q handle) ([]Unit, error) {
	var rows []unitRow
	if err := q.Order("source_id, name, unit_key").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read units: %w", err)
	}
	ids := map[reference]id.Unit{}
	for _, row := range rows {
		ids[reference{row.SourceID, row.UnitKey}] = row.ID
	}
	children := map[id.Unit][]Unit{}
	for _, row := range rows {
		u := row.unit()
		u.Parent = ids[reference{u.Source, u.ParentKey}]
		children[u.Parent] = append(children[u.Parent], u)
	}
	var out []Unit
	for queue := children[""]; len(queue) > 0; {
		u := queue[0]
		out = append(out, u)
		queue = append(slices.Clone(children[u.ID]), queue[1:]...)
	}
	return out, nil
}

func (r Reader) unitRefs(ctx context.Context, units []id.Unit) (map[id.Unit]*UnitRef, error) {
	out := map[id.Unit]*UnitRef{}
	for part := range slices.Chunk(units, chunk) {
		var rows []unitRow
		if err := r.from(ctx).Where("id in ?", part).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("read units: %w", err)
		}
		for _, row := range rows {
			out[row.ID] = &UnitRef{ID: row.ID, Name: row.Name, Names: row.Names.V}
		}
	}
	return out, nil
}
