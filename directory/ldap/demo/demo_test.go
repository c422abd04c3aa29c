package demo_test

import (
	"fmt"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

const (
	base   = "dc=corp,dc=example"
	admin  = "cn=admin,dc=corp,dc=example"
	secret = "demo-secret"
)

// company makes n people in two units.
func company(t testing.TB, n int) *demo.Directory {
	t.Helper()
	d := demo.New(base, admin, secret)
	entries := []demo.Entry{
		{DN: "ou=people," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}},
		{DN: "ou=研发,ou=people," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}},
		{DN: "ou=sales,ou=people," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}},
	}
	for i := range n {
		ou := []string{"研发", "sales"}[i%2]
		entries = append(entries, demo.Entry{DN: fmt.Sprintf("uid=u%03d,ou=%s,ou=people,%s", i, ou, base), Attributes: map[string][]string{
			"objectClass": {"top", "person", "organizationalPerson", "inetOrgPerson"}, "cn": {fmt.Sprintf("Person %d", i)}, "sn": {"王"},
			"mail": {fmt.Sprintf("u%03d@corp.example", i)}, "employeeNumber": {fmt.Sprint(i)}, "userPassword": {"own-secret"},
		}})
	}
	if err := d.Add(entries...); err != nil {
		t.Fatal(err)
	}
	return d
}

func dial(t testing.TB, url, dn, password string) *goldap.Conn {
	t.Helper()
	c, err := goldap.DialURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c.SetTimeout(5 * time.Second)
	t.Cleanup(func() { c.Close() })
	if dn != "" {
		if err := c.Bind(dn, password); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func names(r *goldap.SearchResult) (out []string) {
	for _, e := range r.Entries {
		out = append(out, e.DN)
	}
	return out
}

func search(t testing.TB, c *goldap.Conn, at string, scope int, filter string, attrs ...string) *goldap.SearchResult {
	t.Helper()
	r, err := c.Search(goldap.NewSearchRequest(at, scope, goldap.NeverDerefAliases, 0, 0, false, filter, attrs, nil))
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	return r
}

func TestFiltersAndScopes(t *testing.T) {
	c := dial(t, ldaptest.Serve(t, company(t, 20)), admin, secret)
	for filter, want := range map[string]int{
		"(uid=u003)": 20, // overwritten below
		"(&(objectClass=inetOrgPerson)(uid=U003))":   1,
		"(|(uid=u001)(uid=u002)(uid=nobody))":        2,
		"(&(objectClass=person)(!(uid=u001)))":       19,
		"(uid=u01*)":                                 10,
		"(uid=*7)":                                   2,
		"(uid=u*0*5)":                                2,
		"(employeeNumber>=15)":                       5,
		"(employeeNumber<=4)":                        5,
		"(mail~=U004@CORP.example)":                  1,
		"(mail=*)":                                   20,
		"(&(objectClass=person)(title=*))":           0,
		"(uid:caseIgnoreMatch:=u004)":                1,
		"(employeeNumber:1.2.840.113556.1.4.803:=3)": 5,
		"(userPassword=own-secret)":                  0,
		`(uid=\2a)`:                                  0,
		"(ou=研发)":                                    1,
	} {
		if filter == "(uid=u003)" {
			want = 1
		}
		if got := len(search(t, c, base, 2, filter).Entries); got != want {
			t.Errorf("%s: found %d, want %d", filter, got, want)
		}
	}
	if got := names(search(t, c, "OU=People, DC=corp,DC=example", 1, "(objectClass=*)")); len(got) != 2 {
		t.Errorf("one level: %v", got)
	}
	if got := names(search(t, c, "uid=u001,ou=sales,ou=people,"+base, 0, "(objectClass=*)")); len(got) != 1 {
		t.Errorf("base: %v", got)
	}
	if _, err := c.Search(goldap.NewSearchRequest("ou=nowhere,"+base, 2, 0, 0, 0, false, "(a=b)", nil, nil)); !goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject) {
		t.Errorf("missing base: %v", err)
	}
	e := search(t, c, base, 2, "(uid=u001)", "cn", "entryUUID").Entries[0]
	if len(e.Attributes) != 2 || len(e.GetAttributeValue("entryUUID")) != 36 {
		t.Errorf("attribute selection: %v", e.Attributes)
	}
	e = search(t, c, base, 2, "(uid=u001)", "*", "+").Entries[0]
	if e.GetAttributeValue("modifyTimestamp") == "" || e.GetAttributeValue("mail") == "" || e.GetAttributeValue("userPassword") != "" {
		t.Errorf("all attributes: %v", e.Attributes)
	}
	r, err := c.SearchWithPaging(goldap.NewSearchRequest(base, 2, 0, 0, 0, false, "(objectClass=person)", []string{"1.1"}, nil), 7)
	if err != nil || len(r.Entries) != 20 || len(r.Entries[0].Attributes) != 0 {
		t.Errorf("paging: %d entries, %v", len(r.Entries), err)
	}
}

func TestBindAndRights(t *testing.T) {
	d := company(t, 2)
	url := ldaptest.Serve(t, d)
	c := dial(t, url, "", "")
	if err := c.Bind(admin, "wrong"); !goldap.IsErrorWithCode(err, goldap.LDAPResultInvalidCredentials) {
		t.Errorf("wrong password: %v", err)
	}
	if err := c.UnauthenticatedBind(admin); !goldap.IsErrorWithCode(err, goldap.LDAPResultUnwillingToPerform) {
		t.Errorf("no password: %v", err)
	}
	if _, err := c.Search(goldap.NewSearchRequest(base, 2, 0, 0, 0, false, "(uid=*)", nil, nil)); !goldap.IsErrorWithCode(err, goldap.LDAPResultInsufficientAccessRights) {
		t.Errorf("anonymous search: %v", err)
	}
	if err := c.StartTLS(nil); !goldap.IsErrorWithCode(err, goldap.LDAPResultProtocolError) {
		t.Errorf("StartTLS: %v", err)
	}
	person := dial(t, url, "uid=u000,ou=研发,ou=people,"+base, "own-secret")
	if who, err := person.WhoAmI(nil); err != nil || who.AuthzID != "dn:uid=u000,ou=研发,ou=people,"+base {
		t.Errorf("who am I: %v %v", who, err)
	}
	mod := goldap.NewModifyRequest("uid=u001,ou=sales,ou=people,"+base, nil)
	mod.Replace("title", []string{"Boss"})
	if err := person.Modify(mod); !goldap.IsErrorWithCode(err, goldap.LDAPResultInsufficientAccessRights) {
		t.Errorf("modify by a person: %v", err)
	}
}

func TestWriting(t *testing.T) {
	d := company(t, 4)
	c := dial(t, ldaptest.Serve(t, d), admin, secret)
	mark := d.ContextCSN()
	moved := func(what string) {
		t.Helper()
		if now := d.ContextCSN(); now <= mark {
			t.Errorf("%s: contextCSN did not move", what)
		} else {
			mark = now
		}
	}
	dn := "uid=u001,ou=sales,ou=people," + base
	uuid := search(t, c, dn, 0, "(objectClass=*)", "entryUUID").Entries[0].GetAttributeValue("entryUUID")
	mod := goldap.NewModifyRequest(dn, nil)
	mod.Add("title", []string{"Buyer"})
	mod.Replace("cn", []string{"New Name"})
	mod.Delete("mail", nil)
	if err := c.Modify(mod); err != nil {
		t.Fatal(err)
	}
	moved("modify")
	bad := goldap.NewModifyRequest(dn, nil)
	bad.Replace("cn", []string{"Never"})
	bad.Delete("mail", nil)
	if err := c.Modify(bad); !goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchAttribute) {
		t.Errorf("modify that fails: %v", err)
	}
	e := search(t, c, dn, 0, "(objectClass=*)").Entries[0]
	if e.GetAttributeValue("title") != "Buyer" || e.GetAttributeValue("cn") != "New Name" || e.GetAttributeValue("mail") != "" {
		t.Errorf("after modify: %v", e.Attributes)
	}
	if ok, err := c.Compare(dn, "title", "buyer"); !ok || err != nil {
		t.Errorf("compare: %v %v", ok, err)
	}
	if err := c.ModifyDN(goldap.NewModifyDNRequest(dn, "uid=renamed", true, "ou=研发,ou=people,"+base)); err != nil {
		t.Fatal(err)
	}
	moved("modifyDN")
	if err := c.ModifyDN(goldap.NewModifyDNRequest("ou=研发,ou=people,"+base, "ou=r+d", true, "")); err != nil {
		t.Fatal(err)
	}
	e = search(t, c, base, 2, "(entryUUID="+uuid+")", "*").Entries[0]
	if e.DN != "uid=renamed,ou=r+d,ou=people,"+base || e.GetAttributeValue("uid") != "renamed" {
		t.Errorf("after rename of person and unit: %s %v", e.DN, e.Attributes)
	}
	if err := c.Del(goldap.NewDelRequest("ou=r+d,ou=people,"+base, nil)); !goldap.IsErrorWithCode(err, goldap.LDAPResultNotAllowedOnNonLeaf) {
		t.Errorf("delete of a full unit: %v", err)
	}
	if err := c.Del(goldap.NewDelRequest(e.DN, nil)); err != nil {
		t.Fatal(err)
	}
	moved("delete")
	add := goldap.NewAddRequest(dn, nil)
	add.Attribute("objectClass", []string{"inetOrgPerson"})
	if err := c.Add(add); err != nil {
		t.Fatal(err)
	}
	if err := c.Add(add); !goldap.IsErrorWithCode(err, goldap.LDAPResultEntryAlreadyExists) {
		t.Errorf("add twice: %v", err)
	}
	for what, attr := range map[string]string{"id": "entryUUID", "time": "modifyTimestamp"} {
		mod := goldap.NewModifyRequest(dn, nil)
		mod.Replace(attr, []string{"x"})
		if err := c.Modify(mod); !goldap.IsErrorWithCode(err, goldap.LDAPResultConstraintViolation) {
			t.Errorf("write of the %s: %v", what, err)
		}
		add := goldap.NewAddRequest("uid=another,ou=people,"+base, nil)
		add.Attribute(attr, []string{"x"})
		if err := c.Add(add); !goldap.IsErrorWithCode(err, goldap.LDAPResultConstraintViolation) {
			t.Errorf("add with the %s: %v", what, err)
		}
	}
	for _, bad := range []string{"ou=<x>,ou=people," + base, "ou=,ou=people," + base, `ou=a\z,ou=people,` + base, "ou=a;b," + base, "ou=x,ou=<people>," + base} {
		add := goldap.NewAddRequest(bad, nil)
		add.Attribute("objectClass", []string{"organizationalUnit"})
		if err := c.Add(add); !goldap.IsErrorWithCode(err, goldap.LDAPResultInvalidDNSyntax) {
			t.Errorf("add %s: %v", bad, err)
		}
	}
	add = goldap.NewAddRequest(`ou=a\<b\2c c\> #1,ou=people,`+base, nil)
	add.Attribute("objectClass", []string{"organizationalUnit"})
	if err := c.Add(add); err != nil {
		t.Errorf("add with what is escaped: %v", err)
	}
}

func TestFaults(t *testing.T) {
	d := company(t, 30)
	url := ldaptest.Serve(t, d)
	paged := func() (int, error) {
		c := dial(t, url, admin, secret)
		c.SetTimeout(300 * time.Millisecond)
		r, err := c.SearchWithPaging(goldap.NewSearchRequest(base, 2, 0, 0, 0, false, "(objectClass=inetOrgPerson)", nil, nil), 10)
		return len(r.Entries), err
	}
	for _, row := range []struct {
		name  string
		f     demo.Faults
		count int
		fails bool
	}{
		{"sound", demo.Faults{}, 30, false},
		{"empty", demo.Faults{Empty: true}, 0, false},
		{"other class", demo.Faults{Empty: true, Class: "organizationalUnit"}, 30, false},
		{"size limit", demo.Faults{SizeLimit: 12}, 12, true},
		{"drop", demo.Faults{DropAfter: 12}, 12, true},
		{"page", demo.Faults{ClosePage: 2}, 15, true},
		{"silent", demo.Faults{SilentAfter: 5}, 5, true},
		{"referral", demo.Faults{Referral: "ldap://127.0.0.1:1/"}, 0, true},
		{"code", demo.Faults{Code: 52}, 0, true},
	} {
		d.SetFaults(row.f)
		if n, err := paged(); n != row.count || (err != nil) != row.fails {
			t.Errorf("%s: %d entries, error %v", row.name, n, err)
		}
	}
}
