package breakglass

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
)

// chunk is how many rows are written, or people told, at a time.
const chunk = 500

func grant(tx *db.Tx, r approvals.Request) error {
	if err := tx.Create(&passRow{Ask: r.ID, Person: r.Requester, Channel: id.Channel(r.Object), Until: db.At(r.Until)}).Error; err != nil {
		return fmt.Errorf("grant break-glass reading: %w", err)
	}
	return nil
}

// passes answers what was granted of these requests.
func passes(q *gorm.DB, asks ...id.Ask) (map[id.Ask]Pass, error) {
	var rows []passRow
	if err := q.Raw("select * from break_glass where ask in ?", asks).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read break-glass readings: %w", err)
	}
	out := make(map[id.Ask]Pass, len(rows))
	for _, r := range rows {
		out[r.Ask] = r.pass()
	}
	return out, nil
}

// Passes answers what was granted of these requests.
func (e *Engine) Passes(ctx context.Context, asks []id.Ask) (map[id.Ask]Pass, error) {
	return passes(e.DB.Read(ctx), asks...)
}

// look calls fn with one state of now, for reading.
func (e *Engine) look(ctx context.Context, fn func(tx *db.Tx) error) error {
	return e.DB.Snapshot(ctx, func(q *gorm.DB) error { return fn(&db.Tx{DB: q}) })
}

// count notes one more read of an open pass, and keeps it from being ended until the end of tx; ErrOver.
func count(tx *db.Tx, ask id.Ask, now time.Time) error {
	done := tx.Exec("update break_glass set reads = reads + 1 where ask = ? and ended_at is null and until > ?", ask, db.At(now))
	if done.Error == nil && done.RowsAffected == 0 {
		return ErrOver
	}
	return done.Error
}

func end(tx *db.Tx, ask id.Ask, by string, now time.Time) error {
	done := tx.Exec("update break_glass set ended_at = ?, ended_by = ? where ask = ? and ended_at is null and until > ?", db.At(now), by, ask, db.At(now))
	if done.Error == nil && done.RowsAffected == 0 {
		return ErrOver
	}
	return done.Error
}

// known answers who is told of a reading, or was.
func known(tx *db.Tx, ask id.Ask) (map[id.Person]bool, error) {
	var list []id.Person
	err := tx.Raw("select person from break_glass_told where ask = ?", ask).Scan(&list).Error
	out := make(map[id.Person]bool, len(list))
	for _, p := range list {
		out[p] = true
	}
	return out, err
}

func tellLater(tx *db.Tx, rows []toldRow) error {
	if len(rows) == 0 {
		return nil
	}
	return tx.KeepFirst().CreateInBatches(rows, chunk).Error
}

// due answers who is to be told now, the longest due first.
func (e *Engine) due(ctx context.Context, now time.Time) ([]toldRow, error) {
	var rows []toldRow
	err := e.DB.Read(ctx).Raw("select * from break_glass_told where told_at is null and due_at <= ? order by due_at, ask, person limit ?", db.At(now), chunk).Scan(&rows).Error
	return rows, err
}

func told(tx *db.Tx, row toldRow, now time.Time) error {
	return tx.Exec("update break_glass_told set told_at = ? where ask = ? and person = ? and told_at is null", db.At(now), row.Ask, row.Person).Error
}
