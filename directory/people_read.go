package directory

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Person answers one person; ErrNotFound.
func (r Reader) Person(ctx context.Context, person id.Person) (Person, error) {
	people, err := r.PeopleByID(ctx, []id.Person{person})
	if err != nil {
		return Person{}, err
	}
	if len(people) == 0 {
		return Person{}, fmt.Errorf("person %s: %w", person, ErrNotFound)
	}
	return people[0], nil
}

// PeopleByID answers the people of these ids, in no order; unknown ids are left out.
func (r Reader) PeopleByID(ctx context.Context, people []id.Person) ([]Person, error) {
	var out []Person
	for part := range slices.Chunk(people, chunk) {
		var rows []personRow
		if err := r.from(ctx).Where("id in ?", part).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("read people: %w", err)
		}
		full, err := r.complete(ctx, rows)
		if err != nil {
			return nil, err
		}
		out = append(out, full...)
	}
	return out, nil
}

// Names answers the display names of these people, of merged ones the name of who they are now; unknown ids are left out.
func (r Reader) Names(ctx context.Context, people []id.Person) (map[id.Person]string, error) {
	out := map[id.Person]string{}
	for part := range slices.Chunk(people, chunk) {
		var rows []personRow
		if err := r.from(ctx).Raw(`select p.id, coalesce(m.display_name, p.display_name) as display_name from persons p
			left join persons m on m.id = p.merged_into and p.merged_into <> '' where p.id in ?`, part).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read people: %w", err)
		}
		for _, row := range rows {
			out[row.ID] = row.DisplayName
		}
	}
	return out, nil
}

// ownNames answers the display names of these people, of merged ones their own.
func (r Reader) ownNames(ctx context.Context, people []id.Person) (map[id.Person]string, error) {
	out := map[id.Person]string{}
	for part := range slices.Chunk(people, chunk) {
		var rows []personRow
		if err := r.from(ctx).Select("id, display_name").Where("id in ?", part).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("read people: %w", err)
		}
		for _, row := range rows {
			out[row.ID] = row.DisplayName
		}
	}
	return out, nil
}

// complete adds to rows what follows from freezes and groups.
func (r Reader) complete(ctx context.Context, rows []personRow) ([]Person, error) {
	people, _, err := r.withFreezes(ctx, rows)
	return people, err
}

// withFreezes completes rows, and answers the freezes that stand.
func (r Reader) withFreezes(ctx context.Context, rows []personRow) ([]Person, []Freeze, error) {
	ids := make([]id.Person, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	freezes, err := r.standing(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	groups, err := r.groupNames(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	byPerson := map[id.Person][]Freeze{}
	for _, f := range freezes {
		byPerson[f.Person] = append(byPerson[f.Person], f)
	}
	now := r.now()
	out := make([]Person, len(rows))
	for i, row := range rows {
		p := row.person()
		p.Status, p.Frozen, p.EndsAt = statusOf(byPerson[row.ID], now, *r.leave)
		if !row.ErasedAt.IsZero() {
			p.Status = StatusAnonymised
		}
		p.Groups = groups[row.ID]
		out[i] = p
	}
	return out, freezes, nil
}

// standing answers the freezes of these people that are not lifted, in order of creation.
func (r Reader) standing(ctx context.Context, people []id.Person) ([]Freeze, error) {
	if len(people) == 0 {
		return nil, nil
	}
	var rows []freezeRow
	if err := r.from(ctx).Where("person_id in ? and lifted_at is null", db.Pad(people)).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read freezes: %w", err)
	}
	out := make([]Freeze, len(rows))
	for i, row := range rows {
		out[i] = row.freeze()
	}
	return r.veilFreezes(ctx, out)
}

// groupNames answers what Person.Groups holds; nested groups are followed up, a circle ends where it began.
func (r Reader) groupNames(ctx context.Context, people []id.Person) (map[id.Person][]string, error) {
	return groupKeys(r.from(ctx), "person_id", people)
}

// groupKeys answers the keys of the groups that live records are in, by a column of theirs: person_id, or link for staged ones. A disabled
// record says nothing where another employment of the person runs (J29); where none does, its groups wait for it.
func groupKeys[K ~string](q handle, column string, of []K) (map[K][]string, error) {
	out := map[K][]string{}
	if len(of) == 0 {
		return out, nil
	}
	var rows []struct {
		Member                   K
		Source, Name, ExternalID string
	}
	if err := q.Raw(`with recursive inside (member, group_id) as (
			select r.`+column+`, m.group_id from records r join group_members m on m.source_id = r.source_id and m.value = r.record_key
				where r.`+column+` in ? and r.deleted_at is null and (r.active or not exists (select 1 from records a
					where a.person_id = r.person_id and a.deleted_at is null and a.active and (a.source_id = r.source_id
					or a.employee_number <> '' and r.employee_number <> '' and a.employee_number <> r.employee_number)))
			union
			select i.member, m.group_id from inside i join directory_groups g on g.id = i.group_id
				join group_members m on m.source_id = g.source_id and m.value = g.group_key)
		select i.member, s.name as source, g.display_name as name, g.external_id from inside i
			join directory_groups g on g.id = i.group_id join sources s on s.id = g.source_id`, db.Pad(of)).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read groups of people: %w", err)
	}
	for _, row := range rows {
		for _, key := range []string{row.Name, row.ExternalID} {
			if key != "" {
				out[row.Member] = append(out[row.Member], row.Source+"/"+key)
			}
		}
	}
	for p, keys := range out {
		slices.Sort(keys)
		out[p] = slices.Compact(keys)
	}
	return out, nil
}

type peopleCursor struct {
	Key string    `json:"k"`
	ID  id.Person `json:"i"`
}

// People answers one page of people by display name.
func (r Reader) People(ctx context.Context, q Query) (PeoplePage, error) {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	q.Limit = min(q.Limit, 200)
	if !r.looksTwice(q.Status) {
		return r.peoplePage(ctx, q)
	}
	var out PeoplePage
	for limit := q.Limit; ; q.Cursor = out.Next {
		q.Limit = limit - len(out.People)
		page, err := r.peoplePage(ctx, q)
		if err != nil {
			return PeoplePage{}, err
		}
		out.People = append(out.People, slices.DeleteFunc(page.People, func(p Person) bool { return p.Status != q.Status })...)
		if out.Next = page.Next; out.Next == "" || len(out.People) == limit {
			return out, nil
		}
	}
}

func (r Reader) peoplePage(ctx context.Context, q Query) (PeoplePage, error) {
	query := r.from(ctx).Model(&personRow{}).Where("merged_into = ''")
	for _, word := range strings.Fields(fold(q.Text)) {
		if storable("q", word) != nil {
			return PeoplePage{}, nil
		}
		like := "%" + likeText(word) + "%"
		query = query.Where(`(search like ? escape '\' or id in (select person_id from former_names where words like ? escape '\' and at > ?))`, like, like, r.formerSince())
	}
	if q.Cursor != "" {
		var c peopleCursor
		text, err := base64.RawURLEncoding.DecodeString(q.Cursor)
		if err != nil || json.Unmarshal(text, &c) != nil || storable("cursor", c.Key+string(c.ID)) != nil {
			return PeoplePage{}, fmt.Errorf("%w: cursor", ErrInvalid)
		}
		query = query.Where("(sort_key > ? or sort_key = ? and id > ?)", c.Key, c.Key, c.ID)
	}
	if q.Status != "" {
		sql, args, err := r.statusSQL(q.Status)
		if err != nil {
			return PeoplePage{}, err
		}
		query = query.Where(sql, args...)
	}
	if q.Frozen != nil {
		sql, args := openFreeze("", r.now())
		if r.leave.ReadOnly {
			sql = strings.TrimSuffix(sql, ")") + " and f.cause <> 'leave')"
		}
		if !*q.Frozen {
			sql = "not " + sql
		}
		query = query.Where(sql, args...)
	}
	if q.Contested {
		query = query.Where("exists (select 1 from freezes f where f.person_id = persons.id and f.slot = ? and f.lifted_at is null and f.contested_at is not null and (f.until_at is null or f.until_at > ?))",
			SlotVeto, db.At(r.now()))
	}
	if q.Unit != "" {
		query = query.Where(belowUnits, []id.Unit{q.Unit})
	}
	if q.Within != nil {
		query = query.Where(belowUnits, q.Within)
	}
	if q.Group != "" {
		query = query.Where(`id in (with recursive down (id, source_id) as (
			select id, source_id from directory_groups where id = ?
			union select g.id, g.source_id from down d join group_members m on m.group_id = d.id
				join directory_groups g on g.source_id = m.source_id and g.group_key = m.value)
			select r.person_id from down d join group_members m on m.group_id = d.id
				join records r on r.source_id = m.source_id and r.record_key = m.value and r.deleted_at is null)`, q.Group)
	}
	var rows []personRow
	if err := query.Order("sort_key, id").Limit(q.Limit + 1).Find(&rows).Error; err != nil {
		return PeoplePage{}, fmt.Errorf("list people: %w", err)
	}
	var page PeoplePage
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		last := rows[q.Limit-1]
		text, err := json.Marshal(peopleCursor{last.SortKey, last.ID})
		if err != nil {
			return PeoplePage{}, err
		}
		page.Next = base64.RawURLEncoding.EncodeToString(text)
	}
	var err error
	page.People, err = r.complete(ctx, rows)
	return page, err
}

// openFreeze is the condition that a freeze of cause (empty: any) is open at now.
func openFreeze(cause FreezeCause, now time.Time) (string, []any) {
	at := db.At(now)
	sql := "exists (select 1 from freezes f where f.person_id = persons.id and f.lifted_at is null and (f.from_at is null or f.from_at <= ?) and (f.until_at is null or f.until_at > ?)"
	args := []any{at, at}
	if cause != "" {
		sql += " and f.cause = ?"
		args = append(args, cause)
	}
	return sql + ")", args
}

// statusSQL says in SQL what statusOf says in Go: the first of these that holds, else active.
func statusSQL(status Status, now time.Time) (string, []any, error) {
	ended, args0 := openFreeze(CauseEnded, now)
	deleted, args1 := openFreeze(CauseDeleted, now)
	endedArgs := append(args1, args0...)
	pending, pendingArgs := openFreeze(CausePending, now)
	leave, leaveArgs := openFreeze(CauseLeave, now)
	const notice = "exists (select 1 from freezes f where f.person_id = persons.id and f.lifted_at is null and f.cause = 'ended' and f.from_at > ?)"
	var before []string
	var args []any
	for _, step := range []struct {
		status Status
		sql    string
		args   []any
	}{{StatusAnonymised, "erased_at is not null", nil}, {StatusTerminated, "(gone and " + deleted + " or " + ended + ")", endedArgs}, {StatusPending, pending, pendingArgs}, {StatusLeave, leave, leaveArgs},
		{StatusNotice, notice, []any{db.At(now)}}, {StatusActive, "1 = 1", nil}} {
		args = append(args, step.args...)
		if step.status == status {
			return strings.Join(append(before, step.sql), " and "), args, nil
		}
		before = append(before, "not "+step.sql)
	}
	return "", nil, fmt.Errorf("%w: status %q", ErrInvalid, status)
}

// AllPeople answers the ids of everybody, in order.
func (r Reader) AllPeople(ctx context.Context) ([]id.Person, error) {
	rows, err := r.from(ctx).Raw("select id from persons").Rows()
	if err != nil {
		return nil, fmt.Errorf("read people: %w", err)
	}
	defer rows.Close()
	var ids []id.Person
	for rows.Next() {
		var person string
		if err := rows.Scan(&person); err != nil {
			return nil, fmt.Errorf("read people: %w", err)
		}
		ids = append(ids, id.Person(person))
	}
	slices.Sort(ids)
	return ids, rows.Err()
}

// Freezes answers a person's freezes, standing ones first, then lifted ones, newest first.
func (r Reader) Freezes(ctx context.Context, person id.Person) ([]Freeze, error) {
	var rows []freezeRow
	if err := r.from(ctx).Where("person_id = ?", person).Order("case when lifted_at is null then 0 else 1 end, created_at desc, id desc").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read freezes: %w", err)
	}
	out := make([]Freeze, len(rows))
	for i, row := range rows {
		out[i] = row.freeze()
	}
	return r.veilFreezes(ctx, out)
}
