package authz

import (
	"hash/maphash"
	"math"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"
)

// Instants inside the index are microseconds since 1970, as in the database.
const (
	always = math.MinInt64
	never  = math.MaxInt64
)

// window is [from, until).
type window struct{ from, until int64 }

// At closing and at denying no clock is trusted: a window with an end or a beginning is shut, or open.
const (
	closing = always + 1
	denying = always + 2
)

// against is what the clock is for what is taken away where it is at for what is given.
func against(at int64) int64 {
	switch at {
	case closing:
		return denying
	case denying:
		return closing
	}
	return at
}

func (w window) open(at int64) bool {
	if at == closing || at == denying {
		return at == denying || w.unlimited()
	}
	return at >= w.from && at < w.until
}

func (w window) unlimited() bool { return w.from == always && w.until == never }

// next is the first boundary after at.
func (w window) next(at int64) int64 {
	if at < w.from {
		return w.from
	}
	if at < w.until {
		return w.until
	}
	return never
}

// set is an immutable set of person numbers as it is until the instant until. Only people in pending may
// be in or out of it later without another tuple. A nil set is empty for ever.
type set struct {
	members *roaring.Bitmap
	pending *roaring.Bitmap // nil: nobody
	until   int64
}

func (s *set) has(n uint32) bool { return s != nil && s.members.Contains(n) }

// waits tells whether n may be in the set later, or was until a moment ago, without another tuple.
func (s *set) waits(n uint32) bool { return s != nil && s.pending != nil && s.pending.Contains(n) }

// stale tells whether the set cannot answer for n at now, which is asked for only where time matters.
func (s *set) stale(n uint32, now func() int64) bool {
	return s.waits(n) && now() >= s.until
}

func (s *set) bitmap() *roaring.Bitmap {
	if s == nil {
		return roaring.New()
	}
	return s.members
}

// unite joins sets; the members of a single set are shared, not copied.
func unite(sets []*set) *set {
	live := sets[:0:0]
	for _, s := range sets {
		if s != nil {
			live = append(live, s)
		}
	}
	if len(live) == 0 {
		return nil
	}
	if len(live) == 1 {
		return live[0]
	}
	members := make([]*roaring.Bitmap, len(live))
	for i, s := range live {
		members[i] = s.members
	}
	joined := &set{until: never}
	if len(members) == 2 {
		joined.members = roaring.Or(members[0], members[1])
	} else {
		joined.members = roaring.FastOr(members...)
	}
	joined.waitFor(live...)
	return joined
}

func intersect(a, b *set) *set {
	if a == nil || b == nil {
		return nil
	}
	both := &set{members: roaring.And(a.members, b.members), until: never}
	both.waitFor(a, b)
	return both
}

func exclude(a, b *set) *set {
	if a == nil || b == nil {
		return a
	}
	rest := &set{members: roaring.AndNot(a.members, b.members), until: never}
	rest.waitFor(a, b)
	return rest
}

// waitFor takes over the pending people and the earliest boundary of the sets that s was made of.
func (s *set) waitFor(of ...*set) {
	for _, o := range of {
		s.until = min(s.until, o.until)
		if o.pending == nil {
			continue
		}
		if s.pending == nil {
			s.pending = o.pending
		} else if s.pending != o.pending {
			s.pending = roaring.Or(s.pending, o.pending)
		}
	}
}

// bits is a set of person numbers that answers in two nanoseconds.
type bits []uint64

func (b bits) has(n uint32) bool { return int(n>>6) < len(b) && b[n>>6]&(1<<(n&63)) != 0 }

// fence is a set of people to whom something is denied everywhere, in a shape that answers at once: every
// question reads one or two.
type fence struct {
	*set
	members, pending bits
}

func newFence(s *set) *fence {
	f := &fence{set: s, members: s.bitmap().ToDense()}
	if s != nil && s.pending != nil {
		f.pending = s.pending.ToDense()
	}
	return f
}

// and is the fence of both.
func (f *fence) and(other *fence) *fence { return newFence(unite([]*set{f.set, other.set})) }

func (f *fence) stale(n uint32, now func() int64) bool { return f.pending.has(n) && now() >= f.until }

// table maps strings to values for one writer and any number of readers, who never wait. Nothing is ever
// taken out of it.
type table[V any] struct {
	seed  maphash.Seed
	slots atomic.Pointer[[]atomic.Pointer[entry[V]]]
	count int
}

type entry[V any] struct {
	key   string
	value V
}

func newTable[V any]() *table[V] {
	t := &table[V]{seed: maphash.MakeSeed()}
	slots := make([]atomic.Pointer[entry[V]], 64)
	t.slots.Store(&slots)
	return t
}

func (t *table[V]) get(key string) (value V, ok bool) {
	slots := *t.slots.Load()
	mask := uint64(len(slots) - 1)
	for i := maphash.String(t.seed, key) & mask; ; i = (i + 1) & mask {
		e := slots[i].Load()
		if e == nil {
			return value, false
		}
		if e.key == key {
			return e.value, true
		}
	}
}

// put adds a key that is not there yet.
func (t *table[V]) put(key string, value V) {
	slots := *t.slots.Load()
	if t.count++; t.count*2 > len(slots) {
		wider := make([]atomic.Pointer[entry[V]], 4*len(slots))
		for i := range slots {
			if e := slots[i].Load(); e != nil {
				t.place(wider, e)
			}
		}
		t.place(wider, &entry[V]{key, value})
		t.slots.Store(&wider)
		return
	}
	t.place(slots, &entry[V]{key, value})
}

func (t *table[V]) place(slots []atomic.Pointer[entry[V]], e *entry[V]) {
	mask := uint64(len(slots) - 1)
	i := maphash.String(t.seed, e.key) & mask
	for slots[i].Load() != nil {
		i = (i + 1) & mask
	}
	slots[i].Store(e)
}

// each calls fn for every value.
func (t *table[V]) each(fn func(key string, value V)) {
	slots := *t.slots.Load()
	for i := range slots {
		if e := slots[i].Load(); e != nil {
			fn(e.key, e.value)
		}
	}
}
