package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// ErrRelease says that by the policy nobody releases a hold alone.
var ErrRelease = errors.New("the policy wants somebody else to agree before a hold is released: ask for it")

// Release lets the removals of a hold through, as far as facts still ask for them, and returns when they are
// in force. They do not count against the guard. Releasing a burst confirms it: what the guard holds of those who were
// deleted goes through. Where the policy says who decides that, it is ErrRelease; where it would open to whoever asks for it a group with restricted channels, ErrOwnDoor. Where the process ends half-way, Tend finishes.
func (r *Reactor) Release(ctx context.Context, cause directory.Cause, hold id.Hold) (Result, error) {
	h, err := r.open(ctx, hold)
	if err != nil {
		return Result{}, err
	}
	// What is taken may be what kept another place away.
	if err := r.try(ctx, cause, h.people(), func(tx *db.Tx, me []id.Person) error { return r.letIn(ctx, tx, cause, h.Removals, me) }); err != nil {
		return Result{}, fmt.Errorf("release hold %s: %w", hold, err)
	}
	return r.ReleaseWith(ctx, cause, hold, func(tx *db.Tx) ([]audit.Record, error) {
		_, said, err := r.Decides(tx, "", policies.ApproveRelease)
		if err == nil && said {
			err = fmt.Errorf("hold %s: %w", hold, ErrRelease)
		}
		return nil, err
	})
}

// ReleaseWith is Release of a hold about which others have agreed: also says so, in the transaction that notes what is released.
func (r *Reactor) ReleaseWith(ctx context.Context, cause directory.Cause, hold id.Hold, also func(*db.Tx) ([]audit.Record, error)) (Result, error) {
	h, err := r.open(ctx, hold)
	if err != nil {
		return Result{}, err
	}
	if err := r.spareAdmins(ctx, h.Removals); err != nil {
		return Result{}, fmt.Errorf("release hold %s: %w", hold, err)
	}
	if err := r.db.Tx(ctx, func(tx *db.Tx) (err error) {
		records, err := also(tx)
		if err == nil {
			h, err = r.release(ctx, tx, cause, hold)
		}
		if err != nil {
			return err
		}
		return audit.Append(tx, records...)
	}); err != nil {
		return Result{}, err
	}
	// From here on it is decided; a caller who hangs up does not stop it.
	result, err := r.let(context.WithoutCancel(ctx), cause, h.Removals)
	if err != nil {
		return result, fmt.Errorf("release hold %s: %w", hold, err)
	}
	return result, nil
}

// release notes in tx that what a hold holds now goes through, and answers that; a burst is confirmed and closed by it.
func (r *Reactor) release(ctx context.Context, tx *db.Tx, cause directory.Cause, hold id.Hold) (Hold, error) {
	row, err := lockHold(tx, hold)
	if err != nil {
		return Hold{}, err
	}
	h, err := loadHold(tx.DB, row)
	if err == nil && h.State != HoldOpen {
		err = fmt.Errorf("hold %s is %s: %w", hold, h.State, ErrClosed)
	}
	if err != nil {
		return h, err
	}
	for part := range slices.Chunk(h.Removals, chunkMost) {
		members := make([]id.Membership, len(part))
		for i, removal := range part {
			members[i] = removal.Membership
		}
		if err := tx.Exec("update held_removals set released_by = ? where membership in ? and ended_at is null", actorOf(cause), members).Error; err != nil {
			return h, fmt.Errorf("release: %w", err)
		}
	}
	if err := r.confirm(ctx, tx, h); err != nil || h.Breach.Cause != CauseBurst {
		return h, err
	}
	s := &sheet{run: &run{cause: cause}, now: r.clock()}
	if err := tx.Exec("update hold_freezes set outcome = 'confirmed', ended_at = ? where hold = ? and outcome = ''", db.At(s.now), hold).Error; err != nil {
		return h, fmt.Errorf("confirm burst: %w", err)
	}
	if err := s.closeHold(tx, hold, HoldReleased); err != nil {
		return h, err
	}
	return h, r.tellHolds(tx, s)
}

// letIn carries the held removals of people out, in tx.
func (r *Reactor) letIn(ctx context.Context, tx *db.Tx, cause directory.Cause, removals []HeldRemoval, people []id.Person) error {
	run, _ := releasing(cause, removals)
	c, err := r.locked(tx, false)
	if err != nil {
		return err
	}
	list, err := r.gather(tx, run, c, people, true)
	if err != nil {
		return err
	}
	_, err = r.write(ctx, tx, run, c, list)
	return err
}

// releasing answers the run that lets removals through, and whom they concern.
func releasing(cause directory.Cause, removals []HeldRemoval) (*run, []id.Person) {
	run := &run{cause: cause, released: map[id.Membership]bool{}}
	var people []id.Person
	for _, removal := range removals {
		run.released[removal.Membership] = true
		people = append(people, removal.Person)
	}
	return run, people
}

// let carries held removals out, and returns when that is in force.
func (r *Reactor) let(ctx context.Context, cause directory.Cause, removals []HeldRemoval) (Result, error) {
	run, people := releasing(cause, removals)
	result, err := r.reconcile(ctx, run, people)
	if err != nil {
		return result, err
	}
	if err := r.wait(ctx, result.Rev); err != nil {
		return result, err
	}
	return result, result.Err()
}

// finishReleases carries out what was released where that was interrupted.
func (r *Reactor) finishReleases(ctx context.Context) error {
	const standing = "released_by <> '' and ended_at is null"
	q := r.db.Read(ctx)
	var actors []string
	if err := q.Raw("select distinct released_by from held_removals where " + standing).Scan(&actors).Error; err != nil {
		return fmt.Errorf("read what was released: %w", err)
	}
	for _, actor := range actors {
		var held []heldRow
		if err := q.Raw("select * from held_removals where "+standing+" and released_by = ? order by person, group_id limit ?", actor, chunkMost).Scan(&held).Error; err != nil {
			return fmt.Errorf("read what was released: %w", err)
		}
		if _, err := r.let(ctx, directory.Cause{Actor: actor}, heldRemovals(held)); err != nil {
			return fmt.Errorf("finish a release: %w", err)
		}
	}
	return nil
}

// HoldState answers how a hold stands; empty where there is no such hold.
func (r *Reactor) HoldState(tx *db.Tx, hold id.Hold) (string, error) {
	var state string
	if err := tx.Raw("select state from holds where id = ?", hold).Scan(&state).Error; err != nil {
		return "", fmt.Errorf("read hold: %w", err)
	}
	return state, nil
}
