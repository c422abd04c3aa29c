// Package replay owns the answers that are kept for requests with an Idempotency-Key, over all nodes.
// It guarantees that of two requests of one caller with one key one runs, and that an answer is kept for a day. It
// is no transaction with the request's effect: after a crash between the two the key is free again in a
// minute. It never keeps answers of routes that are marked unrepeatable, which hold secrets.
package replay

import (
	"context"
	"embed"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the table of answers up to date.
func Migrate(ctx context.Context, d *db.DB) error {
	return d.Migrate(ctx, "replay", migrations)
}

const (
	kept    = 24 * time.Hour
	running = time.Minute // a first request that is silent for so long is taken for dead
)

// Store keeps answers. It implements httpapi.Replays.
type Store struct {
	DB  *db.DB
	Now func() time.Time // nil: time.Now
}

type row struct {
	Fingerprint string
	BeganAt     db.Instant
	Status      int
	Header      db.JSON[map[string]string]
	Body        string
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// Begin implements httpapi.Replays.
func (s *Store) Begin(ctx context.Context, a httpapi.Attempt) (*httpapi.Answer, error) {
	var answer *httpapi.Answer
	err := s.DB.Tx(ctx, func(tx *db.Tx) error {
		answer = nil
		now := s.now()
		if err := tx.Exec("delete from replay_answers where began_at < ?", db.At(now.Add(-kept))).Error; err != nil {
			return err
		}
		done := tx.Exec(`insert into replay_answers (actor, key, fingerprint, began_at, status, header, body) values (?, ?, ?, ?, 0, '{}', '')
			on conflict (actor, key) do nothing`, a.Actor, a.Key, a.Fingerprint, db.At(now))
		if done.Error != nil || done.RowsAffected == 1 {
			return done.Error
		}
		var r row
		if err := tx.Raw("select fingerprint, began_at, status, header, body from replay_answers where actor = ? and key = ?", a.Actor, a.Key).Scan(&r).Error; err != nil {
			return err
		}
		switch {
		case r.Fingerprint != a.Fingerprint:
			return httpapi.ErrReplayOther
		case r.Status == 0:
			return s.takeOver(tx, a, now)
		}
		body, err := base64.StdEncoding.DecodeString(r.Body)
		answer = &httpapi.Answer{Status: r.Status, Header: r.Header.V, Body: body}
		return err
	})
	return answer, err
}

// takeOver claims the key of a first request that never came to an end.
func (s *Store) takeOver(tx *db.Tx, a httpapi.Attempt, now time.Time) error {
	done := tx.Exec("update replay_answers set began_at = ? where actor = ? and key = ? and status = 0 and began_at < ?",
		db.At(now), a.Actor, a.Key, db.At(now.Add(-running)))
	if done.Error == nil && done.RowsAffected == 0 {
		return httpapi.ErrReplayRunning
	}
	return done.Error
}

// Finish implements httpapi.Replays.
func (s *Store) Finish(ctx context.Context, a httpapi.Attempt, answer *httpapi.Answer) error {
	err := s.DB.Tx(ctx, func(tx *db.Tx) error {
		if answer == nil {
			return tx.Exec("delete from replay_answers where actor = ? and key = ? and status = 0", a.Actor, a.Key).Error
		}
		return tx.Exec("update replay_answers set status = ?, header = ?, body = ? where actor = ? and key = ? and status = 0",
			answer.Status, db.JSON[map[string]string]{V: answer.Header}, base64.StdEncoding.EncodeToString(answer.Body), a.Actor, a.Key).Error
	})
	if err != nil {
		return fmt.Errorf("keep an answer: %w", err)
	}
	return nil
}
