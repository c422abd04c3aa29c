package provisioning

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// reopenAll brings ended memberships back as they were: the same id, role and beginning, the grants that were open then,
// and a reason of their own until until. A place that the person has again, that was a guest's, or whose group is gone, is left out; it answers those that are back. The
// people and the guard are locked.
func (s *sheet) reopenAll(tx *db.Tx, ref string, until time.Time, ended []membershipRow) (back []membershipRow, err error) {
	if len(ended) == 0 {
		return nil, nil
	}
	var people []id.Person
	for _, row := range ended {
		people = append(people, row.Person)
	}
	have, err := loadMemberships(tx.DB, distinct(people))
	if err != nil {
		return nil, err
	}
	var guests []id.Membership
	for part := range slices.Chunk(ended, chunkMost) {
		ids := make([]id.Membership, len(part))
		for i, row := range part {
			ids[i] = row.ID
		}
		var found []id.Membership
		if err := tx.Raw("select m.id from memberships m where m.id in ? and "+endedAsGuest, ids).Scan(&found).Error; err != nil {
			return nil, fmt.Errorf("read ended guests: %w", err)
		}
		guests = append(guests, found...)
	}
	taken := map[position]bool{}
	for p, list := range have {
		for _, m := range list {
			taken[position{p, m.Group}] = true
		}
	}
	for _, row := range ended {
		at := position{row.Person, row.GroupID}
		if taken[at] || !s.catalog.live(row.GroupID) || slices.Contains(guests, row.ID) {
			continue
		}
		taken[at] = true
		if err := s.reopen(tx, row, Reason{ID: id.New[id.Reason](), Kind: KindKeep, Ref: ref, Role: row.Role, Until: until, CreatedAt: s.now}); err != nil {
			return nil, err
		}
		back = append(back, row)
	}
	return back, s.liftAbsence(tx, distinct(people))
}

func (s *sheet) reopen(tx *db.Tx, row membershipRow, keep Reason) error {
	now := db.At(s.now)
	if err := tx.Exec("update memberships set ended_at = null, end_cause = '', ended_by = '' where id = ?", row.ID).Error; err != nil {
		return fmt.Errorf("reopen membership: %w", err)
	}
	if err := tx.Exec(`update reasons set ended_at = null, ended_by = '' where membership = ? and ended_at = ? and kind not in (?, ?)
		and (until is null or until > ?)`, row.ID, row.EndedAt, KindRule, KindKeep, now).Error; err != nil {
		return fmt.Errorf("reopen reasons: %w", err)
	}
	if err := tx.Exec("delete from removals where membership = ?", row.ID).Error; err != nil { // the guard counts it no more
		return fmt.Errorf("reopen membership: %w", err)
	}
	var reasons []reasonRow
	if err := tx.Raw("select * from reasons where membership = ? and ended_at is null", row.ID).Scan(&reasons).Error; err != nil {
		return fmt.Errorf("read reasons: %w", err)
	}
	s.grounds = append(s.grounds, reasonRow{ID: keep.ID, Membership: row.ID, Kind: keep.Kind, Ref: keep.Ref, Role: keep.Role, Until: db.At(keep.Until), CreatedAt: now, Placed: s.placed[row.Person]})
	m := row.membership([]Reason{keep})
	for _, reason := range reasons {
		m.Reasons = append(m.Reasons, reason.reason())
	}
	st := step{Change: Change{Op: OpAdd, Group: m.Group, Role: m.Role, Add: m.Reasons}, cause: CauseUndo}
	s.retuple(st, m)
	s.tell(st, m)
	return nil
}

// liftAbsence takes away the fence of people whom every source misses, where they have a place again.
func (s *sheet) liftAbsence(tx *db.Tx, people []id.Person) error {
	fences, err := loadFences(tx.DB, people)
	if err != nil {
		return err
	}
	for _, p := range people {
		rows := slices.DeleteFunc(fences[p], func(f fenceRow) bool { return f.Slot != slotAbsent })
		s.fences(assessment{person: p, lift: rows})
	}
	return nil
}

// renew lets what an earlier undo or refusal keeps of people last until until, where it would end before.
func (s *sheet) renew(tx *db.Tx, people []id.Person, until time.Time) error {
	var rows []membershipRow
	if err := tx.Raw(`select m.* from memberships m where m.ended_at is null and m.person in ? and exists (select 1 from reasons r
		where r.membership = m.id and r.ended_at is null and r.kind = ? and r.until < ?) order by m.person, m.id`, people, KindKeep, db.At(until)).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read memberships: %w", err)
	}
	for _, row := range rows {
		if err := tx.Exec("update reasons set until = ?, placed = ? where membership = ? and ended_at is null and kind = ? and until < ?", db.At(until), s.placed[row.Person], row.ID, KindKeep, db.At(until)).Error; err != nil {
			return fmt.Errorf("renew reasons: %w", err)
		}
		s.record("membership.kept", string(row.ID), map[string]any{"person": string(row.Person), "until": until.Format(time.RFC3339)})
	}
	return nil
}

// keep gives held removals up: each membership gets a reason to stay until until.
func (s *sheet) keep(tx *db.Tx, ref string, until time.Time, held []heldRow) error {
	if len(held) == 0 {
		return nil
	}
	members := make([]id.Membership, len(held))
	holds := make([]id.Hold, len(held))
	for i, row := range held {
		members[i], holds[i] = row.Membership, row.Hold
	}
	roles := make(map[id.Membership]membershipRow, len(held))
	for part := range slices.Chunk(members, chunkMost) {
		var rows []membershipRow
		if err := tx.Raw("select * from memberships where id in ?", part).Scan(&rows).Error; err != nil {
			return fmt.Errorf("read memberships: %w", err)
		}
		for _, row := range rows {
			roles[row.ID] = row
		}
		if err := tx.Exec("update held_removals set ended_at = ? where ended_at is null and membership in ?", db.At(s.now), part).Error; err != nil {
			return fmt.Errorf("end held removals: %w", err)
		}
	}
	for _, row := range held {
		s.grounds = append(s.grounds, reasonRow{ID: id.New[id.Reason](), Membership: row.Membership, Kind: KindKeep, Ref: ref, Role: roles[row.Membership].Role,
			Until: db.At(until), CreatedAt: db.At(s.now), Placed: cmp.Or(s.said[row.Membership], s.placed[row.Person])})
		s.record("membership.kept", string(row.Membership), map[string]any{"person": string(row.Person), "hold": string(row.Hold), "until": until.Format(time.RFC3339)})
	}
	slices.Sort(holds)
	for _, hold := range slices.Compact(holds) {
		if err := s.closeHold(tx, hold, HoldRejected); err != nil {
			return err
		}
	}
	return nil
}

// commit writes a sheet that no reconciliation made: rows, then feed, tuples and audit.
func (r *Reactor) commit(tx *db.Tx, s *sheet) error {
	if err := s.flush(tx); err != nil {
		return err
	}
	if _, err := r.feed.Append(tx, s.events...); err != nil {
		return err
	}
	if _, err := r.authz.Append(tx, s.tuples...); err != nil {
		return fmt.Errorf("append tuples: %w", err)
	}
	return audit.Append(tx, s.records...)
}
