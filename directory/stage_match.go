package directory

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/id"
)

// claim is a staged record with the values by which it may join somebody, one per field of Source.Correlate.
type claim struct {
	link   id.Link
	values []string
}

// joining says whom a staged record joins, or why it joins nobody whom its value names.
type joining struct {
	person  id.Person
	by      string      // field of Source.Correlate
	people  []id.Person // who have its value
	refused Refusal
}

// Refusal says why a record joins nobody although somebody has its value.
type Refusal string

// The refusals. In each case a human being decides, by linking.
const (
	RefusedTwice   Refusal = "claimed_twice"  // several records of the source have the value
	RefusedSeveral Refusal = "several_people" // several people have the value
	RefusedTaken   Refusal = "already_joined" // another record of the source has joined that person
)

// evidence is what is known of one field's values outside the stage.
type evidence struct {
	people map[string][]id.Person // whom records of other sources name by a value
	here   map[string]int         // live records of this source that have it, staged ones too
}

// joinings decides which staged records join whom: the rules of known, over a whole source, so that it does not matter in which parts it goes
// live. It is pure. claims are in order of link; taken are people who have a live record of the source already, and is added to.
func joinings(fields []string, claims []claim, known []evidence, taken map[id.Person]bool) map[id.Link]joining {
	out := map[id.Link]joining{}
	for i, by := range fields {
		for _, c := range claims {
			v := c.values[i]
			people := known[i].people[v]
			if v == "" || len(people) == 0 || out[c.link].person != "" {
				continue
			}
			j := joining{by: by, people: people}
			switch {
			case len(people) > 1:
				j.refused = RefusedSeveral
			case known[i].here[v] > 1:
				j.refused = RefusedTwice
			case taken[people[0]]:
				j.refused = RefusedTaken
			default:
				j.person = people[0]
				taken[j.person] = true
			}
			out[c.link] = j
		}
	}
	return out
}

// correlateColumn answers the column of a field of Source.Correlate.
func correlateColumn(field string) string {
	if field == CorrelateExternalID {
		return "external_id"
	}
	return "employee_number"
}

// match finds whom the staged records of a source join. It keeps some bytes per staged record.
func (r Reader) match(ctx context.Context, source Source) (map[id.Link]joining, error) {
	if len(source.Correlate) == 0 {
		return nil, nil
	}
	var rows []struct {
		Link           id.Link
		EmployeeNumber string
		ExternalID     string
	}
	if err := r.from(ctx).Raw("select link, employee_number, external_id from records where source_id = ? and person_id is null and deleted_at is null order by link",
		source.ID).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	claims := make([]claim, len(rows))
	for i, row := range rows {
		claims[i] = claim{link: row.Link, values: make([]string, len(source.Correlate))}
		for n, by := range source.Correlate {
			if claims[i].values[n] = row.EmployeeNumber; by == CorrelateExternalID {
				claims[i].values[n] = row.ExternalID
			}
		}
	}
	known := make([]evidence, len(source.Correlate))
	people := map[id.Person]bool{}
	for n, by := range source.Correlate {
		wanted := map[string]bool{}
		for _, c := range claims {
			wanted[c.values[n]] = true
		}
		delete(wanted, "")
		var err error
		if known[n], err = r.evidence(ctx, source.ID, correlateColumn(by), sorted(wanted), people); err != nil {
			return nil, err
		}
	}
	taken, err := r.within(ctx, source.ID, sorted(people))
	if err != nil {
		return nil, err
	}
	return joinings(source.Correlate, claims, known, taken), nil
}

// evidence looks values of a column up, and adds whom it finds to people.
func (r Reader) evidence(ctx context.Context, source id.Source, column string, values []string, people map[id.Person]bool) (evidence, error) {
	out := evidence{people: map[string][]id.Person{}, here: map[string]int{}}
	for part := range slices.Chunk(values, chunk) {
		var rows []struct {
			Value    string
			SourceID id.Source
			PersonID id.Person
			Deleted  bool
			N        int
		}
		if err := r.from(ctx).Raw("select "+column+" as value, source_id, coalesce(person_id, '') as person_id, deleted_at is not null as deleted, count(*) as n from records where source_id in (select id from sources) and "+column+
			" in ? and (source_id = ? or person_id is not null) group by "+column+", source_id, person_id, deleted_at is not null", part, source).Scan(&rows).Error; err != nil {
			return out, fmt.Errorf("correlate: %w", err)
		}
		for _, row := range rows {
			switch {
			case row.SourceID == source && !row.Deleted:
				out.here[row.Value] += row.N
			case row.SourceID != source && !slices.Contains(out.people[row.Value], row.PersonID):
				out.people[row.Value] = append(out.people[row.Value], row.PersonID)
				people[row.PersonID] = true
			}
		}
	}
	return out, nil
}

// within answers which of these people have a live record of a source.
func (r Reader) within(ctx context.Context, source id.Source, people []id.Person) (map[id.Person]bool, error) {
	out := map[id.Person]bool{}
	for part := range slices.Chunk(people, chunk) {
		var here []id.Person
		if err := r.from(ctx).Raw("select distinct person_id from records where source_id = ? and deleted_at is null and person_id in ?", source, part).Scan(&here).Error; err != nil {
			return nil, fmt.Errorf("correlate: %w", err)
		}
		for _, p := range here {
			out[p] = true
		}
	}
	return out, nil
}

// stagedLinks answers up to limit staged records of a source after a link, in order.
func (r Reader) stagedLinks(ctx context.Context, source id.Source, after id.Link, limit int) ([]id.Link, error) {
	if err := storable("cursor", string(after)); err != nil {
		return nil, err
	}
	var links []id.Link
	if err := r.from(ctx).Raw("select link from records where source_id = ? and person_id is null and deleted_at is null and link > ? order by link limit ?",
		source, after, limit).Scan(&links).Error; err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	return links, nil
}
