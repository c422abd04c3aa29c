package ldap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

const (
	firstPW  = "pw-canary-one-5b2e"
	wrongPW  = "pw-canary-wrong-77aa"
	personDN = "uid=u%06d,ou=dept000,ou=people," + ldaptest.Base
)

func passwords(t *testing.T, c ldap.Config) *ldap.Passwords {
	t.Helper()
	c.SignIn = true
	p, err := ldap.NewPasswords(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// signIn is both steps, as sessions take them.
func signIn(ctx context.Context, p *ldap.Passwords, login, password string) (string, error) {
	account, err := p.Account(ctx, login)
	if err == nil {
		err = p.Prove(ctx, account, ldap.Secret(password))
	}
	return account.Key, err
}

// peopleWithPasswords starts a company of four, all in one unit, and gives each a password.
func peopleWithPasswords(t *testing.T, extra ...string) *ldaptest.Server {
	s := ldaptest.Start(t, ldaptest.Company{People: 4, Units: 1}.LDIF(), extra...)
	for i := range 4 {
		s.Modify(t, fmt.Sprintf("dn: "+personDN+"\nchangetype: modify\nreplace: userPassword\nuserPassword: %s\n", i, firstPW))
	}
	return s
}

// People sign in by login name or address, each only ever compared, and by nothing but the right password.
//
// holds: attack ldap-03
func TestPasswords(t *testing.T) {
	s := peopleWithPasswords(t)
	for name, url := range map[string]string{"StartTLS": s.URL, "ldaps": s.URLS} {
		t.Run(name, func(t *testing.T) {
			c := slapdConfig(s)
			c.URL = url
			p := passwords(t, c)
			key, err := signIn(t.Context(), p, "u000001", firstPW)
			if err != nil || len(key) != 36 {
				t.Fatalf("%q %v", key, err)
			}
			if same, err := signIn(t.Context(), p, "U000001@corp.example", firstPW); err != nil || same != key {
				t.Errorf("by address: %q %v, want %q", same, err, key)
			}
			for _, login := range []string{"nobody", "*", "u00000*", `*)(uid=*))(|(uid=*`, `u000001)(uid=u000002`, "u000001\\2a", "(", "\\", "dept000", "sync", strings.Repeat("x", 256)} {
				if key, err := signIn(t.Context(), p, login, firstPW); !errors.Is(err, ldap.ErrNoAccount) || key != "" {
					t.Errorf("%q: %q %v", login, key, err)
				}
			}
			for _, password := range []string{wrongPW, "", firstPW + " ", strings.ToUpper(firstPW), "*"} {
				if _, err := signIn(t.Context(), p, "u000001", password); !errors.Is(err, ldap.ErrWrongPassword) {
					t.Errorf("%q: %v", password, err)
				}
			}
			if err := p.Prove(t.Context(), ldap.Account{}, firstPW); !errors.Is(err, ldap.ErrWrongPassword) {
				t.Errorf("nobody: %v", err)
			}
		})
	}
}

// Who is renamed and moved is who they were; an address that two have is nobody's; a login name is not taken by an address.
func TestPasswordsGoByID(t *testing.T) {
	s := peopleWithPasswords(t)
	p := passwords(t, slapdConfig(s))
	before, err := signIn(t.Context(), p, "u000001", firstPW)
	if err != nil {
		t.Fatal(err)
	}
	s.Modify(t, fmt.Sprintf("dn: "+personDN+"\nchangetype: modrdn\nnewrdn: uid=renamed\ndeleteoldrdn: 1\nnewsuperior: ou=people,%s\n", 1, ldaptest.Base))
	if after, err := signIn(t.Context(), p, "renamed", firstPW); err != nil || after != before {
		t.Errorf("renamed: %q %v, before %q", after, err, before)
	}
	if _, err := signIn(t.Context(), p, "u000001", firstPW); !errors.Is(err, ldap.ErrNoAccount) {
		t.Errorf("the old name: %v", err)
	}
	s.Modify(t, fmt.Sprintf("dn: "+personDN+"\nchangetype: modify\nadd: mail\nmail: shared@corp.example\n\ndn: "+personDN+"\nchangetype: modify\nadd: mail\nmail: shared@corp.example\nmail: u000000\n", 2, 3))
	if _, err := signIn(t.Context(), p, "shared@corp.example", firstPW); !errors.Is(err, ldap.ErrNoAccount) {
		t.Errorf("two with one address: %v", err)
	}
	own, _ := p.Account(t.Context(), "u000003")
	if key, err := signIn(t.Context(), p, "u000000", firstPW); err != nil || key == own.Key {
		t.Errorf("a login name was taken by an address: %q %v", key, err)
	}
	s.Modify(t, fmt.Sprintf("dn: "+personDN+"\nchangetype: modify\nadd: uid\nuid: u000000\n", 3))
	if _, err := signIn(t.Context(), p, "u000000", firstPW); !errors.Is(err, ldap.ErrNoAccount) {
		t.Errorf("two with one login name: %v", err)
	}
}

// What a password policy says helps who gave the right password, and nobody else.
func TestPasswordPolicy(t *testing.T) {
	s := peopleWithPasswords(t)
	p := passwords(t, slapdConfig(s))
	policy := "cn=policy," + ldaptest.Base
	s.Modify(t, "dn: "+policy+"\nchangetype: add\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\npwdMaxAge: 1\npwdMustChange: TRUE\npwdLockout: TRUE\npwdMaxFailure: 50\n\n"+
		fmt.Sprintf("dn: "+personDN+"\nchangetype: modify\nreplace: pwdPolicySubentry\npwdPolicySubentry: %s\n\n", 0, policy)+
		fmt.Sprintf("dn: "+personDN+"\nchangetype: modify\nreplace: pwdReset\npwdReset: TRUE\n-\nreplace: pwdPolicySubentry\npwdPolicySubentry: cn=change,%s\n\n", 1, ldaptest.Base)+
		"dn: cn=change,"+ldaptest.Base+"\nchangetype: add\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\ncn: change\npwdAttribute: userPassword\npwdMustChange: TRUE\n\n"+
		fmt.Sprintf("dn: "+personDN+"\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n-\nreplace: pwdPolicySubentry\npwdPolicySubentry: %s\n", 2, policy))
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) { // a password of 1 s
		if _, err := signIn(t.Context(), p, "u000000", firstPW); errors.Is(err, ldap.ErrExpired) {
			break
		}
	}
	for _, row := range []struct {
		login, password string
		want            error
	}{
		{"u000000", firstPW, ldap.ErrExpired}, {"u000000", wrongPW, ldap.ErrWrongPassword},
		{"u000001", firstPW, ldap.ErrMustChange}, {"u000001", wrongPW, ldap.ErrWrongPassword},
		{"u000002", firstPW, ldap.ErrWrongPassword}, {"u000002", wrongPW, ldap.ErrWrongPassword}, // locked: not told
		{"u000003", firstPW, nil},
	} {
		if _, err := signIn(t.Context(), p, row.login, row.password); !errors.Is(err, row.want) || row.want == nil && err != nil {
			t.Errorf("%s %s: %v, want %v", row.login, row.password, err, row.want)
		}
	}
}

// A directory that cannot be asked is neither a yes nor a no.
func TestPasswordsUnreachable(t *testing.T) {
	s := peopleWithPasswords(t)
	p := passwords(t, slapdConfig(s))
	account, err := p.Account(t.Context(), "u000001")
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	_, errFind := p.Account(t.Context(), "u000001")
	errProve := p.Prove(t.Context(), account, firstPW)
	for _, err := range []error{errFind, errProve} {
		if !errors.Is(err, ldap.ErrUnreachable) && !errors.Is(err, ldap.ErrClosed) {
			t.Errorf("gone: %v", err)
		}
		if err != nil && strings.Contains(err.Error(), firstPW) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	c := slapdConfig(s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c.URL, c.Timeout = "ldaps://"+l.Addr().String(), 200*time.Millisecond
	if err := passwords(t, c).Prove(t.Context(), account, firstPW); !errors.Is(err, ldap.ErrTimeout) {
		t.Errorf("silent: %v", err)
	}
}

// Passwords go over TLS or not at all: not to another authority's server, and to none without TLS, on this machine neither.
func TestPasswordsWantTLS(t *testing.T) {
	s := peopleWithPasswords(t)
	c := slapdConfig(s)
	c.SignIn = true
	plain := c
	plain.URL, plain.InsecurePlain = s.URL, true
	if err := plain.Check(); !errors.Is(err, ldap.ErrConfig) || !strings.Contains(err.Error(), "sign_in") {
		t.Errorf("plain: %v", err)
	}
	nothing := c
	nothing.Mapping = map[string]string{"user_name": "-", "email": "-"}
	if err := nothing.Check(); !errors.Is(err, ldap.ErrConfig) {
		t.Errorf("nothing to sign in with: %v", err)
	}
	c.CAFile = s.OtherCA
	if err := passwords(t, c).Prove(t.Context(), ldap.Account{Key: "x", DN: fmt.Sprintf(personDN, 1)}, firstPW); !errors.Is(err, ldap.ErrTLS) {
		t.Errorf("other authority: %v", err)
	}
	off := slapdConfig(s)
	if _, err := ldap.NewPasswords(off); !errors.Is(err, ldap.ErrConfig) {
		t.Errorf("without sign_in: %v", err)
	}
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer refusing.Close()
	heard := make(chan []byte, 1)
	go func() {
		conn, err := refusing.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var got bytes.Buffer
		b := make([]byte, 4096)
		conn.SetDeadline(time.Now().Add(2 * time.Second))
		for n, err := conn.Read(b); err == nil; n, err = conn.Read(b) {
			got.Write(b[:n])
			conn.Write([]byte("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00"))
		}
		heard <- got.Bytes()
	}()
	c = slapdConfig(s)
	c.URL, c.Timeout = "ldap://"+refusing.Addr().String(), time.Second
	if err := passwords(t, c).Prove(t.Context(), ldap.Account{Key: "x", DN: "cn=x"}, firstPW); !errors.Is(err, ldap.ErrTLS) {
		t.Errorf("StartTLS refused: %v", err)
	}
	if got := <-heard; bytes.Contains(got, []byte(firstPW)) {
		t.Error("the password was sent without TLS")
	}
}
