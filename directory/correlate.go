package directory

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-im/rollcall/internal/id"
)

// correlate finds the person of every record that has none: by a tombstone of the same externalId in the same source, by what the source is
// configured to correlate, else a new one. Names and e-mails never count.
func (w *work) correlate() error {
	fresh := map[id.Source][]*entry{}
	for _, e := range w.order {
		if e.after.Person == "" && !w.staged(e.after.Source, "") {
			if e.before.Link == "" {
				fresh[e.after.Source] = append(fresh[e.after.Source], e)
				continue
			}
			e.after.Person = w.newPerson() // LinkRecord gave it nobody
		}
	}
	for source, list := range fresh {
		for part := range slices.Chunk(list, chunk) {
			if err := w.reborn(source, part); err != nil {
				return err
			}
			for _, by := range w.sources[source].Correlate {
				if err := w.known(source, by, part); err != nil {
					return err
				}
			}
		}
		for _, e := range list {
			if e.after.Person == "" {
				e.after.Person = w.newPerson()
			}
		}
	}
	return nil
}

func (w *work) newPerson() id.Person {
	p := id.New[id.Person]()
	w.fresh[p] = true
	return p
}

func (w *work) reborn(source id.Source, list []*entry) error {
	var ids []string
	for _, e := range list {
		if e.after.Person == "" && e.after.ExternalID != "" {
			ids = append(ids, e.after.ExternalID)
		}
	}
	if len(ids) == 0 || w.sources[source].Kind == KindSCIM { // a POST looked already
		return nil
	}
	var rows []struct {
		ExternalID string
		PersonID   id.Person
	}
	if err := w.tx.Raw(`select external_id, person_id from records where source_id = ? and external_id in ? and deleted_at is not null
		and person_id is not null order by deleted_at, link`, source, ids).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	last := map[string]id.Person{}
	for _, row := range rows {
		last[row.ExternalID] = row.PersonID
	}
	for _, e := range list {
		if e.after.Person == "" && e.after.ExternalID != "" {
			e.after.Person = last[e.after.ExternalID]
		}
	}
	return nil
}

// known joins records to people whom other sources know by the same value. Two such people, or one who has a live record in this source
// already, are no match: a human being decides (WorkItem).
func (w *work) known(source id.Source, by string, list []*entry) error {
	column, value := "employee_number", func(r Record) string { return r.EmployeeNumber }
	switch by {
	case CorrelateEmployeeNumber:
	case CorrelateExternalID:
		column, value = "external_id", func(r Record) string { return r.ExternalID }
	default:
		return nil
	}
	wanted := map[string][]*entry{}
	for _, e := range list {
		if v := value(e.after); e.after.Person == "" && v != "" {
			wanted[v] = append(wanted[v], e)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	var rows []struct {
		Value    string
		PersonID id.Person
	}
	if err := w.tx.Raw("select distinct "+column+" as value, person_id from records where "+column+" <> '' and "+column+" in ? and source_id <> ? and person_id is not null",
		slices.Collect(maps.Keys(wanted)), source).Scan(&rows).Error; err != nil {
		return fmt.Errorf("correlate: %w", err)
	}
	found, people := map[string][]id.Person{}, map[id.Person]bool{}
	for _, row := range rows {
		found[row.Value] = append(found[row.Value], row.PersonID)
		people[row.PersonID] = true
	}
	var here []id.Person
	if len(people) > 0 {
		if err := w.tx.Raw("select distinct person_id from records where source_id = ? and deleted_at is null and person_id in ?",
			source, sorted(people)).Scan(&here).Error; err != nil {
			return fmt.Errorf("correlate: %w", err)
		}
	}
	for _, e := range list {
		v := value(e.after)
		if e.after.Person != "" || v == "" || len(found[v]) == 0 {
			continue
		}
		if len(found[v]) != 1 || len(wanted[v]) != 1 || slices.Contains(here, found[v][0]) {
			w.doubts = append(w.doubts, doubt{e, Hint(by), found[v]})
			continue
		}
		e.after.Person = found[v][0]
	}
	return nil
}

// doubt is a record whose correlation found no single person.
type doubt struct {
	entry  *entry
	hint   Hint
	people []id.Person
}
