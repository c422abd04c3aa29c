package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// The operations of RFC 4511 by their application tags.
const (
	opBind         = 0
	opUnbind       = 2
	opSearch       = 3
	opEntry        = 4
	opDone         = 5
	opModify       = 6
	opAdd          = 8
	opDelete       = 10
	opModifyDN     = 12
	opCompare      = 14
	opAbandon      = 16
	opReference    = 19
	opExtended     = 23
	opIntermediate = 25
)

// Result codes of RFC 4511 appendix A, and e-syncRefreshRequired of RFC 4533.
const (
	success             = 0
	protocolError       = 2
	sizeLimitExceeded   = 4
	compareFalse        = 5
	compareTrue         = 6
	authUnsupported     = 7
	referral            = 10
	criticalMissing     = 12
	noSuchAttribute     = 16
	constraintViolation = 19
	valueExists         = 20
	noSuchObject        = 32
	invalidDN           = 34
	badCredentials      = 49
	insufficient        = 50
	unwilling           = 53
	notLeaf             = 66
	alreadyExists       = 68
	canceled            = 118
	refreshRequired     = 4096
)

const (
	oidPaging      = "1.2.840.113556.1.4.319"
	oidSync        = "1.3.6.1.4.1.4203.1.9.1.1"
	oidSyncState   = "1.3.6.1.4.1.4203.1.9.1.2"
	oidSyncDone    = "1.3.6.1.4.1.4203.1.9.1.3"
	oidSyncInfo    = "1.3.6.1.4.1.4203.1.9.1.4"
	oidWhoAmI      = "1.3.6.1.4.1.4203.1.11.3"
	oidCancel      = "1.3.6.1.1.8"
	oidManageDsaIT = "2.16.840.1.113730.3.4.2"
)

const (
	maxMessage   = 8 << 20
	writeTimeout = 30 * time.Second
)

// Serve answers LDAP on listener until ctx ends, then closes it and every connection and returns nil. The
// error is that of the listener. TLS is the listener's matter.
func Serve(ctx context.Context, listener net.Listener, d *Directory) error {
	ctx, cancel := context.WithCancel(ctx)
	var conns sync.WaitGroup
	defer conns.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	for {
		raw, err := listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				raw.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		conns.Go(func() {
			c := &conn{d: d, raw: raw, pages: map[string]page{}, running: map[int64]context.CancelFunc{}}
			c.serve(ctx)
		})
	}
}

// conn is one client. Requests are answered in order, but for content sync, which runs beside.
type conn struct {
	d     *Directory
	raw   net.Conn
	write sync.Mutex // one message at a time

	bound   string // the name bound with; empty is anonymous
	manager bool   // bound as the one who may write
	pages   map[string]page
	pageNo  int

	mu      sync.Mutex
	running map[int64]context.CancelFunc
	syncs   sync.WaitGroup
}

func (c *conn) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer c.syncs.Wait()
	defer cancel()
	defer c.raw.Close()
	defer context.AfterFunc(ctx, func() { c.raw.Close() })()
	in := bufio.NewReader(c.raw)
	for {
		m, err := ber.ReadPacket(&io.LimitedReader{R: in, N: maxMessage})
		if err != nil {
			return
		}
		id, op := number(child(m, 0)), child(m, 1)
		if id <= 0 || op == nil || op.ClassType != ber.ClassApplication {
			return // RFC 4511 section 4.1.1: not an LDAP message
		}
		if op.Tag == opUnbind {
			return
		}
		if c.d.faultsFor(nil).Silent {
			continue
		}
		if err := c.dispatch(ctx, id, op, controls(child(m, 2))); err != nil {
			return
		}
	}
}

func (c *conn) dispatch(ctx context.Context, id int64, op *ber.Packet, ctl map[string]control) error {
	if op.Tag == opAbandon {
		c.stop(number(op))
		return nil
	}
	if oid := unknownCritical(ctl, c.d.Look.knownControls()); oid != "" {
		return c.result(id, op.Tag+1, criticalMissing, "critical control is not supported: "+oid)
	}
	switch op.Tag {
	case opBind:
		return c.bind(id, op)
	case opSearch:
		return c.search(ctx, id, op, ctl)
	case opExtended:
		return c.extended(id, op)
	case opModify, opAdd, opDelete, opModifyDN, opCompare:
		return c.writing(id, op)
	}
	return c.result(id, op.Tag+1, protocolError, "operation is not known")
}

func (c *conn) stop(id int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	cancel, ok := c.running[id]
	if ok {
		cancel()
	}
	return ok
}

func (c *conn) bind(id int64, op *ber.Packet) error {
	c.bound, c.manager = "", false
	name, secret := text(child(op, 1)), child(op, 2)
	switch {
	case number(child(op, 0)) != 3:
		return c.result(id, opBind+1, protocolError, "only LDAP version 3")
	case secret == nil || secret.Tag != 0:
		return c.result(id, opBind+1, authUnsupported, "only simple bind")
	case c.d.faultsFor(nil).EchoSecret:
		return c.result(id, opBind+1, badCredentials, "wrong password "+text(secret))
	case name == "" && text(secret) == "":
		return c.result(id, opBind+1, success, "")
	case text(secret) == "": // RFC 4513 section 5.1.2: a name without a password is not a login
		return c.result(id, opBind+1, unwilling, "unauthenticated bind is not allowed")
	case fold(name) == fold(c.d.bindDN) && text(secret) == c.d.password:
		c.bound, c.manager = name, true
		return c.result(id, opBind+1, success, "")
	}
	if e, err := c.d.Get(name); err == nil {
		for _, p := range e.Values("userPassword") {
			if p == text(secret) {
				c.bound = e.DN
				return c.result(id, opBind+1, success, "")
			}
		}
	}
	return c.result(id, opBind+1, badCredentials, "")
}

func (c *conn) extended(id int64, op *ber.Packet) error {
	switch oid := text(child(op, 0)); oid {
	case oidWhoAmI:
		who := ""
		if c.bound != "" {
			who = "dn:" + c.bound
		}
		return c.result(id, opExtended+1, success, "", context1(11, who))
	case oidCancel:
		target := ber.DecodePacket([]byte(text(child(op, 1))))
		if c.stop(number(child(target, 0))) {
			return c.result(id, opExtended+1, success, "")
		}
		return c.result(id, opExtended+1, 119, "no such operation")
	default:
		return c.result(id, opExtended+1, protocolError, "extended operation is not supported")
	}
}

// writing answers the operations on one entry.
func (c *conn) writing(id int64, op *ber.Packet) error {
	if c.bound == "" || !c.manager && op.Tag != opCompare {
		return c.result(id, op.Tag+1, insufficient, "bind first, as the manager")
	}
	dn := text(child(op, 0))
	if op.Tag == opDelete {
		dn = text(op)
	}
	if !valid(dn) {
		return c.result(id, op.Tag+1, invalidDN, ErrBadName.Error())
	}
	var err error
	switch op.Tag {
	case opAdd:
		e := Entry{DN: text(child(op, 0)), Attributes: map[string][]string{}}
		for _, a := range children(child(op, 1)) {
			name := text(child(a, 0))
			if e.Attributes[name] = texts(child(a, 1)); operational(name) {
				err = fmt.Errorf("add %s: %s: %w", e.DN, name, ErrOperational)
			}
		}
		if err == nil {
			err = c.d.Add(e)
		}
	case opModify:
		var mods []Mod
		for _, m := range children(child(op, 1)) {
			a := child(m, 1)
			mods = append(mods, Mod{Kind: ModKind(number(child(m, 0))), Name: text(child(a, 0)), Values: texts(child(a, 1))})
		}
		err = c.d.Modify(text(child(op, 0)), mods...)
	case opDelete:
		err = c.d.Delete(text(op))
	case opModifyDN:
		drop := number(child(op, 2)) != 0
		err = c.d.Move(text(child(op, 0)), text(child(op, 1)), drop, text(child(op, 3)))
	case opCompare:
		var e Entry
		if e, err = c.d.Get(text(child(op, 0))); err == nil {
			for _, v := range e.Values(text(child(child(op, 1), 0))) {
				if same(v, text(child(child(op, 1), 1))) {
					return c.result(id, opCompare+1, compareTrue, "")
				}
			}
			return c.result(id, opCompare+1, compareFalse, "")
		}
	}
	return c.result(id, op.Tag+1, codeOf(err), message(err))
}

func codeOf(err error) int {
	for _, row := range []struct {
		err  error
		code int
	}{{nil, success}, {ErrNoSuchEntry, noSuchObject}, {ErrExists, alreadyExists}, {ErrNotLeaf, notLeaf}, {ErrBadName, invalidDN}, {ErrNoSuchValue, noSuchAttribute}, {ErrValueExists, valueExists}, {ErrOperational, constraintViolation}} {
		if errors.Is(err, row.err) {
			return row.code
		}
	}
	return protocolError
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
