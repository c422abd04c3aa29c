package authz

import (
	"context"
	"fmt"
)

// Report is what Sweep found and did.
type Report struct {
	Read    int     // tuples that OpenFGA held
	Foreign []Tuple // in OpenFGA only, or with another window: removed
	Missing []Tuple // in ours only, or with another window: written
}

// Sweep reads every tuple of OpenFGA, removes what is not ours and writes what is missing. It writes no tuple
// that changes meanwhile: each finding is looked at again while the log stands still. Only the leader may
// sweep; on other nodes it is ErrNotLeader.
func (e *Engine) Sweep(ctx context.Context) (Report, error) {
	var r Report
	if _, mine, err := e.lead(ctx); err != nil || !mine {
		if err == nil {
			err = ErrNotLeader
		}
		return r, fmt.Errorf("sweep openfga: %w", err)
	}
	theirs := map[Tuple]held{}
	for page := ""; ; {
		found, next, err := e.read(ctx, nil, page)
		if err != nil {
			return r, fmt.Errorf("sweep openfga: %w", err)
		}
		r.Read += len(found)
		for _, h := range found {
			theirs[h.key()] = h
		}
		if page = next; page == "" {
			break
		}
	}
	var suspects []Tuple
	if _, err := e.store.load(ctx, func(t Tuple) {
		if h, ok := theirs[t.key()]; !ok || !h.equals(t) {
			suspects = append(suspects, t.key())
		}
		delete(theirs, t.key())
	}); err != nil {
		return r, fmt.Errorf("sweep openfga: %w", err)
	}
	for key := range theirs {
		suspects = append(suspects, key)
	}
	for _, key := range suspects {
		if err := e.repair(ctx, key, &r); err != nil {
			return r, fmt.Errorf("sweep openfga: %w", err)
		}
	}
	return r, nil
}

func (t Tuple) key() Tuple { return Tuple{User: t.User, Relation: t.Relation, Object: t.Object} }

func (h held) equals(t Tuple) bool {
	return !h.strange && h.Tuple.key() == t.key() && h.From.Equal(t.From) && h.Until.Equal(t.Until)
}

// repair looks at one tuple on both sides while nobody applies the log, and makes OpenFGA's like ours. Whatever is
// committed meanwhile is applied after it and wins.
func (e *Engine) repair(ctx context.Context, key Tuple, r *Report) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for more := true; more; {
		var err error
		if more, err = e.applyNext(ctx); err != nil {
			return err
		}
	}
	found, _, err := e.read(ctx, &key, "")
	if err != nil {
		return err
	}
	ours, err := e.store.Tuples(ctx, Filter{User: key.User, Relation: key.Relation, Object: key.Object})
	if err != nil {
		return err
	}
	if len(found) == len(ours) && (len(ours) == 0 || found[0].equals(ours[0])) {
		return nil
	}
	if applied, err := e.CaughtUp(ctx); err != nil || !applied {
		return err // somebody has just changed it: the log will
	}
	for _, foreign := range found {
		e.foreign.Add(1)
		if err := e.record(ctx, told("authz.foreign_tuple", foreign.Tuple)); err != nil {
			return err
		}
		e.log.Error("openfga holds a tuple that is not ours, it is removed", "user", key.User, "relation", key.Relation, "object", key.Object)
		r.Foreign = append(r.Foreign, foreign.Tuple)
		if err := e.write(ctx, []Change{Remove(key)}); err != nil {
			return err
		}
	}
	for _, missing := range ours {
		e.missing.Add(1)
		if err := e.record(ctx, told("authz.missing_tuple", missing)); err != nil {
			return err
		}
		e.log.Error("openfga misses a tuple, it is written", "user", key.User, "relation", key.Relation, "object", key.Object)
		r.Missing = append(r.Missing, missing)
		if err := e.write(ctx, []Change{Put(missing)}); err != nil {
			return err
		}
	}
	return nil
}
