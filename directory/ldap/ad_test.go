package ldap_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// doubleOf starts a demo directory that looks like another server, with n people of a class and one group of all.
func doubleOf(t testing.TB, look demo.Look, person, group string, n int) (*demo.Directory, ldap.Config) {
	t.Helper()
	d := demo.New(base, "cn=admin,"+base, canary)
	d.Look = look
	entries := []demo.Entry{
		{DN: "ou=company," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}},
		{DN: "ou=a,ou=company," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}},
		{DN: "ou=b,ou=company," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}},
		{DN: "ou=elsewhere," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}},
	}
	var members []string
	for i := range n {
		members = append(members, adDouble(i))
		entries = append(entries, demo.Entry{DN: adDouble(i), Attributes: map[string][]string{"objectClass": {"top", person}, "sAMAccountName": {fmt.Sprint("u", i)},
			"sn": {"王"}, "userAccountControl": {"512"}, "title": {"Engineer"}}})
	}
	entries = append(entries, demo.Entry{DN: "cn=all,ou=company," + base, Attributes: map[string][]string{"objectClass": {group}, "member": members}})
	if err := d.Add(entries...); err != nil {
		t.Fatal(err)
	}
	return d, ldap.Config{URL: ldaptest.Serve(t, d), InsecurePlain: true, BindDN: "cn=admin," + base, Password: canary, Base: "ou=company," + base,
		Inventory: 200 * time.Millisecond, PollInterval: 50 * time.Millisecond}
}

func adDouble(i int) string {
	return fmt.Sprintf("cn=Person %d,ou=%c,ou=company,%s", i, 'a'+i%2, base)
}

func title(t testing.TB, d *demo.Directory, i int, text string) {
	t.Helper()
	if err := d.Modify(adDouble(i), demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{text}}); err != nil {
		t.Fatal(err)
	}
}

// TestLimitsOfAD reads and follows a domain controller with the limits of Microsoft's, which Samba does not have: pages of 1,000
// at most, values in ranges of 1,500, and changes over many answers.
//
// holds: R7
func TestLimitsOfAD(t *testing.T) {
	const people = 1700
	d, c := doubleOf(t, demo.LookAD, "user", "group", people)
	d.SetFaults(demo.Faults{MaxPage: 1000, MaxValues: 1500, DirSyncPage: 7})
	c.PageSize = 5000
	cl := client(t, c)
	r := newReplica()
	at, err := cl.Changes(t.Context(), "", r.apply)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.objects); n != people+4 {
		t.Errorf("%d objects", n)
	}
	for k, in := range r.members {
		if len(in) != people {
			t.Errorf("group %s: %d members", k, len(in))
		}
	}
	for i := range 30 {
		title(t, d, i, fmt.Sprint("Title ", i))
	}
	if err := errors.Join(d.Delete(adDouble(31)),
		d.Modify("cn=all,ou=company,"+base, demo.Mod{Kind: demo.ModDelete, Name: "member", Values: []string{adDouble(31), adDouble(32)}}),
		d.Modify(adDouble(33), demo.Mod{Kind: demo.ModDelete, Name: "title"}),
		d.Modify(adDouble(34), demo.Mod{Kind: demo.ModReplace, Name: "userAccountControl", Values: []string{"514"}}),
		d.Move(adDouble(35), "cn=Person 35", true, "ou=elsewhere,"+base)); err != nil {
		t.Fatal(err)
	}
	var answers int
	if at, err = cl.Changes(t.Context(), at, func(changes []ldap.Change) error { answers++; return r.apply(changes) }); err != nil {
		t.Fatal(err)
	}
	if want := dump(t, cl); r.text() != want {
		t.Errorf("after changes: %s", differing(r.text(), want))
	}
	if answers < 5 || r.ops[ldap.OpMembers] != 1 {
		t.Errorf("%d answers, %v", answers, r.ops)
	}
	// one more member of a large group is one small message
	var told []ldap.Change
	if err := d.Modify("cn=all,ou=company,"+base, demo.Mod{Kind: demo.ModAdd, Name: "member", Values: []string{adDouble(32)}}); err != nil {
		t.Fatal(err)
	}
	if _, err = cl.Changes(t.Context(), at, func(changes []ldap.Change) error { told = append(told, changes...); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || told[0].Op != ldap.OpMembers || len(told[0].Add) != 1 || len(told[0].Remove) != 0 {
		t.Errorf("a member joined: %v", told)
	}
	// a search without pages ends at the limit: nothing of it is believed to be complete
	d.SetFaults(demo.Faults{MaxPage: 1000, NoPaging: true})
	if _, proof, err := snapshot(t.Context(), cl); err == nil || proof.Complete() {
		t.Errorf("without pages: %+v %v", proof, err)
	}
}

// TestWaysOfAD follows where rights or controls are missing, and hears of a deletion on each way.
//
// holds: R7
func TestWaysOfAD(t *testing.T) {
	for name, f := range map[string]demo.Faults{
		"all rights": {}, "no notification": {NoNotify: true}, "deletions hidden": {HideDeleted: true}, "no DirSync": {NoDirSync: true}, "nothing": {NoDirSync: true, NoNotify: true, HideDeleted: true},
	} {
		t.Run(name, func(t *testing.T) {
			d, c := doubleOf(t, demo.LookAD, "user", "group", 20)
			d.SetFaults(f)
			cl := client(t, c)
			caps, findings, err := cl.Probe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if blind := f.HideDeleted || f.NoDirSync; blind != hasCode(findings, "deletions_hidden") || f.NoDirSync != hasCode(findings, "no_replication_right") {
				t.Errorf("%+v: %v", caps, findings)
			}
			_, proof, err := snapshot(t.Context(), cl)
			if err != nil || proof.Cursor == "" {
				t.Fatal(proof, err)
			}
			r := newReplica()
			objects, _, _ := snapshot(t.Context(), cl)
			for _, o := range objects {
				r.put(o)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- cl.Watch(ctx, proof.Cursor, r.apply) }()
			title(t, d, 3, "Boss")
			r.settles(t, "title", client(t, c))
			if err := d.Delete(adDouble(4)); err != nil {
				t.Fatal(err)
			}
			r.settles(t, "delete", client(t, c))
			if err := d.Move("ou=b,ou=company,"+base, "ou=b", true, "ou=elsewhere,"+base); err != nil {
				t.Fatal(err)
			}
			r.settles(t, "unit moved out", client(t, c))
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

func hasCode(findings []ldap.Finding, code string) bool {
	for _, f := range findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// TestBrokenAD holds that a domain controller that fails tells nothing that is wrong, and that it says which failure it is.
//
// holds: R1, R16
func TestBrokenAD(t *testing.T) {
	d, c := doubleOf(t, demo.LookAD, "user", "group", 20)
	c.Timeout = 300 * time.Millisecond
	cl := client(t, c)
	_, proof, err := snapshot(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		title(t, d, i, "New")
	}
	for _, row := range []struct {
		name string
		f    demo.Faults
		from ldap.Cursor
		want error
	}{
		{"busy", demo.Faults{Code: demo.CodeBusy}, proof.Cursor, ldap.ErrServer},
		{"limit", demo.Faults{Code: demo.CodeAdminLimit}, proof.Cursor, ldap.ErrServer},
		{"right withdrawn", demo.Faults{NoDirSync: true}, proof.Cursor, ldap.ErrCursorLost},
		{"dropped", demo.Faults{DropAfter: 3}, proof.Cursor, ldap.ErrClosed},
		{"silent", demo.Faults{Silent: true}, proof.Cursor, ldap.ErrTimeout},
		{"rubbish", demo.Faults{}, "rubbish", ldap.ErrCursorLost},
		{"unknown cookie", demo.Faults{}, ldap.Cursor(strings.Replace(string(proof.Cursor), "cookie\":\"", "cookie\":\"AAAA", 1)), ldap.ErrCursorLost},
	} {
		d.SetFaults(row.f)
		began := time.Now()
		_, err := client(t, c).Changes(t.Context(), row.from, func(changes []ldap.Change) error {
			for _, change := range changes {
				if change.Op == ldap.OpDelete || change.Whole {
					t.Errorf("%s: told %v", row.name, change)
				}
			}
			return nil
		})
		if !errors.Is(err, row.want) || time.Since(began) > 9*time.Second {
			t.Errorf("%s: %v after %v", row.name, err, time.Since(began))
		}
		noCanary(t, row.name, err)
	}
	other := c
	other.Base = "ou=a,ou=company," + base
	d.SetFaults(demo.Faults{})
	if _, err := client(t, other).Changes(t.Context(), proof.Cursor, func([]ldap.Change) error { return nil }); !errors.Is(err, ldap.ErrCursorLost) {
		t.Errorf("another base: %v", err)
	}
	// it falls silent while it is watched
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
	defer cancel()
	began := time.Now()
	silent := false
	err = client(t, c).Watch(ctx, proof.Cursor, func(changes []ldap.Change) error {
		if !silent {
			silent = true
			d.SetFaults(demo.Faults{Silent: true})
		}
		return nil
	})
	if !errors.Is(err, ldap.ErrTimeout) || time.Since(began) > 8*time.Second {
		t.Errorf("silent while watched: %v after %v", err, time.Since(began))
	}
}

// TestOtherController holds that numbers of updates count for the one domain controller that gave them.
func TestOtherController(t *testing.T) {
	d, c := doubleOf(t, demo.LookAD, "user", "group", 5)
	d.SetFaults(demo.Faults{NoDirSync: true})
	cl := client(t, c)
	_, proof, err := snapshot(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	altered := func(alter func(at map[string]any)) ldap.Cursor {
		var place struct {
			For    string `json:"for"`
			Cookie []byte `json:"cookie"`
		}
		at := map[string]any{}
		if err := errors.Join(json.Unmarshal([]byte(proof.Cursor), &place), json.Unmarshal(place.Cookie, &at)); err != nil {
			t.Fatal(err)
		}
		alter(at)
		place.Cookie, _ = json.Marshal(at)
		out, _ := json.Marshal(place)
		return ldap.Cursor(out)
	}
	for name, row := range map[string]struct {
		from ldap.Cursor
		want error
	}{
		"the same":                     {altered(func(map[string]any) {}), nil},
		"another domain controller":    {altered(func(at map[string]any) { at["server"] = "CN=DC2" }), ldap.ErrCursorLost},
		"one restored from a backup":   {altered(func(at map[string]any) { at["server"] = at["server"].(string) + " 00" }), ldap.ErrCursorLost},
		"one that has lost its newest": {altered(func(at map[string]any) { at["usn"] = 1_000_000 }), ldap.ErrBehind},
	} {
		if _, err := cl.Changes(t.Context(), row.from, func([]ldap.Change) error { return nil }); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlainServer follows a server that offers nothing but the time of modification.
//
// holds: R5
func TestPlainServer(t *testing.T) {
	d, c := doubleOf(t, demo.LookPlain, "inetOrgPerson", "groupOfNames", 40)
	c.PageSize = 7
	cl := client(t, c)
	r := newReplica()
	at, err := cl.Changes(t.Context(), "", r.apply)
	if err != nil || at == "" {
		t.Fatal(at, err)
	}
	r.settles(t, "at first", cl)
	change := func() {
		title(t, d, 3, fmt.Sprint("Boss ", time.Now()))
		if err := errors.Join(d.Move("ou=b,ou=company,"+base, "ou=c", true, ""), d.Move("ou=c,ou=company,"+base, "ou=b", true, "")); err != nil {
			t.Fatal(err)
		}
	}
	change()
	if err := d.Delete(adDouble(8)); err != nil {
		t.Fatal(err)
	}
	if at, err = cl.Changes(t.Context(), at, r.apply); err != nil {
		t.Fatal(err)
	}
	if want := dump(t, cl); r.text() != want {
		t.Errorf("offline: %s", differing(r.text(), want))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- cl.Watch(ctx, at, r.apply) }()
	change()
	r.settles(t, "live", client(t, c))
	if err := errors.Join(d.Delete(adDouble(10)), d.Move("ou=a,ou=company,"+base, "ou=z", true, ""), d.Move("ou=z,ou=company,"+base, "ou=a", true, "")); err != nil {
		t.Fatal(err)
	}
	r.settles(t, "live deletion", client(t, c))
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	d.SetFaults(demo.Faults{Empty: true})
	if _, err := cl.Changes(t.Context(), "", r.apply); !errors.Is(err, ldap.ErrNoStream) {
		t.Errorf("a server that shows no time: %v", err)
	}
}
