package directory_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

func TestCreateRecord(t *testing.T) {
	run(t, func(w *world) {
		r := w.post("Zhang.Wei@corp.example", func(r *directory.Record) {
			r.ExternalID, r.GivenName, r.FamilyName, r.Department = "7", "伟", "张", "R&D"
			r.Emails = []directory.Email{{Value: "wei@corp.example", Type: "home"}, {Value: "zhang.wei@corp.example", Type: "work", Primary: true}}
			r.Raw = json.RawMessage(`{"schemas": ["x"], "nickName": "\u0000 Wei"}`)
		})
		p := w.person(r.Person)
		same(t, "display name", p.DisplayName, "张伟")
		same(t, "email", p.Email, "zhang.wei@corp.example")
		same(t, "status", p.Status, directory.StatusActive)
		same(t, "version", r.Version, int64(1))
		got, err := w.Record(w.ctx, w.scim, r.Link)
		if err != nil || string(got.Raw) == "" || got.Key != string(r.Link) || got.Department != "R&D" || len(got.Emails) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		list(t, "audit", w.actions(string(r.Link)), "record.created")
		list(t, "audit", w.actions(string(r.Person)), "person.created")
		if _, err := w.Record(w.ctx, w.ldap, r.Link); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("another source sees it: %v", err)
		}
		for name, change := range map[string]directory.Record{
			"same name, folded":  {Source: w.scim, UserName: "ZHANG.WEI@CORP.EXAMPLE", Active: true},
			"same external id":   {Source: w.scim, UserName: "other", ExternalID: "7", Active: true},
			"no name":            {Source: w.scim, Active: true},
			"no such source":     {Source: "src_none", UserName: "x"},
			"a nul in the text":  {Source: w.scim, UserName: "a\x00b"},
			"not utf-8":          {Source: w.scim, UserName: "a\xff"},
			"end before start":   {Source: w.scim, UserName: "c", StartAt: w.at, EndAt: w.at.Add(-time.Hour)},
			"raw is not json":    {Source: w.scim, UserName: "c", Raw: json.RawMessage(`{`)},
			"name of full width": {Source: w.scim, UserName: "zhang.wei@corp.example"},
		} {
			w.unchanged(func() {
				a, err := w.Apply(w.ctx, directory.Cause{}, directory.CreateRecord{Record: change})
				var at *directory.ChangeError
				if !errors.As(err, &at) || len(a.Records) > 0 {
					t.Errorf("%s: %+v, %v", name, a, err)
				}
			})
		}
	})
}

func TestUserNameFoldsUnicode(t *testing.T) {
	run(t, func(w *world) {
		w.post("Straße.Ärger")
		_, err := w.Apply(w.ctx, directory.Cause{}, directory.CreateRecord{Record: directory.Record{Source: w.scim, UserName: "STRASSE.A\u0308RGER"}})
		var conflict *directory.ConflictError
		if !errors.As(err, &conflict) || conflict.Field != "userName" || !errors.Is(err, directory.ErrExists) {
			t.Fatal(err)
		}
		other := w.source("okta", directory.KindSCIM, 30)
		w.apply(directory.CreateRecord{Record: directory.Record{Source: other, UserName: "strasse.ärger", Active: true}}) // unique per source only
	})
}

func TestEditRecord(t *testing.T) {
	run(t, func(w *world) {
		r := w.post("li")
		edit := func(versions []int64, title string) (directory.Applied, error) {
			return w.Apply(w.ctx, directory.Cause{}, directory.EditRecord{Source: w.scim, Link: r.Link, IfVersion: versions, Edit: func(r *directory.Record) error {
				r.Title, r.Version, r.Person, r.Key, r.Link = title, 99, "per_evil", "evil", "lnk_evil"
				return nil
			}})
		}
		a, err := edit([]int64{1}, "Engineer")
		if err != nil || a.Noop || a.Records[0].Version != 2 || a.Records[0].Person != r.Person || a.Outcomes[0] != directory.Updated {
			t.Fatalf("%+v, %v", a, err)
		}
		w.unchanged(func() {
			if _, err := edit([]int64{1}, "Boss"); !errors.Is(err, directory.ErrVersion) {
				t.Error(err)
			}
			a, err := edit(nil, "Engineer")
			if err != nil || !a.Noop || a.Outcomes[0] != directory.Unchanged || a.Records[0].Version != 2 || len(a.Changed) != 0 || a.Seq != 0 {
				t.Errorf("%+v, %v", a, err)
			}
			stop := errors.New("stop")
			if _, err := w.Apply(w.ctx, directory.Cause{}, directory.EditRecord{Source: w.scim, Link: r.Link, Edit: func(*directory.Record) error { return stop }}); !errors.Is(err, stop) {
				t.Error(err)
			}
			if _, err := w.Apply(w.ctx, directory.Cause{}, directory.EditRecord{Source: w.ldap, Link: r.Link, Edit: func(*directory.Record) error { return nil }}); !errors.Is(err, directory.ErrNotFound) {
				t.Error(err)
			}
		})
		same(t, "title", w.person(r.Person).Title, "Engineer")
		records, err := audit.List(w.ctx, w.db, audit.Filter{Subject: string(r.Link), Action: "record.changed"})
		if err != nil || len(records) != 1 || records[0].Public["title"] != nil || records[0].Personal["title"] == nil {
			t.Fatalf("%+v, %v", records, err)
		}
	})
}

func TestNameTaken(t *testing.T) {
	run(t, func(w *world) {
		a, b := w.post("a", func(r *directory.Record) { r.ExternalID = "1" }), w.post("b", func(r *directory.Record) { r.ExternalID = "2" })
		w.unchanged(func() {
			for _, fn := range []func(*directory.Record) error{func(r *directory.Record) error { r.UserName = "A"; return nil }, func(r *directory.Record) error { r.ExternalID = "1"; return nil }} {
				if _, err := w.Apply(w.ctx, directory.Cause{}, directory.EditRecord{Source: w.scim, Link: b.Link, Edit: fn}); !errors.Is(err, directory.ErrExists) {
					t.Error(err)
				}
			}
		})
		name := func(r directory.Record, to string) directory.Change {
			return directory.EditRecord{Source: w.scim, Link: r.Link, Edit: func(r *directory.Record) error { r.UserName = to; return nil }}
		}
		w.apply(name(a, "b"), name(b, "a")) // two trade names in one call
		got, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: w.scim, Where: directory.Compare{Column: directory.ColUserName, Op: directory.Eq, Value: "A"}, Limit: 5})
		if err != nil || len(got.Records) != 1 || got.Records[0].Link != b.Link {
			t.Fatalf("%+v, %v", got, err)
		}
		_, err = w.Apply(w.ctx, directory.Cause{}, name(a, "x"), directory.CreateRecord{Record: directory.Record{Source: w.scim, UserName: "y"}}, name(b, "X"))
		var at *directory.ChangeError
		if !errors.As(err, &at) || at.Index != 2 {
			t.Fatalf("%+v, %v", at, err)
		}
	})
}

func TestPutRecord(t *testing.T) {
	run(t, func(w *world) {
		rec := directory.Record{Source: w.ldap, Key: "uuid-1", UserName: "wang", Active: true, Attributes: directory.Attributes{Title: "Engineer", Labels: map[string]string{"site": "上海"}}}
		a := w.apply(directory.PutRecord{Record: rec})
		same(t, "outcome", a.Outcomes[0], directory.Created)
		w.unchanged(func() {
			again := w.apply(directory.PutRecord{Record: rec})
			if !again.Noop || again.Records[0].Link != a.Records[0].Link || again.Records[0].Version != 1 || again.Records[0].Person != a.Records[0].Person {
				t.Errorf("%+v", again)
			}
		})
		rec.Title = "Boss"
		b := w.apply(directory.PutRecord{Record: rec})
		if b.Outcomes[0] != directory.Updated || b.Records[0].Version != 2 || len(b.Changed) != 1 || b.Changed[0].Fields[0] != "title" {
			t.Errorf("%+v", b)
		}
		if w.person(a.Records[0].Person).Labels["site"] != "上海" {
			t.Error("labels are lost")
		}
		// A new name of an old record and an old name of a new one, in the wrong order.
		rec.UserName = "wang.new"
		w.apply(directory.PutRecord{Record: directory.Record{Source: w.ldap, Key: "uuid-2", UserName: "wang", Active: true}}, directory.PutRecord{Record: rec})
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.PutRecord{Record: directory.Record{Source: w.ldap, Key: "uuid-3", UserName: "WANG", Active: true}}); !errors.Is(err, directory.ErrExists) {
			t.Error(err)
		}
	})
}

func TestDeleteLeavesATombstone(t *testing.T) {
	run(t, func(w *world) {
		r := w.post("zhao", func(r *directory.Record) { r.ExternalID, r.DisplayName = "9", "赵" })
		g := w.apply(directory.CreateGroup{Group: directory.GroupRecord{Source: w.scim, DisplayName: "g"}, Members: []string{r.Key}}).Groups[0]
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.DeleteRecord{Source: w.scim, Link: r.Link, IfVersion: []int64{7}}); !errors.Is(err, directory.ErrVersion) {
			t.Fatal(err)
		}
		a := w.apply(directory.DeleteRecord{Source: w.scim, Link: r.Link})
		same(t, "outcome", a.Outcomes[0], directory.Deleted)
		list(t, "freezes", w.standing(r.Person), "deleted."+string(w.scim))
		p := w.person(r.Person)
		if p.Status != directory.StatusTerminated || !p.Frozen || p.DisplayName != "赵" || len(p.Groups) != 0 {
			t.Errorf("%+v", p)
		}
		w.unchanged(func() {
			n := len(w.gate.settled)
			if _, err := w.Apply(w.ctx, directory.Cause{}, directory.DeleteRecord{Source: w.scim, Link: r.Link}); !errors.Is(err, directory.ErrNotFound) {
				t.Error(err)
			}
			if len(w.gate.settled) != n+1 || w.gate.last().rev != a.Rev || a.Rev == 0 {
				t.Errorf("a repeated delete did not wait: %+v", w.gate.settled)
			}
		})
		if m, err := w.Members(w.ctx, g.ID, directory.MemberQuery{Limit: 5}); err != nil || m.Total != 0 {
			t.Errorf("%+v, %v", m, err)
		}
		// The name is free, and inherits nothing; the externalId brings the person back under a new link.
		stranger := w.post("zhao")
		if stranger.Person == r.Person {
			t.Error("a userName brought a person back")
		}
		back := w.apply(directory.CreateRecord{Record: directory.Record{Source: w.scim, UserName: "zhao2", ExternalID: "9", Active: true}})
		if got := back.Records[0]; got.Person != r.Person || got.Link == r.Link || back.Outcomes[0] != directory.Enabled {
			t.Errorf("%+v", got)
		}
		list(t, "freezes", w.standing(r.Person))
		same(t, "status", w.person(r.Person).Status, directory.StatusActive)
	})
}

func TestRehireByExternalID(t *testing.T) {
	run(t, func(w *world) {
		r := w.post("old.name", func(r *directory.Record) { r.ExternalID, r.Title = "42", "Engineer" })
		w.edit(r, func(r *directory.Record) { r.Active = false })
		a := w.apply(directory.CreateRecord{Record: directory.Record{Source: w.scim, UserName: "new.name", ExternalID: "42", Active: true}})
		got := a.Records[0]
		if got.Link != r.Link || got.Person != r.Person || got.UserName != "new.name" || a.Outcomes[0] != directory.Enabled || got.Version != 3 {
			t.Errorf("%+v", got)
		}
		w.unchanged(func() {
			if _, err := w.Apply(w.ctx, directory.Cause{}, directory.CreateRecord{Record: directory.Record{Source: w.scim, UserName: "third", ExternalID: "42", Active: true}}); !errors.Is(err, directory.ErrExists) {
				t.Error(err)
			}
		})
	})
}

// holds: attack scim-01
func TestCorrelation(t *testing.T) {
	run(t, func(w *world) {
		number := func(n string) func(*directory.Record) { return func(r *directory.Record) { r.EmployeeNumber = n } }
		admin := w.put("boss", number("1"), func(r *directory.Record) { r.ExternalID = "1" })
		// CVE-2025-41115: an externalId is the source's own word.
		guest := w.post("evil", func(r *directory.Record) { r.ExternalID, r.EmployeeNumber = "1", "1" })
		if guest.Person == admin.Person {
			t.Fatal("a source that does not correlate took over a person")
		}
		hr := w.source("hr", directory.KindHRFeed, 1, directory.CorrelateEmployeeNumber)
		put := func(key, number, email string) directory.Record {
			return w.apply(directory.PutRecord{Record: directory.Record{Source: hr, Key: key, UserName: key, Active: true,
				Attributes: directory.Attributes{EmployeeNumber: number, DisplayName: "HR " + key, Emails: []directory.Email{{Value: email}}}}}).Records[0]
		}
		w.put("wang", number("5"))
		if r := put("h1", "1", ""); r.Person == admin.Person || r.Person == guest.Person {
			t.Error("two people of one number were no ambiguity")
		}
		wang := w.put("wang", number("5"))
		h5 := put("h5", "5", "")
		same(t, "person", h5.Person, wang.Person)
		same(t, "name", w.person(wang.Person).DisplayName, "HR h5") // the HR source has the better priority
		same(t, "second record of the source", put("h5b", "5", "").Person == wang.Person, false)
		same(t, "e-mail", put("h6", "", "boss@corp.example").Person == admin.Person, false)
	})
}

func TestLinkRecord(t *testing.T) {
	run(t, func(w *world) {
		a, b := w.post("a", func(r *directory.Record) { r.DisplayName = "Anna" }), w.put("b", func(r *directory.Record) { r.Title = "Engineer" })
		w.apply(directory.LinkRecord{Source: w.ldap, Link: b.Link, Person: a.Person})
		same(t, "title", w.person(a.Person).Title, "Engineer")
		left := w.person(b.Person)
		if left.Status != directory.StatusTerminated || !left.Frozen || left.DisplayName != "b" {
			t.Errorf("%+v", left)
		}
		w.unchanged(func() { w.apply(directory.LinkRecord{Source: w.ldap, Link: b.Link, Person: a.Person}) })
		c := w.apply(directory.LinkRecord{Source: w.ldap, Link: b.Link}).Records[0]
		if c.Person == a.Person || c.Person == b.Person || c.Person == "" {
			t.Errorf("%+v", c)
		}
		same(t, "title", w.person(a.Person).Title, "")
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.LinkRecord{Source: w.ldap, Link: b.Link, Person: "per_none"}); !errors.Is(err, directory.ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestAbsenceChangesNothingElse(t *testing.T) {
	run(t, func(w *world) {
		a := w.put("a", func(r *directory.Record) { r.Title = "Engineer" })
		w.put("b")
		w.unchanged(func() {
			if _, err := w.Apply(w.ctx, directory.Cause{}, directory.MarkAbsent{Source: w.ldap, Keys: []string{"a"}}); !errors.Is(err, directory.ErrProof) {
				t.Error(err)
			}
		})
		got := w.apply(directory.MarkAbsent{Source: w.ldap, Keys: []string{"a", "unknown"}, Proof: "SyncDone"})
		if got.Rev != 0 || len(got.Changed) != 1 || len(w.gate.changes) != 0 {
			t.Errorf("%+v", got)
		}
		p := w.person(a.Person)
		if !p.Absent || p.Frozen || p.Status != directory.StatusActive || p.Title != "Engineer" {
			t.Errorf("%+v", p)
		}
		rec, err := w.RecordByKey(w.ctx, w.ldap, "a")
		if err != nil || rec.AbsentSince.IsZero() || rec.Version != a.Version || !rec.UpdatedAt.Equal(a.UpdatedAt) {
			t.Errorf("%+v, %v", rec, err)
		}
		w.unchanged(func() { w.apply(directory.MarkAbsent{Source: w.ldap, Keys: []string{"a"}, Proof: "SyncDone"}) })
		w.put("a", func(r *directory.Record) { r.Title = "Engineer" })
		same(t, "absent", w.person(a.Person).Absent, false)
		list(t, "audit", w.actions(string(a.Link)), "record.created", "record.absent", "record.present")
		rec, _ = w.RecordByKey(w.ctx, w.ldap, "a")
		same(t, "version", rec.Version, a.Version)
	})
}

func TestDryRun(t *testing.T) {
	run(t, func(w *world) {
		w.unchanged(func() {
			n := len(w.gate.settled)
			a, err := w.Apply(w.ctx, directory.Cause{DryRun: true}, directory.CreateRecord{Record: directory.Record{Source: w.scim, UserName: "x", Active: true}})
			if err != nil || a.Noop || len(a.Changed) != 1 || a.Records[0].Link == "" || len(w.gate.settled) != n {
				t.Errorf("%+v, %v", a, err)
			}
		})
	})
}

func TestNothingWithoutAccess(t *testing.T) {
	run(t, func(w *world) {
		w.Access = nil
		w.unchanged(func() {
			if _, err := w.Apply(w.ctx, directory.Cause{}, directory.CreateRecord{Record: directory.Record{Source: w.scim, UserName: "x"}}); !errors.Is(err, directory.ErrNoAccess) {
				t.Error(err)
			}
		})
	})
}

// holds: J05
func TestManagerArrivesLater(t *testing.T) {
	run(t, func(w *world) {
		a := w.put("a", func(r *directory.Record) { r.ManagerKey = "m" })
		same(t, "manager", w.person(a.Person).Manager, id.Person(""))
		got := w.apply(directory.PutRecord{Record: directory.Record{Source: w.ldap, Key: "m", UserName: "m", Active: true, ManagerKey: "a"}}) // a circle is data
		m := got.Records[0]
		same(t, "manager", w.person(a.Person).Manager, m.Person)
		same(t, "manager's manager", w.person(m.Person).Manager, a.Person)
		same(t, "people told", len(got.Changed), 2)
		w.apply(directory.DeleteRecord{Source: w.ldap, Key: "m"})
		same(t, "manager", w.person(a.Person).Manager, id.Person(""))
		w.put("m", func(r *directory.Record) { r.ManagerKey = "a" })
		same(t, "manager", w.person(a.Person).Manager, m.Person)
	})
}

// The people of a source are those it shows, and those it misses only of late whom nobody confirmed to be gone. An attribute that is another one after it was empty
// is lost, and no longer cleared.
func TestShown(t *testing.T) {
	run(t, func(w *world) {
		since := func() time.Time { return w.at.Add(-24 * time.Hour) }
		shown := func() (n int) {
			w.Helper()
			if err := w.db.Tx(w.ctx, func(tx *db.Tx) (err error) { n, err = w.In(tx).Shown(w.ctx, since(), w.ldap); return err }); err != nil {
				w.Fatal(err)
			}
			return n
		}
		people := map[string]directory.Record{}
		for _, key := range []string{"a", "b", "c", "d"} {
			people[key] = w.put(key, func(r *directory.Record) { r.Title = "Engineer" })
		}
		w.post("another source")
		same(t, "all", shown(), 4)
		w.apply(directory.MarkAbsent{Source: w.ldap, Keys: []string{"a", "b"}, Proof: "SyncDone"})
		same(t, "missed a moment ago", shown(), 4)
		if err := w.db.Tx(w.ctx, func(tx *db.Tx) error { return w.Confirm(tx, []id.Person{people["b"].Person}) }); err != nil {
			t.Fatal(err)
		}
		same(t, "one of them confirmed", shown(), 3)
		w.pass(25 * time.Hour)
		same(t, "missed for long", shown(), 2)

		lost := func() (c directory.LossCount) {
			w.Helper()
			if err := w.db.Tx(w.ctx, func(tx *db.Tx) (err error) {
				c, err = w.In(tx).LostAttribute(w.ctx, since(), w.ldap, "title")
				return err
			}); err != nil {
				w.Fatal(err)
			}
			return c
		}
		title := func(to string) {
			if _, err := w.Apply(w.ctx, directory.Cause{Source: w.ldap}, directory.PutRecord{Record: directory.Record{Source: w.ldap, Key: "c", UserName: "c", Active: true, Attributes: directory.Attributes{Title: to}}}); err != nil {
				t.Fatal(err)
			}
		}
		title("")
		same(t, "emptied", lost(), directory.LossCount{Lost: 1, Cleared: 1, Had: 2})
		title("Buyer")
		same(t, "another one", lost(), directory.LossCount{Lost: 1, Cleared: 0, Had: 2})
	})
}
