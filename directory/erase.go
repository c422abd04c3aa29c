package directory

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/seal"
)

// The errors about erasing.
var (
	// ErrKept says that a legal hold keeps what is known of a person.
	ErrKept   = errors.New("a legal hold keeps what is known of this person")
	ErrErased = errors.New("this person was erased: nobody is linked with them again")
	ErrHere   = errors.New("only who has left can be erased")
)

// ErasePerson takes away for ever who somebody was who has left, and whoever was merged into them. The id stays, with a pseudonym. Also erases
// in the same transaction what other packages know, and answers how much by kind. Erasing twice is no change.
type ErasePerson struct {
	Person id.Person
	Before func(tx *db.Tx, e Erased) error // before anything is gone; nil: nothing
	Also   func(tx *db.Tx, e Erased) (counts map[string]int64, err error)
}

func (ErasePerson) change() {}

// Erased is who is being erased: under what ids, and by which words other packages may know them.
type Erased struct {
	Person id.Person
	People []id.Person // Person, and who was merged into them
	Links  []id.Link
	Keys   map[id.Source][]string // what their records are called in each source
	About  []string               // ids of what is about them and nobody else, where another package has such things
	Words  []string               // what tells them apart, now or before: user names, addresses, numbers, and names that nobody else has
	Counts map[string]int64       // what the directory itself erases
}

// IDs answers every id under which something may be kept.
func (e Erased) IDs() []string {
	var out []string
	for _, p := range e.People {
		out = append(out, string(p))
	}
	for _, l := range e.Links {
		out = append(out, string(l))
	}
	return append(out, e.About...)
}

// Pseudonym is what somebody is called who was erased.
func Pseudonym(person id.Person) string {
	sum := sha256.Sum256([]byte(person))
	return "former member " + hex.EncodeToString(sum[:4])
}

// marks makes hashes that nobody can guess without the key.
type marks struct{ key []byte }

func (m marks) of(parts ...string) string {
	mac := hmac.New(sha256.New, m.key)
	mac.Write([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(mac.Sum(nil))
}

// erasedMark is one hash by which somebody would be known again.
type erasedMark struct {
	hash string
	hint Hint
}

// ofRecord answers the marks of what a source calls somebody, and of their number.
func (m marks) ofRecord(r Record) []erasedMark {
	out := []erasedMark{{m.of("record", string(r.Source), r.Key), HintExternalID}}
	if r.ExternalID != "" {
		out = append(out, erasedMark{m.of("external", string(r.Source), r.ExternalID), HintExternalID})
	}
	return append(out, m.ofNumber(r)...)
}

func (m marks) ofNumber(r Record) []erasedMark {
	if number := NumberLooks(r.EmployeeNumber); number != "" {
		return []erasedMark{{m.of("number", number), HintEmployeeNumber}}
	}
	return nil
}

// OpenMarks reads the key of the hashes by which the erased are known again, and makes it where there is none. It is called once, before the
// first Apply; key may be nil, then it stands in the database as it is.
func (s *Store) OpenMarks(ctx context.Context, key *seal.Key) error {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	text := base64.StdEncoding.EncodeToString(fresh)
	if key != nil {
		var err error
		if text, err = seal.Seal(text, key.Recipients()...); err != nil {
			return fmt.Errorf("key of the erased: %w", err)
		}
	}
	var stored string
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Exec("insert into erased_key (id, secret) values (1, ?) on conflict do nothing", text).Error; err != nil {
			return err
		}
		return tx.Raw("select secret from erased_key where id = 1").Scan(&stored).Error
	})
	if err == nil && seal.Sealed(stored) {
		if key == nil {
			return errors.New("the database holds a key that is sealed: set secrets.identity_file to the identity of before (docs/backup.md)")
		}
		if stored, err = key.Open(stored); errors.Is(err, seal.ErrOther) {
			return errors.New("the database holds a key that was sealed for another secrets.identity: set the identity of before (docs/backup.md)")
		}
	}
	var raw []byte
	if err == nil {
		raw, err = base64.StdEncoding.DecodeString(stored)
	}
	if err != nil {
		return fmt.Errorf("key of the erased: %w", err)
	}
	s.marks = &marks{raw}
	return nil
}

// ForgetMarks forgets by what the erased would be known again, where nothing opens the key of the hashes any more: the next node makes a new one.
func ForgetMarks(ctx context.Context, d *db.DB, now time.Time) error {
	return d.Tx(ctx, func(tx *db.Tx) error {
		gone := tx.Exec("delete from erased_marks")
		if err := cmp.Or(gone.Error, tx.Exec("delete from erased_key").Error); err != nil {
			return fmt.Errorf("forget the key of the erased: %w", err)
		}
		return audit.Append(tx, audit.Record{At: now, Actor: "system", Action: "restore.identity_lost", Public: map[string]any{"marks": gone.RowsAffected}})
	})
}

// erase makes an ErasePerson.
func (w *work) erase(c ErasePerson) (Outcome, error) {
	if w.s.marks == nil {
		return "", fmt.Errorf("%w: no key for what is kept of the erased", ErrInvalid)
	}
	var rows []personRow
	if err := w.tx.ForUpdate().Where("id = ? or merged_into = ?", c.Person, c.Person).Order("id").Find(&rows).Error; err != nil {
		return "", fmt.Errorf("read people: %w", err)
	}
	at := slices.IndexFunc(rows, func(r personRow) bool { return r.ID == c.Person })
	switch {
	case at < 0:
		return "", fmt.Errorf("person %s: %w", c.Person, ErrNotFound)
	case rows[at].MergedInto != "":
		return "", fmt.Errorf("%w: person %s was merged into %s", ErrInvalid, c.Person, rows[at].MergedInto)
	case !rows[at].ErasedAt.IsZero():
		return Unchanged, nil
	}
	standing, err := w.r.standing(w.ctx, []id.Person{c.Person})
	if err != nil {
		return "", err
	}
	if status, frozen, _ := statusOf(standing, w.now, w.s.Leave); !left(standing, status, frozen, w) {
		return "", ErrHere
	}
	e := Erased{Person: c.Person, Keys: map[id.Source][]string{}, Counts: map[string]int64{}}
	for _, row := range rows {
		e.People = append(e.People, row.ID)
	}
	records, err := w.r.recordsOf(w.ctx, e.People)
	if err != nil {
		return "", err
	}
	for _, r := range records {
		e.Links, e.Keys[r.Source] = append(e.Links, r.Link), append(e.Keys[r.Source], r.Key)
	}
	if e.Words, err = w.tellingOf(e, rows, records); err != nil {
		return "", err
	}
	if c.Before != nil {
		if err := c.Before(w.tx, e); err != nil {
			return "", err
		}
	}
	if err := w.eraseRecords(&e, records); err != nil {
		return "", err
	}
	if err := w.erasePeople(&e, rows); err != nil {
		return "", err
	}
	counts := e.Counts
	if c.Also != nil {
		if counts, err = c.Also(w.tx, e); err != nil {
			return "", err
		}
	}
	w.note("person.erased", string(c.Person), nil, map[string]any{"erased": counts, "people": e.People})
	w.wrote = true
	return Updated, nil
}

// left tells whether somebody is gone, and not only for a while.
func left(standing []Freeze, status Status, frozen bool, w *work) bool {
	return frozen && status == StatusTerminated && !slices.ContainsFunc(standing, func(f Freeze) bool { return f.UndoneAt(w.now) })
}

// FreezesNaming answers how many reasons of freezes of these people name who is being erased.
func FreezesNaming(tx *db.Tx, e Erased, people []id.Person) (n int64, err error) {
	said, args := tx.Contains("reason", e.Words)
	if err := tx.Raw("select count(*) from freezes where person_id in ? and "+said, append([]any{people}, args...)...).Scan(&n).Error; err != nil {
		return 0, fmt.Errorf("look at reasons: %w", err)
	}
	return n, nil
}

// eraseRecords forgets what sources said, and keeps the marks.
func (w *work) eraseRecords(e *Erased, records []Record) error {
	live := map[id.Source]int{}
	for _, r := range records {
		for _, m := range w.s.marks.ofRecord(r) {
			if err := w.tx.Exec("insert into erased_marks (mark, person_id, hint) values (?, ?, ?) on conflict do nothing", m.hash, e.Person, m.hint).Error; err != nil {
				return fmt.Errorf("write marks: %w", err)
			}
		}
		if r.DeletedAt.IsZero() {
			live[r.Source]++
		}
		done := w.tx.Exec("delete from group_members where source_id = ? and value in ?", r.Source, []string{r.Key, string(r.Link)})
		if done.Error != nil {
			return fmt.Errorf("erase members: %w", done.Error)
		}
		e.Counts["directory_groups"] += done.RowsAffected
	}
	for _, table := range []string{"record_contacts", "record_looks", "kept_values", "records"} {
		if len(e.Links) == 0 {
			break
		}
		done := w.tx.Exec("delete from "+table+" where link in ?", e.Links)
		if done.Error != nil {
			return fmt.Errorf("erase records: %w", done.Error)
		}
		e.Counts["records"] = done.RowsAffected
	}
	for _, source := range sorted(keysOf(live)) {
		if err := w.tx.Exec("update sources set live_records = live_records - ? where id = ?", live[source], source).Error; err != nil {
			return fmt.Errorf("count records: %w", err)
		}
	}
	return nil
}

func keysOf(counts map[id.Source]int) map[id.Source]bool {
	out := map[id.Source]bool{}
	for s := range counts {
		out[s] = true
	}
	return out
}

// erasePeople leaves of the people their ids.
func (w *work) erasePeople(e *Erased, rows []personRow) error {
	for _, step := range []struct{ kind, sql string }{
		{"former_names", "delete from former_names where person_id in ?"},
		{"directory_losses", "delete from fact_losses where person_id in ?"},
		{"directory_losses", "delete from confirmed_losses where person_id in ?"},
		{"reasons", "update freezes set reason = '' where reason <> '' and person_id in ?"},
		{"work_items", "update work_items set state = 'vanished', closed_at = " + fmt.Sprint(w.now.UnixMicro()) + ", closed_by = 'system' where state = 'open' and newer in ?"},
		{"work_items", "update work_items set state = 'vanished', closed_at = " + fmt.Sprint(w.now.UnixMicro()) + ", closed_by = 'system' where state = 'open' and older in ?"},
	} {
		done := w.tx.Exec(step.sql, e.People)
		if done.Error != nil {
			return fmt.Errorf("erase %s: %w", step.kind, done.Error)
		}
		e.Counts[step.kind] += done.RowsAffected
	}
	for _, step := range []struct{ kind, column, sql string }{
		{"reasons", "reason", "update freezes set reason = '' where reason <> '' and "},
		{"token_names", "name", "update source_tokens set name = '' where name <> '' and "},
		{"runs", "error || ' ' || findings", "update source_runs set error = '', findings = '' where "},
	} {
		said, args := w.tx.Contains(step.column, e.Words)
		done := w.tx.Exec(step.sql+said, args...)
		if done.Error != nil {
			return fmt.Errorf("erase %s: %w", step.kind, done.Error)
		}
		e.Counts[step.kind] += done.RowsAffected
	}
	for _, row := range rows {
		name := Pseudonym(row.ID)
		if err := w.tx.Exec(`update persons set display_name = ?, user_name = '', email = '', unit_id = '', manager_id = '', attributes = '{}', search = ?, sort_key = ?,
			rehired_at = null, version = version + 1, updated_at = ?, erased_at = ? where id = ?`, name, fold(name), fold(name), db.At(w.now), db.At(w.now), row.ID).Error; err != nil {
			return fmt.Errorf("erase person: %w", err)
		}
		w.touched[row.ID] = true
		w.differs(row.ID, "display_name")
	}
	e.Counts["people"] = int64(len(rows))
	return nil
}

// returns finds who of this call may be somebody who was erased: they wait in quarantine until a human being has looked.
func (w *work) returns(byID map[id.Person]*subject) error {
	if w.s.marks == nil {
		return nil
	}
	asked := map[string][]*entry{}
	for _, e := range w.order {
		if !e.dirty() || byID[e.after.Person] == nil || !e.after.DeletedAt.IsZero() || w.returned[e.after.Person] {
			continue
		}
		list := w.s.marks.ofRecord(e.after)
		if !w.fresh[e.after.Person] {
			if e.before.Person == e.after.Person && e.before.EmployeeNumber == e.after.EmployeeNumber {
				continue
			}
			list = w.s.marks.ofNumber(e.after)
		}
		for _, m := range list {
			asked[m.hash] = append(asked[m.hash], e)
		}
	}
	hashes := make([]string, 0, len(asked))
	for h := range asked {
		hashes = append(hashes, h)
	}
	slices.Sort(hashes)
	existing := map[id.Person]bool{}
	type known struct {
		Mark     string
		PersonID id.Person
		Hint     Hint
	}
	var rows []known
	for part := range slices.Chunk(hashes, chunk) {
		var some []known
		if err := w.tx.Raw("select mark, person_id, hint from erased_marks where mark in ?", db.Pad(part)).Scan(&some).Error; err != nil {
			return fmt.Errorf("look for the erased: %w", err)
		}
		rows = append(rows, some...)
	}
	for _, row := range rows {
		for _, e := range asked[row.Mark] {
			existing[e.after.Person] = true
		}
	}
	apart, err := w.r.toldApart(w.ctx, existing)
	if err != nil {
		return err
	}
	for _, row := range rows {
		for _, e := range asked[row.Mark] {
			p := e.after.Person
			if apart[coupleOf(p, row.PersonID)] {
				continue
			}
			w.erased = append(w.erased, doubt{e, row.Hint, []id.Person{row.PersonID}})
			w.suspect(byID[p], e.after.Source)
		}
	}
	return nil
}
