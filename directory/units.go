package directory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// unitTree is the organisation tree of one source while it is changed. The source is locked.
type unitTree struct {
	byKey map[string]unitRow
	moved map[string]bool // units whose name or path differs now
	came  map[string]bool // units that are new or gone: those who name them have another unit now
}

func (w *work) tree(source id.Source) (*unitTree, error) {
	if t := w.units[source]; t != nil {
		return t, nil
	}
	if _, err := w.source(source); err != nil {
		return nil, err
	}
	var rows []unitRow
	if err := w.tx.Where("source_id = ?", source).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read units: %w", err)
	}
	t := &unitTree{byKey: map[string]unitRow{}, moved: map[string]bool{}, came: map[string]bool{}}
	for _, row := range rows {
		t.byKey[row.UnitKey] = row
	}
	w.units[source] = t
	return t, nil
}

// above tells whether key is on the way from start up to the root.
func (t *unitTree) above(start, key string) bool {
	for at, steps := start, 0; at != "" && steps <= len(t.byKey); steps++ {
		if at == key {
			return true
		}
		at = t.byKey[at].ParentKey
	}
	return false
}

func (w *work) putUnit(c PutUnit) (Outcome, error) {
	u := c.Unit
	if u.Key == "" {
		return "", fmt.Errorf("%w: a unit needs its key", ErrInvalid)
	}
	if c.ParentKey != "" {
		u.ParentKey = c.ParentKey
	}
	for field, value := range map[string]string{"key": u.Key, "parent": u.ParentKey, "name": u.Name} {
		if err := storable(field, value); err != nil {
			return "", err
		}
	}
	if len(u.Names) == 0 {
		u.Names = nil
	}
	t, err := w.tree(u.Source)
	if err != nil {
		return "", err
	}
	if t.above(u.ParentKey, u.Key) {
		return "", fmt.Errorf("unit %q below %q: %w", u.Key, u.ParentKey, ErrCycle)
	}
	old, there := t.byKey[u.Key]
	row := unitRow{ID: old.ID, SourceID: u.Source, UnitKey: u.Key, ParentKey: u.ParentKey, Name: u.Name, Names: db.JSON[map[string]string]{V: u.Names},
		CreatedAt: old.CreatedAt, UpdatedAt: db.At(w.now)}
	before := []attribute{{"name", old.Name}, {"names", labels(old.Names.V)}, {"parent", old.ParentKey}}
	now := []attribute{{"name", u.Name}, {"names", labels(u.Names)}, {"parent", u.ParentKey}}
	fields := diff(before, now)
	if there && len(fields) == 0 {
		return Unchanged, nil
	}
	t.moved[u.Key] = true
	if !there {
		row.ID, row.CreatedAt = id.New[id.Unit](), db.At(w.now)
		t.byKey[u.Key], t.came[u.Key] = row, true
		w.unitNote("unit.created", row, fields)
		if err := w.tx.Create(&row).Error; err != nil {
			return "", fmt.Errorf("write unit: %w", duplicate(err))
		}
		return Created, nil
	}
	t.byKey[u.Key] = row
	w.unitNote("unit.changed", row, fields)
	if err := w.tx.Exec("update units set parent_key = ?, name = ?, names = ?, updated_at = ? where id = ?", row.ParentKey, row.Name, row.Names, row.UpdatedAt, row.ID).Error; err != nil {
		return "", fmt.Errorf("write unit: %w", err)
	}
	return Updated, nil
}

// place gives a record of a SCIM source its unit. SCIM knows no units: organization, division and department (RFC 7643
// section 4.3) are taken for a path, and what of it is new becomes units, named as the source names them.
func (w *work) place(rec *Record) error {
	source, err := w.source(rec.Source)
	if err != nil || source.Kind != KindSCIM {
		return err
	}
	names := slices.DeleteFunc([]string{rec.Organization, rec.Division, rec.Department}, func(name string) bool { return name == "" })
	names = slices.Compact(names)
	key := strings.Join(names, "/")
	if key == rec.UnitKey {
		return nil
	}
	if rec.UnitKey = key; key == "" {
		return nil
	}
	if known, err := w.placed(source.ID, names); known || err != nil {
		return err
	}
	if err := w.lockSources(map[id.Source]bool{source.ID: true}); err != nil { // two who name a new unit at once
		return err
	}
	t, err := w.tree(source.ID)
	if err != nil {
		return err
	}
	parent := ""
	for i, name := range names {
		key := strings.Join(names[:i+1], "/")
		if _, there := t.byKey[key]; !there {
			if _, err := w.putUnit(PutUnit{Unit: Unit{Source: source.ID, Key: key, Name: name}, ParentKey: parent}); err != nil {
				return err
			}
		}
		parent = key
	}
	return nil
}

// placed tells whether every unit of a path is there, which is the rule: then no tree is read and nobody waits for anybody.
func (w *work) placed(source id.Source, names []string) (bool, error) {
	keys := make([]string, len(names))
	for i := range names {
		keys[i] = strings.Join(names[:i+1], "/")
	}
	if t := w.units[source]; t != nil { // read already, and maybe changed
		return !slices.ContainsFunc(keys, func(key string) bool { _, there := t.byKey[key]; return !there }), nil
	}
	var rows []unitRow
	if err := w.tx.Raw("select id, unit_key from units where source_id = ? and unit_key in ?", source, keys).Scan(&rows).Error; err != nil {
		return false, fmt.Errorf("read units: %w", err)
	}
	for _, row := range rows {
		w.placedIn[reference{source, row.UnitKey}] = row.ID
	}
	return len(rows) == len(keys), nil
}

func (w *work) removeUnit(c RemoveUnit) (Outcome, error) {
	t, err := w.tree(c.Source)
	if err != nil {
		return "", err
	}
	row, there := t.byKey[c.Key]
	if !there {
		return Unchanged, nil
	}
	t.moved[c.Key], t.came[c.Key] = true, true
	w.unitNote("unit.deleted", row, nil)
	delete(t.byKey, c.Key)
	if err := w.tx.Exec("delete from units where id = ?", row.ID).Error; err != nil {
		return "", fmt.Errorf("delete unit: %w", err)
	}
	return Deleted, nil
}

func (w *work) unitNote(action string, row unitRow, fields []Field) {
	w.wrote = true
	more := map[string]any{"source": row.SourceID, "key": row.UnitKey, "parent": row.ParentKey}
	if w.dry(row.SourceID) {
		more["staged"] = true
		w.note(action, string(row.ID), fields, more)
		return
	}
	w.note(action, string(row.ID), fields, more)
	w.events = append(w.events, feed.Event{At: w.now, Kind: "unit.changed", Subject: string(row.ID), Data: json.RawMessage(`{"action":"` + action + `"}`)})
}

// followUnits marks the people in units that came or went for merging, and tells everybody below a changed unit that their path differs.
func (w *work) followUnits() error {
	for source, t := range w.units {
		if err := w.touchWhere("unit_key", source, t.came); err != nil {
			return err
		}
		children := map[string][]string{}
		for key, row := range t.byKey {
			children[row.ParentKey] = append(children[row.ParentKey], key)
		}
		below := map[string]bool{}
		for queue := sorted(t.moved); len(queue) > 0; {
			key := queue[0]
			queue = queue[1:]
			if !below[key] {
				below[key] = true
				queue = append(queue, children[key]...)
			}
		}
		people, err := w.peopleWhere("unit_key", source, below)
		if err != nil {
			return err
		}
		for _, p := range people {
			w.differs(p, "unit_path")
		}
	}
	return nil
}

// unitIDs answers the ids of those units that are known.
func (w *work) unitIDs(refs map[reference]bool) (map[reference]id.Unit, error) {
	bySource := map[id.Source]map[string]bool{}
	found := map[reference]id.Unit{}
	for ref := range refs {
		if t := w.units[ref.source]; t != nil {
			if row, ok := t.byKey[ref.key]; ok {
				found[ref] = row.ID
			}
			continue
		}
		if unit, ok := w.placedIn[ref]; ok {
			found[ref] = unit
			continue
		}
		if bySource[ref.source] == nil {
			bySource[ref.source] = map[string]bool{}
		}
		bySource[ref.source][ref.key] = true
	}
	for source, keys := range bySource {
		for part := range slices.Chunk(sorted(keys), chunk) {
			var rows []unitRow
			if err := w.tx.Where("source_id = ? and unit_key in ?", source, part).Find(&rows).Error; err != nil {
				return nil, fmt.Errorf("resolve units: %w", err)
			}
			for _, row := range rows {
				found[reference{source, row.UnitKey}] = row.ID
			}
		}
	}
	return found, nil
}

func (w *work) putCursor(c PutCursor) (Outcome, error) {
	if _, err := w.source(c.Source); err != nil {
		return "", err
	}
	if err := storable("cursor", c.Value); err != nil {
		return "", err
	}
	done := w.tx.Exec("update sources set cursor = ? where id = ? and cursor <> ?", c.Value, c.Source, c.Value)
	if done.Error != nil {
		return "", fmt.Errorf("write cursor: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return Unchanged, nil
	}
	w.wrote = true
	return Updated, nil
}

func (w *work) syncDone(c SyncDone) (Outcome, error) {
	if _, err := w.source(c.Source); err != nil {
		return "", err
	}
	if c.Proof == "" {
		return "", ErrProof
	}
	if err := w.tx.Exec("update sources set synced_at = ? where id = ?", w.now.UnixMicro(), c.Source).Error; err != nil {
		return "", fmt.Errorf("write source: %w", err)
	}
	data, err := json.Marshal(map[string]any{"run": c.Run, "proof": c.Proof, "counts": c.Counts})
	if err != nil {
		return "", err
	}
	if err := w.stillActive(c.Source); err != nil {
		return "", err
	}
	w.wrote = true
	w.events = append(w.events, feed.Event{At: w.now, Kind: "source.synced", Subject: string(c.Source), Data: data})
	return Updated, nil
}
