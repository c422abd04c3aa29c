package ldap

import (
	"fmt"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

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

// syncRequest makes the Sync Request control (RFC 4533 section 2.2) for a refresh that persists.
func syncRequest(cookie string) *ber.Packet {
	value := ber.NewSequence("")
	value.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, 3, ""))
	if cookie != "" {
		value.AppendChild(octets(ber.TagOctetString, ber.ClassUniversal, cookie))
	}
	c := ber.NewSequence("")
	c.AppendChild(octets(ber.TagOctetString, ber.ClassUniversal, goldap.ControlTypeSyncRequest))
	c.AppendChild(ber.NewLDAPBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, true, ""))
	c.AppendChild(octets(ber.TagOctetString, ber.ClassUniversal, string(value.Bytes())))
	return c
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
		for len(set) > 0 {
			var id []byte
			if id, set, err = want(set, tagOctets); err != nil {
				return s, false, err
			}
			if len(id) != 16 {
				return s, false, fmt.Errorf("%w: an id of %d bytes", errMalformed, len(id))
			}
			s.ids = append(s.ids, string(id))
		}
		return s, true, nil
	}
	return s, false, fmt.Errorf("%w: sync info %#x", errMalformed, kind)
}
