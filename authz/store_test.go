package authz

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

func newStore(t testing.TB, d *db.DB) *Store {
	t.Helper()
	if err := errors.Join(audit.Migrate(context.Background(), d), Migrate(context.Background(), d)); err != nil {
		t.Fatal(err)
	}
	return New(d, discard())
}

func add(t testing.TB, s *Store, changes ...Change) int64 {
	t.Helper()
	var rev int64
	if err := s.db.Tx(context.Background(), func(tx *db.Tx) (err error) {
		rev, err = s.Append(tx, changes...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return rev
}

func tuple(user, relation, object string) Tuple {
	return Tuple{User: user, Relation: relation, Object: object}
}

// put makes the change of "object relation user".
func put(object, relation, user string) Change { return Put(tuple(user, relation, object)) }

func TestAppendIsIdempotent(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := newStore(t, d)
		nine, ten := time.Date(2026, 1, 1, 9, 0, 0, 123456789, time.UTC), time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
		owner := tuple("user:ann", "owner", "project:p")
		windowed, longer := owner, owner
		windowed.From, windowed.Until = nine, ten
		longer.From, longer.Until = nine, ten.Add(time.Hour)
		steps := []struct {
			what    string
			changes []Change
			rev     int64
			log     string
		}{
			{"nothing", nil, 0, ""},
			{"a write", []Change{Put(owner)}, 1, "write"},
			{"the same again", []Change{Put(owner)}, 0, ""},
			{"a window", []Change{Put(windowed)}, 2, "delete write"},
			{"the same window, in another zone", []Change{Put(Tuple{owner.User, owner.Relation, owner.Object, nine.In(time.FixedZone("east", 3600)), ten})}, 0, ""},
			{"a longer window", []Change{Put(longer)}, 3, "delete write"},
			{"a delete and a write of what stands", []Change{Remove(owner), Put(longer)}, 0, ""},
			{"a write and a delete", []Change{Put(owner), Remove(owner)}, 4, "delete"},
			{"a delete of nothing", []Change{Remove(owner)}, 0, ""},
			{"two in one revision", []Change{Put(owner), put("channel:c", "manager", "project:p#owner")}, 5, "write write"},
		}
		for _, step := range steps {
			if rev := add(t, s, step.changes...); rev != step.rev {
				t.Errorf("%s: revision %d, want %d", step.what, rev, step.rev)
			}
			if step.rev == 0 {
				continue
			}
			var ops []string
			if err := d.Read(t.Context()).Raw("select op from authz_log where seq = ? order by n", step.rev).Scan(&ops).Error; err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(ops); got != "["+step.log+"]" {
				t.Errorf("%s: log %s, want %s", step.what, got, step.log)
			}
		}
		got, err := s.Tuples(t.Context(), Filter{Object: "project:p"})
		if err != nil || len(got) != 1 || got[0] != owner {
			t.Errorf("tuples: %v, %v", got, err)
		}
	})
}

func TestAppendRefuses(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for what, bad := range map[string]Tuple{
		"an unknown type":        tuple("user:a", "owner", "planet:p"),
		"an unknown relation":    tuple("user:a", "king", "project:p"),
		"a computed relation":    tuple("user:a", "can_view", "channel:c"),
		"a user of another type": tuple("project:p", "owner", "project:q"),
		"a userset not listed":   tuple("project:p#member", "reader", "channel:c"),
		"a wildcard":             tuple("user:*", "reader", "channel:c"),
		"a blank":                tuple("user:a b", "reader", "channel:c"),
		"a second colon":         tuple("user:a:b", "reader", "channel:c"),
		"no id":                  tuple("user:", "reader", "channel:c"),
		"no window for newcomer": tuple("user:a", "newcomer", "channel:c"),
		"a window on a userset":  {User: "project:p#owner", Relation: "reader", Object: "channel:c", Until: at},
		"a window backwards":     {User: "user:a", Relation: "reader", Object: "channel:c", From: at, Until: at},
	} {
		err := s.db.Tx(t.Context(), func(tx *db.Tx) error {
			_, err := s.Append(tx, put("project:p", "owner", "user:good"), Put(bad))
			return err
		})
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got, err := s.Tuples(t.Context(), Filter{}); err != nil || len(got) != 0 {
		t.Errorf("something was written: %v, %v", got, err)
	}
}

// Eight writers race over the same few tuples. The revisions have no gap, replaying the log gives the tuples,
// and an index that follows while they write comes to the same.
func TestParallelWriters(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := newStore(t, d)
		x := NewIndex(s)
		ctx, cancel := context.WithCancel(t.Context())
		var follower sync.WaitGroup
		follower.Go(func() { x.Run(ctx) })
		const writers, each = 8, 40
		var wait sync.WaitGroup
		for w := range writers {
			wait.Go(func() {
				for i := range each {
					var changes []Change
					for k := range 3 {
						c := put(fmt.Sprint("project:p", (i+k*w)%5), "owner", fmt.Sprint("user:u", (i*k+w)%4))
						c.Delete = (i+k+w)%2 == 0
						changes = append(changes, c)
					}
					var rev int64
					if err := d.Tx(ctx, func(tx *db.Tx) (err error) {
						rev, err = s.Append(tx, changes...)
						return err
					}); err != nil {
						t.Error(err)
						return
					}
					if err := x.Settled(ctx, rev); err != nil || x.Revision() < rev {
						t.Errorf("settled %d: %v at %d", rev, err, x.Revision())
					}
				}
			})
		}
		wait.Wait()
		cancel()
		follower.Wait()

		head, err := s.head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		replayed, seen := map[Tuple]bool{}, int64(0)
		for seen < head {
			next, err := s.since(t.Context(), seen, 1)
			last := next.last
			if err != nil || last != seen+1 || len(next.changes) == 0 {
				t.Fatalf("after %d: revision %d with %d changes, %v", seen, last, len(next.changes), err)
			}
			for _, c := range next.changes {
				if replayed[c.Tuple] != c.Delete {
					t.Fatalf("revision %d repeats %+v", last, c)
				}
				if replayed[c.Tuple] = !c.Delete; c.Delete {
					delete(replayed, c.Tuple)
				}
			}
			seen = last
		}
		standing, err := s.Tuples(t.Context(), Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if len(standing) != len(replayed) {
			t.Errorf("%d tuples stand, the log makes %d", len(standing), len(replayed))
		}
		for _, tuple := range standing {
			if !replayed[tuple] {
				t.Errorf("%v is not in the log", tuple)
			}
		}
	})
}

// Attach is called with the snapshots in force and the revision not yet moved.
func TestAttachBeforeRevision(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	x := NewIndex(s)
	if err := x.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	type call struct {
		rev      int64
		people   []id.Person
		channels []id.Channel
	}
	var calls []call
	var during []string
	x.Attach(func(rev int64, people []id.Person, channels []id.Channel) {
		slices.Sort(people)
		slices.Sort(channels)
		calls = append(calls, call{rev, people, channels})
		ann, _ := x.Allow("ann", "c", View)
		during = append(during, fmt.Sprint(x.Revision(), ann))
	})
	steps := []struct {
		changes []Change
		want    string
	}{
		{[]Change{put("channel:c", "org", "org:main"), put("org:main", "frozen", "freeze:f#subject"), put("channel:c", "writer", "project:p#owner"),
			put("channel:d", "reader", "project:p#owner"), put("project:p", "owner", "user:ann"), put("project:p", "owner", "user:bob")}, "[] []"},
		{[]Change{Remove(tuple("user:ann", "owner", "project:p"))}, "[{2 [ann] [c d]}] [1 false]"},
		{[]Change{put("project:p", "owner", "user:ann")}, "[] []"},
		{[]Change{put("freeze:f", "subject", "user:ann")}, "[{4 [ann] [c d]}] [3 false]"},
		{[]Change{Remove(tuple("user:ann", "subject", "freeze:f"))}, "[] []"},
		{[]Change{put("channel:c", "blocked", "user:bob")}, "[{6 [bob] [c]}] [5 true]"},
		{[]Change{Remove(tuple("project:p#owner", "writer", "channel:c")), put("channel:c", "reader", "project:p#owner")}, "[{7 [ann] [c]}] [6 true]"},
		{[]Change{Put(Tuple{User: "user:ann", Relation: "newcomer", Object: "channel:d", From: time.Now()})}, "[{8 [ann] [d]}] [7 true]"},
		{[]Change{put("freeze:f", "subject", "user:stranger")}, "[{9 [stranger] []}] [8 true]"},
	}
	for i, step := range steps {
		calls, during = nil, nil
		rev := add(t, s, step.changes...)
		if err := x.Settled(t.Context(), rev); err != nil || x.Revision() != rev {
			t.Fatalf("step %d: %v, revision %d of %d", i, err, x.Revision(), rev)
		}
		if got := fmt.Sprint(calls, " ", during); got != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
	}
}

// A person is either a member and frozen, or neither: in no revision allowed, so no question may be answered yes,
// however it falls between two publications.
func TestNoQuestionMixesRevisions(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	add(t, s, house()...)
	add(t, s, put("channel:loose", "manager", "project:p#owner")) // only the fence itself guards it
	x := loaded(t, s)
	member, frozen := put("project:p", "owner", "user:ann"), put("freeze:f", "subject", "user:ann")
	flip := func(remove bool) { // without the database, to be at it as often as possible
		frozen.Delete, member.Delete = remove, remove
		x.mu.Lock()
		x.g.apply(frozen)
		x.g.apply(member)
		x.mu.Unlock()
		x.publish(x.plan(x.at(), false), x.Revision())
	}
	flip(false)
	for _, remove := range []bool{true, false} { // in the middle of a question
		x.pause = func() { x.pause = nil; flip(remove) }
		if ok, _ := x.Allow("ann", "loose", View); ok {
			t.Errorf("allowed where a question straddles a revision (taking away: %t)", remove)
		}
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			mayView := x.View("c")
			for {
				select {
				case <-stop:
					return
				default:
				}
				if ok, _ := x.Allow("ann", "c", View); ok || mayView("ann") {
					t.Error("allowed between two revisions")
					return
				}
				for range x.Audience("c") {
					t.Error("in the audience between two revisions")
					return
				}
			}
		})
	}
	for i := range 20000 {
		flip(i%2 == 0)
	}
	close(stop)
	readers.Wait()
}

// A freeze denies also in a channel that somebody forgot to tie to the organisation.
func TestFenceNeedsNoOrganisation(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	add(t, s, put("channel:c", "writer", "user:ann"), put("channel:c", "writer", "user:bob"), put("freeze:f", "subject", "user:ann"))
	x := loaded(t, s)
	for person, want := range map[id.Person]bool{"ann": false, "bob": true} {
		if ok, _ := x.Allow(person, "c", Post); ok != want {
			t.Errorf("%s may post: %v", person, ok)
		}
	}
}

// Loading again brings what the log does not tell, and says who lost by it.
func TestLoadAgain(t *testing.T) {
	s := newStore(t, dbtest.SQLite(t))
	add(t, s, append(house(), put("project:p", "owner", "user:ann"), put("channel:d", "writer", "user:ann"))...)
	x := loaded(t, s)
	var told []string
	x.Attach(func(rev int64, people []id.Person, channels []id.Channel) {
		told = append(told, fmt.Sprint(people, channels))
	})
	if err := s.db.Tx(t.Context(), func(tx *db.Tx) error { // as a restored backup would
		return tx.Exec("delete from authz_tuples where object = 'channel:d'").Error
	}); err != nil {
		t.Fatal(err)
	}
	if err := x.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(told, x.Channels("ann")); got != "[[ann] [d]] [c]" {
		t.Error(got)
	}
}

func TestModelIsChecked(t *testing.T) {
	for what, edit := range map[string][2]string{
		"another condition":   {"current_time < valid_until", "current_time <= valid_until"},
		"a wildcard":          {"define blocked: [user,", "define blocked: [user:*, user,"},
		"no can_post":         {"define can_post", "define can_write"},
		"types in a circle":   {"define frozen: [freeze#subject]", "define frozen: [freeze#subject, channel#reader]"},
		"a syntax error":      {"type grant", "typ grant"},
		"an unknown tupleset": {"frozen from org", "frozen from house"},
	} {
		text := strings.Replace(modelText, edit[0], edit[1], 1)
		if text == modelText {
			t.Fatalf("%s: the edit finds nothing", what)
		}
		if _, err := parseModel(text); err == nil {
			t.Errorf("%s passes", what)
		}
	}
}
