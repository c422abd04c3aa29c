package provisioning

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// following is the plan of a version that is not followed through yet. Whoever looks at a person meanwhile does the plan's work in its name, as finish would: the
// places it takes bear its name, the guard is not asked about them twice, and what it gives back has its own id.
type following struct {
	cause   directory.Cause
	changes map[position]bool // true: the place goes
	undoes  id.Request        // the run, or the plan, whose way back it is; empty: it is none
}

// follow answers the plan of a version; nil where it is not kept. c has its groups.
func (c *catalog) follow(q reader, version versionRow) (*following, error) {
	_, plan, err := loadPlan(q, version.Plan)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := &following{cause: directory.Cause{Actor: version.Author, Request: id.Request(version.Plan)}, changes: make(map[position]bool, plan.Total), undoes: plan.undoes}
	return f, eachChange(q, plan, func(list []PlannedChange) bool {
		for _, change := range list {
			f.changes[position{change.Person, c.byKey[change.Group]}] = change.Op == OpRemove
		}
		return true
	})
}

// removes tells whether a plan that is being followed takes this place.
func (f *following) removes(at position) bool { return f != nil && f.changes[at] }

// has tells whether it says anything of this place.
func (f *following) has(at position) bool {
	if f == nil {
		return false
	}
	_, has := f.changes[at]
	return has
}

// returnees answers to whom the plan that is followed may give places back.
func (f *following) returnees(q reader) (people []id.Person, err error) {
	if f == nil || f.undoes == "" {
		return nil, nil
	}
	if err := q.Raw("select m.person from memberships m where m.ended_at is not null and "+ofRun+" union select m.person from reasons x join memberships m on m.id = x.membership where x.ended_by = ? and m.ended_at is null",
		f.undoes, f.undoes, f.undoes).Scan(&people).Error; err != nil {
		return nil, fmt.Errorf("read what %s took: %w", f.undoes, err)
	}
	return people, nil
}

// returns answers the places that the plan that is followed gives back to people, the newest first, each with a keep and the reasons that no rule gave; and of places that stand the reasons alone that it
// gives back.
func (f *following) returns(q reader, facts []directory.Fact, now time.Time) (map[id.Person][]Membership, error) {
	if f == nil || f.undoes == "" || len(facts) == 0 {
		return nil, nil
	}
	people := make([]id.Person, len(facts))
	for i, fact := range facts {
		people[i] = fact.Person.ID
	}
	var ended, standing []membershipRow
	if err := q.Raw("select m.* from memberships m where m.ended_at is not null and m.person in ? and "+ofRun+" order by m.ended_at desc, m.id", db.Pad(people), f.undoes, f.undoes).Scan(&ended).Error; err != nil {
		return nil, fmt.Errorf("read ended memberships: %w", err)
	}
	if err := q.Raw("select m.* from memberships m where m.ended_at is null and m.person in ? and exists (select 1 from reasons x where x.membership = m.id and x.ended_by = ?)", db.Pad(people), f.undoes).Scan(&standing).Error; err != nil {
		return nil, fmt.Errorf("read memberships: %w", err)
	}
	var places []id.Membership
	for _, row := range slices.Concat(ended, standing) {
		places = append(places, row.ID)
	}
	lost, err := lostReasons(q, places, now)
	if err != nil {
		return nil, err
	}
	placed, out := placesOf(facts), map[id.Person][]Membership{}
	for _, row := range slices.Concat(ended, standing) {
		m := row.membership(nil)
		for _, x := range lost[row.ID] {
			if row.EndedAt.IsZero() && x.EndedBy == f.undoes || !row.EndedAt.IsZero() && x.EndedAt.Equal(row.EndedAt.Time) {
				m.Reasons = append(m.Reasons, x.reason())
			}
		}
		if !row.EndedAt.IsZero() {
			m.Reasons = append(m.Reasons, Reason{Kind: KindKeep, Ref: string(f.undoes), Role: row.Role, Until: now.Add(KeepFor), CreatedAt: now, placed: placed[row.Person]})
		}
		out[row.Person] = append(out[row.Person], m)
	}
	return out, nil
}

// lostReasons answers the reasons of places that ended before their time and that no rule gave.
func lostReasons(q reader, places []id.Membership, now time.Time) (map[id.Membership][]reasonRow, error) {
	out := map[id.Membership][]reasonRow{}
	for part := range slices.Chunk(places, chunkMost) {
		var rows []reasonRow
		if err := q.Raw("select * from reasons where membership in ? and ended_at is not null and kind in (?, ?, ?) and (until is null or until > ?) order by ended_at desc, id",
			part, KindGrant, KindApproval, KindJoin, db.At(now)).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read ended reasons: %w", err)
		}
		for _, row := range rows {
			out[row.Membership] = append(out[row.Membership], row)
		}
	}
	return out, nil
}

// withReturns answers what somebody has with what is being given back, where they are there to have it; with decides about it as about what stands.
func (run *run) withReturns(f directory.Fact, have []Membership) []Membership {
	back := run.back[f.Person.ID]
	if len(back) == 0 || f.Person.Status.Left() || f.Person.MergedInto != "" {
		return have
	}
	out := slices.Clone(have)
	for _, m := range back {
		at := slices.IndexFunc(out, func(h Membership) bool { return h.Group == m.Group })
		if at < 0 {
			out = append(out, m)
			continue
		}
		if out[at].ID != m.ID {
			continue // they have another place there since
		}
		reasons := slices.Clone(out[at].Reasons)
		for _, r := range m.Reasons {
			if !slices.ContainsFunc(reasons, func(o Reason) bool { return o.ground() == r.ground() }) {
				reasons = append(reasons, r)
			}
		}
		out[at].Reasons = reasons
	}
	return out
}

// returned answers the place in a group that is given back to somebody who has none there.
func (run *run) returned(person id.Person, group id.Group) (Membership, bool) {
	at := slices.IndexFunc(run.back[person], func(m Membership) bool { return m.Group == group })
	if at < 0 {
		return Membership{}, false
	}
	return run.back[person][at], true
}

// revives answers the id of the ended reason that a new one of a place that is given back is.
func (run *run) revives(m Membership, r Reason) id.Reason {
	for _, back := range run.back[m.Person] {
		if back.ID != m.ID {
			continue
		}
		for _, old := range back.Reasons {
			if old.ID != "" && old.ground() == r.ground() {
				return old.ID
			}
		}
	}
	return ""
}

// flushReturns writes what is given back.
func (s *sheet) flushReturns(tx *db.Tx) error {
	for _, row := range s.reopened {
		if err := tx.Exec("update memberships set ended_at = null, end_cause = '', ended_by = '', role = ? where id = ?", row.Role, row.ID).Error; err != nil {
			return fmt.Errorf("reopen membership: %w", err)
		}
		if err := tx.Exec("delete from removals where membership = ?", row.ID).Error; err != nil { // the guard counts it no more
			return fmt.Errorf("reopen membership: %w", err)
		}
	}
	for _, row := range s.revived {
		if err := tx.Exec("update reasons set ended_at = null, ended_by = '', starts_at = ?, until = ? where id = ?", row.StartsAt, row.Until, row.ID).Error; err != nil {
			return fmt.Errorf("reopen reason: %w", err)
		}
	}
	return nil
}
