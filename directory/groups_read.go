package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Group answers a group of a source.
func (r Reader) Group(ctx context.Context, source id.Source, group id.DirectoryGroup) (GroupRecord, error) {
	return r.oneGroup(ctx, "id = ? and source_id = ?", string(group), source)
}

// GroupByKey answers a group by its key in the source.
func (r Reader) GroupByKey(ctx context.Context, source id.Source, key string) (GroupRecord, error) {
	return r.oneGroup(ctx, "group_key = ? and source_id = ?", key, source)
}

func (r Reader) oneGroup(ctx context.Context, where, value string, source id.Source) (GroupRecord, error) {
	var rows []groupRow
	if storable("key", value) == nil {
		if err := r.from(ctx).Where(where, value, source).Find(&rows).Error; err != nil {
			return GroupRecord{}, fmt.Errorf("read group: %w", err)
		}
	}
	if len(rows) == 0 {
		return GroupRecord{}, fmt.Errorf("group %q: %w", value, ErrNotFound)
	}
	return rows[0].group(), nil
}

// FindGroups answers one page of groups.
func (r Reader) FindGroups(ctx context.Context, q GroupQuery) (GroupPage, error) {
	c := compiler{table: groupTable(r.engine), source: q.Source}
	where, err := c.where(q.Where)
	if err != nil {
		return GroupPage{}, err
	}
	order, err := c.table.order(q.Sort, q.Descending)
	if err != nil {
		return GroupPage{}, err
	}
	args := c.args
	switch {
	case q.Source != "":
		where, args = "directory_groups.source_id = ? and "+where, append([]any{q.Source}, args...)
	case !q.Staged:
		where += " and directory_groups.source_id not in (select id from sources where mode in ('dry_run', 'discarding'))"
	}
	var page GroupPage
	if !q.NoTotal {
		if err := r.from(ctx).Raw("select count(*) from directory_groups where "+where, args...).Scan(&page.Total).Error; err != nil {
			return GroupPage{}, fmt.Errorf("count groups: %w", err)
		}
	}
	if q.Limit <= 0 {
		return page, nil
	}
	if q.After != "" {
		where, args = where+" and directory_groups.id > ?", append(args, q.After)
	}
	columns := "directory_groups.*"
	if q.NoRaw {
		columns = groupColumns
	}
	var rows []groupRow
	if err := r.from(ctx).Raw("select "+columns+" from directory_groups where "+where+" order by "+order+" limit ? offset ?", append(args, q.Limit, max(q.Offset, 0))...).Scan(&rows).Error; err != nil {
		return GroupPage{}, fmt.Errorf("find groups: %w", err)
	}
	page.Groups = make([]GroupRecord, len(rows))
	for i, row := range rows {
		page.Groups[i] = row.group()
	}
	return page, nil
}

// Members answers members of a group, pending ones too.
func (r Reader) Members(ctx context.Context, group id.DirectoryGroup, q MemberQuery) (MemberPage, error) {
	where, args := "m.group_id = ?", []any{group}
	if q.Value != "" {
		if storable("value", q.Value) != nil {
			return MemberPage{}, nil
		}
		where, args = where+" and m.value = ?", append(args, q.Value)
	}
	var page MemberPage
	if !q.NoTotal {
		if err := r.from(ctx).Raw("select count(*) from group_members m where "+where, args...).Scan(&page.Total).Error; err != nil {
			return MemberPage{}, fmt.Errorf("count members: %w", err)
		}
	}
	if q.Limit <= 0 {
		return page, nil
	}
	if q.After != "" {
		if err := storable("after", q.After); err != nil {
			return MemberPage{}, err
		}
		where, args = where+" and m.value > ?", append(args, q.After)
	}
	var rows []struct {
		Value, Display string
		Link           id.Link
		Nested         id.DirectoryGroup
		Person         id.Person
	}
	if err := r.from(ctx).Raw(`select m.value, coalesce(r.link, '') as link, coalesce(r.person_id, '') as person, coalesce(g.id, '') as nested,
			coalesce(nullif(r.display_name, ''), r.user_name, g.display_name, '') as display
		from (select m.source_id, m.value from group_members m where `+where+` order by m.value limit ? offset ?) m
		left join records r on r.source_id = m.source_id and r.record_key = m.value and r.deleted_at is null
		left join directory_groups g on g.source_id = m.source_id and g.group_key = m.value
		order by m.value`, append(args, q.Limit, max(q.Offset, 0))...).Scan(&rows).Error; err != nil {
		return MemberPage{}, fmt.Errorf("read members: %w", err)
	}
	for _, row := range rows {
		page.Members = append(page.Members, Member{Value: row.Value, Link: row.Link, Group: row.Nested, Person: row.Person, Display: row.Display})
	}
	return page, nil
}

// MemberCounts answers how many members these groups have, pending ones too; groups without any are left out.
func (r Reader) MemberCounts(ctx context.Context, groups []id.DirectoryGroup) (map[id.DirectoryGroup]int, error) {
	out := map[id.DirectoryGroup]int{}
	for part := range slices.Chunk(groups, chunk) {
		var rows []struct {
			GroupID id.DirectoryGroup
			N       int
		}
		if err := r.from(ctx).Raw("select group_id, count(*) as n from group_members where group_id in ? group by group_id", part).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("count members: %w", err)
		}
		for _, row := range rows {
			out[row.GroupID] = row.N
		}
	}
	return out, nil
}

// GroupsOf answers, for each of these records of a source, the groups it is in, direct ones first.
func (r Reader) GroupsOf(ctx context.Context, source id.Source, links []id.Link) (map[id.Link][]GroupRef, error) {
	out := map[id.Link][]GroupRef{}
	for part := range slices.Chunk(links, chunk) {
		var rows []struct {
			Link        id.Link
			ID          id.DirectoryGroup
			DisplayName string
			Direct      int
		}
		if err := r.from(ctx).Raw(`with recursive inside (link, group_id, direct) as (
				select r.link, m.group_id, 1 from records r join group_members m on m.source_id = r.source_id and m.value = r.record_key
					where r.link in ? and r.source_id = ? and r.deleted_at is null
				union
				select i.link, m.group_id, 0 from inside i join directory_groups g on g.id = i.group_id
					join group_members m on m.source_id = g.source_id and m.value = g.group_key)
			select i.link, g.id, g.display_name, max(i.direct) as direct from inside i join directory_groups g on g.id = i.group_id
				group by i.link, g.id, g.display_name order by max(i.direct) desc, g.id`, part, source).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read groups of records: %w", err)
		}
		for _, row := range rows {
			out[row.Link] = append(out[row.Link], GroupRef{ID: row.ID, DisplayName: row.DisplayName, Direct: row.Direct == 1})
		}
	}
	return out, nil
}

// likeText makes text stand for itself in a like pattern with the escape character '\'.
func likeText(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}
