package main

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// guardian is all that provisioning is to the directory. Whatever stands between the two is all of it: who is no Rehearser is asked by nobody.
type guardian interface {
	directory.Access
	directory.Rehearser
	directory.Holder
}

var _ guardian = (*stopwatch)(nil)

// stopwatch stands between the directory and provisioning and times each revocation: from the moment its
// transaction appends it to the moment from which nothing is delivered any more.
type stopwatch struct {
	guardian
	took    prometheus.Histogram
	revoked func(person id.Person, took time.Duration) // may be nil
	fenced  func(rev int64, freezes []directory.Freeze, at time.Time)

	mu    sync.Mutex
	began map[int64]start // by revision
}

type start struct {
	at      time.Time
	freezes []directory.Freeze
}

func newStopwatch(inner guardian, registry *prometheus.Registry) *stopwatch {
	s := &stopwatch{guardian: inner, began: map[int64]start{}, took: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "rollcall_revocation_seconds", Help: "From a revocation's transaction until nothing is delivered to the person any more.",
		Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}})}
	registry.MustRegister(s.took)
	return s
}

// Revoke notes the time. A transaction that is rolled back leaves an entry that the next revision of the same
// number replaces.
func (s *stopwatch) Revoke(tx *db.Tx, freezes []directory.FreezeChange) (int64, error) {
	begin := start{at: time.Now()}
	for _, f := range freezes {
		if f.Freeze.OpenAt(begin.at) {
			begin.freezes = append(begin.freezes, f.Freeze)
		}
	}
	rev, err := s.guardian.Revoke(tx, freezes)
	if err == nil && rev > 0 && len(begin.freezes) > 0 {
		s.mu.Lock()
		s.began[rev] = begin
		s.mu.Unlock()
	}
	return rev, err
}

// Settle tells how long it took.
func (s *stopwatch) Settle(ctx context.Context, cause directory.Cause, people []id.Person, rev int64) error {
	err := s.guardian.Settle(ctx, cause, people, rev)
	s.mu.Lock()
	begin, timed := s.began[rev]
	delete(s.began, rev)
	s.mu.Unlock()
	if err != nil || !timed {
		return err
	}
	over := time.Now()
	took := over.Sub(begin.at)
	for _, f := range begin.freezes {
		s.took.Observe(took.Seconds())
		if s.revoked != nil {
			s.revoked(f.Person, took)
		}
	}
	if s.fenced != nil {
		s.fenced(rev, begin.freezes, over)
	}
	return nil
}
