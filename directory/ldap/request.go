package ldap

import (
	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// request is one search.
type request struct {
	base     string
	scope    int
	filter   string
	attrs    []string
	pageSize int // 0: without the paging control
	cookie   string
	controls []*ber.Packet           // others
	skip     func(entry []byte) bool // tells whether an entry is left out of the answer; may be nil
}

func (r request) encode() (op *ber.Packet, controls []*ber.Packet, err error) {
	filter, err := goldap.CompileFilter(r.filter)
	if err != nil {
		return nil, nil, err
	}
	op = ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationSearchRequest, nil, "")
	op.AppendChild(octets(ber.TagOctetString, ber.ClassUniversal, r.base))
	for i, n := range []int{r.scope, goldap.NeverDerefAliases, 0, 0} {
		tag := ber.Tag(ber.TagEnumerated)
		if i >= 2 { // size and time limit: the server's own
			tag = ber.TagInteger
		}
		op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, tag, n, ""))
	}
	op.AppendChild(ber.NewLDAPBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, ""))
	op.AppendChild(filter)
	list := ber.NewSequence("")
	for _, name := range r.attrs {
		list.AppendChild(octets(ber.TagOctetString, ber.ClassUniversal, name))
	}
	op.AppendChild(list)
	if r.pageSize > 0 {
		paging := goldap.NewControlPaging(uint32(r.pageSize))
		paging.SetCookie([]byte(r.cookie))
		controls = append(controls, paging.Encode())
	}
	return op, append(controls, r.controls...), nil
}

// bindRequest makes a simple bind (RFC 4511 section 4.2).
func bindRequest(dn string, password Secret) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationBindRequest, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 3, ""))
	op.AppendChild(octets(ber.TagOctetString, ber.ClassUniversal, dn))
	op.AppendChild(octets(0, ber.ClassContext, string(password)))
	return op
}

// The modes of a Sync Request (RFC 4533 section 2.2).
const (
	refreshOnly       = 1
	refreshAndPersist = 3
)

// syncRequest makes the Sync Request control.
func syncRequest(mode int, cookie string) *ber.Packet {
	value := ber.NewSequence("")
	value.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, mode, ""))
	if cookie != "" {
		value.AppendChild(octets(ber.TagOctetString, ber.ClassUniversal, cookie))
	}
	return critical(goldap.ControlTypeSyncRequest, value)
}

// critical makes a control that the server must not ignore.
func critical(oid string, value *ber.Packet) *ber.Packet {
	c := ber.NewSequence("")
	c.AppendChild(octets(ber.TagOctetString, ber.ClassUniversal, oid))
	c.AppendChild(ber.NewLDAPBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, true, ""))
	if value != nil {
		c.AppendChild(octets(ber.TagOctetString, ber.ClassUniversal, string(value.Bytes())))
	}
	return c
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
