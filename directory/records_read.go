package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Records answers all records of a person, tombstones too, leading first.
func (r Reader) Records(ctx context.Context, person id.Person) ([]Record, error) {
	var rows []recordRow
	if err := r.from(ctx).Where("person_id = ?", person).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	sources, err := r.sourceMap(ctx)
	if err != nil {
		return nil, err
	}
	records := make([]Record, len(rows))
	for i, row := range rows {
		records[i] = row.record()
	}
	if err := r.veilRecords(ctx, records); err != nil {
		return nil, err
	}
	return leading(records, sources, r.now()), nil
}

// recordsOf answers the records of these people without their raw forms.
func (r Reader) recordsOf(ctx context.Context, people []id.Person) ([]Record, error) {
	var rows []recordRow
	if err := r.from(ctx).Select(recordColumns).Where("person_id in ?", db.Pad(people)).Order("link").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	out := make([]Record, len(rows))
	for i, row := range rows {
		out[i] = row.record()
	}
	return out, r.veilRecords(ctx, out)
}

// Record answers a live record of a source; ErrNotFound for others and other sources'.
func (r Reader) Record(ctx context.Context, source id.Source, link id.Link) (Record, error) {
	return r.oneRecord(ctx, "link = ? and source_id = ? and deleted_at is null", string(link), source)
}

// RecordByKey answers a record by its key in the source, a tombstone too.
func (r Reader) RecordByKey(ctx context.Context, source id.Source, key string) (Record, error) {
	return r.oneRecord(ctx, "record_key = ? and source_id = ?", key, source)
}

func (r Reader) oneRecord(ctx context.Context, where, value string, source id.Source) (Record, error) {
	var rows []recordRow
	if storable("key", value) == nil {
		if err := r.from(ctx).Where(where, value, source).Find(&rows).Error; err != nil {
			return Record{}, fmt.Errorf("read record: %w", err)
		}
	}
	if len(rows) == 0 {
		return Record{}, fmt.Errorf("record %q: %w", value, ErrNotFound)
	}
	return rows[0].record(), nil
}

// RecordKeys answers the keys of all records of a source, tombstones too, in order of key.
func (r Reader) RecordKeys(ctx context.Context, source id.Source) ([]RecordKey, error) {
	var out []RecordKey
	err := r.EachRecordKey(ctx, source, func(k RecordKey) { out = append(out, k) })
	return out, err
}

// EachRecordKey is RecordKeys, one after the other and none of them kept. fn must not use the store.
func (r Reader) EachRecordKey(ctx context.Context, source id.Source, fn func(RecordKey)) error {
	rows, err := r.from(ctx).Raw("select record_key, link, coalesce(person_id, ''), absent_since, deleted_at, coalesce(start_at > deleted_at, false) from records where source_id = ? order by record_key", source).Rows()
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k RecordKey
		var absent, deleted db.Instant
		if err := rows.Scan(&k.Key, (*string)(&k.Link), (*string)(&k.Person), &absent, &deleted, &k.Withdrawn); err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		k.AbsentSince, k.DeletedAt = absent.Time, deleted.Time
		fn(k)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	return nil
}

// FindRecords answers one page of live records of a source.
func (r Reader) FindRecords(ctx context.Context, q RecordQuery) (RecordPage, error) {
	query, err := r.recordQuery(q)
	if err != nil {
		return RecordPage{}, err
	}
	var page RecordPage
	if q.Offset > farOffset && q.all() && q.After == "" {
		if err := r.from(ctx).Raw(query.count, query.countArgs...).Scan(&page.Total).Error; err != nil {
			return RecordPage{}, fmt.Errorf("count records: %w", err)
		}
		if q.Offset > page.Total/2 {
			query.backwards(q)
		}
	}
	var rows []recordRow
	if q.Limit > 0 {
		if err := r.from(ctx).Raw(query.page, query.pageArgs...).Scan(&rows).Error; err != nil {
			return RecordPage{}, fmt.Errorf("find records: %w", err)
		}
		page.Records = make([]Record, len(rows))
		for i, row := range rows {
			page.Records[i] = row.record()
		}
	}
	if q.NoTotal || page.Total > 0 {
		return page, nil
	}
	if first := q.Offset <= 0 && q.After == ""; first && len(rows) < q.Limit { // that was all
		page.Total = len(rows)
		return page, nil
	}
	if err := r.from(ctx).Raw(query.count, query.countArgs...).Scan(&page.Total).Error; err != nil {
		return RecordPage{}, fmt.Errorf("count records: %w", err)
	}
	return page, nil
}

// Named tells whether a live record of a source names one of these keys as its manager, or a group this value as a member: whether
// anybody waits for who answers to them, which is rare.
func (r Reader) Named(ctx context.Context, source id.Source, managers []string, member string) (bool, error) {
	for _, word := range append(slices.Clone(managers), member) {
		if storable("reference", word) != nil {
			return false, nil
		}
	}
	if len(managers) == 0 {
		managers = []string{""}
	}
	var n int
	if err := r.from(ctx).Raw(`select case when exists (select 1 from records where source_id = ? and manager_key <> '' and manager_key in ? and deleted_at is null)
		or exists (select 1 from group_members where source_id = ? and value = ?) then 1 else 0 end`, source, db.Pad(managers), source, member).Scan(&n).Error; err != nil {
		return false, fmt.Errorf("read references: %w", err)
	}
	return n == 1, nil
}

// farOffset is from where on it pays to look whether a page is nearer to the end.
const farOffset = 1000

// all tells whether every record of the source is asked for, in order of link.
func (q RecordQuery) all() bool {
	_, always := q.Where.(Always)
	return q.Sort == "" && (q.Where == nil || always)
}

// backwards makes the page be counted from the end of the list, which is where it is: skipping 99,900 entries of an index takes
// longer than reading a page. How many there are is asked in the same statement, so that what comes or goes shifts nothing.
func (out *recordQuery) backwards(q RecordQuery) {
	const total = "(select live_records from sources where id = ?)"
	direction := " desc"
	if q.Descending {
		direction = ""
	}
	inner := "select records.link from records where records.source_id = ? and records.deleted_at is null order by records.link" + direction +
		" limit (case when " + total + " < ? then 0 when " + total + " < ? then " + total + " - ? else ? end)" +
		" offset (case when " + total + " < ? then 0 else " + total + " - ? end)"
	out.page = out.columns + inner + out.order
	s, from, to := q.Source, q.Offset, q.Offset+q.Limit
	out.pageArgs = []any{s, s, from, s, to, s, from, q.Limit, s, to, s, to}
}

// since tells whether a condition asks for what changed after an instant: clients that come again ask so, and few match.
func since(w Where) bool {
	switch w := w.(type) {
	case Compare:
		return w.Column == ColModified && (w.Op == Gt || w.Op == Ge || w.Op == Eq)
	case And:
		return slices.ContainsFunc(w, since)
	}
	return false
}

// recordQuery is a RecordQuery as SQL.
type recordQuery struct {
	count, page         string
	countArgs, pageArgs []any
	columns, order      string // of page, around what walks the index
}

func (r Reader) recordQuery(q RecordQuery) (recordQuery, error) {
	c := compiler{table: recordTable(r.engine), source: q.Source}
	where, err := c.where(q.Where)
	if err != nil {
		return recordQuery{}, err
	}
	order, err := c.table.order(q.Sort, q.Descending)
	if err != nil {
		return recordQuery{}, err
	}
	if r.engine == db.SQLite && q.Sort == "" && q.After == "" && since(q.Where) {
		order = "+" + order // else it takes the index that fits the order, and reads the whole source
	}
	if q.Pushed {
		where = "records.pushed and " + where
	}
	where = "records.source_id = ? and records.deleted_at is null and " + where
	args := append([]any{q.Source}, c.args...)
	out := recordQuery{count: "select count(*) from records where " + where, countArgs: args}
	if _, always := q.Where.(Always); always || q.Where == nil {
		out.count, out.countArgs = "select live_records from sources where id = ?", args[:1]
	}
	if q.After != "" {
		where, args = where+" and records.link > ?", append(slices.Clone(args), q.After)
	}
	columns := "records.*"
	if q.NoRaw {
		columns = recordColumns
	}
	// The inner query walks an index; only the page's own rows are read in full.
	inner := "select records.link from records where " + where + " order by " + order + " limit ? offset ?"
	out.columns, out.order = "select "+columns+" from records where link in (", ") order by "+order
	out.page = out.columns + inner + out.order
	out.pageArgs = append(slices.Clone(args), q.Limit, max(q.Offset, 0))
	return out, nil
}

// Affiliations answers a person's employments, the leading one first.
func (r Reader) Affiliations(ctx context.Context, person id.Person) ([]Affiliation, error) {
	records, err := r.recordsOf(ctx, []id.Person{person})
	if err != nil {
		return nil, err
	}
	sources, err := r.sourceMap(ctx)
	if err != nil {
		return nil, err
	}
	paths, err := r.unitPaths(ctx, records)
	if err != nil {
		return nil, err
	}
	return affiliationsOf(person, records, sources, paths.ids, r.now()), nil
}

// leading sorts all records: those that speak first, then tombstones.
func leading(records []Record, sources map[id.Source]Source, now time.Time) []Record {
	out := ranked(records, sources, now)
	for _, rec := range records {
		if !slices.ContainsFunc(out, func(o Record) bool { return o.Link == rec.Link }) {
			out = append(out, rec)
		}
	}
	return out
}
