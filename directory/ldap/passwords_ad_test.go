package ldap_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// passwordsAD signs people in at a real domain controller: what it says of a right password helps, of a wrong one it tells nothing.
func passwordsAD(t *testing.T, s *ldaptest.AD) {
	const right = "Pw-canary-Right-1"
	for i := 190; i < 195; i++ {
		s.SetPassword(t, ldaptest.ADPerson(i), right)
	}
	s.Replace(t, ldaptest.ADPerson(191), "userAccountControl", "514")
	s.Replace(t, ldaptest.ADPerson(192), "pwdLastSet", "0")
	s.Replace(t, ldaptest.ADPerson(193), "accountExpires", "116444736000000000") // 1970
	p := passwords(t, adConfig(s, ldaptest.ADPlain, ldaptest.ADPW))
	for _, row := range []struct {
		login, password string
		want            error
	}{
		{"u190", right, nil}, {"U190@corp.example", right, nil}, {"u190", right + "x", ldap.ErrWrongPassword}, {"u190", "", ldap.ErrWrongPassword},
		{"u191", right, ldap.ErrDisabled}, {"u191", "x", ldap.ErrWrongPassword},
		{"u192", right, ldap.ErrMustChange}, {"u192", "x", ldap.ErrWrongPassword},
		{"u193", right, ldap.ErrDisabled}, {"u193", "x", ldap.ErrWrongPassword},
		{"nobody", right, ldap.ErrNoAccount}, {"*", right, ldap.ErrNoAccount}, {"u19*", right, ldap.ErrNoAccount}, {"svc-sync", ldaptest.ADPW, ldap.ErrNoAccount},
	} {
		key, err := signIn(t.Context(), p, row.login, row.password)
		if !errors.Is(err, row.want) || row.want == nil && (err != nil || strings.Count(key, "-") != 4) {
			t.Errorf("%s %s: %q %v, want %v", row.login, row.password, key, err, row.want)
		}
	}
	// Locked out by somebody elsewhere: that is said of a right password too, and not taken for one.
	s.Replace(t, ldaptest.ADRoot, "lockoutThreshold", "3")
	t.Cleanup(func() { s.Replace(t, ldaptest.ADRoot, "lockoutThreshold", "0") })
	c := adConfig(s, ldaptest.ADPlain, ldaptest.ADPW)
	c.SignIn = true
	_, findings, err := client(t, c).Probe(t.Context())
	if err != nil || !strings.Contains(fmt.Sprint(findings), "after 3 wrong passwords, and forgets them after 30m0s") {
		t.Errorf("the probe does not tell of the lock-out: %+v %v", findings, err)
	}
	for range 4 {
		signIn(t.Context(), p, "u194", "wrong")
	}
	if _, err := signIn(t.Context(), p, "u194", right); !errors.Is(err, ldap.ErrWrongPassword) {
		t.Errorf("locked out: %v", err)
	}
}
