package provisioning_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

var admin = directory.Cause{Actor: "admin", Reason: "the mapping was wrong"}

// burst makes a company of forty of whom the source takes the first n away, one call each, and answers all and the hold.
func (w *world) burst(n int, take func(key string)) ([]id.Person, provisioning.Hold) {
	w.Helper()
	w.policy(policyText)
	people := w.putMany(40, "p", "dept=R&D")
	w.pass(time.Minute)
	for i := range n {
		take(fmt.Sprintf("p%03d", i))
		w.want("frozen when the call returns", w.sees(people[i]), "")
	}
	w.ok(w.r.Notice(ctx, w.source.ID))
	return people, w.onlyBurst()
}

func (w *world) onlyBurst() provisioning.Hold {
	w.Helper()
	open := slices.DeleteFunc(w.holds(provisioning.HoldOpen), func(h provisioning.Hold) bool { return h.Breach.Cause != provisioning.CauseBurst })
	if len(open) != 1 {
		w.Fatalf("bursts: %+v", open)
	}
	return open[0]
}

func (w *world) disable(key string) { w.put(key, "dept=R&D active=false") }
func (w *world) delete(key string) {
	w.apply(directory.DeleteRecord{Source: w.source.ID, Key: key})
}

const everything = "apollo:participant everybody:participant"
const sight = "apollo/general everybody/news"

// Eleven of forty are disabled: nobody keeps access for it, the guard asks, and one call brings everybody back to what they had.
//
// holds: J35
func TestBurstIsRestored(t *testing.T) {
	both(t, func(w *world) {
		people, hold := w.burst(11, w.disable)
		if hold.Breach.People != 11 || hold.Breach.Limit != 10 || hold.Breach.Of != 40 || hold.Breach.Source != w.source.ID || len(hold.Freezes) != 11 {
			t.Errorf("hold %+v", hold)
		}
		w.disable("p011")
		w.ok(w.r.Notice(ctx, w.source.ID))
		if hold = w.onlyBurst(); len(hold.Freezes) != 12 || hold.Freezes[11].Person != people[11] {
			t.Errorf("the twelfth did not join: %+v", hold.Freezes)
		}
		w.want("kept", w.places(people[3]), everything)
		_, err := w.people.Apply(ctx, admin, directory.FreezePerson{Person: people[5], Veto: true})
		w.ok(err)
		before := w.content()["memberships"]

		done, err := w.r.Restore(ctx, admin, hold.ID, nil)
		w.ok(err)
		if len(done.People) != 12 || len(done.Skipped) != 0 || !slices.Equal(done.Frozen, []id.Person{people[5]}) || !done.Until.Equal(w.clock().Truncate(time.Microsecond).Add(provisioning.KeepFor)) {
			t.Errorf("restored %+v", done)
		}
		w.want("sees again", w.sees(people[3]), sight)
		w.want("a veto stays", w.sees(people[5]), "")
		if after := w.content()["memberships"]; after != before {
			t.Errorf("memberships were %s, are %s", before, after)
		}
		h, err := w.r.Hold(ctx, hold.ID)
		w.ok(err)
		if h.State != provisioning.HoldRejected || h.ClosedBy != "admin" || h.Freezes[0].Outcome != provisioning.FreezeRestored {
			t.Errorf("hold %+v", h)
		}
		if _, err := w.r.Restore(ctx, admin, hold.ID, nil); !errors.Is(err, provisioning.ErrClosed) {
			t.Errorf("twice: %v", err)
		}
		w.untouched("the same word again", func() {
			w.disable("p003")
			w.ok(w.r.Notice(ctx, w.source.ID))
			_, err := w.r.ReconcileAll(ctx)
			w.ok(err)
		})
		w.put("p003", "dept=R&D title=Head active=false")
		w.want("another attribute, the same word", w.sees(people[3]), "apollo/general apollo/leads everybody/news")
		w.put("p003", "dept=R&D")
		w.disable("p003")
		w.want("a new word", w.sees(people[3]), "")

		w.pass(provisioning.KeepFor + time.Second)
		w.ok(w.index.CatchUp(ctx, 0))
		w.want("at the end it applies by itself", w.sees(people[4]), "")
		w.want("what was taken was access only", w.places(people[4]), everything)
		w.ok(w.r.Notice(ctx, w.source.ID))
		if open := w.holds(provisioning.HoldOpen); len(open) != 0 {
			t.Errorf("an end is no burst: %+v", open)
		}
		w.put("p004", "dept=R&D")
		w.want("the source itself", w.sees(people[4]), sight)
	})
}

// Of twelve who were deleted ten were cleaned up and two were held; all have their places again, the very same ones.
func TestDeletionsAreRestored(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.put("p003", "dept=R&D title=Head")
		before := ""
		var head id.Person
		people, hold := w.burst(12, func(key string) {
			if before == "" {
				head = w.put("p003", "dept=R&D title=Head")
				before = w.placesByID()
			}
			w.delete(key)
		})
		w.want("cleaned up", w.places(people[0]), "")
		w.want("held", w.places(people[11]), "apollo:participant! everybody:participant!")
		if len(hold.Removals) != 4 {
			t.Errorf("the burst shows %d held removals", len(hold.Removals))
		}
		done, err := w.r.Restore(ctx, admin, hold.ID, people[:2])
		w.ok(err)
		if len(done.People) != 2 || done.Memberships != 4 {
			t.Errorf("restored %+v", done)
		}
		w.want("one of two", w.sees(people[1]), sight)
		w.want("not chosen", w.sees(people[2]), "")
		if _, err := w.r.Restore(ctx, admin, hold.ID, people[30:31]); !errors.Is(err, provisioning.ErrNotFound) {
			t.Errorf("somebody else: %v", err)
		}
		_, err = w.r.Reject(ctx, admin, hold.ID) // the other word for it
		w.ok(err)
		w.want("everybody is as before", w.placesByID(), before)
		w.want("the head", w.sees(head), "apollo/general apollo/leads everybody/news")
		w.want("held ones too", w.sees(people[11]), sight)
		if open := w.holds(provisioning.HoldOpen); len(open) != 0 {
			t.Errorf("open: %+v", open)
		}
		p, err := w.people.Person(ctx, people[1])
		w.ok(err)
		if p.Status != directory.StatusActive || !p.EndsAt.IsZero() || p.Frozen {
			t.Errorf("person %+v", p)
		}
		active, err := w.people.People(ctx, directory.Query{Status: directory.StatusActive, Limit: 200})
		w.ok(err)
		if len(active.People) != 40 {
			t.Errorf("%d people work here", len(active.People))
		}
		w.untouched("looking again", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err); w.ok(w.r.Tend(ctx)) })

		w.pass(provisioning.KeepFor + time.Second)
		w.ok(w.index.CatchUp(ctx, 0))
		w.want("at the end", w.sees(people[1]), "")
		if p, err = w.people.Person(ctx, people[1]); err != nil || p.Status != directory.StatusTerminated {
			t.Errorf("%v %+v", err, p)
		}
		w.catch()
		if open := w.holds(provisioning.HoldOpen); len(open) != 1 || len(open[0].Removals) == 0 {
			t.Errorf("the guard is asked anew: %+v", open)
		}
		w.put("p001", "dept=R&D")
		w.want("the source has the record again", w.sees(people[1])+" "+w.places(people[1]), sight+" "+everything)
	})
}

// placesByID says what everybody has, in full: the id, role and beginning of each place.
func (w *world) placesByID() string {
	w.Helper()
	var rows []struct {
		ID, Person, GroupID, Role string
		Since                     int64
	}
	w.ok(w.db.Read(ctx).Raw("select id, person, group_id, role, since from memberships where ended_at is null order by id").Scan(&rows).Error)
	return fmt.Sprint(rows)
}

func TestBurstIsConfirmed(t *testing.T) {
	both(t, func(w *world) {
		people, hold := w.burst(12, w.delete)
		other := w.put("late", "dept=R&D")
		w.pass(time.Second)
		w.delete("late")
		w.want("still held", w.places(other), "apollo:participant! everybody:participant!")
		result, err := w.r.Release(ctx, admin, hold.ID)
		w.ok(err)
		if result.Written != 4 {
			t.Errorf("result %+v", result)
		}
		w.want("gone", w.places(people[11]), "")
		w.want("not of this burst", w.places(other), "apollo:participant! everybody:participant!")
		h, err := w.r.Hold(ctx, hold.ID)
		w.ok(err)
		if h.State != provisioning.HoldReleased || h.ClosedBy != "admin" || h.Freezes[0].Outcome != provisioning.FreezeConfirmed {
			t.Errorf("hold %+v", h)
		}
		w.ok(w.r.Notice(ctx, w.source.ID))
		for _, h := range w.holds(provisioning.HoldOpen) {
			if h.Breach.Cause == provisioning.CauseBurst {
				t.Errorf("what was confirmed counts again: %+v", h)
			}
		}
		done, err := w.r.Restore(ctx, admin, hold.ID, nil) // on second thoughts
		w.ok(err)
		if len(done.People) != 12 {
			t.Errorf("restored %+v", done)
		}
		w.want("back all the same", w.places(people[11])+" "+w.sees(people[11]), everything+" "+sight)
	})
}

// Whom the source enables again needs nobody's decision.
func TestBurstVanishes(t *testing.T) {
	both(t, func(w *world) {
		people, hold := w.burst(11, w.disable)
		for i := range 11 {
			w.put(fmt.Sprintf("p%03d", i), "dept=R&D")
		}
		w.ok(w.r.Notice(ctx, w.source.ID))
		h, err := w.r.Hold(ctx, hold.ID)
		w.ok(err)
		if h.State != provisioning.HoldVanished || h.Freezes[2].Outcome != provisioning.FreezeLifted {
			t.Errorf("hold %+v", h)
		}
		w.want("sees", w.sees(people[3]), sight)
	})
}

// New accounts that arrive disabled took nothing from anybody, and neither did a flapping one that is back.
func TestNoBurst(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.putMany(40, "p", "dept=R&D")
		w.putMany(15, "new", "dept=R&D active=false")
		w.pass(time.Minute)
		for i := range 20 {
			w.disable(fmt.Sprintf("p%03d", i))
			if i >= 10 {
				w.put(fmt.Sprintf("p%03d", i), "dept=R&D")
			}
		}
		w.ok(w.r.Notice(ctx, w.source.ID))
		if open := w.holds(""); len(open) != 0 {
			t.Errorf("holds %+v", open)
		}
	})
}

// A single mistaken termination is undone the same way; another freeze of the same person is not touched.
//
// holds: J22
func TestOnePersonIsRestored(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.putMany(5, "p", "dept=R&D")
		p := w.put("ada", "dept=R&D title=Head")
		before := w.placesByID()
		w.pass(time.Hour)
		w.delete("ada")
		w.want("gone", w.places(p)+w.sees(p), "")
		rev := w.revision()
		done, err := w.r.RestorePerson(ctx, admin, p, w.freezeOf(p).ID)
		w.ok(err)
		if !slices.Equal(done.People, []id.Person{p}) || done.Memberships != 2 {
			t.Errorf("restored %+v", done)
		}
		w.want("as before", w.placesByID(), before)
		w.want("sees", w.sees(p), "apollo/general apollo/leads everybody/news")
		var last string
		w.ok(w.db.Read(ctx).Raw("select object from authz_log where seq > ? order by seq desc, n desc limit 1", rev).Scan(&last).Error)
		f := w.freezeOf(p)
		w.want("the freeze moved last", last, "freeze:"+f.Slot)
		if f.Actor != "admin" || f.Reason != admin.Reason || !f.UndoneAt(w.clock()) || f.From != done.Until {
			t.Errorf("freeze %+v", f)
		}
		for what, freeze := range map[string]id.Freeze{"unknown": "frz_none", "another person's": w.frozenElse()} {
			if _, err := w.r.RestorePerson(ctx, admin, p, freeze); !errors.Is(err, directory.ErrNotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err = w.people.Apply(ctx, admin, directory.FreezePerson{Person: p, Veto: true})
		w.ok(err)
		freezes, err := w.people.Freezes(ctx, p)
		w.ok(err)
		for _, f := range freezes {
			if f.Cause == directory.CauseSecurity {
				if _, err := w.r.RestorePerson(ctx, admin, p, f.ID); !errors.Is(err, directory.ErrNotUndone) || !strings.Contains(err.Error(), "/unfreeze") {
					t.Errorf("a veto: %v", err)
				}
			}
		}
		w.want("vetoed", w.sees(p), "")
	})
}

func (w *world) freezeOf(p id.Person) directory.Freeze {
	w.Helper()
	standing, err := w.people.StandingFreezes(ctx, []id.Person{p})
	w.ok(err)
	if len(standing[p]) != 1 {
		w.Fatalf("freezes: %+v", standing)
	}
	return standing[p][0]
}

func (w *world) frozenElse() id.Freeze {
	w.Helper()
	return w.freezeOf(w.put("bob", "dept=R&D active=false")).ID
}

// What somebody let through, and should not have, comes back with roles and beginnings.
//
// holds: R12
func TestReleasedRemovalsAreUndone(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.put("p003", "dept=R&D title=Head")
		people := w.putMany(30, "p", "dept=R&D")
		before := w.placesByID()
		var keys []string
		for i := range 12 {
			keys = append(keys, fmt.Sprintf("p%03d", i))
		}
		w.absent(keys...)
		hold := w.holds(provisioning.HoldOpen)[0]
		_, err := w.r.Release(ctx, admin, hold.ID)
		w.ok(err)
		w.want("released", w.places(people[1])+w.sees(people[1]), "")
		done, err := w.r.Restore(ctx, admin, hold.ID, nil)
		w.ok(err)
		if len(done.People) != 12 || done.Memberships != 24 {
			t.Errorf("restored %+v", done)
		}
		w.want("as before", w.placesByID(), before)
		w.want("sees", w.sees(people[1]), sight)
		w.untouched("looking again", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err); w.ok(w.r.Tend(ctx)) })
		w.pass(provisioning.KeepFor + time.Second)
		w.ok(w.r.Tend(ctx))
		w.want("asked anew", w.places(people[1]), "apollo:participant! everybody:participant!")
	})
}

// What was undone once ran out before anybody looked; undone again, it is what it was, also where no rule gives it any more.
func TestUndoneTwice(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText + teamText)
		p := w.put("ada", "dept=R&D")
		w.apply(directory.PutGroup{Group: directory.GroupRecord{Source: w.source.ID, Key: "team", DisplayName: "team"}, Members: []string{"ada"}})
		before := w.placesByID()
		w.delete("ada")
		for range 2 {
			_, err := w.r.RestorePerson(ctx, admin, p, w.freezeOf(p).ID)
			w.ok(err)
			w.want("as before", w.placesByID(), before)
			w.want("sees", w.sees(p), sight+" team/general")
			w.pass(provisioning.KeepFor)
			w.ok(w.index.CatchUp(ctx, 0))
			w.want("over", w.sees(p), "")
		}
	})
}
