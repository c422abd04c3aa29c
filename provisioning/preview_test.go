package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// newSource makes a SCIM source that wins over hr; dry: in its dry run.
func (w *world) newSource(name string, dry bool) directory.Source {
	w.Helper()
	s := directory.Source{Name: name, Kind: directory.KindSCIM, Priority: 1, Correlate: []string{directory.CorrelateEmployeeNumber}}
	if dry {
		s.Mode = directory.ModeDryRun
	}
	s, err := w.people.CreateSource(ctx, directory.Cause{Actor: "tester"}, s)
	w.ok(err)
	return s
}

// push posts a record of facts as record makes them; the number is the key's.
func (w *world) push(s directory.Source, key, number, facts string) directory.Record {
	w.Helper()
	r := w.record(key, facts)
	r.Source, r.Key, r.EmployeeNumber = s.ID, "", number
	applied, err := w.people.Apply(ctx, directory.Cause{Source: s.ID}, directory.CreateRecord{Record: r})
	w.ok(err)
	return applied.Records[0]
}

// hire puts a numbered record into hr.
func (w *world) hire(number, facts string) id.Person {
	w.Helper()
	r := w.record("hr"+number, facts)
	r.EmployeeNumber = number
	return w.apply(directory.PutRecord{Record: r}).Records[0].Person
}

func (w *world) preview(s directory.Source, q provisioning.PreviewQuery) *provisioning.Preview {
	w.Helper()
	p, err := w.r.Preview(ctx, s.ID, q)
	w.ok(err)
	return p
}

func (w *world) golive(s directory.Source) {
	w.Helper()
	w.ok(w.r.GoLive(ctx, directory.Cause{Actor: "tester"}, s.ID, w.preview(s, provisioning.PreviewQuery{}).Hash))
}

func steps(line provisioning.PreviewLine) string {
	var out []string
	for _, c := range line.Memberships {
		out = append(out, map[provisioning.Op]string{provisioning.OpAdd: "+", provisioning.OpRemove: "-", provisioning.OpRole: "~"}[c.Op]+c.Group+":"+string(c.Role))
	}
	return strings.Join(out, " ")
}

// A preview says who is new, who joins whom, what each gains and loses, and writes nothing; going live does that.
func TestPreviewSaysWhatGoingLiveDoes(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		mover, stays, off := w.hire("1", "dept=R&D"), w.hire("2", "dept=Sales"), w.hire("3", "dept=R&D")
		okta := w.newSource("okta", true)
		w.untouched("pushing", func() {
			if w.places(mover) != "apollo:participant everybody:participant" {
				t.Error(w.places(mover))
			}
		})
		boss := w.push(okta, "mover", "1", "dept=Sales")
		fresh := w.push(okta, "fresh", "9", "dept=R&D title=Head manager="+string(boss.Link))
		w.push(okta, "stays", "2", "dept=Sales")
		w.push(okta, "off", "3", "dept=R&D active=false")
		w.push(okta, "hr1", "", "type=vendor")
		var p *provisioning.Preview
		w.untouched("a preview", func() { p = w.preview(okta, provisioning.PreviewQuery{Limit: 50}) })
		var got []string
		for _, line := range p.Lines {
			got = append(got, line.UserName+" "+strings.Join(line.Kinds, ",")+" "+steps(line))
		}
		w.want("lines", strings.Join(got, "\n"), strings.Join([]string{
			"mover joined,changed,gained,lost -apollo:participant +sales:participant",
			"fresh new,gained +apollo:owner +everybody:participant +reports:collaborator",
			"stays joined,changed ", "off joined,changed,frozen ", "hr1 new,gained,double +everybody:vendor"}, "\n"))
		s := p.Summary
		if s.New != 2 || s.Joined != 3 || s.Changed != 3 || s.Frozen != 1 || s.Gained != 5 || s.Lost != 1 || s.Doubles != 1 || s.JoinedBy["employee_number"] != 3 || s.Fields["department"] != 1 {
			t.Errorf("%+v", s)
		}
		if len(s.Groups) != 4 || s.Groups[0].Group != "apollo" || s.Groups[0].Gained != 1 || s.Groups[0].Lost[provisioning.CauseMove] != 1 {
			t.Errorf("%+v", s.Groups)
		}
		if line := p.Lines[1]; line.Person == "" || line.By != "" || len(line.Changes) != 0 {
			t.Errorf("%+v", line)
		}
		w.want("nothing happened", w.places(mover)+"|"+w.places(off), "apollo:participant everybody:participant|apollo:participant everybody:participant")
		w.want("sees", w.sees(off), "apollo/general everybody/news")

		w.ok(w.r.GoLive(ctx, directory.Cause{Actor: "tester"}, okta.ID, p.Hash))
		w.want("mover", w.places(mover), "everybody:participant sales:participant")
		w.want("stays", w.places(stays), "everybody:participant sales:participant")
		w.want("off", w.places(off)+"|"+w.sees(off), "apollo:participant everybody:participant|")
		r, err := w.people.Record(ctx, okta.ID, fresh.Link)
		w.ok(err)
		w.want("fresh", string(r.Person), string(p.Lines[1].Person))
		w.want("fresh", w.places(r.Person), "apollo:owner everybody:participant reports:collaborator")
		w.want("fresh sees", w.sees(r.Person), "apollo/general apollo/leads everybody/news reports/general")
		w.ok(w.r.GoLive(ctx, directory.Cause{}, okta.ID, p.Hash)) // said again
		if err := w.r.GoLive(ctx, directory.Cause{}, okta.ID, "other"); !errors.Is(err, directory.ErrLive) {
			t.Errorf("%v", err)
		}
		if _, err := w.r.Preview(ctx, okta.ID, provisioning.PreviewQuery{}); !errors.Is(err, directory.ErrLive) {
			t.Errorf("%v", err)
		}
		before := w.count()
		result, err := w.r.ReconcileAll(ctx)
		if w.ok(err); result.Written != 0 || fmt.Sprint(before) != fmt.Sprint(w.count()) {
			t.Errorf("a second run wrote %+v", result)
		}
	})
}

// Where what going live would do has changed, it is refused; what has nothing to do with it does not matter.
func TestPreviewDrift(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.hire("1", "dept=R&D")
		okta := w.newSource("okta", true)
		w.push(okta, "one", "1", "dept=Sales")
		drifts := func(what string, want bool, change func()) {
			t.Helper()
			hash := w.preview(okta, provisioning.PreviewQuery{}).Hash
			change()
			if got := w.preview(okta, provisioning.PreviewQuery{}).Hash != hash; got != want {
				t.Errorf("%s: drift %v", what, got)
			}
			if !want {
				return
			}
			w.untouched(what, func() {
				if err := w.r.GoLive(ctx, directory.Cause{}, okta.ID, hash); !errors.Is(err, provisioning.ErrDrift) {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		drifts("a page", false, func() { w.preview(okta, provisioning.PreviewQuery{Limit: 1}) })
		drifts("somebody else", false, func() { w.hire("2", "dept=R&D") })
		drifts("a push", true, func() { w.push(okta, "two", "2", "dept=R&D") })
		drifts("another source's word", true, func() { w.hire("1", "dept=R&D title=Head") })
		drifts("a policy", true, func() { w.policy(strings.Replace(policyText, `"Sales"`, `"sales"`, 1)) })
		drifts("a person who came", true, func() { w.push(okta, "three", "3", ""); w.preview(okta, provisioning.PreviewQuery{}); w.hire("3", "") })
		w.golive(okta)
	})
}

// A page is the same whether it is read at once or after the one before, and a kind chooses.
func TestPreviewPages(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		okta := w.newSource("okta", true)
		for i := range 7 {
			w.push(okta, fmt.Sprint("p", i), "", map[bool]string{true: "dept=R&D", false: "active=false"}[i%2 == 0])
		}
		all := w.preview(okta, provisioning.PreviewQuery{Limit: 100})
		var pages []provisioning.PreviewLine
		for q := (provisioning.PreviewQuery{Limit: 3}); ; {
			p := w.preview(okta, q)
			pages = append(pages, p.Lines...)
			if q.After = p.Next; p.Next == "" {
				break
			}
		}
		if fmt.Sprint(pages) != fmt.Sprint(all.Lines) || len(pages) != 7 {
			t.Errorf("%v\n%v", pages, all.Lines)
		}
		p := w.preview(okta, provisioning.PreviewQuery{Kind: "frozen", Limit: 2})
		rest := w.preview(okta, provisioning.PreviewQuery{Kind: "frozen", Limit: 2, After: p.Next})
		if len(p.Lines) != 2 || len(rest.Lines) != 1 || rest.Next != "" || p.Summary.Arriving != 3 || p.Hash != all.Hash || rest.Hash != "" {
			t.Errorf("%d %d %q %+v", len(p.Lines), len(rest.Lines), rest.Next, p.Summary)
		}
	})
}

// The guard judges a going live as a whole: what it would hold is held whole, although each part by itself would pass, and is released as any hold.
func TestGoingLiveIsHeldWhole(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		const all, moving = 510, 140 // the limit is 102, a part 100
		var changes, push []directory.Change
		okta := w.newSource("okta", true)
		for i := range all {
			r := w.record(fmt.Sprintf("hr%03d", i), "dept=R&D")
			r.EmployeeNumber = fmt.Sprint(i)
			changes = append(changes, directory.PutRecord{Record: r})
			if r.Source, r.Key, r.Department = okta.ID, "", "Sales"; i < moving {
				push = append(push, directory.CreateRecord{Record: r})
			}
		}
		records := w.apply(changes...).Records
		_, err := w.people.Apply(ctx, directory.Cause{Source: okta.ID}, push...)
		w.ok(err)
		p := w.preview(okta, provisioning.PreviewQuery{})
		if !p.Summary.Verdict.Held() || p.Summary.Lost != moving || p.Summary.Gained != moving {
			t.Fatalf("%+v", p.Summary)
		}
		w.ok(w.r.GoLive(ctx, directory.Cause{Actor: "tester"}, okta.ID, p.Hash))
		held := 0
		for _, r := range records[:moving] {
			if w.places(r.Person) == "apollo:participant! everybody:participant sales:participant" {
				held++
			}
		}
		if held != moving {
			t.Errorf("%d of %d are held", held, moving)
		}
		for _, h := range w.holds("open") {
			_, err := w.r.Release(ctx, directory.Cause{Actor: "tester"}, h.ID)
			w.ok(err)
		}
		w.want("released", w.places(records[0].Person), "everybody:participant sales:participant")
	})
}

// cut ends the process, as it were, after so many settled parts.
type cut struct {
	directory.Access
	after int
}

func (c *cut) Settle(ctx2 context.Context, cause directory.Cause, people []id.Person, rev int64) error {
	if c.after--; c.after < 0 {
		panic("killed")
	}
	return c.Access.Settle(ctx2, cause, people, rev)
}

// A process that ends while a source goes live leaves the rest to whoever tends; it ends in what one go would have done.
func TestTendFinishesGoingLive(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		okta := w.newSource("okta", true)
		var push []directory.Change
		for i := range 350 {
			r := w.record(fmt.Sprintf("p%03d", i), "dept=R&D")
			r.Source, r.Key = okta.ID, ""
			push = append(push, directory.CreateRecord{Record: r})
		}
		_, err := w.people.Apply(ctx, directory.Cause{Source: okta.ID}, push...)
		w.ok(err)
		p := w.preview(okta, provisioning.PreviewQuery{Limit: 1000})
		w.people.Access = &cut{w.r, 2}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("it did not end")
				}
			}()
			w.ok(w.r.GoLive(ctx, directory.Cause{Actor: "tester"}, okta.ID, p.Hash))
		}()
		w.people.Access = w.r
		src, err := w.people.SourceByID(ctx, okta.ID)
		w.ok(err)
		w.want("mode", string(src.Mode), "going_live")
		if err := w.r.GoLive(ctx, directory.Cause{}, okta.ID, "other"); !errors.Is(err, provisioning.ErrDrift) {
			t.Errorf("%v", err)
		}
		w.ok(w.r.Tend(ctx))
		src, err = w.people.SourceByID(ctx, okta.ID)
		w.ok(err)
		w.want("mode", string(src.Mode), "live")
		_, err = w.r.ReconcileAll(ctx) // whom the killed part had placed and not settled is the follower's
		w.ok(err)
		for _, line := range p.Lines {
			if w.places(line.Person) != "apollo:participant everybody:participant" {
				t.Fatalf("%s: %s", line.UserName, w.places(line.Person))
			}
		}
		w.ok(w.r.GoLive(ctx, directory.Cause{}, okta.ID, p.Hash))
	})
}

// A dry run taken live ends as the same calls to a source that was live from the beginning.
func TestGoingLiveEqualsBeingLive(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		play := func(name string, dry bool) string {
			number := func(n string) string { return name + n }
			for n, facts := range map[string]string{"1": "dept=R&D", "2": "dept=Sales title=Head", "3": "dept=R&D type=vendor", "4": "dept=R&D"} {
				w.hire(number(n), facts)
			}
			s := w.newSource(name, dry)
			links := map[string]id.Link{}
			for _, p := range []struct{ key, number, facts string }{{"a", "1", "dept=Sales"}, {"b", "2", "active=false"}, {"c", "3", "dept=R&D title=Head"},
				{"d", "", "dept=R&D start=48h"}, {"e", "", "type=vendor"}, {"f", "99", "dept=Sales"}, {"g", "", "dept=R&D active=false"}, {"h", "4", ""}} {
				r := w.push(s, name+p.key, map[bool]string{true: number(p.number)}[p.number != ""], p.facts)
				links[p.key] = r.Link
			}
			edit := func(key string, fn func(*directory.Record)) {
				_, err := w.people.Apply(ctx, directory.Cause{Source: s.ID}, directory.EditRecord{Source: s.ID, Link: links[key], Edit: func(r *directory.Record) error { fn(r); return nil }})
				w.ok(err)
			}
			edit("e", func(r *directory.Record) { r.ManagerKey = string(links["a"]) })
			edit("f", func(r *directory.Record) { r.Department, r.ManagerKey = "R&D", string(links["d"]) })
			edit("h", func(r *directory.Record) { r.EndAt = w.clock().AddDate(0, 0, 30) })
			edit("g", func(r *directory.Record) { r.Active = true })
			if dry {
				w.golive(s)
			}
			var out []string
			for key, link := range links {
				r, err := w.people.Record(ctx, s.ID, link)
				w.ok(err)
				p, err := w.people.Person(ctx, r.Person)
				w.ok(err)
				freezes, err := w.people.Freezes(ctx, r.Person)
				w.ok(err)
				line := fmt.Sprintf("%s v%d %s %s|%s|%s|%v %s", key, r.Version, p.Department, p.Title, w.places(r.Person), w.sees(r.Person), p.Manager != "", p.Status)
				for _, f := range freezes {
					if f.LiftedAt.IsZero() {
						line += fmt.Sprintf(" %s %v %v", f.Cause, f.From, f.Until)
					}
				}
				out = append(out, line)
			}
			slices.Sort(out)
			return strings.Join(out, "\n")
		}
		if live, dry := play("live", false), play("dry", true); live != dry {
			t.Errorf("live\n%s\nafter a dry run\n%s", live, dry)
		}
	})
}

// BenchmarkPreview previews 20,000 staged people, half of whom join, and takes them live.
func BenchmarkPreview(b *testing.B) {
	for _, engine := range []func(testing.TB) *db.DB{sqlite} {
		w := newWorld(b, engine(b))
		w.policy(policyText)
		const people = 20000
		send := func(s directory.Source, from, to int, dept string, scim bool) {
			for at := from; at < to; at += 500 {
				var changes []directory.Change
				for i := at; i < min(at+500, to); i++ {
					r := w.record(fmt.Sprint(s.Name, i), "dept="+dept)
					r.Source, r.EmployeeNumber, r.Emails = s.ID, fmt.Sprint(i), []directory.Email{{Value: fmt.Sprint("p", i, "@corp.example")}}
					if scim {
						r.Key = ""
						changes = append(changes, directory.CreateRecord{Record: r})
					} else {
						changes = append(changes, directory.PutRecord{Record: r})
					}
				}
				_, err := w.people.Apply(ctx, directory.Cause{Source: s.ID}, changes...)
				w.ok(err)
			}
		}
		send(w.source, 0, people/2, "R&D", false)
		okta := w.newSource("okta", true)
		send(okta, 0, people, "R&D", true)
		var p *provisioning.Preview
		b.Run("preview", func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				began := cpu(b)
				p = w.preview(okta, provisioning.PreviewQuery{Limit: 50})
				b.ReportMetric(float64((cpu(b) - began).Milliseconds()), "cpu-ms/op")
				runtime.ReadMemStats(&after)
				b.ReportMetric(max(0, float64(after.HeapSys)-float64(before.HeapSys))/1e6, "heap-grown-MB")
			}
		})
		b.Run("page", func(b *testing.B) {
			for b.Loop() {
				w.preview(okta, provisioning.PreviewQuery{Limit: 50, After: p.Next})
			}
		})
		b.Run("live", func(b *testing.B) {
			for b.Loop() {
				began := cpu(b)
				w.ok(w.r.GoLive(ctx, directory.Cause{}, okta.ID, p.Hash))
				b.ReportMetric(float64((cpu(b) - began).Milliseconds()), "cpu-ms/op")
			}
		})
	}
}

// cpu answers the processor time of this process: what the machine does besides does not count.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
