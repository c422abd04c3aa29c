package ldap

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// pulse reads a connection on which a search goes on for ever. It asks the server for its mark now and then, on the same
// connection: what answers there is alive, and what is silent for the configured time is dead.
type pulse struct {
	c     *conn
	asked int64     // the number of the question that is open; 0: none
	since time.Time // when it was asked, or when the last was answered
	mark  []string  // of the answer so far

	lag   csns // what the stream has not told yet
	lagAt time.Time
}

func newPulse(c *conn) pulse { return pulse{c: c, since: time.Now()} }

// every is the pause between two questions.
func (p *pulse) every() time.Duration { return p.c.p.Timeout / 2 }

// resumed is to be called after anything that kept from reading: the silence meanwhile was not the server's.
func (p *pulse) resumed() {
	if p.asked != 0 {
		p.since = time.Now()
	}
}

// next reads the next message. Its tag is 0 where there was none for a while and the server was asked for its mark.
func (p *pulse) next() (message, error) {
	limit := p.every()
	if p.asked != 0 {
		limit = p.c.p.Timeout
	}
	came, err := p.c.awaits(p.since.Add(limit))
	switch {
	case err != nil:
		return message{}, err
	case came:
		return p.c.read()
	case p.asked != 0:
		return message{}, fmt.Errorf("%w: not a word on the stream for %v", ErrTimeout, limit)
	}
	p.mark, p.since = nil, time.Now()
	p.asked, err = p.c.begin(request{base: p.c.markAt, scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", attrs: p.c.root.marks})
	return message{}, err
}

// answer reads an answer to the question; alive is true at its end. told is what the stream has told, where it has
// caught up: one that does not tell for the configured time what the server has seen is stuck.
func (p *pulse) answer(m message, told csns) (alive bool, err error) {
	switch {
	case m.id != p.asked:
		return false, nil
	case m.tag == tagEntry:
		e, err := parseEntry(m.op, p.c.seen)
		p.mark = e.all(p.c.root.marks)
		return false, err
	case m.tag != tagDone:
		return false, nil
	}
	p.asked, p.since = 0, time.Now()
	var refusal *goldap.Error
	if err := parseResult(m.op); err != nil && !errors.As(err, &refusal) {
		return false, err
	}
	switch seen, ok := parseCSNs(strings.Join(p.mark, " "), " "); {
	case !ok || told == nil || told.covers(seen):
		p.lag = nil
	case p.lag == nil || told.covers(p.lag):
		p.lag, p.lagAt = seen, p.since
	case p.since.Sub(p.lagAt) > p.c.p.Timeout:
		return false, fmt.Errorf("%w: the stream has not told for %v what the server has seen", ErrTimeout, p.c.p.Timeout)
	}
	return true, nil
}

// begin sends a search and answers its number.
func (c *conn) begin(r request) (int64, error) {
	op, controls, err := r.encode()
	if err != nil {
		return 0, err
	}
	c.raw.until = time.Time{}
	err = c.send(op, controls...)
	return c.id, err
}

// awaits tells whether something comes before at.
func (c *conn) awaits(at time.Time) (bool, error) {
	if c.in.Buffered() > 0 {
		return true, nil
	}
	c.raw.until = at
	_, err := c.in.Peek(1)
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		return false, nil
	}
	return err == nil, err
}

// read reads a message of which the first byte is there.
func (c *conn) read() (message, error) {
	c.raw.until = time.Now().Add(c.p.PageTimeout)
	m, buf, err := readMessage(c.in, c.buf)
	if c.buf = buf; err == nil && m.id == 0 { // RFC 4511 section 4.4.1: notice of disconnection
		err = fmt.Errorf("%w with a notice: %v", ErrClosed, parseResult(m.op))
	}
	return m, err
}

// whole tells whether a whole message can be read without waiting.
func (c *conn) whole() bool {
	n := c.in.Buffered()
	if n < 2 {
		return false
	}
	head, err := c.in.Peek(min(n, 6))
	if err != nil {
		return false
	}
	size, length := 2, int(head[1])
	if length >= 0x80 {
		octets := length & 0x7f
		if size += octets; octets > 4 || len(head) < size {
			return false
		}
		length = 0
		for _, o := range head[2:size] {
			length = length<<8 | int(o)
		}
	}
	return n >= size+length
}
