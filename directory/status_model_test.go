package directory_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// job is what one source says of somebody, in hours since the beginning; 0 of end and leave: none.
type job struct {
	source                     id.Source
	there, active              bool
	start, end, leave, return_ int
}

func (j job) runs(at int) bool    { return j.there && j.start <= at && (j.end == 0 || at < j.end) }
func (j job) onLeave(at int) bool { return j.leave != 0 && j.leave <= at && at < j.return_ }

// working is a small model of working life with up to two employers: nothing of the code under test.
type working struct {
	jobs         []job
	vetoed, held bool
}

// counted answers the jobs that dates are taken from: the active ones, or all where none is.
func (m working) counted() []job {
	there := slices.DeleteFunc(slices.Clone(m.jobs), func(j job) bool { return !j.there })
	if active := slices.DeleteFunc(slices.Clone(there), func(j job) bool { return !j.active }); len(active) > 0 {
		return active
	}
	return there
}

func (m working) status(at int) directory.Status {
	counted := m.counted()
	running := slices.DeleteFunc(slices.Clone(counted), func(j job) bool { return !j.runs(at) })
	switch {
	case len(running) == 0 && slices.ContainsFunc(counted, func(j job) bool { return j.start > at && (j.end == 0 || j.end > j.start) }):
		return directory.StatusPending
	case len(running) == 0:
		return directory.StatusTerminated
	case !slices.ContainsFunc(running, func(j job) bool { return !j.onLeave(at) }):
		return directory.StatusLeave
	case !slices.ContainsFunc(counted, func(j job) bool { return j.end == 0 }):
		return directory.StatusNotice
	}
	return directory.StatusActive
}

func (m working) frozen(at int) bool {
	return m.vetoed || m.held || !slices.ContainsFunc(m.jobs, func(j job) bool { return j.active && j.runs(at) && !j.onLeave(at) })
}

// Whatever two sources say of somebody's dates, in whatever order, and whatever security does: status and freeze are at each instant
// what the model says, in the person and in the list of people, whether anybody wrote since or the clock alone went on.
func TestStatusModel(t *testing.T) {
	run(t, func(w *world) {
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			if n++; n > w.checks() {
				return
			}
			zero := w.at
			m := working{jobs: []job{{source: w.scim, there: true, active: true}, {source: w.ldap}}}
			var links [2]id.Link
			first := w.post(fmt.Sprint("m", n), number(fmt.Sprint("first", n)))
			person := first.Person
			links[0] = first.Link
			now := func() int { return int(w.at.Sub(zero) / time.Hour) }
			at := func(hours int) time.Time {
				if hours == 0 {
					return time.Time{}
				}
				return zero.Add(time.Duration(hours) * time.Hour)
			}
			say := func(i int) {
				j := m.jobs[i]
				fill := func(r *directory.Record) {
					r.Active, r.StartAt, r.EndAt, r.LeaveFrom, r.LeaveUntil = j.active, at(j.start), at(j.end), at(j.leave), at(j.return_)
				}
				if i == 0 {
					w.edit(directory.Record{Source: w.scim, Link: links[0]}, fill)
					return
				}
				r := w.put(fmt.Sprint("m", n), number(fmt.Sprint("second", n)), fill)
				if r.Person != person {
					w.apply(directory.LinkRecord{Source: w.ldap, Link: r.Link, Person: person})
				}
				links[1] = r.Link
			}
			for range rapid.IntRange(4, 20).Draw(rt, "steps") {
				i := rapid.IntRange(0, 1).Draw(rt, "job")
				j := &m.jobs[i]
				switch rapid.SampledFrom([]string{"start", "end", "leave", "active", "open", "delete", "veto", "hold", "pass", "pass"}).Draw(rt, "step") {
				case "start":
					if j.start = now() + rapid.IntRange(-40, 40).Draw(rt, "start"); j.start != 0 && j.end != 0 && j.end <= j.start {
						j.end = j.start + 1
					}
					j.there = true
					say(i)
				case "end":
					if j.end = max(now()+rapid.IntRange(-40, 40).Draw(rt, "end"), j.start+1); j.end == 0 {
						j.end = 1
					}
					j.there = true
					say(i)
				case "leave":
					j.leave = now() + rapid.IntRange(-40, 40).Draw(rt, "leave")
					j.return_ = j.leave + rapid.IntRange(1, 40).Draw(rt, "return")
					if j.leave == 0 || j.return_ == 0 {
						j.leave, j.return_ = 0, 0
					}
					j.there = true
					say(i)
				case "active":
					j.active, j.there = !j.active, true
					say(i)
				case "open":
					j.end, j.leave, j.return_, j.there, j.active = 0, 0, 0, true, true
					say(i)
				case "delete":
					if i == 0 || !j.there || !j.active {
						continue
					}
					w.apply(directory.DeleteRecord{Source: w.ldap, Link: links[1]})
					*j = job{source: j.source}
				case "veto":
					if m.vetoed = !m.vetoed; m.vetoed {
						w.apply(directory.FreezePerson{Person: person, Veto: true})
					} else {
						w.lift(person)
						m.held = false
					}
				case "hold":
					if m.vetoed {
						continue
					}
					if m.held = !m.held; m.held {
						w.apply(directory.FreezePerson{Person: person})
					} else {
						w.lift(person)
					}
				case "pass":
					w.pass(time.Duration(rapid.IntRange(1, 30).Draw(rt, "hours")) * time.Hour)
				}
				p := w.person(person)
				if p.Status != m.status(now()) || p.Frozen != m.frozen(now()) {
					rt.Fatalf("hour %d: %s, frozen %v; the model says %s, %v: %+v; %v", now(), p.Status, p.Frozen, m.status(now()), m.frozen(now()), m, w.standing(person))
				}
				page, err := w.People(w.ctx, directory.Query{Status: p.Status})
				if err != nil || !slices.ContainsFunc(page.People, func(q directory.Person) bool { return q.ID == person }) && page.Next == "" {
					rt.Fatalf("not listed as %s: %v", p.Status, err)
				}
			}
		})
	})
}

// lift ends the freezes of the console.
func (w *world) lift(p id.Person) {
	w.Helper()
	freezes, err := w.Freezes(w.ctx, p)
	if err != nil {
		w.Fatal(err)
	}
	for _, f := range freezes {
		if f.Cause == directory.CauseSecurity && f.LiftedAt.IsZero() {
			w.apply(directory.LiftFreeze{Freeze: f.ID})
		}
	}
}
