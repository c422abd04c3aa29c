package ldap

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// This file reads the messages of RFC 4511 that answer a bind, a search and StartTLS, and those of RFC 4533 that follow a directory. It exists
// because the general decoder costs ten times the time on a full reading; a test holds both to the same result.

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
		var attr, name, set []byte
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
		if e.attrs[key], err = texts(e.attrs[key], set); err != nil {
			return entry{}, err
		}
	}
	return e, nil
}

// texts appends the values of a set to a list.
func texts(list []string, set []byte) ([]string, error) {
	for len(set) > 0 {
		value, rest, err := want(set, tagOctets)
		if err != nil {
			return nil, err
		}
		list, set = append(list, string(value)), rest
	}
	return list, nil
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

// findControl answers the value of a control among those of an answer; nil where it has none.
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
		if len(c) > 0 { // the value is optional
			value, _, err = want(c, tagOctets)
		}
		return value, err == nil, err
	}
	return nil, false, nil
}

// The states of an entry (RFC 4533 section 2.3).
const (
	statePresent = 0
	stateAdd     = 1
	stateModify  = 2
	stateDelete  = 3
)

// syncState is the Sync State control: what an entry is to the one who follows.
type syncState struct {
	state  int64
	id     string // 16 bytes
	cookie *string
}

// The kinds of a Sync Info message (RFC 4533 section 2.5), by their tags.
const (
	infoCookie  = 0x80
	infoDelete  = 0xa1
	infoPresent = 0xa2
	infoIDs     = 0xa3
)

// syncInfo is a Sync Info message.
type syncInfo struct {
	kind    byte
	cookie  *string // nil: there is none, which is not the same as an empty one
	done    bool    // of infoDelete and infoPresent: the refresh ends here
	deletes bool    // of infoIDs: the ids are gone; else they are there, unchanged
	ids     []string
}

// parseSyncState reads the control of an entry; found is false where there is none.
func parseSyncState(controls []byte) (s syncState, found bool, err error) {
	value, found, err := findControl(controls, goldap.ControlTypeSyncState)
	if err != nil || !found {
		return s, false, err
	}
	b, _, err := want(value, tagSequence)
	if err != nil {
		return s, false, err
	}
	state, b, err := want(b, 0x0a)
	if err != nil {
		return s, false, err
	}
	if s.state, err = number(state); err != nil {
		return s, false, err
	}
	id, b, err := want(b, tagOctets)
	if err != nil {
		return s, false, err
	}
	if s.id = string(id); len(s.id) != 16 || s.state < statePresent || s.state > stateDelete {
		return s, false, fmt.Errorf("%w: a sync state of %d bytes, %d", errMalformed, len(s.id), s.state)
	}
	s.cookie, _, err = optional(b)
	return s, err == nil, err
}

// optional reads a cookie, where one stands there.
func optional(b []byte) (cookie *string, rest []byte, err error) {
	if len(b) == 0 || b[0] != tagOctets {
		return nil, b, nil
	}
	raw, rest, err := want(b, tagOctets)
	text := string(raw)
	return &text, rest, err
}

// flag reads a BOOLEAN DEFAULT, where one stands there.
func flag(b []byte, otherwise bool) (value bool, rest []byte, err error) {
	if len(b) == 0 || b[0] != 0x01 {
		return otherwise, b, nil
	}
	raw, rest, err := want(b, 0x01)
	if err == nil && len(raw) != 1 {
		err = errMalformed
	}
	return err == nil && raw[0] != 0, rest, err
}

// parseSyncInfo reads an intermediate response; found is false where it is of another kind.
func parseSyncInfo(op []byte) (s syncInfo, found bool, err error) {
	name, rest, err := want(op, 0x80)
	if err != nil || string(name) != goldap.ControlTypeSyncInfo {
		return s, false, err
	}
	value, _, err := want(rest, 0x81)
	if err != nil {
		return s, false, err
	}
	kind, b, _, err := element(value)
	if err != nil {
		return s, false, err
	}
	if s.kind = kind; kind == infoCookie {
		text := string(b)
		s.cookie = &text
		return s, true, nil
	}
	if s.cookie, b, err = optional(b); err != nil {
		return s, false, err
	}
	switch kind {
	case infoDelete, infoPresent:
		s.done, _, err = flag(b, true)
		return s, err == nil, err
	case infoIDs:
		if s.deletes, b, err = flag(b, false); err != nil {
			return s, false, err
		}
		set, _, err := want(b, 0x31)
		if err != nil {
			return s, false, err
		}
		if s.ids, err = texts(nil, set); err == nil && slices.ContainsFunc(s.ids, func(id string) bool { return len(id) != 16 }) {
			err = fmt.Errorf("%w: an id that is none", errMalformed)
		}
		return s, err == nil, err
	}
	return s, false, fmt.Errorf("%w: sync info %#x", errMalformed, kind)
}
