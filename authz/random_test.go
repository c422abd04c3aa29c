package authz

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// world is a store with an Index and an OpenFGA that are led through random organisations.
type world struct {
	s     *Store
	x     *Index
	e     *Engine
	now   time.Time
	cases int
	asked int
}

func newWorld(t *testing.T) *world {
	w := &world{s: newStore(t, dbtest.SQLite(t)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.e = ensured(t, w.s, startEmbedded(t, "memory:"))
	w.x = NewIndex(w.s)
	w.x.Now = func() time.Time { return w.now }
	w.e.Now = w.x.Now
	return w
}

func (w *world) append(changes ...Change) error {
	ctx, cancel := contextFor()
	defer cancel()
	return w.s.db.Tx(ctx, func(tx *db.Tx) error {
		_, err := w.s.Append(tx, changes...)
		return err
	})
}

// dice answers a number in [0, n).
type dice func(n int, what string) int

const (
	randomPeople   = 5
	randomChannels = 3
	randomProjects = 2
)

// wander makes an organisation of its own, changes it, moves the clock, and after each step holds the Index to
// OpenFGA, and at the end to an Index that is loaded afresh.
func (w *world) wander(roll dice) error {
	w.cases++
	name := func(typ string, n int) string { return fmt.Sprintf("%s:%d-%d", typ, w.cases, n) }
	var standing []Change
	org := name("org", 0)
	standing = append(standing, put(org, "frozen", name("freeze", 0)+"#subject"), put(org, "frozen", name("freeze", 1)+"#subject"))
	for c := range randomChannels {
		standing = append(standing, put(name("channel", c), "org", org))
	}
	next := standing
	for range 1 + roll(3, "rounds") {
		for range roll(10, "changes") {
			c := w.change(roll, name)
			next, standing = append(next, c), append(standing, c)
		}
		if err := w.append(next...); err != nil {
			return err
		}
		next = nil
		if err := w.step(roll); err != nil {
			return err
		}
		w.now = w.now.Add(time.Duration(roll(3, "hours")) * time.Hour) // past the snapshots, with nobody catching up
		if err := w.step(roll); err != nil {
			return err
		}
	}
	fresh := NewIndex(w.s)
	fresh.Now, fresh.ignoreFreezes = w.x.Now, w.x.ignoreFreezes
	ctx, cancel := contextFor()
	defer cancel()
	if err := fresh.Load(ctx); err != nil {
		return err
	}
	for n := range randomPeople * randomChannels * actionCount {
		person, channel, action := w.question(n)
		got, gotFrom := w.x.Allow(person, channel, action)
		want, wantFrom := fresh.Allow(person, channel, action)
		if got != want || !gotFrom.Equal(wantFrom) {
			return fmt.Errorf("%s %s %s: changed step by step %v %v, loaded afresh %v %v", person, channel, action, got, gotFrom, want, wantFrom)
		}
	}
	for i := range standing {
		standing[i].Delete = true
	}
	return w.append(standing...)
}

func (w *world) question(n int) (id.Person, id.Channel, string) {
	return id.Person(fmt.Sprintf("%d-%d", w.cases, n%randomPeople)),
		id.Channel(fmt.Sprintf("%d-%d", w.cases, n/randomPeople%randomChannels)),
		[]string{View, Post, Manage}[n/randomPeople/randomChannels]
}

// change makes one random change of the organisation.
func (w *world) change(roll dice, name func(string, int) string) Change {
	project := func() string { return name("project", roll(randomProjects, "project")) }
	channel := func() string { return name("channel", roll(randomChannels, "channel")) }
	role := func() string { return []string{"owner", "participant", "collaborator", "vendor"}[roll(4, "role")] }
	level := func() string { return []string{"manager", "writer", "reader"}[roll(3, "level")] }
	c := Change{Delete: roll(4, "delete") == 0}
	c.Tuple.User = name("user", roll(randomPeople, "person"))
	switch roll(8, "kind") {
	case 0, 1:
		c.Tuple.Object, c.Tuple.Relation = project(), role()
	case 2:
		c.Tuple.Object, c.Tuple.Relation = name("freeze", roll(2, "freeze")), "subject"
	case 3:
		c.Tuple.Object, c.Tuple.Relation = channel(), "blocked"
	case 4:
		c.Tuple.Object, c.Tuple.Relation = channel(), level()
	case 5:
		c.Tuple.Object, c.Tuple.Relation = name("grant", 0), "holder"
	case 6:
		c.Tuple.Object, c.Tuple.Relation, c.Tuple.User = channel(), level(), project()+"#"+role()
		return c
	case 7:
		c.Tuple.Object, c.Tuple.Relation, c.Tuple.User = channel(), level(), name("grant", 0)+"#holder"
		return c
	}
	if shape := roll(5, "window"); shape > 1 {
		from := w.now.Add(time.Duration(roll(6, "from")-3) * time.Hour)
		if c.Tuple.From = from; shape == 2 {
			c.Tuple.From = time.Time{}
		}
		if c.Tuple.Until = from.Add(time.Duration(1+roll(4, "length")) * time.Hour); shape == 3 {
			c.Tuple.Until = time.Time{}
		}
	}
	return c
}

// step brings OpenFGA (always) and the Index (where it has not to rely on the clock alone) up to date and compares them.
func (w *world) step(roll dice) error {
	ctx, cancel := contextFor()
	defer cancel()
	head, err := w.s.head(ctx)
	if err != nil {
		return err
	}
	if w.x.Revision() < head || roll(2, "pass the boundaries") == 0 {
		if err := w.x.CatchUp(ctx, 0); err != nil {
			return err
		}
	}
	for more := true; more; {
		if more, err = w.e.step(ctx); err != nil {
			return err
		}
	}
	var complaints complaint
	for range 12 {
		person, channel, action := w.question(roll(randomPeople*randomChannels*actionCount, "question"))
		got, _ := w.x.Allow(person, channel, action)
		want, err := w.e.Check(ctx, person, channel, action)
		if err != nil {
			return err
		}
		if w.asked++; got != want {
			return fmt.Errorf("%s %s %s at %v: index %t, openfga %t", person, channel, action, w.now, got, want)
		}
		if action == View {
			agree(&complaints, w.x, person, channel, want)
		}
	}
	return complaints.err
}

type complaint struct{ err error }

func (c *complaint) Errorf(format string, args ...any) { c.err = fmt.Errorf(format, args...) }

// The Index and OpenFGA agree on every organisation, under changes, windows, freezes, blocks, grants and a moving clock.
func TestIndexAgreesWithOpenFGA(t *testing.T) {
	w := newWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		if err := w.wander(func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%d checks of %d organisations", w.asked, w.cases)
}

// The same comparison turns red where the Index forgets freezes.
func TestComparisonTurnsRed(t *testing.T) {
	w := newWorld(t)
	w.x.ignoreFreezes = true
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		if err := w.wander(func(n int, _ string) int { return r.IntN(n) }); err != nil {
			t.Log(err)
			return
		}
	}
	t.Error("an index without freezes passes")
}
