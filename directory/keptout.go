package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// keeper is somebody who is kept out. firm: by a veto, or in quarantine themselves; else a source with authority over employment
// disabled, deleted or ended them.
type keeper struct {
	person id.Person
	firm   bool
}

// keptOut answers of these values those by which somebody is known who is kept out, and who that is.
func (r Reader) keptOut(ctx context.Context, asked map[token]bool, sources map[id.Source]Source, at time.Time) (map[token][]keeper, error) {
	values, out := map[Hint][]string{}, map[token][]keeper{}
	for t := range asked {
		if t.hint == HintEmployeeNumber || t.hint == HintUserName {
			values[t.hint] = append(values[t.hint], t.value)
		}
	}
	for _, of := range []struct {
		hint         Hint
		value, where string
	}{{HintEmployeeNumber, "r.employee_number", "records r"}, {HintEmployeeNumber, "l.value", "record_looks l join records r on r.link = l.link and l.hint = 'employee_number'"},
		{HintUserName, "r.user_name_fold", "records r"}, {HintUserName, "l.value", "record_looks l join records r on r.link = l.link and l.hint in ('user_name', 'claims')"},
		{HintEmployeeNumber, keptValue, "kept_values k join records r on r.link = k.link and k.hint = 'employee_number'"},
		{HintUserName, keptValue, "kept_values k join records r on r.link = k.link and k.hint = 'user_name'"}} { // these last: a value is there, or here
		slices.Sort(values[of.hint])
		for part := range slices.Chunk(values[of.hint], chunk) {
			rows, err := r.keepers(ctx, of.value, of.where, part, at)
			if err != nil {
				return nil, err
			}
			for _, row := range rows {
				k := keeper{row.PersonID, row.Slot == SlotVeto || row.Slot == SlotQuarantine}
				if t := (token{of.hint, row.Value}); (k.firm || of.value != keptValue && of.hint == HintEmployeeNumber && !sources[row.SourceID].Advisory()) && !slices.Contains(out[t], k) {
					out[t] = append(out[t], k)
				}
			}
		}
	}
	return out, nil
}

// keeping is a freeze of somebody of whom a value is said.
type keeping struct {
	Value    string
	PersonID id.Person
	Slot     string
	SourceID id.Source
}

func (r Reader) keepers(ctx context.Context, value, from string, values []string, at time.Time) ([]keeping, error) {
	var rows []keeping
	now := at.UnixMicro()
	if err := r.from(ctx).Raw("select distinct "+value+" as value, f.person_id, f.slot, f.source_id from "+from+" join freezes f on f.person_id = r.person_id where "+value+" <> '' and "+value+
		" in ? and f.lifted_at is null and (f.from_at is null or f.from_at <= ?) and (f.until_at is null or f.until_at > ?) and f.cause in ?",
		db.Pad(values), now, now, []FreezeCause{CauseVeto, CauseQuarantine, CauseDisabled, CauseDeleted, CauseEnded}).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("look for those who are kept out: %w", err)
	}
	return rows, nil
}

// toldApart answers which of these people a human being told apart from somebody, by couple.
func (r Reader) toldApart(ctx context.Context, people map[id.Person]bool) (map[couple]bool, error) {
	out := map[couple]bool{}
	for part := range slices.Chunk(sorted(people), chunk) {
		var rows []workItemRow
		if err := r.from(ctx).Raw("select newer, older from work_items where state = ? and newer in ? union select newer, older from work_items where state = ? and older in ?",
			ItemSeparated, part, ItemSeparated, part).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read work items: %w", err)
		}
		for _, row := range rows {
			out[couple{row.Newer, row.Older}] = true
		}
	}
	return out, nil
}

// inQuarantine answers who of these people is in quarantine.
func (r Reader) inQuarantine(ctx context.Context, people []id.Person) (map[id.Person]bool, error) {
	out := map[id.Person]bool{}
	for part := range slices.Chunk(people, chunk) {
		freezes, err := r.standing(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, f := range freezes {
			out[f.Person] = out[f.Person] || f.Slot == SlotQuarantine
		}
	}
	return out, nil
}

// stands tells whether a freeze of this slot is in force at an instant.
func stands(freezes []Freeze, slot string, at time.Time) bool {
	return slices.ContainsFunc(freezes, func(f Freeze) bool { return f.Slot == slot && f.OpenAt(at) })
}

// firm tells whether these freezes keep somebody out who may come back as another.
func firm(freezes []Freeze, at time.Time) bool {
	return stands(freezes, SlotVeto, at) || stands(freezes, SlotQuarantine, at)
}
