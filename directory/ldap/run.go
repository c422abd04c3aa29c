package ldap

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Status is how a source stands.
type Status struct {
	LastRun     id.Run
	LastAttempt time.Time
	LastSuccess time.Time // when the last sync that succeeded began
	// VerifiedAt is when the directory was last known to say what the store holds: a sync has succeeded since its last change.
	VerifiedAt time.Time
	LastError  string // empty after a success
	LastCode   string // of it: unreachable, timeout, tls, login, closed, server, incomplete, implausible, config
	Failures   int    // in a row
	Live       bool   // the server has a freshness mark, so that changes are seen within PollInterval
	Last       Report // the newest report, of a failure too
	position   string // the mark the last success was read at
}

// Status answers how the source stands now.
func (s *Syncer) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// note keeps the result of a sync, and logs it.
func (s *Syncer) note(rep Report, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.status
	st.Last, st.LastRun, st.LastAttempt = rep, rep.Run, rep.StartedAt
	if err != nil {
		st.LastError, st.LastCode = scrub(err.Error(), s.Config.Password), codeOf(err)
		st.Failures++
		s.Log.Warn("directory sync failed", "source", s.Source.Name, "run", rep.Run, "failures", st.Failures, "disabled", rep.Disabled, "error", st.LastError)
		return
	}
	st.LastError, st.Failures = "", 0
	st.LastSuccess, st.VerifiedAt = rep.StartedAt, rep.StartedAt
	st.position, st.Live = rep.Proof.Position, rep.Proof.Position != ""
	s.Log.Info("directory synced", "source", s.Source.Name, "run", rep.Run, "people", rep.Proof.Counts[ClassPerson], "units", rep.Proof.Counts[ClassUnit],
		"groups", rep.Proof.Counts[ClassGroup], "written", rep.Written(), "absent", rep.Absent, "duration", rep.Duration)
}

// The pauses after failures.
const (
	minPause = time.Second
	maxPause = time.Minute
)

// pause grows with the failures in a row; half of it is chance, so that many do not come back at once.
func pause(failures int) time.Duration {
	d := minPause << min(failures-1, 6)
	d = min(max(d, minPause), maxPause)
	return d/2 + rand.N(d/2+1)
}

// Run keeps the source in step until ctx ends, and answers its error. It syncs at the beginning, each time the server's freshness
// mark has moved, and at least each every (0: an hour), then without trusting what it wrote itself before. A sync is given as much rest as it took, so that a large
// directory that is written to all the time is read for half of the time at most.
func (s *Syncer) Run(ctx context.Context, every time.Duration) error {
	if every <= 0 {
		every = time.Hour
	}
	p, err := s.Config.prepare()
	if err != nil {
		return err
	}
	var full, rest time.Time // when the next sync is due, and before when none for a moved mark begins
	for {
		wait := p.PollInterval
		due := !time.Now().Before(full)
		trust := !due
		if !due && !time.Now().Before(rest) {
			moved, err := s.moved(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				wait = s.unreachable(err)
			}
			due = err == nil && moved
		}
		if due {
			rep, err := s.sync(ctx, trust)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			full, rest = time.Now().Add(every), time.Now().Add(rep.Duration)
			if err != nil {
				wait = pause(s.Status().Failures)
				full = time.Now() // again, after the pause
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// moved tells whether the server was written to since the last successful sync.
func (s *Syncer) moved(ctx context.Context) (bool, error) {
	st := s.Status()
	if !st.Live {
		return false, nil
	}
	reader, err := s.reader()
	if err != nil {
		return false, err
	}
	asked := s.now()
	position, err := reader.Position(ctx)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Failures, s.status.LastError = 0, ""
	if position != s.status.position {
		return true, nil
	}
	s.status.VerifiedAt = asked
	return false, nil
}

// unreachable notes that the mark could not be read, and answers how long to wait.
func (s *Syncer) unreachable(err error) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.LastError, s.status.LastCode = scrub(err.Error(), s.Config.Password), codeOf(err)
	if s.status.Failures++; s.status.Failures == 1 {
		s.Log.Warn("directory cannot be asked for changes", "source", s.Source.Name, "error", s.status.LastError)
	}
	return pause(s.status.Failures)
}
