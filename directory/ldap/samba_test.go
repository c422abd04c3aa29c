package ldap_test

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

func adConfig(s *ldaptest.AD, login, password string) ldap.Config {
	return ldap.Config{URL: s.URL, CAFile: s.CAFile, BindDN: login, Password: ldap.Secret(password), Base: ldaptest.ADBase, PageSize: 37}
}

// TestActiveDirectory runs everything that needs a real domain controller on one.
func TestActiveDirectory(t *testing.T) {
	s := ldaptest.StartAD(t)
	t.Run("identical", func(t *testing.T) { identicalAD(t, s) })
	t.Run("passwords", func(t *testing.T) { passwordsAD(t, s) })
	t.Run("administrator", func(t *testing.T) { modelAD(t, s, ldaptest.ADAdmin, ldaptest.ADAdminPW) })
	t.Run("replicator", func(t *testing.T) { modelAD(t, s, ldaptest.ADSync, ldaptest.ADPW) })
	t.Run("ordinary", func(t *testing.T) { modelAD(t, s, ldaptest.ADPlain, ldaptest.ADPW) })
}

// identicalAD holds the reader to what go-ldap reads. A subtree search names other partitions there, which are not followed.
//
// holds: R21, R22
func identicalAD(t *testing.T, s *ldaptest.AD) {
	theirs, err := s.Admin(t).Search(goldap.NewSearchRequest(ldaptest.ADBase, 2, 0, 0, 0, false, "(objectClass=*)", []string{"*"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	byDN := map[string]*goldap.Entry{}
	for _, e := range theirs.Entries {
		byDN[e.DN] = e
	}
	objects, proof, err := snapshot(t.Context(), client(t, adConfig(s, ldaptest.ADSync, ldaptest.ADPW)))
	if err != nil || !proof.Complete() {
		t.Fatalf("%+v %v", proof, err)
	}
	if n := proof.Counts; n[ldap.ClassPerson] != ldaptest.ADPeople || n[ldap.ClassGroup] != ldaptest.ADGroups || n[ldap.ClassUnit] != ldaptest.ADUnits+3 {
		t.Errorf("counts %v", n)
	}
	for _, o := range objects {
		e := byDN[o.DN]
		if e == nil {
			t.Fatalf("%s is not in go-ldap's reading", o.DN)
		}
		for name, values := range o.Attrs {
			if want := e.GetEqualFoldAttributeValues(name); !reflect.DeepEqual(values, want) {
				t.Errorf("%s %s: %q, go-ldap has %q", o.DN, name, values, want)
			}
		}
		if raw := e.GetRawAttributeValue("objectGUID"); len(raw) != 16 || strings.Count(o.Key, "-") != 4 || o.Key[19:23] != hex.EncodeToString(raw[8:10]) {
			t.Errorf("%s: key %s of %x", o.DN, o.Key, raw)
		}
	}
}
