package authz

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/rollcall-im/rollcall/internal/id"
)

// snapshot is all that questions about one channel need. It never changes.
type snapshot struct {
	base      [actionCount]*set
	fences    [actionCount][]*cell
	newcomers map[uint32]window
}

// cell holds a set that many snapshots share by reference.
type cell struct {
	object   *object
	relation int
	current  atomic.Pointer[fence]
}

// plan is what one change of the tuples, or of time, puts in force.
type plan struct {
	fence    *fence // nil: as before
	cells    []cellChange
	channels []channelChange
	quiet    bool // nobody is told
}

type cellChange struct {
	cell     *cell
	old, new *fence
}

type channelChange struct {
	channel  *channel
	object   *object
	old, new *snapshot
}

// plan evaluates, at the instant at, everything that the changed objects lead to. Only the holder of turn may call it.
func (x *Index) plan(at int64, all bool) plan {
	g := x.g
	g.tick(at)
	var p plan
	freeze := all
	for o := range g.changed {
		freeze = freeze || o.typ.name == typeFreeze
		for _, c := range o.cells {
			if c != nil {
				p.cells = append(p.cells, cellChange{c, c.current.Load(), newFence(g.evaluate(o, c.relation, at))})
			}
		}
	}
	if freeze {
		sets := make([]*set, len(g.freezes))
		for i, f := range g.freezes {
			sets[i] = g.evaluate(f, f.typ.number[relSubject], at)
		}
		p.fence = newFence(unite(sets))
	}
	for o := range g.changed {
		if o.typ != g.model.channel {
			continue
		}
		c, ok := x.channels.get(o.id)
		if !ok {
			c = &channel{id: id.Channel(o.id)}
			x.channels.put(o.id, c)
		}
		p.channels = append(p.channels, channelChange{c, o, c.current.Load(), g.snapshot(o, at)})
	}
	g.changed = map[*object]bool{} // clear would keep the size of the load, and every later walk would pay for it
	return p
}

// snapshot evaluates a channel.
func (g *graph) snapshot(o *object, at int64) *snapshot {
	s := &snapshot{}
	for n, d := range g.model.decisions {
		s.base[n] = g.rewrite(o, d.base, d.relation, at)
		for _, w := range d.fences {
			s.fences[n] = append(s.fences[n], g.cells(o, w, at)...)
		}
		if n > 0 && slices.Equal(s.fences[n], s.fences[0]) {
			s.fences[n] = s.fences[0]
		}
	}
	if l := o.leaves[o.typ.number[relNewcomer]]; l != nil && len(l.windows) > 0 {
		s.newcomers = maps.Clone(l.windows)
	}
	return s
}

// cells answers the shared sets that w, a fence of o's model, names.
func (g *graph) cells(o *object, w *rewrite, at int64) []*cell {
	l := o.leaves[o.typ.number[w.tupleset]]
	if l == nil {
		return nil
	}
	var cells []*cell
	for of := range l.objects {
		n, ok := of.typ.number[w.relation]
		if !ok {
			continue
		}
		if of.cells == nil {
			of.cells = make([]*cell, len(of.typ.relations))
		}
		if of.cells[n] == nil {
			of.cells[n] = &cell{object: of, relation: n}
			of.cells[n].current.Store(newFence(g.evaluate(of, n, at)))
		}
		cells = append(cells, of.cells[n])
	}
	return cells
}

// publish puts p in force, tells the callbacks and then moves the revision. What denies comes first and what
// stops denying comes last, so that no question sees a lifted freeze beside a membership that ended with it.
func (x *Index) publish(p plan, rev int64) {
	names := x.names
	x.named.Store(&names)
	before := x.fence.Load()
	if p.fence != nil {
		x.fence.Store(before.and(p.fence))
	}
	for _, c := range p.cells {
		c.cell.current.Store(c.old.and(c.new))
	}
	for _, c := range p.channels {
		c.channel.current.Store(c.new)
	}
	for _, c := range p.cells {
		c.cell.current.Store(c.new)
	}
	if p.fence != nil {
		x.fence.Store(p.fence)
	}
	if attached := x.attached.list(); len(attached) > 0 && !p.quiet {
		if people, channels := x.losses(p, before); len(people) > 0 {
			for _, fn := range attached {
				fn(rev, people, channels)
			}
		}
	}
	x.rev.Store(rev)
	x.moved.fire()
}

// losses answers who lost anything by p, and where.
func (x *Index) losses(p plan, before *fence) ([]id.Person, []id.Channel) {
	lost, fenced := roaring.New(), roaring.New()
	where := map[id.Channel]struct{}{}
	for _, c := range p.channels {
		if who := c.loss(); who != nil {
			lost.Or(who)
			where[c.channel.id] = struct{}{}
		}
	}
	if p.fence != nil {
		fenced.Or(roaring.AndNot(p.fence.bitmap(), before.bitmap()))
	}
	for _, c := range p.cells {
		fenced.Or(roaring.AndNot(c.new.bitmap(), c.old.bitmap()))
	}
	for _, n := range fenced.ToArray() {
		for _, o := range x.g.channelsOf(n) {
			if c, ok := x.channels.get(o.id); ok && c.current.Load().base[view].has(n) {
				where[c.id] = struct{}{}
			}
		}
	}
	lost.Or(fenced)
	return x.namesOf(lost), slices.Collect(maps.Keys(where))
}

// loss is who is less in the new snapshot than in the old; nil where nobody is.
func (c channelChange) loss() *roaring.Bitmap {
	if c.old == nil {
		return nil
	}
	lost := roaring.New()
	for n := range c.old.base {
		if c.old.base[n] != c.new.base[n] {
			lost.Or(roaring.AndNot(c.old.base[n].bitmap(), c.new.base[n].bitmap()))
		}
	}
	for n, w := range c.new.newcomers {
		if old, ok := c.old.newcomers[n]; (!ok || old.from < w.from) && c.old.base[view].has(n) {
			lost.Add(n)
		}
	}
	if lost.IsEmpty() {
		return nil
	}
	return lost
}

func (x *Index) namesOf(numbers *roaring.Bitmap) []id.Person {
	names := *x.named.Load()
	people := make([]id.Person, 0, numbers.GetCardinality())
	for _, n := range numbers.ToArray() {
		people = append(people, names[n])
	}
	return people
}
