package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// missedPlace is a directory group that names somebody whom every source misses: a source tells of an entry that it is gone, and not of each group.
type missedPlace struct {
	PersonID id.Person
	SourceID id.Source
	GroupID  id.DirectoryGroup
	Since    db.Instant // when the last source missed them
	// until when that was confirmed
	Confirmed db.Instant
}

// counts tells whether they are out of the group since, and nobody confirmed it.
func (p missedPlace) counts(since time.Time) bool {
	return p.Since.After(since) && p.Since.After(p.Confirmed.Time)
}

// The ways from people to the groups that name them, and back, in the order of the tables: one side may be all people of a company, the other a few.
const (
	missedOfThese  = "persons p cross join records r cross join group_members m where p.id in ?"
	missedOfAll    = "(select distinct person_id from records where absent_since is not null and deleted_at is null) c cross join persons p cross join records r cross join group_members m where p.id = c.person_id and m.group_id in ?"
	missedOfGroups = "group_members m cross join records r cross join persons p where m.group_id in ?"
)

// missedPlaces reads where people are named whom every source misses.
func missedPlaces(q handle, way string, args ...any) ([]missedPlace, error) {
	var out []missedPlace
	if err := q.Raw(`select r.person_id, r.source_id, m.group_id, (select max(a.absent_since) from records a where a.person_id = p.id and a.deleted_at is null) as since,
		(select c.at from confirmed_losses c where c.person_id = p.id) as confirmed from `+way+` and p.absent and r.person_id = p.id and r.deleted_at is null and m.source_id = r.source_id and m.value = r.record_key`, args...).Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("read groups of the missed: %w", err)
	}
	return out, nil
}

// missedOut answers, of these people, the groups that they are out of because every source misses them since.
func (r Reader) missedOut(ctx context.Context, since time.Time, people []id.Person) ([]Loss, error) {
	q, nests := r.from(ctx), nestings{}
	var out []Loss
	for part := range slices.Chunk(people, chunk) {
		places, err := missedPlaces(q, missedOfThese, db.Pad(part))
		if err != nil {
			return nil, err
		}
		seen := map[Loss]bool{}
		for _, place := range places {
			if !place.counts(since) {
				continue
			}
			n, err := nests.of(q, place.SourceID)
			if err != nil {
				return nil, err
			}
			for _, group := range reach(n.within, place.GroupID) {
				if l := (Loss{place.PersonID, place.SourceID, LossGroup, string(group), true}); !seen[l] {
					seen[l] = true
					out = append(out, l)
				}
			}
		}
	}
	return out, nil
}

// LostGroups counts who left each of these directory groups since and is not back, or is missed by every source since, and how many were in it, by
// whatever groups between.
func (r Reader) LostGroups(ctx context.Context, since time.Time, groups []id.DirectoryGroup) (map[id.DirectoryGroup]LossCount, error) {
	left, err := r.lostGroups(ctx, since, groups)
	out := make(map[id.DirectoryGroup]LossCount, len(left))
	for group, of := range left {
		out[group] = LossCount{Lost: len(of.lost), Had: len(of.lost) + of.still}
	}
	return out, err
}

// leftBehind is who lost a directory group, and how many are in it still.
type leftBehind struct {
	lost  map[id.Person]bool
	still int
}

func (r Reader) lostGroups(ctx context.Context, since time.Time, groups []id.DirectoryGroup) (map[id.DirectoryGroup]leftBehind, error) {
	q, out := r.from(ctx), map[id.DirectoryGroup]leftBehind{}
	inside, err := insides(q, groups)
	if err != nil {
		return nil, err
	}
	named := map[id.DirectoryGroup][]missedPlace{}
	var all []id.DirectoryGroup
	for _, list := range inside {
		all = append(all, list...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	counts, left := map[id.DirectoryGroup]int{}, map[id.DirectoryGroup]bool{}
	var missing int
	if err := q.Raw("select count(*) from records where absent_since is not null").Scan(&missing).Error; err != nil {
		return nil, fmt.Errorf("count the missed: %w", err)
	}
	for part := range slices.Chunk(all, chunk) {
		var rows []struct {
			GroupID id.DirectoryGroup
			N       int
		}
		if err := q.Raw("select group_id, count(*) as n from group_members where group_id in ? group by group_id", db.Pad(part)).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("count members: %w", err)
		}
		members := 0
		for _, row := range rows {
			counts[row.GroupID] = row.N
			members += row.N
		}
		if missing == 0 {
			continue
		}
		way := missedOfGroups
		if missing < members {
			way = missedOfAll
		}
		places, err := missedPlaces(q, way, db.Pad(part))
		if err != nil {
			return nil, err
		}
		for _, place := range places {
			named[place.GroupID] = append(named[place.GroupID], place)
		}
	}
	for part := range slices.Chunk(groups, chunk) {
		var lost []id.DirectoryGroup
		if err := q.Raw("select distinct was from fact_losses where field = ? and was in ? and at > ?", LossGroup, db.Pad(part), db.At(since)).Scan(&lost).Error; err != nil {
			return nil, fmt.Errorf("count losses: %w", err)
		}
		for _, group := range lost {
			left[group] = true
		}
	}
	for _, group := range groups {
		lost, missed, rows := map[id.Person]bool{}, map[id.Person]bool{}, 0
		for _, g := range inside[group] {
			for _, place := range named[g] {
				missed[place.PersonID] = true
				if place.counts(since) {
					lost[place.PersonID] = true
				}
			}
			rows += len(named[g])
		}
		if left[group] {
			people, err := leftGroup(q, since, group, inside[group])
			if err != nil {
				return nil, err
			}
			for _, p := range people {
				lost[p] = true
			}
		}
		still := counts[group] - rows
		if len(inside[group]) > 1 { // people, each once: the groups are members, too
			if err := q.Raw(`select count(distinct r.person_id) from group_members m join records r on r.source_id = m.source_id and r.record_key = m.value
				where m.group_id in ? and r.deleted_at is null`, db.Pad(inside[group])).Scan(&still).Error; err != nil {
				return nil, fmt.Errorf("count members: %w", err)
			}
			still -= len(missed)
		}
		out[group] = leftBehind{lost, still}
	}
	return out, nil
}

// insides answers each group with all that are nested in it.
func insides(q handle, groups []id.DirectoryGroup) (map[id.DirectoryGroup][]id.DirectoryGroup, error) {
	out, nests := map[id.DirectoryGroup][]id.DirectoryGroup{}, nestings{}
	for part := range slices.Chunk(groups, chunk) {
		var rows []struct {
			ID       id.DirectoryGroup
			SourceID id.Source
		}
		if err := q.Raw("select id, source_id from directory_groups where id in ?", db.Pad(part)).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read groups: %w", err)
		}
		for _, row := range rows {
			n, err := nests.of(q, row.SourceID)
			if err != nil {
				return nil, err
			}
			out[row.ID] = reach(n.holds, row.ID)
		}
	}
	for _, group := range groups { // one that is deleted
		if out[group] == nil {
			out[group] = []id.DirectoryGroup{group}
		}
	}
	return out, nil
}

// leftGroup answers who was taken out of a group since, and is not in it by what is inside it.
func leftGroup(q handle, since time.Time, group id.DirectoryGroup, inside []id.DirectoryGroup) (people []id.Person, err error) {
	if err = q.Raw(`select distinct l.person_id from fact_losses l where l.field = ? and l.was = ? and l.at > ?`+unconfirmed+`
		and not exists (select 1 from records r join group_members m on m.source_id = r.source_id and m.value = r.record_key
			where r.person_id = l.person_id and r.deleted_at is null and m.group_id in ?)`, LossGroup, group, db.At(since), db.Pad(inside)).Scan(&people).Error; err != nil {
		err = fmt.Errorf("count losses: %w", err)
	}
	return people, err
}

// Missed answers whom a source misses since, of those whom every other source misses too.
func (r Reader) Missed(ctx context.Context, since time.Time, source id.Source) (people []id.Person, err error) {
	if err = r.from(ctx).Raw(`select distinct r.person_id from records r join persons p on p.id = r.person_id where r.source_id = ? and r.absent_since > ? and r.deleted_at is null and p.absent
		and not exists (select 1 from confirmed_losses c where c.person_id = r.person_id and c.at >= r.absent_since)`, source, db.At(since)).Scan(&people).Error; err != nil {
		err = fmt.Errorf("read the missed: %w", err)
	}
	return people, err
}
