package ldap_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// canary is the password of every double; it may turn up nowhere.
const canary = "canary-9f31-never-shown"

const base = "dc=corp,dc=example"

// double starts a demo directory with n people, two units below ou=people and one group.
func double(t testing.TB, n int) (*demo.Directory, ldap.Config) {
	t.Helper()
	d := demo.New(base, "cn=admin,"+base, canary)
	entries := []demo.Entry{
		{DN: "ou=people," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}},
		{DN: "ou=研发,ou=people," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}, "ou;lang-en": {"R&D"}}},
		{DN: "ou=sales,ou=people," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}},
		{DN: "ou=groups," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}},
	}
	var members []string
	for i := range n {
		dn := fmt.Sprintf("uid=u%03d,ou=%s,ou=people,%s", i, []string{"研发", "sales"}[i%2], base)
		members = append(members, dn)
		attrs := map[string][]string{"objectClass": {"top", "person", "organizationalPerson", "inetOrgPerson"}, "cn": {fmt.Sprintf("Person %d", i)}, "sn": {"王"},
			"mail": {fmt.Sprintf("u%03d@corp.example", i)}, "employeeNumber": {fmt.Sprint(i)}, "title": {"Engineer"}}
		if i > 0 {
			attrs["manager"] = []string{members[0]}
		}
		entries = append(entries, demo.Entry{DN: dn, Attributes: attrs})
	}
	entries = append(entries, demo.Entry{DN: "cn=all,ou=groups," + base, Attributes: map[string][]string{"objectClass": {"groupOfNames"}, "member": members}})
	if err := d.Add(entries...); err != nil {
		t.Fatal(err)
	}
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
	return d, ldap.Config{URL: "ldap://" + l.Addr().String(), InsecurePlain: true, BindDN: "cn=admin," + base, Password: canary, Base: base, PageSize: 10, Timeout: 300 * time.Millisecond}
}

func client(t testing.TB, c ldap.Config) *ldap.Client {
	t.Helper()
	cl, err := ldap.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cl.Close() })
	return cl
}

func snapshot(ctx context.Context, cl *ldap.Client) ([]ldap.Object, ldap.Proof, error) {
	var all []ldap.Object
	proof, err := cl.Snapshot(ctx, func(o []ldap.Object) error {
		all = append(all, o...)
		return nil
	})
	return all, proof, err
}

func slapdConfig(s *ldaptest.Server) ldap.Config {
	return ldap.Config{URL: s.URLS, CAFile: s.CAFile, BindDN: ldaptest.ReaderDN, Password: ldaptest.ReaderPW, Base: ldaptest.Base, PageSize: 17}
}

// noCanary fails where one of these texts holds a password.
func noCanary(t testing.TB, what string, texts ...any) {
	t.Helper()
	for _, x := range texts {
		for _, text := range []string{fmt.Sprint(x), fmt.Sprintf("%+v", x), fmt.Sprintf("%#v", x)} {
			if strings.Contains(text, canary) || strings.Contains(text, ldaptest.ReaderPW) {
				t.Errorf("%s shows the password: %s", what, text)
			}
		}
	}
}

// holds: R16
func TestTLS(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 3, Units: 1}.LDIF())
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URLS, "ldaps://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		alter func(*ldap.Config)
		want  error
		text  string
	}{
		{"ldaps with the right authority", func(*ldap.Config) {}, nil, ""},
		{"ldaps by host name", func(c *ldap.Config) { c.URL = "ldaps://localhost:" + port }, nil, ""},
		{"StartTLS with the right authority", func(c *ldap.Config) { c.URL = s.URL }, nil, ""},
		{"other authority", func(c *ldap.Config) { c.CAFile = s.OtherCA }, ldap.ErrTLS, "set ca_file"},
		{"the system's authorities", func(c *ldap.Config) { c.CAFile = "" }, ldap.ErrTLS, "set ca_file"},
		{"other authority, StartTLS", func(c *ldap.Config) { c.URL, c.CAFile = s.URL, s.OtherCA }, ldap.ErrTLS, "set ca_file"},
		{"other name", func(c *ldap.Config) { c.ServerName = "ldap.other.example" }, ldap.ErrTLS, "server_name"},
		{"alias", func(c *ldap.Config) { c.ServerName = "ldap.corp.example" }, nil, ""},
		{"ldaps on the plain port", func(c *ldap.Config) { c.URL = strings.Replace(s.URL, "ldap://", "ldaps://", 1) }, nil, "*"},
		{"wrong password", func(c *ldap.Config) { c.Password = canary }, ldap.ErrLogin, "bind_dn or password is wrong"},
	} {
		c := slapdConfig(s)
		c.Timeout = 2 * time.Second
		row.alter(&c)
		caps, findings, err := client(t, c).Probe(t.Context())
		noCanary(t, row.name, err, findings, c)
		switch {
		case row.text == "*":
			if err == nil {
				t.Errorf("%s: connected", row.name)
			}
		case !errors.Is(err, row.want) || row.want == nil && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case err != nil && !strings.Contains(err.Error(), row.text):
			t.Errorf("%s: the text does not help: %v", row.name, err)
		case err == nil && !strings.HasPrefix(caps.TLS, "TLS 1."):
			t.Errorf("%s: secured with %q", row.name, caps.TLS)
		}
	}
}

// TestStartTLSNeverFallsBack connects to a server without TLS: nothing may be sent after the refusal, least of all a password.
//
// holds: R16
func TestStartTLSNeverFallsBack(t *testing.T) {
	for name, answer := range map[string]string{
		"refused":            "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00",
		"accepted, no TLS":   "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00" + strings.Repeat("no TLS ", 200),
		"closed":             "",
		"not LDAP":           "HTTP/1.1 400 Bad Request\r\n\r\n",
		"length of a galaxy": "\x30\x84\x7f\xff\xff\xff",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan []byte, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				got <- nil
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(2 * time.Second))
			first := make([]byte, 512)
			n, _ := c.Read(first)
			_, _ = io.WriteString(c, answer)
			if answer == "" {
				c.Close()
			}
			rest, _ := io.ReadAll(c)
			got <- append(first[:n], rest...)
		}()
		_, _, err = client(t, ldap.Config{URL: "ldap://" + l.Addr().String(), BindDN: "cn=x", Password: canary, Base: base, Timeout: time.Second}).Probe(t.Context())
		l.Close()
		if err == nil {
			t.Errorf("%s: connected", name)
		}
		noCanary(t, name, err)
		if sent := <-got; bytes.Contains(sent, []byte(canary)) || bytes.Contains(sent, []byte("cn=x")) {
			t.Errorf("%s: the login was sent without TLS: %q", name, sent)
		}
	}
}

func TestConfig(t *testing.T) {
	good := ldap.Config{URL: "ldaps://ldap.corp.example", BindDN: "cn=x," + base, Password: canary, Base: base}
	for _, row := range []struct {
		alter func(*ldap.Config)
		want  string
	}{
		{func(c *ldap.Config) {}, ""},
		{func(c *ldap.Config) { c.BindDN = "svc@corp.example" }, ""},
		{func(c *ldap.Config) { c.URL = "http://x" }, "url"},
		{func(c *ldap.Config) { c.URL = "ldaps://u:p@x" }, "url"},
		{func(c *ldap.Config) { c.URL = "ldap://ldap.corp.example"; c.InsecurePlain = true }, "insecure_plain"},
		{func(c *ldap.Config) { c.URL = "ldap://10.0.0.1"; c.InsecurePlain = true }, "insecure_plain"},
		{func(c *ldap.Config) { c.InsecurePlain = true }, "insecure_plain"},
		{func(c *ldap.Config) { c.CAFile = "/nonexistent" }, "ca_file"},
		{func(c *ldap.Config) { c.Base = "" }, "base"},
		{func(c *ldap.Config) { c.Base = "not a name" }, "base"},
		{func(c *ldap.Config) { c.Password = "" }, "password"},
		{func(c *ldap.Config) { c.PersonClasses = []string{"a)(uid=*"} }, "person_classes"},
		{func(c *ldap.Config) { c.IDAttribute = "x)(y" }, "id_attribute"},
		{func(c *ldap.Config) { c.Mapping = map[string]string{"nickname": "x"} }, "mapping.nickname"},
		{func(c *ldap.Config) { c.Mapping = map[string]string{"title": "a)(b=*"} }, "mapping.title"},
		{func(c *ldap.Config) { c.Labels = map[string]string{"x": "a)"} }, "labels.x"},
		{func(c *ldap.Config) { c.PageSize = -1 }, "page_size"},
	} {
		c := good
		row.alter(&c)
		err := c.Check()
		noCanary(t, "config", err, c)
		if row.want == "" && err != nil || row.want != "" && (!errors.Is(err, ldap.ErrConfig) || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("wants an error about %q: %v", row.want, err)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", good, "secret", good.Password)
	out, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	noCanary(t, "encoding", log.String(), string(out))
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	good.CAFile = empty
	if err := good.Check(); !errors.Is(err, ldap.ErrConfig) {
		t.Errorf("a CA file without certificates: %v", err)
	}
}

// TestSameAsGoLDAP holds the decoder to what go-ldap makes of the same directory.
func TestSameAsGoLDAP(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 200, Units: 15, Groups: 12, Members: 30}.LDIF())
	objects, proof, err := snapshot(t.Context(), client(t, slapdConfig(s)))
	if err != nil || !proof.Complete() || proof.Moved || proof.Position == "" {
		t.Fatalf("%+v %v", proof, err)
	}
	if want := map[ldap.Class]int{ldap.ClassUnit: 18, ldap.ClassPerson: 200, ldap.ClassGroup: 12}; !maps.Equal(proof.Counts, want) {
		t.Errorf("counts %v, want %v", proof.Counts, want)
	}
	theirs, err := s.Admin(t).Search(goldap.NewSearchRequest(ldaptest.Base, 2, 0, 0, 0, false, "(objectClass=*)", []string{"*", "entryUUID"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	byKey := map[string]*goldap.Entry{}
	for _, e := range theirs.Entries {
		byKey[e.GetAttributeValue("entryUUID")] = e
	}
	for _, o := range objects {
		e := byKey[o.Key]
		if e == nil || e.DN != o.DN {
			t.Fatalf("%s: go-ldap has %v", o.DN, e)
		}
		for name, values := range o.Attrs {
			want := e.GetEqualFoldAttributeValues(name)
			if !reflect.DeepEqual(values, want) {
				t.Errorf("%s %s: %q, go-ldap has %q", o.DN, name, values, want)
			}
		}
	}
}

// TestBrokenServers reads from servers that fail in every way a reading can fall short. None may be proved.
//
// holds: R1, R22
// holds: attack ldap-05
func TestBrokenServers(t *testing.T) {
	d, c := double(t, 35)
	trap, err := net.Listen("tcp", "127.0.0.1:0") // where a referral leads to
	if err != nil {
		t.Fatal(err)
	}
	defer trap.Close()
	followed := make(chan struct{})
	go func() {
		if c, err := trap.Accept(); err == nil {
			c.Close()
			close(followed)
		}
	}()
	there := "ldap://" + trap.Addr().String() + "/" + base
	for _, row := range []struct {
		name string
		f    demo.Faults
		want error // nil: ends well, but without proof
	}{
		{"drop in page 1", demo.Faults{DropAfter: 5, Class: "inetOrgPerson"}, ldap.ErrClosed},
		{"drop in page 3", demo.Faults{ClosePage: 3, Class: "inetOrgPerson"}, ldap.ErrClosed},
		{"size limit", demo.Faults{SizeLimit: 20, Class: "inetOrgPerson"}, ldap.ErrServer},
		{"admin limit", demo.Faults{Code: 11}, ldap.ErrServer},
		{"busy", demo.Faults{Code: 51}, ldap.ErrServer},
		{"no rights", demo.Faults{Code: 50, Class: "inetOrgPerson"}, ldap.ErrServer},
		{"base hidden", demo.Faults{Code: 32}, ldap.ErrServer},
		{"referral", demo.Faults{Referral: there, Class: "inetOrgPerson"}, ldap.ErrServer},
		{"reference", demo.Faults{Reference: there, Class: "inetOrgPerson"}, nil},
		{"silent in a page", demo.Faults{SilentAfter: 12, Class: "inetOrgPerson"}, ldap.ErrTimeout},
		{"silent", demo.Faults{Silent: true}, ldap.ErrTimeout},
		{"no paging", demo.Faults{NoPaging: true}, nil},
		{"no ids", demo.Faults{NoIDs: true}, nil},
		{"one id for all", demo.Faults{SameIDs: true, Class: "inetOrgPerson"}, nil},
	} {
		d.SetFaults(row.f)
		began := time.Now()
		_, proof, err := snapshot(t.Context(), client(t, c))
		if proof.Complete() || len(proof.Missing) == 0 {
			t.Errorf("%s: proved complete: %+v", row.name, proof)
		}
		if row.want == nil && err != nil || !errors.Is(err, row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s: took %v", row.name, took)
		}
		noCanary(t, row.name, err, proof)
	}
	select {
	case <-followed:
		t.Error("a referral was followed")
	default:
	}
	d.SetFaults(demo.Faults{Reference: there})
	c.IgnoreReferences = true
	if _, proof, err := snapshot(t.Context(), client(t, c)); err != nil || !proof.Complete() {
		t.Errorf("ignore_references: %v %v", proof, err)
	}
	d.SetFaults(demo.Faults{})
	c.Sentinel = "uid=u001,ou=sales,ou=people," + base
	if _, proof, err := snapshot(t.Context(), client(t, c)); err != nil || !proof.Complete() {
		t.Errorf("sentinel that is there: %v %v", proof, err)
	}
	c.Sentinel = "uid=nobody," + base
	if _, proof, err := snapshot(t.Context(), client(t, c)); err != nil || proof.Complete() {
		t.Errorf("sentinel that is missing: %v %v", proof, err)
	}
}

// TestBlackHole talks to a listener that accepts and says nothing, and to one that sends a byte now and then.
//
// holds: R16
func TestBlackHole(t *testing.T) {
	for name, drip := range map[string]bool{"silent": false, "dripping": true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = c.Write([]byte("\x30\x84\x00\x10\x00\x00"))
					for {
						select {
						case <-stop:
							return
						case <-time.After(50 * time.Millisecond):
							if drip {
								_, _ = c.Write([]byte{0})
							}
						}
					}
				}()
			}
		}()
		for _, scheme := range []string{"ldap://", "ldaps://"} {
			for _, plain := range []bool{true, false} {
				if plain && scheme == "ldaps://" {
					continue
				}
				cl := client(t, ldap.Config{URL: scheme + l.Addr().String(), InsecurePlain: plain, BindDN: "cn=x", Password: canary, Base: base, Timeout: 200 * time.Millisecond})
				began := time.Now()
				_, err := cl.Position(t.Context())
				if err == nil || time.Since(began) > 2*time.Second {
					t.Errorf("%s %s plain=%v: %v after %v", name, scheme, plain, err, time.Since(began))
				}
				if plain && !errors.Is(err, ldap.ErrTimeout) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		close(stop)
		l.Close()
	}
	cl := client(t, ldap.Config{URL: "ldap://127.0.0.1:1", InsecurePlain: true, BindDN: "cn=x", Password: canary, Base: base})
	if _, err := cl.Position(t.Context()); !errors.Is(err, ldap.ErrUnreachable) {
		t.Errorf("nobody listens: %v", err)
	}
	d, c := double(t, 30)
	d.SetFaults(demo.Faults{SilentAfter: 5})
	c.Timeout = 30 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, proof, err := snapshot(ctx, client(t, c)); err == nil || proof.Complete() || time.Since(began) > 2*time.Second {
		t.Errorf("a cancelled reading: %v %v after %v", proof, err, time.Since(began))
	}
}

// holds: attack ldap-03
func TestInjection(t *testing.T) {
	_, c := double(t, 5)
	cl := client(t, c)
	for name, want := range map[string]int{"u001": 1, "u001@corp.example": 1, "U001": 1, "nobody": 0, "": 0,
		"*": 0, "u00*": 0, "*)(uid=*))(|(uid=*": 0, "u001)(uid=*": 0, `\2a`: 0, "u001\x00": 0, "(&": 0} {
		found, err := cl.Find(t.Context(), name)
		if err != nil || len(found) != want {
			t.Errorf("Find(%q): %d people, %v", name, len(found), err)
		}
		if byKey, err := cl.Lookup(t.Context(), ldap.ClassPerson, []string{name}); err != nil || len(byKey) != 0 {
			t.Errorf("Lookup(%q): %d people, %v", name, len(byKey), err)
		}
	}
	objects, _, err := snapshot(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range objects {
		if o.Class == ldap.ClassPerson {
			keys = append(keys, o.Key)
		}
	}
	found, err := cl.Lookup(t.Context(), ldap.ClassPerson, append(keys, "*", "00000000-0000-4000-8000-000000000000"))
	if err != nil || len(found) != 5 {
		t.Errorf("Lookup of everybody: %d, %v", len(found), err)
	}
}

// TestPasswordStaysHidden lets the server itself repeat the password.
//
// holds: attack ldap-04
func TestPasswordStaysHidden(t *testing.T) {
	d, c := double(t, 3)
	d.SetFaults(demo.Faults{EchoSecret: true})
	_, findings, err := client(t, c).Probe(t.Context())
	if !errors.Is(err, ldap.ErrLogin) {
		t.Errorf("probe: %v", err)
	}
	noCanary(t, "echoed bind", err, findings)
	for at := err; at != nil; at = errors.Unwrap(at) {
		noCanary(t, "wrapped error", at)
	}
}

// TestRanges reads a group that the server shows in pieces, as Active Directory does.
func TestRanges(t *testing.T) {
	d, c := double(t, 35)
	d.SetFaults(demo.Faults{MaxValues: 8})
	objects, proof, err := snapshot(t.Context(), client(t, c))
	if err != nil || !proof.Complete() {
		t.Fatalf("%v %v", proof, err)
	}
	at := slices.IndexFunc(objects, func(o ldap.Object) bool { return o.Class == ldap.ClassGroup })
	if n := len(objects[at].Attrs["member"]); n != 35 {
		t.Errorf("%d members of 35", n)
	}
}

// TestPosition moves with writes, and survives that the server closes the standing connection.
func TestPosition(t *testing.T) {
	d, c := double(t, 3)
	cl := client(t, c)
	read := func() string {
		t.Helper()
		p, err := cl.Position(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	one := read()
	if one == "" || one != read() {
		t.Error("the mark does not stand still")
	}
	if err := d.Modify("uid=u001,ou=sales,ou=people,"+base, demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{"x"}}); err != nil {
		t.Fatal(err)
	}
	if one == read() {
		t.Error("the mark does not move")
	}
	s := ldaptest.Start(t, ldaptest.Company{People: 2, Units: 1}.LDIF())
	real := client(t, slapdConfig(s))
	before, err := real.Position(t.Context())
	if err != nil || before == "" {
		t.Fatalf("%q %v", before, err)
	}
	s.Modify(t, "dn: uid=u000000,ou=dept000,ou=people,"+base+"\nchangetype: modify\nreplace: title\ntitle: Boss\n")
	s.Stop()
	if _, err := real.Position(t.Context()); err == nil {
		t.Error("a stopped server has a mark")
	}
	s.Resume(t)
	if after, err := real.Position(t.Context()); err != nil || after == before {
		t.Errorf("after a restart: %q %v", after, err)
	}
}

// holds: R21
func TestProbe(t *testing.T) {
	d, c := double(t, 5)
	cl := client(t, c)
	caps, findings, err := cl.Probe(t.Context())
	if err != nil || caps.Sample[ldap.ClassPerson] != 5 || !caps.Paging || !caps.ContentSync || caps.IDAttribute != "entryuuid" || caps.Position == "" {
		t.Errorf("%+v %v", caps, err)
	}
	codes := func() (out []string) {
		for _, f := range findings {
			out = append(out, f.Code)
		}
		return out
	}
	if got := codes(); !slices.Equal(got, []string{"plain"}) {
		t.Errorf("findings of a sound server: %v", findings)
	}
	d.SetFaults(demo.Faults{Empty: true})
	if _, findings, err = cl.Probe(t.Context()); err != nil || !slices.Contains(codes(), "no_people") {
		t.Errorf("empty: %v %v", findings, err)
	}
	d.SetFaults(demo.Faults{NoIDs: true})
	if _, findings, err = cl.Probe(t.Context()); err != nil || !slices.Contains(codes(), "no_id") {
		t.Errorf("no ids: %v %v", findings, err)
	}
	c.Password = "wrong"
	if _, findings, err = client(t, c).Probe(t.Context()); !errors.Is(err, ldap.ErrLogin) || !slices.Contains(codes(), "login") {
		t.Errorf("wrong password: %v %v", findings, err)
	}
}
