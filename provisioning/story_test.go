package provisioning_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

// A joiner is, when the call returns, in exactly the groups of the rules that match, and each place says which rule.
//
// holds: J01
func TestJoinerHasTheirPlacesWhenTheCallReturns(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		p := w.put("ada", "dept=R&D title=Head")
		w.want("places", w.places(p), "apollo:owner everybody:participant")
		w.want("sees", w.sees(p), "apollo/general apollo/leads everybody/news")
		list, err := w.r.MembershipsOf(ctx, p)
		w.ok(err)
		var reasons []string
		for _, m := range list {
			for _, r := range m.Reasons {
				reasons = append(reasons, r.String())
			}
		}
		slices.Sort(reasons)
		w.want("reasons", strings.Join(reasons, ", "), "rule apollo/heads@1, rule apollo/rnd@1, rule everybody/staff@1")
		v := w.put("vera", "type=vendor")
		w.want("vendor", w.places(v)+" "+w.sees(v), "everybody:vendor everybody/news")
		if ok, from := w.index.Allow(v, w.channel("everybody", "news").ID, authz.View); !ok || from.IsZero() {
			w.Errorf("people from outside see from joining only: %v %v", ok, from)
		}
		if ok, _ := w.index.Allow(p, w.channel("everybody", "news").ID, authz.Post); ok {
			w.Error("a reader may post")
		}
	})
}

// The manager arrives after the person; then rules on the manager apply, without a failure before.
//
// holds: J05
func TestManagerArrivesLater(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		p := w.put("ada", "dept=Sales manager=boss")
		w.want("before", w.places(p), "everybody:participant sales:participant")
		w.put("boss", "dept=Sales")
		w.want("after", w.places(p), "everybody:participant reports:collaborator sales:participant")
	})
}

// A mover loses the old and gains the new in one commit; what no rule gave stays.
//
// holds: J07
func TestMover(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		p, q := w.put("ada", "dept=R&D"), w.put("bob", "dept=R&D")
		dm, err := w.r.DirectChannel(ctx, directory.Cause{}, p, q)
		w.ok(err)
		rev, head := w.revision(), w.head()
		w.put("ada", "dept=Sales")
		w.want("places", w.places(p), "everybody:participant sales:participant")
		w.want("sees", w.sees(p), "sales/general everybody/news")
		if got := w.revision(); got != rev+1 {
			w.Errorf("the move is %d revisions", got-rev)
		}
		w.want("events", fmt.Sprint(w.events(head)), "[membership.added participant membership.removed participant]")
		if ok, _ := w.index.Allow(p, dm.ID, authz.Post); !ok {
			w.Error("the direct channel went with the move")
		}
		places, err := w.r.ChannelsOf(ctx, p)
		w.ok(err)
		if len(places) != 3 || places[2].Channel.ID != dm.ID || !slices.Contains(places[2].Channel.People, q) {
			w.Errorf("channels %+v", places)
		}
	})
}

// Moving there and back leaves the state of the start, with no place twice.
//
// holds: J10
func TestMoveAndBack(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		p := w.put("ada", "dept=R&D")
		before := w.sees(p)
		w.put("ada", "dept=Sales")
		w.put("ada", "dept=R&D")
		w.want("sees", w.sees(p), before)
		w.want("places", w.places(p), "apollo:participant everybody:participant")
		w.untouched("saying it again", func() { w.put("ada", "dept=R&D") })
	})
}

// Deactivation denies everything when the call returns, and takes nothing away; back, everything is as it was.
//
// holds: J15
func TestLeaverIsFrozenAndLosesNothing(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		p := w.put("ada", "dept=R&D")
		before := w.count()["memberships"]
		w.put("ada", "dept=R&D active=false")
		w.want("sees", w.sees(p), "")
		if !w.index.Frozen(p) {
			w.Error("not frozen")
		}
		w.want("places", w.places(p), "apollo:participant everybody:participant")
		w.untouched("the same call again", func() { w.put("ada", "dept=R&D active=false") })
		list, err := w.r.MembershipsOf(ctx, p)
		w.ok(err)
		for _, m := range list {
			if !m.Suspended {
				w.Errorf("%s is not shown as suspended", m.Of.Key)
			}
		}
		w.put("ada", "dept=R&D")
		w.want("back", w.sees(p), "apollo/general everybody/news")
		if got := w.count()["memberships"]; got != before {
			w.Errorf("%d memberships, before %d", got, before)
		}
		if n := w.count()["fences"]; n != 0 {
			w.Errorf("%d fences stand", n)
		}
	})
}

// Who moved while frozen comes back to the new places: memberships are right before the freeze is lifted, in one revision.
func TestUnfreezeReconcilesFirst(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		p := w.put("ada", "dept=R&D")
		w.put("ada", "dept=R&D active=false")
		rev := w.revision()
		w.put("ada", "dept=Sales")
		w.want("sees", w.sees(p), "sales/general everybody/news")
		var revisions int
		w.ok(w.db.Read(ctx).Raw("select count(distinct seq) from authz_log where seq > ?", rev).Scan(&revisions).Error)
		if revisions != 1 {
			w.Errorf("new places and the end of the freeze are %d revisions", revisions)
		}
	})
}

// A pending person has their places already and gets in at the instant, without any call.
func TestPendingPerson(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		p := w.put("ada", "dept=R&D start=48h")
		w.want("places", w.places(p), "apollo:participant everybody:participant")
		w.want("before", w.sees(p), "")
		w.pass(48*time.Hour + time.Second)
		w.ok(w.index.CatchUp(ctx, 0))
		w.want("at the instant", w.sees(p), "apollo/general everybody/news")
	})
}

// After a deletion and its clean-up a rehire is the same person with the places of today's rules.
//
// holds: J26
func TestRehire(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		p := w.put("ada", "dept=R&D")
		w.apply(directory.DeleteRecord{Source: w.source.ID, Key: "ada"})
		w.want("gone", w.places(p)+w.sees(p), "")
		w.pass(180 * 24 * time.Hour)
		if again := w.put("ada", "dept=Sales"); again != p {
			w.Fatalf("another person: %s, was %s", again, p)
		}
		w.want("back", w.places(p), "everybody:participant sales:participant")
		w.want("sees", w.sees(p), "sales/general everybody/news")
		var cause string
		w.ok(w.db.Read(ctx).Raw("select end_cause from memberships where person = ? and ended_at is not null limit 1", p).Scan(&cause).Error)
		w.want("cause", cause, "cleanup")
	})
}

// A source that suddenly misses most of its people takes nothing away: the whole batch is held, and the next good
// reading clears it by itself.
//
// holds: J34
func TestAbsenceIsHeld(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		people := w.putMany(30, "p", "dept=R&D")
		var keys []string
		for i := range 12 {
			keys = append(keys, fmt.Sprintf("p%03d", i))
		}
		before := w.sees(people[0])
		w.absent(keys...)
		w.want("sees", w.sees(people[0]), before)
		w.want("held", w.places(people[0]), "apollo:participant! everybody:participant!")
		open := w.holds(provisioning.HoldOpen)
		if len(open) != 1 || len(open[0].Removals) != 24 || open[0].Breach.Cause != provisioning.CauseAbsence || open[0].Breach.Source != w.source.ID || open[0].Breach.People != 12 {
			w.Fatalf("holds: %+v", open)
		}
		w.untouched("the follower", func() { w.follow() })
		w.untouched("looking at one of them alone", func() { _, err := w.r.Reconcile(ctx, directory.Cause{}, people[:1]); w.ok(err) })
		w.pass(25 * time.Hour)
		w.untouched("a day later", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err) })
		w.putMany(30, "p", "dept=R&D")
		w.want("cleared", w.places(people[0]), "apollo:participant everybody:participant")
		if h := w.holds(""); len(h) != 1 || h[0].State != provisioning.HoldVanished {
			w.Errorf("holds: %+v", h)
		}
	})
}

// A few who are missing are let go; of more than the limit over a day the rest is held, one by one too.
func TestAbsenceDropByDrop(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		people := w.putMany(15, "p", "dept=R&D")
		for i := range 11 {
			w.absent(fmt.Sprintf("p%03d", i))
		}
		w.want("tenth", w.places(people[9]), "")
		w.want("eleventh", w.places(people[10]), "apollo:participant! everybody:participant!")
	})
}

// follow gives the follower everything since the beginning.
func (w *world) follow() {
	w.Helper()
	for after := int64(0); ; {
		events, err := w.feed.After(ctx, after, 200)
		w.ok(err)
		if len(events) == 0 {
			return
		}
		w.ok(w.r.Follower().Handle(ctx, events))
		after = events[len(events)-1].Seq
	}
}

// A second run of anything writes nothing: not the policy, not the sources, not the follower.
//
// holds: J39
func TestSecondRunWritesNothing(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.putMany(150, "r", "dept=R&D")
		w.putMany(20, "s", "dept=Sales title=Head")
		w.put("v", "type=vendor")
		w.put("f", "dept=R&D active=false")
		w.untouched("the sources", func() {
			w.putMany(150, "r", "dept=R&D")
			w.putMany(20, "s", "dept=Sales title=Head")
			w.put("f", "dept=R&D active=false")
		})
		w.untouched("reconciling everybody", func() {
			result, err := w.r.ReconcileAll(ctx)
			w.ok(err)
			if result.Written != 0 {
				w.Errorf("%+v", result)
			}
		})
		w.untouched("the follower", w.follow)
		w.untouched("tending", func() { w.ok(w.r.Tend(ctx)) })
		w.untouched("the same policy", func() { w.policy(policyText) })
	})
}

// Any order of the same facts leads to the same places.
func TestOrderOfEventsDoesNotMatter(t *testing.T) {
	w := newWorld(t, sqlite(t))
	w.policy(policyText)
	steps := []func(key string){
		func(key string) { w.put("boss-"+key, "dept=Sales") },
		func(key string) { w.put(key, "dept=R&D manager=boss-"+key) },
		func(key string) { w.put("peer-"+key, "dept=R&D title=Head") },
	}
	for i, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		key := fmt.Sprint("k", i)
		for _, n := range order {
			steps[n](key)
		}
		w.want(fmt.Sprint(order), w.places(w.put(key, "dept=R&D manager=boss-"+key)), "apollo:participant everybody:participant reports:collaborator")
	}
	w.sound()
}

func TestDirectChannels(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		a, b, c := w.put("ada", "dept=R&D"), w.put("bob", "dept=Sales"), w.put("cleo", "dept=R&D")
		first, err := w.r.DirectChannel(ctx, directory.Cause{Actor: string(a)}, a, b)
		w.ok(err)
		again, err := w.r.DirectChannel(ctx, directory.Cause{}, b, a)
		w.ok(err)
		w.want("the same channel", string(again.ID), string(first.ID))
		for p, want := range map[id.Person]bool{a: true, b: true, c: false} {
			if ok, _ := w.index.Allow(p, first.ID, authz.Post); ok != want {
				w.Errorf("%s may post: %v", p, ok)
			}
		}
		w.put("bob", "dept=Sales active=false")
		if ok, _ := w.index.Allow(b, first.ID, authz.View); ok {
			w.Error("a frozen person sees a direct channel")
		}
		entries, more, err := w.r.Audience(ctx, first.ID, "", 50)
		w.ok(err)
		if len(entries) != 2 || more || entries[0].Name == "" || entries[0].Membership.Role != policies.Participant {
			w.Errorf("audience %+v", entries)
		}
		for _, pair := range [][2]id.Person{{a, a}, {a, "per_nobody"}} {
			if _, err := w.r.DirectChannel(ctx, directory.Cause{}, pair[0], pair[1]); err == nil {
				w.Errorf("a channel between %v", pair)
			}
		}
	})
}
