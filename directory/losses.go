package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Fields of losses that are no attributes of a person's own.
const (
	LossUnit  = "unit"  // Was is the unit: the person is in another one, or absent
	LossGroup = "group" // Was is the directory group
)

// Loss says that a person had something, by what a source says, and has it no more. Of an attribute Was is a digest that says nothing.
type Loss struct {
	Person  id.Person
	Source  id.Source // who said so
	Field   string
	Was     string
	Cleared bool // nothing came in its place
}

// LossCount counts people who lost something, and how many had it.
type LossCount struct{ Lost, Cleared, Had int }

// lossesKept is how long losses are remembered: longer than anybody counts back.
const lossesKept = 48 * time.Hour

type lossRow struct {
	source  id.Source
	field   string
	was     string
	person  id.Person
	cleared bool
}

// mark stands for a value of one person's attribute: it compares, and tells nothing.
func mark(person id.Person, field string, value any) string {
	sum := sha256.Sum256([]byte(string(person) + "\x00" + field + "\x00" + text(value)))
	return hex.EncodeToString(sum[:8])
}

// lose notes which attributes, and which unit, a person lost by the word of the call's source, and what they have back.
func (p *writing) lose(s *subject, fields []Field) error {
	source := p.w.cause.Source
	if source == "" {
		return nil
	}
	for _, f := range fields {
		was, now := mark(s.id, f.Name, f.Before), mark(s.id, f.Name, f.Now)
		switch f.Name {
		case "display_name", "given_name", "family_name":
			continue
		case "absent":
			if s.now.Absent && s.now.Unit != "" {
				p.losses = append(p.losses, lossRow{source, LossUnit, string(s.now.Unit), s.id, true})
			} else if s.now.Unit != "" {
				p.regained = append(p.regained, lossRow{source, LossUnit, string(s.now.Unit), s.id, false})
			}
			continue
		case LossUnit:
			was, now = string(s.old.UnitID), string(s.now.Unit)
			succeeds, err := p.w.succeeds(s)
			if err != nil {
				return err
			}
			if succeeds { // nothing is lost: the new unit is what the old one was
				p.regained = append(p.regained, lossRow{source, f.Name, now, s.id, false})
				continue
			}
		}
		if text(f.Before) != text("") && f.Before != nil {
			p.losses = append(p.losses, lossRow{source, f.Name, was, s.id, empty(f.Now)})
		}
		if !empty(f.Now) {
			p.regained = append(p.regained, lossRow{source, f.Name, now, s.id, false})
		}
	}
	return nil
}

func empty(v any) bool { return v == nil || text(v) == text("") }

func (p *writing) flushLosses() error {
	if len(p.losses)+len(p.regained) == 0 {
		return nil
	}
	const most = 200 // rows of a statement
	tx := p.w.tx
	for _, l := range p.losses {
		p.w.lost = append(p.w.lost, Loss{l.person, l.source, l.field, l.was, l.cleared})
	}
	for part := range slices.Chunk(p.regained, most) {
		var args, fields []any
		for _, l := range part {
			args, fields = append(args, l.person, l.field, l.was), append(fields, l.person, l.field)
		}
		// what was lost before is no longer empty, though it is not what it was
		if err := tx.Exec("update fact_losses set cleared = false where cleared and (person_id, field) in (values "+strings.TrimSuffix(strings.Repeat("(?, ?), ", len(part)), ", ")+")", fields...).Error; err != nil {
			return fmt.Errorf("note losses: %w", err)
		}
		if err := tx.Exec("delete from fact_losses where (person_id, field, was) in (values "+strings.TrimSuffix(strings.Repeat("(?, ?, ?), ", len(part)), ", ")+")", args...).Error; err != nil {
			return fmt.Errorf("note losses: %w", err)
		}
	}
	for part := range slices.Chunk(p.losses, most) {
		var args []any
		for _, l := range part {
			args = append(args, l.source, l.field, l.was, l.person, l.cleared, db.At(p.w.now))
		}
		if err := tx.Exec("insert into fact_losses (source_id, field, was, person_id, cleared, at) values "+
			strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?, ?), ", len(part)), ", ")+lossAgain, args...).Error; err != nil {
			return fmt.Errorf("note losses: %w", err)
		}
	}
	return nil
}

const lossAgain = " on conflict (source_id, field, was, person_id) do update set cleared = excluded.cleared, at = excluded.at"

// ForgetLosses removes what was lost too long ago for anybody to count.
func (s *Store) ForgetLosses(ctx context.Context) error {
	if err := s.forgetOldNames(ctx); err != nil {
		return fmt.Errorf("forget names: %w", err)
	}
	if err := s.forgetKept(ctx); err != nil {
		return fmt.Errorf("forget kept values: %w", err)
	}
	before := db.At(s.clock().Add(-lossesKept))
	for _, table := range []string{"fact_losses", "confirmed_losses"} {
		var old int
		if err := s.db.Read(ctx).Raw("select count(*) from (select 1 from "+table+" where at < ? limit 1) x", before).Scan(&old).Error; err != nil {
			return fmt.Errorf("read losses: %w", err)
		}
		if old == 0 {
			continue
		}
		if err := s.db.Tx(ctx, func(tx *db.Tx) error { return tx.Exec("delete from "+table+" where at < ?", before).Error }); err != nil {
			return fmt.Errorf("forget losses: %w", err)
		}
	}
	return nil
}

// Confirm notes in tx that somebody found right what these people lost until now: neither a source's silence nor anything else of it counts any
// more, in Losses, LostAttribute, LostUnit, LostGroups, WhoLost and Missed.
func (s *Store) Confirm(tx *db.Tx, people []id.Person) error {
	for part := range slices.Chunk(people, chunk) {
		var args []any
		for _, p := range part {
			args = append(args, p, db.At(s.clock()))
		}
		if err := tx.Exec("insert into confirmed_losses (person_id, at) values "+strings.TrimSuffix(strings.Repeat("(?, ?), ", len(part)), ", ")+
			" on conflict (person_id) do update set at = excluded.at", args...).Error; err != nil {
			return fmt.Errorf("confirm losses: %w", err)
		}
	}
	return nil
}

// unconfirmed chooses those of fact_losses l that count.
const unconfirmed = " and not exists (select 1 from confirmed_losses c where c.person_id = l.person_id and c.at >= l.at)"

// Losses answers what these people lost since, by the word of sources; whom every source misses has lost their places in directory groups.
func (r Reader) Losses(ctx context.Context, since time.Time, people []id.Person) ([]Loss, error) {
	var out []Loss
	for part := range slices.Chunk(people, chunk) {
		var rows []struct {
			PersonID id.Person
			SourceID id.Source
			Field    string
			Was      string
			Cleared  bool
		}
		if err := r.from(ctx).Raw("select person_id, source_id, field, was, cleared from fact_losses l where person_id in ? and at > ?"+unconfirmed+" order by person_id, source_id, field, was",
			db.Pad(part), db.At(since)).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read losses: %w", err)
		}
		for _, row := range rows {
			out = append(out, Loss{row.PersonID, row.SourceID, row.Field, row.Was, row.Cleared})
		}
	}
	missed, err := r.missedOut(ctx, since, people)
	return append(out, missed...), err
}

// LostAttribute counts who lost an attribute since by the word of a source, of all people of that source (Shown). Of units it counts moves, not absences.
func (r Reader) LostAttribute(ctx context.Context, since time.Time, source id.Source, field string) (LossCount, error) {
	var c LossCount
	err := r.from(ctx).Raw(`select count(distinct l.person_id) as lost, count(distinct case when l.cleared then l.person_id end) as cleared
		from fact_losses l join persons p on p.id = l.person_id
		where l.source_id = ? and l.field = ? and l.at > ? and not p.absent`+unconfirmed, source, field, db.At(since)).Scan(&c).Error
	if err != nil {
		return c, fmt.Errorf("count losses: %w", err)
	}
	c.Had, err = r.Shown(ctx, since, source)
	return c, err
}

// Shown counts the people of a source: those it shows now, and those it misses only since then, whom nobody confirmed to be gone.
func (r Reader) Shown(ctx context.Context, since time.Time, source id.Source) (n int, err error) {
	if err = r.from(ctx).Raw(`select live_records - (select count(case when r.source_id = ? and r.deleted_at is null and (r.absent_since <= ?
		or exists (select 1 from confirmed_losses c where c.person_id = r.person_id and c.at >= r.absent_since)) then 1 end)
		from records r where r.absent_since is not null) from sources where id = ?`, source, db.At(since), source).Scan(&n).Error; err != nil {
		err = fmt.Errorf("count people of a source: %w", err)
	}
	return n, err
}

// LostUnit counts who left a unit, or is missed in it, since, and how many had it.
func (r Reader) LostUnit(ctx context.Context, since time.Time, unit string) (LossCount, error) {
	var c LossCount
	if err := r.from(ctx).Raw(`select count(distinct person_id) as lost from fact_losses l where field = ? and was = ? and at > ?`+unconfirmed, LossUnit, unit, db.At(since)).Scan(&c).Error; err != nil {
		return c, fmt.Errorf("count losses: %w", err)
	}
	var still int
	if err := r.from(ctx).Raw("select count(*) from persons where unit_id = ? and not gone and not absent", unit).Scan(&still).Error; err != nil {
		return c, fmt.Errorf("count people: %w", err)
	}
	c.Had = c.Lost + still
	return c, nil
}

// WhoLost answers whom LostAttribute (was is empty), LostUnit or LostGroups counts.
func (r Reader) WhoLost(ctx context.Context, since time.Time, source id.Source, field, was string) (people []id.Person, err error) {
	switch {
	case field == LossGroup:
		var left map[id.DirectoryGroup]leftBehind
		left, err = r.lostGroups(ctx, since, []id.DirectoryGroup{id.DirectoryGroup(was)})
		return sorted(left[id.DirectoryGroup(was)].lost), err
	case was != "":
		err = r.from(ctx).Raw("select distinct person_id from fact_losses l where field = ? and was = ? and at > ?"+unconfirmed, field, was, db.At(since)).Scan(&people).Error
	default:
		err = r.from(ctx).Raw("select distinct l.person_id from fact_losses l join persons p on p.id = l.person_id where l.source_id = ? and l.field = ? and l.at > ? and not p.absent"+
			unconfirmed, source, field, db.At(since)).Scan(&people).Error
	}
	if err != nil {
		err = fmt.Errorf("read losses: %w", err)
	}
	return people, err
}
