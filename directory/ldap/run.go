package ldap

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
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
	LastCode   string // of it: unreachable, timeout, tls, login, closed, server, incomplete, reborn, implausible, config
	Failures   int    // in a row
	Refused    int    // logins in a row, among them
	// RetryAt is when the login is tried again after it was refused; zero where it was not.
	RetryAt time.Time
	Live    bool // changes are told, or the server has a freshness mark, so that they are seen within PollInterval
	// Mode is how changes are heard of: "live" (the server tells them), "catching up" (it tells what was missed), "poll" (its mark is asked
	// for, and everything is read when it moves), "standby" (another node does it); empty where Run does not run.
	Mode      string
	Behind    bool          // the server is behind what was read: a restored or lagging one; nothing is taken from it
	ChangedAt time.Time     // when the last change that was told was in force
	Lag       time.Duration // of it, from hearing of it
	CursorAt  time.Time     // when the cursor that is followed from was stored last, since this process began
	Vendor    string        // as Capabilities names it; empty while it is not known
	Last      Report        // the newest report, of a failure too
	position  string        // the mark the last success was read at
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
		s.failing(err, true, "directory sync failed", "run", rep.Run, "disabled", rep.Disabled)
		return
	}
	s.well()
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

// Run keeps the source in step until ctx ends, and answers its error. It follows the changes the server tells, from where it was left; where that
// is not known it reads everything first. A server that tells nothing is asked for its freshness mark, and read when that moved. At least
// each every (0: a day where the server tells its changes, else an hour) everything is compared, without trusting what was written before. One node does it at a time.
func (s *Syncer) Run(ctx context.Context, every time.Duration) error {
	if err := s.config().Check(); err != nil {
		return err
	}
	looking, stop := context.WithCancel(ctx)
	var refreshing sync.WaitGroup
	refreshing.Go(func() { s.refreshes(looking) })
	defer refreshing.Wait()
	defer stop()
	for {
		turn, over := s.begin(ctx)
		err := s.run(turn, every)
		over()
		s.mode("")
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(context.Cause(turn), errRemapped) {
			continue
		}
		wait := lease / 3
		if !errors.Is(err, errElsewhere) {
			wait = s.unreachable(err)
		} else {
			s.mode("standby")
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func (s *Syncer) mode(m string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Mode = m
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// run keeps the source in step while this node has the lease.
func (s *Syncer) run(ctx context.Context, every time.Duration) error {
	s.running.Lock()
	err := s.keep(ctx)
	s.running.Unlock()
	if err != nil {
		return err
	}
	defer s.let(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var renewing sync.WaitGroup
	renewing.Go(func() { s.renew(ctx, cancel) })
	defer renewing.Wait()
	defer cancel(nil)
	reader, err := s.reader()
	if err != nil {
		return err
	}
	stream, follows := reader.(Stream)
	next := func() time.Time {
		switch {
		case every > 0:
			return time.Now().Add(every)
		case follows:
			return time.Now().Add(24 * time.Hour)
		}
		return time.Now().Add(time.Hour)
	}
	due, read, trust := next(), true, true // read: everything is to be compared before anything is followed
	if at, err := s.followed(ctx); err != nil {
		return err
	} else if follows && at.valid(s.config()) {
		read = false
	}
	for ctx.Err() == nil {
		if read {
			if _, err := s.sync(ctx, trust, s.keep); err != nil {
				s.turn(err)
				if err := s.rest(ctx, pause(s.Status().Failures)); err != nil {
					break
				}
				continue
			}
			due, read, trust = next(), false, true
		}
		at, err := s.followed(ctx)
		if err != nil {
			return err
		}
		if follows {
			err = s.listen(ctx, stream, reader, at.cursor, due)
		} else {
			err = ErrNoStream
		}
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, ErrNoStream):
			follows = false
			due = next()
			trust, err = s.poll(ctx, due)
			if read = true; err != nil {
				return context.Cause(ctx)
			}
		case errors.Is(err, errDue):
			read, trust = true, false
		case errors.Is(err, errReread):
		case errors.Is(err, ErrCursorLost), errors.Is(err, errDoubt):
			s.Log.Info("directory is read again", "source", s.Source.Name, "reason", scrub(err.Error(), s.config().Password))
			read = true
		case errors.Is(err, errElsewhere):
			return err
		default:
			s.turn(err)
			if err := s.rest(ctx, s.broken(err)); err != nil {
				break
			}
			read = s.Status().Failures > 3 && !away(err) && !errors.Is(err, ErrBehind) // what it tells cannot be taken in
		}
	}
	return context.Cause(ctx)
}

// followed answers from where the source is to be followed.
func (s *Syncer) followed(ctx context.Context) (stored, error) {
	text, err := s.Store.Cursor(ctx, s.Source.ID)
	return parseCursor(text), err
}

// poll waits until the mark of the server moves, or due. It answers whether what was written is to be trusted in the comparison that follows. After a
// reading it gives the server as much rest as that took, so that a large directory that is written to all the time is read for half of
// the time at most.
func (s *Syncer) poll(ctx context.Context, due time.Time) (trust bool, err error) {
	s.mode("poll")
	p, err := s.config().prepare()
	if err != nil {
		return false, err
	}
	for rest := time.Now().Add(s.Status().Last.Duration); ; {
		wait := p.PollInterval
		if !time.Now().Before(due) {
			return false, ctx.Err()
		}
		if !time.Now().Before(rest) {
			moved, err := s.moved(ctx)
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			if moved {
				return true, nil
			}
			if err != nil {
				wait = s.unreachable(err)
				if s.Status().Refused > 0 {
					if err := s.rest(ctx, wait); err != nil {
						return false, err
					}
					continue
				}
			}
		}
		if err := sleep(ctx, min(wait, max(time.Until(due), 0))); err != nil {
			return false, err
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
	s.well()
	if position != s.status.position {
		return true, nil
	}
	s.status.VerifiedAt = asked
	return false, nil
}

// failing keeps what went wrong, and answers how long to wait. It is logged where it is the first failure in a row, or always. mu is held.
func (s *Syncer) failing(err error, always bool, what string, args ...any) time.Duration {
	st := &s.status
	st.LastError, st.LastCode = scrub(err.Error(), s.Config.Password), codeOf(err)
	if st.Failures++; st.Failures == 1 || always {
		s.Log.Warn(what, append(args, "source", s.Source.Name, "failures", st.Failures, "error", st.LastError)...)
	}
	if errors.Is(err, ErrLogin) {
		st.Refused++
		st.RetryAt = time.Now().Add(refusedPause(st.Refused))
	}
	return pause(st.Failures)
}

// broken notes that the stream ended, and answers how long to wait.
func (s *Syncer) broken(err error) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		err = fmt.Errorf("%w: the stream ended", ErrClosed)
	}
	s.status.Behind, s.status.Mode = errors.Is(err, ErrBehind), "catching up"
	return s.failing(err, s.status.Behind, "directory is not followed")
}

// unreachable notes that the mark could not be read, and answers how long to wait.
func (s *Syncer) unreachable(err error) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failing(err, false, "directory cannot be asked for changes")
}
