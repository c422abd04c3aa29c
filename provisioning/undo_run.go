package provisioning

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// UndoRun undoes what one call, one run of a source or one applied plan took, whether the guard let it through, somebody released it, or it
// is held: for KeepFor people have the memberships back that it ended, with their roles, the roles that it lowered, and the access that
// it froze by disabling or deleting them. What it gave stays: it follows from what sources and the policy say. Read positions are kept by
// person and were never taken. Where a plan took something by what its policy says of channels and groups, and that policy is in force, the version before is planned, and
// with it what the plan took comes back; it is applied first where it takes nothing and nobody has to agree, and waits otherwise. A veto and a freeze of the console stand, and no
// session or token lives again. Restored.NotUndone says what did not come back, and why. A run that took nothing is ErrNotFound; undone before it is no change; one that would give
// whoever asks for it a place in a group with restricted channels is ErrOwnDoor, and nothing of it is undone.
func (r *Reactor) UndoRun(ctx context.Context, cause directory.Cause, by id.Request) (Restored, error) {
	if _, _, err := r.finish(ctx); err != nil { // a plan that was interrupted takes first what it takes
		return Restored{}, err
	}
	freezes, people, err := r.takenBy(ctx, by)
	if err != nil {
		return Restored{}, err
	}
	took, err := r.tookBy(ctx, by)
	if err != nil {
		return Restored{}, err
	}
	if len(freezes)+len(people)+len(took.people) == 0 {
		return Restored{}, fmt.Errorf("%s took nothing that is known: %w", by, ErrNotFound)
	}
	if err := r.try(ctx, cause, people, func(tx *db.Tx, me []id.Person) error {
		_, _, err := r.giveBackRun(tx, cause, by, me, r.clock().Add(KeepFor))
		return err
	}); err != nil {
		return Restored{}, fmt.Errorf("undo %s: %w", by, err)
	}
	out, err := r.undo(ctx, cause, string(by), freezes)
	if err != nil {
		return out, fmt.Errorf("undo %s: %w", by, err)
	}
	if err := r.giveBackAll(ctx, cause, by, took, people, &out); err != nil {
		return out, fmt.Errorf("undo %s: %w", by, err)
	}
	if err := r.answer(ctx, took, &out); err != nil {
		return out, fmt.Errorf("undo %s: %w", by, err)
	}
	s := &sheet{run: &run{cause: cause}, now: r.clock()}
	s.record("run.undone", string(by), map[string]any{"people": len(out.People), "memberships": out.Memberships, "not_undone": len(out.NotUndone)})
	if err := r.db.Tx(ctx, func(tx *db.Tx) error { return r.tellHolds(tx, s) }); err != nil {
		return out, err
	}
	return out, r.wait(ctx, out.Rev)
}

// giveBackAll goes the way back of a version first, by which places come back that no other way leads to, and then gives people back what is still missing.
func (r *Reactor) giveBackAll(ctx context.Context, cause directory.Cause, by id.Request, took *taking, people []id.Person, out *Restored) error {
	ended, err := endedBy(r.db.Read(ctx), by, "1 = 1")
	if err != nil {
		return err
	}
	for _, row := range ended {
		took.claims = append(took.claims, claim{position: position{row.Person, row.GroupID}, role: row.Role, ended: row.ID})
	}
	if err := r.goBack(ctx, cause, by, took, false, out); err != nil {
		return err
	}
	for part := range slices.Chunk(people, directMost) {
		if err := r.db.Tx(ctx, func(tx *db.Tx) error {
			return r.shut(tx, cause, part, func() error {
				n, whose, err := r.giveBackRun(tx, cause, by, part, out.Until)
				out.Memberships, out.People = out.Memberships+n, append(out.People, whose...)
				return err
			})
		}); err != nil {
			return err
		}
	}
	result, err := r.reconcile(ctx, &run{cause: cause}, people)
	if out.Rev = max(out.Rev, result.Rev); err != nil {
		return err
	}
	return r.goBack(ctx, cause, by, took, true, out)
}

// ofRun chooses memberships m that a run ended, or asked the guard to end, which somebody then let through. What ended by its own date, or
// because two people are one, is over; and a guest is let in again, not given back.
const ofRun = `not ` + endedAsGuest + ` and m.end_cause in ('move', 'cleanup', 'absence', 'policy', 'release') and (m.ended_by = ? or m.end_cause = 'release' and exists (select 1 from held_removals h where h.membership = m.id and h.asked_by = ? and h.ended_at = m.ended_at))`

// endedAsGuest tells of a membership m that ended whether it let somebody into single channels as a guest, and was nothing else at the end: what an undo keeps is a role in the
// whole group.
const endedAsGuest = `exists (select 1 from reasons w where w.membership = m.id and w.ended_at = m.ended_at and w.kind = 'handover' and substr(w.ref, 1, 6) = 'guest/' and not exists (select 1 from reasons v
	where v.membership = m.id and v.ended_at = m.ended_at and (v.kind <> 'handover' or substr(v.ref, 1, 6) <> 'guest/')))`

// endedBy answers the memberships that a run ended and that are ended, the newest first, of those that where chooses.
func endedBy(q reader, by id.Request, where string, args ...any) (rows []membershipRow, err error) {
	if err := q.Raw("select m.* from memberships m where m.ended_at is not null and "+ofRun+" and "+where+" order by m.ended_at desc, m.id", append([]any{by, by}, args...)...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read ended memberships: %w", err)
	}
	return rows, nil
}

// stayers answers the rows of those who have not left and are nobody else.
func stayers(facts []directory.Fact, rows []membershipRow) []membershipRow {
	return slices.DeleteFunc(rows, func(row membershipRow) bool {
		return !slices.ContainsFunc(facts, func(f directory.Fact) bool {
			return f.Person.ID == row.Person && !f.Person.Status.Left() && f.Person.MergedInto == ""
		})
	})
}

// takenBy finds the standing freezes that a run brought, and who lost a membership, a role or a reason by it or is about to.
func (r *Reactor) takenBy(ctx context.Context, by id.Request) (freezes []taken, people []id.Person, err error) {
	if by == "" {
		return nil, nil, nil
	}
	opened, err := r.directory.OpenedBy(ctx, by)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range opened {
		freezes = append(freezes, taken{f.ID, f.Person})
	}
	if err := r.db.Read(ctx).Raw(`select distinct m.person from memberships m where m.ended_at is not null and `+ofRun+`
		union select m.person from reasons x join memberships m on m.id = x.membership where x.ended_by = ?
		union select person from held_removals where asked_by = ?`, by, by, by, by).Scan(&people).Error; err != nil {
		return nil, nil, fmt.Errorf("read what %s took: %w", by, err)
	}
	return freezes, distinct(people), nil
}

// giveBackRun reopens, in one transaction, what a run took of these people and keeps what it would take, and answers how many
// memberships have their role back, and who has that, or keeps what would be taken.
func (r *Reactor) giveBackRun(tx *db.Tx, cause directory.Cause, by id.Request, people []id.Person, until time.Time) (n int, whose []id.Person, err error) {
	c, facts, err := r.lockPeople(tx, people)
	if err != nil {
		return 0, nil, err
	}
	s := &sheet{run: &run{cause: cause}, catalog: c, now: r.clock(), placed: placesOf(facts)}
	ended, err := endedBy(tx.DB, by, "m.person in ?", people)
	if err != nil {
		return 0, nil, err
	}
	if ended, err = s.reopenAll(tx, string(by), until, stayers(facts, ended)); err != nil {
		return 0, nil, err
	}
	if whose, err = s.raiseRoles(tx, by, people, until, ended); err != nil {
		return 0, nil, err
	}
	n = len(whose)
	var held []heldRow
	if err := tx.Raw("select * from held_removals where ended_at is null and asked_by = ? and person in ?", by, people).Scan(&held).Error; err != nil {
		return 0, nil, fmt.Errorf("read holds: %w", err)
	}
	for _, row := range held {
		whose = append(whose, row.Person)
	}
	if err := s.keep(tx, string(by), until, held); err != nil {
		return 0, nil, err
	}
	return n, whose, r.commit(tx, s)
}

// raisedRow is a reason that a run ended and the role that is left, none where nothing but handover periods is.
type raisedRow struct {
	Membership id.Membership
	Was        policies.Role
	Role       policies.Role
	Person     id.Person
	GroupID    id.Group
}

// raiseRoles gives members who stayed the role back that a run took, and answers who they are. The next reconciliation reads it off the reason. A role that shows less now, by what the policy
// says of channels, is not given back so: that would take.
func (s *sheet) raiseRoles(tx *db.Tx, by id.Request, people []id.Person, until time.Time, reopened []membershipRow) (raised []id.Person, err error) {
	var rows []raisedRow
	if err := tx.Raw(`select x.membership, x.role as was, case when exists (select 1 from reasons h where h.membership = m.id and h.ended_at is null and h.kind <> ?)
			then m.role else '' end as role, m.person, m.group_id from reasons x join memberships m on m.id = x.membership
		where x.ended_by = ? and (x.kind <> 'handover' or substr(x.ref, 1, 6) <> 'guest/') and m.ended_at is null and m.person in ? and (x.until is null or x.until > ?) and not exists (select 1 from reasons k
			where k.membership = m.id and k.kind = ? and k.ref = ? and k.ended_at is null) order by x.membership, x.id`, KindHandover, by, people, db.At(s.now), KindKeep, by).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read ended reasons: %w", err)
	}
	best := map[id.Membership]policies.Role{}
	rows = slices.DeleteFunc(rows, func(row raisedRow) bool {
		return slices.ContainsFunc(reopened, func(m membershipRow) bool { return m.ID == row.Membership })
	})
	for _, row := range rows {
		if row.Was.Strength() > max(row.Role.Strength(), best[row.Membership].Strength()) && !s.catalog.lessens(row.GroupID, row.Role, row.Was) {
			best[row.Membership] = row.Was
		}
	}
	for _, row := range rows {
		role, lost := best[row.Membership]
		if !lost {
			continue
		}
		delete(best, row.Membership)
		raised = append(raised, row.Person)
		s.grounds = append(s.grounds, reasonRow{ID: id.New[id.Reason](), Membership: row.Membership, Kind: KindKeep, Ref: string(by), Role: role,
			Until: db.At(until), CreatedAt: db.At(s.now), Placed: s.placed[row.Person]})
		s.record("membership.kept", string(row.Membership), map[string]any{"person": string(row.Person), "role": string(role), "until": until.Format(time.RFC3339)})
	}
	return raised, nil
}
