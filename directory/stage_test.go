package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// dry makes a source in its dry run.
func (w *world) dry(name string, kind directory.SourceKind, priority int, correlate ...string) id.Source {
	w.Helper()
	s, err := w.CreateSource(w.ctx, directory.Cause{Actor: "test"}, directory.Source{Name: name, Kind: kind, Priority: priority, Correlate: correlate, Mode: directory.ModeDryRun})
	if err != nil {
		w.Fatal(err)
	}
	return s.ID
}

// in sends what post does to another source.
func (w *world) in(source id.Source, fn func()) {
	w.Helper()
	was := w.scim
	w.scim = source
	defer func() { w.scim = was }()
	fn()
}

func (w *world) stage(source id.Source) directory.Stage {
	w.Helper()
	s, err := w.StageOf(w.ctx, source)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// live takes a source live.
func (w *world) live(source id.Source) {
	w.Helper()
	if err := w.BeginLive(w.ctx, directory.Cause{}, source, w.stage(source).Version); err != nil {
		w.Fatal(err)
	}
	if err := w.GoOn(w.ctx, directory.Cause{}, source); err != nil {
		w.Fatal(err)
	}
}

// staged answers what a source would do.
func (w *world) staged(source id.Source) []directory.StageFact {
	w.Helper()
	var out []directory.StageFact
	if err := w.EachStaged(w.ctx, w.stage(source).Source, "", func(part []directory.StageFact) (bool, error) {
		out = append(out, part...)
		return true, nil
	}); err != nil {
		w.Fatal(err)
	}
	return out
}

// rows answers all rows of these tables but what names a source that is to be left out.
func (w *world) rows(without id.Source, tables ...string) string {
	w.Helper()
	var out []string
	for _, table := range tables {
		var rows []map[string]any
		if err := w.db.Read(w.ctx).Raw("select * from " + table).Scan(&rows).Error; err != nil {
			w.Fatal(err)
		}
		for _, row := range rows {
			if text := table + fmt.Sprint(row); without == "" || !strings.Contains(text, string(without)) {
				out = append(out, text)
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// Whatever reads the directory for anybody but the source itself sees nothing of a dry run: a matrix of readers and of what is staged.
func TestNothingLeaksFromADryRun(t *testing.T) {
	run(t, func(w *world) {
		li := w.put("li", number("7"), func(r *directory.Record) {
			r.DisplayName, r.ExternalID, r.UnitKey, r.Emails = "Li Na", "x7", "rnd", []directory.Email{{Value: "li@corp.example"}}
		})
		w.apply(directory.PutUnit{Unit: directory.Unit{Source: w.ldap, Key: "rnd", Name: "R&D"}},
			directory.PutGroup{Group: directory.GroupRecord{Source: w.ldap, Key: "g", DisplayName: "G"}, Members: []string{"li"}})
		okta := w.dry("okta", directory.KindSCIM, 1, directory.CorrelateEmployeeNumber)
		corp := w.dry("corp2", directory.KindLDAP, 1, directory.CorrelateEmployeeNumber)
		frozen := false
		show := func(v any, err error) string { return fmt.Sprintf("%+v %v", v, err) }
		readers := map[string]func() string{
			"people":         func() string { return show(w.People(w.ctx, directory.Query{})) },
			"search":         func() string { return show(w.People(w.ctx, directory.Query{Text: "okta"})) },
			"not frozen":     func() string { return show(w.People(w.ctx, directory.Query{Frozen: &frozen})) },
			"active":         func() string { return show(w.People(w.ctx, directory.Query{Status: directory.StatusActive})) },
			"ids":            func() string { return show(w.AllPeople(w.ctx)) },
			"person":         func() string { return show(w.Person(w.ctx, li.Person)) },
			"records":        func() string { return show(w.Records(w.ctx, li.Person)) },
			"affiliations":   func() string { return show(w.Affiliations(w.ctx, li.Person)) },
			"freezes":        func() string { return show(w.Freezes(w.ctx, li.Person)) },
			"units":          func() string { return show(w.Units(w.ctx)) },
			"groups":         func() string { return show(w.FindGroups(w.ctx, directory.GroupQuery{Limit: 50})) },
			"facts":          func() string { return fmt.Sprintf("%+v", w.facts(li.Person)) },
			"other source":   func() string { return show(w.FindRecords(w.ctx, directory.RecordQuery{Source: w.ldap, Limit: 50})) },
			"inventory":      func() string { return show(w.RecordKeys(w.ctx, w.ldap)) },
			"feed":           func() string { return w.rows("", "feed_events") },
			"people rows":    func() string { return w.rows("", "persons", "freezes") },
			"revocations":    func() string { return fmt.Sprint(w.gate.changes, w.gate.settled) },
			"nobody by name": func() string { return show(w.Names(w.ctx, []id.Person{"", li.Person})) },
		}
		before := map[string]string{}
		for name, read := range readers {
			before[name] = read()
		}
		var a, b directory.Record
		w.in(okta, func() {
			a = w.post("li", number("7"), func(r *directory.Record) {
				r.DisplayName, r.ExternalID, r.Department, r.Title = "Okta Li", "x7", "Sales", "okta"
				r.Emails = []directory.Email{{Value: "li@corp.example"}}
			})
			b = w.post("new", number("8"), active(false), func(r *directory.Record) { r.DisplayName, r.ManagerKey = "Okta New", string(a.Link) })
		})
		w.edit(a, func(r *directory.Record) { r.Active, r.EndAt = false, w.at.AddDate(0, 0, -1) })
		g := w.apply(directory.CreateGroup{Group: directory.GroupRecord{Source: okta, DisplayName: "Okta"}, Members: []string{a.Key, b.Key, "pending"}}).Groups[0]
		w.apply(directory.EditGroup{Source: okta, Group: g.ID, Remove: []string{a.Key}, Add: []string{a.Key, "later"}})
		w.apply(directory.PutUnit{Unit: directory.Unit{Source: corp, Key: "top", Name: "Top"}},
			directory.PutRecord{Record: directory.Record{Source: corp, Key: "li", UserName: "li", Active: true, UnitKey: "top", Attributes: directory.Attributes{EmployeeNumber: "7"}}},
			directory.PutGroup{Group: directory.GroupRecord{Source: corp, Key: "all", DisplayName: "All"}, Members: []string{"li"}},
			directory.MarkAbsent{Source: corp, Keys: []string{"li"}, Proof: "read"}, directory.PutCursor{Source: corp, Value: "1"})
		w.apply(directory.DeleteRecord{Source: okta, Link: b.Link})
		for name, read := range readers {
			if after := read(); after != before[name] {
				t.Errorf("%s sees the dry run:\n%s\n%s", name, before[name], after)
			}
		}
		for _, q := range []directory.Query{{Unit: w.unitOf(corp, "top")}, {Group: w.groupOf(corp, "all")}, {Group: g.ID}} {
			if page, err := w.People(w.ctx, q); err != nil || len(page.People) > 0 || q.Unit == "" && q.Group == "" {
				t.Errorf("%+v: %v, %v", q, page.People, err)
			}
		}
		// The source itself sees all of it, with versions and members.
		got, err := w.Record(w.ctx, okta, a.Link)
		if err != nil || got.Version != 2 || got.Person != "" || got.Active {
			t.Errorf("%+v, %v", got, err)
		}
		if m, err := w.Members(w.ctx, g.ID, directory.MemberQuery{Limit: 10}); err != nil || m.Total != 3 || m.Members[0].Person != "" {
			t.Errorf("%+v, %v", m, err)
		}
		if units, err := w.UnitsOf(w.ctx, corp); err != nil || len(units) != 1 {
			t.Errorf("%v, %v", units, err)
		}
		// A record of a third source is not joined to what is staged, and somebody who is staged twice is nobody.
		third := w.source("third", directory.KindLDAP, 5, directory.CorrelateEmployeeNumber)
		x := w.apply(directory.PutRecord{Record: directory.Record{Source: third, Key: "x", UserName: "x", Active: true, Attributes: directory.Attributes{EmployeeNumber: "8"}}}).Records[0]
		y := w.apply(directory.PutRecord{Record: directory.Record{Source: third, Key: "y", UserName: "y", Active: true, Attributes: directory.Attributes{EmployeeNumber: "7"}}}).Records[0]
		if x.Person == "" || x.Person == li.Person || y.Person != li.Person {
			t.Errorf("joined %v %v", x.Person, y.Person)
		}
		// Nobody can be linked by hand to what is staged, and the audit log says what was staged.
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.LinkRecord{Source: okta, Link: a.Link, Person: li.Person}); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("linked: %v", err)
		}
		for _, subject := range []string{string(a.Link), string(b.Link), string(g.ID), string(w.unitOf(corp, "top"))} {
			records, err := audit.List(w.ctx, w.db, audit.Filter{Subject: subject})
			if err != nil || len(records) == 0 {
				t.Fatalf("%v, %v", records, err)
			}
			for _, r := range records {
				if r.Public["staged"] != true || r.Public["person"] != nil {
					t.Errorf("%s of %s: %v", r.Action, subject, r.Public)
				}
			}
		}
	})
}

func (w *world) unitOf(source id.Source, key string) id.Unit {
	units, err := w.UnitsOf(w.ctx, source)
	if err != nil {
		w.Fatal(err)
	}
	for _, u := range units {
		if u.Key == key {
			return u.ID
		}
	}
	return ""
}

func (w *world) groupOf(source id.Source, key string) id.DirectoryGroup {
	g, err := w.GroupByKey(w.ctx, source, key)
	if err != nil {
		return ""
	}
	return g.ID
}

// A source in its dry run is answered as in production: conflicts, versions, filters, rehire.
func TestADryRunAnswersAsInProduction(t *testing.T) {
	run(t, func(w *world) {
		play := func(source id.Source) string {
			var out []string
			last := id.Link("lnk_")
			say := func(a directory.Applied, err error) {
				line := strings.ReplaceAll(fmt.Sprint(err), string(last), "LINK") + fmt.Sprint(a.Noop, a.Outcomes)
				var conflict *directory.ConflictError
				if errors.As(err, &conflict) {
					line += conflict.Field
				}
				for _, r := range a.Records {
					line += fmt.Sprint(r.UserName, r.Version, r.Active)
				}
				for _, g := range a.Groups {
					line += fmt.Sprint(g.DisplayName, g.Version)
				}
				out = append(out, line)
			}
			do := func(c directory.Change) directory.Applied {
				a, err := w.Apply(w.ctx, directory.Cause{Source: source}, c)
				say(a, err)
				return a
			}
			rec := func(name, external string) directory.CreateRecord {
				return directory.CreateRecord{Record: directory.Record{Source: source, UserName: name, ExternalID: external, Active: true}}
			}
			a := do(rec("a", "1")).Records[0]
			last = a.Link
			do(rec("A", "2"))
			do(rec("b", "1"))
			off := directory.EditRecord{Source: source, Link: a.Link, IfVersion: []int64{1}, Edit: func(r *directory.Record) error { r.Active = false; return nil }}
			do(off)
			do(off)
			off.IfVersion = nil
			do(off)
			do(rec("a", "1"))
			g := do(directory.CreateGroup{Group: directory.GroupRecord{Source: source, DisplayName: "G"}, Members: []string{a.Key, "later"}}).Groups[0]
			do(directory.CreateGroup{Group: directory.GroupRecord{Source: source, DisplayName: "g"}})
			do(directory.EditGroup{Source: source, Group: g.ID, IfVersion: []int64{9}, Add: []string{"x"}})
			do(directory.EditGroup{Source: source, Group: g.ID, Add: []string{"x"}, Remove: []string{"later"}})
			do(directory.DeleteRecord{Source: source, Link: a.Link})
			do(directory.DeleteRecord{Source: source, Link: a.Link})
			if again := do(rec("a", "1")).Records[0]; again.Link == a.Link {
				out = append(out, "the same link")
			}
			page, err := w.FindRecords(w.ctx, directory.RecordQuery{Source: source, Limit: 10, Where: directory.Compare{Column: directory.ColUserName, Op: directory.Eq, Value: "A"}})
			members, err2 := w.Members(w.ctx, g.ID, directory.MemberQuery{Limit: 10})
			return strings.Join(append(out, fmt.Sprint(page.Total, err, members.Total, err2)), "\n")
		}
		// Outcomes differ in one word where a deleted record gave its person to a new one.
		real := strings.ReplaceAll(play(w.source("real", directory.KindSCIM, 1)), "[enabled]", "[created]")
		dry := strings.ReplaceAll(play(w.dry("okta", directory.KindSCIM, 1)), "[enabled]", "[created]")
		if real != dry {
			t.Errorf("live\n%s\ndry run\n%s", real, dry)
		}
	})
}

// What a source in its dry run shows is what going live does: ids, attributes, freezes, groups, managers.
func TestGoingLiveDoesWhatWasShown(t *testing.T) {
	run(t, func(w *world) {
		li, wu, twice := w.put("li", number("7")), w.put("wu", number("9")), w.put("tw", number("5"))
		w.apply(directory.FreezePerson{Person: wu.Person})
		okta := w.dry("okta", directory.KindSCIM, 1, directory.CorrelateEmployeeNumber)
		var a, b directory.Record
		w.in(okta, func() {
			a = w.post("okta.li", number("7"), func(r *directory.Record) { r.Department, r.Title = "Sales", "Head" })
			b = w.post("new", number("8"), func(r *directory.Record) { r.ManagerKey, r.Organization, r.Department = a.Key, "Corp", "R&D" })
			w.post("off", active(false))
			w.post("wu", number("9"), active(false))
			w.post("t1", number("5"))
			w.post("t2", number("5"))
			gone := w.post("gone", number("77"))
			w.apply(directory.DeleteRecord{Source: okta, Link: gone.Link})
		})
		w.apply(directory.CreateGroup{Group: directory.GroupRecord{Source: okta, DisplayName: "Staff"}, Members: []string{a.Key, b.Key}})
		shown := w.staged(okta)
		same(t, "lines", len(shown), 6)
		if f := shown[0]; f.By != directory.CorrelateEmployeeNumber || f.Record.Person != li.Person || len(f.Fields) == 0 || f.After.Person.Department != "Sales" || f.Before.Person.Department != "" {
			t.Errorf("%+v", f)
		}
		if f := shown[1]; f.By != "" || f.After.Person.Manager != li.Person || len(f.After.UnitPath) != 2 || !slices.Contains(f.After.Person.Groups, "okta/Staff") {
			t.Errorf("%+v", f.After)
		}
		same(t, "refused", shown[4].Refused, directory.RefusedTwice)
		same(t, "refused", shown[5].Refused, directory.RefusedTwice)
		if !shown[2].After.Person.Frozen || !shown[3].After.Person.Frozen || len(shown[3].After.Freezes) != 2 {
			t.Errorf("%+v", shown[3].After.Freezes)
		}
		version := w.stage(okta).Version
		if err := w.BeginLive(w.ctx, directory.Cause{}, okta, version-1); !errors.Is(err, directory.ErrStage) {
			t.Errorf("another version: %v", err)
		}
		w.live(okta)
		for _, f := range shown {
			got := w.facts(f.Record.Person)
			if fields := directory.DiffPerson(got.Person, f.After.Person); len(fields) > 0 {
				t.Errorf("%s differs: %+v", f.Record.UserName, fields)
			}
			if got.Person.Frozen != f.After.Person.Frozen || got.Person.Status != f.After.Person.Status || !slices.Equal(got.Person.Groups, f.After.Person.Groups) {
				t.Errorf("%s: %+v %+v", f.Record.UserName, got.Person, f.After.Person)
			}
			if x, y := slotsOf(got.Freezes), slotsOf(f.After.Freezes); !slices.Equal(x, y) {
				t.Errorf("%s: %v %v", f.Record.UserName, x, y)
			}
			if len(got.Records) != len(f.After.Records) || fmt.Sprint(got.UnitPaths) != fmt.Sprint(f.After.UnitPaths) {
				t.Errorf("%s: %v %v", f.Record.UserName, got.UnitPaths, f.After.UnitPaths)
			}
		}
		people, err := w.AllPeople(w.ctx)
		if err != nil || len(people) != 3+4 { // three were there; the deleted record never was anybody
			t.Errorf("%v, %v", people, err)
		}
		list(t, "revoked", w.gate.slots(shown[2].Record.Person), "disabled."+string(okta))
		if _, err := w.StageOf(w.ctx, okta); !errors.Is(err, directory.ErrLive) {
			t.Errorf("%v", err)
		}
		if err := w.Discard(w.ctx, directory.Cause{}, okta); !errors.Is(err, directory.ErrLive) {
			t.Errorf("%v", err)
		}
		if err := w.BeginLive(w.ctx, directory.Cause{}, okta, version); !errors.Is(err, directory.ErrLive) {
			t.Errorf("%v", err)
		}
		list(t, "audit", w.actions(string(okta)), "source.created", "source.going_live", "source.live")
		_ = twice
		w.unchanged(func() { same(t, "again", w.GoOn(w.ctx, directory.Cause{}, okta), nil) })
	})
}

func slotsOf(freezes []directory.Freeze) []string {
	var out []string
	for _, f := range freezes {
		out = append(out, f.Slot+f.From.String()+f.Until.String())
	}
	slices.Sort(out)
	return out
}

// A going live that stopped anywhere goes on from there, also when two go on at once, and while the source writes.
func TestGoingLiveGoesOn(t *testing.T) {
	run(t, func(w *world) {
		for i := range 30 {
			w.put(fmt.Sprint("p", i), number(fmt.Sprint(i)))
		}
		okta := w.dry("okta", directory.KindSCIM, 1, directory.CorrelateEmployeeNumber)
		var changes []directory.Change
		for i := range 260 {
			changes = append(changes, directory.CreateRecord{Record: directory.Record{Source: okta, UserName: fmt.Sprint("u", i), Active: true,
				Attributes: directory.Attributes{EmployeeNumber: fmt.Sprint(i)}}})
		}
		w.apply(changes...)
		shown := w.staged(okta)
		if err := w.BeginLive(w.ctx, directory.Cause{}, okta, w.stage(okta).Version); err != nil {
			t.Fatal(err)
		}
		w.gate.fail = errors.New("cut") // after the first parts
		if err := w.GoOn(w.ctx, directory.Cause{}, okta); err == nil {
			t.Error("nobody heard of the failure")
		}
		w.gate.fail = nil
		late := directory.Record{}
		w.in(okta, func() { late = w.post("late") })
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if err := w.GoOn(w.ctx, directory.Cause{}, okta); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, f := range shown {
			r, err := w.Record(w.ctx, okta, f.Record.Link)
			if err != nil || r.Person != f.Record.Person || r.Version != 1 {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		if r, err := w.Record(w.ctx, okta, late.Link); err != nil || r.Person == "" {
			t.Errorf("%+v, %v", r, err)
		}
		var n int64
		w.db.Read(w.ctx).Raw("select count(*) from records where person_id is null").Scan(&n)
		same(t, "without a person", n, 0)
	})
}

// What comes while a source goes live waits for its person as the rest does, and nothing is lost between the two.
func TestWritingWhileGoingLive(t *testing.T) {
	run(t, func(w *world) {
		li := w.put("li", number("7"))
		okta := w.dry("okta", directory.KindSCIM, 1, directory.CorrelateEmployeeNumber)
		var a, b directory.Record
		w.in(okta, func() { a = w.post("li", number("7")) })
		if err := w.BeginLive(w.ctx, directory.Cause{}, okta, w.stage(okta).Version); err != nil {
			t.Fatal(err)
		}
		w.in(okta, func() { b = w.post("new") })
		w.edit(a, func(r *directory.Record) { r.Active = false })
		same(t, "nobody yet", b.Person, "")
		list(t, "not yet", w.standing(li.Person))
		if err := w.GoOn(w.ctx, directory.Cause{}, okta); err != nil {
			t.Fatal(err)
		}
		list(t, "frozen", w.standing(li.Person), "disabled."+string(okta))
		w.in(okta, func() {
			if c := w.post("live"); c.Person == "" {
				t.Error("a live source has staged records")
			}
		})
	})
}

// Discarding removes everything that the source said and nothing else.
func TestDiscard(t *testing.T) {
	run(t, func(w *world) {
		w.put("li", number("7"), func(r *directory.Record) { r.Emails = []directory.Email{{Value: "x@corp.example"}} })
		w.apply(directory.PutGroup{Group: directory.GroupRecord{Source: w.ldap, Key: "g", DisplayName: "G"}, Members: []string{"li"}})
		tables := []string{"sources", "source_tokens", "persons", "records", "record_contacts", "units", "directory_groups", "group_members", "freezes", "feed_events"}
		before := w.rows("", tables...)
		okta := w.dry("okta", directory.KindSCIM, 1)
		secret, _, err := w.IssueSourceToken(w.ctx, directory.Cause{}, okta, "t", w.at.AddDate(1, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		w.in(okta, func() {
			a := w.post("a", func(r *directory.Record) {
				r.Department, r.Emails = "R&D", []directory.Email{{Value: "a@corp.example"}}
			})
			w.apply(directory.CreateGroup{Group: directory.GroupRecord{Source: okta, DisplayName: "G"}, Members: []string{a.Key, "x"}})
			w.apply(directory.DeleteRecord{Source: okta, Link: w.post("b").Link})
		})
		if err := w.Discard(w.ctx, directory.Cause{Actor: "test"}, okta); err != nil {
			t.Fatal(err)
		}
		if after := w.rows("", tables...); after != before {
			t.Errorf("before\n%s\nafter\n%s", before, after)
		}
		if _, _, err := w.CheckSourceToken(w.ctx, secret); !errors.Is(err, directory.ErrToken) {
			t.Errorf("%v", err)
		}
		if err := w.Discard(w.ctx, directory.Cause{}, okta); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%v", err)
		}
		if err := w.Discard(w.ctx, directory.Cause{}, w.ldap); !errors.Is(err, directory.ErrLive) {
			t.Errorf("%v", err)
		}
		list(t, "audit", w.actions(string(okta)), "source.created", "source.discarding", "source.discarded")
		w.dry("okta", directory.KindSCIM, 1) // the name is free again
	})
}

// A writer who began while the dry run stood and is slower than going live leaves nothing without a person.
func TestASlowWriterMeetsGoingLive(t *testing.T) {
	run(t, func(w *world) {
		if w.db.Engine == db.SQLite {
			return // one writer at a time
		}
		okta := w.dry("okta", directory.KindSCIM, 1)
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				for i := range 10 {
					if _, err := w.Apply(w.ctx, directory.Cause{}, directory.CreateRecord{Record: directory.Record{Source: okta, UserName: fmt.Sprint("u", n, "-", i), Active: true}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for err := errors.New("first"); err != nil; {
			if err = w.BeginLive(w.ctx, directory.Cause{}, okta, w.stage(okta).Version); err != nil && !errors.Is(err, directory.ErrStage) {
				t.Fatal(err)
			}
		}
		if err := w.GoOn(w.ctx, directory.Cause{}, okta); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		var n int64
		w.db.Read(w.ctx).Raw("select count(*) from records where person_id is null").Scan(&n)
		same(t, "without a person", n, 0)
	})
}
