package directory

import (
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// changeMembers makes the member rows what they shall be and answers what came and went. The group's row is locked.
func (w *work) changeMembers(g GroupRecord, replace *[]string, add, remove []string) (added, removed []string, err error) {
	keep := map[string]bool{}
	if replace != nil {
		var current []string
		if err := w.tx.Raw("select value from group_members where group_id = ?", g.ID).Scan(&current).Error; err != nil {
			return nil, nil, fmt.Errorf("read members: %w", err)
		}
		for _, v := range *replace {
			keep[v] = true
		}
		for _, v := range remove {
			delete(keep, v)
		}
		remove = current
	}
	for _, v := range add {
		keep[v] = true
	}
	remove = slices.DeleteFunc(slices.Clone(remove), func(v string) bool { // removed, then added: it stays
		stays := keep[v]
		if stays && replace != nil { // it is there: nothing to write
			delete(keep, v)
		}
		return stays
	})
	add = sorted(keep)
	for part := range slices.Chunk(remove, chunk) {
		var present []string
		if err := w.tx.Raw("delete from group_members where group_id = ? and value in ? returning value", g.ID, part).Scan(&present).Error; err != nil {
			return nil, nil, fmt.Errorf("write members: %w", err)
		}
		removed = append(removed, present...)
	}
	added, err = w.addMembers(g, add, false)
	return added, removed, err
}

// freshMost is how many members of a new group are made rows at a time.
const freshMost = 4096

// addMembers answers which values were not there before; fresh: the group is new.
func (w *work) addMembers(g GroupRecord, values []string, fresh bool) ([]string, error) {
	unique := make(map[string]bool, len(values))
	for _, v := range values {
		if v == "" {
			return nil, fmt.Errorf("%w: a member without a value", ErrInvalid)
		}
		if err := storable("members", v); err != nil {
			return nil, err
		}
		unique[v] = true
	}
	var added []string
	group, from := any(string(g.ID)), any(string(g.Source))
	most := chunk
	if fresh { // nothing is asked for, and few long statements cost less than many
		most = freshMost
	}
	for part := range slices.Chunk(sorted(unique), most) {
		var present []string
		if !fresh {
			if err := w.tx.Raw("select value from group_members where group_id = ? and value in ?", g.ID, part).Scan(&present).Error; err != nil {
				return nil, fmt.Errorf("read members: %w", err)
			}
		}
		there := map[string]bool{}
		for _, v := range present {
			there[v] = true
		}
		rows := make([][]any, 0, len(part))
		for _, v := range part {
			if !there[v] {
				rows = append(rows, []any{group, v, from})
				added = append(added, v)
			}
		}
		if err := w.tx.Insert("group_members", []string{"group_id", "value", "source_id"}, rows); err != nil {
			return nil, fmt.Errorf("write members: %w", err)
		}
	}
	return added, nil
}

// dropMember takes a value that never comes back out of every group of its source.
func (w *work) dropMember(source id.Source, value string) error {
	var groups []id.DirectoryGroup
	if err := w.tx.Raw("delete from group_members where source_id = ? and value = ? returning group_id", source, value).Scan(&groups).Error; err != nil {
		return fmt.Errorf("delete members: %w", err)
	}
	slices.Sort(groups)
	for _, g := range groups {
		if err := w.tx.Exec("update directory_groups set version = version + 1, updated_at = ? where id = ?", w.now.UnixMicro(), g).Error; err != nil {
			return fmt.Errorf("write group: %w", err)
		}
	}
	return nil
}

func (w *work) everyMember(g GroupRecord) error {
	var values []string
	if err := w.tx.Raw("select value from group_members where group_id = ?", g.ID).Scan(&values).Error; err != nil {
		return fmt.Errorf("read members: %w", err)
	}
	w.joined(g.Source, values)
	return nil
}

// joined notes values whose groups changed.
func (w *work) joined(source id.Source, values []string) {
	if w.values[source] == nil {
		w.values[source] = map[string]bool{}
	}
	for _, v := range values {
		w.values[source][v] = true
	}
}

// members finds the people behind the values whose groups changed, through nested groups, and tells that their groups differ.
func (w *work) members() error {
	for source, values := range w.values {
		var anybody []int
		if err := w.tx.Raw("select 1 from records where source_id = ? limit 1", source).Scan(&anybody).Error; err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		if len(anybody) == 0 { // a source that is read for the first time: its groups come first
			continue
		}
		people, err := w.peopleWhere("record_key", source, values)
		if err != nil {
			return err
		}
		nested, err := w.nested(source, values)
		if err != nil {
			return err
		}
		for _, p := range append(people, nested...) {
			w.differs(p, "groups")
		}
	}
	clear(w.values)
	return nil
}

// nested answers the people in those of the values that are groups, however deep; a circle ends where it began.
func (w *work) nested(source id.Source, values map[string]bool) ([]id.Person, error) {
	var all []id.Person
	asked := sorted(values)
	if len(asked) > 4*chunk { // most are people: there are fewer groups than that
		var keys []string
		if err := w.tx.Raw("select group_key from directory_groups where source_id = ?", source).Scan(&keys).Error; err != nil {
			return nil, fmt.Errorf("read nested groups: %w", err)
		}
		asked = slices.DeleteFunc(keys, func(k string) bool { return !values[k] })
		slices.Sort(asked)
	}
	for part := range slices.Chunk(asked, chunk) {
		var groups []id.DirectoryGroup
		if err := w.tx.Raw("select id from directory_groups where source_id = ? and group_key in ?", source, db.Pad(part)).Scan(&groups).Error; err != nil {
			return nil, fmt.Errorf("read nested groups: %w", err)
		}
		if len(groups) == 0 { // the rule
			continue
		}
		var people []id.Person
		if err := w.tx.Raw(`with recursive down (group_id) as (
				select id from directory_groups where id in ?
				union
				select g.id from down d join group_members m on m.group_id = d.group_id
					join directory_groups g on g.source_id = m.source_id and g.group_key = m.value)
			select distinct r.person_id from down d cross join group_members m cross join records r
				where m.group_id = d.group_id and r.source_id = m.source_id and r.record_key = m.value and r.deleted_at is null and r.person_id is not null`, db.Pad(groups)).Scan(&people).Error; err != nil {
			return nil, fmt.Errorf("read nested groups: %w", err)
		}
		all = append(all, people...)
	}
	return all, nil
}

// differs adds fields to what is told of a person; of a staged record nothing is told.
func (w *work) differs(p id.Person, fields ...string) *Changed {
	if p == "" {
		return &Changed{}
	}
	c := w.changed[p]
	if c == nil {
		c = &Changed{Person: p}
		w.changed[p] = c
	}
	for _, f := range fields {
		if !slices.Contains(c.Fields, f) {
			c.Fields = append(c.Fields, f)
		}
	}
	return c
}
