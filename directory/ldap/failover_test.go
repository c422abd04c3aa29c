package ldap_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// secondSlapd starts a slapd that follows s and takes writes of its own; pull is what to take out of its configuration to end that.
func secondSlapd(t testing.TB, s *ldaptest.Server) (r *ldaptest.Server, pull string) {
	t.Helper()
	r = ldaptest.Start(t, strings.NewReader(""))
	pull = fmt.Sprintf("syncrepl rid=001 provider=%s type=refreshAndPersist retry=\"1 +\" searchbase=%q bindmethod=simple binddn=%q credentials=%s tls_cacert=%s\nmultiprovider on",
		s.URLS, ldaptest.Base, ldaptest.AdminDN, ldaptest.AdminPW, s.CAFile)
	r.Stop()
	r.Rewrite(t, ldaptest.ServerID, "serverID 2")
	r.Rewrite(t, "", pull)
	r.Resume(t)
	return r, pull
}

// settled waits until a reading of cl shows n people.
func settled(t testing.TB, cl *ldap.Client, n int) {
	t.Helper()
	for range 200 {
		_, proof, err := snapshot(t.Context(), cl)
		if err == nil && proof.Counts[ldap.ClassPerson] == n {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the replica does not follow")
}

// TestFailOver goes on at a replica where the first server is gone, and does not believe one that lags behind.
//
// holds: R3, R17
func TestFailOver(t *testing.T) {
	first := ldaptest.Start(t, ldaptest.Company{People: 40, Units: 12}.LDIF())
	second, pull := secondSlapd(t, first)
	c := slapdConfig(first)
	c.Timeout = 2 * time.Second
	both := func(urls ...string) ldap.Config {
		out := c
		out.URL, out.CAFile = strings.Join(urls, " "), ldaptest.Trust(t, first, second)
		return out
	}
	settled(t, client(t, both(second.URLS)), 40)
	cl := client(t, both(first.URLS, second.URLS))
	m := newMirror()
	stop := m.catchUp(t, cl)
	titled(t, first, m, "at the first")
	waitFor(t, client(t, both(second.URLS)), "at the first")
	first.Kill()
	m.until(t, "the end", func() bool { return m.err != nil })
	if err := stop(); !errors.Is(err, ldap.ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	stop = m.catchUp(t, cl)
	if n, _ := m.count(ldap.OpUpsert); n > 0 {
		t.Errorf("the replica told %d objects again", n)
	}
	if position, err := cl.Position(t.Context()); err != nil || position == "" {
		t.Errorf("position of the replica: %q %v", position, err)
	}
	titled(t, second, m, "at the second")
	first.Resume(t)
	titled(t, first, m, "by way of the second") // a cookie that names the first would keep this back
	if d := m.differs(t, cl); d != "" {
		t.Error(d)
	}
	_ = stop()

	second.Stop()
	second.Rewrite(t, pull, "")
	second.Resume(t)
	cl = client(t, both(first.URLS))
	m = newMirror()
	stop = m.catchUp(t, cl)
	titled(t, first, m, "not replicated")
	_ = stop()
	cl = client(t, both(second.URLS, first.URLS))
	if _, err := cl.Changes(t.Context(), m.begin(), m.emit); err != nil {
		t.Errorf("the first of the list is behind, the other is not: %v", err)
	}
	first.Stop()
	none := func([]ldap.Change) error { t.Error("something was told"); return nil }
	if err := client(t, both(first.URLS, second.URLS)).Watch(t.Context(), m.cursor, none); !errors.Is(err, ldap.ErrBehind) {
		t.Errorf("a replica that is behind: %v", err)
	}
	if _, proof, err := snapshot(t.Context(), cl); !errors.Is(err, ldap.ErrBehind) || proof.Complete() {
		t.Errorf("a reading of a replica that is behind: %+v %v", proof, err)
	}
	if _, proof, err := snapshot(context.Background(), client(t, both(first.URLS, second.URLS))); err != nil || !proof.Complete() {
		t.Errorf("a reading by one who knows nothing: %+v %v", proof, err)
	}
}

// waitFor waits until u1 has a title at a server.
func waitFor(t testing.TB, cl *ldap.Client, title string) {
	t.Helper()
	for range 200 {
		found, err := cl.Sample(t.Context(), "u000001", 2)
		if err == nil && len(found) == 1 && found[0].Attrs["title"][0] == title {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%q is not replicated", title)
}
