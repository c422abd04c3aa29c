package ldap_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// membersOf names who is in a group, by login.
func (w *world) membersOf(group string) (out []string) {
	w.t.Helper()
	page, err := w.store.FindGroups(w.t.Context(), directory.GroupQuery{Source: w.source.ID, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range page.Groups {
		if g.DisplayName != group {
			continue
		}
		members, err := w.store.Members(w.t.Context(), g.ID, directory.MemberQuery{Limit: 1000})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, m := range members.Members {
			r, err := w.store.RecordByKey(w.t.Context(), w.source.ID, m.Value)
			if err == nil && r.AbsentSince.IsZero() && r.DeletedAt.IsZero() {
				out = append(out, cmp.Or(r.UserName, r.DisplayName))
			}
		}
	}
	slices.Sort(out)
	return out
}

// TestRenamedWithoutReferences renames units, people and moves both on a server that leaves references as they are: who was a member stays one, and it
// is told, whether it was seen as it happened or after a restart. Who is named anew by such a name is none, and who takes the name is.
//
// holds: R2
func TestRenamedWithoutReferences(t *testing.T) {
	const company = `dn: dc=corp,dc=example
objectClass: domain
dc: corp

dn: ou=people,dc=corp,dc=example
objectClass: organizationalUnit
ou: people

dn: ou=lab,ou=people,dc=corp,dc=example
objectClass: organizationalUnit
ou: lab

dn: ou=ops,ou=people,dc=corp,dc=example
objectClass: organizationalUnit
ou: ops

dn: ou=services,dc=corp,dc=example
objectClass: organizationalUnit
ou: services

dn: cn=sync,ou=services,dc=corp,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: sync
userPassword: ` + ldaptest.ReaderPW + `

dn: ou=groups,dc=corp,dc=example
objectClass: organizationalUnit
ou: groups

`
	var ldif strings.Builder
	ldif.WriteString(company)
	for i := range 6 {
		fmt.Fprintf(&ldif, "dn: uid=a%d,ou=lab,ou=people,%s\nobjectClass: inetOrgPerson\nuid: a%d\ncn: A %d\nsn: A\n", i, base, i, i)
		if at, ok := map[int]int{2: 0, 3: 5}[i]; ok {
			fmt.Fprintf(&ldif, "manager: uid=a%d,ou=lab,ou=people,%s\n", at, base)
		}
		ldif.WriteString("\n")
	}
	group := func(name string, members ...string) {
		fmt.Fprintf(&ldif, "dn: cn=%s,ou=groups,%s\nobjectClass: groupOfNames\ncn: %s\n", name, base, name)
		for _, m := range members {
			fmt.Fprintf(&ldif, "member: %s,%s\n", m, base)
		}
		ldif.WriteString("\n")
	}
	lab := func(i int) string { return fmt.Sprintf("uid=a%d,ou=lab,ou=people", i) }
	group("guild", lab(0), lab(1), lab(2), "cn=inner,ou=groups")
	group("inner", lab(3))
	group("other", lab(5))
	s := ldaptest.Start(t, strings.NewReader(ldif.String()))
	s.Stop()
	s.Rewrite(t, ldaptest.Refint, "")
	s.Resume(t)

	w := newWorld(t, dbtest.SQLite(t))
	want := func(what, group, members string) {
		t.Helper()
		wait(t, what, func() bool { return strings.Join(w.membersOf(group), " ") == members })
	}
	boss := func(what, login, of string) {
		t.Helper()
		wait(t, what, func() bool {
			var key string
			for _, r := range w.people() {
				if cmp.Or(r.UserName, r.DisplayName) == of {
					key = r.Key
				}
			}
			return w.people()[login].ManagerKey == key
		})
	}
	told := func(findings []ldap.Finding) bool {
		return slices.ContainsFunc(findings, func(f ldap.Finding) bool { return f.Code == "member_renamed" && f.Severity == ldap.Warning }) &&
			slices.ContainsFunc(findings, func(f ldap.Finding) bool {
				return f.Code == "manager_renamed" && strings.HasPrefix(f.Text, "2 people name ")
			})
	}
	rename := func(dn, rdn, superior string) {
		t.Helper()
		if superior != "" {
			superior += "," + base
		}
		if err := s.Admin(t).ModifyDN(goldap.NewModifyDNRequest(dn+","+base, rdn, true, superior)); err != nil {
			t.Fatal(err)
		}
	}
	sy := w.syncer(slapdConfig(s))
	stop := runs(t, sy, time.Hour)
	wait(t, "live", func() bool { return sy.Status().Mode == "live" })
	want("first", "guild", "a0 a1 a2")

	rename("ou=lab,ou=people", "ou=research", "")
	wait(t, "renamed", func() bool { return w.units()["research"].ID != "" })
	time.Sleep(3 * time.Second) // its groups are looked at once more after a while of silence
	want("the unit is renamed", "guild", "a0 a1 a2")
	want("in nested groups too", "inner", "a3")
	boss("the manager stays", "a2", "a0")
	boss("every one", "a3", "a5")
	rename("cn=inner,ou=groups", "cn=innermost", "")
	rename("uid=a1,ou=research,ou=people", "uid=b1", "ou=ops,ou=people")
	time.Sleep(3 * time.Second)
	want("and whoever moves", "guild", "a0 a2 b1")
	stop()

	// A process that begins anew, and reads everything.
	sy = w.syncer(slapdConfig(s))
	rep := w.sync(sy)
	want("read anew", "guild", "a0 a2 b1")
	boss("the manager, read anew", "a2", "a0")
	if !told(rep.Findings) {
		t.Errorf("not told: %+v", rep.Findings)
	}
	if slices.ContainsFunc(rep.Findings, func(f ldap.Finding) bool { return f.Code == "member_unknown" || f.Code == "manager_unknown" }) {
		t.Errorf("whoever is known by the name of before is told of once: %+v", rep.Findings)
	}
	s.Modify(t, "dn: cn=guild,ou=groups,"+base+"\nchangetype: modify\nadd: description\ndescription: something else\n-\ndelete: member\nmember: "+lab(2)+","+base+"\n")
	w.sync(sy)
	want("taken out by the old name", "guild", "a0 b1")
	// A name is given to another: whoever names it means that one, and whoever had it is out.
	s.Modify(t, "dn: ou=lab,ou=people,"+base+"\nchangetype: add\nobjectClass: organizationalUnit\nou: lab\n\n"+
		"dn: "+lab(0)+","+base+"\nchangetype: add\nobjectClass: inetOrgPerson\nuid: new\nuid: a0\ncn: New\nsn: New\n")
	w.sync(sy)
	want("the name is another's", "guild", "New b1")
	boss("and the manager is another", "a2", "New")
	boss("the other one stays", "a3", "a5")
	s.Modify(t, "dn: uid=a4,ou=research,ou=people,"+base+"\nchangetype: modify\nadd: manager\nmanager: "+lab(5)+","+base+"\n\n"+
		"dn: uid=a3,ou=research,ou=people,"+base+"\nchangetype: modify\ndelete: manager\n")
	w.sync(sy)
	boss("nobody gets a manager by a name of before", "a4", "")
	boss("nor keeps one who is named no more", "a3", "")
	// A group that is written now with a name of before says nobody.
	s.Modify(t, "dn: cn=other,ou=groups,"+base+"\nchangetype: modify\nadd: member\nmember: "+lab(4)+","+base+"\n")
	w.sync(sy)
	want("nothing is given by a name of before", "other", "a5")
}
