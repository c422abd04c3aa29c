package ldap

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// conn is one connection with one request at a time. After any error but an answer of the server it is closed.
type conn struct {
	p    *prepared
	at   *server
	raw  *patient
	wire net.Conn // raw, or TLS over it
	in   *bufio.Reader
	id   int64
	buf  []byte
	seen names
	root rootDSE
	dead bool

	markAt string // the entry where the marks were found last
}

// patient gives each read and each write a deadline: some byte must pass within idle, and all of it before until.
type patient struct {
	net.Conn
	idle  time.Duration
	until time.Time
}

func (p *patient) deadline() time.Time {
	at := time.Now().Add(p.idle)
	if !p.until.IsZero() && p.until.Before(at) {
		return p.until
	}
	return at
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.SetReadDeadline(p.deadline()); err != nil {
		return 0, err
	}
	return p.Conn.Read(b)
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(p.deadline()); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// dial connects, secures, logs in and reads the rootDSE.
func dial(ctx context.Context, p *prepared, at *server) (*conn, error) {
	c, err := open(ctx, p, at)
	if err != nil {
		return nil, err
	}
	if err := c.guard(ctx, p.Timeout, c.bind); err != nil {
		c.close()
		return nil, explain("log in at "+at.address, refusedLogin(err), p.Password)
	}
	if err := c.readRoot(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// open connects and secures. Nobody is logged in then.
func open(ctx context.Context, p *prepared, at *server) (*conn, error) {
	dialer := &net.Dialer{Timeout: p.Timeout, KeepAlive: 15 * time.Second}
	raw, err := dialer.DialContext(ctx, "tcp", at.address)
	if err != nil {
		if ctx.Err() != nil {
			return nil, explain("connect", ctx.Err(), p.Password)
		}
		return nil, explain("connect to "+at.address, err, p.Password)
	}
	c := &conn{p: p, at: at, raw: &patient{Conn: raw, idle: p.Timeout}, seen: names{}}
	c.wire = c.raw
	c.in = bufio.NewReaderSize(c.wire, 64<<10)
	if err := c.guard(ctx, p.Timeout, func() error { return c.secure(ctx) }); err != nil {
		c.close()
		return nil, explain("secure the connection to "+at.address, err, p.Password)
	}
	return c, nil
}

// guard runs fn with a deadline for the whole of it, and closes the connection where ctx ends meanwhile.
func (c *conn) guard(ctx context.Context, limit time.Duration, fn func() error) error {
	if c.dead {
		return ErrClosed
	}
	c.raw.until = time.Now().Add(limit)
	stop := context.AfterFunc(ctx, func() { c.raw.Conn.Close() })
	err := fn()
	stop()
	var answer *goldap.Error
	if err != nil && !errors.As(err, &answer) {
		c.dead = true
		c.raw.Conn.Close()
	}
	var slow net.Error
	switch {
	case err == nil, answer != nil:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &slow) && slow.Timeout():
		if time.Now().Before(c.raw.until) {
			return fmt.Errorf("%w: not a byte for %v", ErrTimeout, c.raw.idle)
		}
		return fmt.Errorf("%w: not done after %v", ErrTimeout, limit)
	}
	return err
}

// close ends the connection; a goodbye is not needed for a reader.
func (c *conn) close() {
	c.dead = true
	c.raw.Conn.Close()
}

// secure sets up TLS, or makes sure that there may be none. There is no way back to plain from a failure.
func (c *conn) secure(ctx context.Context) error {
	if c.p.InsecurePlain {
		if at, ok := c.raw.RemoteAddr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
			return fmt.Errorf("%w: insecure_plain, but %s is another machine", ErrTLS, c.at.host)
		}
		return nil
	}
	if !c.at.secure {
		op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationExtendedRequest, nil, "")
		op.AppendChild(octets(0, ber.ClassContext, "1.3.6.1.4.1.1466.20037")) // RFC 4511 section 4.14
		if err := c.exchange(op, tagExtAnswer); err != nil {
			var answer *goldap.Error
			if errors.As(err, &answer) {
				return fmt.Errorf("%w: the server refuses StartTLS: use ldaps:// (%s)", ErrTLS, err)
			}
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return fmt.Errorf("%w: the server hung up on StartTLS: where this port speaks TLS from the beginning, use ldaps:// (%s)", ErrTLS, err)
			}
			return err
		}
		if c.in.Buffered() > 0 { // plain bytes behind the answer would be taken for the server's, secured
			return fmt.Errorf("%w: the server sent plain bytes after StartTLS", ErrTLS)
		}
	}
	config := c.at.tls.Clone()
	if c.at.roots != nil {
		config.RootCAs = c.at.roots()
	}
	t := tls.Client(c.raw, config)
	if err := t.HandshakeContext(ctx); err != nil {
		var slow net.Error
		if errors.As(err, &slow) && slow.Timeout() || errors.Is(err, syscall.ECONNRESET) { // nothing is wrong with the certificate
			return err
		}
		if hint, kind := classify(err); hint != "" {
			return fmt.Errorf("%w: %s (%s)", kind, hint, err)
		}
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: the server hung up instead: ldaps:// is usually 636, ldap:// with StartTLS 389, and the server needs a certificate", ErrTLS)
		}
		return fmt.Errorf("%w: %s", ErrTLS, err)
	}
	c.wire = t
	c.in.Reset(t)
	return nil
}

func (c *conn) bind() error { return c.exchange(bindRequest(c.p.BindDN, c.p.Password), tagBindAnswer) }

// exchange sends a request that has one answer, and answers its result.
func (c *conn) exchange(op *ber.Packet, tag byte) error {
	if err := c.send(op); err != nil {
		return err
	}
	m, err := c.receive()
	if err != nil {
		return err
	}
	if m.tag != tag {
		return fmt.Errorf("%w: operation %#x", errMalformed, m.tag)
	}
	return parseResult(m.op)
}

func (c *conn) send(op *ber.Packet, controls ...*ber.Packet) error {
	c.id++
	_, err := c.wire.Write(envelope(c.id, op, controls...))
	return err
}

// receive reads the next message for the request under way.
func (c *conn) receive() (message, error) {
	for {
		m, buf, err := readMessage(c.in, c.buf)
		c.buf = buf
		switch {
		case err != nil:
			return m, err
		case m.id == c.id:
			return m, nil
		case m.id == 0: // RFC 4511 section 4.4.1: notice of disconnection
			return m, fmt.Errorf("%w with a notice: %v", ErrClosed, parseResult(m.op))
		}
	}
}

// page is the answer to one search. That paged and an empty cookie come together is the server's word that there is no more.
type page struct {
	entries    []entry
	cookie     string
	paged      bool
	limited    bool // a limit of the server ended it
	skipped    int
	references int
	controls   []byte // of the end
}

// parsePaging finds the paging control (RFC 2696) among the controls of an answer.
func parsePaging(controls []byte) (cookie string, found bool, err error) {
	value, found, err := findControl(controls, goldap.ControlTypePaging)
	if err != nil || !found {
		return "", false, err
	}
	inner, _, err := want(value, tagSequence)
	if err != nil {
		return "", false, err
	}
	_, inner, err = want(inner, 0x02) // the server's estimate
	if err != nil {
		return "", false, err
	}
	raw, _, err := want(inner, tagOctets)
	return string(raw), err == nil, err
}

// search runs one search. With an error the page holds what came before it.
func (c *conn) search(ctx context.Context, r request) (page, error) {
	p, err := c.ask(ctx, r)
	return p, explain("search "+r.base, err, c.p.Password)
}

// ask is search with the error as it came: a *goldap.Error is the server's answer.
func (c *conn) ask(ctx context.Context, r request) (page, error) {
	var p page
	op, controls, err := r.encode()
	if err != nil {
		return p, err
	}
	err = c.guard(ctx, c.p.PageTimeout, func() error {
		if err := c.send(op, controls...); err != nil {
			return err
		}
		for {
			m, err := c.receive()
			if err != nil {
				return err
			}
			switch m.tag {
			case tagEntry:
				if r.skip != nil && r.skip(m.op) {
					p.skipped++
					continue
				}
				e, err := parseEntry(m.op, c.seen)
				if err != nil {
					return err
				}
				p.entries = append(p.entries, e)
			case tagReference:
				p.references++
			case tagIntermediate:
			case tagDone:
				if err := parseResult(m.op); err != nil {
					return err
				}
				p.controls = slices.Clone(m.controls)
				p.cookie, p.paged, err = parsePaging(m.controls)
				return err
			default:
				return fmt.Errorf("%w: operation %#x", errMalformed, m.tag)
			}
		}
	})
	return p, err
}
