package demo_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap/demo"
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

func serve(t testing.TB, d *demo.Directory) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- demo.Serve(ctx, l, d) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "ldap://" + l.Addr().String()
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
	c := dial(t, serve(t, company(t, 20)), admin, secret)
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
	url := serve(t, d)
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
	c := dial(t, serve(t, d), admin, secret)
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
}

func TestFaults(t *testing.T) {
	d := company(t, 30)
	url := serve(t, d)
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

// TestContentSync reads live changes with go-ldap.
func TestContentSync(t *testing.T) {
	d := company(t, 10)
	c := dial(t, serve(t, d), admin, secret)
	c.SetTimeout(0)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req := func() *goldap.SearchRequest {
		return goldap.NewSearchRequest("ou=people,"+base, 2, 0, 0, 0, false, "(objectClass=inetOrgPerson)", nil, nil)
	}
	r := c.Syncrepl(ctx, req(), 64, goldap.SyncRequestModeRefreshAndPersist, nil, false)
	seen, cookie := []string{}, []byte{}
	next := func() string {
		t.Helper()
		for r.Next() {
			if e := r.Entry(); e != nil {
				for _, ctl := range r.Controls() {
					if s, ok := ctl.(*goldap.ControlSyncState); ok {
						cookie = s.Cookie
						return fmt.Sprintf("%d %s", s.State, e.DN)
					}
				}
				t.Fatalf("entry without state: %s", e.DN)
			}
			for _, ctl := range r.Controls() {
				if s, ok := ctl.(*goldap.ControlSyncInfo); ok && s.RefreshPresent != nil {
					return "refreshed"
				}
			}
		}
		t.Fatalf("stream ended: %v", r.Err())
		return ""
	}
	for s := next(); s != "refreshed"; s = next() {
		seen = append(seen, s)
	}
	if len(seen) != 10 {
		t.Fatalf("refresh: %v", seen)
	}
	dn := "uid=u001,ou=sales,ou=people," + base
	steps := []struct {
		do   func() error
		want string
	}{
		{func() error {
			return d.Modify(dn, demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{"x"}})
		}, "2 " + dn},
		{func() error {
			return d.Add(demo.Entry{DN: "uid=new,ou=people," + base, Attributes: map[string][]string{"objectClass": {"inetOrgPerson"}}})
		}, "1 uid=new,ou=people," + base},
		{func() error { return d.Delete("uid=new,ou=people," + base) }, "3 uid=new,ou=people," + base},
		{func() error { return d.Move(dn, "uid=u001", false, base) }, "3 " + dn}, // out of the search base
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		if got := next(); got != s.want {
			t.Fatalf("live change: %s, want %s", got, s.want)
		}
	}
	if err := d.Delete("uid=u003,ou=sales,ou=people," + base); err != nil {
		t.Fatal(err)
	}
	late := dial(t, serve(t, d), admin, secret)
	done := late.Syncrepl(ctx, req(), 64, goldap.SyncRequestModeRefreshOnly, cookie, false)
	var changed, present int
	finished := false
	for done.Next() {
		if done.Entry() != nil {
			changed++
		}
		for _, ctl := range done.Controls() {
			switch s := ctl.(type) {
			case *goldap.ControlSyncInfo:
				if s.SyncIdSet != nil {
					present += len(s.SyncIdSet.SyncUUIDs)
				}
			case *goldap.ControlSyncDone:
				finished = !s.RefreshDeletes
			}
		}
	}
	if changed != 0 || present != 8 || !finished {
		t.Errorf("resume: %d changed, %d present, finished %v", changed, present, finished)
	}
}

func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed in CI (ldap-utils): %v", name, err)
		}
		t.Skipf("skipped: %s is not installed (ldap-utils)", name)
	}
	return path
}

// TestCommandLineTools drives the server with OpenLDAP's own clients.
func TestCommandLineTools(t *testing.T) {
	url := serve(t, company(t, 300))
	run := func(stdin, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(tool(t, name), append([]string{"-x", "-H", url, "-D", admin, "-w", secret}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	if out := run("", "ldapsearch", "-LLL", "-E", "pr=50/noprompt", "-b", base, "(objectClass=person)", "uid"); strings.Count(out, "\nuid: ") != 300 {
		t.Errorf("ldapsearch with pages: %d people", strings.Count(out, "\nuid: "))
	}
	if out := run("", "ldapwhoami"); strings.TrimSpace(out) != "dn:"+admin {
		t.Errorf("ldapwhoami: %s", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	live := exec.CommandContext(ctx, tool(t, "ldapsearch"), "-x", "-H", url, "-D", admin, "-w", secret, "-b", base, "-E", "!sync=rp", "(objectClass=person)", "title")
	pipe, err := live.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := live.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	until := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("ldapsearch -E sync=rp ended before %q", want)
	}
	until("# refresh done, switching to persist stage")
	run("dn: uid=u001,ou=sales,ou=people,"+base+"\nchangetype: modify\nreplace: title\ntitle: Live Title\n", "ldapmodify")
	until("title: Live Title")
	_ = live.Process.Kill()
	_, _ = io.Copy(io.Discard, pipe)
	_ = live.Wait()
}

// bindMessage is a login as the manager, message 1.
func bindMessage() []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, 0, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 3, ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, admin, ""))
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, secret, ""))
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, ""))
	m.AppendChild(op)
	return m.Bytes()
}

// FuzzRequests sends foreign bytes: the server must stay up and answer the next client.
func FuzzRequests(f *testing.F) {
	d := company(f, 2)
	url := serve(f, d)
	login := bindMessage()
	f.Add([]byte("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00"))
	f.Add([]byte("\x30\x05\x02\x01\x02\x63\x00"))
	f.Add([]byte("\x30\x05\x02\x01\x01\x66\x00\x30\x05\x02\x01\x02\x6c\x00"))
	f.Add([]byte("\x30\x84\x7f\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "ldap://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(login); err != nil { // so that what follows is looked at
			t.Skip()
		}
		if _, err := c.Write(raw); err != nil {
			t.Skip()
		}
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatal("the server neither answered nor closed")
		}
	})
}
