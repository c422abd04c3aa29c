package ldaptest

import (
	"testing"

	goldap "github.com/go-ldap/ldap/v3"
)

// SetPassword gives the account dn a password and makes it an ordinary one that is on.
func (s *AD) SetPassword(t testing.TB, dn, password string) {
	t.Helper()
	m := goldap.NewModifyRequest(dn, nil)
	m.Replace("unicodePwd", []string{unicodePassword(password)})
	m.Replace("userAccountControl", []string{"512"})
	if err := s.Admin(t).Modify(m); err != nil {
		t.Fatal(err)
	}
}

// Replace gives an attribute of dn one value.
func (s *AD) Replace(t testing.TB, dn, name, value string) {
	t.Helper()
	m := goldap.NewModifyRequest(dn, nil)
	m.Replace(name, []string{value})
	if err := s.Admin(t).Modify(m); err != nil {
		t.Fatalf("%s of %s: %v", name, dn, err)
	}
}
