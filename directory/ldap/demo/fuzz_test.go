package demo_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"

	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// bindMessage is a login as the manager, message 1.
func bindMessage() []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, 0, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 3, ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, admin, ""))
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, secret, ""))
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, ""))
	m.AppendChild(op)
	return m.Bytes()
}

// FuzzRequests sends foreign bytes: the server must stay up and answer the next client.
func FuzzRequests(f *testing.F) {
	d := company(f, 2)
	url := ldaptest.Serve(f, d)
	login := bindMessage()
	f.Add([]byte("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00"))
	f.Add([]byte("\x30\x05\x02\x01\x02\x63\x00"))
	f.Add([]byte("\x30\x05\x02\x01\x01\x66\x00\x30\x05\x02\x01\x02\x6c\x00"))
	f.Add([]byte("\x30\x84\x7f\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "ldap://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(login); err != nil { // so that what follows is looked at
			t.Skip()
		}
		if _, err := c.Write(raw); err != nil {
			t.Skip()
		}
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatal("the server neither answered nor closed")
		}
	})
}
