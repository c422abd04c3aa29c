package ldap_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// What a 389 Directory Server says of a right password helps, of a wrong one it tells nothing.
func TestPasswords389(t *testing.T) {
	s := ldaptest.Start389(t, ldaptest.Company{People: 5, Units: 1}.LDIF())
	set := func(i int, change string) {
		s.Modify(t, fmt.Sprintf("dn: "+personDN+"\nchangetype: modify\n%s\n", i, change))
	}
	for i := range 5 {
		set(i, "replace: userPassword\nuserPassword: "+firstPW)
	}
	s.Modify(t, "dn: cn=config\nchangetype: modify\nreplace: passwordExp\npasswordExp: on\n-\nreplace: passwordMustChange\npasswordMustChange: on\n-\nreplace: passwordLockout\npasswordLockout: on\n-\nreplace: passwordMaxFailure\npasswordMaxFailure: 3\n")
	set(1, "replace: passwordExpirationTime\npasswordExpirationTime: 20000101000000Z")
	set(2, "replace: userPassword\nuserPassword: "+firstPW)
	set(3, "replace: nsAccountLock\nnsAccountLock: true")
	p := passwords(t, slapdConfig(s))
	for _, row := range []struct {
		login, password string
		want            error
	}{
		{"u000000", firstPW, nil}, {"u000000@corp.example", firstPW, nil}, {"u000000", wrongPW, ldap.ErrWrongPassword},
		{"u000001", firstPW, ldap.ErrExpired}, {"u000001", wrongPW, ldap.ErrWrongPassword},
		{"u000002", firstPW, ldap.ErrMustChange}, {"u000002", wrongPW, ldap.ErrWrongPassword},
		{"u000003", firstPW, ldap.ErrWrongPassword}, {"u000003", wrongPW, ldap.ErrWrongPassword}, // inactivated: not told
		{"u000004", wrongPW, ldap.ErrWrongPassword}, {"u000004", wrongPW, ldap.ErrWrongPassword}, {"u000004", wrongPW, ldap.ErrWrongPassword},
		{"u000004", wrongPW, ldap.ErrWrongPassword}, {"u000004", firstPW, ldap.ErrWrongPassword}, // locked out by failures elsewhere
		{"nobody", firstPW, ldap.ErrNoAccount},
	} {
		if _, err := signIn(t.Context(), p, row.login, row.password); !errors.Is(err, row.want) || row.want == nil && err != nil {
			t.Errorf("%s %s: %v, want %v", row.login, row.password, err, row.want)
		}
	}
}
