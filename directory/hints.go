package directory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

const (
	hintMost   = 8  // a value that more people have tells nobody apart: a shared mailbox
	emailsMost = 20 // of a record that are looked for
	askedMost  = 20 // people one record is compared with
	fewAsked   = 32 // up to how many values a call is a small one
)

// couple is two people, the one who was made later first.
type couple struct{ newer, older id.Person }

func coupleOf(a, b id.Person) couple {
	if a < b {
		a, b = b, a
	}
	return couple{a, b}
}

// finding is what speaks for a couple being one person, and the record that brought it up.
type finding struct {
	kind  WorkItemKind
	hints map[Hint]bool
	entry *entry
}

// token is one value by which somebody may be known.
type token struct {
	hint  Hint
	value string
}

// tokens answers the values by which a record may be known elsewhere.
func tokens(r Record) map[token]bool {
	out := map[token]bool{}
	if r.Link == "" {
		return out
	}
	for _, e := range r.Emails[:min(len(r.Emails), emailsMost)] {
		out[token{HintEmail, fold(e.Value)}] = true
	}
	out[token{HintUserName, fold(r.UserName)}] = true
	out[token{HintUserName, fold(r.Claims)}], out[token{HintUserName, alikeName(r.Claims)}] = true, true
	out[token{HintEmployeeNumber, r.EmployeeNumber}] = true
	out[token{HintUserName, alikeName(r.UserName)}], out[token{HintEmployeeNumber, NumberLooks(r.EmployeeNumber)}] = true, true
	maps.DeleteFunc(out, func(t token, _ bool) bool { return t.value == "" })
	return out
}

// gained answers the values that an entry has and did not have before, for this person.
func (e *entry) gained() map[token]bool {
	if !e.after.DeletedAt.IsZero() || e.after.Person == "" { // of a source in its dry run: nothing follows yet
		return nil
	}
	now := tokens(e.after)
	if e.before.Person == e.after.Person && e.before.DeletedAt.IsZero() {
		for t := range tokens(e.before) {
			delete(now, t)
		}
	}
	return now
}

// lost tells whether an entry has no longer, for this person, what it had before.
func (e *entry) lost() bool {
	if e.before.Person == "" {
		return false
	}
	if e.before.Link == "" || !e.before.DeletedAt.IsZero() {
		return e.before.Person != e.after.Person
	}
	now := tokens(e.after)
	return !e.after.DeletedAt.IsZero() || e.before.Person != e.after.Person || e.before.ExternalID != e.after.ExternalID ||
		slices.ContainsFunc(slices.Collect(maps.Keys(tokens(e.before))), func(t token) bool { return !now[t] })
}

// hints opens a work item for each two people who may be one since this call, and closes those for which nothing speaks any more.
// It writes nothing about the people themselves: no merge is silent.
func (w *work) hints() error {
	asked, losers := map[token][]*entry{}, map[id.Person]bool{}
	for _, e := range w.order {
		if !e.dirty() {
			continue
		}
		for t := range e.gained() {
			asked[t] = append(asked[t], e)
		}
		if e.lost() {
			losers[e.before.Person], losers[e.after.Person] = true, true
		}
	}
	found := map[couple]*finding{}
	for _, d := range w.doubts {
		for _, p := range d.people[:min(len(d.people), hintMost)] {
			if me := d.entry.after.Person; me != "" && p != me {
				note(found, coupleOf(d.entry.after.Person, p), d.hint, AmbiguousMatch, d.entry)
			}
		}
	}
	for _, d := range w.erased {
		note(found, coupleOf(d.entry.after.Person, d.people[0]), d.hint, ErasedReturn, d.entry)
	}
	if len(asked) > 0 {
		if err := w.lockHints(asked); err != nil {
			return err
		}
		if err := w.search(asked, found); err != nil {
			return err
		}
	}
	if err := w.decide(); err != nil {
		return err
	}
	if len(found) > 0 {
		if err := w.open(found); err != nil {
			return err
		}
	}
	return w.vanish(losers)
}

// lockHints lets two calls that bring the same value come one after the other, so that the later one sees the earlier. Small calls lock
// their values, large ones everything. It comes after all rows and before the feed.
func (w *work) lockHints(asked map[token][]*entry) error {
	const all = 7
	if w.tx.Engine() != db.Postgres {
		return nil
	}
	sql, args := fmt.Sprintf("select pg_advisory_xact_lock(hashtextextended('hints', %d))", all), []any(nil)
	if len(asked) <= fewAsked {
		sql = fmt.Sprintf("select pg_advisory_xact_lock_shared(hashtextextended('hints', %d)), count(pg_advisory_xact_lock(h)) from (select distinct hashtextextended(v, 8) as h from (values %s) x (v) order by 1) y",
			all, strings.TrimSuffix(strings.Repeat("(?),", len(asked)), ","))
		for t := range asked {
			args = append(args, string(t.hint)+" "+t.value)
		}
	}
	if err := w.tx.Exec(sql, args...).Error; err != nil {
		return fmt.Errorf("lock hints: %w", err)
	}
	return nil
}

// namesake is somebody of whom a value is said.
type namesake struct {
	Hint     Hint
	Value    string
	PersonID id.Person
	SourceID id.Source
	Live     bool
	Here     bool // and works here, as that source says it
}

// here tells whether a record says that somebody works here.
func (r Record) here(at time.Time) bool {
	return r.Active && r.DeletedAt.IsZero() && r.AbsentSince.IsZero() && (r.EndAt.IsZero() || r.EndAt.After(at))
}

// search finds the other people of whom the same is said, living or left.
func (w *work) search(asked map[token][]*entry, found map[couple]*finding) error {
	byHint := map[Hint][]string{}
	for t := range asked {
		byHint[t.hint] = append(byHint[t.hint], t.value)
	}
	known := map[token][]namesake{}
	few := seldom{true, true, true}
	if len(asked) > fewAsked { // for one person alone it costs as much as it saves
		var err error
		if few, err = w.seldomFilled(); err != nil {
			return err
		}
	}
	for hint, values := range byHint {
		slices.Sort(values)
		byHint[hint] = values
	}
	for from := 0; len(byHint) > 0; from += chunk {
		part := map[Hint][]string{}
		for hint, values := range byHint {
			if from >= len(values) {
				delete(byHint, hint)
				continue
			}
			part[hint] = values[from:min(from+chunk, len(values))]
		}
		if err := w.namesakes(part, few, known); err != nil {
			return err
		}
	}
	compared := map[*entry]map[id.Person]bool{}
	for t, entries := range asked {
		people := map[id.Person]bool{}
		for _, n := range known[t] {
			people[n.PersonID] = true
		}
		if len(people) > hintMost+1 {
			continue
		}
		for _, e := range entries {
			if compared[e] == nil {
				compared[e] = map[id.Person]bool{}
			}
			for _, n := range known[t] {
				me := e.after.Person
				if n.PersonID == me || !n.Live && n.PersonID > me || len(compared[e]) >= askedMost && !compared[e][n.PersonID] {
					continue // who came later and has left already asks nothing
				}
				compared[e][n.PersonID] = true
				kind := PossibleRehire
				if n.Here && e.after.here(w.now) {
					kind = PossibleDuplicate
				}
				if t.hint == HintUserName && n.Live && (n.SourceID != e.after.Source || e.after.Claims != "") {
					kind = SameUserName
				}
				note(found, coupleOf(me, n.PersonID), t.hint, kind, e)
			}
		}
	}
	return nil
}

// seriousness orders the kinds of one couple: two who are here outweigh one who left.
func seriousness(kind WorkItemKind) int {
	return slices.Index([]WorkItemKind{SameUserName, PossibleRehire, PossibleDuplicate, AmbiguousMatch, ErasedReturn}, kind)
}

// note adds one finding; the most serious one names it.
func note(found map[couple]*finding, c couple, hint Hint, kind WorkItemKind, e *entry) {
	f := found[c]
	if f == nil {
		f = &finding{kind: kind, hints: map[Hint]bool{}, entry: e}
		found[c] = f
	}
	f.hints[hint] = true
	if seriousness(kind) > seriousness(f.kind) {
		f.kind = kind
	}
}

// seldom says which of what few companies have is there at all: logins and numbers that look otherwise than they are written, and values that were kept.
type seldom struct{ Logins, Numbers, Kept bool }

func (w *work) seldomFilled() (few seldom, err error) {
	err = w.tx.Raw(`select exists (select 1 from record_looks where hint in ('user_name', 'claims')) as logins,
		exists (select 1 from record_looks where hint = 'employee_number') as numbers, exists (select 1 from kept_values) as kept`).Scan(&few).Error
	if err != nil {
		return seldom{}, fmt.Errorf("look for namesakes: %w", err)
	}
	return few, nil
}

// namesakes reads who is known by these values. Where a value is said of very many people its part is read again in halves, so that what is
// read stays bounded however often a value is used.
func (w *work) namesakes(asked map[Hint][]string, few seldom, into map[token][]namesake) error {
	const each = 3 * (hintMost + 2) // rows of one value: a person may have several records
	kept := func(hint Hint) string {
		return "k.value, r.person_id, r.source_id, r.deleted_at is null as live, r.deleted_at is null and r.active and r.absent_since is null and (r.end_at is null or r.end_at > ?) as here from kept_values k join records r on r.link = k.link join freezes f on f.person_id = r.person_id where f.slot in ('veto', 'quarantine') and f.lifted_at is null and (f.until_at is null or f.until_at > ?) and k.hint = '" + string(hint) + "' and k.value"
	}
	var parts []string
	var args []any
	for _, of := range []struct { // always in one order: few texts of a statement
		hint, as string
		some     bool
		from     string
	}{
		{string(HintEmail), "email", true, "c.value_fold as value, r.person_id, '' as source_id, r.deleted_at is null as live, r.deleted_at is null and r.active and r.absent_since is null and (r.end_at is null or r.end_at > ?) as here from record_contacts c join records r on r.link = c.link where r.person_id is not null and c.kind = 'email' and c.value_fold"},
		{string(HintUserName), "login", true, "user_name_fold as value, person_id, source_id, deleted_at is null as live, deleted_at is null and active and absent_since is null and (end_at is null or end_at > ?) as here from records where person_id is not null and user_name_fold"},
		{string(HintUserName), "alike_login", few.Logins, "l.value, r.person_id, r.source_id, r.deleted_at is null as live, r.deleted_at is null and r.active and r.absent_since is null and (r.end_at is null or r.end_at > ?) as here from record_looks l join records r on r.link = l.link where r.person_id is not null and l.hint in ('user_name', 'claims') and l.value"},
		{string(HintEmployeeNumber), "number", true, "employee_number as value, person_id, '' as source_id, deleted_at is null as live, deleted_at is null and active and absent_since is null and (end_at is null or end_at > ?) as here from records where person_id is not null and employee_number <> '' and employee_number"},
		{string(HintEmployeeNumber), "alike_number", few.Numbers, "l.value, r.person_id, '' as source_id, r.deleted_at is null as live, r.deleted_at is null and r.active and r.absent_since is null and (r.end_at is null or r.end_at > ?) as here from record_looks l join records r on r.link = l.link where r.person_id is not null and l.hint = 'employee_number' and l.value"},
		{string(HintUserName), "kept_login", few.Kept, kept(HintUserName)},
		{string(HintEmployeeNumber), "kept_number", few.Kept, kept(HintEmployeeNumber)},
	} {
		if values := asked[Hint(of.hint)]; of.some && len(values) > 0 {
			parts = append(parts, fmt.Sprintf("select * from (select distinct '%s' as hint, %s in ? limit %d) as %s", of.hint, of.from, each*len(values), of.as))
			for range strings.Count(of.from, "?") {
				args = append(args, w.now.UnixMicro())
			}
			args = append(args, db.Pad(values))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	var rows []namesake
	if err := w.tx.Raw(strings.Join(parts, " union all "), args...).Scan(&rows).Error; err != nil {
		return fmt.Errorf("look for namesakes: %w", err)
	}
	full := map[Hint]int{}
	for _, row := range rows {
		full[row.Hint]++
	}
	again := map[Hint][]string{}
	for hint, n := range full {
		if n >= each*len(asked[hint]) && len(asked[hint]) > 1 {
			again[hint] = asked[hint]
		}
	}
	for _, row := range rows {
		if again[row.Hint] == nil {
			into[token{row.Hint, row.Value}] = append(into[token{row.Hint, row.Value}], row)
		}
	}
	for hint, values := range again {
		for _, half := range [][]string{values[:len(values)/2], values[len(values)/2:]} {
			if err := w.namesakes(map[Hint][]string{hint: half}, few, into); err != nil {
				return err
			}
		}
	}
	return nil
}
