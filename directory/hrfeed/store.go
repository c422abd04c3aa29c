package hrfeed

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Taken is a file that was handed in, without what it said of anybody.
type Taken struct {
	Run      id.Run    `json:"run"`
	Name     string    `json:"file,omitempty"`
	SHA256   string    `json:"sha256"`
	Kind     Kind      `json:"kind,omitempty"`
	Origin   string    `json:"origin" doc:"folder, post or hook"`
	At       time.Time `json:"at"`
	Seconds  float64   `json:"seconds"`
	Applied  bool      `json:"applied" doc:"false: the whole file was refused"`
	Error    string    `json:"error,omitempty"`
	Counts   Counts    `json:"counts"`
	Findings []Finding `json:"findings" nullable:"false" doc:"lines and reasons, without values"`
}

// filesKept is how many files of a source are remembered with their findings.
const filesKept = 1000

// Files answers the files of a source that were handed in last, newest first.
func (f *Feeds) Files(ctx context.Context, source id.Source, limit int) ([]Taken, error) {
	var rows []fileRow
	if err := f.DB.Read(ctx).Where("source_id = ?", source).Order("at desc, id desc").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read personnel files: %w", err)
	}
	out := make([]Taken, len(rows))
	for i, row := range rows {
		out[i] = row.taken()
	}
	return out, nil
}

// taken answers when the same file was taken before, zero where it was not. A delta with a name is taken once, for ever: what it says
// may have been overtaken since. A full file, and a message without a name, may be said again after others.
func (j *job) taken() (time.Time, error) {
	var row struct{ At db.Instant }
	query := "select at from hr_files where source_id = ? and sha256 = ? and applied order by at desc limit 1"
	if j.rep.Kind == Full || j.rep.File == "" {
		query = "select at from (select at, sha256 from hr_files where source_id = ? and applied order by at desc, id desc limit 1) last where last.sha256 = ?"
	}
	if err := j.DB.Read(j.ctx).Raw(query, j.source.ID, j.rep.SHA256).Scan(&row).Error; err != nil {
		return time.Time{}, fmt.Errorf("read personnel files: %w", err)
	}
	return row.At.Time, nil
}

// note writes what became of a file, and the message that carried it.
func (j *job) note(tx *db.Tx, failed error, findings []byte) error {
	r := j.rep
	row := fileRow{ID: id.Run(r.Run), SourceID: j.source.ID, Sha256: r.SHA256, Name: clean(r.File), Kind: r.Kind, Origin: j.order.File.Origin, At: db.At(r.At),
		Micros: int64(r.Seconds * 1e6), Applied: failed == nil, Counts: db.JSON[Counts]{V: r.Counts}}
	if failed != nil {
		row.Error = codeOf(failed)
	}
	if err := json.Unmarshal(findings, &row.Findings.V); err != nil {
		return err
	}
	if err := tx.Create(&row).Error; err != nil {
		return fmt.Errorf("remember personnel file: %w", err)
	}
	// The findings of old files go; that they were taken stays.
	if err := tx.Exec("update hr_files set findings = '[]' where source_id = ? and findings <> '[]' and at < (select at from hr_files where source_id = ? order by at desc limit 1 offset ?)",
		j.source.ID, j.source.ID, filesKept).Error; err != nil {
		return fmt.Errorf("forget findings: %w", err)
	}
	if j.order.message == "" || failed != nil { // what was refused as a whole may be said again, mended
		return nil
	}
	if err := tx.Exec("delete from hr_messages where at < ?", r.At.Add(-messageKept).UnixMicro()).Error; err != nil {
		return fmt.Errorf("forget messages: %w", err)
	}
	if err := tx.Exec("insert into hr_messages (source_id, message_id, run_id, at) values (?, ?, ?, ?)", j.source.ID, j.order.message, r.Run, r.At.UnixMicro()).Error; err != nil {
		if db.IsDuplicate(err) {
			return ErrReplayed
		}
		return fmt.Errorf("remember message: %w", err)
	}
	return nil
}

// messageKept is how long ids of messages are remembered: longer than their timestamps count.
const messageKept = 24 * time.Hour

// replayed looks whether a message of this id was taken before. The same one again is answered with what came of it, and nothing is
// done; another one under its id is ErrReplayed.
func (j *job) replayed() (bool, error) {
	var rows []fileRow
	query := `select f.* from hr_messages m left join hr_files f on f.id = m.run_id where m.source_id = ? and m.message_id = ?`
	if err := j.DB.Read(j.ctx).Raw(query, j.source.ID, j.order.message).Scan(&rows).Error; err != nil {
		return false, fmt.Errorf("read messages: %w", err)
	}
	if len(rows) == 0 {
		return false, nil
	}
	before := rows[0]
	if before.Sha256 != j.rep.SHA256 {
		return true, ErrReplayed
	}
	j.rep.Run, j.rep.Kind, j.rep.Counts, j.rep.Again = string(before.ID), before.Kind, before.Counts.V, before.At.Time
	return true, nil
}

// saved answers the mapping that an administrator saved, and when; zero where none did.
func (f *Feeds) saved(ctx context.Context, source id.Source) (Mapping, time.Time, error) {
	var row struct {
		Mapping   db.JSON[Mapping]
		UpdatedAt db.Instant
	}
	if err := f.DB.Read(ctx).Raw("select mapping, updated_at from hr_mappings where source_id = ?", source).Scan(&row).Error; err != nil {
		return Mapping{}, time.Time{}, fmt.Errorf("read mapping: %w", err)
	}
	return row.Mapping.V, row.UpdatedAt.Time, nil
}

// save keeps a mapping; it is ErrMapping where it cannot be used.
func (f *Feeds) save(ctx context.Context, source id.Source, m Mapping, actor string, request id.Request) error {
	if err := m.Check(); err != nil {
		return err
	}
	now := f.now()
	return f.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Exec(`insert into hr_mappings (source_id, mapping, actor, updated_at) values (?, ?, ?, ?)
			on conflict (source_id) do update set mapping = excluded.mapping, actor = excluded.actor, updated_at = excluded.updated_at`,
			source, db.JSON[Mapping]{V: m}, actor, now.UnixMicro()).Error; err != nil {
			return fmt.Errorf("write mapping: %w", err)
		}
		return audit.Append(tx, audit.Record{At: now, Actor: actor, Action: "source.mapping", Subject: string(source), RequestID: string(request), Public: map[string]any{"mapping": m}})
	})
}

// Forget deletes what is kept of a source that is removed.
func (f *Feeds) Forget(ctx context.Context, source id.Source) error {
	return f.DB.Tx(ctx, func(tx *db.Tx) error {
		for _, table := range []string{"hr_files", "hr_mappings", "hr_messages"} {
			if err := tx.Exec("delete from "+table+" where source_id = ?", source).Error; err != nil {
				return fmt.Errorf("forget source: %w", err)
			}
		}
		return nil
	})
}

// clean makes a text that every engine stores.
func clean(s string) string {
	return cutText(strings.ReplaceAll(strings.ToValidUTF8(s, "�"), "\x00", "�"))
}
