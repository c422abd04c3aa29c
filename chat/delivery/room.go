package delivery

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

const (
	batchBytes     = 64 << 10
	maxEphemeral   = 32
	candidatesLive = time.Second // people who gain a channel by the clock alone are found within this
)

// room orders and fans out the events of one channel. One goroutine works while there is something to do.
type room struct {
	hub     *Hub
	channel id.Channel
	index   int

	mu      sync.Mutex
	last    int64 // newest seq taken in; everything up to it was sent or is pending
	want    int64 // newest seq known to exist
	done    int64 // newest seq offered to every connection
	pending []Event
	typing  [][]byte
	working bool
	used    time.Time
	waiters []waiter

	// of the working goroutine, or of rest while nobody works
	conns []*conn
	epoch int64
	rev   int64
	built time.Time
}

type waiter struct {
	seq  int64
	done chan struct{}
}

func (r *room) publish(e Event) {
	r.mu.Lock()
	switch {
	case e.Seq <= r.last:
	case e.Seq == r.last+1:
		r.pending = append(r.pending, e)
		r.last = e.Seq
	default:
		r.want = max(r.want, e.Seq)
	}
	r.start()
}

func (r *room) nudge(seq int64) {
	r.mu.Lock()
	r.want = max(r.want, seq)
	r.start()
}

func (r *room) ephemeral(data []byte) {
	r.mu.Lock()
	if len(r.typing) < maxEphemeral {
		r.typing = append(r.typing, data)
	}
	r.start()
}

// start releases mu and has somebody work where there is work.
func (r *room) start() {
	if !r.working && (len(r.pending) > 0 || r.want > r.last || len(r.typing) > 0) {
		r.working = r.hub.spawn(r.work)
	}
	r.mu.Unlock()
}

// delivered answers a channel that is closed once seq was offered to every connection.
func (r *room) delivered(seq int64) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	done := make(chan struct{})
	if r.done >= seq {
		close(done)
	} else {
		r.waiters = append(r.waiters, waiter{seq, done})
	}
	return done
}

func (r *room) work() {
	for {
		r.mu.Lock()
		if r.want > r.last {
			after := r.last
			r.mu.Unlock()
			if !r.load(after) {
				r.mu.Lock()
				r.working = false
				r.mu.Unlock()
				return
			}
			continue
		}
		events, typing := r.take()
		if len(events)+len(typing) == 0 {
			r.working, r.used = false, time.Now()
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		if len(events) > 0 && r.hub.Await(context.Background(), events[len(events)-1].Rev) != nil {
			continue // the hub closes
		}
		r.fan(newBatch(events, typing))
		if len(events) > 0 {
			r.finish(events[len(events)-1].Seq)
		}
	}
}

// take cuts the next batch. mu is held.
func (r *room) take() ([]Event, [][]byte) {
	n, size := 0, 0
	var rev int64
	for n < len(r.pending) && (n == 0 || size < batchBytes) {
		size += len(r.pending[n].Data)
		rev = max(rev, r.pending[n].Rev)
		n++
	}
	events := r.pending[:n:n]
	if r.pending = r.pending[n:]; len(r.pending) == 0 {
		r.pending = nil
	}
	if n > 0 {
		events[n-1].Rev = rev // the batch waits for the newest of its revisions
	}
	typing := r.typing
	r.typing = nil
	return events, typing
}

func (r *room) finish(seq int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = seq
	kept := r.waiters[:0]
	for _, w := range r.waiters {
		if w.seq <= seq {
			close(w.done)
		} else {
			kept = append(kept, w)
		}
	}
	r.waiters = kept
}

// load takes in events that were not handed over. It answers false where the hub closed.
func (r *room) load(after int64) bool {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		events, head, err := r.hub.o.Log.After(context.Background(), r.channel, after, 500)
		r.mu.Lock()
		for _, e := range events {
			if e.Seq == r.last+1 {
				r.pending = append(r.pending, e)
				r.last = e.Seq
			}
		}
		if err == nil && len(events) == 0 && head <= r.last {
			r.want = r.last // somebody spoke of events that do not exist
		}
		complete := r.want <= r.last || len(r.pending) > 0
		r.mu.Unlock()
		if complete {
			return true
		}
		if err != nil {
			r.hub.o.Slog.Error("channel events cannot be read, will retry", "channel", r.channel, "error", err)
		}
		r.hub.mu.RLock()
		closed := r.hub.closed
		r.hub.mu.RUnlock()
		if closed {
			return false
		}
		time.Sleep(pause)
	}
}

func (r *room) fan(b *batch) {
	conns := r.candidates()
	for _, c := range conns {
		c.deliver(r, b)
	}
	r.hub.delivered.Add(int64(len(conns)) * int64(len(b.events)))
}

// candidates answers the connections that may be in the audience: no permission, only who to ask for. It is
// called after the batch was cut, so that a connection which registered before a commit is in it.
func (r *room) candidates() []*conn {
	h := r.hub
	epoch, rev, now := h.epoch.Load(), h.o.Gate.Revision(), time.Now()
	if r.conns != nil && r.epoch == epoch && r.rev == rev && now.Sub(r.built) < candidatesLive {
		return r.conns
	}
	conns := make([]*conn, 0, len(r.conns))
	h.mu.RLock()
	defer h.mu.RUnlock()
	seen := 0
	for person := range h.o.Gate.Audience(r.channel) {
		if seen++; seen > 2*len(h.people)+64 || h.fault&faultUnchecked != 0 { // far more members than are here: go the other way round
			conns = conns[:0]
			for _, mine := range h.people {
				conns = append(conns, mine...)
			}
			break
		}
		conns = append(conns, h.people[person]...)
	}
	r.conns, r.epoch, r.rev, r.built = conns, epoch, rev, now
	return conns
}

// rest forgets the list of a room that had nothing to do for a while.
func (r *room) rest(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.working && now.Sub(r.used) > 10*time.Second {
		r.conns = nil
	}
}
