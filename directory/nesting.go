package directory

import (
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// nesting is which groups of one source are members of which. There are far fewer of these rows than there are members, and asking for the groups
// first finds them without reading the members.
type nesting struct {
	holds, within map[id.DirectoryGroup][]id.DirectoryGroup
}

func nestingOf(q handle, source id.Source) (nesting, error) {
	n := nesting{map[id.DirectoryGroup][]id.DirectoryGroup{}, map[id.DirectoryGroup][]id.DirectoryGroup{}}
	var rows []struct{ Holder, Held id.DirectoryGroup }
	if err := q.Raw(`select m.group_id as holder, g.id as held from directory_groups g cross join group_members m
		where g.source_id = ? and m.source_id = g.source_id and m.value = g.group_key`, source).Scan(&rows).Error; err != nil {
		return n, fmt.Errorf("read nested groups: %w", err)
	}
	for _, row := range rows {
		n.holds[row.Holder] = append(n.holds[row.Holder], row.Held)
		n.within[row.Held] = append(n.within[row.Held], row.Holder)
	}
	return n, nil
}

// nestings holds what was read of each source, once.
type nestings map[id.Source]nesting

func (n nestings) of(q handle, source id.Source) (nesting, error) {
	if has, known := n[source]; known {
		return has, nil
	}
	has, err := nestingOf(q, source)
	if err == nil {
		n[source] = has
	}
	return has, err
}

// reach answers a group and all that edges lead to from it; a circle ends where it began.
func reach(edges map[id.DirectoryGroup][]id.DirectoryGroup, from id.DirectoryGroup) []id.DirectoryGroup {
	out := []id.DirectoryGroup{from}
	for i := 0; i < len(out); i++ {
		for _, g := range edges[out[i]] {
			if !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	return out
}

// departure is who goes out of a group, and which groups that may take from them: it and all that it is nested in.
type departure struct {
	from   []id.DirectoryGroup
	people []id.Person
}

// departing answers whom taking values out of a group concerns: the people themselves, and everybody in those that are groups. The group is as it was, or without them.
func (w *work) departing(g GroupRecord, values []string) (departure, error) {
	if w.dry(g.Source) || len(values) == 0 {
		return departure{}, nil
	}
	n, err := nestingOf(w.tx.DB, g.Source)
	if err != nil {
		return departure{}, err
	}
	d, set := departure{from: reach(n.within, g.ID)}, map[string]bool{}
	for _, v := range values {
		set[v] = true
	}
	direct, err := w.peopleWhere("record_key", g.Source, set)
	if err != nil {
		return d, err
	}
	nested, err := w.nested(g.Source, set)
	d.people = append(direct, nested...)
	slices.Sort(d.people)
	d.people = slices.Compact(d.people)
	return d, err
}

// leave notes that these people are in groups no more, where no other way leads into them. The rows of members are as they will be.
func (w *work) leave(source id.Source, d departure) error {
	if len(d.people) == 0 {
		return nil
	}
	n, err := nestingOf(w.tx.DB, source)
	if err != nil {
		return err
	}
	for _, group := range d.from {
		inside := db.Pad(reach(n.holds, group))
		for part := range slices.Chunk(d.people, chunk) {
			if err := w.tx.Exec(`insert into fact_losses (source_id, field, was, person_id, cleared, at) select ?, ?, ?, p.id, true, cast(? as bigint) from persons p
				where p.id in ? and not exists (select 1 from records r join group_members m on m.source_id = r.source_id and m.value = r.record_key
					where r.person_id = p.id and r.deleted_at is null and m.group_id in ?)`+lossAgain,
				source, LossGroup, group, db.At(w.now), db.Pad(part), inside).Error; err != nil {
				return fmt.Errorf("note losses: %w", err)
			}
		}
	}
	return nil
}
