package feed

import (
	"context"
	"fmt"
	"time"
)

// Lag is how far a follower is behind.
type Lag struct {
	Follower string
	Events   int64     // that it has not handled
	Since    time.Time // when the oldest of them happened; zero where there is none
}

// Lags answers how far each follower is behind, by name.
func (f *Feed) Lags(ctx context.Context) ([]Lag, error) {
	var rows []struct {
		Name   string
		Events int64
		At     int64
	}
	err := f.db.Read(ctx).Raw(`select c.name, n.seq - c.seq as events, coalesce((select e.at from feed_events e where e.seq = c.seq + 1), 0) as at
		from feed_cursors c cross join feed_counter n where c.name not like 'lease %' order by c.name`).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read how far followers are: %w", err)
	}
	out := make([]Lag, len(rows))
	for i, r := range rows {
		out[i] = Lag{Follower: r.Name, Events: r.Events}
		if r.At > 0 {
			out[i].Since = time.UnixMicro(r.At).UTC()
		}
	}
	return out, nil
}
