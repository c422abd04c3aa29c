package directory

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Involved answers, in order of id, everybody about whom something may change by itself, or whom something keeps out: a freeze, an instant
// ahead, an absence, a record that ended or is disabled, or none at all. They are for Facts; EachPlain reads all others.
func (r Reader) Involved(tx *db.Tx) ([]id.Person, error) {
	rows, err := tx.Raw(`select id from persons p where p.due_at is not null or p.gone = ? or p.absent = ? or p.merged_into <> ''
				or not exists (select 1 from records r where r.person_id = p.id)
			union select person_id from freezes where lifted_at is null
			union select person_id from records where person_id is not null and (active = ? or deleted_at is not null or absent_since is not null
				or planned not in ('null', '[]'))`, true, true, false).Rows()
	if err != nil {
		return nil, fmt.Errorf("read people: %w", err)
	}
	defer rows.Close()
	var out []id.Person
	for rows.Next() {
		var person string
		if err := rows.Scan(&person); err != nil {
			return nil, fmt.Errorf("read people: %w", err)
		}
		out = append(out, id.Person(person))
	}
	slices.Sort(out)
	return out, rows.Err()
}

// EachPlain calls see, in order of id, for everybody but involved, which is what Involved answered in the same transaction, or more. These are most
// people, and they are read in a few strokes. see gets what Facts answers, but of the records only what an employment is told by; it must not query, and only
// the texts in what it gets stay as they are after it. groups tells whether Person.Groups is wanted.
func (r Reader) EachPlain(tx *db.Tx, involved map[id.Person]bool, groups bool, see func(Fact) error) error {
	p := &plainReader{q: tx.DB, reader: r, now: r.now(), see: see, involved: involved, texts: map[string]string{}}
	if err := p.prepare(groups); err != nil {
		return err
	}
	order := "p.id"
	if r.engine == db.Postgres {
		order = `p.id collate "C"`
	}
	rows, err := tx.Raw(`select p.id, p.display_name, p.user_name, p.email, p.unit_id, p.manager_id, p.attributes, p.rehired_at, p.version, p.created_at, p.updated_at,
			r.link, r.source_id, r.record_key, r.employee_number, r.employee_type, r.department, r.company, r.unit_key, r.start_at, r.end_at, r.leave_from, r.leave_until
		from persons p join records r on r.person_id = p.id where p.due_at is null order by ` + order + `, r.link`).Rows()
	if err != nil {
		return fmt.Errorf("read people: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := p.row(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read people: %w", err)
	}
	return p.flush()
}

// AllHeads answers everybody to whom somebody reports, and all above them.
func (r Reader) AllHeads(tx *db.Tx) (map[id.Person]Head, error) {
	var people []id.Person
	if err := tx.Raw("select distinct manager_id from persons where manager_id <> ''").Scan(&people).Error; err != nil {
		return nil, fmt.Errorf("read managers: %w", err)
	}
	return r.Heads(tx, people)
}

// plainReader works on one state of the database, for one call only.
type plainReader struct {
	q      handle
	reader Reader
	now    time.Time
	see    func(Fact) error
	texts  map[string]string // what is the same of many is kept once

	involved map[id.Person]bool

	sources map[id.Source]Source
	paths   unitPaths
	ups     map[id.Unit][]UnitKey
	inside  map[reference][]int32 // groups that a record is in directly, by their place in names
	names   [][]string            // of a group and all it is in, by the keys that rules use

	fact   Fact
	direct []int32
	passed bool
}

func (p *plainReader) prepare(groups bool) error {
	ctx := p.q.Statement.Context
	var err error
	in := p.reader
	if p.sources, err = in.sourceMap(ctx); err != nil {
		return err
	}
	var units []unitRow
	if err := p.q.Raw("select * from units").Scan(&units).Error; err != nil {
		return fmt.Errorf("read units: %w", err)
	}
	p.paths = unitPaths{ids: make(map[reference]id.Unit, len(units)), units: make(map[id.Unit]Unit, len(units))}
	p.ups = make(map[id.Unit][]UnitKey, len(units))
	for _, row := range units {
		p.paths.ids[reference{row.SourceID, row.UnitKey}], p.paths.units[row.ID] = row.ID, row.unit()
	}
	if groups {
		return p.groups()
	}
	return nil
}

// groups reads every group and who is in it.
func (p *plainReader) groups() error {
	var list []struct {
		ID                                         id.DirectoryGroup
		SourceID                                   id.Source
		GroupKey, ExternalID, DisplayName, SysName string
	}
	if err := p.q.Raw(`select g.id, g.source_id, g.group_key, g.external_id, g.display_name, s.name as sys_name from directory_groups g
		join sources s on s.id = g.source_id`).Scan(&list).Error; err != nil {
		return fmt.Errorf("read groups: %w", err)
	}
	at := make(map[id.DirectoryGroup]int32, len(list))
	own := make([][]string, len(list))
	for i, g := range list {
		at[g.ID] = int32(i)
		for _, key := range []string{g.DisplayName, g.ExternalID} {
			if key != "" {
				own[i] = append(own[i], g.SysName+"/"+key)
			}
		}
	}
	p.inside = map[reference][]int32{}
	rows, err := p.q.Raw("select source_id, value, group_id from group_members").Rows()
	if err != nil {
		return fmt.Errorf("read groups: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var source, group sql.RawBytes
		var value string
		if err := rows.Scan(&source, &value, &group); err != nil {
			return fmt.Errorf("read groups: %w", err)
		}
		if g, ok := at[id.DirectoryGroup(group)]; ok {
			ref := reference{id.Source(p.text(source)), value}
			p.inside[ref] = append(p.inside[ref], g)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read groups: %w", err)
	}
	p.names = make([][]string, len(list))
	for i := range list {
		found, queue := map[int32]bool{int32(i): true}, []int32{int32(i)}
		for len(queue) > 0 {
			g := queue[0]
			queue = queue[1:]
			p.names[i] = append(p.names[i], own[g]...)
			for _, up := range p.inside[reference{list[g].SourceID, list[g].GroupKey}] {
				if !found[up] {
					found[up], queue = true, append(queue, up)
				}
			}
		}
		slices.Sort(p.names[i])
		p.names[i] = slices.Compact(p.names[i])
	}
	return nil
}

// text answers a text, the same memory for the same text.
func (p *plainReader) text(raw sql.RawBytes) string {
	if t, ok := p.texts[string(raw)]; ok {
		return t
	}
	t := string(raw)
	if len(p.texts) < 1<<16 {
		p.texts[t] = t
	}
	return t
}

// row takes in one record of the person at hand, or of the next one.
func (p *plainReader) row(rows *sql.Rows) error {
	var person, unit, manager, attributes, source, kind, department, company, unitKey sql.RawBytes
	var displayName, userName, email, link, key, number string
	var version int64
	var rehired, created, updated, start, end, leaveFrom, leaveUntil db.Instant
	if err := rows.Scan(&person, &displayName, &userName, &email, &unit, &manager, &attributes, &rehired, &version, &created, &updated,
		&link, &source, &key, &number, &kind, &department, &company, &unitKey, &start, &end, &leaveFrom, &leaveUntil); err != nil {
		return fmt.Errorf("read people: %w", err)
	}
	if string(p.fact.Person.ID) != string(person) {
		if err := p.flush(); err != nil {
			return err
		}
		row := personRow{ID: id.Person(person), DisplayName: displayName, UserName: userName, Email: email, UnitID: id.Unit(p.text(unit)), ManagerID: id.Person(p.text(manager)),
			RehiredAt: rehired, Version: version, CreatedAt: created, UpdatedAt: updated}
		if p.passed = p.involved[row.ID]; !p.passed {
			if err := json.Unmarshal(attributes, &row.Attributes.V); err != nil {
				return fmt.Errorf("read attributes of %s: %w", row.ID, err)
			}
		}
		p.fact, p.direct = Fact{Person: row.person(), Records: p.fact.Records[:0]}, p.direct[:0]
	}
	if p.passed {
		return nil
	}
	rec := Record{Link: id.Link(link), Source: id.Source(p.text(source)), Key: key, Person: p.fact.Person.ID, Active: true, UnitKey: p.text(unitKey),
		StartAt: start.Time, EndAt: end.Time, LeaveFrom: leaveFrom.Time, LeaveUntil: leaveUntil.Time}
	rec.EmployeeNumber, rec.EmployeeType, rec.Department, rec.Company = number, p.text(kind), p.text(department), p.text(company)
	p.fact.Records = append(p.fact.Records, rec)
	p.direct = append(p.direct, p.inside[reference{rec.Source, rec.Key}]...)
	return nil
}

// flush completes the person at hand.
func (p *plainReader) flush() error {
	f := p.fact
	if f.Person.ID == "" || p.passed {
		return nil
	}
	f.Person.Status = StatusActive
	switch len(p.direct) {
	case 0:
	case 1:
		f.Person.Groups = p.names[p.direct[0]]
	default:
		for _, g := range p.direct {
			f.Person.Groups = append(f.Person.Groups, p.names[g]...)
		}
		slices.Sort(f.Person.Groups)
		f.Person.Groups = slices.Compact(f.Person.Groups)
	}
	if len(f.Records) > 1 {
		f.Records = slices.Clone(f.Records)
		f.arrange(p.sources, p.paths, p.now)
		return p.see(f)
	}
	// One record is one employment, and its unit that of the person: what arrange would find.
	rec := f.Records[0]
	unit := p.paths.ids[reference{rec.Source, rec.UnitKey}]
	a := Affiliation{ID: id.Affiliation("aff_" + strings.TrimPrefix(string(rec.Link), "lnk_")), Person: f.Person.ID, Link: rec.Link, Links: []id.Link{rec.Link},
		StartAt: rec.StartAt, EndAt: rec.EndAt, Active: true, Kind: rec.EmployeeType, Department: rec.Department, Unit: unit}
	if l := (employment{records: f.Records}).leave(false); len(l) > 0 {
		a.LeaveFrom, a.LeaveUntil = instant(l[0].from), instant(l[0].until)
	}
	f.Affiliations = []Affiliation{a}
	f.UnitPath = p.up(f.Person.Unit)
	if path := p.up(unit); len(path) > 0 {
		f.UnitPaths = [][]UnitKey{path}
	}
	return p.see(f)
}

// up answers the path from a unit to its root, which is the same for everybody there.
func (p *plainReader) up(unit id.Unit) []UnitKey {
	path, known := p.ups[unit]
	if !known {
		path = p.paths.up(unit)
		p.ups[unit] = path
	}
	return path
}
