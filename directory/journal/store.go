package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm/clause"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// ErrNotFound says that the source has no such request, or has it no more.
var ErrNotFound = errors.New("request is not in the journal")

// Write writes what was noted, in one transaction. What cannot be written is dropped and counted.
func (j *Journal) Write(ctx context.Context) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	b := j.take()
	if len(b.traffic) == 0 {
		return nil
	}
	// What was taken is written although somebody who only looks at it has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTime)
	defer cancel()
	err := j.db.Tx(ctx, func(tx *db.Tx) error {
		for _, source := range slices.Sorted(maps.Keys(b.rings)) {
			r := b.rings[source]
			var rows []requestRow
			for _, e := range slices.Concat(r.failures, r.last) {
				rows = append(rows, rowOf(e))
			}
			if err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(rows, 100).Error; err != nil {
				return fmt.Errorf("write requests: %w", err)
			}
			if err := prune(tx, source); err != nil {
				return err
			}
		}
		if err := writeTraffic(tx, b.traffic); err != nil {
			return err
		}
		return writeIgnored(tx, b.ignored)
	})
	if err != nil {
		j.lost(b.pending)
	}
	return err
}

// prune deletes what is neither among the last requests of a source nor among its last failures.
func prune(tx *db.Tx, source id.Source) error {
	const last = "select at from source_requests where source_id = ? order by at desc limit 1 offset ?"
	const failures = "select at from source_requests where source_id = ? and failed = ? order by at desc limit 1 offset ?"
	if err := tx.Exec("delete from source_requests where source_id = ? and at < ("+last+") and (failed = ? or at < ("+failures+"))",
		source, source, lastRequests-1, false, source, true, lastFailures-1).Error; err != nil {
		return fmt.Errorf("delete requests: %w", err)
	}
	return nil
}

func writeTraffic(tx *db.Tx, traffic map[hour]*count) error {
	for at, c := range traffic {
		if err := tx.Exec(`insert into source_traffic (source_id, hour, requests, failed, limited) values (?, ?, ?, ?, ?)
			on conflict (source_id, hour) do update set requests = source_traffic.requests + excluded.requests,
			failed = source_traffic.failed + excluded.failed, limited = source_traffic.limited + excluded.limited`,
			at.source, at.at, c.requests, c.failed, c.limited).Error; err != nil {
			return fmt.Errorf("count requests: %w", err)
		}
	}
	return nil
}

// writeIgnored counts ignored attributes; a source that invents names fills no table.
func writeIgnored(tx *db.Tx, names map[attribute]*ignored) error {
	known := map[id.Source]int64{}
	for key, i := range names {
		if _, ok := known[key.source]; !ok {
			var n int64
			if err := tx.Raw("select count(*) from source_ignored where source_id = ?", key.source).Scan(&n).Error; err != nil {
				return fmt.Errorf("count ignored attributes: %w", err)
			}
			known[key.source] = n
		}
		updated := tx.Exec("update source_ignored set requests = requests + ?, last_at = ? where source_id = ? and attribute = ?",
			i.requests, i.last.UnixMicro(), key.source, key.name)
		if updated.Error != nil {
			return fmt.Errorf("count ignored attributes: %w", updated.Error)
		}
		if updated.RowsAffected > 0 || known[key.source] >= maxNames {
			continue
		}
		known[key.source]++
		if err := tx.Exec("insert into source_ignored (source_id, attribute, requests, last_at) values (?, ?, ?, ?)",
			key.source, key.name, i.requests, i.last.UnixMicro()).Error; err != nil {
			return fmt.Errorf("count ignored attributes: %w", err)
		}
	}
	return nil
}

// tidy deletes what is too old, and bodies that are no longer to be kept.
func (j *Journal) tidy(ctx context.Context) error {
	now := j.Now()
	statements := []struct {
		look, do string
		args     []any
	}{
		{"select 1 from source_requests where at < ? limit 1", "delete from source_requests where at < ?", []any{now.Add(-j.Keep).UnixMicro()}},
		{"select 1 from source_traffic where hour < ? limit 1", "delete from source_traffic where hour < ?", []any{now.Add(-trafficTime).UnixMicro()}},
	}
	if !j.Bodies {
		statements = append(statements, struct {
			look, do string
			args     []any
		}{"select 1 from source_requests where request_body <> ? or answer_body <> ? limit 1", "update source_requests set request_body = ?, answer_body = ?", []any{"", ""}})
	}
	for _, s := range statements {
		var found int
		if err := j.db.Read(ctx).Raw(s.look, s.args...).Scan(&found).Error; err != nil {
			return fmt.Errorf("look for old requests: %w", err)
		}
		if found == 0 { // the writer is left alone
			continue
		}
		if err := j.db.Tx(ctx, func(tx *db.Tx) error { return tx.Exec(s.do, s.args...).Error }); err != nil {
			return fmt.Errorf("delete old requests: %w", err)
		}
	}
	return nil
}

// Forget deletes everything of a source that is no more.
func (j *Journal) Forget(ctx context.Context, source id.Source) error {
	if err := j.Write(ctx); err != nil {
		return err
	}
	return j.db.Tx(ctx, func(tx *db.Tx) error {
		for _, table := range []string{"source_requests", "source_traffic", "source_ignored"} {
			if err := tx.Exec("delete from "+table+" where source_id = ?", source).Error; err != nil {
				return fmt.Errorf("forget requests: %w", err)
			}
		}
		return nil
	})
}

// Requests answers the requests of a source that are kept, newest first, what was noted a moment ago among them.
func (j *Journal) Requests(ctx context.Context, source id.Source) ([]Entry, error) {
	if err := j.Write(ctx); err != nil {
		return nil, err
	}
	var rows []requestRow
	if err := j.db.Read(ctx).Where("source_id = ? and at >= ?", source, j.oldest()).Order("at desc, id desc").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	out := make([]Entry, len(rows))
	for i, row := range rows {
		out[i] = row.entry()
	}
	return out, nil
}

// Request answers one request of a source; ErrNotFound.
func (j *Journal) Request(ctx context.Context, source id.Source, request id.Request) (Entry, error) {
	var rows []requestRow
	if err := j.db.Read(ctx).Where("id = ? and source_id = ? and at >= ?", request, source, j.oldest()).Find(&rows).Error; err != nil {
		return Entry{}, fmt.Errorf("read request: %w", err)
	}
	if len(rows) == 0 {
		return Entry{}, ErrNotFound
	}
	return rows[0].entry(), nil
}

func (j *Journal) oldest() int64 { return j.Now().Add(-j.Keep).UnixMicro() }

// Ignored is an attribute that a source sends and nobody understands.
type Ignored struct {
	Attribute string
	Requests  int64
	LastAt    time.Time
}

// Traffic is what came of a source within the last 24 hours.
type Traffic struct {
	Requests, Failed int64
	Limited          int64 // refused because the source made too many
	Strangers        int64 // of no source: with a token that nobody knows, or none
	Dropped          int64 // not kept, of any source, since the start
	Ignored          []Ignored
}

// Traffic counts what came of a source.
func (j *Journal) Traffic(ctx context.Context, source id.Source) (Traffic, error) {
	if err := j.Write(ctx); err != nil {
		return Traffic{}, err
	}
	since := j.Now().Add(-24 * time.Hour).Truncate(time.Hour).UnixMicro()
	sum := func(source id.Source) (c count, err error) {
		var row struct{ Requests, Failed, Limited int64 }
		err = j.db.Read(ctx).Raw(`select cast(coalesce(sum(requests), 0) as bigint) as requests, cast(coalesce(sum(failed), 0) as bigint) as failed,
			cast(coalesce(sum(limited), 0) as bigint) as limited from source_traffic where source_id = ? and hour >= ?`, source, since).Scan(&row).Error
		return count{row.Requests, row.Failed, row.Limited}, err
	}
	own, err := sum(source)
	if err != nil {
		return Traffic{}, fmt.Errorf("read traffic: %w", err)
	}
	strangers, err := sum("")
	if err != nil {
		return Traffic{}, fmt.Errorf("read traffic: %w", err)
	}
	t := Traffic{Requests: own.requests, Failed: own.failed, Limited: own.limited, Strangers: strangers.requests}
	var rows []struct {
		Attribute string
		Requests  int64
		LastAt    db.Instant
	}
	if err := j.db.Read(ctx).Raw("select attribute, requests, last_at from source_ignored where source_id = ? order by requests desc, attribute", source).Scan(&rows).Error; err != nil {
		return Traffic{}, fmt.Errorf("read ignored attributes: %w", err)
	}
	for _, row := range rows {
		t.Ignored = append(t.Ignored, Ignored{row.Attribute, row.Requests, row.LastAt.Time})
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	t.Dropped = j.dropped
	return t, nil
}
