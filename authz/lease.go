package authz

import (
	"sync/atomic"
	"time"
)

// lease is how long a node may answer without hearing from the database. Once it is found over it stays over until renew, which first has
// everybody cut off who may have missed something by it.
type lease struct {
	start time.Time    // carries the monotonic clock
	until atomic.Int64 // nanoseconds of the monotonic clock after start; 0: over
	wall  atomic.Int64 // the same instant in microseconds, for a machine that was put to sleep and its monotonic clock with it
}

func newLease() *lease { return &lease{start: time.Now()} }

func (l *lease) holds() bool {
	for {
		until := l.until.Load()
		if until == 0 {
			return false
		}
		if now := time.Now(); now.Sub(l.start) < time.Duration(until) && now.UnixMicro() < l.wall.Load() {
			return true
		}
		if l.until.CompareAndSwap(until, 0) {
			return false
		}
	}
}

// renew lets the lease hold for ttl after from, which was read before the database was asked. Where it was over it calls over first.
func (l *lease) renew(from time.Time, ttl time.Duration, over func()) {
	until := int64(from.Sub(l.start) + ttl)
	if old := l.until.Load(); l.holds() {
		l.wall.Store(from.Add(ttl).UnixMicro())
		if l.until.CompareAndSwap(old, until) {
			return
		}
	}
	over()
	l.wall.Store(from.Add(ttl).UnixMicro())
	l.until.Store(until)
}

// left is how long it still holds.
func (l *lease) left() time.Duration {
	if !l.holds() {
		return 0
	}
	return time.Duration(l.until.Load()) - time.Since(l.start)
}
