package ldap

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What servers answer to a bind, and what is made of it: Active Directory says its reason in words, others in a control.
func TestProved(t *testing.T) {
	result := func(code byte, text string) []byte {
		return append([]byte{0x0a, 1, code, 0x04, 0, 0x04, byte(len(text))}, text...)
	}
	ad := func(data string) []byte {
		return result(49, "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data "+data+", v4563\x00")
	}
	control := func(oid string, value ...byte) []byte {
		c := append([]byte{0x04, byte(len(oid))}, oid...)
		if value != nil {
			c = append(append(c, 0x04, byte(len(value))), value...)
		}
		return append([]byte{0x30, byte(len(c))}, c...)
	}
	policy := func(code byte) []byte { return control(controlPolicy, 0x30, 3, 0x81, 1, code) }
	for _, row := range []struct {
		name     string
		op, with []byte
		want     error
	}{
		{"success", result(0, ""), nil, nil},
		{"wrong", result(49, ""), nil, ErrWrongPassword},
		{"AD wrong", ad("52e"), nil, ErrWrongPassword},
		{"AD unknown", ad("525"), nil, ErrWrongPassword},
		{"AD locked out, said of a wrong password too", ad("775"), nil, ErrWrongPassword},
		{"AD expired", ad("532"), nil, ErrExpired},
		{"AD must change", ad("773"), nil, ErrMustChange},
		{"AD disabled", ad("533"), nil, ErrDisabled},
		{"AD account expired", ad("701"), nil, ErrDisabled},
		{"AD hours", ad("530"), nil, ErrDisabled},
		{"policy expired", result(49, ""), policy(0), ErrExpired},
		{"policy locked", result(49, ""), policy(1), ErrWrongPassword},
		{"policy must change", result(0, ""), policy(2), ErrMustChange},
		{"policy warns only", result(0, ""), control(controlPolicy, 0x30, 5, 0xa0, 3, 0x80, 1, 60), nil},
		{"389 expired", result(49, "password expired!"), control(controlExpired, '0'), ErrExpired},
		{"389 must change", result(0, ""), control(controlExpired, '0'), ErrMustChange},
		{"389 inactivated", result(53, "Account inactivated. Contact system administrator."), nil, ErrWrongPassword},
		{"389 retry limit", result(19, "Exceed password retry limit."), nil, ErrWrongPassword},
		{"gone meanwhile", result(32, ""), nil, ErrWrongPassword},
		{"no password there", result(48, ""), nil, ErrWrongPassword},
		{"busy", result(51, ""), nil, ErrServer},
		{"wants TLS", result(8, ""), nil, ErrLogin},
		{"echo of the password", result(80, "cannot take hunter2-canary"), nil, ErrServer},
		{"no result", []byte{1, 2, 3}, nil, ErrServer},
		{"broken control", result(0, ""), []byte{0x30, 0x7f}, ErrServer},
		{"broken policy", result(0, ""), control(controlPolicy, 0x30, 9, 0x81), ErrServer},
	} {
		err := proved(message{op: row.op, controls: row.with}, "ldap.corp.example:636", "hunter2-canary")
		if !errors.Is(err, row.want) || row.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", row.name, err)
		}
	}
}

// Nothing that a server can put into controls is taken for a password that is right, makes a panic or goes on for ever.
func FuzzPolicyOf(f *testing.F) {
	f.Add([]byte{0x30, 0x09, 0x04, 0x01, 'x', 0x01, 0x01, 0xff, 0x04, 0x01, 'y'})
	f.Fuzz(func(t *testing.T, controls []byte) { _, _, _ = policyOf(controls) })
}
