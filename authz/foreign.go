package authz

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
)

// pagesAtOnce is how much of OpenFGA's list of changes is read before the position is kept.
const pagesAtOnce = 200

// Foreign reads what OpenFGA's list of changes has got since the last time, and puts right what is not ours: a tuple that others wrote is removed,
// one that they deleted is written again. Access comes only from our tuples in any case. Only the leader does so; on other nodes it is ErrNotLeader.
//
// OpenFGA numbers changes before it commits them, so that one may appear behind the last that was read: what was new the last time is read
// once more. What comes later still Sweep finds, and what was written and deleted again in between nobody does.
func (e *Engine) Foreign(ctx context.Context) (Report, error) {
	r, err := e.readForeign(ctx)
	if err != nil {
		err = fmt.Errorf("look for foreign tuples: %w", err)
	}
	return r, err
}

func (e *Engine) readForeign(ctx context.Context) (r Report, err error) {
	row, err := e.leading(ctx)
	if err != nil || row.AppliedSeq == unseeded {
		return r, err
	}
	page := row.ChangesToken
	drained := false
	for n := 0; n < pagesAtOnce && !drained; n++ {
		changes, next, err := e.changes(ctx, page)
		if isRefused(err) && page != "" { // it is another server, or another database behind it
			return r, errors.Join(e.keepPosition(ctx, row, ""), e.sweepNow(ctx))
		}
		if err != nil {
			return r, err
		}
		r.Read += len(changes)
		suspects, err := e.store.suspects(ctx, changes)
		if err != nil {
			return r, err
		}
		for _, key := range suspects {
			if err := e.repair(ctx, key, &r); err != nil {
				return r, err
			}
		}
		drained = len(changes) == 0 || next == page
		page = next
	}
	kept := page
	if drained {
		if kept = row.ChangesToken; e.drained.store == row.StoreID {
			kept = e.drained.token
		}
		e.drained.store, e.drained.token = row.StoreID, page
	}
	return r, e.keepPosition(ctx, row, kept)
}

func (e *Engine) keepPosition(ctx context.Context, row engineRow, token string) error {
	if token == row.ChangesToken {
		return nil
	}
	return e.store.db.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update authz_engine set changes_token = ? where id = 1 and holder = ? and store_id = ?", token, e.node, row.StoreID).Error
	})
}

// ForeignModels looks for authorization models in our store that are newer than ours, each of which somebody else wrote, tells of each once and
// answers their ids, oldest first. Nothing of ours asks by them: each question names our model, and so should those of third parties, for a question
// that names none is answered by the newest. OpenFGA deletes no model. Only the leader looks; on other nodes it is ErrNotLeader.
func (e *Engine) ForeignModels(ctx context.Context) ([]string, error) {
	found, err := e.foreignModels(ctx)
	if err != nil {
		err = fmt.Errorf("look for foreign models: %w", err)
	}
	return found, err
}

func (e *Engine) foreignModels(ctx context.Context) (found []string, err error) {
	e.mu.Lock() // else one that this node is about to note as ours is there already
	defer e.mu.Unlock()
	row, err := e.leading(ctx)
	if err != nil {
		return nil, err
	}
	newest, err := e.modelsAfter(ctx, row.ModelID, row.ModelSeen)
	if err != nil || len(newest) == 0 {
		return nil, err
	}
	if now, err := e.row(ctx); err != nil || now.ModelID != row.ModelID || now.Holder != e.node {
		return nil, err // another node leads, and one of these may be its model
	}
	for i := len(newest) - 1; i >= 0; i-- {
		model := newest[i]
		if err := e.record(ctx, audit.Record{Actor: "system", Action: "authz.foreign_model", Subject: "openfga", Public: map[string]any{"model": model}}); err != nil {
			return found, err
		}
		e.models.Add(1)
		e.log.Error("openfga holds an authorization model that is not ours and newer: it is asked by ours, and whoever names none is answered by that one", "model", model, "ours", row.ModelID)
		found = append(found, model)
	}
	return found, e.store.db.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update authz_engine set model_seen = ? where id = 1 and holder = ? and store_id = ?", newest[0], e.node, row.StoreID).Error
	})
}

// modelsAfter answers the models in our store that are newer than each of known, newest first.
func (e *Engine) modelsAfter(ctx context.Context, known ...string) (newer []string, err error) {
	for page, n := "", 0; n < pagesAtOnce; n++ {
		models, next, err := e.modelList(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, m := range models {
			if slices.Contains(known, m) {
				return newer, nil
			}
			newer = append(newer, m)
		}
		if page = next; page == "" {
			break
		}
	}
	return newer, nil
}

// suspects answers the keys of those changes, in order as OpenFGA made them, after which a tuple is not as it stands here.
func (s *Store) suspects(ctx context.Context, changes []heldChange) (suspects []Tuple, err error) {
	last := map[Tuple]heldChange{}
	var asked []Change
	for _, c := range changes {
		if _, known := last[c.key()]; !known {
			asked = append(asked, Change{Tuple: c.key()})
		}
		last[c.key()] = c
	}
	if len(asked) == 0 {
		return nil, nil
	}
	where, args := keys(asked)
	stands := map[Tuple]Tuple{}
	if _, err := s.read(ctx, func(t Tuple) { stands[t.key()] = t }, "where "+where, args...); err != nil {
		return nil, err
	}
	for _, c := range asked {
		change := last[c.Tuple]
		if ours, ok := stands[c.Tuple]; ok == change.delete || ok && !change.equals(ours) {
			suspects = append(suspects, c.Tuple)
		}
	}
	return suspects, nil
}

// told is what the audit log is told of a tuple that was not the same on both sides. What others wrote may hold anything: only ids of ours are
// said for ever.
func told(action string, t Tuple) audit.Record {
	r := audit.Record{Actor: "system", Action: action, Subject: "openfga", Personal: map[string]any{"user": t.User, "relation": t.Relation, "object": t.Object}}
	if of := splitRef(t.User); of.typ == typeUser && strings.HasPrefix(of.id, "per_") && plain(of.id) {
		r.Subject = of.id
	}
	if of := splitRef(t.Object); of.typ == typeChannel && strings.HasPrefix(of.id, "chn_") && plain(of.id) {
		r.Public = map[string]any{"channel": of.id}
	}
	return r
}

// heldChange is one change of OpenFGA's own list.
type heldChange struct {
	held
	delete bool
}

// sweepNow has the leader sweep at once.
func (e *Engine) sweepNow(ctx context.Context) error {
	return e.store.db.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update authz_engine set sweep_at = 0 where id = 1").Error
	})
}

// sweepDue sweeps where it is time to and this node leads.
func (e *Engine) sweepDue(ctx context.Context) error {
	row, err := e.leading(ctx)
	if err != nil || row.AppliedSeq == unseeded || e.store.now().UnixMicro() < row.SweepAt {
		return err
	}
	if err := e.awaitCaughtUp(ctx); err != nil {
		return err
	}
	if _, err := e.Sweep(ctx); err != nil {
		return err
	}
	return e.store.db.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update authz_engine set sweep_at = ? where id = 1 and sweep_at = ?", e.store.now().Add(sweepEvery).UnixMicro(), row.SweepAt).Error
	})
}
