package erasure

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// scrub takes out of the files what was erased and is in them still.
func (e *Engine) scrub(ctx context.Context) error {
	var left []id.Erasure
	if err := e.DB.Read(ctx).Raw("select id from erasures where done_at is not null and scrubbed_at is null").Scan(&left).Error; err != nil || len(left) == 0 {
		return err
	}
	if err := e.DB.Scrub(ctx); err != nil {
		return err
	}
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update erasures set scrubbed_at = ? where id in ?", db.At(e.clock()), left).Error
	})
}

// Run scrubs what a server that was killed did not come to, until ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Minute)
	defer tick.Stop()
	for {
		if err := e.scrub(ctx); err != nil && ctx.Err() == nil {
			e.Log.WarnContext(ctx, "what was erased is still in the files", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
