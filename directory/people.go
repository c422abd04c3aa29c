package directory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// consoleOp is a freeze that a human being sets, moves or lifts.
type consoleOp struct {
	index  int
	person id.Person
	change Change
}

// consoleChange notes a change of a freeze; it is made when the person is locked.
func (w *work) consoleChange(c Change) (Outcome, error) {
	op := consoleOp{index: w.index, change: c}
	switch c := c.(type) {
	case FreezePerson:
		if c.Cause != "" && c.Cause != CauseSecurity {
			return "", fmt.Errorf("%w: the console freezes with cause %s only", ErrInvalid, CauseSecurity)
		}
		if !c.Until.IsZero() && !c.Until.After(w.now) {
			return "", fmt.Errorf("%w: the freeze would be over already", ErrInvalid)
		}
		op.person = c.Person
	case EndPerson:
		op.person = c.Person
	case Terminate:
		op.person = c.Person
	case LiftFreeze:
		var row freezeRow
		done := w.tx.Raw("select * from freezes where id = ?", c.Freeze).Scan(&row)
		if done.Error != nil {
			return "", fmt.Errorf("read freezes: %w", done.Error)
		}
		if done.RowsAffected == 0 {
			return "", fmt.Errorf("freeze %s: %w", c.Freeze, ErrNotFound)
		}
		if !consoleSlot(row.Slot) {
			return "", ErrSourceFreeze
		}
		if strings.HasPrefix(row.Slot, guestsSlot) && !c.Guests && row.LiftedAt.IsZero() {
			return "", ErrGuestFreeze
		}
		op.person = row.PersonID
		w.applied.Freezes[w.index] = row.freeze()
	}
	var merged []id.Person
	if err := w.tx.Raw("select merged_into from persons where id = ?", op.person).Scan(&merged).Error; err != nil {
		return "", fmt.Errorf("read people: %w", err)
	}
	if len(merged) == 0 {
		return "", fmt.Errorf("person %s: %w", op.person, ErrNotFound)
	}
	if _, lifts := c.(LiftFreeze); merged[0] != "" && !lifts { // what is said of a person is said of who they are now
		op.person = merged[0]
	}
	if slices.ContainsFunc(w.console, func(o consoleOp) bool { return o.person == op.person }) {
		return "", fmt.Errorf("%w: one freeze of a person at a time", ErrInvalid)
	}
	if c, ok := c.(Terminate); ok {
		w.noteTermination(c, op.person, map[string]any{})
	}
	w.console = append(w.console, op)
	w.touched[op.person] = true
	return Unchanged, nil // people says better
}

func consoleSlot(slot string) bool {
	return slot == SlotSecurity || slot == SlotEnded || slot == SlotVeto || slot == SlotQuarantine || strings.HasPrefix(slot, signalSlot) || strings.HasPrefix(slot, guestsSlot)
}

// follow finds whom the changed records and units concern besides their own people: those who named them before they were there.
func (w *work) follow() error {
	arrived := map[id.Source]map[string]bool{}
	for _, e := range w.order {
		if !e.dirty() {
			continue
		}
		w.touch(e.after.Person)
		w.touch(e.before.Person)
		fresh := e.before.Link == "" && e.after.Key == string(e.after.Link) // nobody can have named a key that was made just now
		if e.after.Person == "" && e.before.Person == "" {                  // staged
			continue
		}
		if !fresh && (e.before.Link == "" || e.before.Person != e.after.Person || e.before.DeletedAt.IsZero() != e.after.DeletedAt.IsZero()) {
			if arrived[e.after.Source] == nil {
				arrived[e.after.Source] = map[string]bool{}
			}
			arrived[e.after.Source][e.after.Key] = true
		}
	}
	for source, keys := range arrived {
		if err := w.touchWhere("manager_key", source, keys); err != nil {
			return err
		}
		if err := w.followGroups(source, keys); err != nil {
			return err
		}
	}
	return w.followUnits()
}

// followGroups tells the people of records that came or went and whom a group names.
func (w *work) followGroups(source id.Source, keys map[string]bool) error {
	for part := range slices.Chunk(sorted(keys), chunk) {
		var named []string
		if err := w.tx.Raw("select distinct value from group_members where source_id = ? and value in ?", source, db.Pad(part)).Scan(&named).Error; err != nil {
			return fmt.Errorf("read members: %w", err)
		}
		for _, key := range named {
			e := w.byKey[reference{source, key}]
			w.differs(e.after.Person, "groups")
			if e.before.Link != "" {
				w.differs(e.before.Person, "groups")
			}
		}
	}
	return nil
}

// subject is one person on the way from what was to what will be.
type subject struct {
	id       id.Person
	old      personRow
	fresh    bool
	records  []Record
	standing []Freeze
	released []Freeze // the quarantine that a decision ends
	now      Person
	unit     reference
	manager  reference
}

// people merges every touched person again, in order of id, and writes what differs: people, records, freezes.
func (w *work) people() error {
	if len(w.touched) == 0 && !slices.ContainsFunc(w.order, (*entry).dirty) {
		return nil
	}
	if err := w.twins(); err != nil {
		return err
	}
	subjects, err := w.subjects()
	if err != nil {
		return err
	}
	for _, s := range subjects {
		if err := w.stale(s); err != nil {
			return err
		}
	}
	w.inherit(subjects)
	if err := w.quarantine(subjects); err != nil {
		return err
	}
	for _, s := range subjects {
		s.now, s.unit, s.manager = merge(s.records, w.sources, w.now)
		if err := w.contest(s); err != nil {
			return err
		}
		f, free, err := w.released(s)
		if err != nil {
			return err
		}
		if free {
			s.released = []Freeze{f}
		}
	}
	if err := w.resolve(subjects); err != nil {
		return err
	}
	plan := writing{w: w, live: map[id.Source]int{}}
	plan.keepOut(subjects)
	for _, s := range subjects {
		if err := plan.person(s); err != nil {
			return err
		}
	}
	for _, e := range w.order {
		plan.record(e)
	}
	return plan.flush()
}

// config sums up how often the sources, as this call knows them, were configured.
func (w *work) config() (n int64) {
	for _, s := range w.sources {
		n += s.version
	}
	return n
}

// subjects locks and reads the touched people, their records and standing freezes. What this call changes replaces what is stored.
func (w *work) subjects() ([]*subject, error) {
	ids := sorted(w.touched)
	byID := map[id.Person]*subject{}
	var list []*subject
	var stored []id.Person
	for _, p := range ids {
		s := &subject{id: p, fresh: w.fresh[p]}
		byID[p], list = s, append(list, s)
		if !s.fresh {
			stored = append(stored, p)
		}
	}
	for part := range slices.Chunk(stored, chunk) {
		var rows []struct {
			Person personRow `gorm:"embedded"`
			Config int64
		}
		if err := w.tx.ForUpdate().Table("persons").Select("persons.*, (select coalesce(sum(config_version), 0) from sources) as config").
			Where("id in ?", part).Order("id").Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("read people: %w", err)
		}
		var old []id.Person
		for _, row := range rows {
			if row.Config != w.config() {
				return nil, errStale // a source was configured since this call read it: who is merged by the old word must not come after
			}
			byID[row.Person.ID].old = row.Person
			old = append(old, row.Person.ID)
		}
		if len(old) == 0 {
			continue
		}
		records, err := w.r.recordsOf(w.ctx, old)
		if err != nil {
			return nil, err
		}
		for _, rec := range records {
			if w.entries[rec.Link] == nil {
				byID[rec.Person].records = append(byID[rec.Person].records, rec)
			}
		}
		standing, err := w.r.standing(w.ctx, old)
		if err != nil {
			return nil, err
		}
		for _, f := range standing {
			byID[f.Person].standing = append(byID[f.Person].standing, f)
		}
	}
	for _, e := range w.order {
		if s := byID[e.after.Person]; s != nil {
			s.records = append(s.records, e.after)
		}
	}
	return slices.DeleteFunc(list, func(s *subject) bool { return !s.fresh && s.old.ID == "" }), nil
}

// resolve turns the keys of managers and units into ids, where their owners are known.
func (w *work) resolve(subjects []*subject) error {
	managers, units := map[reference]bool{}, map[reference]bool{}
	for _, s := range subjects {
		if s.manager.key != "" {
			managers[s.manager] = true
		}
		if s.unit.key != "" {
			units[s.unit] = true
		}
	}
	people, err := w.managers(managers)
	if err != nil {
		return err
	}
	ids, err := w.unitIDs(units)
	if err != nil {
		return err
	}
	for _, s := range subjects {
		s.now.ID, s.now.Manager, s.now.Unit = s.id, people[s.manager], ids[s.unit]
	}
	return nil
}

func (w *work) managers(refs map[reference]bool) (map[reference]id.Person, error) {
	found := map[reference]id.Person{}
	missing := map[id.Source]map[string]bool{}
	for ref := range refs {
		if e := w.byKey[ref]; e != nil {
			if e.after.DeletedAt.IsZero() {
				found[ref] = e.after.Person
			}
			continue
		}
		if missing[ref.source] == nil {
			missing[ref.source] = map[string]bool{}
		}
		missing[ref.source][ref.key] = true
	}
	for source, keys := range missing {
		for part := range slices.Chunk(sorted(keys), chunk) {
			var rows []lightRow
			if err := w.tx.Raw("select record_key, person_id from records where source_id = ? and record_key in ? and deleted_at is null", source, part).Scan(&rows).Error; err != nil {
				return nil, fmt.Errorf("resolve managers: %w", err)
			}
			for _, row := range rows {
				found[reference{source, row.RecordKey}] = row.PersonID
			}
		}
	}
	return found, nil
}

// freezePlan compares the freezes that stand with those the records ask for and those the console sets.
func (w *work) freezePlan(s *subject) (opened, changed, lifted []Freeze) {
	var want []Freeze
	erased := !s.old.ErasedAt.IsZero() // then nothing says any more by what they left: what stood stands, and is no access that was given back
	if !erased {
		want = freezesOf(s.records, w.sources, w.s.Leave)
	}
	for _, f := range s.standing {
		if consoleSlot(f.Slot) || erased {
			continue
		}
		i := slices.IndexFunc(want, func(o Freeze) bool { return o.Slot == f.Slot })
		if i < 0 {
			f.LiftedAt = w.now
			lifted = append(lifted, f)
			continue
		}
		if f.OpenAt(w.now) && !want[i].OpenAt(w.now) { // it ends now and begins later: another row
			f.LiftedAt = w.now
			lifted = append(lifted, f)
			continue
		}
		if !want[i].From.Equal(f.From) || !want[i].Until.Equal(f.Until) {
			f.From, f.Until = want[i].From, want[i].Until
			changed = append(changed, f)
		}
		want = slices.Delete(want, i, i+1)
	}
	opened, lifted = want, append(lifted, s.released...)
	if source, suspect := w.suspects[s.id]; suspect {
		opened = append(opened, quarantineBy(source))
	}
	for i, op := range w.console {
		if op.person != s.id {
			continue
		}
		o, c, l := w.consoleFreeze(s, w.console[i])
		opened, changed, lifted = append(opened, o...), append(changed, c...), append(lifted, l...)
	}
	for i := range opened {
		f := &opened[i]
		f.ID, f.Person, f.CreatedAt, f.Request = id.New[id.Freeze](), s.id, w.now, w.cause.Request
		if at, undone := w.undone[s.id]; consoleSlot(f.Slot) && f.Slot != SlotQuarantine || undone && f.Slot == w.applied.Freezes[at].Slot {
			f.Actor, f.Reason = w.cause.actor(), cmp.Or(w.cause.Reason, w.terminatedFor(f.Person))
		}
	}
	return opened, changed, lifted
}

// consoleFreeze works out one change of the console against the person's standing freezes.
func (w *work) consoleFreeze(s *subject, op consoleOp) (opened, changed, lifted []Freeze) {
	slot, want := SlotSecurity, Freeze{Slot: SlotSecurity, Cause: CauseSecurity}
	gone := false
	switch c := op.change.(type) {
	case FreezePerson:
		slot = c.slot()
		want.Slot, want.Veto, want.Until = slot, c.Veto, micro(c.Until)
	case EndPerson:
		slot, want, gone = SlotEnded, Freeze{Slot: SlotEnded, Cause: CauseEnded, From: micro(c.At)}, c.At.IsZero()
	case Terminate:
		slot, want = SlotVeto, w.vetoOf(c)
	case LiftFreeze:
		for _, f := range s.standing {
			if f.ID == c.Freeze {
				f.LiftedAt = w.now
				return nil, nil, []Freeze{f}
			}
		}
		return nil, nil, nil
	}
	at := slices.IndexFunc(s.standing, func(f Freeze) bool { return f.Slot == slot })
	switch {
	case at < 0 && gone:
		return nil, nil, nil
	case at < 0:
		return []Freeze{want}, nil, nil
	case gone:
		f := s.standing[at]
		f.LiftedAt = w.now
		return nil, nil, []Freeze{f}
	}
	f := s.standing[at]
	if slot != SlotEnded && (f.Until.IsZero() || f.Until.After(w.now)) { // one that runs is only ever made stronger
		want.Veto = want.Veto || f.Veto
		if f.Until.IsZero() || !want.Until.IsZero() && want.Until.Before(f.Until) {
			want.Until = f.Until
		}
	}
	if want.From.Equal(f.From) && want.Until.Equal(f.Until) && want.Veto == f.Veto {
		w.applied.Freezes[op.index] = f
		return nil, nil, nil
	}
	f.From, f.Until, f.Veto, f.Actor, f.Reason = want.From, want.Until, want.Veto, w.cause.actor(), cmp.Or(w.cause.Reason, w.terminatedFor(s.id), f.Reason)
	return nil, []Freeze{f}, nil
}
