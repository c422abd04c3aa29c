package ldap

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory"
)

// holds: R13
func TestStatus(t *testing.T) {
	day := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name, value string
		active      bool
		endAt       time.Time
	}{
		{"useraccountcontrol", "512", true, time.Time{}},
		{"useraccountcontrol", "514", false, time.Time{}},
		{"useraccountcontrol", "66050", false, time.Time{}}, // normal, disabled, password never expires
		{"useraccountcontrol", "rubbish", true, time.Time{}},
		{"accountexpires", "0", true, time.Time{}},
		{"accountexpires", "9223372036854775807", true, time.Time{}},
		{"accountexpires", "134489376000000000", true, time.Date(2027, 3, 8, 0, 0, 0, 0, time.UTC)},
		{"nsaccountlock", "TRUE", false, time.Time{}},
		{"nsaccountlock", "false", true, time.Time{}},
		{"pwdaccountlockedtime", "000001010000Z", false, time.Time{}},
		{"pwdaccountlockedtime", "00000101000000Z", false, time.Time{}},
		{"pwdendtime", "20270301000000Z", true, day},
		{"pwdendtime", "202703010000Z", true, day},
		{"loginexpirationtime", "20270301020000.000+0200", true, day},
		{"loginexpirationtime", "rubbish", true, time.Time{}},
		{"pwdaccountlockedtime", "20260101120000Z", true, time.Time{}}, // too many wrong passwords: not leaving
		{"lockouttime", "134489376000000000", true, time.Time{}},
		{"logindisabled", "TRUE", false, time.Time{}},
		{"ds-pwp-account-disabled", "true", false, time.Time{}},
		{"shadowexpire", "20878", true, day},
		{"shadowexpire", "-1", true, time.Time{}},
		{"shadowexpire", "0", true, time.Time{}},
		{"shadowexpire", "99999999999", true, time.Time{}},
	} {
		active, endAt := status(Object{Attrs: map[string][]string{row.name: {row.value}}})
		if active != row.active || !endAt.Equal(row.endAt) {
			t.Errorf("%s=%s: active %v until %v", row.name, row.value, active, endAt)
		}
	}
	_, both := status(Object{Attrs: map[string][]string{"shadowexpire": {"20878"}, "accountexpires": {"134489376000000000"}}})
	if !both.Equal(day) {
		t.Errorf("the earlier end wins: %v", both)
	}
}

// holds: R21
func TestNames(t *testing.T) {
	for _, pair := range [][2]string{
		{"uid=a,ou=X,dc=c", "UID=A, OU=x ,DC=C"},
		{`cn=Smith\, J,ou=x`, `CN=smith\2c j,OU=X`},
		{`cn=a+uid=b,ou=x`, `UID=B+CN=A,ou=x`},
		{`ou=研发,dc=c`, `OU=\e7\a0\94\e5\8f\91,dc=c`},
	} {
		if fold(pair[0]) == "" || fold(pair[0]) != fold(pair[1]) {
			t.Errorf("%q and %q fold to %q and %q", pair[0], pair[1], fold(pair[0]), fold(pair[1]))
		}
	}
	if fold(`cn=a\,ou=x,dc=c`) == fold("cn=a,ou=x,dc=c") || fold("nonsense") != "" {
		t.Error("different names fold to the same")
	}
	at := tree{}
	at.put("ou=A, dc=c", "a")
	at.put(`ou=b\, c,ou=a,dc=c`, "b")
	for dn, want := range map[string]string{`uid=x,ou=b\2c c,ou=A,dc=c`: "b", "uid=x,cn=users,ou=a,dc=c": "a", "uid=x,dc=c": "", "ou=a,dc=c": ""} {
		if got := at.parent(dn); got != want {
			t.Errorf("parent of %s: %q, want %q", dn, got, want)
		}
	}
	if rdnValue(`CN=Smith\, J+uid=x,dc=c`, "cn") != "Smith, J" || rdnValue("uid=x,dc=c", "UID") != "x" || rdnValue("uid=x,dc=c", "cn") != "" {
		t.Error("value of the first RDN")
	}
	raw, _ := hex.DecodeString("33221100554477668899aabbccddeeff")
	if got := guid(string(raw)); got != "00112233-4455-6677-8899-aabbccddeeff" {
		t.Errorf("objectGUID: %s", got)
	}
	if got := keyFilter("objectguid", "00112233-4455-6677-8899-aabbccddeeff"); got != "(objectguid="+goldap.EscapeFilter(string(raw))+")" {
		t.Errorf("objectGUID in a filter: %s", got)
	}
	if keyFilter("objectguid", "*") != "" {
		t.Error("a GUID that is none enters a filter")
	}
}

// holds: R21
func TestMapping(t *testing.T) {
	p, err := Config{URL: "ldaps://x", BindDN: "cn=x", Password: "x", Base: "dc=c",
		Mapping: map[string]string{"company": "o", "organization": "-", "cost_center": "costCode, departmentNumber"}, Labels: map[string]string{"site": "l"}}.prepare()
	if err != nil {
		t.Fatal(err)
	}
	r := p.record("src_1", Object{Class: ClassPerson, Key: "k", DN: "uid=wang,ou=x,dc=c", Attrs: map[string][]string{
		"uid": {"alias", "wang"}, "cn": {"Wang Wei"}, "displayname;lang-zh": {"王伟"}, "mail": {"z@c", "a@c"}, "o": {" ACME "}, "departmentnumber": {"D1"},
		"l": {"上海"}, "title": {"\xff\xfe"}, "sn": {""}, "telephonenumber": {"+86 1"}, "mobile": {"+86 2"}, "employeenumber": {"7"},
	}})
	want := directory.Record{Source: "src_1", Key: "k", UserName: "wang", Active: true, Attributes: directory.Attributes{
		DisplayName: "王伟", Company: "ACME", CostCenter: "D1", Department: "D1", EmployeeNumber: "7"}}
	switch {
	case r.UserName != want.UserName, r.DisplayName != want.DisplayName, r.Company != want.Company, r.Organization != "", r.CostCenter != want.CostCenter,
		r.Department != want.Department, r.Title != "", r.FamilyName != "", r.EmployeeNumber != "7", r.Labels["site"] != "上海", !r.Active:
		t.Errorf("%+v", r)
	case len(r.Emails) != 2 || r.Emails[0].Value != "a@c" || !r.Emails[0].Primary || r.Emails[1].Value != "z@c":
		t.Errorf("e-mail: %+v", r.Emails)
	case len(r.Phones) != 2 || r.Phones[0].Type != "work" || r.Phones[1].Value != "+86 2":
		t.Errorf("phones: %+v", r.Phones)
	case string(r.Raw) != `{"dn":"uid=wang,ou=x,dc=c"}`:
		t.Errorf("raw: %s", r.Raw)
	}
	u := p.unit("src_1", Object{Key: "k", DN: "ou=研发,dc=c", Attrs: map[string][]string{"ou": {"研发"}, "ou;lang-en": {"R&D"}}})
	if u.Name != "研发" || u.Names["en"] != "R&D" {
		t.Errorf("unit: %+v", u)
	}
}

func TestPause(t *testing.T) {
	for n, most := range map[int]time.Duration{1: time.Second, 3: 4 * time.Second, 7: time.Minute, 1000: time.Minute} {
		for range 50 {
			if d := pause(n); d > most || d < most/2 {
				t.Errorf("pause after %d failures: %v", n, d)
			}
		}
	}
}

// FuzzMessages feeds foreign bytes to the decoder: no panic, and what it takes for an entry is one to go-ldap, too.
func FuzzMessages(f *testing.F) {
	f.Add([]byte("\x30\x1e\x02\x01\x02\x64\x19\x04\x04\x75\x3d\x61\x62\x30\x11\x30\x0f\x04\x03\x75\x69\x64\x31\x08\x04\x02\x61\x62\x04\x02\x63\x64"))
	f.Add([]byte("\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00"))
	f.Add([]byte("\x30\x84\x00\x00\x00\x0c\x02\x01\x01\x65\x07\x0a\x01\x04\x04\x00\x04\x00"))
	f.Add([]byte("\x30\x2f\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00\xa0\x21\x30\x1f\x04\x161.2.840.113556.1.4.319\x04\x05\x30\x03\x02\x01\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := bufio.NewReader(bytes.NewReader(raw))
		var buf []byte
		for {
			m, b, err := readMessage(in, buf)
			if buf = b; err != nil {
				break
			}
			switch m.tag {
			case tagEntry:
				if e, err := parseEntry(m.op, names{}); err == nil && e.attrs == nil {
					t.Error("an entry without attributes is an empty map")
				}
			default:
				_ = parseResult(m.op)
			}
			if cookie, found, err := parsePaging(m.controls); cookie != "" && (!found || err != nil) {
				t.Error("a cookie without a control")
			}
		}
	})
}

func FuzzFold(f *testing.F) {
	f.Add(`cn=Smith\, J+uid=x,ou="a,b",dc=c`)
	f.Add("=,=")
	f.Fuzz(func(t *testing.T, dn string) {
		at := tree{}
		at.put(dn, "k")
		if isFolded(dn) && foldPlain(dn) != dn {
			t.Errorf("%q is not folded", dn)
		}
		if fold(dn) != "" && at.exact(dn) != "k" {
			t.Errorf("%q is not found again", dn)
		}
		at.parent(dn)
		rdnValue(dn, "cn")
	})
}
