package directory_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

func (w *world) sourceWith(name string, kind directory.SourceKind, priority int, authority []string, correlate ...string) id.Source {
	w.Helper()
	s, err := w.CreateSource(w.ctx, directory.Cause{Actor: "test"}, directory.Source{Name: name, Kind: kind, Priority: priority, Authority: authority, Correlate: correlate})
	if err != nil {
		w.Fatal(err)
	}
	return s.ID
}

// In whatever order sources write, and whatever they said before, who a person is depends on what the sources say last, and on nothing else. The
// word before a deletion is a last word too.
func TestAuthorityInAnyOrder(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		n := 0
		checks := w.checks()
		rapid.Check(t, func(t *rapid.T) {
			if n++; n > checks {
				return
			}
			var sources []id.Source
			names := append(directory.AuthorityGroups(), "title", "unit", "label.badge")
			for i := range 3 {
				var authority []string
				if !rapid.Bool().Draw(t, "everything") {
					authority = rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID[string]).Draw(t, "authority")
					if authority == nil {
						authority = []string{}
					}
				}
				sources = append(sources, w.sourceWith(fmt.Sprintf("s%d-%d", n, i), directory.KindLDAP, rapid.IntRange(1, 3).Draw(t, "priority"), authority))
			}
			said := func(t *rapid.T, source id.Source, key string) directory.Record {
				value := func(what string, of ...string) string { return rapid.SampledFrom(append(of, "")).Draw(t, what) }
				r := directory.Record{Source: source, Key: key, UserName: key, Active: rapid.Bool().Draw(t, "active"), Attributes: directory.Attributes{
					Title: value("title", "a", "b"), Department: value("department", "a", "b"), EmployeeType: value("type", "a", "b"), GivenName: value("given", "a", "b")}}
				r.UnitKey, r.ManagerKey = value("unit", "u"), value("manager", key)
				if badge := value("badge", "x", "y"); badge != "" {
					r.Labels = map[string]string{"badge": badge}
				}
				return r
			}
			final := make([][]directory.Change, len(sources)) // per source: what it says last
			for i, source := range sources {
				final[i] = []directory.Change{directory.PutRecord{Record: said(t, source, "k")}}
				if rapid.IntRange(0, 4).Draw(t, "deletes") == 0 {
					final[i] = append(final[i], directory.DeleteRecord{Source: source, Key: "k"})
				}
			}
			alive := slices.ContainsFunc(final, func(list []directory.Change) bool { return len(list) == 1 })
			build := func(label string) directory.Person {
				for _, source := range sources { // another human being, of the same words
					w.apply(directory.PutUnit{Unit: directory.Unit{Source: source, Key: "u", Name: "u"}})
				}
				var one id.Person
				for _, i := range rapid.Permutation([]int{0, 1, 2}).Draw(t, label+"first") {
					r := w.apply(directory.PutRecord{Record: said(t, sources[i], "k")}).Records[0]
					if one == "" {
						one = r.Person
					} else if r.Person != one {
						w.apply(directory.LinkRecord{Source: r.Source, Link: r.Link, Person: one})
					}
				}
				for range rapid.IntRange(0, 3).Draw(t, label+"between") {
					w.apply(directory.PutRecord{Record: said(t, sources[rapid.IntRange(0, 2).Draw(t, "who")], "k")})
				}
				for _, i := range rapid.Permutation([]int{0, 1, 2}).Draw(t, label+"last") {
					for _, c := range final[i] {
						w.apply(c)
					}
				}
				return w.person(one)
			}
			first := build("one ")
			second := build("two ")
			if first.Status != second.Status || first.Frozen != second.Frozen {
				t.Fatalf("status %s %v, %s %v", first.Status, first.Frozen, second.Status, second.Frozen)
			}
			if diff := directory.DiffPerson(first, second); alive && len(diff) > 0 {
				t.Fatalf("differ: %+v", diff)
			}
		})
	})
}

// SCIM, LDAP and records of a file for one person: they are linked by the employee number, each attribute comes from the source that
// decides it, who cannot be told is a work item and no merge, no source takes what another says, and a rehire finds the person again.
//
// holds: R15
func TestOnePersonOfThreeSources(t *testing.T) {
	run(t, func(w *world) {
		by := directory.CorrelateEmployeeNumber
		hr := w.sourceWith("hr", directory.KindHRFeed, 30, []string{"employment", "org", "job", "manager", "name"}, by)
		idp := w.sourceWith("idp", directory.KindSCIM, 10, []string{"login", "contact"}, by)
		ad := w.sourceWith("ad", directory.KindLDAP, 20, []string{"region", "label.badge"}, by)
		put := func(source id.Source, key string, fill func(*directory.Record)) directory.Record {
			r := directory.Record{Source: source, Key: key, UserName: key, Active: true}
			fill(&r)
			return w.apply(directory.PutRecord{Record: r}).Records[0]
		}
		say := func(source, number, title, mail string) func(*directory.Record) {
			return func(r *directory.Record) {
				r.EmployeeNumber, r.Title, r.Department, r.TimeZone = number, title, "dept of "+source, "Zone/"+source
				r.DisplayName, r.Emails = "name of "+source, []directory.Email{{Value: mail}}
				r.Labels = map[string]string{"badge": source}
			}
		}
		// Linked, whoever comes first; the lowest priority number wins nothing that its source does not decide.
		a := put(ad, "li.lei", say("ad", "7", "Sysop", "li@ad"))
		s := w.apply(directory.CreateRecord{Record: func() directory.Record {
			r := directory.Record{Source: idp, UserName: "li@corp", Active: true}
			say("idp", "7", "User", "li@corp")(&r)
			return r
		}()}).Records[0]
		h := put(hr, "00007", say("hr", "7", "Engineer", "li@hr"))
		if s.Person != a.Person || h.Person != a.Person {
			t.Fatalf("three people: %s %s %s", a.Person, s.Person, h.Person)
		}
		p := w.person(a.Person)
		for what, pair := range map[string][2]string{"title": {p.Title, "Engineer"}, "department": {p.Department, "dept of hr"}, "name": {p.DisplayName, "name of hr"},
			"login": {p.UserName, "li@corp"}, "mail": {p.Email, "li@corp"}, "zone": {p.TimeZone, "Zone/ad"}, "badge": {p.Labels["badge"], "ad"}} {
			same(t, what, pair[0], pair[1])
		}
		// A weaker source overwrites nothing; where the one that decides falls silent, the others fill in.
		put(ad, "li.lei", say("ad", "7", "Chief", "li@ad"))
		same(t, "title", w.person(a.Person).Title, "Engineer")
		put(hr, "00007", say("hr", "7", "", "li@hr"))
		same(t, "title", w.person(a.Person).Title, "User")
		put(hr, "00007", say("hr", "7", "Engineer", "li@hr"))

		// Only the authority over employment decides status: others neither stop nor keep anybody.
		put(ad, "li.lei", func(r *directory.Record) { say("ad", "7", "Sysop", "li@ad")(r); r.Active = false })
		w.edit(s, active(false))
		same(t, "frozen by a source of no authority", w.person(a.Person).Frozen, false)
		w.apply(directory.DeleteRecord{Source: ad, Key: "li.lei"})
		w.apply(directory.MarkAbsent{Source: ad, Keys: []string{"li.lei"}, Proof: "read"})
		same(t, "another source's removal", w.person(a.Person).Status, directory.StatusActive)
		w.edit(s, active(true))
		put(hr, "00007", func(r *directory.Record) { say("hr", "7", "Engineer", "li@hr")(r); r.Active = false })
		list(t, "hr said no", w.standing(a.Person), "disabled."+string(hr))

		// The end in HR is the end, although the identity provider still has the account; a rehire by the same number is the same person.
		w.apply(directory.DeleteRecord{Source: hr, Key: "00007"})
		same(t, "left", w.person(a.Person).Status, directory.StatusTerminated)
		again := put(hr, "00107", say("hr", "7", "Head", "li@hr"))
		same(t, "rehired", again.Person, a.Person)
		same(t, "back", w.person(a.Person).Status, directory.StatusActive)

		// Two of one number: nobody is merged, a human being is asked.
		double := put(hr, "00207", say("hr", "7", "Twin", "twin@hr"))
		if double.Person == a.Person {
			t.Fatal("merged silently")
		}
		items, err := w.WorkItems(w.ctx, directory.WorkItemQuery{State: directory.ItemOpen, Person: double.Person})
		if err != nil || len(items) == 0 || items[0].Hint != directory.HintEmployeeNumber {
			t.Fatalf("work items %+v, %v", items, err)
		}
		same(t, "nothing moved", w.person(a.Person).Title, "Head")
	})
}

// Another authority or priority of a source merges its people anew, and a preview says what that would change and changes nothing.
func TestConfigureSource(t *testing.T) {
	run(t, func(w *world) {
		one := w.post("li", func(r *directory.Record) { r.Title, r.Department = "Engineer", "R&D" })
		two := w.put("li", func(r *directory.Record) { r.Title, r.Active = "Boss", true })
		w.apply(directory.LinkRecord{Source: two.Source, Link: two.Link, Person: one.Person})
		same(t, "by priority", w.person(one.Person).Title, "Boss")
		api := &directory.API{Store: w.Store}
		patch := func(dry bool, authority ...string) *directory.ConfigureOutput {
			in := &directory.ConfigureInput{ID: w.ldap}
			in.Body.DryRun, in.Body.Authority = dry, &authority
			out, err := api.Configure(w.ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		w.unchanged(func() {
			out := patch(true, "employment", "login")
			same(t, "people", out.Body.People, 1)
			same(t, "titles", out.Body.Fields["title"], 1)
		})
		patch(false, "employment", "login")
		same(t, "by authority", w.person(one.Person).Title, "Engineer")
		got, err := api.GetPerson(w.ctx, &directory.PersonInPath{ID: one.Person})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "origin", got.Body.Origins["title"].Source.ID, w.scim)
		same(t, "authority", got.Body.Origins["title"].Authority, true)
		same(t, "origin of the login", got.Body.Origins["user_name"].Source.ID, w.ldap)

		// Without authority over employment its word about it counts no more; with it, it does again.
		w.edit(two, active(false))
		list(t, "frozen", w.standing(one.Person), "disabled."+string(w.ldap))
		patch(false, "login")
		list(t, "advisory", w.standing(one.Person))
		w.unchanged(func() { patch(false, "login") })
		patch(false, directory.AuthorityGroups()...)
		list(t, "everything again", w.standing(one.Person), "disabled."+string(w.ldap))
		if s, _ := w.SourceByID(w.ctx, w.ldap); s.Authority != nil {
			t.Errorf("authority %v", s.Authority)
		}

		// Interrupted after the change itself: it is gone on with.
		authority := []string{"login"}
		w.apply(directory.ConfigureSource{Source: w.ldap, Authority: &authority})
		list(t, "not yet", w.standing(one.Person), "disabled."+string(w.ldap))
		if err := w.FinishConfigure(w.ctx); err != nil {
			t.Fatal(err)
		}
		list(t, "finished", w.standing(one.Person))
		w.unchanged(func() { _ = w.FinishConfigure(w.ctx) })

		wrong := []string{"salary"}
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.ConfigureSource{Source: w.ldap, Authority: &wrong}); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("authority over salary: %v", err)
		}
		api.Configured = []string{"corp"}
		in := &directory.ConfigureInput{ID: w.ldap}
		if _, err := api.Configure(w.ctx, in); !errors.Is(err, directory.ErrConfigured) {
			t.Errorf("named in the file: %v", err)
		}
	})
}
