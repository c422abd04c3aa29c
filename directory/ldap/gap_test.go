package ldap_test

import (
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// TestGap389 writes to a 389 Directory Server after it took the cookie of a refresh and before it listens: it tells nothing of that, then or
// later. Here it does listen, and what it tells is swallowed.
//
// holds: R3, R19
func TestGap389(t *testing.T) {
	s := ldaptest.Start389(t, ldaptest.Company{People: 20, Units: 12}.LDIF())
	_, address, _ := strings.Cut(s.URL, "://")
	p := newProxy(t, address, true)
	refreshed, written := make(chan bool), make(chan bool)
	var armed atomic.Bool
	var mu sync.Mutex
	var stream net.Conn
	lost := 0
	p.swallow = func(from net.Conn, m *ber.Packet) bool {
		if !armed.Load() {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case stream == nil && m.Children[1].Tag == goldap.ApplicationIntermediateResponse: // the end of the refresh
			stream = from
			close(refreshed)
			<-written
		case stream == from && m.Children[1].Tag == goldap.ApplicationSearchResultEntry && len(m.Children) == 3 && lost < 2:
			lost++
			return true
		}
		return false
	}
	title := func(dn, value string) {
		s.Modify(t, "dn: "+dn+"\nchangetype: modify\nreplace: title\ntitle: "+value+"\n")
	}
	c := slapdConfig(s)
	c.URL, c.InsecurePlain, c.Timeout = "ldap://"+p.address, true, 6*time.Second
	cl := client(t, c)
	m := newMirror()
	if _, err := cl.Changes(t.Context(), "", m.emit); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	m.watch(t, cl)
	<-refreshed
	title(u1, "in between")
	s.Modify(t, "dn: uid=u000002,ou=dept002,ou=people,"+base+"\nchangetype: delete\n")
	close(written)
	m.until(t, "what was written in between", func() bool {
		o, _ := m.byDN(u1)
		_, there := m.byDN("uid=u000002,ou=dept002,ou=people," + base)
		return slices.Equal(o.Attrs["title"], []string{"in between"}) && !there
	})
	if d := m.differs(t, cl); d != "" {
		t.Error(d)
	}

	// The cookie of a change may be ahead of others: it is to be stored when the server has nothing more to say.
	m.mu.Lock()
	before, at := m.cursor, len(m.ops)
	m.mu.Unlock()
	title(u1, "first")
	title("uid=u000003,ou=dept009,ou=people,"+base, "second")
	title(u1, "third")
	m.until(t, "a cursor", func() bool { return m.cursor != before })
	for _, o := range m.ops[at:] {
		if o.Op == ldap.OpUpsert && o.Cursor != "" {
			t.Errorf("a change has the cursor %s", o.Cursor)
		}
	}
	if o, _ := m.byDN(u1); !slices.Equal(o.Attrs["title"], []string{"third"}) {
		t.Errorf("the cursor came before the last change: %v", o.Attrs["title"])
	}
}
