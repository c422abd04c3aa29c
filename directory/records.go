package directory

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

func (w *work) putRecord() (Outcome, error) {
	p := w.prepared[w.index]
	ref := reference{p.record.Source, p.record.Key}
	if _, err := w.source(ref.source); err != nil {
		return "", err
	}
	e := w.byKey[ref]
	if e == nil {
		if l, ok := w.light[ref]; ok {
			rec := p.record
			rec.Link, rec.Person, rec.Version, rec.CreatedAt, rec.UpdatedAt = l.Link, l.PersonID, l.Version, l.CreatedAt.Time, l.UpdatedAt.Time
			rec.AbsentSince, rec.DeletedAt = l.AbsentSince.Time, l.DeletedAt.Time
			w.applied.Records[w.index] = rec
			w.wait(rec.Person, false)
			w.repeats(rec)
			return Unchanged, nil
		}
		w.add(p.record, p.hash)
		return Created, nil
	}
	w.result[w.index] = e
	outcome := w.replace(e, p.record, p.hash)
	if outcome == Unchanged {
		w.wait(e.after.Person, false)
		w.repeats(e.after)
	}
	return outcome, nil
}

// add makes a record that was not there; its person is found later.
func (w *work) add(rec Record, hash string) *entry {
	if rec.Link == "" {
		rec.Link = id.New[id.Link]()
	}
	if rec.Key == "" {
		rec.Key = string(rec.Link)
	}
	rec.Version, rec.CreatedAt, rec.UpdatedAt, rec.SaidAt = 1, w.now, w.now, w.now
	rec.AbsentSince, rec.DeletedAt, rec.SetAsideUntil = time.Time{}, time.Time{}, time.Time{}
	rec.Person = ""
	e := &entry{after: rec, hash: hash, index: w.index}
	w.keep(e)
	w.result[w.index] = e
	return e
}

// replace gives an entry new content, presence and life; who it is stays.
func (w *work) replace(e *entry, rec Record, hash string) Outcome {
	old := e.after
	if e.hash == hash && old.AbsentSince.IsZero() && old.DeletedAt.IsZero() {
		return Unchanged
	}
	outcome := Updated
	if !old.DeletedAt.IsZero() || !old.Active && rec.Active {
		outcome = Enabled
	}
	rec.Link, rec.Source, rec.Key, rec.Person = old.Link, old.Source, old.Key, old.Person
	rec.Version, rec.CreatedAt, rec.UpdatedAt, rec.SaidAt = old.Version, old.CreatedAt, old.UpdatedAt, old.SaidAt
	if !old.DeletedAt.IsZero() || !employsAlike(old, rec) {
		rec.SaidAt = w.now
	}
	rec.AbsentSince, rec.DeletedAt = time.Time{}, time.Time{}
	rec.SetAsideUntil = time.Time{}
	if old.DeletedAt.IsZero() && !old.Active && !rec.Active { // said again, not anew
		rec.SetAsideUntil = old.SetAsideUntil
	}
	if e.hash != hash || !old.DeletedAt.IsZero() { // presence alone is no new version
		rec.Version, rec.UpdatedAt = old.Version+1, w.now
	}
	e.after, e.hash, e.index = rec, hash, w.index
	return outcome
}

func (w *work) createRecord(c CreateRecord) (Outcome, error) {
	rec := c.Record
	if _, err := w.source(rec.Source); err != nil {
		return "", err
	}
	if rec.UserName == "" {
		return "", fmt.Errorf("%w: userName is required", ErrInvalid)
	}
	if err := clean(&rec); err != nil {
		return "", err
	}
	if err := w.place(&rec); err != nil {
		return "", err
	}
	hash, err := contentHash(rec)
	if err != nil {
		return "", err
	}
	if rec.ExternalID == "" {
		w.add(rec, hash)
		return Created, nil
	}
	e, person, err := w.sameExternal(rec)
	if err != nil {
		return "", err
	}
	if e == nil {
		w.add(rec, hash).after.Person = person
		if person != "" {
			w.rehired[person] = rec.Active
			return Enabled, nil
		}
		return Created, nil
	}
	w.result[w.index] = e
	if outcome := w.replace(e, rec, hash); outcome == Unchanged {
		w.wait(e.after.Person, true)
		return Unchanged, nil
	}
	w.rehired[e.after.Person] = rec.Active
	return Enabled, nil
}

// sameExternal looks for rec's externalId in its source: an active record is a conflict, an inactive one is the one to enable again (J26,
// J14), and of deleted ones the last gives its person (decision 16).
func (w *work) sameExternal(rec Record) (*entry, id.Person, error) {
	for _, e := range w.order {
		if e.before.Link == "" && e.after.Source == rec.Source && e.after.ExternalID == rec.ExternalID {
			return nil, "", &ConflictError{Field: "externalId", Link: e.after.Link}
		}
	}
	var rows []lightRow
	if err := w.tx.Raw(`select link, person_id, active, deleted_at from records where source_id = ? and external_id = ?
		order by deleted_at desc, link desc`, rec.Source, rec.ExternalID).Scan(&rows).Error; err != nil {
		return nil, "", fmt.Errorf("read records: %w", err)
	}
	var person id.Person
	for _, row := range rows {
		if row.DeletedAt.IsZero() {
			if err := w.load(map[id.Link]bool{row.Link: true}); err != nil { // locks; what it reads is the latest
				return nil, "", err
			}
			e := w.entries[row.Link]
			if e.after.Active && e.after.DeletedAt.IsZero() {
				return nil, "", &ConflictError{Field: "externalId", Link: row.Link}
			}
			return e, "", nil
		}
		if person == "" {
			person = row.PersonID
		}
	}
	return nil, person, nil
}

// find answers a live record of a source, locked.
func (w *work) find(source id.Source, link id.Link) (*entry, error) {
	e := w.entries[link]
	if e == nil || e.after.Source != source {
		return nil, fmt.Errorf("record %s: %w", link, ErrNotFound)
	}
	if !e.after.DeletedAt.IsZero() {
		w.wait(e.after.Person, true) // what the deletion froze must be in force before anybody hears of it
		return nil, fmt.Errorf("record %s: %w", link, ErrNotFound)
	}
	return e, nil
}

func matches(wanted []int64, version int64) error {
	if wanted != nil && !slices.Contains(wanted, version) {
		return fmt.Errorf("%w: it is %d now", ErrVersion, version)
	}
	return nil
}

func (w *work) editRecord(c EditRecord) (Outcome, error) {
	link := c.Link
	if e := w.byKey[reference{c.Source, c.Key}]; link == "" && e != nil {
		link = e.after.Link
	}
	e, err := w.find(c.Source, link)
	if err != nil {
		return "", err
	}
	if err := matches(c.IfVersion, e.after.Version); err != nil {
		return "", err
	}
	rec := e.after
	rec.Emails, rec.Phones, rec.Labels, rec.Raw = slices.Clone(rec.Emails), slices.Clone(rec.Phones), maps.Clone(rec.Labels), slices.Clone(rec.Raw)
	if err := c.Edit(&rec); err != nil {
		return "", err
	}
	if err := clean(&rec); err != nil {
		return "", err
	}
	if err := w.place(&rec); err != nil {
		return "", err
	}
	hash, err := contentHash(rec)
	if err != nil {
		return "", err
	}
	w.result[w.index] = e
	outcome := Unchanged
	if absent := e.after.AbsentSince; hash != e.hash {
		if outcome = w.replace(e, rec, hash); c.Aside {
			e.after.AbsentSince = absent
		}
	}
	if outcome == Unchanged {
		w.wait(e.after.Person, true)
		w.repeats(e.after)
	}
	return outcome, nil
}

func (w *work) deleteRecord(c DeleteRecord) (Outcome, error) {
	link := c.Link
	if link == "" {
		e := w.byKey[reference{c.Source, c.Key}]
		if e == nil {
			return Unchanged, nil
		}
		link = e.after.Link
	}
	e, err := w.find(c.Source, link)
	if err != nil {
		if c.Link == "" {
			return Unchanged, nil
		}
		return "", err
	}
	if err := matches(c.IfVersion, e.after.Version); err != nil {
		return "", err
	}
	e.after.DeletedAt, e.after.UpdatedAt, e.after.SetAsideUntil, e.index = w.now, w.now, time.Time{}, w.index
	e.after.Version++
	w.result[w.index] = e
	return Deleted, nil
}

func (w *work) markAbsent(c MarkAbsent) (Outcome, error) {
	if c.Proof == "" {
		return "", ErrProof
	}
	if _, err := w.source(c.Source); err != nil {
		return "", err
	}
	outcome := Unchanged
	for _, key := range c.Keys {
		e := w.byKey[reference{c.Source, key}]
		if e == nil || !e.after.DeletedAt.IsZero() || !e.after.AbsentSince.IsZero() {
			continue
		}
		e.after.AbsentSince, e.index, outcome = w.now, w.index, Updated
	}
	return outcome, nil
}

func (w *work) linkRecord(c LinkRecord) (Outcome, error) {
	e, err := w.find(c.Source, c.Link)
	if err != nil {
		return "", err
	}
	if w.staged(c.Source, e.after.Person) {
		return "", fmt.Errorf("%w: a record of a dry run belongs to nobody yet", ErrInvalid)
	}
	w.result[w.index] = e
	if e.after.Person == c.Person && c.Person != "" {
		return Unchanged, nil
	}
	if c.Person != "" {
		var n int64
		if err := w.tx.Raw("select count(*) from persons where id = ?", c.Person).Scan(&n).Error; err != nil {
			return "", fmt.Errorf("read people: %w", err)
		}
		if n == 0 {
			return "", fmt.Errorf("person %s: %w", c.Person, ErrNotFound)
		}
	}
	e.after.Person, e.after.SetAsideUntil, e.index = c.Person, time.Time{}, w.index
	return Updated, nil
}

// checkNames refuses a userName or an owned externalId that another live record of the source has, as things stand after all changes.
func (w *work) checkNames() error {
	if err := w.unique("userName", "user_name_key", nameKey); err != nil {
		return err
	}
	return w.unique("externalId", "external_key", w.externalKey)
}

func nameKey(r Record) string {
	if !r.DeletedAt.IsZero() {
		return ""
	}
	return fold(r.UserName)
}

func (w *work) externalKey(r Record) string {
	if !r.DeletedAt.IsZero() || !w.owns(r.Source) {
		return ""
	}
	return r.ExternalID
}

func (w *work) unique(field, column string, key func(Record) string) error {
	mine, asked := map[reference]*entry{}, map[id.Source]map[string]bool{}
	for _, e := range w.order {
		now := key(e.after)
		if now == "" {
			continue
		}
		ref := reference{e.after.Source, now}
		if other := mine[ref]; other != nil {
			stood := func(e *entry) bool { return e.before.Link != "" && key(e.before) == now }
			at, holder := max(e.index, other.index), other
			switch { // who had it before is not the one to refuse, whatever else changes of it
			case stood(other):
				at = e.index
			case stood(e):
				at, holder = other.index, e
			}
			return &ChangeError{Index: at, Err: &ConflictError{Field: field, Link: holder.after.Link}}
		}
		mine[ref] = e
		if e.before.Link == "" || key(e.before) != now {
			if asked[ref.source] == nil {
				asked[ref.source] = map[string]bool{}
			}
			asked[ref.source][now] = true
		}
	}
	for source, names := range asked {
		for part := range slices.Chunk(sorted(names), chunk) {
			var rows []struct {
				Link id.Link
				Name string
			}
			if err := w.tx.Raw("select link, "+column+" as name from records where source_id = ? and "+column+" in ?", source, part).Scan(&rows).Error; err != nil {
				return fmt.Errorf("read records: %w", err)
			}
			for _, row := range rows {
				if w.entries[row.Link] == nil { // else it was compared above
					return &ChangeError{Index: mine[reference{source, row.Name}].index, Err: &ConflictError{Field: field, Link: row.Link}}
				}
			}
		}
	}
	return nil
}

func (w *work) owns(source id.Source) bool {
	kind := w.sources[source].Kind
	return kind == KindSCIM || kind == KindConsole
}

func (w *work) row(e *entry) recordRow { return recordRowOf(e.after, e.hash, w.owns(e.after.Source)) }

// duplicate turns a unique violation by somebody who was faster into the same answer as an earlier one.
func duplicate(err error) error {
	if db.IsDuplicate(err) && !errors.Is(err, ErrExists) {
		return fmt.Errorf("%w (written at the same time)", ErrExists)
	}
	return err
}
