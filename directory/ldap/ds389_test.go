package ldap_test

import (
	"testing"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// TestDS389 runs everything that needs a real 389 Directory Server on one of them.
func TestDS389(t *testing.T) {
	s := ldaptest.Start389(t, ldaptest.Company{People: 60, Units: 12, Groups: 6, Members: 10}.LDIF())
	cl := client(t, slapdConfig(s))
	caps, findings, err := cl.Probe(t.Context())
	t.Logf("%+v %+v %v", caps, findings, err)
	m := newMirror()
	m.catchUp(t, cl)
	titled(t, s, m, "x")
	if d := m.differs(t, cl); d != "" {
		t.Error(d)
	}
	_ = ldap.OpDelete
}
