package directory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// SuccessionKind is what becomes of units.
type SuccessionKind string

// The kinds.
const (
	Renumber SuccessionKind = "renumber" // one unit has another key
	Split    SuccessionKind = "split"    // one becomes several
	Merge    SuccessionKind = "merge"    // several become one
)

// Succession says that from At on the unit New is what the unit Old was, beside what else it is: what names Old means New too. A split
// and a merge are several of them.
type Succession struct {
	ID        id.Succession // of the declaration
	Source    id.Source
	Kind      SuccessionKind
	Old, New  string // keys in the source; New may not be known yet
	OldUnit   id.Unit
	OldName   string
	OldNames  map[string]string
	At        time.Time
	CreatedAt time.Time
	SettledAt time.Time // when it was found to be in force; zero: not yet
	Actor     string
	Line      int // in the file that declares it
}

// DeclareSuccessions plans what becomes of units, all from At on: from now on where that is over. Units that are not known, or have a
// succession already, and circles are a *SuccessionError.
type DeclareSuccessions struct {
	Source id.Source
	At     time.Time
	List   []Succession // Kind, Old, New and Line

	Check func(*db.Tx) error `json:"-"` // asked first, in the transaction of the change; nil: nothing
}

// WithdrawSuccessions takes back what one declaration said: nothing follows from it any more. Unknown is ErrNotFound.
type WithdrawSuccessions struct {
	Source id.Source
	ID     id.Succession

	Check func(*db.Tx) error `json:"-"` // as of DeclareSuccessions
}

// settleSuccessions has everybody looked at whom successions concern that came into force.
type settleSuccessions struct{ source id.Source }

func (DeclareSuccessions) change()  {}
func (WithdrawSuccessions) change() {}
func (settleSuccessions) change()   {}

func (w *work) successionChange(c Change) (Outcome, error) {
	switch c := c.(type) {
	case DeclareSuccessions:
		return w.declare(c)
	case WithdrawSuccessions:
		return w.withdraw(c)
	case settleSuccessions:
		return w.settleSuccessions(c.source)
	}
	return "", fmt.Errorf("%w: change %T", ErrInvalid, c)
}

func (w *work) declare(c DeclareSuccessions) (Outcome, error) {
	t, err := w.checked(c.Source, c.Check)
	if err != nil {
		return "", err
	}
	if src, err := w.source(c.Source); err != nil || src.Mode != ModeLive {
		return "", cmp.Or(err, fmt.Errorf("%w: the source is in its dry run", ErrInvalid))
	}
	standing, err := w.r.Successions(w.ctx, c.Source)
	if err != nil {
		return "", err
	}
	if err := checkSuccessions(c.List, standing, func(key string) bool { _, there := t.byKey[key]; return there }); err != nil {
		return "", err
	}
	at := micro(c.At)
	row := successionRow{ID: id.New[id.Succession](), SourceID: c.Source, EffectiveAt: db.At(at), CreatedAt: db.At(w.now), Actor: w.cause.Actor}
	if !at.After(w.now) {
		row.EffectiveAt, row.SettledAt = db.At(w.now), db.At(w.now)
	}
	for _, s := range c.List {
		if s.Old == s.New { // a part keeps the key
			continue
		}
		old := t.byKey[s.Old]
		row.Kind, row.OldKey, row.OldUnit, row.OldName, row.OldNames, row.NewKey = s.Kind, s.Old, old.ID, old.Name, old.Names, s.New
		if err := w.tx.Create(&row).Error; err != nil {
			return "", fmt.Errorf("write succession: %w", duplicate(err))
		}
		if !row.SettledAt.IsZero() {
			t.moved[s.New] = true
		}
		w.note("unit.succession_declared", string(old.ID), nil, successionNote(row))
	}
	w.wrote = true
	return Created, nil
}

// checked answers the units of a source, locked, where nothing speaks against the change.
func (w *work) checked(source id.Source, check func(*db.Tx) error) (*unitTree, error) {
	t, err := w.tree(source)
	if err == nil && check != nil {
		err = check(w.tx)
	}
	return t, err
}

func successionNote(row successionRow) map[string]any {
	return map[string]any{"succession": row.ID, "source": row.SourceID, "kind": row.Kind, "old": row.OldKey, "new": row.NewKey, "effective_at": moment(row.EffectiveAt.Time)}
}

func (w *work) withdraw(c WithdrawSuccessions) (Outcome, error) {
	t, err := w.checked(c.Source, c.Check)
	if err != nil {
		return "", err
	}
	var rows []successionRow
	if err := w.tx.Where("source_id = ? and id = ?", c.Source, c.ID).Order("old_key, new_key").Find(&rows).Error; err != nil {
		return "", fmt.Errorf("read successions: %w", err)
	}
	if len(rows) == 0 {
		return "", fmt.Errorf("succession %s: %w", c.ID, ErrNotFound)
	}
	for _, row := range rows {
		if !row.EffectiveAt.After(w.now) {
			t.moved[row.NewKey] = true
		}
		w.note("unit.succession_withdrawn", string(row.OldUnit), nil, successionNote(row))
	}
	w.wrote = true
	if err := w.tx.Exec("delete from unit_successions where source_id = ? and id = ?", c.Source, c.ID).Error; err != nil {
		return "", fmt.Errorf("delete successions: %w", err)
	}
	return Deleted, nil
}

func (w *work) settleSuccessions(source id.Source) (Outcome, error) {
	t, err := w.tree(source)
	if err != nil {
		return "", err
	}
	var rows []successionRow
	if err := w.tx.Where("source_id = ? and settled_at is null and effective_at <= ?", source, db.At(w.now)).Order("old_key, new_key").Find(&rows).Error; err != nil {
		return "", fmt.Errorf("read successions: %w", err)
	}
	if len(rows) == 0 { // another node was faster
		return Unchanged, nil
	}
	for _, row := range rows {
		t.moved[row.NewKey] = true
		w.note("unit.succeeded", string(row.OldUnit), nil, successionNote(row))
	}
	w.wrote = true
	if err := w.tx.Exec("update unit_successions set settled_at = ? where source_id = ? and settled_at is null and effective_at <= ?", db.At(w.now), source, db.At(w.now)).Error; err != nil {
		return "", fmt.Errorf("write successions: %w", err)
	}
	return Updated, nil
}

// settleDue has the successions followed that came into force. Rules read them by their instant: this only has people looked at.
func (s *Store) settleDue(ctx context.Context) error {
	var due []id.Source
	if err := s.db.Read(ctx).Raw("select distinct source_id from unit_successions where settled_at is null and effective_at <= ?", db.At(s.clock())).Scan(&due).Error; err != nil {
		return fmt.Errorf("read successions: %w", err)
	}
	for _, source := range due {
		if _, err := s.Apply(ctx, Cause{}, settleSuccessions{source}); err != nil {
			return fmt.Errorf("follow successions: %w", err)
		}
	}
	return nil
}

// succeeds tells whether the unit that a person has now is, or is below, what became of the one they had.
func (w *work) succeeds(s *subject) (bool, error) {
	if s.old.UnitID == "" || s.now.Unit == "" {
		return false, nil
	}
	if w.succeeded == nil {
		w.succeeded = map[[2]id.Unit]bool{}
		w.former = map[id.Unit]bool{}
		var old []id.Unit
		if err := w.tx.Raw("select distinct old_unit from unit_successions where effective_at <= ?", db.At(w.now)).Scan(&old).Error; err != nil {
			return false, fmt.Errorf("read successions: %w", err)
		}
		for _, unit := range old {
			w.former[unit] = true
		}
	}
	if !w.former[s.old.UnitID] {
		return false, nil
	}
	pair := [2]id.Unit{s.old.UnitID, s.now.Unit}
	is, known := w.succeeded[pair]
	if known {
		return is, nil
	}
	paths, err := w.r.unitPaths(w.ctx, s.records)
	if err != nil {
		return false, err
	}
	is = slices.ContainsFunc(paths.up(s.now.Unit, w.now), func(u UnitKey) bool {
		return slices.ContainsFunc(u.Was, func(was UnitKey) bool { return was.ID == s.old.UnitID })
	})
	w.succeeded[pair] = is
	return is, nil
}
