package db

import (
	"context"
	"sync"
	"time"

	"gorm.io/gorm"
)

// checkpointer moves what the write-ahead log of a SQLite database holds into the database, on a connection of its
// own, so that no commit waits for it: done by the writer itself, every thirtieth commit or so took a tenth of a second.
type checkpointer struct {
	handle *gorm.DB
	stop   context.CancelFunc
	wait   sync.WaitGroup
}

const checkpointEvery = time.Second

func keepCheckpoints(ctx context.Context, path string) (*checkpointer, error) {
	handle, err := openLite(ctx, path, "", 1)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &checkpointer{handle: handle, stop: stop}
	c.wait.Go(func() {
		tick := time.NewTicker(checkpointEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				// Passive: waits for nobody. What it cannot move now it moves the next time.
				handle.WithContext(ctx).Exec("pragma wal_checkpoint(passive)")
			}
		}
	})
	return c, nil
}

func (c *checkpointer) close() error {
	c.stop()
	c.wait.Wait()
	pool, err := c.handle.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}
