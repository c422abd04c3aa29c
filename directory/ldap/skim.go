package ldap

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strings"
)

// This file leaves people out of a reading who are as they were: of their entries no more is read than a digest, so that a large directory that is
// compared again and again costs little more than its bytes.

// same tells whether the person of this key is shown under this name and has this digest already, and answers the key.
type same func(key, dn []byte, hash digest) (known string, ok bool)

// skim is Snapshot without the people who are the same. They count among what was read, and are not emitted.
func (cl *Client) skim(ctx context.Context, is same, emit func([]Object) error) (Proof, error) {
	return cl.read(ctx, false, is, emit)
}

// glance is what is seen of an entry without taking it apart.
type glance struct {
	d       digester
	attrs   []shownAttr
	values  [][]byte
	dn, key []byte
}

type shownAttr struct {
	name string
	set  []byte
}

// read looks at the SearchResultEntry of a person. It answers the digest that digester.entry makes of it; false where the entry has to be taken apart.
func (g *glance) read(op []byte, id string, known names) (digest, bool) {
	dn, rest, err := want(op, tagOctets)
	if err != nil {
		return digest{}, false
	}
	list, _, err := want(rest, tagSequence)
	if err != nil {
		return digest{}, false
	}
	g.dn, g.key, g.attrs = dn, g.key[:0], g.attrs[:0]
	for len(list) > 0 {
		var attr, name, set []byte
		if attr, list, err = want(list, tagSequence); err != nil {
			return digest{}, false
		}
		if name, attr, err = want(attr, tagOctets); err != nil {
			return digest{}, false
		}
		if set, _, err = want(attr, 0x31); err != nil {
			return digest{}, false
		}
		if len(set) > 0 {
			g.attrs = append(g.attrs, shownAttr{known.of(name), set})
		}
	}
	slices.SortFunc(g.attrs, func(a, b shownAttr) int { return strings.Compare(a.name, b.name) })
	g.d.buf = append(g.d.buf[:0], ClassPerson...)
	for i, a := range g.attrs {
		if i > 0 && a.name == g.attrs[i-1].name || strings.Contains(a.name, ";range=") || !g.split(a.set) {
			return digest{}, false
		}
		if a.name == id {
			if len(g.values) != 1 {
				return digest{}, false
			}
			g.key = appendKey(g.key, id, g.values[0])
		}
		slices.SortFunc(g.values, bytes.Compare)
		g.d.put(a.name)
		g.d.buf = binary.AppendUvarint(g.d.buf, uint64(len(g.values)))
		for _, v := range g.values {
			g.d.buf = binary.AppendUvarint(g.d.buf, uint64(len(v)))
			g.d.buf = append(g.d.buf, v...)
		}
	}
	return g.d.done(), len(g.key) > 0
}

// split notes the values of a set.
func (g *glance) split(set []byte) bool {
	g.values = g.values[:0]
	for len(set) > 0 {
		value, rest, err := want(set, tagOctets)
		if err != nil {
			return false
		}
		g.values, set = append(g.values, value), rest
	}
	return true
}

// appendKey is key for a value in place.
func appendKey(b []byte, idAttribute string, value []byte) []byte {
	if idAttribute == "objectguid" {
		return append(b, guid(string(value))...)
	}
	if slices.ContainsFunc(value, func(c byte) bool { return c >= 0x80 }) {
		return append(b, strings.ToLower(string(value))...)
	}
	for _, c := range value {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}
