package delivery

import "github.com/rollcall-im/rollcall/internal/id"

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
	cut := frozen != nil && frozen(c.who.Person)
	left := 0
	for i := 0; i < len(rooms) && i < 64*len(c.known) && !cut && c.state != dead; i++ {
		if !c.known.has(i) {
			continue
		}
		if c.allowed(rooms[i], 0) {
			left++
			continue
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
