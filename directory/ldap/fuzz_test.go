package ldap

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

const fuzzID = "0123456789abcdef"

func group(tag ber.Tag, class ber.Class, parts ...*ber.Packet) *ber.Packet {
	p := ber.Encode(class, ber.TypeConstructed, tag, nil, "")
	for _, part := range parts {
		p.AppendChild(part)
	}
	return p
}

func text(s string) *ber.Packet { return octets(ber.TagOctetString, ber.ClassUniversal, s) }

func boolean(b bool) *ber.Packet {
	return ber.NewLDAPBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, b, "")
}

// stateControl makes the controls of an entry, with a cookie or without.
func stateControl(state int, cookie *string) []byte {
	value := group(ber.TagSequence, ber.ClassUniversal, ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, state, ""), text(fuzzID))
	if cookie != nil {
		value.AppendChild(text(*cookie))
	}
	c := group(ber.TagSequence, ber.ClassUniversal, text(goldap.ControlTypeSyncState), boolean(false), text(string(value.Bytes())))
	return c.Bytes()
}

// infoMessage makes the operation of an intermediate response.
func infoMessage(value *ber.Packet) []byte {
	return append(octets(0, ber.ClassContext, goldap.ControlTypeSyncInfo).Bytes(), octets(1, ber.ClassContext, string(value.Bytes())).Bytes()...)
}

// FuzzSyncState holds that no control of an entry crashes, and that what go-ldap reads differently is refused.
func FuzzSyncState(f *testing.F) {
	cookie, empty := "rid=000,csn=20261122190110.319478Z#000000#001#000000", ""
	for state := range 5 {
		for _, c := range []*string{nil, &cookie, &empty} {
			f.Add(stateControl(state, c))
		}
	}
	f.Add([]byte("\x30\x80"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, found, err := parseSyncState(raw)
		if err != nil || !found {
			return
		}
		if len(s.id) != 16 || uuid(s.id) == "" || uniqueID(s.id) == "" || s.state < statePresent || s.state > stateDelete {
			t.Fatalf("%+v", s)
		}
		value, _, _ := findControl(raw, goldap.ControlTypeSyncState)
		p, err := ber.DecodePacketErr(value)
		if err != nil || len(p.Children) < 2 { // ours looks only at what it needs
			return
		}
		if theirs, ok := p.Children[0].Value.(int64); ok && theirs != s.state {
			t.Fatalf("state %d, go-ldap reads %d", s.state, theirs)
		}
		if theirs := string(p.Children[1].ByteValue); theirs != s.id {
			t.Fatalf("id %q, go-ldap reads %q", s.id, theirs)
		}
	})
}

// FuzzSyncInfo holds that no intermediate response crashes, and that ids are whole.
func FuzzSyncInfo(f *testing.F) {
	cookie := text("x#1")
	for _, done := range []bool{true, false} {
		f.Add(infoMessage(group(1, ber.ClassContext, cookie, boolean(done))))
		f.Add(infoMessage(group(2, ber.ClassContext, boolean(done))))
		f.Add(infoMessage(group(3, ber.ClassContext, cookie, boolean(done), group(ber.TagSet, ber.ClassUniversal, text(fuzzID), text(fuzzID)))))
	}
	f.Add(infoMessage(octets(0, ber.ClassContext, "new")))
	f.Add(infoMessage(group(1, ber.ClassContext)))
	f.Add(infoMessage(group(3, ber.ClassContext, group(ber.TagSet, ber.ClassUniversal, text("short")))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, found, err := parseSyncInfo(raw)
		if err != nil || !found {
			return
		}
		for _, id := range s.ids {
			if len(id) != 16 {
				t.Fatalf("%+v", s)
			}
		}
		if s.kind != infoCookie && s.kind != infoDelete && s.kind != infoPresent && s.kind != infoIDs {
			t.Fatalf("%+v", s)
		}
	})
}

// FuzzCookie holds that a merged cookie never knows less than either of the two, and that cursors of other places are refused.
func FuzzCookie(f *testing.F) {
	f.Add("rid=000,sid=001,csn=20261122190110.319478Z#000000#001#000000", "rid=000,csn=20261122190110.319478Z#000000#002#000000;20261122190111.000000Z#000000#001#000000")
	f.Add("rid=000,csn=20261122185856.266782Z#000000#001#000000,delcsn=20261122185951.136108Z#000000#001#000000", "")
	f.Add("csn=#", ";;csn=####")
	f.Add("localhost:389#cn=x:dc=x:(objectClass=*)#7", "rid")
	f.Fuzz(func(t *testing.T, last, next string) {
		q := quirks{markIsCookie: true}
		merged := q.merged(last, next)
		b, ok := cookieCSNs(next)
		if !ok {
			if merged != last {
				t.Fatalf("%q took %q for a cookie", last, next)
			}
			return
		}
		have, _ := cookieCSNs(merged)
		a, _ := cookieCSNs(last)
		if !have.covers(a) || !have.covers(b) || strings.Contains(merged, "sid=") {
			t.Fatalf("%q and %q made %q", last, next, merged)
		}
		if q.merged(merged, merged) != merged {
			t.Fatalf("%q is not stable", merged)
		}
	})
}

// FuzzMessage holds that a message is only called whole where it can be read without waiting, and that none crashes.
func FuzzMessage(f *testing.F) {
	f.Add([]byte("\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00"))
	f.Add([]byte("\x30\x84\x00\x00\x00\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00"))
	f.Add([]byte("\x30\x84\x7f\xff\xff\xff"))
	f.Add([]byte("\x30\x80"))
	f.Add([]byte("\x30"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := &conn{in: bufio.NewReaderSize(bytes.NewReader(raw), 64)}
		_, _ = c.in.Peek(1)
		whole, had := c.whole(), c.in.Buffered()
		_, body, err := readMessage(c.in, nil)
		if whole && (err == nil && len(body) > had || strings.Contains(textOf(err), "EOF")) {
			t.Fatalf("%q was called whole: %v", raw, err)
		}
	})
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
