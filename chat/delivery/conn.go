package delivery

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

type state uint8

const (
	opening state = iota // registered; nothing of any channel is written before the first resume
	live
	closingDown // the close frame stands at the end of the queue, nothing follows it
	dead        // nothing is written any more
)

// closeTime bounds how long a closing handshake may take.
const closeTime = 3 * time.Second

// conn is one open stream. Order of locks: gate, a room's mu, Hub.mu.
type conn struct {
	hub    *Hub
	name   string
	who    httpapi.Caller
	sock   net.Conn
	raw    syscall.RawConn
	fd     int // valid while the gate is held and state is not dead: only reap closes it, after that
	wire   wire
	cancel context.CancelFunc
	closed chan struct{} // the socket is closed

	lastRead atomic.Int64 // microseconds
	begun    atomic.Int64 // when the client's unfinished message began; 0: there is none
	typed    time.Time    // of the reading goroutine

	// gate is held by every check and the write that follows it, and by a revocation: what holds it after
	// a new snapshot came into force sees that snapshot.
	gate     sync.Mutex
	state    state
	reaped   bool
	graceful bool // the client has everything and agreed: close without a reset
	queue    []chunk
	queued   int
	space    chan struct{} // closed when the queue has shrunk to a half
	resuming map[id.Channel]int64
	after    map[id.Channel]int64
	known    bits // rooms this client was told of

	pulling, pullAgain bool // the person's log is being read
	personSeq          int64
}

// chunk is prepared bytes that wait. It begins at a frame's border; buf is shared and never changed.
type chunk struct {
	room *room // nil: bound to no channel
	at   int64 // instant of the oldest event in it, microseconds; 0: not bound to a time
	buf  []byte
	off  int
}

// bits is a set of small numbers.
type bits []uint64

func (b *bits) set(n int) {
	for n/64 >= len(*b) {
		*b = append(*b, 0)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

func (b bits) has(n int) bool { return n/64 < len(b) && b[n/64]&(1<<(n%64)) != 0 }

func (b bits) clear(n int) {
	if n/64 < len(b) {
		b[n/64] &^= 1 << (n % 64)
	}
}

// leave ends a section: it releases the gate and, where the connection died in it, closes the socket.
// Never called from inside a RawConn callback, which Close would wait for.
func (c *conn) leave() {
	reap := c.state == dead && !c.reaped
	c.reaped = c.reaped || reap
	c.gate.Unlock()
	if reap {
		c.reap()
	}
}

// reap closes the socket. What the kernel still holds is dropped, unless the close was agreed.
func (c *conn) reap() {
	if tcp, ok := c.sock.(interface{ SetLinger(int) error }); ok && !c.graceful && c.hub.fault&faultNoReset == 0 {
		tcp.SetLinger(0)
	}
	c.sock.Close()
	c.cancel()
	close(c.closed)
}

// kill drops the queue; leave then closes. The gate is held.
func (c *conn) kill() {
	c.state, c.queue, c.queued = dead, nil, 0
	c.wake()
}

func (c *conn) wake() {
	if c.space != nil {
		close(c.space)
		c.space = nil
	}
}

// cut is revocation of the whole connection. When it returns every section begun before has ended, the
// queue is dropped and the socket is closed.
func (c *conn) cut() {
	c.gate.Lock()
	c.graceful = false
	c.kill()
	c.leave()
	<-c.closed
}

// allowed asks the Gate. The gate is held, so that the answer holds for the write that follows.
func (c *conn) allowed(r *room, at int64) bool {
	if c.hub.fault&faultUnchecked != 0 {
		return true
	}
	ok, from := c.hub.o.Gate.Allow(c.who.Person, r.channel, View)
	return ok && (at == 0 || from.IsZero() || at >= from.UnixMicro())
}

// deliver writes what this connection may have of a batch of its room: one section, one check, one write.
func (c *conn) deliver(r *room, b *batch) {
	c.gate.Lock()
	if c.state != live {
		c.gate.Unlock()
		return
	}
	if c.resuming != nil {
		if seen, ok := c.resuming[r.channel]; ok { // the resume reads on until it has passed this
			c.resuming[r.channel] = max(seen, b.last)
			c.gate.Unlock()
			return
		}
	}
	ok, from := true, time.Time{}
	if c.hub.fault&faultUnchecked == 0 {
		ok, from = c.hub.o.Gate.Allow(c.who.Person, r.channel, View)
	}
	if !ok {
		c.gate.Unlock()
		return
	}
	skip := 0
	if c.after != nil {
		if last, ok := c.after[r.channel]; ok {
			for skip < len(b.events) && b.events[skip].Seq <= last {
				skip++
			}
			if b.last >= last {
				delete(c.after, r.channel)
			}
		}
	}
	if !from.IsZero() {
		for skip < len(b.events) && b.events[skip].At.Before(from) {
			skip++
		}
	}
	if buf, at := b.from(skip, c.wire); len(buf) > 0 {
		c.known.set(r.index)
		c.put(r, at, buf)
	}
	c.leave()
}

// put writes buf as far as the socket takes it and queues the rest. The gate is held, the check was made.
func (c *conn) put(r *room, at int64, buf []byte) {
	rest := chunk{room: r, at: at, buf: buf}
	if len(c.queue) == 0 {
		n, ok := c.write(buf)
		if !ok {
			c.kill()
			return
		}
		if rest.off = n; n == len(buf) {
			return
		}
	}
	size := len(buf) - rest.off
	if c.queued+size > c.hub.o.QueueBytes && len(c.queue) > 0 {
		c.hub.overflows.Add(1)
		c.shut(&closing{CodeResume, "resume"})
		return
	}
	c.queue = append(c.queue, rest)
	c.queued += size
	if len(c.queue) == 1 && !c.hub.spawn(c.drain) {
		c.kill()
	}
}

// write hands bytes to the kernel without waiting; false: the connection is broken.
func (c *conn) write(buf []byte) (int, bool) {
	if c.hub.trace != nil {
		c.hub.trace(c.who.Person, buf)
	}
	for {
		n, err := syscall.Write(c.fd, buf)
		switch err {
		case nil:
			return n, true
		case syscall.EAGAIN:
			return 0, true
		case syscall.EINTR:
		default:
			return 0, false
		}
	}
}

// drain writes the queue as the client takes it, each piece in a section of its own.
func (c *conn) drain() {
	err := c.raw.Write(func(uintptr) bool {
		c.gate.Lock()
		defer c.gate.Unlock()
		return c.flush()
	})
	c.gate.Lock()
	if err != nil { // broken, or too slow to be told goodbye
		c.kill()
	}
	c.leave()
}

// flush answers false where the socket is full. The gate is held; leave is the caller's.
func (c *conn) flush() bool {
	for len(c.queue) > 0 && c.state != dead {
		head := &c.queue[0]
		if head.room != nil && !c.allowed(head.room, head.at) {
			if head.off > 0 { // half a frame is out: nothing sensible can follow it
				c.kill()
				return true
			}
			c.shift()
			continue
		}
		n, ok := c.write(head.buf[head.off:])
		if !ok {
			c.kill()
			return true
		}
		c.queued -= n
		if head.off += n; head.off < len(head.buf) {
			return false
		}
		c.shift()
	}
	if c.state == closingDown {
		syscall.Shutdown(c.fd, syscall.SHUT_WR)
	}
	return true
}

func (c *conn) shift() {
	c.queued -= len(c.queue[0].buf) - c.queue[0].off
	c.queue[0] = chunk{}
	if c.queue = c.queue[1:]; len(c.queue) == 0 {
		c.queue, c.queued = nil, 0
	}
	if c.queued <= c.hub.o.QueueBytes/2 {
		c.wake()
	}
}

// shut begins the closing handshake: only the frame that is half out and the close frame are still written.
// The gate is held.
func (c *conn) shut(why *closing) {
	if c.state >= closingDown {
		return
	}
	draining := len(c.queue) > 0
	if draining {
		head := c.queue[0]
		c.queue, c.queued = nil, 0
		if head.off > 0 {
			if c.wire == sse {
				c.kill()
				return
			}
			head.buf = head.buf[:frameEnd(head.buf, head.off)]
			c.queue, c.queued = []chunk{head}, len(head.buf)-head.off
		}
	}
	c.state = closingDown
	c.wake()
	c.sock.SetDeadline(time.Now().Add(closeTime))
	if c.wire != sse {
		bye := chunk{buf: appendFrame(nil, ws.OpClose, ws.NewCloseFrameBody(why.code, why.reason))}
		c.queue = append(c.queue, bye)
		c.queued += len(bye.buf)
	}
	// where the queue was not empty its drainer is under way and flushes what stands now
	if !draining && !c.flush() && !c.hub.spawn(c.drain) {
		c.kill()
	}
}

// lose ends one channel: what is queued of it is dropped and the client is told. Bytes that the kernel has not sent yet
// cannot be taken out one by one: then the connection is reset, and the client resumes. The gate is held.
func (c *conn) lose(r *room) {
	kept := c.queue[:0]
	for i, q := range c.queue {
		switch {
		case q.room != r:
			kept = append(kept, q)
		case i == 0 && q.off > 0:
			c.kill()
			return
		default:
			c.queued -= len(q.buf)
		}
	}
	clear(c.queue[len(kept):])
	c.queue = kept
	if c.known.has(r.index) {
		c.known.clear(r.index)
		c.tell(map[string]any{"op": "channel.gone", "channel": r.channel})
	}
}
