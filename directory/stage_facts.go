package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// StageFact is what one staged record would do if its source went live now: the person as they stand and as they would stand.
type StageFact struct {
	Record         Record // without Raw
	By             string // the field of Source.Correlate by which it joins somebody; empty: it begins a new person
	Refused        Refusal
	Before         Fact // the zero Fact where the person is new
	After          Fact
	Fields         []Field  // what differs between the two; of a new person nothing is listed
	Doubles        []Double // of a new person: who may be the same human being
	UnitPending    bool     // it names a unit that is not known
	ManagerPending bool     // it names a manager who is not known
}

// Double is somebody who shares a number, an address or a name with a new person. Nobody is ever joined by that.
type Double struct {
	Person id.Person
	By     string // "employee_number", "email" or "user_name"
}

// Stage is what a source that is not live holds.
type Stage struct {
	Source         Source
	Version        int64 // moves with each change of the content
	Records        int   // staged
	Groups         int
	Units          int
	Members        int // of its groups
	MembersPending int // of those, how many name nobody who is known
}

// StageOf answers what a source holds that is not live; ErrLive, ErrNotFound.
func (r Reader) StageOf(ctx context.Context, source id.Source) (Stage, error) {
	var rows []sourceRow
	if err := r.from(ctx).Where("id = ?", source).Find(&rows).Error; err != nil {
		return Stage{}, fmt.Errorf("read source: %w", err)
	}
	if len(rows) == 0 {
		return Stage{}, fmt.Errorf("source %q: %w", source, ErrNotFound)
	}
	out := Stage{Source: rows[0].source(), Version: rows[0].StageVersion}
	if err := out.Source.In(ModeDryRun, ModeGoingLive, ModeDiscarding); err != nil {
		return out, err
	}
	for to, sql := range map[*int]string{
		&out.Records: "select count(*) from records where source_id = ? and person_id is null and deleted_at is null",
		&out.Groups:  "select count(*) from directory_groups where source_id = ?",
		&out.Units:   "select count(*) from units where source_id = ?",
		&out.Members: "select count(*) from group_members where source_id = ?",
		&out.MembersPending: `select count(*) from group_members m where m.source_id = ?
			and not exists (select 1 from records r where r.source_id = m.source_id and r.record_key = m.value and r.deleted_at is null)
			and not exists (select 1 from directory_groups g where g.source_id = m.source_id and g.group_key = m.value)`,
	} {
		if err := r.from(ctx).Raw(sql, source).Scan(to).Error; err != nil {
			return out, fmt.Errorf("count stage: %w", err)
		}
	}
	return out, nil
}

// EachStaged calls see with what the staged records of a source would do, up to 500 at a time and in order of link, those after after, until
// see answers false. r should read one consistent state.
func (r Reader) EachStaged(ctx context.Context, source Source, after id.Link, see func([]StageFact) (more bool, err error)) error {
	sources, err := r.sourceMap(ctx)
	if err != nil {
		return err
	}
	joined, err := r.match(ctx, source)
	if err != nil {
		return err
	}
	s := stager{Reader: r, ctx: ctx, source: source.ID, sources: sources, joined: joined, at: r.now().Truncate(time.Microsecond)}
	for {
		links, err := r.stagedLinks(ctx, source.ID, after, chunk)
		if err != nil || len(links) == 0 {
			return err
		}
		after = links[len(links)-1]
		facts, err := s.part(links)
		if err != nil {
			return err
		}
		if more, err := see(facts); err != nil || !more {
			return err
		}
	}
}

// stager reads one stage, for one call only: hence the ctx in it.
type stager struct {
	Reader
	ctx     context.Context
	source  id.Source
	sources map[id.Source]Source
	joined  map[id.Link]joining
	at      time.Time
}

// person is whom a staged record would belong to.
func (s stager) person(link id.Link) id.Person {
	if p := s.joined[link].person; p != "" {
		return p
	}
	return ownPerson(link)
}

func (s stager) part(links []id.Link) ([]StageFact, error) {
	var rows []recordRow
	if err := s.from(s.ctx).Select(recordColumns).Where("link in ?", links).Order("link").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	out := make([]StageFact, len(rows))
	for i, row := range rows {
		rec := row.record()
		j := s.joined[rec.Link]
		rec.Person = s.person(rec.Link)
		out[i].Record, out[i].Refused = rec, j.refused
		if j.person != "" {
			out[i].By = j.by
		}
	}
	if err := s.begin(out); err != nil {
		return nil, err
	}
	if err := s.merged(out, links); err != nil {
		return nil, err
	}
	if err := s.quarantine(out); err != nil {
		return nil, err
	}
	return out, s.doubles(out)
}

// begin fills in who the joined people are now, and begins what they would be.
func (s stager) begin(out []StageFact) error {
	at := map[id.Person]int{}
	var people []id.Person
	for i, f := range out {
		out[i].After.Person.ID = f.Record.Person
		if f.By != "" {
			at[f.Record.Person] = i
			people = append(people, f.Record.Person)
		}
	}
	var rows []personRow
	if len(people) > 0 {
		if err := s.from(s.ctx).Where("id in ?", people).Find(&rows).Error; err != nil {
			return fmt.Errorf("read people: %w", err)
		}
	}
	facts, err := s.Reader.facts(s.ctx, rows, s.sources)
	if err != nil {
		return err
	}
	for _, f := range facts {
		i := at[f.Person.ID]
		out[i].Before = f
		out[i].After = Fact{Person: f.Person, Records: slices.Clone(f.Records), Freezes: slices.Clone(f.Freezes)}
	}
	return nil
}

// merged works out who the people would be.
func (s stager) merged(out []StageFact, links []id.Link) error {
	groups, err := groupKeys(s.from(s.ctx), "link", links)
	if err != nil {
		return err
	}
	var all []Record
	units, managers := make([]reference, len(out)), make([]reference, len(out))
	now := make([]Person, len(out))
	var ahead []factAt
	for i := range out {
		f := &out[i].After
		f.Records = append(f.Records, out[i].Record)
		all = append(all, f.Records...)
		now[i], units[i], managers[i] = merge(f.Records, s.sources, s.at)
		ahead = append(ahead, factsAhead(i, *f, s.sources, s.at)...)
	}
	for _, f := range ahead {
		managers = append(managers, f.manager)
	}
	paths, err := s.unitPaths(s.ctx, all)
	if err != nil {
		return err
	}
	known, err := s.heads(append(managersOf(out), managers...))
	if err != nil {
		return err
	}
	for i := range out {
		f, before := &out[i].After, out[i].Before.Person
		p := now[i]
		p.ID, p.Unit, p.Manager = f.Person.ID, paths.ids[units[i]], known[managers[i]]
		p.Version, p.CreatedAt, p.UpdatedAt = before.Version, before.CreatedAt, before.UpdatedAt
		p.Groups = append(slices.Clone(before.Groups), groups[out[i].Record.Link]...)
		slices.Sort(p.Groups)
		p.Groups = slices.Compact(p.Groups)
		f.Freezes = freezesAfter(f.Freezes, f.Records, s.sources, *s.leave)
		p.Status, p.Frozen, p.EndsAt = statusOf(f.Freezes, s.at, *s.leave)
		f.Person = p
		f.arrange(s.sources, paths, s.at)
		if out[i].By != "" {
			out[i].Fields = DiffPerson(before, p)
		}
		r := out[i].Record
		out[i].UnitPending = r.UnitKey != "" && paths.ids[reference{r.Source, r.UnitKey}] == ""
		out[i].ManagerPending = r.ManagerKey != "" && known[reference{r.Source, r.ManagerKey}] == ""
	}
	for _, f := range ahead {
		f.put(&out[f.of].After, known, s.sources, paths, *s.leave)
	}
	return nil
}

// freezesAfter answers which freezes would stand: those that records ask for, and those of the console.
func freezesAfter(standing []Freeze, records []Record, sources map[id.Source]Source, rule LeaveRule) []Freeze {
	out := freezesOf(records, sources, rule)
	for _, f := range standing {
		if consoleSlot(f.Slot) {
			out = append(out, f)
			continue
		}
		if i := slices.IndexFunc(out, func(o Freeze) bool { return o.Slot == f.Slot }); i >= 0 {
			f.From, f.Until = out[i].From, out[i].Until
			out[i] = f
		}
	}
	return out
}

// managersOf answers whom the staged records themselves name.
func managersOf(facts []StageFact) []reference {
	out := make([]reference, len(facts))
	for i, f := range facts {
		out[i] = reference{f.Record.Source, f.Record.ManagerKey}
	}
	return out
}

// heads answers who stands behind these keys, or would.
func (s stager) heads(refs []reference) (map[reference]id.Person, error) {
	bySource := map[id.Source]map[string]bool{}
	for _, ref := range refs {
		if ref.key == "" {
			continue
		}
		if bySource[ref.source] == nil {
			bySource[ref.source] = map[string]bool{}
		}
		bySource[ref.source][ref.key] = true
	}
	found := map[reference]id.Person{}
	for source, keys := range bySource {
		for part := range slices.Chunk(sorted(keys), chunk) {
			var rows []lightRow
			if err := s.from(s.ctx).Raw("select link, record_key, coalesce(person_id, '') as person_id from records where source_id = ? and record_key in ? and deleted_at is null",
				source, part).Scan(&rows).Error; err != nil {
				return nil, fmt.Errorf("resolve managers: %w", err)
			}
			for _, row := range rows {
				switch {
				case row.PersonID != "":
					found[reference{source, row.RecordKey}] = row.PersonID
				case source == s.source:
					found[reference{source, row.RecordKey}] = s.person(row.Link)
				}
			}
		}
	}
	return found, nil
}
