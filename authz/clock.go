package authz

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
)

// A node whose clock is wrong would let windows go on after their end, or begin before their time. Decision time is held beside PostgreSQL's clock
// whenever the lease is renewed; what the question took is what nobody knows. Where they are certainly further apart than the limit, whatever
// has a beginning or an end is answered as closed here, until they are certainly within it.

// judgeClock takes decision time before and after PostgreSQL told its own, and tells whether its verdict has changed.
func (x *Index) judgeClock(before, theirs, after int64, limit time.Duration) (changed bool) {
	x.skew.Store((before+after)/2 - theirs)
	if limit <= 0 {
		return false
	}
	behind, ahead := theirs-after, before-theirs // at least
	switch most := limit.Microseconds(); {
	case behind > most || ahead > most:
		return !x.untimed.Swap(true)
	case theirs-before <= most && after-theirs <= most:
		return x.untimed.Swap(false)
	}
	return false
}

// ClockTrusted tells whether this node answers what has a beginning or an end by its clock; else it denies it.
func (x *Index) ClockTrusted() bool { return !x.untimed.Load() }

// Skew is how far decision time was ahead of PostgreSQL's clock when they were last compared.
func (x *Index) Skew() time.Duration { return time.Duration(x.skew.Load()) * time.Microsecond }

func (x *Index) clockLevel() slog.Level {
	if x.ClockTrusted() {
		return slog.LevelInfo
	}
	return slog.LevelError
}

const clockEvery = 2 * time.Second

// WatchClock is for the only node of a deployment on PostgreSQL, which has no lease: it compares the clocks until ctx ends, and calls over where the
// verdict has changed.
func (x *Index) WatchClock(ctx context.Context, limit time.Duration, over func()) error {
	for {
		if err := x.AskClock(ctx, limit, over); err != nil && ctx.Err() == nil {
			x.store.log.Warn("the database's clock is not known", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(clockEvery):
		}
	}
}

// AskClock compares the clocks once.
func (x *Index) AskClock(ctx context.Context, limit time.Duration, over func()) error {
	if x.store.db.Engine != db.Postgres {
		return nil
	}
	var theirs int64
	asked := x.at()
	if err := x.store.lane().Read(ctx).Raw("select " + dbNow).Scan(&theirs).Error; err != nil {
		return fmt.Errorf("ask for the time: %w", err)
	}
	if x.judgeClock(asked, theirs, x.at(), limit) {
		x.store.log.Log(ctx, x.clockLevel(), "this node's clock", "trusted", x.ClockTrusted(), "ahead", x.Skew(), "limit", limit)
		over()
	}
	return nil
}
