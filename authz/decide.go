package authz

import (
	"iter"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Allow tells whether person may do action ("view", "post", "manage") in channel now, and from when on the
// person may see its history (zero: all of it). What is unknown is denied.
func (x *Index) Allow(person id.Person, channel id.Channel, action string) (ok bool, historyFrom time.Time) {
	a := actionNumber(action)
	if a == noAction {
		return false, time.Time{}
	}
	n, known := x.people.get(string(person))
	c, exists := x.channels.get(string(channel))
	if !known || !exists {
		if x.witness.wants(unknown) {
			x.witness.note(question{person, channel, a, unknown})
		}
		return false, time.Time{}
	}
	ok, s := x.may(c, n, a)
	if !ok {
		return false, time.Time{}
	}
	if w, ok := s.newcomers[n]; ok && w.from != always && (x.at() < w.until || x.untimed.Load()) {
		historyFrom = time.UnixMicro(w.from).UTC()
	}
	return true, historyFrom
}

// may decides, and answers the snapshot it decided by. The lease is looked at last: what it covers was read before.
func (x *Index) may(c *channel, n uint32, a int) (bool, *snapshot) {
	verdict, s := x.judge(c, n, a)
	if verdict == allowed {
		switch {
		case x.untimed.Load() && !x.decideAt(c, n, a, closing):
			verdict = byClock
		case x.doubts(n, c):
			verdict = doubted
		case !x.Fresh():
			verdict = byLease
		}
	}
	if x.witness.wants(verdict) {
		x.witness.note(question{(*x.named.Load())[n], c.id, a, verdict})
	}
	return verdict == allowed, s
}

// Fresh tells whether this node may answer: it is the only one, or it has a lease and has applied everything that was committed when the
// lease was last renewed. While it is not fresh nobody may do anything here.
func (x *Index) Fresh() bool { return x.lease == nil || x.lease.holds() }

// judge decides by the tuples alone.
//
// The fence is read before the snapshot and must be the same after it: publish sets fences first and lifts
// them last, so whoever sees one fence on both sides has not mixed two revisions to the person's favour.
func (x *Index) judge(c *channel, n uint32, a int) (class, *snapshot) {
	for {
		f := x.fence.Load()
		if x.pause != nil {
			x.pause()
		}
		s := c.current.Load()
		if s == nil {
			return unknown, nil
		}
		base := s.base[a]
		stale := base.stale(n, x.at)
		if !stale && !base.has(n) {
			if base.waits(n) {
				return untimely, s
			}
			return outside, s
		}
		verdict := allowed
		if !x.ignoreFreezes && f.members.has(n) {
			verdict = frozen
		}
		stale = stale || f.stale(n, x.at)
		for _, shared := range s.fences[a] {
			fence := shared.current.Load()
			if verdict == allowed && !x.ignoreFreezes && fence.members.has(n) {
				verdict = paused
			}
			stale = stale || fence.stale(n, x.at)
		}
		if x.fence.Load() != f {
			continue
		}
		if stale {
			if verdict = untimely; x.exact(c, n, a) {
				verdict = allowed
			}
		}
		return verdict, s
	}
}

// exact decides from the tuples, for somebody one of whose boundaries has passed since the sets were made.
func (x *Index) exact(c *channel, n uint32, a int) bool { return x.decideAt(c, n, a, x.at()) }

func (x *Index) decideAt(c *channel, n uint32, a int, at int64) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	o := x.g.objects[typeChannel+":"+string(c.id)]
	if o == nil {
		return false
	}
	d := x.g.model.decisions[a]
	if !x.g.decide(o, d.base, d.relation, n, at) {
		return false
	}
	if x.ignoreFreezes {
		return true
	}
	for _, w := range d.fences {
		if x.g.decide(o, w, d.relation, n, against(at)) {
			return false
		}
	}
	return !x.g.frozen(n, against(at))
}

// View answers a function that tells whether a person may see channel at the moment of the call. It is Allow for
// a hub that asks often about one channel; the function may be kept and called from anywhere.
func (x *Index) View(channel id.Channel) func(id.Person) bool {
	c, ok := x.channels.get(string(channel))
	if !ok {
		return func(person id.Person) bool { // it may be made later
			ok, _ := x.Allow(person, channel, View)
			return ok
		}
	}
	return func(person id.Person) bool {
		n, known := x.people.get(string(person))
		if !known {
			return false
		}
		ok, _ := x.may(c, n, view)
		return ok
	}
}

// Audience yields everybody who may see channel now, in no order. Each person is decided at the moment of the yield.
func (x *Index) Audience(channel id.Channel) iter.Seq[id.Person] {
	return func(yield func(id.Person) bool) {
		c, ok := x.channels.get(string(channel))
		if !ok {
			return
		}
		s := c.current.Load()
		if s == nil || s.base[view] == nil {
			return
		}
		candidates := s.base[view].members
		if pending := s.base[view].pending; pending != nil {
			candidates = roaring.Or(candidates, pending)
		}
		names := *x.named.Load()
		var buffer [256]uint32
		for it := candidates.ManyIterator(); ; {
			count := it.NextMany(buffer[:])
			if count == 0 {
				return
			}
			for _, n := range buffer[:count] {
				if ok, _ := x.may(c, n, view); ok && !yield(names[n]) {
					return
				}
			}
		}
	}
}

// Channels answers the channels that person may see now, in no order.
func (x *Index) Channels(person id.Person) []id.Channel {
	n, ok := x.people.get(string(person))
	if !ok {
		return nil
	}
	var found []id.Channel
	for _, c := range x.candidates(n) {
		if ok, _ := x.may(c, n, view); ok {
			found = append(found, c.id)
		}
	}
	return found
}

// candidates answers the channels that some tuple of n leads to.
func (x *Index) candidates(n uint32) []*channel {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.g == nil {
		return nil
	}
	var found []*channel
	for _, o := range x.g.channelsOf(n) {
		if c, ok := x.channels.get(o.id); ok {
			found = append(found, c)
		}
	}
	return found
}

// Frozen tells whether a freeze of person is open now.
func (x *Index) Frozen(person id.Person) bool {
	n, ok := x.people.get(string(person))
	if !ok {
		return false
	}
	f, untimed := x.fence.Load(), x.untimed.Load()
	if !untimed && !f.stale(n, x.at) {
		return f.members.has(n)
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.g == nil {
		return f.members.has(n)
	}
	return x.g.frozen(n, x.at()) || untimed && x.g.frozen(n, denying)
}

// doubt is a decision on which Index and OpenFGA differ.
type doubt struct {
	person  uint32
	channel *channel
}

func (x *Index) doubts(n uint32, c *channel) bool {
	doubted := x.doubted.Load()
	if doubted == nil {
		return false
	}
	_, ok := (*doubted)[doubt{n, c}]
	return ok
}
