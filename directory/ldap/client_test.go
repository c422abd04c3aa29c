package ldap_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	return d, ldap.Config{URL: ldaptest.Serve(t, d), InsecurePlain: true, BindDN: "cn=admin," + base, Password: canary, Base: base, PageSize: 10}
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

// TestSameAsGoLDAP holds the decoder to what go-ldap makes of the same directory.
func TestSameAsGoLDAP(t *testing.T) {
	company := ldaptest.Company{People: 200, Units: 15, Groups: 12, Members: 30}
	for id, start := range map[string]func() *ldaptest.Server{
		"entryUUID":  func() *ldaptest.Server { return ldaptest.Start(t, company.LDIF()) },
		"nsUniqueId": func() *ldaptest.Server { return ldaptest.Start389(t, company.LDIF()) },
	} {
		t.Run(id, func(t *testing.T) { sameAsGoLDAP(t, start(), id) })
	}
}

func sameAsGoLDAP(t *testing.T, s *ldaptest.Server, id string) {
	cl := client(t, slapdConfig(s))
	objects, proof, err := snapshot(t.Context(), cl)
	if err != nil || !proof.Complete() || proof.Moved || proof.Position == "" {
		t.Fatalf("%+v %v", proof, err)
	}
	if want := map[ldap.Class]int{ldap.ClassUnit: 18, ldap.ClassPerson: 200, ldap.ClassGroup: 12}; !maps.Equal(proof.Counts, want) {
		t.Errorf("counts %v, want %v", proof.Counts, want)
	}
	m := newMirror() // what the stream tells is the same
	m.catchUp(t, cl)
	if d := m.differs(t, cl); d != "" {
		t.Error(d)
	}
	theirs, err := s.Admin(t).Search(goldap.NewSearchRequest(ldaptest.Base, 2, 0, 0, 0, false, "(objectClass=*)", []string{"*", id}, nil))
	if err != nil {
		t.Fatal(err)
	}
	byKey := map[string]*goldap.Entry{}
	for _, e := range theirs.Entries {
		byKey[e.GetEqualFoldAttributeValue(id)] = e
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

// holds: attack ldap-03
func TestInjection(t *testing.T) {
	_, c := double(t, 5)
	cl := client(t, c)
	for name, want := range map[string]int{"u001": 1, "u001@corp.example": 1, "U001": 1, "nobody": 0,
		"*": 0, "u00*": 0, "*)(uid=*))(|(uid=*": 0, "u001)(uid=*": 0, `\2a`: 0, "u001\x00": 0, "(&": 0} {
		found, err := cl.Sample(t.Context(), name, 10)
		if err != nil || len(found) != want {
			t.Errorf("Sample(%q): %d people, %v", name, len(found), err)
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

func TestProbe(t *testing.T) {
	d, c := double(t, 5)
	cl := client(t, c)
	caps, findings, err := cl.Probe(t.Context())
	if err != nil || caps.Sample[ldap.ClassPerson] != 5 || caps.Counts[ldap.ClassPerson] != 5 || !caps.Paging || !caps.ContentSync || caps.IDAttribute != "entryuuid" || caps.Position == "" {
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
	named := c
	named.Mapping, named.Labels = map[string]string{"title": "jobTitel", "department": "noSuchThing,title"}, map[string]string{"badge": "cardNo"}
	if _, findings, err = client(t, named).Probe(t.Context()); err != nil || !slices.ContainsFunc(findings, func(f ldap.Finding) bool {
		return f.Code == "unmapped" && f.Severity == ldap.Warning && strings.HasSuffix(f.Text, ": labels.badge: cardno 0 of 5; mapping.title: jobtitel 0 of 5")
	}) || !slices.ContainsFunc(findings, func(f ldap.Finding) bool {
		return f.Code == "mapped" && strings.HasSuffix(f.Text, ": mapping.department: nosuchthing 0 of 5, title 5 of 5")
	}) {
		t.Errorf("a mapping of what nobody has: %v %v", findings, err)
	}
	d.SetFaults(demo.Faults{Empty: true})
	if _, findings, err = cl.Probe(t.Context()); err != nil || !slices.Contains(codes(), "no_people") {
		t.Errorf("empty: %v %v", findings, err)
	}
	small := c
	small.PageSize = 2
	d.SetFaults(demo.Faults{SizeLimit: 3, Class: "inetOrgPerson"})
	if caps, findings, err = client(t, small).Probe(t.Context()); err != nil || !slices.Contains(codes(), "limited") || caps.Counts[ldap.ClassPerson] != 3 {
		t.Errorf("a limit behind the first page: %v %v %v", caps.Counts, findings, err)
	}
	if caps, findings, err = cl.Probe(t.Context()); err != nil || !slices.Contains(codes(), "limited") || slices.Contains(codes(), "no_paging") || caps.Counts[ldap.ClassPerson] != 3 || !caps.Part[ldap.ClassPerson] || caps.Part[ldap.ClassGroup] {
		t.Errorf("a limit within the first page: %+v %v %v", caps, findings, err)
	}
	d.SetFaults(demo.Faults{SameIDs: true})
	if _, findings, err = cl.Probe(t.Context()); err != nil || !slices.Contains(codes(), "id_twice") {
		t.Errorf("one id for all: %v %v", findings, err)
	}
	d.SetFaults(demo.Faults{NoIDs: true})
	if _, findings, err = cl.Probe(t.Context()); err != nil || !slices.Contains(codes(), "no_id") {
		t.Errorf("no ids: %v %v", findings, err)
	}
	d.SetFaults(demo.Faults{})
	d.Now = func() time.Time { return time.Now().Add(5 * time.Minute) }
	if err := d.Modify(dn(0), demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{"From the future"}}); err != nil {
		t.Fatal(err)
	}
	if _, findings, err = cl.Probe(t.Context()); err != nil || !slices.Contains(codes(), "clock_skew") {
		t.Errorf("a clock that is ahead: %v %v", findings, err)
	}
	two := c
	two.URL, two.Timeout = "ldap://127.0.0.1:1 "+c.URL, time.Second
	if _, findings, err = client(t, two).Probe(t.Context()); err != nil || !slices.Contains(codes(), "server_failed") {
		t.Errorf("a first server that is not there: %v %v", findings, err)
	}
	elsewhere := c
	elsewhere.Base = "ou=nowhere," + base
	if _, findings, err = client(t, elsewhere).Probe(t.Context()); err == nil || slices.Contains(codes(), "no_position") {
		t.Errorf("wrong base: %v %v", findings, err)
	}
	c.Password = "wrong"
	if _, findings, err = client(t, c).Probe(t.Context()); !errors.Is(err, ldap.ErrLogin) || !slices.Contains(codes(), "login") {
		t.Errorf("wrong password: %v %v", findings, err)
	}
}
