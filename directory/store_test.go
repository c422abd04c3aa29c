package directory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
)

func TestSourceTokens(t *testing.T) {
	run(t, func(w *world) {
		secret, token, err := w.IssueSourceToken(w.ctx, directory.Cause{Actor: "test"}, w.scim, "main", time.Time{})
		if err != nil || !strings.HasPrefix(secret, "rcs_") || len(secret) != 53 {
			t.Fatal(err)
		}
		s, got, err := w.CheckSourceToken(w.ctx, secret)
		if err != nil || s.ID != w.scim || got.ID != token.ID || got.Scope != directory.ScopeWrite {
			t.Fatalf("%+v %+v %v", s, got, err)
		}
		wrong := []byte(secret)
		wrong[20] ^= 1
		for _, bad := range []string{"", "rcs_", string(wrong), secret + "x", "Bearer " + secret, strings.Repeat("é", 40)} {
			if _, _, err := w.CheckSourceToken(w.ctx, bad); !errors.Is(err, directory.ErrToken) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		second, short, err := w.IssueSourceToken(w.ctx, directory.Cause{}, w.scim, "next", w.at.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.IssueSourceToken(w.ctx, directory.Cause{}, w.scim, "third", time.Time{}); !errors.Is(err, directory.ErrTokens) {
			t.Error(err)
		}
		w.pass(time.Hour)
		if _, _, err := w.CheckSourceToken(w.ctx, second); !errors.Is(err, directory.ErrToken) {
			t.Error("an expired token is taken")
		}
		if _, _, err := w.IssueSourceToken(w.ctx, directory.Cause{}, w.scim, "third", time.Time{}); err != nil {
			t.Error("an expired token counts as live:", err)
		}
		if err := w.RevokeSourceToken(w.ctx, directory.Cause{}, w.scim, token.ID); err != nil {
			t.Error(err)
		}
		w.unchanged(func() {
			if err := w.RevokeSourceToken(w.ctx, directory.Cause{}, w.scim, token.ID); err != nil {
				t.Error(err)
			}
			if err := w.RevokeSourceToken(w.ctx, directory.Cause{}, w.ldap, token.ID); !errors.Is(err, directory.ErrNotFound) {
				t.Error(err)
			}
		})
		if _, _, err := w.CheckSourceToken(w.ctx, secret); !errors.Is(err, directory.ErrToken) {
			t.Error("a revoked token is taken")
		}
		tokens, err := w.SourceTokens(w.ctx, w.scim)
		if err != nil || len(tokens) != 3 || tokens[0].Name != "third" && tokens[0].Name != "next" {
			t.Errorf("%+v, %v", tokens, err)
		}
		for _, k := range tokens {
			if k.ID == token.ID && (k.LastUsedAt.IsZero() || k.RevokedAt.IsZero()) || k.ID == short.ID && !k.LastUsedAt.IsZero() {
				t.Errorf("%+v", k)
			}
		}
		var hashes []string
		if err := w.db.Read(w.ctx).Raw("select hash from source_tokens").Scan(&hashes).Error; err != nil || strings.Contains(strings.Join(hashes, " "), secret[4:20]) {
			t.Errorf("%v, %v", hashes, err)
		}
		if _, _, err := w.IssueSourceToken(w.ctx, directory.Cause{}, w.ldap, "", w.at.Add(-time.Hour)); !errors.Is(err, directory.ErrInvalid) {
			t.Error(err)
		}
		if _, _, err := w.IssueSourceToken(w.ctx, directory.Cause{}, "src_none", "", time.Time{}); !errors.Is(err, directory.ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestCreateSource(t *testing.T) {
	run(t, func(w *world) {
		for _, s := range []directory.Source{{Name: "Bad Name", Kind: directory.KindSCIM}, {Name: "", Kind: directory.KindSCIM}, {Name: "x", Kind: "ftp"},
			{Name: "x", Kind: directory.KindSCIM, Correlate: []string{"email"}}} {
			if _, err := w.CreateSource(w.ctx, directory.Cause{}, s); !errors.Is(err, directory.ErrInvalid) {
				t.Errorf("%+v: %v", s, err)
			}
		}
		if _, err := w.CreateSource(w.ctx, directory.Cause{}, directory.Source{Name: "entra", Kind: directory.KindSCIM}); !errors.Is(err, directory.ErrExists) {
			t.Error(err)
		}
		sources, err := w.Sources(w.ctx)
		if err != nil || len(sources) != 2 || sources[0].Name != "corp" {
			t.Errorf("%+v, %v", sources, err)
		}
		if _, err := w.SourceByName(w.ctx, "none"); !errors.Is(err, directory.ErrNotFound) {
			t.Error(err)
		}
	})
}

// inParallel runs fn n times at once and answers how many calls gave no error; every other error must be one of allowed.
func inParallel(t *testing.T, n int, fn func(i int) error, allowed ...error) int {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = fn(i) })
	}
	wg.Wait()
	good := 0
	for _, err := range errs {
		fine := err == nil
		if fine {
			good++
		}
		for _, a := range allowed {
			fine = fine || errors.Is(err, a)
		}
		if !fine {
			t.Error(err)
		}
	}
	return good
}

func TestParallelWrites(t *testing.T) {
	run(t, func(w *world) {
		same(t, "creations of one userName", inParallel(t, 12, func(i int) error {
			_, err := w.Apply(w.ctx, directory.Cause{}, directory.CreateRecord{Record: directory.Record{Source: w.scim, UserName: []string{"One", "ONE", "one"}[i%3], Active: true}})
			return err
		}, directory.ErrExists), 1)
		same(t, "creations of one externalId", inParallel(t, 12, func(i int) error {
			_, err := w.Apply(w.ctx, directory.Cause{}, directory.CreateRecord{Record: directory.Record{Source: w.scim, UserName: fmt.Sprint("ext", i), ExternalID: "7", Active: true}})
			return err
		}, directory.ErrExists), 1)
		same(t, "groups of one name", inParallel(t, 12, func(int) error {
			_, err := w.Apply(w.ctx, directory.Cause{}, directory.CreateGroup{Group: directory.GroupRecord{Source: w.scim, DisplayName: "one"}})
			return err
		}, directory.ErrExists), 1)

		r := w.post("victim")
		same(t, "edits of one version", inParallel(t, 12, func(i int) error {
			_, err := w.Apply(w.ctx, directory.Cause{}, directory.EditRecord{Source: w.scim, Link: r.Link, IfVersion: []int64{1}, Edit: func(r *directory.Record) error { r.Title = fmt.Sprint(i); return nil }})
			return err
		}, directory.ErrVersion), 1)

		const members = 50
		var keys []string
		for i := range members {
			keys = append(keys, w.post(fmt.Sprint("m", i)).Key)
		}
		g := w.group("all")
		same(t, "additions", inParallel(t, members, func(i int) error {
			_, err := w.Apply(w.ctx, directory.Cause{}, directory.EditGroup{Source: w.scim, Group: g.ID, Add: []string{keys[i]}})
			return err
		}), members)
		same(t, "members", len(w.members(g)), members)
		same(t, "removals", inParallel(t, members, func(i int) error {
			_, err := w.Apply(w.ctx, directory.Cause{}, directory.EditGroup{Source: w.scim, Group: g.ID, Remove: []string{keys[i]}})
			return err
		}), members)
		same(t, "members", len(w.members(g)), 0)
		if report, err := audit.Verify(w.ctx, w.db, audit.Report{}); err != nil {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// Two sources write the records of the same people, in opposite order, at the same time: nothing is lost, nothing deadlocks for good.
func TestParallelSources(t *testing.T) {
	run(t, func(w *world) {
		const n = 8
		var mine, theirs []directory.Record
		for i := range n {
			a, b := w.post(fmt.Sprint("a", i)), w.put(fmt.Sprint("b", i))
			w.apply(directory.LinkRecord{Source: w.ldap, Link: b.Link, Person: a.Person})
			mine, theirs = append(mine, a), append(theirs, b)
		}
		inParallel(t, 20, func(k int) error {
			var changes []directory.Change
			for i := range n {
				if k%2 == 0 {
					changes = append(changes, directory.EditRecord{Source: w.scim, Link: mine[i].Link, Edit: func(r *directory.Record) error { r.Title = fmt.Sprint("t", k); return nil }})
				} else {
					rec := theirs[n-1-i]
					rec.Department, rec.ManagerKey = fmt.Sprint("d", k), theirs[i].Key
					changes = append(changes, directory.PutRecord{Record: rec})
				}
			}
			_, err := w.Apply(w.ctx, directory.Cause{}, changes...)
			return err
		})
		for i := range n {
			p := w.person(mine[i].Person)
			a, _ := w.Record(w.ctx, w.scim, mine[i].Link)
			b, _ := w.RecordByKey(w.ctx, w.ldap, theirs[i].Key)
			if p.Title != a.Title || p.Department != b.Department || p.Title == "" || p.Department == "" {
				t.Errorf("person %q %q, records %q %q", p.Title, p.Department, a.Title, b.Department)
			}
		}
	})
}

func TestPersonalDataIsErasable(t *testing.T) {
	run(t, func(w *world) {
		ctx := directory.Cause{Source: w.scim, Token: "tok_x", Request: "req_x", Reason: "secret reason", Ignored: []string{"nickName"}}
		a, err := w.Apply(w.ctx, ctx, directory.CreateRecord{Record: directory.Record{Source: w.scim, UserName: "canary.user", Active: true,
			Attributes: directory.Attributes{DisplayName: "Canary Name", Emails: []directory.Email{{Value: "canary@corp.example"}}, EmployeeNumber: "canary-7"}}},
			directory.CreateGroup{Group: directory.GroupRecord{Source: w.scim, DisplayName: "canary group"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []string{"select leaf from audit_records", "select data from feed_events"} {
			var rows []string
			if err := w.db.Read(w.ctx).Raw(q).Scan(&rows).Error; err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(rows, "\n"); strings.Contains(strings.ToLower(all), "canary") || strings.Contains(all, "secret reason") {
				t.Errorf("%s holds personal data: %s", q, all)
			}
		}
		records, err := audit.List(w.ctx, w.db, audit.Filter{Subject: string(a.Records[0].Link)})
		if err != nil || len(records) != 1 {
			t.Fatal(err)
		}
		r := records[0]
		if r.Actor != "tok_x" || r.RequestID != "req_x" || r.Public["by_source"] != string(w.scim) || r.Public["token"] != "tok_x" || r.Public["ignored"] == nil || r.Personal["user_name"] == nil {
			t.Errorf("%+v", r)
		}
	})
}

func TestFacts(t *testing.T) {
	run(t, func(w *world) {
		w.apply(directory.PutUnit{Unit: directory.Unit{Source: w.ldap, Key: "a", Name: "A"}}, directory.PutUnit{Unit: directory.Unit{Source: w.ldap, Key: "b", Name: "B"}, ParentKey: "a"},
			directory.PutUnit{Unit: directory.Unit{Source: w.ldap, Key: "c", Name: "C"}})
		one := w.put("one", number("1"), func(r *directory.Record) { r.UnitKey, r.EmployeeType = "b", "employee" })
		two := w.put("two", number("2"), func(r *directory.Record) { r.UnitKey, r.EmployeeType = "c", "contractor" })
		w.apply(directory.LinkRecord{Source: w.ldap, Link: two.Link, Person: one.Person})
		w.apply(directory.FreezePerson{Person: one.Person})
		f := w.facts(one.Person)
		if len(f.Records) != 2 || len(f.Affiliations) != 2 || len(f.Freezes) != 1 || !f.Person.Frozen {
			t.Errorf("%+v", f)
		}
		if len(f.UnitPaths) != 2 || f.UnitPaths[0][0].Key != "b" || f.UnitPaths[0][1].Key != "a" || f.UnitPaths[1][0].Name != "C" {
			t.Errorf("%+v", f.UnitPaths)
		}
		if f.Affiliations[1].Kind != "contractor" || f.Affiliations[0].ID == f.Affiliations[1].ID {
			t.Errorf("%+v", f.Affiliations)
		}
		w.put("one", number("1"), active(false), func(r *directory.Record) { r.UnitKey = "b" })
		f = w.facts(one.Person)
		if len(f.UnitPaths) != 1 || f.Person.Unit != f.UnitPaths[0][0].ID || f.UnitPath[0].Key != "c" || len(f.Freezes) != 1 {
			t.Errorf("the job that ended still leads: %+v", f)
		}
		people, err := w.AllPeople(w.ctx)
		if err != nil || len(people) != 2 {
			t.Errorf("%v, %v", people, err)
		}
	})
}

// A client that hangs up, before the commit or while the barrier is waited for, does not take back what it said.
func TestApplyGoesOnWhenTheClientHangsUp(t *testing.T) {
	run(t, func(w *world) {
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		x := w.post("x")
		if _, err := w.Apply(ctx, directory.Cause{}, directory.EditRecord{Source: w.scim, Link: x.Link, Edit: func(r *directory.Record) error { r.Active = false; return nil }}); err != nil {
			t.Error(err)
		}
		if got := w.gate.slots(x.Person); len(got) != 1 {
			t.Errorf("freezes: %v", got)
		}
		r := w.post("y")
		ctx, cancel = context.WithCancel(w.ctx)
		w.gate.settling = cancel // the client hangs up while the barrier is waited for
		if _, err := w.Apply(ctx, directory.Cause{}, directory.EditRecord{Source: w.scim, Link: r.Link, Edit: func(r *directory.Record) error { r.Active = false; return nil }}); err != nil {
			t.Error(err)
		}
	})
}
