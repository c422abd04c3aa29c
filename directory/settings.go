package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Setting is something people set of a source, in the words of who reads the source. Every version is kept.
type Setting struct {
	Source    id.Source
	Name      string
	Version   int // from 1; 0: nothing was set
	Value     json.RawMessage
	CreatedAt time.Time
	Actor     string
}

// PutSetting sets Name of a source to Value, which holds no secret and names no person, as the version after Base. ErrVersion where
// another one came between. Summary goes to the audit log beside it.
type PutSetting struct {
	Source  id.Source
	Name    string
	Base    int
	Value   json.RawMessage
	Summary map[string]any
}

func (PutSetting) change() {}

func (w *work) putSetting(c PutSetting) (Outcome, error) {
	if _, err := w.source(c.Source); err != nil {
		return "", err
	}
	if c.Name == "" || !json.Valid(c.Value) {
		return "", fmt.Errorf("%w: a setting needs its name and a value in JSON", ErrInvalid)
	}
	if err := storable("value", string(c.Value)); err != nil {
		return "", err
	}
	now, err := w.r.Setting(w.ctx, c.Source, c.Name)
	if err != nil {
		return "", err
	}
	if now.Version != c.Base {
		return "", fmt.Errorf("setting %s: %w", c.Name, ErrVersion)
	}
	row := settingRow{SourceID: c.Source, Name: c.Name, Version: c.Base + 1, Value: string(c.Value), CreatedAt: db.At(w.now), Actor: w.cause.actor()}
	if err := w.tx.Create(&row).Error; err != nil {
		if db.IsDuplicate(err) {
			err = ErrVersion
		}
		return "", fmt.Errorf("write setting: %w", err)
	}
	w.wrote = true
	w.note("source.setting", string(c.Source), nil, map[string]any{"name": c.Name, "version": row.Version, "value": c.Value, "summary": c.Summary})
	return Updated, nil
}

// Setting answers what holds; Version 0 where nothing was set.
func (r Reader) Setting(ctx context.Context, source id.Source, name string) (Setting, error) {
	all, err := r.Settings(ctx, source, name, 1)
	if err != nil || len(all) == 0 {
		return Setting{Source: source, Name: name}, err
	}
	return all[0], nil
}

// Settings answers the newest versions, newest first.
func (r Reader) Settings(ctx context.Context, source id.Source, name string, limit int) ([]Setting, error) {
	var rows []settingRow
	if err := r.from(ctx).Where("source_id = ? and name = ?", source, name).Order("version desc").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	out := make([]Setting, len(rows))
	for i, row := range rows {
		out[i] = Setting{Source: row.SourceID, Name: row.Name, Version: row.Version, Value: json.RawMessage(row.Value), CreatedAt: row.CreatedAt.Time, Actor: row.Actor}
	}
	return out, nil
}
