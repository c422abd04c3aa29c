package delivery

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/rollcall-im/rollcall/internal/id"
)

// fault breaks one guard each, for the tests that see the guard's test turn red.
type fault uint8

const (
	faultUnchecked fault = 1 << iota // nothing that is fanned out asks the Gate
	faultNoCut                       // a revocation does not reach the connections
	faultNoReset                     // a cut connection is closed in the ordinary way
	faultOpenExit                    // answers under way do not ask the Gate
)

// Hub holds the open streams and the rooms whose events it fans out.
type Hub struct {
	o       Options
	exits   *Exits
	fault   fault
	trace   func(id.Person, []byte) // for tests: told of each write before it happens, the gate held
	buffers buffers

	mu     sync.RWMutex
	people map[id.Person][]*conn
	rooms  map[id.Channel]*room
	list   []*room // by index
	heads  map[id.Channel]int64
	closed bool
	moved  chan struct{} // closed and replaced when a new snapshot is in force

	epoch     atomic.Int64 // moves with people
	open      atomic.Int64
	delivered atomic.Int64
	overflows atomic.Int64
	wait      sync.WaitGroup
	stop      context.CancelFunc
}

// New makes a hub and attaches it to the Gate. Start must be called before anything is published.
func New(o Options) *Hub {
	h := &Hub{o: o.withDefaults(), people: map[id.Person][]*conn{}, rooms: map[id.Channel]*room{}, heads: map[id.Channel]int64{}, moved: make(chan struct{})}
	h.exits = newExits(h)
	h.o.Gate.Attach(h.lost)
	return h
}

// Start reads where every channel stands and begins the keep-alive. It must return before the node serves.
func (h *Hub) Start(ctx context.Context) error {
	heads, err := h.o.Log.Heads(ctx)
	if err != nil {
		return fmt.Errorf("start hub: %w", err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.mu.Lock()
	h.heads, h.stop = heads, stop
	h.mu.Unlock()
	h.spawn(func() { h.keepAlive(ctx) })
	return nil
}

// Close cuts every connection and waits until all goroutines of the hub have ended.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	stop := h.stop
	h.mu.Unlock()
	if stop != nil {
		stop()
	}
	conns := h.all()
	for _, c := range conns {
		c.gate.Lock()
		c.shut(&closing{ws.StatusGoingAway, "the server stops"})
		c.leave()
	}
	patience := time.After(time.Second)
	for _, c := range conns {
		if patience != nil {
			select {
			case <-c.closed:
			case <-patience:
				patience = nil
			}
		}
		c.cut()
	}
	h.broadcast()
	h.wait.Wait()
}

// spawn runs fn in a goroutine that Close waits for; false once the hub is closed.
func (h *Hub) spawn(fn func()) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if !h.closed {
		h.wait.Go(fn)
	}
	return !h.closed
}

// Stats are counters for the operator.
type Stats struct {
	Connections int64 // open now
	Delivered   int64 // events written or queued, over all connections
	Overflows   int64 // connections closed because their queue was full
}

// Stats answers the counters as they stand.
func (h *Hub) Stats() Stats {
	return Stats{Connections: h.open.Load(), Delivered: h.delivered.Load(), Overflows: h.overflows.Load()}
}

// register makes c reachable for rooms and revocations; only after it the connection's rights are judged.
func (h *Hub) register(c *conn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrClosed
	}
	mine := h.people[c.who.Person]
	if len(mine) >= h.o.PerPerson {
		return &closing{CodeBusy, fmt.Sprintf("a person may have %d connections", h.o.PerPerson)}
	}
	h.people[c.who.Person] = append(mine[:len(mine):len(mine)], c)
	h.epoch.Add(1)
	h.open.Add(1)
	return nil
}

func (h *Hub) forget(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	mine := h.people[c.who.Person]
	var rest []*conn // a new slice: readers hold the old one
	for _, other := range mine {
		if other != c {
			rest = append(rest, other)
		}
	}
	if len(rest) == len(mine) {
		return
	}
	if len(rest) == 0 {
		delete(h.people, c.who.Person)
	} else {
		h.people[c.who.Person] = rest
	}
	h.epoch.Add(1)
	h.open.Add(-1)
}

func (h *Hub) of(person id.Person) []*conn {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.people[person]
}

func (h *Hub) all() []*conn {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var out []*conn
	for _, mine := range h.people {
		out = append(out, mine...)
	}
	return out
}

// room answers the room of a channel; made at first use.
func (h *Hub) room(channel id.Channel) *room {
	h.mu.RLock()
	r := h.rooms[channel]
	h.mu.RUnlock()
	if r != nil {
		return r
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if r = h.rooms[channel]; r == nil {
		head := h.heads[channel]
		delete(h.heads, channel)
		r = &room{hub: h, channel: channel, index: len(h.list), last: head, done: head}
		h.rooms[channel] = r
		h.list = append(h.list, r)
	}
	return r
}

// Publish hands over an event after its commit. The order of calls does not matter: a gap is read from the Log.
func (h *Hub) Publish(e Event) { h.room(e.Channel).publish(e) }

// Nudge says that channel has events up to seq; those not handed over are read from the Log.
func (h *Hub) Nudge(channel id.Channel, seq int64) { h.room(channel).nudge(seq) }

// NudgePerson says that the person's own log has grown.
func (h *Hub) NudgePerson(person id.Person) {
	for _, c := range h.of(person) {
		c.pull()
	}
}

// NudgeAll has everything read that was not handed over: heads says where each channel stands in the Log.
func (h *Hub) NudgeAll(heads map[id.Channel]int64) {
	for channel, seq := range heads {
		h.mu.RLock()
		r := h.rooms[channel]
		quiet := r == nil && h.heads[channel] >= seq
		h.mu.RUnlock()
		if !quiet {
			h.room(channel).nudge(seq)
		}
	}
}

// NudgePeople says that the logs of everybody who is here may have grown.
func (h *Hub) NudgePeople() {
	for _, c := range h.all() {
		c.pull()
	}
}

// Typing tells a channel's readers that person is writing. It has no seq and may be lost.
func (h *Hub) Typing(channel id.Channel, person id.Person) {
	data, err := json.Marshal(map[string]any{"op": "event", "type": "typing", "channel": channel, "person": map[string]any{"id": person}})
	if err != nil {
		return
	}
	h.room(channel).ephemeral(data)
}

// Await waits until the Gate has reached rev.
func (h *Hub) Await(ctx context.Context, rev int64) error {
	for pause := time.Millisecond; h.o.Gate.Revision() < rev; pause = min(2*pause, 50*time.Millisecond) {
		h.mu.RLock()
		moved, closed := h.moved, h.closed
		h.mu.RUnlock()
		if closed {
			return ErrClosed
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		case <-time.After(pause): // a snapshot that takes nothing away may come without a call
		}
	}
	return nil
}

func (h *Hub) broadcast() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.moved)
	h.moved = make(chan struct{})
}

// keepAlive pings, cuts clients that fell silent or dawdle, and forgets the lists of quiet rooms.
func (h *Hub) keepAlive(ctx context.Context) {
	every := min(h.o.PingEvery, h.o.MessageTime) / 2
	tick := time.NewTicker(every)
	defer tick.Stop()
	lastPing := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		ping := now.Sub(lastPing) >= h.o.PingEvery
		if ping {
			lastPing = now
		}
		for _, c := range h.all() {
			c.check(now, ping)
		}
		h.mu.RLock()
		rooms := h.list[:len(h.list):len(h.list)]
		h.mu.RUnlock()
		for _, r := range rooms {
			r.rest(now)
		}
	}
}

// check is one look at a connection by the keep-alive.
func (c *conn) check(now time.Time, ping bool) {
	begun, read := c.begun.Load(), c.lastRead.Load()
	c.gate.Lock()
	defer c.leave()
	switch {
	case begun != 0 && now.UnixMicro()-begun > c.hub.o.MessageTime.Microseconds():
		c.shut(&closing{ws.StatusPolicyViolation, "a message must arrive at once"})
	case c.wire != sse && now.UnixMicro()-read > 3*c.hub.o.PingEvery.Microseconds():
		c.kill()
	case ping && c.state < closingDown && c.wire == sse:
		c.put(nil, 0, []byte(": ping\n\n"))
	case ping && c.state < closingDown:
		c.put(nil, 0, appendFrame(nil, ws.OpPing, nil))
	}
}

func newName() string { return "con_" + rand.Text() }
