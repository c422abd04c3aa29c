package ldap_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// holds: J39
func TestSyncTwice(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 130, Units: 24, Groups: 12, Members: 40}.LDIF())
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var steps []ldap.Progress
		one := w.syncer(slapdConfig(s))
		one.Progress = func(p ldap.Progress) { steps = append(steps, p) }
		rep := w.sync(one)
		if got := rep.Outcomes[ldap.ClassPerson][directory.Created]; got != 130 || !rep.Proof.Complete() || len(rep.Findings) != 0 {
			t.Fatalf("first sync: %+v", rep)
		}
		if last := steps[len(steps)-1]; steps[0].Phase != "read" || last.Phase != "write" {
			t.Errorf("progress: %+v … %+v", steps[0], last)
		}
		people, units := w.people(), w.units()
		if len(people) != 130 || len(units) != 27 {
			t.Fatalf("%d people, %d units", len(people), len(units))
		}
		u50 := w.person("u000050")
		switch boss := w.person("u000002"); {
		case u50.Manager != boss.ID:
			t.Errorf("manager: %s, want %s", u50.Manager, boss.ID)
		case u50.Email != "u000050@corp.example" || u50.EmployeeNumber != "E000050" || u50.FamilyName == "" || u50.Department == "":
			t.Errorf("attributes: %+v", u50)
		case u50.Unit != units["dept014"].ID || units["dept014"].Parent != units["dept004"].ID || units["dept004"].Parent != units["people"].ID:
			t.Errorf("unit: %+v in %+v", u50.Unit, units)
		case units["dept014"].Names["zh"] != "研发14部":
			t.Errorf("names of a unit: %v", units["dept014"].Names)
		case u50.Status != directory.StatusActive || u50.Frozen:
			t.Errorf("status: %+v", u50)
		}
		groups, err := w.store.FindGroups(t.Context(), directory.GroupQuery{Source: w.source.ID, Limit: 100})
		if err != nil || groups.Total != 12 {
			t.Fatalf("groups: %+v %v", groups, err)
		}
		var nested, pending int
		for _, g := range groups.Groups {
			members, err := w.store.Members(t.Context(), g.ID, directory.MemberQuery{Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range members.Members {
				switch {
				case m.Group != "":
					nested++
				case m.Link == "":
					pending++
				}
			}
		}
		if nested != 1 || pending != 0 {
			t.Errorf("%d nested groups, %d pending members", nested, pending)
		}
		head := w.head()
		if rep := w.sync(w.syncer(slapdConfig(s))); rep.Written() != 0 || rep.Outcomes[ldap.ClassPerson][directory.Unchanged] != 130 {
			t.Errorf("second sync: %+v", rep)
		}
		if now := w.head(); now != head {
			t.Errorf("the second sync wrote %d events", now-head)
		}
		source, err := w.store.SourceByID(t.Context(), w.source.ID)
		if err != nil || source.SyncedAt.IsZero() {
			t.Errorf("the sync is not noted: %+v %v", source, err)
		}
	})
}

// holds: R2, J17
func TestIdentitySurvives(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 40, Units: 14, Groups: 3, Members: 10}.LDIF())
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(slapdConfig(s))
	w.sync(sy)
	before, units := w.people(), w.units()
	name := func(i int) string { return fmt.Sprintf("u%06d", i) }
	admin := s.Admin(t)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dn := func(i int) string { return strings.Split(string(w.people()[name(i)].Raw), `"`)[3] }
	// u1: another login and e-mail; u2: another unit; the unit of u0: another name; dept011 (with children): below another unit.
	do(admin.ModifyDN(goldap.NewModifyDNRequest(dn(1), "uid=renamed", true, "")))
	mod := goldap.NewModifyRequest(strings.Replace(dn(1), "uid=u000001", "uid=renamed", 1), nil)
	mod.Replace("mail", []string{"renamed@corp.example"})
	do(admin.Modify(mod))
	do(admin.ModifyDN(goldap.NewModifyDNRequest(dn(2), "uid=u000002", true, "ou=dept003,ou=people,"+base)))
	do(admin.ModifyDN(goldap.NewModifyDNRequest("ou=dept000,ou=people,"+base, "ou=Research", true, "")))
	do(admin.ModifyDN(goldap.NewModifyDNRequest("ou=dept011,ou=dept001,ou=people,"+base, "ou=dept011", true, "ou=dept005,ou=people,"+base)))
	rep := w.sync(sy)
	after, now := w.people(), w.units()
	if len(after) != 40 || rep.Absent != 0 || rep.Outcomes[ldap.ClassPerson][directory.Created] != 0 {
		t.Fatalf("people came or went: %+v", rep)
	}
	if r := after["renamed"]; r.Person != before[name(1)].Person || r.Link != before[name(1)].Link || r.Emails[0].Value != "renamed@corp.example" {
		t.Errorf("renamed: %+v", r)
	}
	if r := after[name(2)]; r.Person != before[name(2)].Person || r.UnitKey != units["dept003"].Key {
		t.Errorf("moved: %+v", r)
	}
	if now["Research"].ID != units["dept000"].ID || now["dept010"].Parent != now["Research"].ID {
		t.Errorf("renamed unit: %+v", now["Research"])
	}
	if now["dept011"].ID != units["dept011"].ID || now["dept011"].Parent != now["dept005"].ID {
		t.Errorf("moved unit: %+v", now["dept011"])
	}
	for login, r := range before {
		if login != name(1) && login != name(2) && after[login].UnitKey != r.UnitKey {
			t.Errorf("%s changed its unit", login)
		}
	}
	// A locked account is an explicit disable, an entry outside the base is an absence.
	mod = goldap.NewModifyRequest(dn(4), nil)
	mod.Replace("pwdAccountLockedTime", []string{"000001010000Z"})
	do(admin.Modify(mod))
	do(admin.Del(goldap.NewDelRequest(dn(39), nil)))
	rep = w.sync(sy)
	if p := w.person(name(4)); !p.Frozen || p.Absent {
		t.Errorf("locked: %+v", p)
	}
	if p := w.person(name(39)); rep.Absent != 1 || !slices.Equal(w.absent(), []string{name(39)}) || p.Frozen || p.Status != directory.StatusActive {
		t.Errorf("removed: %+v %v", p, w.absent())
	}
	mod = goldap.NewModifyRequest(dn(4), nil)
	mod.Delete("pwdAccountLockedTime", nil)
	do(admin.Modify(mod))
	if rep = w.sync(sy); w.person(name(4)).Frozen || rep.Absent != 0 {
		t.Errorf("unlocked: %+v", rep)
	}
}

// TestUnitLeavesTheBase moves a unit out of what is read: everybody in it is absent at once, although no entry of theirs was touched.
//
// holds: R6
func TestUnitLeavesTheBase(t *testing.T) {
	d, c := double(t, 14)
	c.Base = "ou=people," + base
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(c)
	w.sync(sy)
	if err := d.Move("ou=sales,ou=people,"+base, "ou=sales", true, base); err != nil {
		t.Fatal(err)
	}
	if rep := w.sync(sy); rep.Absent != 7 || len(w.absent()) != 7 {
		t.Errorf("absent: %v, %+v", w.absent(), rep)
	}
	if err := d.Move("ou=sales,"+base, "ou=sales", true, "ou=people,"+base); err != nil {
		t.Fatal(err)
	}
	if rep := w.sync(sy); len(w.absent()) != 0 || rep.Outcomes[ldap.ClassPerson][directory.Created] != 0 {
		t.Errorf("back: absent %v, %+v", w.absent(), rep)
	}
}

// TestGoneUnitsAndGroups takes away what a complete reading does not hold, unless nothing of its kind is left.
func TestGoneUnitsAndGroups(t *testing.T) {
	d, c := double(t, 6)
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(c)
	extra := []demo.Entry{
		{DN: "ou=a," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}},
		{DN: "ou=b,ou=a," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}},
		{DN: "cn=two,ou=groups," + base, Attributes: map[string][]string{"objectClass": {"posixGroup"}, "memberUid": {"u002", "U003", "nobody"}}},
	}
	if err := d.Add(extra...); err != nil {
		t.Fatal(err)
	}
	w.sync(sy)
	groups := func() map[string]int {
		t.Helper()
		page, err := w.store.FindGroups(t.Context(), directory.GroupQuery{Source: w.source.ID, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]int{}
		for _, g := range page.Groups {
			members, err := w.store.Members(t.Context(), g.ID, directory.MemberQuery{})
			if err != nil {
				t.Fatal(err)
			}
			out[g.DisplayName] = members.Total
		}
		return out
	}
	if g := groups(); len(g) != 2 || g["all"] != 6 || g["two"] != 2 || len(w.units()) != 6 {
		t.Fatalf("groups %v, units %v", g, w.units())
	}
	d.SetFaults(demo.Faults{Empty: true, Class: "groupOfNames"})
	if rep := w.sync(sy); len(groups()) != 2 || !slices.ContainsFunc(rep.Findings, func(f ldap.Finding) bool { return f.Code == "groups_hidden" }) {
		t.Errorf("hidden groups: %v %+v", groups(), rep)
	}
	d.SetFaults(demo.Faults{Empty: true, Class: "organizationalUnit"})
	if rep := w.sync(sy); len(w.units()) != 6 || !slices.ContainsFunc(rep.Findings, func(f ldap.Finding) bool { return f.Code == "units_hidden" }) {
		t.Errorf("hidden units: %v %+v", w.units(), rep)
	}
	d.SetFaults(demo.Faults{})
	if err := errors.Join(d.Delete("ou=b,ou=a,"+base), d.Delete("ou=a,"+base), d.Delete("cn=two,ou=groups,"+base),
		d.Modify("cn=all,ou=groups,"+base, demo.Mod{Kind: demo.ModDelete, Name: "member", Values: []string{"uid=u002,ou=研发,ou=people," + base}})); err != nil {
		t.Fatal(err)
	}
	w.sync(sy)
	if g := groups(); len(g) != 1 || g["all"] != 5 || len(w.units()) != 4 {
		t.Errorf("groups %v, units %v", g, w.units())
	}
	if err := d.Modify("cn=all,ou=groups,"+base, demo.Mod{Kind: demo.ModDelete, Name: "member"}); err != nil {
		t.Fatal(err)
	}
	if rep := w.sync(sy); groups()["all"] != 5 || !slices.ContainsFunc(rep.Findings, func(f ldap.Finding) bool { return f.Code == "members_hidden" }) {
		t.Errorf("hidden members: %v %+v", groups(), rep)
	}
}

// TestLogins moves logins around: two people swap theirs, and two claim the same.
func TestLogins(t *testing.T) {
	d, c := double(t, 6)
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(c)
	w.sync(sy)
	before := w.people()
	for _, step := range [][2]string{{"u001", "tmp"}, {"u003", "u001"}, {"tmp", "u003"}} {
		if err := d.Move("uid="+step[0]+",ou=sales,ou=people,"+base, "uid="+step[1], true, ""); err != nil {
			t.Fatal(err)
		}
	}
	w.sync(sy)
	after := w.people()
	if after["u001"].Person != before["u003"].Person || after["u003"].Person != before["u001"].Person {
		t.Errorf("swapped logins: %+v %+v", after["u001"], after["u003"])
	}
	if err := d.Add(demo.Entry{DN: "uid=u002,ou=sales,ou=people," + base, Attributes: map[string][]string{"objectClass": {"inetOrgPerson"}, "cn": {"Double"}}}); err != nil {
		t.Fatal(err)
	}
	rep := w.sync(sy)
	if len(rep.Findings) != 1 || rep.Findings[0].Code != "login_twice" || len(w.people()) != 7 {
		t.Errorf("one login twice: %+v, %d people", rep.Findings, len(w.people()))
	}
	head := w.head()
	if rep := w.sync(sy); rep.Written() != 0 || w.head() != head {
		t.Errorf("again: %+v", rep)
	}
	firstKeepsLogin(t, w, d, sy, c)
	// Who is there has a login before an absent record; going back to the old one is not taken for nothing.
	const u004, u005 = "uid=u004,ou=研发,ou=people," + base, "uid=u005,ou=sales,ou=people," + base
	if err := errors.Join(d.Delete(u005), d.Move(u004, "uid=u005", true, "")); err != nil {
		t.Fatal(err)
	}
	rep = w.sync(sy)
	if r := w.people()["u005"]; r.Person != before["u004"].Person || w.people()["u004"].Link != "" || slices.ContainsFunc(rep.Findings, func(f ldap.Finding) bool { return f.Code == "login_taken" }) {
		t.Errorf("a login of one who is absent: %+v, %+v", r, rep.Findings)
	}
	if err := d.Move("uid=u005,ou=研发,ou=people,"+base, "uid=u004", true, ""); err != nil {
		t.Fatal(err)
	}
	if w.sync(sy); w.people()["u004"].Person != before["u004"].Person {
		t.Errorf("the old login again: %+v", w.people()["u004"])
	}
}

// firstKeepsLogin has eight entries come with the logins of others, whatever order their ids are in: nobody loses a login by it, neither at once nor after a start,
// and each two are a work item. An entry takes the login when the first gives it up.
func firstKeepsLogin(t *testing.T, w *world, d *demo.Directory, sy *ldap.Syncer, c ldap.Config) {
	t.Helper()
	before := w.people()
	for i := range 8 {
		dn := fmt.Sprintf("uid=U00%d,ou=double%d,ou=people,%s", i%2, i, base)
		if err := errors.Join(d.Add(demo.Entry{DN: fmt.Sprintf("ou=double%d,ou=people,%s", i, base), Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}}),
			d.Add(demo.Entry{DN: dn, Attributes: map[string][]string{"objectClass": {"inetOrgPerson"}, "cn": {"Another"}}})); err != nil {
			t.Fatal(err)
		}
		w.sync(sy)
	}
	for _, again := range []*ldap.Syncer{sy, w.syncer(c)} {
		w.sync(again)
		for _, login := range []string{"u000", "u001", "u002"} {
			if got := w.people()[login].Person; got != before[login].Person {
				t.Errorf("%s is %s now, and was %s", login, got, before[login].Person)
			}
		}
	}
	items, err := w.store.WorkItems(t.Context(), directory.WorkItemQuery{State: directory.ItemOpen, Kind: directory.SameUserName})
	if err != nil {
		t.Fatal(err)
	}
	asked := map[id.Person]int{}
	for _, item := range items {
		asked[item.Older]++
	}
	if asked[before["u000"].Person] != 4 || asked[before["u001"].Person] != 4 || asked[before["u002"].Person] != 1 {
		t.Errorf("asked about: %v", asked)
	}
	for i := range 8 {
		if err := errors.Join(d.Delete(fmt.Sprintf("uid=U00%d,ou=double%d,ou=people,%s", i%2, i, base)), d.Delete(fmt.Sprintf("ou=double%d,ou=people,%s", i, base))); err != nil {
			t.Fatal(err)
		}
	}
	w.sync(sy)
}

// ownRuns tells whether two people who went one after the other went in two runs, each of which can be undone.
func ownRuns(t *testing.T, w *world) bool {
	t.Helper()
	runs, err := w.store.Runs(t.Context(), w.source.ID, 10)
	if err != nil {
		t.Fatal(err)
	}
	runs = slices.DeleteFunc(runs, func(r directory.Run) bool { return r.Kind != "live" || r.Counts["absent"] != 1 })
	return len(runs) == 2 && runs[0].ID != runs[1].ID
}
