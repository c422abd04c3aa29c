package feed

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
)

// acquire takes or renews the lease on a cursor. It writes only where less than half of the lease is left.
func (f *Feed) acquire(ctx context.Context, name string) (cursor int64, mine bool, err error) {
	var row struct {
		Seq        int64
		Holder     string
		LeaseUntil int64
	}
	now := time.Now()
	err = f.db.Read(ctx).Table("feed_cursors").Where("name = ?", name).Take(&row).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return 0, false, err
	}
	if err == nil {
		if row.Holder == f.holder && row.LeaseUntil > now.Add(lease/2).UnixMicro() {
			return row.Seq, true, nil
		}
		if row.Holder != f.holder && row.LeaseUntil > now.UnixMicro() {
			return 0, false, nil
		}
	}
	err = f.db.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Exec(`insert into feed_cursors (name, seq, holder, lease_until) values (?, 0, '', 0) on conflict (name) do nothing`, name).Error; err != nil {
			return err
		}
		done := tx.Exec("update feed_cursors set holder = ?, lease_until = ? where name = ? and (holder = ? or lease_until <= ?)",
			f.holder, now.Add(lease).UnixMicro(), name, f.holder, now.UnixMicro())
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error
		}
		mine = true
		return tx.Raw("select seq from feed_cursors where name = ?", name).Scan(&cursor).Error
	})
	return cursor, mine, err
}

// resign gives a lease back, so that no other node waits for its end.
func (f *Feed) resign(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := f.db.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update feed_cursors set holder = '', lease_until = 0 where name = ? and holder = ?", name, f.holder).Error
	}); err != nil {
		f.log.Warn("lease not given back", "lease", name, "error", err)
	}
}

// Alone runs fn on one node at a time, which name is the lease of: here while this node has it, else it waits for it, until ctx ends. When the
// lease cannot be renewed in time the context of fn ends; fn is run again where it returned without an error.
func (f *Feed) Alone(ctx context.Context, name string, fn func(ctx context.Context) error) error {
	tick := time.NewTicker(lease / 5)
	defer tick.Stop()
	defer f.resign(ctx, name)
	for {
		_, mine, err := f.acquire(ctx, name)
		if err != nil && ctx.Err() == nil {
			f.log.Warn("lease not taken, will retry", "lease", name, "error", err)
		}
		if mine && err == nil {
			if err := f.while(ctx, tick.C, name, fn); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// while runs fn for as long as the lease is kept. It answers nil where that was lost.
func (f *Feed) while(ctx context.Context, tick <-chan time.Time, name string, fn func(ctx context.Context) error) error {
	inner, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- fn(inner) }()
	end := func() error {
		cancel()
		if err := <-done; err != nil && (!errors.Is(err, context.Canceled) || ctx.Err() != nil) {
			return err
		}
		return nil
	}
	for kept := time.Now(); ; {
		select {
		case err := <-done:
			cancel()
			return err
		case <-ctx.Done():
			return end()
		case <-tick:
		}
		asked := time.Now()
		switch _, mine, err := f.acquire(inner, name); {
		case err == nil && mine:
			kept = asked
		case err == nil || time.Since(kept) > lease/2:
			f.log.Warn("lease lost, another node goes on", "lease", name, "error", err)
			return end()
		}
	}
}
