package erasure

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Last answers the request that waits or, where the person was erased, the one by which they were; nil where there is none.
func (e *Engine) Last(ctx context.Context, person id.Person) (*Request, error) {
	var rows []erasureRow
	if err := e.DB.Read(ctx).Raw("select * from erasures where person = ? and (done_at is not null or closed_at is null and lapses_at > ?) order by asked_at desc limit 1",
		person, db.At(e.clock())).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read erasures: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	r := rows[0].request()
	return &r, nil
}

// done answers the request by which somebody was erased; ErrNotAsked where nobody was.
func done(tx *db.Tx, person id.Person) (Request, error) {
	var rows []erasureRow
	if err := tx.Raw("select * from erasures where person = ? and done_at is not null order by done_at desc limit 1", person).Scan(&rows).Error; err != nil {
		return Request{}, fmt.Errorf("read erasures: %w", err)
	}
	if len(rows) == 0 {
		return Request{}, ErrNotAsked
	}
	return rows[0].request(), nil
}

func open(tx *db.Tx, person id.Person, now time.Time) (Request, error) {
	var rows []erasureRow
	if err := tx.Raw("select * from erasures where person = ? and closed_at is null and lapses_at > ?", person, db.At(now)).Scan(&rows).Error; err != nil {
		return Request{}, fmt.Errorf("read erasures: %w", err)
	}
	if len(rows) == 0 {
		return Request{}, ErrNotAsked
	}
	return rows[0].request(), nil
}
