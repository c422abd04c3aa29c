package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Rekey gives records, units and groups of a source other keys, old to new, with everything that refers to them: who they are stays, and so does
// all they have. ErrNotFound where an old key names nothing, ErrExists where a new one is taken. No other change of the source comes in the same call.
type Rekey struct {
	Source                 id.Source
	Records, Units, Groups map[string]string
}

func (Rekey) change() {}

// rekeyChunk is how many keys one statement changes.
const rekeyChunk = 150

func (w *work) rekey(c Rekey) (Outcome, error) {
	if _, err := w.source(c.Source); err != nil {
		return "", err
	}
	if len(c.Records)+len(c.Units)+len(c.Groups) == 0 {
		return Unchanged, nil
	}
	for _, of := range []struct {
		keys          map[string]string
		table, column string
	}{{c.Records, "records", "record_key"}, {c.Units, "units", "unit_key"}, {c.Groups, "directory_groups", "group_key"}} {
		if err := w.rekeyable(c.Source, of.table, of.column, of.keys); err != nil {
			return "", err
		}
	}
	links, err := w.linksOf(c.Source, c.Records)
	if err != nil {
		return "", err
	}
	members := maps.Clone(c.Records)
	if members == nil {
		members = map[string]string{}
	}
	maps.Copy(members, c.Groups)
	for part := range slices.Chunk(slices.Sorted(maps.Values(members)), chunk) { // somebody was waited for by the new key
		if err := w.tx.Exec("delete from group_members where source_id = ? and value in ?", c.Source, part).Error; err != nil {
			return "", fmt.Errorf("write keys: %w", err)
		}
	}
	for _, of := range []struct {
		keys          map[string]string
		table, column string
	}{{c.Records, "records", "record_key"}, {c.Records, "records", "manager_key"}, {c.Units, "records", "unit_key"}, {c.Units, "units", "unit_key"},
		{c.Units, "units", "parent_key"}, {c.Groups, "directory_groups", "group_key"}, {members, "group_members", "value"},
		{c.Units, "unit_successions", "old_key"}, {c.Units, "unit_successions", "new_key"}} {
		if err := w.rename(c.Source, of.table, of.column, of.keys); err != nil {
			return "", err
		}
	}
	for _, l := range links {
		w.note("record.rekeyed", string(l.Link), nil, map[string]any{"person": l.PersonID, "before": l.RecordKey, "now": c.Records[l.RecordKey]})
	}
	w.note("source.rekeyed", string(c.Source), nil, map[string]any{"records": len(c.Records), "units": len(c.Units), "groups": len(c.Groups)})
	w.wrote = true
	return Updated, nil
}

// rekeyable makes sure that the old keys are there and the new ones are free.
func (w *work) rekeyable(source id.Source, table, column string, keys map[string]string) error {
	taken := map[string]bool{}
	for _, now := range keys {
		if now == "" || taken[now] {
			return fmt.Errorf("%w: a key is given twice, or is empty", ErrInvalid)
		}
		taken[now] = true
	}
	count := func(list []string) (n int, err error) {
		for part := range slices.Chunk(list, chunk) {
			var found int
			if err := w.tx.Raw("select count(*) from "+table+" where source_id = ? and "+column+" in ?", source, part).Scan(&found).Error; err != nil {
				return 0, fmt.Errorf("read keys: %w", err)
			}
			n += found
		}
		return n, nil
	}
	if n, err := count(sorted(taken)); err != nil || n > 0 {
		if err == nil {
			err = fmt.Errorf("%w: %d of the new keys of %s are taken", ErrExists, n, table)
		}
		return err
	}
	n, err := count(slices.Sorted(maps.Keys(keys)))
	if err == nil && n != len(keys) {
		err = fmt.Errorf("%w: %d of the keys of %s", ErrNotFound, len(keys)-n, table)
	}
	return err
}

func (w *work) linksOf(source id.Source, keys map[string]string) (out []lightRow, err error) {
	for part := range slices.Chunk(slices.Sorted(maps.Keys(keys)), chunk) {
		var rows []lightRow
		if err := w.tx.ForUpdate().Table("records").Select("link, record_key, person_id").Where("source_id = ? and record_key in ?", source, part).Order("link").Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("lock records: %w", err)
		}
		out = append(out, rows...)
	}
	return out, nil
}

func (w *work) rename(source id.Source, table, column string, keys map[string]string) error {
	for part := range slices.Chunk(slices.Sorted(maps.Keys(keys)), rekeyChunk) {
		args := make([]any, 0, 2*len(part)+1)
		for _, old := range part {
			args = append(args, old, keys[old])
		}
		args = append(args, source)
		pairs := strings.TrimSuffix(strings.Repeat("select cast(? as text) as was, cast(? as text) as now union all ", len(part)), " union all ")
		if err := w.tx.Exec("update "+table+" set "+column+" = k.now from ("+pairs+") k where "+table+".source_id = ? and "+table+"."+column+" = k.was", args...).Error; err != nil {
			return fmt.Errorf("write keys: %w", err)
		}
	}
	return nil
}

// Namesake is what a record is called.
type Namesake struct {
	Key                                   string
	Person                                id.Person
	UserName, EmployeeNumber, DisplayName string
}

// Namesakes answers what those of these records that live are called, absent ones too.
func (r Reader) Namesakes(ctx context.Context, source id.Source, keys []string) ([]Namesake, error) {
	var out []Namesake
	for part := range slices.Chunk(keys, chunk) {
		var rows []struct {
			RecordKey, UserName, EmployeeNumber, DisplayName string
			PersonID                                         *id.Person
		}
		if err := r.from(ctx).Raw(`select record_key, person_id, user_name, employee_number, display_name from records
			where source_id = ? and record_key in ? and deleted_at is null order by record_key`, source, part).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read records: %w", err)
		}
		for _, row := range rows {
			out = append(out, Namesake{row.RecordKey, valueOf(row.PersonID), row.UserName, row.EmployeeNumber, row.DisplayName})
		}
	}
	return out, nil
}
