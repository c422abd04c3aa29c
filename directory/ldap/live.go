package ldap

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Why a session of following ends without anything being wrong.
var (
	errDue    = errors.New("everything is due to be compared")
	errDoubt  = errors.New("more differs than is looked at one by one")
	errReread = errors.New("everything was read meanwhile")
)

// The rhythm of following.
const (
	hourly       = time.Hour              // between two inventories
	doubtPause   = time.Second            // of silence, before who refers to a renamed entry is looked at again
	doubtMost    = 5 * time.Second        // of a doubt, where there is no silence
	findingsMost = 50                     // of one following that are kept
	doubtsMost   = 100                    // that are looked at one by one
	gatherMost   = 250 * time.Millisecond // of silence, while a stream catches up
	cursorPause  = 5 * time.Second        // between two cursors stored for their own sake
	listedFrom   = 10                     // changes at once: from then on they are listed among the runs, as is everything that misses somebody
	quietMost    = 10 * time.Second       // of a stream, before the mark is asked for on another connection
	stuckMost    = 60 * time.Second       // during which the mark moves and the stream says nothing
)

// session is one following of a source, from a cursor to the end of its stream.
type session struct {
	s      *Syncer
	reader Reader
	stream Stream
	in     chan word
	mark   uint32
	epoch  int
	rep    Report // since the session began
	begun  time.Time

	caught   bool // the stream has caught up once
	resumed  bool // it began from a cursor, so that not everything is told
	cursor   Cursor
	cursorAt time.Time // when it was stored last
	heard    time.Time
	doubts   map[string]time.Time // since when
	missed   map[string]bool      // doubts of entries that were not found when they were looked at, and of which nothing was told
	doubted  time.Time            // when something was last brought in
	again    bool                 // what is brought in was looked at before
	position string               // the mark
	askedAt  time.Time
	movedAt  time.Time // when the mark was first seen elsewhere, and nothing heard since
}

// word is what a stream said at once.
type word struct {
	changes []Change
	at      time.Time
}

// listen follows the source from a cursor until ctx or the stream ends, everything was read by somebody else, or due comes.
func (s *Syncer) listen(ctx context.Context, stream Stream, reader Reader, from Cursor, due time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &session{s: s, reader: reader, stream: stream, in: make(chan word, 64), begun: s.now(), resumed: from != "", doubts: map[string]time.Time{}, missed: map[string]bool{}, cursorAt: s.now(), heard: s.now(),
		rep: Report{Run: id.New[id.Run](), Kind: "live", StartedAt: s.now(), Outcomes: map[Class]map[directory.Outcome]int{}}}
	if err := f.begin(ctx); err != nil {
		return err
	}
	watched := make(chan error, 1)
	go func() {
		watched <- stream.Watch(ctx, from, func(changes []Change) error {
			select {
			case f.in <- word{changes, s.now()}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	over := false
	defer func() {
		cancel()
		for !over {
			select {
			case <-f.in:
			case <-watched:
				over = true
			}
		}
	}()
	inventory := make(chan *counted, 1)
	counting, counts := false, time.Now().Add(s.inventoryEvery())
	defer func() { // whoever started it waits for it
		if counting {
			cancel()
			<-inventory
		}
	}()
	tick := time.NewTicker(s.beat())
	defer tick.Stop()
	for {
		select {
		case w := <-f.in:
			if err := f.take(ctx, w); err != nil {
				return err
			}
		case err := <-watched:
			over = true
			return errors.Join(f.rest(ctx), err)
		case c := <-inventory:
			counting, counts = false, time.Now().Add(s.inventoryEvery())
			if err := f.reconcile(ctx, c); err != nil {
				return err
			}
		case <-tick.C:
			if !time.Now().Before(due) {
				return errDue
			}
			if err := f.beat(ctx); err != nil {
				return err
			}
			if f.caught && !counting && !time.Now().Before(counts) {
				counting = true
				go func() { inventory <- count(ctx, stream, s.now()) }()
			}
		}
	}
}

func (s *Syncer) inventoryEvery() time.Duration {
	if s.Inventory > 0 {
		return s.Inventory
	}
	return hourly
}

// beat is how often a session looks after itself.
func (s *Syncer) beat() time.Duration {
	if p := s.config().PollInterval; p > 0 {
		return p
	}
	return 250 * time.Millisecond
}

func (f *session) begin(ctx context.Context) error {
	f.s.running.Lock()
	defer f.s.running.Unlock()
	sp, _, err := f.s.open(ctx)
	if err != nil {
		return err
	}
	doubts, err := loadDoubts(ctx, f.s.DB, f.s.Source.ID)
	if err != nil {
		return err
	}
	for _, k := range doubts {
		f.doubts[k] = f.s.now()
	}
	f.mark = sp.nextMark()
	if wary, ok := f.stream.(interface{ know([]string) }); ok {
		wary.know(sp.sample())
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.epoch = f.s.epoch
	f.s.status.Mode = "catching up"
	if named, ok := f.reader.(interface{ Vendor() string }); ok {
		f.s.status.Vendor = named.Vendor()
	}
	return nil
}

// rest takes in what was said before the stream ended.
func (f *session) rest(ctx context.Context) error {
	for {
		select {
		case w := <-f.in:
			if err := f.take(ctx, w); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// take brings in what came, with what else waits already: a burst is written in few transactions.
func (f *session) take(ctx context.Context, w word) error {
	f.heard, f.movedAt = w.at, time.Time{}
	changes := slices.Clone(w.changes)
	for len(changes) < batch {
		select {
		case more := <-f.in:
			w.at = more.at
			changes = append(changes, more.changes...)
			continue
		default:
		}
		if f.caught || slices.ContainsFunc(changes, func(c Change) bool { return c.Op == OpRefreshed }) {
			break
		}
		select { // until it has caught up, what comes belongs together: whoever guards against much at once is to see it at once
		case more := <-f.in:
			w.at = more.at
			changes = append(changes, more.changes...)
			continue
		case <-time.After(gatherMost):
		case <-ctx.Done():
			return ctx.Err()
		}
		break
	}
	if len(changes) == 0 {
		f.verified(w.at)
		return nil
	}
	f.heard = w.at
	if err := f.bring(ctx, changes); err != nil {
		return err
	}
	f.verified(w.at)
	return nil
}

// bring applies changes, up to each point where the stream had caught up.
func (f *session) bring(ctx context.Context, changes []Change) error {
	for len(changes) > 0 {
		n := slices.IndexFunc(changes, func(c Change) bool { return c.Op == OpRefreshed }) + 1
		if n == 0 {
			n = len(changes)
		}
		if err := f.apply(ctx, changes[:n]); err != nil {
			return err
		}
		if changes[n-1].Op == OpRefreshed {
			if err := f.caughtUp(ctx); err != nil {
				return err
			}
			f.s.running.Lock()
			if sp := f.s.space; sp != nil { // who is named next time is named anew
				f.mark = sp.nextMark()
			}
			f.s.running.Unlock()
		}
		changes = changes[n:]
	}
	return nil
}

// apply brings changes into the store.
func (f *session) apply(ctx context.Context, changes []Change) error {
	s := f.s
	s.running.Lock()
	defer s.running.Unlock()
	s.mu.Lock()
	late := s.epoch != f.epoch
	s.mu.Unlock()
	if late {
		return errReread
	}
	sp, _, err := s.open(ctx)
	if err != nil {
		return err
	}
	rep := &f.rep
	if f.caught { // each can be undone by itself
		rep = &Report{Run: id.New[id.Run](), Kind: "live", StartedAt: s.now(), Outcomes: map[Class]map[directory.Outcome]int{}}
	}
	t := &news{mark: f.mark, reader: f.reader, sp: sp, rep: rep, at: map[string]int{}, left: map[string]bool{}, entered: map[string]bool{}, live: f.caught, follows: f.resumed || f.caught, again: f.again}
	var first time.Time
	silent := true
	for _, c := range changes {
		t.note(c)
		if c.Cursor != "" {
			f.cursor = c.Cursor
		}
		if first.IsZero() || !c.At.IsZero() && c.At.Before(first) {
			first = c.At
		}
		silent = silent && c.Op == OpPresent
	}
	cursor := f.cursor
	if silent && len(t.unknown) == 0 && s.now().Sub(f.cursorAt) < cursorPause { // nothing else to write
		return nil
	}
	doubts, err := s.apply(ctx, rep, t, cursor)
	if err != nil {
		s.space = nil // it may be ahead of what was written
		return err
	}
	if rep != &f.rep {
		f.rep.join(rep)
		if rep.Absent > 0 || rep.Written() >= listedFrom {
			if err := s.remember(ctx, rep); err != nil {
				return err
			}
		}
	}
	if cursor != "" {
		f.cursor, f.cursorAt = "", s.now()
		s.mu.Lock()
		s.status.CursorAt = f.cursorAt
		s.mu.Unlock()
	}
	f.rep.Findings = f.rep.Findings[max(len(f.rep.Findings)-findingsMost, 0):]
	for _, k := range doubts {
		f.doubts[k] = s.now()
	}
	f.doubted = s.now()
	if t.reread {
		return errDoubt
	}
	if f.caught && !silent {
		s.mu.Lock()
		s.status.ChangedAt, s.status.Lag = s.now(), max(s.now().Sub(first), 0)
		s.mu.Unlock()
	}
	return nil
}

// caughtUp notes that the stream is level with the server.
func (f *session) caughtUp(ctx context.Context) error {
	first := !f.caught
	f.caught = true
	s := f.s
	s.mu.Lock()
	s.status.Mode, s.status.Live, s.status.Behind, s.status.LastError, s.status.LastCode, s.status.Failures = "live", true, false, "", "", 0
	s.mu.Unlock()
	if !first {
		return nil
	}
	s.Log.Info("directory followed", "source", s.Source.Name, "written", f.rep.Written(), "absent", f.rep.Absent)
	if f.rep.Written() > 0 {
		return s.remember(ctx, &f.rep)
	}
	return nil
}
