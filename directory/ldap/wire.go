package ldap

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// This file reads the messages of RFC 4511 that answer a bind, a search and StartTLS. It exists because the
// general decoder costs ten times the time on a full reading; a test holds both to the same result.

// maxMessage bounds one message: a group with half a million members fits.
const maxMessage = 64 << 20

// Tags of the answers, with their class and form bits (RFC 4511 section 4.2 and following).
const (
	tagSequence     = 0x30
	tagOctets       = 0x04
	tagControls     = 0xa0
	tagBindAnswer   = 0x61
	tagEntry        = 0x64
	tagDone         = 0x65
	tagReference    = 0x73
	tagExtAnswer    = 0x78
	tagIntermediate = 0x79
)

var errMalformed = errors.New("malformed answer")

// entry is one search result; names of attributes are in lower case.
type entry struct {
	dn    string
	attrs map[string][]string
}

// element cuts the first BER element off b.
func element(b []byte) (tag byte, content, rest []byte, err error) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return 0, nil, nil, errMalformed
	}
	tag, n, at := b[0], int(b[1]), 2
	if n >= 0x80 {
		octets := n & 0x7f
		if octets == 0 || octets > 4 || len(b) < 2+octets {
			return 0, nil, nil, errMalformed
		}
		n = 0
		for _, o := range b[2 : 2+octets] {
			n = n<<8 | int(o)
		}
		at += octets
	}
	if n > len(b)-at {
		return 0, nil, nil, errMalformed
	}
	return tag, b[at : at+n], b[at+n:], nil
}

// want is element for a part that must have this tag.
func want(b []byte, tag byte) (content, rest []byte, err error) {
	got, content, rest, err := element(b)
	if err == nil && got != tag {
		err = fmt.Errorf("%w: tag %#x where %#x belongs", errMalformed, got, tag)
	}
	return content, rest, err
}

func number(content []byte) (int64, error) {
	if len(content) == 0 || len(content) > 8 {
		return 0, errMalformed
	}
	n := int64(int8(content[0]))
	for _, o := range content[1:] {
		n = n<<8 | int64(o)
	}
	return n, nil
}

// message is one LDAPMessage: its number, its operation and what follows it. The bytes are valid until the next read.
type message struct {
	id       int64
	tag      byte
	op       []byte
	controls []byte
}

// readMessage reads one message into buf, which it may grow and answers for use at the next call.
func readMessage(in *bufio.Reader, buf []byte) (message, []byte, error) {
	var m message
	head := make([]byte, 2, 6)
	if _, err := io.ReadFull(in, head); err != nil {
		return m, buf, err
	}
	if head[0] != tagSequence {
		return m, buf, fmt.Errorf("%w: not an LDAP message", errMalformed)
	}
	n := int(head[1])
	if n >= 0x80 {
		octets := n & 0x7f
		if octets == 0 || octets > 4 {
			return m, buf, errMalformed
		}
		head = head[:2+octets]
		if _, err := io.ReadFull(in, head[2:]); err != nil {
			return m, buf, unexpected(err)
		}
		n = 0
		for _, o := range head[2:] {
			n = n<<8 | int(o)
		}
	}
	if n > maxMessage {
		return m, buf, fmt.Errorf("%w: a message of %d bytes", errMalformed, n)
	}
	body, err := readBody(in, buf, n)
	if err != nil {
		return m, body, unexpected(err)
	}
	id, rest, err := want(body, 0x02)
	if err != nil {
		return m, body, err
	}
	if m.id, err = number(id); err != nil {
		return m, body, err
	}
	if m.tag, m.op, rest, err = element(rest); err != nil {
		return m, body, err
	}
	if len(rest) > 0 && rest[0] == tagControls {
		m.controls, _, err = want(rest, tagControls)
	}
	return m, body, err
}

// readBody reads n bytes and trusts the announced length only as far as bytes arrive.
func readBody(in *bufio.Reader, buf []byte, n int) ([]byte, error) {
	const step = 1 << 20
	buf = buf[:0]
	for len(buf) < n {
		more, at := min(step, n-len(buf)), len(buf)
		if cap(buf) < at+more {
			grown := make([]byte, at, max(2*cap(buf), at+more))
			copy(grown, buf)
			buf = grown
		}
		buf = buf[:at+more]
		if _, err := io.ReadFull(in, buf[at:]); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// names keeps one string for each name of an attribute, in lower case.
type names map[string]string

func (n names) of(raw []byte) string {
	if s, ok := n[string(raw)]; ok {
		return s
	}
	s := strings.ToLower(string(raw))
	if len(n) < 4096 { // a server cannot make it grow without end
		n[string(raw)] = s
	}
	return s
}

// parseEntry reads a SearchResultEntry (RFC 4511 section 4.5.2).
func parseEntry(op []byte, known names) (entry, error) {
	dn, rest, err := want(op, tagOctets)
	if err != nil {
		return entry{}, err
	}
	list, _, err := want(rest, tagSequence)
	if err != nil {
		return entry{}, err
	}
	e := entry{dn: string(dn), attrs: make(map[string][]string, 24)}
	for len(list) > 0 {
		var attr, name, set, value []byte
		if attr, list, err = want(list, tagSequence); err != nil {
			return entry{}, err
		}
		if name, attr, err = want(attr, tagOctets); err != nil {
			return entry{}, err
		}
		if set, _, err = want(attr, 0x31); err != nil {
			return entry{}, err
		}
		key := known.of(name)
		values := e.attrs[key]
		for len(set) > 0 {
			if value, set, err = want(set, tagOctets); err != nil {
				return entry{}, err
			}
			values = append(values, string(value))
		}
		e.attrs[key] = values
	}
	return e, nil
}

// parseResult reads an LDAPResult (RFC 4511 section 4.1.9); anything but success is a *goldap.Error.
func parseResult(op []byte) error {
	raw, rest, err := want(op, 0x0a)
	if err != nil {
		return err
	}
	code, err := number(raw)
	if err != nil || code < 0 || code > 0xffff {
		return errMalformed
	}
	if _, rest, err = want(rest, tagOctets); err != nil {
		return err
	}
	text, _, err := want(rest, tagOctets)
	if err != nil {
		return err
	}
	if code == goldap.LDAPResultSuccess {
		return nil
	}
	return goldap.NewError(uint16(code), errors.New(strings.ToValidUTF8(strings.TrimRight(string(text), "\x00"), "?")))
}

// findControl answers the value of a control among those of an answer.
func findControl(controls []byte, oid string) (value []byte, found bool, err error) {
	for len(controls) > 0 {
		var c, name []byte
		if c, controls, err = want(controls, tagSequence); err != nil {
			return nil, false, err
		}
		if name, c, err = want(c, tagOctets); err != nil {
			return nil, false, err
		}
		if string(name) != oid {
			continue
		}
		if len(c) > 0 && c[0] == 0x01 { // criticality
			if _, _, c, err = element(c); err != nil {
				return nil, false, err
			}
		}
		value, _, err = want(c, tagOctets)
		return value, err == nil, err
	}
	return nil, false, nil
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

func octets(tag ber.Tag, class ber.Class, s string) *ber.Packet {
	return ber.NewString(class, ber.TypePrimitive, tag, s, "")
}

// envelope makes a request: a message number, an operation and, where there are some, controls.
func envelope(id int64, op *ber.Packet, controls ...*ber.Packet) []byte {
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	m.AppendChild(op)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		for _, c := range controls {
			list.AppendChild(c)
		}
		m.AppendChild(list)
	}
	return m.Bytes()
}
