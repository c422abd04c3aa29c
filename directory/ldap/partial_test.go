package ldap_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// TestPartial holds that a directory that answers wrongly changes nobody, and that the next sound reading goes on.
//
// holds: J34, R1
// holds: attack ldap-01
// holds: attack ldap-02
func TestPartial(t *testing.T) {
	d, c := double(t, 35)
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(c)
	w.sync(sy)
	people := w.people()
	// what a sound reading would bring in: a new title early, a new person late, and one who is gone
	if err := errors.Join(
		d.Modify("uid=u000,ou=研发,ou=people,"+base, demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{"Changed"}}),
		d.Add(demo.Entry{DN: "uid=new,ou=people," + base, Attributes: map[string][]string{"objectClass": {"inetOrgPerson"}, "sn": {"New"}, "cn": {"New"}}}),
		d.Delete("uid=u033,ou=sales,ou=people,"+base)); err != nil {
		t.Fatal(err)
	}
	head := w.head()
	untouched := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, ldap.ErrIncomplete) && !errors.Is(err, ldap.ErrImplausible) {
			t.Errorf("%s: not marked as failed: %v", name, err)
		}
		if w.head() != head || len(w.absent()) != 0 || len(w.people()) != len(people) {
			t.Errorf("%s: something was written", name)
		}
		if st := sy.Status(); st.LastError == "" || st.Failures == 0 {
			t.Errorf("%s: the status does not show it: %+v", name, st)
		}
		noCanary(t, name, err, sy.Status())
	}
	for _, row := range []struct {
		name string
		f    demo.Faults
	}{
		{"zero entries with success", demo.Faults{Empty: true}},
		{"zero people with success", demo.Faults{Empty: true, Class: "inetOrgPerson"}},
		{"size limit", demo.Faults{SizeLimit: 20, Class: "inetOrgPerson"}},
		{"closed in page 3", demo.Faults{ClosePage: 3, Class: "inetOrgPerson"}},
		{"closed at the groups", demo.Faults{ClosePage: 1, Class: "groupOfNames"}},
		{"silent in page 2", demo.Faults{SilentAfter: 12, Class: "inetOrgPerson"}},
		{"rights lost", demo.Faults{Code: 50}},
		{"base hidden", demo.Faults{Code: 32}},
		{"referral", demo.Faults{Referral: "ldap://127.0.0.1:1/"}},
		{"reference", demo.Faults{Reference: "ldap://127.0.0.1:1/"}},
		{"paging ignored", demo.Faults{NoPaging: true}},
		{"ids hidden", demo.Faults{NoIDs: true}},
		{"one id for all", demo.Faults{SameIDs: true}},
	} {
		d.SetFaults(row.f)
		if row.f.SilentAfter > 0 {
			impatient := c
			impatient.Timeout = 200 * time.Millisecond
			sy = w.syncer(impatient)
		}
		_, err := sy.Sync(t.Context())
		untouched(row.name, err)
	}
	d.SetFaults(demo.Faults{})
	gone := c
	gone.URL = "ldap://127.0.0.1:1"
	if _, err := w.syncer(gone).Sync(t.Context()); !errors.Is(err, ldap.ErrUnreachable) || !errors.Is(err, ldap.ErrIncomplete) {
		t.Errorf("server gone: %v", err)
	}
	sentinel := c
	sentinel.Sentinel = "uid=boss," + base
	if _, err := w.syncer(sentinel).Sync(t.Context()); !errors.Is(err, ldap.ErrIncomplete) || w.head() != head {
		t.Errorf("sentinel missing: %v", err)
	}
	other := c
	other.IDAttribute = "employeeNumber" // everybody would be somebody else
	if _, err := w.syncer(other).Sync(t.Context()); !errors.Is(err, ldap.ErrIncomplete) && !errors.Is(err, ldap.ErrImplausible) || w.head() != head {
		t.Errorf("other identity: %v", err)
	}
	rep := w.sync(sy)
	if rep.Absent != 1 || !slices.Equal(w.absent(), []string{"u033"}) || w.person("u000").Title != "Changed" || w.person("new").FamilyName != "New" {
		t.Errorf("the next sound reading: %+v, absent %v", rep, w.absent())
	}
	if st := sy.Status(); st.LastError != "" || st.Failures != 0 || st.LastSuccess.IsZero() || !st.Live {
		t.Errorf("status: %+v", st)
	}
}

// TestZeroOfFew holds that a directory of a few people is not believed to be empty either.
//
// holds: attack ldap-01
func TestZeroOfFew(t *testing.T) {
	d, c := double(t, 2)
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(c)
	w.sync(sy)
	d.SetFaults(demo.Faults{Empty: true, Class: "inetOrgPerson"})
	if _, err := sy.Sync(t.Context()); !errors.Is(err, ldap.ErrImplausible) || len(w.absent()) != 0 {
		t.Errorf("%v, absent %v", err, w.absent())
	}
}

// TestDisableGetsThrough holds that an explicit disable does not wait for a server that never finishes a reading.
//
// holds: J17
func TestDisableGetsThrough(t *testing.T) {
	d, c := double(t, 35)
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(c)
	w.sync(sy)
	if err := errors.Join(
		d.Modify("uid=u003,ou=sales,ou=people,"+base, demo.Mod{Kind: demo.ModReplace, Name: "userAccountControl", Values: []string{"514"}}, demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{"Gone"}}),
		d.Modify("uid=u034,ou=研发,ou=people,"+base, demo.Mod{Kind: demo.ModReplace, Name: "userAccountControl", Values: []string{"514"}})); err != nil {
		t.Fatal(err)
	}
	yesterday, tomorrow := time.Now().Add(-24*time.Hour), time.Now().Add(24*time.Hour)
	if err := errors.Join(
		d.Modify("uid=u007,ou=sales,ou=people,"+base, demo.Mod{Kind: demo.ModReplace, Name: "loginExpirationTime", Values: []string{yesterday.UTC().Format("20060102150405Z")}}),
		d.Modify("uid=u009,ou=sales,ou=people,"+base, demo.Mod{Kind: demo.ModReplace, Name: "loginExpirationTime", Values: []string{tomorrow.UTC().Format("20060102150405Z")}})); err != nil {
		t.Fatal(err)
	}
	d.SetFaults(demo.Faults{ClosePage: 3, Class: "inetOrgPerson"})
	rep, err := sy.Sync(t.Context())
	if !errors.Is(err, ldap.ErrIncomplete) || rep.Disabled != 2 {
		t.Fatalf("%+v %v", rep, err)
	}
	if p := w.person("u007"); !p.Frozen {
		t.Errorf("an account that ended yesterday: %+v", p)
	}
	if p := w.person("u009"); p.Frozen {
		t.Errorf("an account that ends tomorrow: %+v", p)
	}
	if p := w.person("u003"); !p.Frozen || p.Title != "Engineer" || p.Manager == "" {
		t.Errorf("read and disabled: %+v", p)
	}
	if p := w.person("u034"); p.Frozen {
		t.Errorf("not read: %+v", p)
	}
	if rep, _ = sy.Sync(t.Context()); rep.Disabled != 0 {
		t.Errorf("disabled twice: %+v", rep)
	}
	d.SetFaults(demo.Faults{})
	w.sync(sy)
	if p := w.person("u034"); !p.Frozen {
		t.Errorf("after a whole reading: %+v", p)
	}
	// Disabled by an incomplete reading, and enabled again before a complete one: nothing remembered may hide the difference.
	d.SetFaults(demo.Faults{ClosePage: 3, Class: "inetOrgPerson"})
	enable := func(value string) {
		t.Helper()
		if err := d.Modify("uid=u005,ou=sales,ou=people,"+base, demo.Mod{Kind: demo.ModReplace, Name: "userAccountControl", Values: []string{value}}); err != nil {
			t.Fatal(err)
		}
	}
	enable("514")
	if rep, _ = sy.Sync(t.Context()); rep.Disabled != 1 || !w.person("u005").Frozen {
		t.Errorf("disabled: %+v", rep)
	}
	enable("512")
	d.SetFaults(demo.Faults{})
	if w.sync(sy); w.person("u005").Frozen {
		t.Error("enabled again, and frozen still")
	}
}

// TestRemembered goes there and back with one Syncer: what it remembers of its own writing never hides a change.
func TestRemembered(t *testing.T) {
	d, c := double(t, 4)
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(c)
	w.sync(sy)
	const u001, all = "uid=u001,ou=sales,ou=people," + base, "cn=all,ou=groups," + base
	there, err := d.Get(u001)
	if err != nil {
		t.Fatal(err)
	}
	set := func(dn string, m demo.Mod) {
		t.Helper()
		if err := d.Modify(dn, m); err != nil {
			t.Fatal(err)
		}
	}
	for _, title := range []string{"Boss", "Engineer", "Boss", "Engineer"} {
		set(u001, demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{title}})
		if rep := w.sync(sy); w.person("u001").Title != title || rep.Written() != 1 || rep.Outcomes[ldap.ClassPerson][directory.Unchanged] != 3 {
			t.Errorf("title %s: %+v, %+v", title, w.person("u001"), rep)
		}
	}
	before := w.person("u001")
	entry := demo.Entry{DN: u001, Attributes: there.Attributes}
	found, err := client(t, c).Sample(t.Context(), "u001", 2)
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	entry.Attributes["entryUUID"] = []string{found[0].Key}
	if err := d.Delete(u001); err != nil {
		t.Fatal(err)
	}
	if w.sync(sy); !slices.Equal(w.absent(), []string{"u001"}) {
		t.Errorf("absent: %v", w.absent())
	}
	if err := d.Add(entry); err != nil {
		t.Fatal(err)
	}
	if w.sync(sy); len(w.absent()) != 0 || w.person("u001").ID != before.ID {
		t.Errorf("came back with the same content: absent %v", w.absent())
	}
	if err := d.Delete(all); err != nil {
		t.Fatal(err)
	}
	if err := d.Add(demo.Entry{DN: "cn=other,ou=groups," + base, Attributes: map[string][]string{"objectClass": {"groupOfNames"}, "member": {u001}}}); err != nil {
		t.Fatal(err)
	}
	w.sync(sy)
	groups, err := w.store.FindGroups(t.Context(), directory.GroupQuery{Source: w.source.ID, Limit: 10})
	if err != nil || len(groups.Groups) != 1 || groups.Groups[0].DisplayName != "other" {
		t.Errorf("groups: %+v %v", groups, err)
	}
}
