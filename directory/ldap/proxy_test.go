package ldap_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// proxy stands between a client and a server, and goes wrong on demand.
type proxy struct {
	address string
	frozen  atomic.Bool                             // nothing passes, and nothing is closed
	mute    atomic.Int64                            // of what the server says, messages of this number are swallowed; only without TLS
	swallow func(from net.Conn, m *ber.Packet) bool // tells which others are, and may wait; nil: none
}

func newProxy(t testing.TB, to string, parse bool) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{address: l.Addr().String()}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			go p.pass(out, in, false)
			go p.pass(in, out, parse)
		}
	}()
	return p
}

func (p *proxy) pass(to, from net.Conn, parse bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 4096)
	for {
		var out []byte
		if parse {
			m, err := ber.ReadPacket(from)
			if err != nil {
				return
			}
			if id, ok := m.Children[0].Value.(int64); ok && id == p.mute.Load() || p.swallow != nil && p.swallow(from, m) {
				continue
			}
			out = m.Bytes()
		} else {
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			out = buf[:n]
		}
		if p.frozen.Load() {
			_, _ = io.Copy(io.Discard, from) // until the client gives up
			return
		}
		if _, err := to.Write(out); err != nil {
			return
		}
	}
}

// TestSilentStream holds that a stream that stands still is an error: where nothing comes any more, and where everything comes
// but the changes.
//
// holds: R16, R18
func TestSilentStream(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 30, Units: 12}.LDIF())
	for name, url := range map[string]string{"ldaps": s.URLS, "StartTLS": s.URL} {
		scheme, address, _ := strings.Cut(url, "://")
		p := newProxy(t, address, false)
		c := slapdConfig(s)
		c.URL, c.Timeout = scheme+"://"+p.address, 400*time.Millisecond
		m := newMirror()
		stop := m.catchUp(t, client(t, c))
		titled(t, s, m, "before "+name)
		m.until(t, name+": signs of life", func() bool { return m.alive > 2 })
		titled(t, s, m, "after "+name)
		p.frozen.Store(true)
		began := time.Now()
		m.until(t, name+": the silence", func() bool { return m.err != nil })
		if err := stop(); !errors.Is(err, ldap.ErrTimeout) || time.Since(began) > 5*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(began))
		}
		if n, _ := m.count(ldap.OpDelete); n > 0 || m.size() == 0 {
			t.Errorf("%s: silence removed somebody", name)
		}
	}

	d, c := double(t, 30)
	p := newProxy(t, strings.TrimPrefix(c.URL, "ldap://"), true)
	c.URL, c.Timeout = "ldap://"+p.address, 400*time.Millisecond
	m := newMirror()
	stop := m.catchUp(t, client(t, c))
	const search = 4 // after the bind, the rootDSE and the mark
	p.mute.Store(search)
	if err := d.Modify("uid=u002,ou=研发,ou=people,"+base, demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{"kept back"}}); err != nil {
		t.Fatal(err)
	}
	m.until(t, "the change is kept back", func() bool { return m.err != nil })
	if err := stop(); !errors.Is(err, ldap.ErrTimeout) || !strings.Contains(err.Error(), "what the server has seen") {
		t.Errorf("a stream that tells nothing: %v", err)
	}
	p.mute.Store(0)
	m.catchUp(t, client(t, c))
	if o, _ := m.byDN("uid=u002,ou=研发,ou=people," + base); len(o.Attrs["title"]) == 0 || o.Attrs["title"][0] != "kept back" {
		t.Error("the change was lost")
	}
}

// TestNotWhole shows refreshes that may not be believed to have named everything.
//
// holds: R1
func TestNotWhole(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 60, Units: 12}.LDIF())
	run := func(c ldap.Config) (*mirror, error) {
		m := newMirror()
		_, err := client(t, c).Changes(t.Context(), m.begin(), m.emit)
		return m, err
	}
	c := slapdConfig(s)
	c.Sentinel = "uid=u000001,ou=dept007,ou=people," + base
	if m, err := run(c); err != nil {
		t.Error(err)
	} else if _, whole := m.count(ldap.OpRefreshed); !whole {
		t.Error("the sentinel is there")
	}
	c.Sentinel = "uid=nobody," + base
	if m, err := run(c); err != nil {
		t.Error(err)
	} else if _, whole := m.count(ldap.OpRefreshed); whole {
		t.Error("the sentinel is not there")
	}
	c.Sentinel = ""
	broken := errors.New("disk full")
	calls := 0
	cursor, err := client(t, c).Changes(t.Context(), "", func([]ldap.Change) error { calls++; return broken })
	if !errors.Is(err, broken) || cursor != "" || calls != 1 {
		t.Errorf("who cannot write: %q %v after %d calls", cursor, err, calls)
	}
	short := ldaptest.Start(t, ldaptest.Company{People: 60, Units: 12}.LDIF())
	short.Stop()
	short.Rewrite(t, "sizelimit unlimited", "sizelimit 50")
	short.Resume(t)
	m, err := run(slapdConfig(short))
	if n, _ := m.count(ldap.OpRefreshed); !errors.Is(err, ldap.ErrServer) || n != 0 || m.cursor != "" {
		t.Errorf("cut short: %v, refreshed %d times", err, n)
	}
}

// TestRefusedSync follows a server that announces content synchronization and does not do it, and one whose ids are not those
// that the server would tell: both are asked for what was modified.
func TestRefusedSync(t *testing.T) {
	for name, alter := range map[string]func(*ldaptest.Server, *ldap.Config){
		"refused": func(s *ldaptest.Server, _ *ldap.Config) {
			s.Rewrite(t, "overlay syncprov\nsyncprov-checkpoint 100 10\nsyncprov-sessionlog 1000", "")
		},
		"another id": func(_ *ldaptest.Server, c *ldap.Config) { c.IDAttribute = "entryDN" },
	} {
		s := ldaptest.Start(t, ldaptest.Company{People: 60, Units: 12}.LDIF())
		s.Stop()
		c := slapdConfig(s)
		alter(s, &c)
		s.Resume(t)
		cl, m := client(t, c), newMirror()
		if _, findings, err := cl.Probe(t.Context()); err != nil || hasCode(findings, "no_syncprov") != (name == "refused") {
			t.Errorf("%s: %v %v", name, findings, err)
		}
		cursor, err := cl.Changes(t.Context(), "", m.emit)
		if n, whole := m.count(ldap.OpRefreshed); err != nil || n != 1 || !whole || cursor == "" {
			t.Fatalf("%s: %q %v %v", name, cursor, whole, err)
		}
		s.Modify(t, "dn: "+u1+"\nchangetype: modify\nreplace: title\ntitle: asked\n")
		m.begin()
		if _, err := cl.Changes(t.Context(), cursor, m.emit); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := m.differs(t, cl); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestStreamFaults follows a server that goes wrong in the ways no real one here can be made to.
//
// holds: R1, R3, R17, R18
func TestStreamFaults(t *testing.T) {
	d, c := double(t, 30)
	c.Timeout = time.Second
	cl := client(t, c)
	m := newMirror()
	m.catchUp(t, cl)()
	good := m.begin()
	for code, want := range map[int]error{demo.CodeRefreshRequired: ldap.ErrCursorLost, demo.CodeBehind: ldap.ErrBehind, demo.CodeBusy: ldap.ErrServer,
		demo.CodeAdminLimit: ldap.ErrServer, demo.CodeNoRight: ldap.ErrServer, 10: ldap.ErrServer} {
		d.SetFaults(demo.Faults{Code: code})
		if err := cl.Watch(t.Context(), good, m.emit); !errors.Is(err, want) {
			t.Errorf("code %d: %v", code, err)
		}
	}
	if n, _ := m.count(ldap.OpRefreshed); n != 0 {
		t.Error("a refusal told something")
	}
	title := func(n int) string { return fmt.Sprintf("uid=u%03d,ou=研发,ou=people,%s", 2*n, base) }
	for name, row := range map[string]struct {
		fault demo.Faults
		want  error
	}{"dropped": {demo.Faults{StreamDrop: 2}, ldap.ErrClosed}, "hushed": {demo.Faults{StreamHush: 2}, ldap.ErrTimeout}} {
		d.SetFaults(row.fault)
		stop := m.catchUp(t, cl)
		for n := range 5 {
			if err := d.Modify(title(n), demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{name}}); err != nil {
				t.Fatal(err)
			}
		}
		m.until(t, name, func() bool { return m.err != nil })
		if err := stop(); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
		d.SetFaults(demo.Faults{})
		m.catchUp(t, cl)()
		if diff := m.differs(t, cl); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
