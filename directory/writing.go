package directory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

func micro(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

// writing collects the rows of one call, so that a bulk call writes few statements.
type writing struct {
	w              *work
	newPeople      []personRow
	people         []personRow
	due            []dueRow // of those who do not change otherwise
	newRecords     []recordRow
	records        []recordChange
	renamed        []id.Link // whose unique names change
	dropContacts   []id.Link
	contacts       []contactRow
	dropLooks      []id.Link
	looks          []lookRow
	newFreezes     []freezeRow
	freezes        []freezeRow
	lostMembership []*entry
	losses         []lossRow
	regained       []lossRow
	former         []formerRow
	kept           map[id.Person]bool // under a veto or in quarantine
	keptRows       []keptRow
	live           map[id.Source]int // records that came to life, less those that died
}

// person compares one person with what is stored, and their freezes.
func (p *writing) person(s *subject) error {
	w := p.w
	gone := len(living(employed(s.records, w.sources))) == 0
	if len(s.records) == 0 { // all records were given away: who this was stays readable
		s.now = s.old.person()
		s.now.Absent = false
	}
	s.now.MergedInto, s.now.RehiredAt = w.mergedInto(s), w.rehiredAt(s)
	due := w.due(s)
	fields := DiffPerson(s.old.person(), s.now)
	switch {
	case s.fresh:
		s.now.Version, s.now.CreatedAt, s.now.UpdatedAt = 1, w.now, w.now
		p.newPeople = append(p.newPeople, personRowOf(s.now, gone, due))
		w.differs(s.id, fieldNames(fields)...).Created = true
		w.note("person.created", string(s.id), fields, nil)
	case len(fields) > 0 || gone != s.old.Gone || s.now.MergedInto != s.old.MergedInto || !s.now.RehiredAt.Equal(s.old.RehiredAt.Time):
		s.now.Version, s.now.CreatedAt, s.now.UpdatedAt = s.old.Version+1, s.old.CreatedAt.Time, w.now
		p.people = append(p.people, personRowOf(s.now, gone, due))
		if err := p.lose(s, fields); err != nil {
			return err
		}
		p.rename(s, fields)
		w.differs(s.id, fieldNames(fields)...)
		action := "person.changed"
		if gone != s.old.Gone {
			w.differs(s.id, "status")
		}
		if gone && !s.old.Gone {
			action = "person.deleted"
		}
		w.note(action, string(s.id), fields, nil)
	case !due.Equal(s.old.DueAt.Time):
		p.due = append(p.due, dueRow{s.id, db.At(due)})
	}
	p.personFreezes(s)
	return nil
}

func (p *writing) personFreezes(s *subject) {
	w := p.w
	opened, changed, lifted := w.freezePlan(s)
	for _, f := range opened {
		p.newFreezes = append(p.newFreezes, freezeRowOf(f))
		action := "person.frozen"
		if f.UndoneAt(w.now) {
			action = "person.restored"
		}
		if !loosens(s, f, w.now) { // what would let somebody in is left to the reconciliation, which does it last
			w.freezes = append(w.freezes, FreezeChange{Freeze: f, Op: FreezeOpened})
		}
		w.note(action, string(s.id), nil, freezeNote(f))
		w.answer(f)
	}
	for _, f := range changed {
		before := s.standing[slices.IndexFunc(s.standing, func(o Freeze) bool { return o.ID == f.ID })]
		p.freezes = append(p.freezes, freezeRowOf(f))
		w.freezes = append(w.freezes, FreezeChange{Freeze: f, Op: FreezeChanged, Before: before})
		w.note("person.frozen", string(s.id), nil, freezeNote(f))
		w.answer(f)
	}
	for _, f := range lifted {
		p.freezes = append(p.freezes, freezeRowOf(f))
		w.note("person.unfrozen", string(s.id), nil, freezeNote(f))
		w.answer(f)
	}
	if len(opened)+len(changed)+len(lifted) > 0 {
		w.differs(s.id, "freezes")
		return
	}
	for _, op := range w.console {
		if op.person == s.id { // nothing to do: then what stands must be in force before the answer
			w.wait(s.id, true)
		}
	}
}

// answer puts a freeze of the console, or one that was undone, into the answer of its change.
func (w *work) answer(f Freeze) {
	if i, undone := w.undone[f.Person]; undone && f.Slot == w.applied.Freezes[i].Slot && f.LiftedAt.IsZero() {
		w.applied.Freezes[i] = f
	}
	for _, op := range w.console {
		slot := SlotSecurity
		switch c := op.change.(type) {
		case FreezePerson:
			slot = c.slot()
		case EndPerson:
			slot = SlotEnded
		case Terminate:
			slot = SlotVeto
		case LiftFreeze:
			if c.Freeze != f.ID {
				continue
			}
			slot = f.Slot
		}
		if op.person == f.Person && slot == f.Slot {
			w.applied.Freezes[op.index], w.applied.Outcomes[op.index] = f, Updated
		}
	}
}

func freezeNote(f Freeze) map[string]any {
	note := map[string]any{"freeze": f.ID, "slot": f.Slot, "cause": f.Cause}
	if f.Veto {
		note["veto"] = true
	}
	if v := moment(f.From); v != nil {
		note["from"] = v
	}
	if v := moment(f.Until); v != nil {
		note["until"] = v
	}
	return note
}

// record compares one record with what is stored.
func (p *writing) record(e *entry) {
	if !e.dirty() {
		return
	}
	w := p.w
	row := w.row(e)
	live := e.after.DeletedAt.IsZero()
	note := map[string]any{"source": e.after.Source, "person": e.after.Person, "version": e.after.Version}
	if w.staged(e.after.Source, e.after.Person) {
		delete(note, "person")
		note["staged"] = true
	}
	if e.before.Link == "" {
		p.newRecords = append(p.newRecords, row)
		p.contacts, p.looks = append(p.contacts, contactRowsOf(e.after)...), append(p.looks, lookRowsOf(e.after)...)
		if live { // else it was deleted by the same call
			p.live[e.after.Source]++
		}
		w.note("record.created", string(e.after.Link), Diff(Record{}, e.after), note)
		return
	}
	p.keep(e)
	p.records = append(p.records, recordChange{recordRowOf(e.before, e.beforeHash, w.owns(e.before.Source)), row})
	if nameKey(e.before) != nameKey(e.after) || w.externalKey(e.before) != w.externalKey(e.after) {
		p.renamed = append(p.renamed, e.after.Link)
	}
	before, now := contactRowsOf(e.before), contactRowsOf(e.after) // those of a tombstone stay: somebody may come back by them
	if !slices.Equal(before, now) {
		if len(before) > 0 {
			p.dropContacts = append(p.dropContacts, e.after.Link)
		}
		p.contacts = append(p.contacts, now...)
	}
	if before, now := lookRowsOf(e.before), lookRowsOf(e.after); !slices.Equal(before, now) {
		p.dropLooks, p.looks = append(p.dropLooks, e.after.Link), append(p.looks, now...)
	}
	fields := Diff(e.before, e.after)
	if live != e.before.DeletedAt.IsZero() || e.before.Person != e.after.Person || slices.ContainsFunc(fields, func(f Field) bool { return employs(f.Name) }) {
		w.differs(e.before.Person, "affiliations")
		w.differs(e.after.Person, "affiliations")
	}
	if len(fields) > 0 {
		w.note("record.changed", string(e.after.Link), fields, note)
	}
	if e.before.Person != e.after.Person {
		w.note("record.linked", string(e.after.Link), nil, map[string]any{"source": e.after.Source, "person": e.after.Person, "before": e.before.Person})
	}
	switch was := e.before.DeletedAt.IsZero(); {
	case was && !live:
		p.live[e.after.Source]--
		w.note("record.deleted", string(e.after.Link), nil, note)
		if e.after.Key == string(e.after.Link) { // such a key never comes back
			p.lostMembership = append(p.lostMembership, e)
		}
	case !was && live:
		p.live[e.after.Source]++
		w.note("record.restored", string(e.after.Link), nil, note)
	}
	switch was, is := e.before.AbsentSince.IsZero(), e.after.AbsentSince.IsZero(); {
	case was && !is:
		w.note("record.absent", string(e.after.Link), nil, note)
	case !was && is && live:
		w.note("record.present", string(e.after.Link), nil, note)
	}
}

// employs tells whether a field of a record says something about an employment, which another record may hide from the merged person.
func employs(field string) bool {
	switch field {
	case "active", "employee_number", "employee_type", "department", "unit", "start_at", "end_at", "leave_from", "leave_until", "planned":
		return true
	}
	return false
}

// flush writes what was collected. People come before the records that name them; both were locked before in their order.
func (p *writing) flush() error {
	tx := p.w.tx
	if len(p.newPeople)+len(p.people)+len(p.due)+len(p.newRecords)+len(p.records)+len(p.newFreezes)+len(p.freezes) > 0 {
		p.w.wrote = true
	}
	if err := insert(tx, "persons", personColumns, p.newPeople); err != nil {
		return fmt.Errorf("write people: %w", err)
	}
	for _, row := range p.people {
		if err := tx.Exec(`update persons set display_name = ?, user_name = ?, email = ?, unit_id = ?, manager_id = ?, attributes = ?, search = ?,
			sort_key = ?, gone = ?, absent = ?, merged_into = ?, rehired_at = ?, due_at = ?, version = ?, updated_at = ? where id = ?`, row.DisplayName, row.UserName, row.Email, row.UnitID,
			row.ManagerID, row.Attributes, row.Search, row.SortKey, row.Gone, row.Absent, row.MergedInto, row.RehiredAt, row.DueAt, row.Version, row.UpdatedAt, row.ID).Error; err != nil {
			return fmt.Errorf("write people: %w", err)
		}
	}
	for _, row := range p.due {
		if err := tx.Exec("update persons set due_at = ? where id = ?", row.at, row.person).Error; err != nil {
			return fmt.Errorf("write people: %w", err)
		}
	}
	if err := p.flushRecords(); err != nil {
		return fmt.Errorf("write records: %w", duplicate(err))
	}
	p.w.live = p.live
	if err := p.flushLosses(); err != nil {
		return err
	}
	if err := p.flushFormer(); err != nil {
		return err
	}
	if err := p.flushKept(); err != nil {
		return err
	}
	for _, e := range p.lostMembership {
		if err := p.w.dropMember(e.after.Source, e.after.Key); err != nil {
			return err
		}
	}
	for _, row := range p.freezes {
		if err := tx.Exec("update freezes set from_at = ?, until_at = ?, veto = ?, lifted_at = ?, actor = ?, reason = ? where id = ?", row.FromAt, row.UntilAt, row.Veto,
			row.LiftedAt, row.Actor, row.Reason, row.ID).Error; err != nil {
			return fmt.Errorf("write freezes: %w", err)
		}
	}
	if len(p.newFreezes) > 0 {
		if err := tx.CreateInBatches(p.newFreezes, 200).Error; err != nil {
			return fmt.Errorf("write freezes: %w", err)
		}
	}
	return nil
}

func (p *writing) flushRecords() error {
	tx := p.w.tx
	if len(p.renamed) > 1 || len(p.renamed) == 1 && len(p.newRecords) > 0 { // two may trade names: first all let go
		for part := range slices.Chunk(p.renamed, chunk) {
			if err := tx.Exec("update records set user_name_key = null, external_key = null where link in ?", part).Error; err != nil {
				return err
			}
		}
	}
	for _, change := range p.records {
		columns, args := change.values(slices.Contains(p.renamed, change.after.Link))
		if len(columns) == 0 {
			continue
		}
		if err := tx.Exec("update records set "+strings.Join(columns, " = ?, ")+" = ? where link = ?", append(args, change.after.Link)...).Error; err != nil {
			return err
		}
	}
	if err := insert(tx, "records", recordColumns+", raw", p.newRecords); err != nil {
		return err
	}
	for part := range slices.Chunk(p.dropContacts, chunk) {
		if err := tx.Exec("delete from record_contacts where link in ?", part).Error; err != nil {
			return err
		}
	}
	for part := range slices.Chunk(p.dropLooks, chunk) {
		if err := tx.Exec("delete from record_looks where link in ?", part).Error; err != nil {
			return err
		}
	}
	if err := insert(tx, "record_looks", "link, hint, value", p.looks); err != nil {
		return err
	}
	return insert(tx, "record_contacts", contactColumns, p.contacts)
}

// insert writes rows of a table that every new person fills.
func insert[R interface{ values() []any }](tx *db.Tx, table, columns string, rows []R) error {
	if len(rows) == 0 {
		return nil
	}
	values := make([][]any, len(rows))
	for i, r := range rows {
		values[i] = r.values()
	}
	return tx.Insert(table, strings.Split(columns, ", "), values)
}
