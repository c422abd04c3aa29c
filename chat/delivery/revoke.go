package delivery

import (
	"net"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// lost is called by the Gate when a new snapshot is in force and before its revision is acknowledged. It
// returns when no section begun under an older snapshot is left for the people concerned: each connection's
// gate was taken once since, and each answer under way was ended or has passed its check again.
//
// A connection that registers at the same time needs no special case: it judges its rights after it was
// registered, and every write asks the Gate, which answers from the new snapshot already.
func (h *Hub) lost(_ int64, people []id.Person, channels []id.Channel) {
	h.broadcast()
	if h.fault&faultNoCut != 0 {
		return
	}
	everybody := len(people) == 0 && len(channels) > 0
	var conns []*conn
	if everybody {
		conns = h.all()
	} else {
		for _, person := range people {
			conns = append(conns, h.of(person)...)
		}
	}
	h.mu.RLock()
	rooms := h.list
	h.mu.RUnlock()
	for _, c := range conns {
		c.judge(rooms, !everybody)
	}
	h.exits.judge(people, everybody)
}

// judge holds a connection against the snapshot in force: it is cut where its person has no access left,
// else it loses what the person may not view any more. named says that the person is known to have lost something.
func (c *conn) judge(rooms []*room, named bool) {
	frozen := c.hub.o.Frozen
	c.gate.Lock()
	cut := frozen != nil && frozen(c.who.Person) || !c.hub.fresh() // a Gate that denies everybody takes no channel from anybody
	left := 0
	unsent := waiting(c.fd) > 0 && c.hub.fault&faultNoReset == 0 // before anything is told of what is lost
	for i := 0; i < len(rooms) && i < 64*len(c.known) && !cut && c.state != dead; i++ {
		if !c.known.has(i) {
			continue
		}
		if c.allowed(rooms[i], 0) {
			left++
			continue
		}
		if unsent {
			c.kill()
			break
		}
		c.lose(rooms[i])
	}
	if cut = cut || frozen == nil && named && left == 0; cut {
		c.kill()
	} else {
		c.sift()
	}
	gone := c.state == dead
	c.leave()
	if gone {
		<-c.closed
	}
}

// sift drops from the queue what a history that opens later now hides. The gate is held.
func (c *conn) sift() {
	for i := 0; i < len(c.queue); {
		q := c.queue[i]
		if q.room == nil || c.allowed(q.room, q.at) {
			i++
			continue
		}
		if i == 0 && q.off > 0 {
			c.kill()
			return
		}
		c.queued -= len(q.buf)
		c.queue = append(c.queue[:i], c.queue[i+1:]...)
	}
}

// EndPerson cuts every connection and every answer under way of person. It returns when nothing more is written.
func (h *Hub) EndPerson(person id.Person) {
	for _, c := range h.of(person) {
		c.cut()
	}
	h.exits.end(func(x *exit) bool { return x.who.Person == person })
}

// EndAll cuts every connection and every answer under way: the Gate had lost touch, and some may have missed something. Clients come back
// and resume. It returns when nothing more is written.
func (h *Hub) EndAll() {
	for _, c := range h.all() {
		c.cut()
	}
	h.exits.end(func(*exit) bool { return true })
}

func (h *Hub) fresh() bool { return h.o.Fresh == nil || h.o.Fresh() }

// EndSession does what EndPerson does for one browser session, which must have been ended before the call.
func (h *Hub) EndSession(session id.Session) {
	for _, c := range h.all() {
		if session != "" && c.who.Session == session {
			c.cut()
		}
	}
	h.exits.end(func(x *exit) bool { return session != "" && x.who.Session == session })
}

// EndToken does what EndPerson does for one API token, which must have been revoked before the call.
func (h *Hub) EndToken(token id.Token) {
	for _, c := range h.all() {
		if token != "" && c.who.Token == token {
			c.cut()
		}
	}
	h.exits.end(func(x *exit) bool { return token != "" && x.who.Token == token })
}

// Judge ends the answers to person whose ground is gone, which must have ended before the call. It returns when no section begun before is left.
func (e *Exits) Judge(person id.Person) { e.judge([]id.Person{person}, false) }

// judge ends the answers whose ground is gone. It returns when no section begun before is left.
func (e *Exits) judge(people []id.Person, everybody bool) {
	named := make(map[id.Person]bool, len(people))
	for _, person := range people {
		named[person] = true
	}
	for _, x := range e.list(func(x *exit) bool { return everybody || named[x.who.Person] }) {
		x.stop(func() bool {
			e.mu.Lock()
			channels, grounds := x.channels, x.grounds
			e.mu.Unlock()
			return !e.stands(x.who.Person, channels, grounds)
		})
	}
}

// end ends the answers that match.
func (e *Exits) end(match func(*exit) bool) {
	for _, x := range e.list(match) {
		x.stop(func() bool { return true })
	}
}

func (e *Exits) list(match func(*exit) bool) []*exit {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []*exit
	for x := range e.running {
		if match(x) {
			out = append(out, x)
		}
	}
	return out
}

// stop ends x where gone says so: it frees a section that a slow client holds up, then waits for it.
func (x *exit) stop(gone func() bool) {
	ended := gone()
	if ended {
		x.ended.Store(true)
		x.cancel()
		if x.writing.Load() && (x.conn == nil || x.unsent() > 0) { // also frees a section that waits for the client
			x.reset()
		}
	}
	x.gate.Lock() // the section under way has ended
	defer x.gate.Unlock()
	if ended && x.sent && !x.refused && x.unsent() > 0 {
		x.reset()
	}
}

// reset drops what the client has not taken yet.
func (x *exit) reset() {
	if tcp, ok := x.conn.(*net.TCPConn); ok { // first: the server closes the connection itself once a write fails
		tcp.SetLinger(0)
		tcp.Close()
	}
	x.control.SetWriteDeadline(time.Now())
}
