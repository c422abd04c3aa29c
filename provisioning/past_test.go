package provisioning_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// logged is a line of the relations' log as it stands in the database.
type logged struct {
	Seq                           int64
	Op, UserRef, Relation, Object string
	ValidFrom, ValidUntil, At     *int64
}

// couldSee is a small evaluator of its own: it plays the log back line by line and says whether somebody could see a channel at an instant.
func couldSee(log []logged, person id.Person, channel id.Channel, at time.Time) bool {
	now := at.UnixMicro()
	stands := map[string]map[string]map[string]bool{} // object, relation, user
	for _, l := range log {
		if *l.At > now {
			continue
		}
		if stands[l.Object] == nil {
			stands[l.Object] = map[string]map[string]bool{}
		}
		if stands[l.Object][l.Relation] == nil {
			stands[l.Object][l.Relation] = map[string]bool{}
		}
		delete(stands[l.Object][l.Relation], l.UserRef)
		if l.Op == "write" {
			stands[l.Object][l.Relation][l.UserRef] = (l.ValidFrom == nil || *l.ValidFrom <= now) && (l.ValidUntil == nil || now < *l.ValidUntil)
		}
	}
	me := "user:" + string(person)
	for object, relations := range stands {
		if strings.HasPrefix(object, "freeze:") && relations["subject"][me] && stands["org:main"]["frozen"][object+"#subject"] {
			return false
		}
	}
	for _, relation := range []string{"reader", "writer", "manager"} {
		for user, open := range stands["channel:"+string(channel)][relation] {
			object, role, set := strings.Cut(user, "#")
			if open && (user == me || set && stands[object][role][me]) {
				return true
			}
		}
	}
	return false
}

func (w *world) log() []logged {
	var rows []logged
	w.ok(w.db.Read(ctx).Raw("select seq, op, user_ref, relation, object, valid_from, valid_until, at from authz_log order by seq, n").Scan(&rows).Error)
	return rows
}

// seen is what was decided at an instant, noted when it was the present.
type seen struct {
	at      time.Time
	allowed map[string]bool
}

// Whatever happens, who could see a channel at an instant is later said to be exactly who could: as the index decided then, as a second
// evaluator finds that plays the log of relations back by itself, and as a third one reads out of the audit log alone.
func TestPastIsWhatWas(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.policy(policyText)
		channels := map[string]id.Channel{}
		people := map[string]id.Person{}
		w.pass(time.Minute)
		steps := 0
		rapid.Check(t, func(t *rapid.T) {
			if steps++; steps > 12 { // one history, which the draws lengthen
				return
			}
			var noted []seen
			for range rapid.IntRange(2, 6).Draw(t, "events") {
				key := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "who")
				switch rapid.IntRange(0, 5).Draw(t, "what") {
				case 0:
					people[key] = w.put(key, "dept=R&D title=Head")
				case 1:
					people[key] = w.put(key, "dept=Sales active=false")
				case 2:
					people[key] = w.put(key, "dept=Sales type=vendor")
				case 3:
					people[key] = w.put(key, "dept=R&D start="+rapid.SampledFrom([]string{"90s", "-90s"}).Draw(t, "start"))
				case 4:
					w.policy(strings.Replace(policyText, "access: {participant: none, collaborator: none}", "access: {participant: read, collaborator: none}", 1))
				case 5:
					w.policy(policyText)
				}
				groups, err := w.r.Groups(ctx)
				w.ok(err)
				for _, g := range groups {
					for _, c := range g.Channels {
						channels[g.Key+"/"+c.Key] = c.ID
					}
				}
				now := seen{at: w.clock(), allowed: map[string]bool{}}
				w.ok(w.index.CatchUp(ctx, 0))
				for _, p := range people {
					for name, c := range channels {
						now.allowed[string(p)+" "+name], _ = w.index.Allow(p, c, authz.View)
					}
				}
				noted = append(noted, now)
				w.pass(time.Duration(rapid.IntRange(1, 100).Draw(t, "seconds")) * time.Second)
			}
			log, trail := w.log(), w.auditLog()
			for _, then := range noted {
				told := w.replay(trail, then.at)
				for name, c := range channels {
					list, err := w.r.AudienceAt(ctx, c, then.at, "", 1000)
					w.ok(err)
					var saw []id.Person
					for _, e := range list.Entries {
						saw = append(saw, e.Person)
						if e.Access == "" || e.Revision == 0 || e.Revision > list.Revision || len(e.Reasons) == 0 || e.Since.After(then.at) {
							t.Errorf("%s at %s: no evidence: %+v", name, then.at, e)
						}
					}
					for _, p := range people {
						was, known := then.allowed[string(p)+" "+name]
						if !known {
							continue
						}
						if got := slices.Contains(saw, p); got != was {
							t.Errorf("%s in %s at %s: is said %v, was %v", p, name, then.at, got, was)
						}
						if got := couldSee(log, p, c, then.at); got != was {
							t.Errorf("%s in %s at %s: the log says %v, was %v", p, name, then.at, got, was)
						}
						if got := told.sees(p, name); got != was {
							t.Errorf("%s in %s at %s: the audit log says %v, was %v", p, name, then.at, got, was)
						}
						e, err := w.r.ExplainAt(ctx, p, c, then.at)
						w.ok(err)
						if e.Allowed != was || e.Allowed && len(e.Path) == 0 || e.Allowed == (len(e.Missing) > 0) {
							t.Errorf("%s in %s at %s: explained as %v: %+v, was %v", p, name, then.at, e.Allowed, e, was)
						}
					}
				}
			}
		})
		w.sound()
	})
}

// What is planned is part of the answer about an instant to come, and comes true.
func TestFutureIsWhatIsPlanned(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		starter := w.put("new", "dept=R&D start=48h")
		stays := w.put("old", "dept=R&D")
		general := w.channel("apollo", "general").ID
		says := func(at time.Time) string {
			list, err := w.r.AudienceAt(ctx, general, at, "", 10)
			w.ok(err)
			var out []string
			for _, e := range list.Entries {
				out = append(out, fmt.Sprint(map[id.Person]string{starter: "new", stays: "old"}[e.Person], " ", e.Role, " ", len(e.Reasons)))
			}
			slices.Sort(out)
			return strings.Join(out, ", ")
		}
		before, after := w.clock().Add(47*time.Hour), w.clock().Add(49*time.Hour)
		w.want("an hour before", says(before), "old participant 1")
		w.want("an hour after", says(after), "new participant 1, old participant 1")
		e, err := w.r.ExplainAt(ctx, starter, general, before)
		w.ok(err)
		if e.Allowed || !slices.ContainsFunc(e.Missing, func(l provisioning.Line) bool { return l.Kind == "freeze" || l.Kind == "reason" }) {
			t.Errorf("an hour before: %+v", e)
		}
		w.pass(48*time.Hour + time.Minute)
		w.ok(w.r.Tend(ctx))
		w.want("by then", says(w.clock()), "new participant 1, old participant 1")
		w.want("and it saw", w.sees(starter), "apollo/general everybody/news")
		w.want("still of before", says(before), "old participant 1")
	})
}
