package authz

import (
	"container/heap"

	"github.com/RoaringBitmap/roaring/v2"
)

// evaluate answers the set that relation rel of o comes to at the instant at, and has o wait for its next boundary.
func (g *graph) evaluate(o *object, rel int, at int64) *set {
	if !o.known[rel] {
		o.sets[rel], o.known[rel] = g.rewrite(o, o.typ.relations[rel].rewrite, rel, at), true
	}
	return o.sets[rel]
}

func (g *graph) rewrite(o *object, w *rewrite, rel int, at int64) *set {
	switch w.kind {
	case direct:
		return g.leaf(o, o.leaves[rel], at)
	case computed:
		return g.evaluate(o, o.typ.number[w.relation], at)
	case fromTupleset:
		l := o.leaves[o.typ.number[w.tupleset]]
		if l == nil {
			return nil
		}
		var sets []*set
		for of, win := range l.objects {
			if n, ok := of.typ.number[w.relation]; ok {
				sets = append(sets, g.through(o, g.evaluate(of, n, at), win, at))
			}
		}
		return unite(sets)
	}
	sets := make([]*set, len(w.operands))
	for i, operand := range w.operands {
		sets[i] = g.rewrite(o, operand, rel, at)
	}
	switch w.kind {
	case intersection:
		all := sets[0]
		for _, s := range sets[1:] {
			all = intersect(all, s)
		}
		return all
	case exclusion:
		return exclude(sets[0], sets[1])
	}
	return unite(sets)
}

func (g *graph) leaf(o *object, l *leaf, at int64) *set {
	if l == nil || l.flat.IsEmpty() && len(l.windows) == 0 && len(l.usersets) == 0 {
		return nil
	}
	var own *set
	if !l.flat.IsEmpty() || len(l.windows) > 0 {
		own = &set{members: l.flat.Clone(), until: never}
		for n, w := range l.windows {
			if w.open(at) {
				own.members.Add(n)
			}
			if next := w.next(at); next != never {
				if own.pending == nil {
					own.pending = roaring.New()
				}
				own.pending.Add(n)
				own.until = min(own.until, next)
			}
		}
		g.wait(o, own.until)
	}
	if len(l.usersets) == 0 {
		return own
	}
	sets := []*set{own}
	for of, w := range l.usersets {
		sets = append(sets, g.through(o, g.evaluate(of.object, of.relation, at), w, at))
	}
	return unite(sets)
}

// through is s seen through a tuple with window w on o.
func (g *graph) through(o *object, s *set, w window, at int64) *set {
	next := w.next(at)
	if s == nil || next == never {
		if w.open(at) {
			return s
		}
		return nil
	}
	g.wait(o, next)
	seen := &set{members: roaring.New(), pending: s.members, until: next}
	if w.open(at) {
		seen.members = s.members
	}
	if s.pending != nil {
		seen.pending, seen.until = roaring.Or(s.members, s.pending), min(next, s.until)
	}
	return seen
}

func (g *graph) wait(o *object, until int64) {
	if until < o.queued {
		o.queued = until
		heap.Push(&g.due, boundary{until, o})
	}
}

// decide answers for one person at the instant at, from the tuples alone.
func (g *graph) decide(o *object, w *rewrite, rel int, n uint32, at int64) bool {
	switch w.kind {
	case direct:
		return g.decideLeaf(o.leaves[rel], n, at)
	case computed:
		rel := o.typ.number[w.relation]
		return g.decide(o, o.typ.relations[rel].rewrite, rel, n, at)
	case fromTupleset:
		l := o.leaves[o.typ.number[w.tupleset]]
		if l == nil {
			return false
		}
		for of, win := range l.objects {
			if to, ok := of.typ.number[w.relation]; ok && win.open(at) && g.decide(of, of.typ.relations[to].rewrite, to, n, at) {
				return true
			}
		}
		return false
	case intersection:
		for _, operand := range w.operands {
			if !g.decide(o, operand, rel, n, at) {
				return false
			}
		}
		return true
	case exclusion:
		return g.decide(o, w.operands[0], rel, n, at) && !g.decide(o, w.operands[1], rel, n, against(at))
	}
	for _, operand := range w.operands {
		if g.decide(o, operand, rel, n, at) {
			return true
		}
	}
	return false
}

func (g *graph) decideLeaf(l *leaf, n uint32, at int64) bool {
	if l == nil {
		return false
	}
	if w, ok := l.windows[n]; ok && w.open(at) || l.flat.Contains(n) {
		return true
	}
	for of, w := range l.usersets {
		if w.open(at) && g.decide(of.object, of.object.typ.relations[of.relation].rewrite, of.relation, n, at) {
			return true
		}
	}
	return false
}

// frozen tells whether a freeze of person n is open at the instant at.
func (g *graph) frozen(n uint32, at int64) bool {
	for _, f := range g.freezes {
		rel := f.typ.number[relSubject]
		if g.decide(f, f.typ.relations[rel].rewrite, rel, n, at) {
			return true
		}
	}
	return false
}

// channelsOf answers the channels that some tuple of person n may lead to.
func (g *graph) channelsOf(n uint32) []*object {
	if int(n) >= len(g.direct) {
		return nil
	}
	var found []*object
	seen := map[*object]bool{}
	var walk func(*object)
	walk = func(o *object) {
		if seen[o] {
			return
		}
		seen[o] = true
		if o.typ == g.model.channel {
			found = append(found, o)
		}
		for reader := range o.readers {
			walk(reader)
		}
	}
	for _, o := range g.direct[n] {
		walk(o)
	}
	return found
}
