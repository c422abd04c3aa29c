package provisioning

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Restored is what an undo did.
type Restored struct {
	People      []id.Person // whose freeze is set aside until Until
	Frozen      []id.Person // of them: those whom another freeze still keeps out
	Skipped     []id.Person // whose freeze did not stand any more
	Memberships int         // ended ones that are back
	Channels    []id.Person // of a plan: from whom its policy took something by what it says of channels and groups, whatever rules say
	NotUndone   []NotUndone // what did not come back
	BackTo      int64       // of such a plan: the version that gives them back
	Plan        id.Plan     // that goes back to it; none where another version is in force by now
	Applied     bool        // it is in force
	Until       time.Time
	Rev         int64
}

// taken is a freeze to undo.
type taken struct {
	freeze id.Freeze
	person id.Person
}

// Restore undoes a hold, or of a burst the part that concerns people (none: everybody), and returns when that is in force. Of a
// burst, open or confirmed: these freezes are set aside for KeepFor although the source still says so, and what clean-up took or
// would take of people who were deleted is kept as long. Of held removals it is Reject; of released ones the memberships are back
// for KeepFor. No other freeze is lifted, no session and no token lives again. A hold that vanished, or that was restored before, is
// ErrClosed; somebody it does not list is ErrNotFound.
func (r *Reactor) Restore(ctx context.Context, cause directory.Cause, hold id.Hold, people []id.Person) (Restored, error) {
	h, err := r.Hold(ctx, hold)
	if err != nil {
		return Restored{}, err
	}
	if h.State != HoldOpen && h.State != HoldReleased {
		return Restored{}, fmt.Errorf("hold %s is %s: %w", hold, h.State, ErrClosed)
	}
	if h.Breach.Cause != CauseBurst {
		return r.restoreRemovals(ctx, cause, h, people)
	}
	var list []taken
	for _, f := range h.Freezes {
		chosen := len(people) == 0 || slices.Contains(people, f.Person)
		if chosen && (f.Outcome == FreezeStands || f.Outcome == FreezeConfirmed) {
			list = append(list, taken{f.Freeze, f.Person})
		}
	}
	for _, p := range people {
		if !slices.ContainsFunc(h.Freezes, func(f HeldFreeze) bool { return f.Person == p }) {
			return Restored{}, fmt.Errorf("person %s in hold %s: %w", p, hold, ErrNotFound)
		}
	}
	out, err := r.undo(ctx, cause, string(hold), list)
	if err != nil {
		return out, fmt.Errorf("restore hold %s: %w", hold, err)
	}
	if err := r.tally(ctx, cause, hold, people); err != nil {
		return out, err
	}
	return out, r.db.Tx(ctx, func(tx *db.Tx) error {
		s := &sheet{run: &run{cause: cause}, now: r.clock()}
		s.record("hold.restored", string(hold), map[string]any{"people": len(out.People)})
		return r.tellHolds(tx, s)
	})
}

// RestorePerson undoes one freeze by which a source disabled or deleted a person, as Restore does for many. One of another
// cause is directory.ErrNotUndone, one that is not this person's directory.ErrNotFound.
func (r *Reactor) RestorePerson(ctx context.Context, cause directory.Cause, person id.Person, freeze id.Freeze) (Restored, error) {
	freezes, err := r.directory.Freezes(ctx, person)
	if err != nil {
		return Restored{}, err
	}
	if !slices.ContainsFunc(freezes, func(f directory.Freeze) bool { return f.ID == freeze }) {
		return Restored{}, fmt.Errorf("freeze %s: %w", freeze, directory.ErrNotFound)
	}
	out, err := r.undo(ctx, cause, string(freeze), []taken{{freeze, person}})
	if err != nil {
		return out, fmt.Errorf("restore %s: %w", person, err)
	}
	return out, nil
}

// undo brings people back in parts. First, under the freeze, what they had; then the freeze is set aside, and the
// reconciliation of that call lifts it last (Settle).
func (r *Reactor) undo(ctx context.Context, cause directory.Cause, ref string, list []taken) (Restored, error) {
	out := Restored{Until: r.clock().Add(KeepFor)}
	if cause.Behind != "" && slices.ContainsFunc(list, func(t taken) bool { return t.person == cause.Behind }) {
		return out, fmt.Errorf("it lifts a freeze of %s, who asks for it: %w", cause.Behind, ErrOwnDoor)
	}
	for part := range slices.Chunk(list, directMost) {
		people := make([]id.Person, len(part))
		changes := make([]directory.Change, len(part))
		for i, t := range part {
			people[i], changes[i] = t.person, directory.UndoFreeze{Freeze: t.freeze, Until: out.Until}
		}
		if err := r.db.Tx(ctx, func(tx *db.Tx) error {
			n, err := r.giveBack(tx, cause, ref, part, out.Until)
			out.Memberships += n
			return err
		}); err != nil {
			return out, err
		}
		applied, err := r.directory.Apply(ctx, cause, changes...)
		out.Rev = max(out.Rev, applied.Rev)
		for i, outcome := range applied.Outcomes {
			if outcome == directory.Updated {
				out.People = append(out.People, people[i])
			} else {
				out.Skipped = append(out.Skipped, people[i])
			}
		}
		if err != nil {
			return out, err
		}
	}
	standing, err := r.directory.StandingFreezes(ctx, out.People)
	if err != nil {
		return out, err
	}
	now := r.clock()
	for _, p := range out.People {
		if slices.ContainsFunc(standing[p], func(f directory.Freeze) bool { return f.OpenAt(now) }) {
			out.Frozen = append(out.Frozen, p)
		}
	}
	return out, nil
}

// giveBack keeps what a hold holds of people whose deletion is being undone, and reopens what clean-up ended since.
func (r *Reactor) giveBack(tx *db.Tx, cause directory.Cause, ref string, list []taken, until time.Time) (int, error) {
	var people []id.Person
	want := map[id.Freeze]bool{}
	for _, t := range list {
		people, want[t.freeze] = append(people, t.person), true
	}
	people = distinct(people)
	c, facts, err := r.lockPeople(tx, people)
	if err != nil {
		return 0, err
	}
	var gone []id.Person
	var ended []membershipRow
	for _, fact := range facts {
		at := slices.IndexFunc(fact.Freezes, func(f directory.Freeze) bool {
			return want[f.ID] && f.Cause == directory.CauseDeleted
		})
		if at < 0 {
			continue // disabled: nothing was taken; or lifted: nothing to give
		}
		gone = append(gone, fact.Person.ID)
		var rows []membershipRow
		if err := tx.Raw(`select m.* from memberships m where m.person = ? and m.ended_at >= ? and (m.end_cause = ? or m.end_cause = ?
			and exists (select 1 from held_removals h where h.membership = m.id and (h.cause = ? or h.now_cause = ?))) order by m.ended_at desc`,
			fact.Person.ID, db.At(fact.Freezes[at].CreatedAt), CauseCleanup, CauseRelease, CauseCleanup, CauseCleanup).Scan(&rows).Error; err != nil {
			return 0, fmt.Errorf("read ended memberships: %w", err)
		}
		ended = append(ended, rows...)
	}
	if len(gone) == 0 {
		return 0, nil
	}
	var held []heldRow
	if err := tx.Raw("select * from held_removals where ended_at is null and (cause = ? or now_cause = ?) and person in ?", CauseCleanup, CauseCleanup, gone).Scan(&held).Error; err != nil {
		return 0, fmt.Errorf("read holds: %w", err)
	}
	s := &sheet{run: &run{cause: cause}, catalog: c, now: r.clock(), placed: placesOf(facts)}
	if err := s.renew(tx, gone, until); err != nil {
		return 0, err
	}
	if _, err := s.reopenAll(tx, ref, until, ended); err != nil {
		return 0, err
	}
	n := len(s.grounds)
	if err := s.keep(tx, ref, until, held); err != nil {
		return 0, err
	}
	return n, r.commit(tx, s)
}

// lockPeople locks the policy, people and the guard, in that order, and answers the policy and the facts.
func (r *Reactor) lockPeople(tx *db.Tx, people []id.Person) (*catalog, []directory.Fact, error) {
	c, err := r.locked(tx, false)
	if err != nil {
		return nil, nil, err
	}
	facts, err := r.directory.In(tx).Facts(tx, people, true)
	if err != nil {
		return nil, nil, fmt.Errorf("lock people: %w", err)
	}
	if err := tx.ForUpdate().Table("guard_state").Where("id = 1").Take(&guardRow{}).Error; err != nil {
		return nil, nil, fmt.Errorf("lock guard: %w", err)
	}
	return c, facts, nil
}

// restoreRemovals undoes a hold of removals: those that wait are kept, those that went through come back.
func (r *Reactor) restoreRemovals(ctx context.Context, cause directory.Cause, h Hold, people []id.Person) (Restored, error) {
	out := Restored{Until: r.clock().Add(KeepFor)}
	if len(people) > 0 {
		return out, fmt.Errorf("%w: removals are restored together", directory.ErrInvalid)
	}
	for _, removal := range h.Removals {
		out.People = append(out.People, removal.Person)
	}
	if h.State == HoldOpen {
		out.People = distinct(out.People)
		result, err := r.Reject(ctx, cause, h.ID)
		out.Rev = result.Rev
		return out, err
	}
	out.People = nil
	var rows []membershipRow
	if err := r.db.Read(ctx).Raw(`select m.* from memberships m join held_removals h on h.membership = m.id and h.ended_at = m.ended_at
		where h.hold = ? and m.end_cause = ? order by m.person, m.id`, h.ID, CauseRelease).Scan(&rows).Error; err != nil {
		return out, fmt.Errorf("read released memberships: %w", err)
	}
	whose := func(rows []membershipRow) []id.Person {
		people := make([]id.Person, len(rows))
		for i, row := range rows {
			people[i] = row.Person
		}
		return distinct(people)
	}
	give := func(tx *db.Tx, part []membershipRow) (n int, err error) {
		s := &sheet{run: &run{cause: cause}, now: r.clock()}
		return n, r.shut(tx, cause, whose(part), func() error {
			c, facts, err := r.lockPeople(tx, whose(part))
			if err != nil {
				return err
			}
			s.catalog, s.placed = c, placesOf(facts)
			if _, err := s.reopenAll(tx, string(h.ID), out.Until, part); err != nil {
				return err
			}
			n = len(s.grounds)
			return r.commit(tx, s)
		})
	}
	if err := r.try(ctx, cause, whose(rows), func(tx *db.Tx, me []id.Person) error {
		_, err := give(tx, slices.DeleteFunc(slices.Clone(rows), func(row membershipRow) bool { return row.Person != me[0] }))
		return err
	}); err != nil {
		return out, fmt.Errorf("restore hold %s: %w", h.ID, err)
	}
	for part := range slices.Chunk(rows, directMost) {
		n := 0
		err := r.db.Tx(ctx, func(tx *db.Tx) (err error) {
			n, err = give(tx, part)
			return err
		})
		if err != nil {
			return out, fmt.Errorf("restore hold %s: %w", h.ID, err)
		}
		out.Memberships, out.People = out.Memberships+n, append(out.People, whose(part)...)
	}
	out.People = distinct(out.People)
	result, err := r.reconcile(ctx, &run{cause: cause}, out.People)
	if out.Rev = result.Rev; err != nil {
		return out, fmt.Errorf("restore hold %s: %w", h.ID, err)
	}
	return out, r.wait(ctx, out.Rev)
}
