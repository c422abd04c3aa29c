package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Terminate ends somebody's access at once, whatever end is planned: the record of (Source, Key) is inactive, which freezes as
// any disabled record does, and a veto stands beside it, so that no source's stale "active" lifts it until Veto (0: 14 days)
// has passed or a human being lifts the veto. The planned end stays. A source that says active meanwhile is noted on
// the veto (Freeze.ContestedAt). At says since when it holds, for the audit log; it may lie in the past, never in the future.
// With Person in place of Source and Key a human being terminates: no record is touched, and Veto 0 is until it is lifted.
type Terminate struct {
	Source id.Source
	Key    string
	Person id.Person
	At     time.Time
	Veto   time.Duration
	Until  time.Time // of the veto, in place of Veto
	Reason string    // personal: for administrators only
}

// vetoTime is how long a veto stands where nobody says otherwise.
const vetoTime = 14 * 24 * time.Hour

func (Terminate) change() {}

func (w *work) terminate(c Terminate) (Outcome, error) {
	if c.At.After(w.now) {
		return "", fmt.Errorf("%w: an immediate termination cannot lie in the future; that is the end of the record", ErrInvalid)
	}
	if c.Veto < 0 {
		return "", fmt.Errorf("%w: a veto cannot last %s", ErrInvalid, c.Veto)
	}
	if !c.Until.IsZero() && !c.Until.After(w.now) {
		return "", fmt.Errorf("%w: until must lie in the future", ErrInvalid)
	}
	if c.Person != "" {
		return w.consoleChange(c)
	}
	if _, err := w.source(c.Source); err != nil {
		return "", err
	}
	e := w.byKey[reference{c.Source, c.Key}]
	if e == nil {
		return "", fmt.Errorf("record %q: %w", c.Key, ErrNotFound)
	}
	w.result[w.index] = e
	outcome := Unchanged
	if rec := e.after; rec.Active && rec.DeletedAt.IsZero() {
		rec.Active = false
		hash, err := contentHash(rec)
		if err != nil {
			return "", err
		}
		absent := rec.AbsentSince
		outcome = w.replace(e, rec, hash)
		e.after.AbsentSince = absent
	}
	if person := e.after.Person; person != "" {
		if slices.ContainsFunc(w.console, func(o consoleOp) bool { return o.person == person }) {
			return "", fmt.Errorf("%w: one freeze of a person at a time", ErrInvalid)
		}
		w.console = append(w.console, consoleOp{index: w.index, person: person, change: c})
		w.touched[person] = true
		w.noteTermination(c, person, map[string]any{"source": c.Source, "link": e.after.Link})
	}
	return outcome, nil
}

func (w *work) noteTermination(c Terminate, person id.Person, more map[string]any) {
	if !c.At.IsZero() {
		more["effective_at"] = moment(c.At)
	}
	var fields []Field
	if c.Reason != "" {
		fields = []Field{{Name: "reason", Now: c.Reason}}
	}
	w.note("person.terminated", string(person), fields, more)
}

// terminatedFor answers the reason of a termination of this call.
func (w *work) terminatedFor(person id.Person) string {
	for _, op := range w.console {
		if c, ok := op.change.(Terminate); ok && op.person == person {
			return c.Reason
		}
	}
	return ""
}

// vetoOf answers the veto that a termination asks for.
func (w *work) vetoOf(c Terminate) Freeze {
	if !c.Until.IsZero() {
		return Freeze{Slot: SlotVeto, Cause: CauseVeto, Source: c.Source, Veto: true, Until: micro(c.Until)}
	}
	lasts := c.Veto
	if lasts == 0 && c.Person != "" {
		return Freeze{Slot: SlotVeto, Cause: CauseVeto, Veto: true}
	}
	if lasts == 0 {
		lasts = vetoTime
	}
	return Freeze{Slot: SlotVeto, Cause: CauseVeto, Source: c.Source, Veto: true, Until: micro(w.now.Add(lasts))}
}

// contest notes on an open veto that a source says active, and takes the note back where none does any more.
func (w *work) contest(s *subject) error {
	at := slices.IndexFunc(s.standing, func(f Freeze) bool { return f.Slot == SlotVeto && f.OpenAt(w.now) })
	if at < 0 {
		return nil
	}
	f := &s.standing[at]
	by := w.contested[s.id]
	for _, e := range w.order {
		if e.after.Person == s.id && e.hash != e.beforeHash && w.asserts(e.after) {
			by = e.after.Source
		}
	}
	action := "veto.contested"
	switch says := slices.ContainsFunc(s.records, w.asserts); {
	case by != "" && says && f.ContestedAt.IsZero():
		f.ContestedAt, f.ContestedBy = w.now, by
	case !says && !f.ContestedAt.IsZero():
		f.ContestedAt, f.ContestedBy, action = time.Time{}, "", "veto.uncontested"
	default:
		return nil
	}
	row := freezeRowOf(*f)
	if err := w.tx.Exec("update freezes set contested_at = ?, contested_by = ? where id = ?", row.ContestedAt, row.ContestedBy, row.ID).Error; err != nil {
		return fmt.Errorf("write freezes: %w", err)
	}
	w.wrote = true
	w.differs(s.id, "freezes")
	w.note(action, string(s.id), nil, map[string]any{"freeze": f.ID, "source": by})
	return nil
}

// asserts tells whether a record says with authority that somebody works here.
func (w *work) asserts(r Record) bool { return r.asserts(w.sources[r.Source]) }

func (r Record) asserts(by Source) bool {
	return r.Active && r.DeletedAt.IsZero() && r.AbsentSince.IsZero() && !by.Advisory()
}

// stillActive finds whom a source that was read as a whole calls active although a veto stands.
func (w *work) stillActive(source id.Source) error {
	var people []id.Person
	if err := w.tx.Raw(`select distinct f.person_id from freezes f join records r on r.person_id = f.person_id
		where f.slot = ? and f.lifted_at is null and (f.until_at is null or f.until_at > ?) and f.contested_at is null and f.created_at < ?
		and r.source_id = ? and r.active and r.deleted_at is null and r.absent_since is null`, SlotVeto, w.now.UnixMicro(), w.now.UnixMicro(), source).Scan(&people).Error; err != nil {
		return fmt.Errorf("read vetoes: %w", err)
	}
	for _, p := range people {
		w.contested[p] = source
		w.touched[p] = true
	}
	return nil
}

// repeats notes that a source says of somebody what it said before.
func (w *work) repeats(r Record) {
	if r.Person != "" && w.asserts(r) {
		w.repeated[r.Person] = r.Source
	}
}

// contradictions finds those of whom a source repeats that they are active although a veto stands that nobody contradicted yet.
func (w *work) contradictions() error {
	for part := range slices.Chunk(slices.Sorted(maps.Keys(w.repeated)), chunk) {
		var people []id.Person
		if err := w.tx.Raw(`select person_id from freezes where person_id in ? and slot = ? and lifted_at is null
			and (until_at is null or until_at > ?) and contested_at is null and created_at < ?`, db.Pad(part), SlotVeto, w.now.UnixMicro(), w.now.UnixMicro()).Scan(&people).Error; err != nil {
			return fmt.Errorf("read vetoes: %w", err)
		}
		for _, p := range people {
			w.contested[p], w.touched[p] = w.repeated[p], true
		}
	}
	return nil
}

// Vetoed answers whom a source knows and a veto keeps out, whatever the source says.
func (r Reader) Vetoed(ctx context.Context, source id.Source) (map[id.Person]bool, error) {
	var people []id.Person
	now := r.now().UnixMicro()
	if err := r.from(ctx).Raw(`select distinct f.person_id from freezes f join records r on r.person_id = f.person_id where f.slot = ? and f.lifted_at is null
		and (f.until_at is null or f.until_at > ?) and r.source_id = ? and r.deleted_at is null`, SlotVeto, now, source).Scan(&people).Error; err != nil {
		return nil, fmt.Errorf("read vetoes: %w", err)
	}
	out := map[id.Person]bool{}
	for _, p := range people {
		out[p] = true
	}
	return out, nil
}
