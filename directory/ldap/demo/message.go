package demo

import (
	"bytes"
	"slices"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
)

type control struct {
	critical bool
	value    *ber.Packet // the decoded value; nil where there is none or it is no BER
}

// controls reads the controls of a request (RFC 4511 section 4.1.11).
func controls(list *ber.Packet) map[string]control {
	out := map[string]control{}
	for _, p := range children(list) {
		var c control
		for _, part := range children(p)[min(1, len(children(p))):] {
			switch part.Tag {
			case ber.TagBoolean:
				c.critical = number(part) != 0
			case ber.TagOctetString:
				c.value, _ = ber.DecodePacketErr([]byte(text(part)))
			}
		}
		out[text(child(p, 0))] = c
	}
	return out
}

func unknownCritical(ctl map[string]control, known []string) string {
	for oid, c := range ctl {
		if c.critical && !slices.Contains(known, oid) {
			return oid
		}
	}
	return ""
}

func children(p *ber.Packet) []*ber.Packet {
	if p == nil {
		return nil
	}
	return p.Children
}

func texts(p *ber.Packet) []string {
	var out []string
	for _, c := range children(p) {
		out = append(out, text(c))
	}
	return out
}

func sequence(parts ...*ber.Packet) *ber.Packet {
	return group(ber.ClassUniversal, ber.TagSequence, parts...)
}

func group(class ber.Class, tag ber.Tag, parts ...*ber.Packet) *ber.Packet {
	p := ber.Encode(class, ber.TypeConstructed, tag, nil, "")
	for _, part := range parts {
		p.AppendChild(part)
	}
	return p
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

// context1 is a primitive value under a context tag.
func context1(tag ber.Tag, s string) *ber.Packet {
	return ber.NewString(ber.ClassContext, ber.TypePrimitive, tag, s, "")
}

func enumerated(n int) *ber.Packet {
	return ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, n, "")
}

func integer(n int64) *ber.Packet {
	return ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, n, "")
}

func boolean(b bool) *ber.Packet {
	return ber.NewLDAPBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, b, "")
}

func controlOf(oid string, value *ber.Packet) *ber.Packet {
	return sequence(octets(oid), octets(string(value.Bytes())))
}

// send writes one message. A client that does not read for writeTimeout is cut off.
func (c *conn) send(id int64, op *ber.Packet, ctl ...*ber.Packet) error {
	m := sequence(integer(id), op)
	if len(ctl) > 0 {
		m.AppendChild(group(ber.ClassContext, 0, ctl...))
	}
	out := m.Bytes()
	c.write.Lock()
	defer c.write.Unlock()
	if err := c.raw.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := bytes.NewReader(out).WriteTo(c.raw)
	return err
}

// result sends an LDAPResult under the tag of its operation.
func (c *conn) result(id int64, tag ber.Tag, code int, diagnostic string, more ...*ber.Packet) error {
	return c.send(id, resultOf(tag, code, diagnostic, more...))
}

func resultOf(tag ber.Tag, code int, diagnostic string, more ...*ber.Packet) *ber.Packet {
	op := group(ber.ClassApplication, tag, enumerated(code), octets(""), octets(diagnostic))
	for _, part := range more {
		op.AppendChild(part)
	}
	return op
}
