package ldap_test

import (
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

func adConfig(s *ldaptest.AD, login, password string) ldap.Config {
	return ldap.Config{URL: s.URL, CAFile: s.CAFile, BindDN: login, Password: ldap.Secret(password), Base: ldaptest.ADBase, PageSize: 37}
}

// TestActiveDirectory runs everything that needs a real domain controller on one.
func TestActiveDirectory(t *testing.T) {
	s := ldaptest.StartAD(t)
	t.Run("identical", func(t *testing.T) { identicalAD(t, s) })
	t.Run("passwords", func(t *testing.T) { passwordsAD(t, s) })
	t.Run("probes", func(t *testing.T) { probesAD(t, s) })
	t.Run("status", func(t *testing.T) { statusAD(t, s) })
	t.Run("restart", func(t *testing.T) { restartAD(t, s) })
	t.Run("live", func(t *testing.T) { liveAD(t, s) })
	t.Run("administrator", func(t *testing.T) { modelAD(t, s, ldaptest.ADAdmin, ldaptest.ADAdminPW) })
	t.Run("replicator", func(t *testing.T) { modelAD(t, s, ldaptest.ADSync, ldaptest.ADPW) })
	t.Run("ordinary", func(t *testing.T) { modelAD(t, s, ldaptest.ADPlain, ldaptest.ADPW) })
}

// identicalAD holds the reader to what go-ldap reads. A subtree search names other partitions there, which are not followed.
//
// holds: R21, R22
func identicalAD(t *testing.T, s *ldaptest.AD) {
	theirs, err := s.Admin(t).Search(goldap.NewSearchRequest(ldaptest.ADBase, 2, 0, 0, 0, false, "(objectClass=*)", []string{"*"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	byDN := map[string]*goldap.Entry{}
	for _, e := range theirs.Entries {
		byDN[e.DN] = e
	}
	objects, proof, err := snapshot(t.Context(), client(t, adConfig(s, ldaptest.ADSync, ldaptest.ADPW)))
	if err != nil || !proof.Complete() {
		t.Fatalf("%+v %v", proof, err)
	}
	if n := proof.Counts; n[ldap.ClassPerson] != ldaptest.ADPeople || n[ldap.ClassGroup] != ldaptest.ADGroups || n[ldap.ClassUnit] != ldaptest.ADUnits+3 {
		t.Errorf("counts %v", n)
	}
	for _, o := range objects {
		e := byDN[o.DN]
		if e == nil {
			t.Fatalf("%s is not in go-ldap's reading", o.DN)
		}
		for name, values := range o.Attrs {
			if want := e.GetEqualFoldAttributeValues(name); !reflect.DeepEqual(values, want) {
				t.Errorf("%s %s: %q, go-ldap has %q", o.DN, name, values, want)
			}
		}
		if raw := e.GetRawAttributeValue("objectGUID"); len(raw) != 16 || strings.Count(o.Key, "-") != 4 || o.Key[19:23] != hex.EncodeToString(raw[8:10]) {
			t.Errorf("%s: key %s of %x", o.DN, o.Key, raw)
		}
	}
}

// probesAD holds that each account is told what it lacks, and that a domain controller takes no password without TLS.
//
// holds: R7, R16
func probesAD(t *testing.T, s *ldaptest.AD) {
	for login, want := range map[string][]string{
		ldaptest.ADAdmin: nil,
		ldaptest.ADSync:  {"deletions_hidden"}, // with the right to replicate, Samba shows them to administrators only
		ldaptest.ADPlain: {"deletions_hidden", "no_replication_right"},
	} {
		password := ldaptest.ADPW
		if login == ldaptest.ADAdmin {
			password = ldaptest.ADAdminPW
		}
		caps, findings, err := client(t, adConfig(s, login, password)).Probe(t.Context())
		if err != nil || caps.Vendor != "ad" || caps.IDAttribute != "objectguid" || caps.Position == "" {
			t.Fatalf("%s: %+v %v", login, caps, err)
		}
		var got []string
		for _, f := range findings {
			if f.Code == "deletions_hidden" || f.Code == "no_replication_right" || f.Severity == ldap.Error {
				got = append(got, f.Code)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", login, findings)
		}
	}
	for _, row := range []struct {
		url   string
		plain bool
		want  error
	}{{"ldap://127.0.0.1", false, nil}, {"ldap://127.0.0.1", true, ldap.ErrLogin}} {
		c := adConfig(s, ldaptest.ADSync, ldaptest.ADPW)
		if c.URL, c.InsecurePlain = row.url, row.plain; row.plain {
			c.CAFile = ""
		}
		_, err := client(t, c).Position(t.Context())
		if !errors.Is(err, row.want) || row.want != nil && !strings.Contains(err.Error(), "wants TLS") {
			t.Errorf("%+v: %v", row, err)
		}
		noCanary(t, row.url, err)
	}
}

// statusAD holds that a disabled account, one with an end and one locked out by wrong passwords are told as what they are, and
// that attributes that were emptied are gone.
func statusAD(t *testing.T, s *ldaptest.AD) {
	cl := client(t, adConfig(s, ldaptest.ADSync, ldaptest.ADPW))
	_, proof, err := snapshot(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	admin := s.Admin(t)
	for i, set := range map[int][2]string{120: {"userAccountControl", "546"}, 121: {"accountExpires", "134489376000000000"}, 122: {"title", ""}, 123: {"sn", `Ö,"\ +<>;#=`}} {
		m := goldap.NewModifyRequest(ldaptest.ADPerson(i), nil)
		if set[1] == "" {
			m.Replace(set[0], nil)
		} else {
			m.Replace(set[0], []string{set[1]})
		}
		if err := admin.Modify(m); err != nil {
			t.Fatal(err)
		}
	}
	found := map[string]ldap.Object{}
	if _, err := cl.Changes(t.Context(), proof.Cursor, func(changes []ldap.Change) error {
		for _, c := range changes {
			if c.Op == ldap.OpUpsert {
				found[c.Object.DN] = c.Object
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	value := func(i int, name string) string { return strings.Join(found[ldaptest.ADPerson(i)].Attrs[name], "|") }
	if len(found) != 4 || value(120, "useraccountcontrol") != "546" || value(121, "accountexpires") != "134489376000000000" || value(122, "title") != "" || value(122, "displayname") == "" ||
		value(123, "sn") != `Ö,"\ +<>;#=` {
		t.Errorf("%v", found)
	}
}

// restartAD kills the server while it is watched, and goes on from the cursor.
//
// holds: R17
func restartAD(t *testing.T, s *ldaptest.AD) {
	cl := client(t, adConfig(s, ldaptest.ADAdmin, ldaptest.ADAdminPW))
	r := newReplica()
	at, err := cl.Changes(t.Context(), "", r.apply)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ready := make(chan struct{}, 1)
	go func() {
		done <- cl.Watch(t.Context(), at, func(changes []ldap.Change) error {
			select {
			case ready <- struct{}{}:
			default:
			}
			return r.apply(changes)
		})
	}()
	<-ready
	s.Kill()
	select {
	case err := <-done:
		if !errors.Is(err, ldap.ErrClosed) && !errors.Is(err, ldap.ErrUnreachable) {
			t.Error(err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("it still watches a server that was killed")
	}
	s.Resume(t)
	m := goldap.NewModifyRequest(ldaptest.ADGroup(4), nil)
	m.Replace("description", []string{"after the restart"})
	if err := s.Admin(t).Modify(m); err != nil {
		t.Fatal(err)
	}
	if _, err := cl.Changes(t.Context(), r.cursor, r.apply); err != nil {
		t.Fatal(err)
	}
	r.settles(t, "after the restart", cl)
}
