package authz

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// One node at a time, the leader, applies the log to OpenFGA. It holds a lease in the row of authz_engine; a
// write takes less than half of the lease, so that an old leader has stopped before a new one starts. What an
// old leader's write may leave behind after a long pause, Sweep finds.
const (
	engineLease  = 20 * time.Second
	writeTimeout = 8 * time.Second
	writeTuples  = 100 // at most, in one Write
	maxPause     = 5 * time.Second
	gather       = 20 * time.Millisecond // revisions come in bursts: one Write and one commit for them

	// unseeded is the applied_seq of a store in OpenFGA that has none of our tuples yet.
	unseeded = -1
)

var errNotReady = errors.New("openfga client: Ensure has not run")

const selectEngine = "select applied_seq, store_id, model_id, model_hash, holder, lease_until, changes_token, sweep_at, model_seen from authz_engine where id = 1"

func (e *Engine) row(ctx context.Context) (row engineRow, err error) {
	err = e.store.db.Read(ctx).Raw(selectEngine).Scan(&row).Error
	return row, err
}

// lead takes or renews the lease and answers the row as it then is.
func (e *Engine) lead(ctx context.Context) (row engineRow, mine bool, err error) {
	now := e.store.now()
	if row, err = e.row(ctx); err != nil {
		return row, false, err
	}
	if row.Holder == e.node && row.LeaseUntil > now.Add(engineLease/2).UnixMicro() {
		return row, true, nil
	}
	if row.Holder != e.node && row.LeaseUntil > now.UnixMicro() {
		return row, false, nil
	}
	err = e.store.db.Tx(ctx, func(tx *db.Tx) error {
		done := tx.Exec("update authz_engine set holder = ?, lease_until = ? where id = 1 and (holder = ? or lease_until <= ?)",
			e.node, now.Add(engineLease).UnixMicro(), e.node, now.UnixMicro())
		mine = done.RowsAffected == 1
		if done.Error != nil || !mine {
			return done.Error
		}
		return tx.Raw(selectEngine).Scan(&row).Error
	})
	return row, mine && err == nil, err
}

// leading is ErrNotLeader where another node applies the log; else it answers the row, of which ids are taken over.
func (e *Engine) leading(ctx context.Context) (engineRow, error) {
	row, mine, err := e.lead(ctx)
	if err == nil && !mine {
		err = ErrNotLeader
	}
	if err != nil {
		return row, err
	}
	if row.StoreID == "" {
		return row, errNotReady
	}
	if ids := e.ids.Load(); ids == nil || ids.store != row.StoreID || ids.model != row.ModelID {
		e.ids.Store(&engineIDs{row.StoreID, row.ModelID})
	}
	return row, nil
}

// resign gives the lease back, so that another node need not wait for its end.
func (e *Engine) resign(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := e.store.db.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update authz_engine set holder = '', lease_until = 0 where id = 1 and holder = ?", e.node).Error
	}); err != nil {
		e.log.Warn("openfga lease not given back", "error", err)
	}
}

// Ensure finds our store and our model in OpenFGA and makes what is missing: one node does, the others wait. A new
// store is filled by Run. Where OpenFGA is out of reach, and had our model before, Run does it later: a node that starts meanwhile decides as the others do.
func (e *Engine) Ensure(ctx context.Context) error {
	for {
		done, err := e.ensure(ctx)
		if err != nil && ctx.Err() == nil && e.remembers(ctx, err) {
			e.log.Warn("openfga is out of reach, it is looked at later", "error", err)
			return nil
		}
		if err != nil {
			return fmt.Errorf("prepare openfga: %w", err)
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("prepare openfga: %w", ctx.Err())
		case <-time.After(poll):
		}
	}
}

// remembers takes over the store and the model of another time where err says that OpenFGA is out of reach, and the model is the one of this program.
func (e *Engine) remembers(ctx context.Context, err error) bool {
	var away *url.Error
	row, failed := e.row(ctx)
	if !errors.As(err, &away) || failed != nil || row.StoreID == "" || row.ModelHash != modelHash() {
		return false
	}
	e.ids.Store(&engineIDs{row.StoreID, row.ModelID})
	e.unseen.Store(true)
	return true
}

// seen is Ensure for one that has started without OpenFGA.
func (e *Engine) seen(ctx context.Context) error {
	if !e.unseen.Load() {
		return nil
	}
	done, err := e.ensure(ctx)
	if err == nil && done {
		e.unseen.Store(false)
	}
	return err
}

func (e *Engine) ensure(ctx context.Context) (done bool, err error) {
	row, err := e.row(ctx)
	if err != nil {
		return false, err
	}
	hasStore, hasModel, err := e.has(ctx, row)
	if err != nil {
		return false, err
	}
	if hasStore && hasModel {
		e.ids.Store(&engineIDs{row.StoreID, row.ModelID})
		return true, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	current, mine, err := e.lead(ctx)
	if err != nil || !mine || current.StoreID != row.StoreID || current.ModelID != row.ModelID {
		return false, err // another node is making it
	}
	if !hasStore {
		if row.StoreID != "" {
			e.log.Warn("openfga has lost our store, it is made again", "store", row.StoreID)
		}
		row.AppliedSeq, row.ChangesToken = unseeded, ""
		if row.StoreID, err = e.createStore(ctx); err != nil {
			return false, err
		}
	}
	if row.ModelID, err = e.writeModel(ctx, row.StoreID); err != nil {
		return false, err
	}
	return false, e.store.db.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update authz_engine set applied_seq = ?, store_id = ?, model_id = ?, model_hash = ?, changes_token = ? where id = 1 and holder = ?",
			row.AppliedSeq, row.StoreID, row.ModelID, modelHash(), row.ChangesToken, e.node).Error
	})
}

// Run applies the log to OpenFGA, in order, until ctx ends: here while this node leads, else it waits to lead.
// OpenFGA out of reach only delays it.
func (e *Engine) Run(ctx context.Context) error {
	defer e.resign(ctx)
	pause := poll
	for {
		nudged, more := e.store.appended.wait(), false
		err := e.seen(ctx)
		if err == nil {
			more, err = e.step(ctx)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			e.log.Error("openfga cannot be brought up to date, will retry", "pause", pause, "error", err)
			nudged, pause = nil, min(2*pause, maxPause)
		} else {
			pause = poll
		}
		if more {
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-nudged:
			timer.Reset(gather)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
		case <-timer.C:
		}
	}
}

// step applies some revisions where this node leads, and tells whether there may be more.
func (e *Engine) step(ctx context.Context) (more bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	more, err = e.applyNext(ctx)
	if errors.Is(err, ErrNotLeader) {
		return false, nil
	}
	return more, err
}

// applyNext applies the next revisions. Only the holder of mu may call it.
func (e *Engine) applyNext(ctx context.Context) (more bool, err error) {
	row, err := e.leading(ctx)
	if err != nil {
		return false, err
	}
	var next revisions
	if row.AppliedSeq == unseeded {
		next.last, err = e.store.load(ctx, func(t Tuple) { next.changes = append(next.changes, Change{Tuple: t}) })
	} else {
		next, err = e.store.since(ctx, row.AppliedSeq, revisionsAtOnce)
	}
	if err != nil || next.last == row.AppliedSeq {
		return false, err
	}
	ctx, step := trace.Follow(ctx, "authz.openfga", next.from, "rollcall.revision", next.last, "rollcall.tuples", len(next.changes))
	defer func() { step.End(err) }()
	if err := e.apply(ctx, next.changes); err != nil {
		return false, err
	}
	err = e.store.db.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update authz_engine set applied_seq = ? where id = 1 and holder = ? and store_id = ? and applied_seq = ?",
			next.last, e.node, row.StoreID, row.AppliedSeq).Error
	})
	return err == nil, err
}

// apply makes changes in order, as many in one Write as OpenFGA's rule allows: each tuple once.
func (e *Engine) apply(ctx context.Context, changes []Change) error {
	type key struct{ user, relation, object string }
	var batch []Change
	seen := map[key]bool{}
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := e.writeBatch(ctx, batch)
		batch = batch[:0]
		clear(seen)
		return err
	}
	for _, c := range changes {
		k := key{c.Tuple.User, c.Tuple.Relation, c.Tuple.Object}
		if seen[k] || len(batch) == writeTuples {
			if err := flush(); err != nil {
				return err
			}
			if _, mine, err := e.lead(ctx); err != nil || !mine {
				return errors.Join(err, ErrNotLeader)
			}
		}
		seen[k], batch = true, append(batch, c)
	}
	return flush()
}

// writeBatch falls back to one tuple at a time where OpenFGA refuses the batch: a replay finds tuples with a later
// window. A tuple that it refuses alone is an alarm and left out, because it must not hold up what follows.
func (e *Engine) writeBatch(ctx context.Context, batch []Change) error {
	err := e.write(ctx, batch)
	if err == nil || !isRefused(err) {
		return err
	}
	for _, c := range batch {
		err := e.write(ctx, []Change{c})
		if err != nil && isRefused(err) && !c.Delete {
			if err = e.write(ctx, []Change{Remove(c.Tuple)}); err == nil {
				err = e.write(ctx, []Change{c})
			}
		}
		if err != nil && isRefused(err) {
			e.log.Error("openfga refuses a tuple, it is left out", "user", c.Tuple.User, "relation", c.Tuple.Relation, "object", c.Tuple.Object, "error", err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Behind answers how many committed revisions OpenFGA has not applied.
func (e *Engine) Behind(ctx context.Context) (int, error) {
	row, err := e.row(ctx)
	if err != nil {
		return 0, err
	}
	head, err := e.store.head(ctx)
	return int(max(head-row.AppliedSeq, 0)), err
}

// CaughtUp tells whether OpenFGA has applied every change that is committed.
func (e *Engine) CaughtUp(ctx context.Context) (bool, error) {
	behind, err := e.Behind(ctx)
	return err == nil && behind == 0, err
}

// awaitCaughtUp gives the leader a moment to come to the end of the log.
func (e *Engine) awaitCaughtUp(ctx context.Context) error {
	for range 20 {
		if caughtUp, err := e.CaughtUp(ctx); err != nil || caughtUp {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(gather):
		}
	}
	return ErrBehind
}
