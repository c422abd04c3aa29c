package leaving_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/leaving"
)

// office is a world with one group and who is told of it.
type office struct {
	*world
	places *leaving.Places
	rule   policies.Tell
	owners []id.Person
}

func newOffice(t testing.TB, d *db.DB, rule policies.Tell) *office {
	o := &office{world: newWorld(t, d), rule: rule}
	o.places = &leaving.Places{Directory: o.people, Now: func() time.Time { return o.now },
		Tells:  func(*db.Tx, id.Group) (policies.Tell, error) { return o.rule, nil },
		Owners: func(*db.Tx, id.Group) ([]id.Person, error) { return o.owners, nil },
		Admins: func(*db.Tx, string) ([]id.Person, error) { return o.admins, nil }}
	return o
}

func (o *office) event(kind string, subject string, data any) feed.Event {
	text, err := json.Marshal(data)
	o.ok(err)
	return feed.Event{Seq: 1, At: o.now, Kind: kind, Subject: subject, Data: text}
}

func (o *office) came(people ...id.Person) []feed.Event {
	return o.moves(provisioning.EventMembershipAdded, "rule apollo/all@1", people)
}
func (o *office) went(people ...id.Person) []feed.Event {
	return o.moves(provisioning.EventMembershipRemoved, "rule apollo/all@1", people)
}

func (o *office) moves(kind, reason string, people []id.Person) []feed.Event {
	var out []feed.Event
	for _, p := range people {
		out = append(out, o.event(kind, "mem_1", provisioning.MembershipEvent{Person: p, Group: "grp_1", Reasons: []string{reason}}))
	}
	return out
}

func (o *office) see(events ...feed.Event) {
	o.Helper()
	o.ok(o.d.Tx(ctx, func(tx *db.Tx) error { return o.places.Follower().HandleTx(ctx, tx, events) }))
}

// inbox names what somebody was told and has not read.
func (o *office) inbox(person id.Person) string {
	o.Helper()
	var kinds []string
	o.ok(o.d.Read(ctx).Raw("select kind from notices where person = ? and read_at is null order by kind", person).Scan(&kinds).Error)
	return strings.Join(kinds, " ")
}

func (o *office) want(what, got, want string) {
	o.Helper()
	if got != want {
		o.Errorf("%s: %q, want %q", what, got, want)
	}
}

// holds: J10
func TestPlacesAreTold(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d, policies.Tell{})
		boss := o.put("boss", "", nil)
		owner := o.put("owner", "", nil)
		lin := o.put("lin", "boss", nil)
		o.owners = []id.Person{owner, lin}
		o.see(o.came(lin)...)
		o.want("where nobody is named", o.inbox(lin)+o.inbox(owner)+o.inbox(boss), "")

		all := []policies.Told{policies.ToldPerson, policies.ToldOwners, policies.ToldManager}
		o.rule = policies.Tell{Joined: all, Left: all}
		o.see(o.came(lin)...)
		o.want("the person", o.inbox(lin), "place.given")
		o.want("the owner", o.inbox(owner), "place.joined")
		o.want("the manager", o.inbox(boss), "place.joined")

		// There and back: nobody who did not look hears anything of it.
		o.see(o.went(lin)...)
		o.want("gone again", o.inbox(lin)+o.inbox(owner)+o.inbox(boss), "")
		o.see(append(o.came(lin), o.went(lin)...)...)
		o.want("within one batch", o.inbox(lin)+o.inbox(owner)+o.inbox(boss), "")

		// Who has read it hears nothing more of that place on that day.
		o.see(o.came(lin)...)
		o.ok(o.d.Tx(ctx, func(tx *db.Tx) error { return tx.Exec("update notices set read_at = ?", db.At(o.now)).Error }))
		o.now = o.now.Add(time.Hour)
		o.see(o.went(lin)...)
		o.see(o.came(lin)...)
		o.see(o.went(lin)...)
		o.want("on the same day", o.inbox(lin)+o.inbox(owner)+o.inbox(boss), "")
		o.now = o.now.Add(25 * time.Hour)
		o.see(o.came(lin)...)
		o.want("a day later", o.inbox(boss), "place.joined")
	})
}

func TestManyPlacesAreOneNotice(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d, policies.Tell{Joined: []policies.Told{policies.ToldPerson, policies.ToldOwners}})
		owner := o.put("owner", "", nil)
		o.owners = []id.Person{owner}
		var people []id.Person
		for _, key := range []string{"a", "b", "c", "d", "e"} {
			people = append(people, o.put(key, "", nil))
		}
		o.see(o.came(people...)...)
		o.want("the owner", o.inbox(owner), "place.joined_many")
		o.want("one of them", o.inbox(people[2]), "place.given")
		o.see(o.moves(provisioning.EventMembershipAdded, "join eligibility", []id.Person{o.put("f", "", nil)})...)
		o.want("who joined by themselves", o.inbox(o.put("f", "", nil)), "")
		old := o.came(o.put("g", "", nil))
		o.now = o.now.Add(25 * time.Hour)
		o.see(old...)
		o.want("of what was long ago", o.inbox(o.put("g", "", nil)), "")
	})
}

func TestHoldsAreTold(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d, policies.Tell{Held: []string{"owner", "security"}})
		o.admins = []id.Person{o.put("wang", "", nil)}
		o.see(o.event(provisioning.EventHoldOpened, "hld_1", map[string]string{"cause": "absence"}))
		o.want("opened", o.inbox(o.admins[0]), "hold.opened")
		o.see(o.event(provisioning.EventHoldClosed, "hld_1", map[string]string{"state": "released"}))
		o.want("closed", o.inbox(o.admins[0]), "")
	})
}

// TestLevelsOfThePolicy has the policy say when a manager hears of an end.
func TestLevelsOfThePolicy(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		levels := []int{30, 2}
		w.watch.Levels = func(context.Context) ([]int, error) { return slices.Clone(levels), nil }
		w.watch.ManagerFirst = true
		boss := w.put("boss", "", nil)
		w.put("lin", "boss", func(r *directory.Record) { r.EndAt = w.now.Add(20 * 24 * time.Hour) })
		w.ok(w.watch.Look(ctx))
		days := func() string {
			var out []string
			w.ok(d.Read(ctx).Raw("select key from notices where person = ? order by at, key", boss).Scan(&out).Error)
			for i, key := range out {
				out[i] = key[strings.LastIndex(key, "/")+1:]
			}
			return strings.Join(out, " ")
		}
		if got := days(); got != "30" {
			t.Errorf("told at levels %q, want 30", got)
		}
		levels = []int{5}
		w.ok(w.watch.Look(ctx))
		if got := days(); got != "30" {
			t.Errorf("with other levels: %q; what was told stays", got)
		}
		w.now = w.now.Add(16 * 24 * time.Hour)
		w.ok(w.watch.Look(ctx))
		if got := days(); got != "30 5" {
			t.Errorf("told at levels %q, want 30 and 5", got)
		}
	})
}
