package authz

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// Index answers from memory what the model says, at the instant of the question. Questions never wait for
// the database and (but for people at the very boundary of a window) never for a lock.
//
// Locks, in this order: turn (one at a time loads, catches up or passes a boundary; held while callbacks run),
// mu (the graph; never held while callbacks run, so a callback and a question may wait for each other's locks).
type Index struct {
	store *Store

	// Now is the clock of decisions; nil means time.Now. Decision time never goes back.
	Now func() time.Time

	turn chan struct{}
	mu   sync.RWMutex
	g    *graph

	people   *table[uint32]
	names    []id.Person // the writer's; readers have named
	named    atomic.Pointer[[]id.Person]
	channels *table[*channel]
	fence    atomic.Pointer[fence]
	doubted  atomic.Pointer[map[doubt]struct{}]

	rev      atomic.Int64
	latest   atomic.Int64 // the latest decision time
	moved    signal
	attached callbacks[func(int64, []id.Person, []id.Channel)]
	enders   callbacks[func([]string)]
	lease    *lease      // of a node among several; nil: this is the only one
	untimed  atomic.Bool // this node's clock is wrong: see judgeClock
	skew     atomic.Int64
	witness  *witness

	// ignoreFreezes breaks the index on purpose: a test sees the comparison with OpenFGA notice.
	ignoreFreezes bool
	// pause is a test's way to change everything in the middle of a question.
	pause func()
}

// channel is where the current snapshot of one channel hangs.
type channel struct {
	id      id.Channel
	current atomic.Pointer[snapshot]
}

// NewIndex makes an empty index, which denies everything until Load.
func NewIndex(s *Store) *Index {
	x := &Index{store: s, turn: make(chan struct{}, 1), people: newTable[uint32](), channels: newTable[*channel](), witness: &witness{}}
	x.fence.Store(newFence(nil))
	x.named.Store(&[]id.Person{})
	x.latest.Store(always)
	return x
}

// at answers decision time in microseconds. Where the clock goes back it stands still.
func (x *Index) at() int64 {
	now := time.Now
	if x.Now != nil {
		now = x.Now
	}
	at := now().UnixMicro()
	for {
		latest := x.latest.Load()
		if at <= latest {
			return latest
		}
		if x.latest.CompareAndSwap(latest, at) {
			return at
		}
	}
}

func (x *Index) take(ctx context.Context) error {
	select {
	case x.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *Index) release() { <-x.turn }

// Load reads every tuple in one snapshot of the database. Loading again replaces everything; who thereby loses
// something is told to the callbacks.
func (x *Index) Load(ctx context.Context) error {
	if err := x.take(ctx); err != nil {
		return err
	}
	defer x.release()
	return x.load(ctx)
}

func (x *Index) load(ctx context.Context) error {
	return x.build(func(put func(Tuple)) (int64, error) { return x.store.load(ctx, put) })
}

// build replaces everything by what load puts. The caller holds turn.
func (x *Index) build(load func(put func(Tuple)) (int64, error)) error {
	m, err := x.store.model()
	if err != nil {
		return err
	}
	g := newGraph(m, x.number)
	rev, err := load(func(t Tuple) { g.apply(Change{Tuple: t}) })
	if err != nil {
		return err
	}
	x.channels.each(func(key string, _ *channel) { g.mark(g.object(typeChannel + ":" + key)) })
	first := x.g == nil
	x.mu.Lock()
	x.g = g
	x.mu.Unlock()
	p := x.plan(x.at(), true)
	p.quiet = first // nobody had anything to lose
	x.publish(p, rev)
	return nil
}

// number answers the number of a person, new or old. Only the holder of turn may call it.
func (x *Index) number(person string) uint32 {
	if n, ok := x.people.get(person); ok {
		return n
	}
	n := uint32(len(x.names))
	x.names = append(x.names, id.Person(person))
	x.people.put(person, n)
	return n
}

const (
	revisionsAtOnce = 256
	poll            = 250 * time.Millisecond // the safety net under lost nudges
)

// CatchUp applies, in order, what was committed after Revision, at least as far as rev where rev is committed
// (0: everything), and passes every boundary of time up to now. When it returns, what it applied is in force
// and every callback has returned.
func (x *Index) CatchUp(ctx context.Context, rev int64) error {
	if err := x.take(ctx); err != nil {
		return err
	}
	defer x.release()
	if x.g == nil {
		return x.load(ctx)
	}
	if rev != 0 && x.rev.Load() >= rev {
		return nil // another caller did it while this one waited
	}
	x.pass()
	for {
		next, err := x.store.since(ctx, x.rev.Load(), revisionsAtOnce)
		if err != nil {
			return err
		}
		if next.last == x.rev.Load() {
			return nil
		}
		_, step := trace.Follow(ctx, "authz.index", next.from, "rollcall.revision", next.last)
		x.mu.Lock()
		for _, c := range next.changes {
			x.g.apply(c)
		}
		x.mu.Unlock()
		x.ended(next.proofs)
		x.publish(x.plan(x.at(), false), next.last)
		step.End(nil)
		if rev != 0 && next.last >= rev {
			return nil
		}
	}
}

// pass applies the boundaries of time that lie behind now.
func (x *Index) pass() {
	at := x.at()
	if len(x.g.due) == 0 || x.g.due[0].at > at {
		return
	}
	x.publish(x.plan(at, false), x.rev.Load())
}

// Run keeps the index up to date and ends windows at their instants, until ctx ends. It looks at each nudge, at
// each boundary and every 250 ms.
func (x *Index) Run(ctx context.Context) error {
	for failing := false; ; {
		nudged := x.store.appended.wait()
		err := x.CatchUp(ctx, 0)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !failing {
			x.store.log.Error("authz index cannot catch up, will retry", "revision", x.Revision(), "error", err)
		}
		failing = err != nil
		wait, err := x.untilNext(ctx)
		if err != nil {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-nudged:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// untilNext answers how long Run may sleep.
func (x *Index) untilNext(ctx context.Context) (time.Duration, error) {
	if err := x.take(ctx); err != nil {
		return 0, err
	}
	defer x.release()
	if x.g == nil || len(x.g.due) == 0 {
		return poll, nil
	}
	left := time.Duration(min(max(x.g.due[0].at-x.at(), 100), poll.Microseconds())) // not zero: a clock set back must not make Run spin
	return left * time.Microsecond, nil
}

// Revision answers the newest revision in force here.
func (x *Index) Revision() int64 { return x.rev.Load() }

// Settled returns when rev is in force here: every question begun since is answered by it, and every callback
// has returned. It catches up itself. A callback must not call it.
func (x *Index) Settled(ctx context.Context, rev int64) error {
	for x.Revision() < rev {
		moved := x.moved.wait()
		if err := x.CatchUp(ctx, rev); err != nil {
			return err
		}
		if x.Revision() >= rev {
			return nil
		}
		timer := time.NewTimer(poll) // rev is not committed yet
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-moved:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// Attach has fn called after each change, or boundary of time, that took something from somebody: after the
// new snapshots are in force and before Revision moves, one call at a time. people are those who lost
// anything (a channel, posting, managing, older history, or everything by a freeze), channels where. The two
// lists are not paired: ask Allow again. fn must return soon; the barrier waits for it.
func (x *Index) Attach(fn func(rev int64, people []id.Person, channels []id.Channel)) {
	x.attached.add(fn)
}

// callbacks are functions that are added while others are told. The zero value is empty.
type callbacks[F any] struct{ all atomic.Pointer[[]F] }

func (c *callbacks[F]) add(fn F) {
	for {
		old := c.all.Load()
		all := append(slices.Clone(c.list()), fn)
		if c.all.CompareAndSwap(old, &all) {
			return
		}
	}
}

func (c *callbacks[F]) list() []F {
	if all := c.all.Load(); all != nil {
		return *all
	}
	return nil
}

// signal wakes everybody who waits. The zero value is ready.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}
