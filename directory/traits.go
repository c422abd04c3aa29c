package directory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Trait is a value that people may have, named as rules name it: "department", "labels.site", "unit.path", "groups", "managers".
type Trait struct{ Attribute, Value string }

// Ahead answers everybody of whom it is known that something will change by itself.
func (r Reader) Ahead(tx *db.Tx) ([]id.Person, error) {
	var out, planned []id.Person
	if err := tx.Raw("select id from persons where due_at is not null").Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("read people: %w", err)
	}
	if err := tx.Raw("select coalesce(person_id, '') from records where planned <> 'null'").Scan(&planned).Error; err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	return append(out, slices.DeleteFunc(planned, func(p id.Person) bool { return p == "" })...), nil
}

// Bearers answers everybody who may have one of these traits, apart from those whom Ahead answers: it may answer too many, never too few. found is false
// where that cannot be told without looking at everybody.
func (r Reader) Bearers(tx *db.Tx, traits []Trait) (people []id.Person, found bool, err error) {
	b := bearers{tx: tx, engine: r.engine, now: r.now(), units: map[string]bool{}, groups: map[string]bool{}, within: map[reference]bool{}}
	for _, t := range traits {
		if t.Value == "" { // those who have none
			return nil, false, nil
		}
		b.sort(t)
	}
	if people, err = b.persons(b.where); err != nil {
		return nil, false, err
	}
	above, err := b.persons(b.above)
	if err != nil {
		return nil, false, err
	}
	if len(b.above) > 0 { // whoever changes ahead may be called so then
		ahead, err := r.Ahead(tx)
		if err != nil {
			return nil, false, err
		}
		below, err := r.Reports(tx.Statement.Context, append(above, ahead...))
		if err != nil {
			return nil, false, err
		}
		b.people = append(b.people, below...)
	}
	if err := b.inUnits(); err != nil {
		return nil, false, err
	}
	if err := b.inGroups(); err != nil {
		return nil, false, err
	}
	people = append(people, b.people...)
	slices.Sort(people)
	return slices.Compact(people), true, nil
}

// bearers looks for people on one state of the database.
type bearers struct {
	tx            *db.Tx
	engine        db.Engine
	now           time.Time
	where, above  []condition     // of persons: who has a trait, and who is above those who have one
	units, groups map[string]bool // names
	within        map[reference]bool
	people        []id.Person
}

type condition struct {
	sql string
	arg any
}

// sort notes where a trait is to be looked for.
func (b *bearers) sort(t Trait) {
	switch t.Attribute {
	case "id", "display_name", "user_name", "email":
		b.where = append(b.where, condition{t.Attribute + " = ?", t.Value})
	case "manager":
		b.where = append(b.where, condition{"manager_id = ?", t.Value})
	case "managers":
		b.above = append(b.above, condition{"id = ?", t.Value}, condition{"user_name = ?", t.Value}, b.written("employee_number", t.Value))
	case "unit.key", "unit.name", "unit.path":
		b.units[t.Value] = true
	case "groups":
		b.groups[t.Value] = true
	default:
		b.where = append(b.where, b.written(strings.TrimPrefix(t.Attribute, "labels."), t.Value))
	}
}

// written is that an attribute stands in the JSON of a person with a value.
func (b *bearers) written(name, value string) condition {
	has := "instr(attributes, ?) > 0"
	if b.engine == db.Postgres {
		has = "strpos(attributes, ?) > 0"
	}
	return condition{has, quoted(name) + ":" + quoted(value)}
}

// quoted is text as it stands in JSON.
func quoted(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		panic(err) // a text
	}
	return string(out)
}

// persons answers those who meet one of the conditions.
func (b *bearers) persons(list []condition) ([]id.Person, error) {
	var out []id.Person
	for part := range slices.Chunk(list, 32) {
		var where []string
		var args []any
		for _, c := range part {
			where, args = append(where, c.sql), append(args, c.arg)
		}
		var found []id.Person
		if err := b.tx.Raw("select id from persons where "+strings.Join(where, " or "), args...).Scan(&found).Error; err != nil {
			return nil, fmt.Errorf("read people: %w", err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// inUnits adds those who are in a unit of that name, or below one.
func (b *bearers) inUnits() error {
	if len(b.units) == 0 {
		return nil
	}
	var rows []unitRow
	if err := b.tx.Raw("select * from units").Scan(&rows).Error; err != nil {
		return fmt.Errorf("read units: %w", err)
	}
	former, err := listSuccessions(b.tx.DB)
	if err != nil {
		return err
	}
	paths := unitPaths{former: map[reference][]Succession{}}
	for _, s := range former {
		paths.note(s)
	}
	below := map[reference][]unitRow{}
	var in []unitRow
	for _, row := range rows {
		up := reference{row.SourceID, row.ParentKey}
		below[up] = append(below[up], row)
		named := b.units[row.UnitKey] || b.units[row.Name]
		for _, name := range row.Names.V {
			named = named || b.units[name]
		}
		for _, was := range paths.was(reference{row.SourceID, row.UnitKey}, b.now) {
			named = named || b.units[was.Key] || b.units[was.Name]
			for _, name := range was.Names {
				named = named || b.units[name]
			}
		}
		if named {
			in = append(in, row)
		}
	}
	var units []id.Unit
	for len(in) > 0 {
		row := in[0]
		in = in[1:]
		if at := (reference{row.SourceID, row.UnitKey}); !b.within[at] {
			b.within[at] = true
			units, in = append(units, row.ID), append(in, below[at]...)
		}
	}
	for part := range slices.Chunk(units, chunk) {
		var found []id.Person
		if err := b.tx.Raw("select id from persons where unit_id in ?", db.Pad(part)).Scan(&found).Error; err != nil {
			return fmt.Errorf("read people: %w", err)
		}
		b.people = append(b.people, found...)
	}
	return b.records("unit_key", b.within)
}

// inGroups adds those who are in a directory group of that name, or in one that is in it.
func (b *bearers) inGroups() error {
	if len(b.groups) == 0 {
		return nil
	}
	list, err := groupsNamed(b.tx.DB)
	if err != nil {
		return err
	}
	at := make(map[reference]id.DirectoryGroup, len(list))
	var in []id.DirectoryGroup
	for _, g := range list {
		at[reference{g.SourceID, g.GroupKey}] = g.ID
		if slices.ContainsFunc(g.names(), func(name string) bool { return b.groups[name] }) {
			in = append(in, g.ID)
		}
	}
	members, known := map[reference]bool{}, map[id.DirectoryGroup]bool{}
	for len(in) > 0 {
		part := in[:min(len(in), chunk)]
		in = slices.Clone(in[len(part):])
		var rows []struct {
			SourceID id.Source
			Value    string
		}
		if err := b.tx.Raw("select source_id, value from group_members where group_id in ?", db.Pad(part)).Scan(&rows).Error; err != nil {
			return fmt.Errorf("read groups: %w", err)
		}
		for _, g := range part {
			known[g] = true
		}
		for _, row := range rows {
			ref := reference{row.SourceID, row.Value}
			members[ref] = true
			if inner, is := at[ref]; is && !known[inner] {
				known[inner] = true
				in = append(in, inner)
			}
		}
	}
	return b.records("record_key", members)
}

// records adds the people of records that have in a column what these refer to.
func (b *bearers) records(column string, to map[reference]bool) error {
	for source, keys := range bySource(to) {
		for part := range slices.Chunk(keys, chunk) {
			var found []id.Person
			if err := b.tx.Raw("select person_id from records where person_id is not null and source_id = ? and "+column+" in ?", source, db.Pad(part)).Scan(&found).Error; err != nil {
				return fmt.Errorf("read people: %w", err)
			}
			b.people = append(b.people, found...)
		}
	}
	return nil
}
