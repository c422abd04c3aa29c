package directory_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// hr puts one record of an HR source, with the end that it plans.
func (w *world) hr(source id.Source, active bool, end time.Time) directory.Applied {
	return w.apply(directory.PutRecord{Record: directory.Record{Source: source, Key: "4711", UserName: "wang", Active: active, EndAt: end,
		Attributes: directory.Attributes{DisplayName: "Wang Fang"}}})
}

func (w *world) veto(person id.Person) directory.Freeze {
	freezes, err := w.Freezes(w.ctx, person)
	if err != nil {
		w.Fatal(err)
	}
	for _, f := range freezes {
		if f.Slot == directory.SlotVeto && f.LiftedAt.IsZero() {
			return f
		}
	}
	w.Fatal("no veto stands")
	return directory.Freeze{}
}

// An immediate termination freezes in the same call; a stale "active" of any source lifts nothing while the veto stands, and is noted.
func TestTerminateVetoesStaleSources(t *testing.T) {
	run(t, func(w *world) {
		hr := w.source("people-hr", directory.KindHRFeed, 1)
		end := w.at.AddDate(0, 1, 0)
		p := w.hr(hr, true, end).Records[0].Person
		a := w.apply(directory.Terminate{Source: hr, Key: "4711", Reason: "misconduct"})
		if a.Rev == 0 || a.Freezes[0].Slot != directory.SlotVeto || a.Freezes[0].Reason != "misconduct" || !a.Freezes[0].Until.Equal(w.at.AddDate(0, 0, 14)) {
			t.Errorf("%+v", a)
		}
		disabled, ended := "disabled."+string(hr), "ended."+string(hr)
		list(t, "slots", w.standing(p), disabled, ended, directory.SlotVeto)
		same(t, "the planned end stays", w.person(p).EndsAt, end)
		list(t, "audit", w.actions(string(p)), "person.created", "person.frozen", "person.terminated", "person.frozen", "person.frozen")
		w.pass(time.Hour)

		// The stale source says active: the veto stands, and says who contradicts it.
		w.hr(hr, true, end)
		list(t, "slots", w.standing(p), ended, directory.SlotVeto)
		same(t, "frozen", w.person(p).Frozen, true)
		if v := w.veto(p); !v.ContestedAt.Equal(w.at) || v.ContestedBy != hr {
			t.Errorf("%+v", v)
		}
		w.unchanged(func() { w.hr(hr, true, end) })
		w.hr(hr, false, end) // it has heard of it
		if v := w.veto(p); !v.ContestedAt.IsZero() {
			t.Errorf("%+v", v)
		}
		w.hr(hr, true, end)

		// A human being lifts it; or its end comes: then the sources say what holds.
		v := w.veto(p)
		w.apply(directory.LiftFreeze{Freeze: v.ID})
		same(t, "frozen", w.person(p).Frozen, false)
		w.apply(directory.Terminate{Source: hr, Key: "4711", Veto: 24 * time.Hour})
		w.hr(hr, true, end)
		w.pass(24*time.Hour - time.Microsecond)
		same(t, "frozen", w.person(p).Frozen, true)
		w.pass(time.Microsecond)
		same(t, "frozen", w.person(p).Frozen, false)
	})
}

// A source that goes on saying active without saying anything new is noted when it was read as a whole.
func TestVetoIsContestedByACompleteReading(t *testing.T) {
	run(t, func(w *world) {
		hr := w.source("people-hr", directory.KindHRFeed, 1)
		p := w.hr(hr, true, time.Time{}).Records[0].Person
		account := w.put("wang")
		w.apply(directory.LinkRecord{Source: account.Source, Link: account.Link, Person: p})
		w.apply(directory.Terminate{Source: hr, Key: "4711"})
		same(t, "contested", w.veto(p).ContestedAt, time.Time{})
		w.pass(time.Minute)
		w.apply(directory.SyncDone{Source: account.Source, Proof: "count"})
		if v := w.veto(p); !v.ContestedAt.Equal(w.at) || v.ContestedBy != account.Source {
			t.Errorf("%+v", v)
		}
		contested := func() int {
			page, err := w.People(w.ctx, directory.Query{Contested: true})
			if err != nil {
				t.Fatal(err)
			}
			return len(page.People)
		}
		same(t, "listed", contested(), 1)
		list(t, "slots", w.standing(p), "disabled."+string(hr), directory.SlotVeto)
		w.hr(hr, true, time.Time{}) // whose own termination it was
		whole, err := (&directory.API{Store: w.Store}).GetPerson(w.ctx, &directory.PersonInPath{ID: p})
		if err != nil {
			t.Fatal(err)
		}
		var says []id.Source
		for _, f := range whole.Body.Freezes {
			for i := 0; f.Contested != nil && i < len(f.Contested.Sources); i++ {
				says = append(says, f.Contested.Sources[i].ID)
			}
		}
		list(t, "say active", says, hr, account.Source)
		w.hr(hr, false, time.Time{})
		w.put("wang", active(false))
		same(t, "listed", contested(), 0)
		same(t, "contested", w.veto(p).ContestedAt, time.Time{})
	})
}

// Somebody who says active again without anything new is noted once, although nothing was read as a whole.
//
// holds: J20
func TestVetoIsContestedByARepetition(t *testing.T) {
	run(t, func(w *world) {
		hr := w.source("people-hr", directory.KindHRFeed, 1)
		p := w.hr(hr, true, time.Time{}).Records[0].Person
		until := w.at.Add(72*time.Hour + 1234567*time.Microsecond)
		f := w.apply(directory.Terminate{Person: p, Until: until}).Freezes[0]
		same(t, "until", f.Until, until)
		w.pass(time.Minute)
		w.hr(hr, true, time.Time{})
		if v := w.veto(p); !v.ContestedAt.Equal(w.at) || v.ContestedBy != hr {
			t.Errorf("%+v", v)
		}
		w.pass(time.Minute)
		w.unchanged(func() { w.hr(hr, true, time.Time{}) })
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.Terminate{Person: p, Until: w.at}); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("an until that has passed: %v", err)
		}
	})
}

// What a source correlates by is changed for what comes; who is there keeps their person.
func TestCorrelateIsChangedForWhatComes(t *testing.T) {
	run(t, func(w *world) {
		one := w.put("one", number("7"))
		hr := w.source("people-hr", directory.KindHRFeed, 1)
		hired := func(key, n string) id.Person {
			return w.apply(directory.PutRecord{Record: directory.Record{Source: hr, Key: key, UserName: key, Active: true, Attributes: directory.Attributes{EmployeeNumber: n}}}).Records[0].Person
		}
		before := hired("a", "7")
		by := []string{directory.CorrelateEmployeeNumber}
		if _, err := w.Configure(w.ctx, directory.Cause{}, directory.ConfigureSource{Source: hr, Correlate: &by}); err != nil {
			t.Fatal(err)
		}
		same(t, "who was there", hired("a", "7"), before)
		if before == one.Person {
			t.Error("joined without being told to")
		}
		two := w.put("two", number("8"))
		same(t, "who comes", hired("b", "8"), two.Person)
		w.unchanged(func() {
			if _, err := w.Configure(w.ctx, directory.Cause{}, directory.ConfigureSource{Source: hr, Correlate: &by}); err != nil {
				t.Fatal(err)
			}
		})
		wrong := []string{"email"}
		if _, err := w.Apply(w.ctx, directory.Cause{}, directory.ConfigureSource{Source: hr, Correlate: &wrong}); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("by e-mail: %v", err)
		}
	})
}

func TestTerminateRefuses(t *testing.T) {
	run(t, func(w *world) {
		hr := w.source("people-hr", directory.KindHRFeed, 1)
		w.hr(hr, true, time.Time{})
		for _, c := range []struct {
			change directory.Terminate
			want   error
		}{{directory.Terminate{Source: hr, Key: "nobody"}, directory.ErrNotFound}, {directory.Terminate{Source: hr, Key: "4711", At: w.at.Add(time.Hour)}, directory.ErrInvalid},
			{directory.Terminate{Source: hr, Key: "4711", Veto: -1}, directory.ErrInvalid}} {
			if _, err := w.Apply(w.ctx, directory.Cause{}, c.change); !errors.Is(err, c.want) {
				t.Errorf("%+v: %v", c.change, err)
			}
		}
	})
}

// A human being terminates without touching what sources say; it stands until it is lifted.
func TestTerminateByHand(t *testing.T) {
	run(t, func(w *world) {
		r := w.post("li")
		a := w.apply(directory.Terminate{Person: r.Person, Reason: "misconduct"})
		same(t, "reason", a.Freezes[0].Reason, "misconduct")
		list(t, "slots", w.standing(r.Person), directory.SlotVeto)
		w.pass(365 * 24 * time.Hour)
		same(t, "frozen", w.person(r.Person).Frozen, true)
		w.apply(directory.SyncDone{Source: w.scim, Proof: "count"})
		same(t, "contested by", w.veto(r.Person).ContestedBy, w.scim)
		w.apply(directory.LiftFreeze{Freeze: w.veto(r.Person).ID})
		same(t, "frozen", w.person(r.Person).Frozen, false)
	})
}
