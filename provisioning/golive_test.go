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
