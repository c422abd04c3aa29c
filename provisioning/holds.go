package provisioning

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// KeepFor is how long a rejected hold keeps its memberships before they are looked at again.
const KeepFor = 14 * 24 * time.Hour

// The states of a hold.
const (
	HoldOpen     = "open"     // somebody must decide
	HoldReleased = "released" // the removals were let through
	HoldRejected = "rejected" // the memberships were kept
	HoldVanished = "vanished" // the facts came back
)

// Hold is a batch of removals that the guard stopped, or a burst of freezes. Whatever is held stays in force.
type Hold struct {
	ID        id.Hold
	Breach    Breach // the limit that was exceeded when something was held last
	State     string
	CreatedAt time.Time
	ClosedAt  time.Time
	ClosedBy  string
	Removals  []HeldRemoval // those still held; of a closed hold those it held last; of a burst what is held of its people
	Freezes   []HeldFreeze  // of a burst only: oldest first

	announced bool // nothing of it is for now; see present
}

// HeldRemoval is one membership that a hold keeps.
type HeldRemoval struct {
	Membership id.Membership
	Person     id.Person
	Group      id.Group
	Cause      Cause // it was held for
	Now        Cause // that asks for it now, where that is another one
	Since      time.Time
}

type stoppedRemoval struct {
	heldRow
	source id.Source
	breach Breach
}

// hold notes a removal that the guard stops.
func (s *sheet) hold(person id.Person, step step, breach Breach) {
	s.held = append(s.held, stoppedRemoval{source: step.source, breach: breach,
		heldRow: heldRow{Membership: step.Before.ID, Person: person, GroupID: step.Group, Cause: step.cause, CreatedAt: db.At(s.now), AskedBy: s.cause().Request}})
}

// flushHolds ends what is no longer held, closes holds that are empty by that, and writes what is held from now on.
func (s *sheet) flushHolds(tx *db.Tx) error {
	if err := s.unhold(tx); err != nil {
		return err
	}
	for _, row := range s.recaused {
		if err := tx.Exec("update held_removals set now_cause = ?, now_source = ?, now_at = ? where membership = ? and ended_at is null",
			row.NowCause, row.NowSource, row.NowAt, row.Membership).Error; err != nil {
			return fmt.Errorf("hold removals: %w", err)
		}
		s.record("membership.held", string(row.Membership), map[string]any{"person": string(row.Person), "hold": string(row.Hold), "cause": string(cmp.Or(row.NowCause, row.Cause))})
	}
	if len(s.held) == 0 {
		return nil
	}
	var open []holdRow
	if err := tx.Raw("select * from holds where state = 'open'").Scan(&open).Error; err != nil {
		return fmt.Errorf("read holds: %w", err)
	}
	type key struct {
		cause  Cause
		source id.Source
		group  id.Group
		scope  string
	}
	known, renewed := map[key]id.Hold{}, map[id.Hold]Breach{}
	for _, h := range open {
		known[key{h.Cause, h.Source, h.GroupID, h.Scope}] = h.ID
		renewed[h.ID] = h.Breach.V
	}
	rows := make([]heldRow, 0, len(s.held))
	for _, stopped := range s.held {
		b := stopped.breach
		k := key{b.Cause, b.Source, b.Group, b.scope()}
		if known[k] == "" {
			h := holdRow{ID: id.New[id.Hold](), Cause: b.Cause, Source: b.Source, GroupID: b.Group, Scope: b.scope(), Breach: db.JSON[Breach]{V: b}, State: HoldOpen, CreatedAt: db.At(s.now)}
			if err := tx.Create(&h).Error; err != nil {
				return fmt.Errorf("open hold: %w", err)
			}
			known[k] = h.ID
			s.opened(h.ID, b)
			renewed[h.ID] = b
		} else if renewed[known[k]] != b { // more fall under it: it says how many
			if err := tx.Exec("update holds set breach = ? where id = ?", db.JSON[Breach]{V: b}, known[k]).Error; err != nil {
				return fmt.Errorf("renew hold: %w", err)
			}
			renewed[known[k]] = b
		}
		row := stopped.heldRow
		row.Hold = known[k]
		rows = append(rows, row)
		s.record("membership.held", string(row.Membership), map[string]any{"person": string(row.Person), "hold": string(row.Hold), "cause": string(row.Cause)})
	}
	if err := insert(tx, rows); err != nil {
		return fmt.Errorf("hold removals: %w", err)
	}
	return nil
}

// opened tells of a new hold.
func (s *sheet) opened(hold id.Hold, b Breach) {
	s.events = append(s.events, feed.Event{At: s.now, Kind: EventHoldOpened, Subject: string(hold), Data: mustJSON(b)})
	s.record(EventHoldOpened, string(hold), map[string]any{"cause": string(b.Cause), "source": string(b.Source), "people": b.People, "limit": b.Limit, "group": string(b.Group), "scope": b.scope()})
}

// unhold ends the held removals that nothing asks for any more, and closes the holds that have none left.
func (s *sheet) unhold(tx *db.Tx) error {
	if len(s.vanished) == 0 {
		return nil
	}
	var holds []id.Hold
	var members []id.Membership
	state := map[id.Hold]string{}
	for _, row := range s.vanished {
		holds, members = append(holds, row.Hold), append(members, row.Membership)
		if s.run.released[row.Membership] {
			state[row.Hold] = HoldReleased
		}
	}
	for part := range slices.Chunk(members, chunkMost) {
		if err := tx.Exec("update held_removals set ended_at = ? where membership in ? and ended_at is null", db.At(s.now), part).Error; err != nil {
			return fmt.Errorf("end held removals: %w", err)
		}
	}
	slices.Sort(holds)
	for _, hold := range slices.Compact(holds) {
		if err := s.closeHold(tx, hold, cmp.Or(state[hold], HoldVanished)); err != nil {
			return err
		}
	}
	return nil
}

// closeHold closes an open hold that holds nothing any more.
func (s *sheet) closeHold(tx *db.Tx, hold id.Hold, state string) error {
	actor := "system"
	if state != HoldVanished {
		actor = actorOf(s.run.cause)
	}
	done := tx.Exec(`update holds set state = ?, closed_at = ?, closed_by = ? where id = ? and state = 'open'
		and not exists (select 1 from held_removals r where r.hold = holds.id and r.ended_at is null)
		and not exists (select 1 from hold_freezes f where f.hold = holds.id and f.outcome = '')`, state, db.At(s.now), actor, hold)
	if done.Error != nil {
		return fmt.Errorf("close hold: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return nil
	}
	s.events = append(s.events, feed.Event{At: s.now, Kind: EventHoldClosed, Subject: string(hold), Data: mustJSON(map[string]string{"state": state})})
	s.record("hold."+state, string(hold), nil)
	return nil
}

// Holds answers holds, newest first, at most 200; an empty state chooses all.
func (r *Reactor) Holds(ctx context.Context, state string) ([]Hold, error) {
	q := r.db.Read(ctx)
	var rows []holdRow
	if err := q.Raw("select * from holds where ? = '' or state = ? order by created_at desc, id desc limit 200", state, state).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("list holds: %w", err)
	}
	out := make([]Hold, len(rows))
	for i, row := range rows {
		h, err := loadHold(q, row)
		if err != nil {
			return nil, err
		}
		out[i] = h
	}
	return out, nil
}

// Hold answers one hold.
func (r *Reactor) Hold(ctx context.Context, hold id.Hold) (Hold, error) {
	q := r.db.Read(ctx)
	var rows []holdRow
	if err := q.Raw("select * from holds where id = ?", hold).Scan(&rows).Error; err != nil {
		return Hold{}, fmt.Errorf("read hold: %w", err)
	}
	if len(rows) == 0 {
		return Hold{}, fmt.Errorf("hold %s: %w", hold, ErrNotFound)
	}
	return loadHold(q, rows[0])
}

func loadHold(q reader, row holdRow) (Hold, error) {
	h := Hold{ID: row.ID, Breach: row.Breach.V, State: row.State, CreatedAt: row.CreatedAt.Time, ClosedAt: row.ClosedAt.Time, ClosedBy: row.ClosedBy}
	if row.Cause == CauseBurst {
		return h, loadBurst(q, &h)
	}
	var held []heldRow
	query, args := "select * from held_removals where hold = ? and ended_at is null order by person, group_id", []any{row.ID}
	if row.State != HoldOpen {
		query, args = "select * from held_removals where hold = ? and ended_at = ? order by person, group_id", []any{row.ID, row.ClosedAt}
	}
	if err := q.Raw(query, args...).Scan(&held).Error; err != nil {
		return Hold{}, fmt.Errorf("read hold: %w", err)
	}
	h.Removals = heldRemovals(held)
	return h, nil
}

func heldRemovals(rows []heldRow) []HeldRemoval {
	out := make([]HeldRemoval, len(rows))
	for i, row := range rows {
		out[i] = HeldRemoval{Membership: row.Membership, Person: row.Person, Group: row.GroupID, Cause: row.Cause, Now: row.NowCause, Since: row.CreatedAt.Time}
	}
	return out
}

// loadBurst reads the freezes of a burst and, while it is open, what the guard holds of those who were deleted.
func loadBurst(q reader, h *Hold) error {
	var rows []heldFreezeRow
	if err := q.Raw("select * from hold_freezes where hold = ? order by at, freeze_id", h.ID).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read burst: %w", err)
	}
	for _, row := range rows {
		h.Freezes = append(h.Freezes, HeldFreeze{Freeze: row.FreezeID, Person: row.Person, Cause: row.Cause, At: row.At.Time, Outcome: row.Outcome, EndedAt: row.EndedAt.Time})
	}
	if h.State != HoldOpen {
		return nil
	}
	var held []heldRow
	if err := q.Raw(`select * from held_removals where ended_at is null and (cause = ? or now_cause = ?)
		and person in (select person from hold_freezes where hold = ? and outcome = '') order by person, group_id`, CauseCleanup, CauseCleanup, h.ID).Scan(&held).Error; err != nil {
		return fmt.Errorf("read burst: %w", err)
	}
	h.Removals = heldRemovals(held)
	return nil
}

// open answers a hold that somebody may still decide.
func (r *Reactor) open(ctx context.Context, hold id.Hold) (Hold, error) {
	h, err := r.Hold(ctx, hold)
	if err == nil && h.State != HoldOpen {
		err = fmt.Errorf("hold %s is %s: %w", hold, h.State, ErrClosed)
	}
	return h, err
}

// Reject keeps the memberships of a hold: each gets a reason of its own that ends after KeepFor. When that
// has passed, and the facts still ask for the removal, the guard judges it anew. Rejecting a burst restores everybody. One that keeps a place in a group with restricted channels for whoever
// asks for it is ErrOwnDoor.
func (r *Reactor) Reject(ctx context.Context, cause directory.Cause, hold id.Hold) (Result, error) {
	h, err := r.open(ctx, hold)
	if err != nil {
		return Result{}, err
	}
	var result Result
	if h.Breach.Cause == CauseBurst {
		done, err := r.Restore(ctx, cause, hold, nil)
		result.Rev, result.Written = done.Rev, done.Memberships
		return result, err
	}
	if err := r.try(ctx, cause, h.people(), func(tx *db.Tx, me []id.Person) error { return r.keepHeld(tx, cause, hold, me) }); err != nil {
		return result, fmt.Errorf("reject hold %s: %w", hold, err)
	}
	for part := range slices.Chunk(h.Removals, chunkMost) {
		var people []id.Person
		for _, removal := range part {
			people = append(people, removal.Person)
		}
		people = distinct(people)
		if err := r.db.Tx(ctx, func(tx *db.Tx) error {
			return r.shut(tx, cause, people, func() error { return r.keepHeld(tx, cause, hold, people) })
		}); err != nil {
			return result, fmt.Errorf("reject hold %s: %w", hold, err)
		}
		done, err := r.reconcile(ctx, &run{cause: cause}, people) // ends the reasons that no longer match
		if err != nil {
			return result, fmt.Errorf("reject hold %s: %w", hold, err)
		}
		result.add(done)
	}
	if err := r.wait(ctx, result.Rev); err != nil {
		return result, err
	}
	return result, result.Err()
}

// keepHeld keeps, in one transaction, what a hold holds of these people.
func (r *Reactor) keepHeld(tx *db.Tx, cause directory.Cause, hold id.Hold, people []id.Person) error {
	c, facts, err := r.lockPeople(tx, people)
	if err != nil {
		return err
	}
	var held []heldRow
	if err := tx.Raw("select * from held_removals where hold = ? and ended_at is null and person in ?", hold, people).Scan(&held).Error; err != nil {
		return fmt.Errorf("read hold: %w", err)
	}
	s := &sheet{run: &run{cause: cause}, now: r.clock(), said: map[id.Membership]string{}}
	of := map[id.Person]directory.Fact{}
	for _, f := range facts {
		of[f.Person.ID] = presentFact(f, s.now)
	}
	for _, row := range held {
		s.said[row.Membership] = c.said(row.GroupID, of[row.Person])
	}
	if err := s.keep(tx, string(hold), s.now.Add(KeepFor), held); err != nil {
		return err
	}
	return r.commit(tx, s)
}
