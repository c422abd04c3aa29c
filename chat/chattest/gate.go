// Package chattest owns a Gate in memory for tests of what delivers messages: the same contract as the real
// one (snapshots, revisions, callbacks before the acknowledgement), without a database. It is no mock: what
// it allows is decided by what was granted to it. It never ships in the binary.
package chattest

import (
	"iter"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Grant is what a person may do in a channel.
type Grant struct {
	Post  bool      // may post too
	From  time.Time // from when on history is open; zero: all
	Until time.Time // when the grant ends; zero: never
}

type snapshot struct {
	rev    int64
	grants map[id.Channel]map[id.Person]Grant
	frozen map[id.Person]bool
}

// Gate decides from memory. The zero Gate is ready and allows nothing.
type Gate struct {
	mu   sync.Mutex // one change at a time
	snap atomic.Pointer[snapshot]
	fns  []func(int64, []id.Person, []id.Channel)

	// Stale makes it the gate of a node that has lost touch: it denies everything.
	Stale atomic.Bool
}

// Fresh is not Stale.
func (g *Gate) Fresh() bool { return !g.Stale.Load() }

func (g *Gate) now() *snapshot {
	if s := g.snap.Load(); s != nil {
		return s
	}
	return &snapshot{}
}

// Allow implements the gate.
func (g *Gate) Allow(person id.Person, channel id.Channel, action string) (bool, time.Time) {
	s := g.now()
	grant, ok := s.grants[channel][person]
	if !ok || g.Stale.Load() || s.frozen[person] || action != "view" && !(action == "post" && grant.Post) {
		return false, time.Time{}
	}
	if !grant.Until.IsZero() && !time.Now().Before(grant.Until) {
		return false, time.Time{}
	}
	return true, grant.From
}

// Audience implements the gate.
func (g *Gate) Audience(channel id.Channel) iter.Seq[id.Person] {
	return maps.Keys(g.now().grants[channel])
}

// Channels answers what a person may view.
func (g *Gate) Channels(person id.Person) []id.Channel {
	var out []id.Channel
	for channel := range g.now().grants {
		if ok, _ := g.Allow(person, channel, "view"); ok {
			out = append(out, channel)
		}
	}
	return out
}

// Frozen tells whether the person has no access at all.
func (g *Gate) Frozen(person id.Person) bool { return g.now().frozen[person] }

// Revision implements the gate.
func (g *Gate) Revision() int64 { return g.now().rev }

// Attach implements the gate. It is called before the first change.
func (g *Gate) Attach(fn func(int64, []id.Person, []id.Channel)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fns = append(g.fns, fn)
}

func (g *Gate) change(people []id.Person, channels []id.Channel, edit func(*snapshot)) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.now()
	s := &snapshot{rev: old.rev + 1, grants: maps.Clone(old.grants), frozen: maps.Clone(old.frozen)}
	if s.grants == nil {
		s.grants = map[id.Channel]map[id.Person]Grant{}
	}
	if s.frozen == nil {
		s.frozen = map[id.Person]bool{}
	}
	edit(s)
	g.snap.Store(s)
	for _, fn := range g.fns {
		fn(s.rev, people, channels)
	}
	return s.rev
}

// Let gives people the same grant in a channel.
func (g *Gate) Let(channel id.Channel, grant Grant, people ...id.Person) int64 {
	return g.change(nil, nil, func(s *snapshot) {
		inner := maps.Clone(s.grants[channel])
		if inner == nil {
			inner = map[id.Person]Grant{}
		}
		for _, person := range people {
			inner[person] = grant
		}
		s.grants[channel] = inner
	})
}

// Narrow replaces a grant by a smaller one.
func (g *Gate) Narrow(channel id.Channel, grant Grant, person id.Person) int64 {
	return g.change([]id.Person{person}, []id.Channel{channel}, func(s *snapshot) {
		s.grants[channel] = maps.Clone(s.grants[channel])
		s.grants[channel][person] = grant
	})
}

// Remove takes a channel away. It returns when every attached callback has.
func (g *Gate) Remove(channel id.Channel, people ...id.Person) int64 {
	return g.change(people, []id.Channel{channel}, func(s *snapshot) {
		inner := maps.Clone(s.grants[channel])
		for _, person := range people {
			delete(inner, person)
		}
		s.grants[channel] = inner
	})
}

// Freeze takes everything away. It returns when every attached callback has.
func (g *Gate) Freeze(person id.Person) int64 {
	return g.change([]id.Person{person}, g.Channels(person), func(s *snapshot) { s.frozen[person] = true })
}

// Thaw ends a freeze.
func (g *Gate) Thaw(person id.Person) int64 {
	return g.change(nil, nil, func(s *snapshot) { delete(s.frozen, person) })
}
