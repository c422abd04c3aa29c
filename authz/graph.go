package authz

import (
	"container/heap"

	"github.com/RoaringBitmap/roaring/v2"
)

// graph is the tuples in memory. It is changed by one writer, under Index.mu; that writer alone evaluates
// sets (which it caches), other readers ask decide, which caches nothing.
type graph struct {
	model   *model
	number  func(person string) uint32
	objects map[string]*object
	freezes []*object
	direct  [][]*object // by person number: the objects a tuple of the person names, once per tuple
	changed map[*object]bool
	due     boundaries
}

// object is one OpenFGA object: the tuples on it by relation, and the sets its relations come to.
type object struct {
	typ    *typeDef
	name   string
	id     string
	leaves []*leaf
	sets   []*set
	known  []bool
	// readers are the objects that grant by this one (they have a tuple that names it), with the number of
	// those tuples: what changes here changes there. A channel's fences are not grants.
	readers map[*object]int
	cells   []*cell // by relation: sets that snapshots share; nil where none does
	queued  int64   // the boundary this object waits for in graph.due, or never
}

// leaf is the tuples of one object and relation.
type leaf struct {
	flat     *roaring.Bitmap // people without a window
	windows  map[uint32]window
	usersets map[userset]window
	objects  map[*object]window
}

type userset struct {
	object   *object
	relation int
}

func newGraph(m *model, number func(string) uint32) *graph {
	return &graph{model: m, number: number, objects: map[string]*object{}, changed: map[*object]bool{}}
}

func (g *graph) object(ref string) *object {
	if o := g.objects[ref]; o != nil {
		return o
	}
	p := splitRef(ref)
	typ := g.model.types[p.typ]
	if typ == nil {
		return nil
	}
	n := len(typ.relations)
	o := &object{typ: typ, name: ref, id: p.id, leaves: make([]*leaf, n), sets: make([]*set, n), known: make([]bool, n), queued: never}
	g.objects[ref] = o
	if typ.name == typeFreeze {
		g.freezes = append(g.freezes, o)
	}
	return o
}

// apply makes c. A tuple that does not fit the model grants nothing.
func (g *graph) apply(c Change) {
	o := g.object(c.Tuple.Object)
	if o == nil {
		return
	}
	rel, ok := o.typ.number[c.Tuple.Relation]
	if !ok {
		return
	}
	l := o.leaves[rel]
	if l == nil {
		l = &leaf{flat: roaring.New()}
		o.leaves[rel] = l
	}
	w := windowOf(c.Tuple)
	user := splitRef(c.Tuple.User)
	switch {
	case user.typ == typeUser:
		g.applyPerson(o, l, g.number(user.id), w, c.Delete)
	case user.relation != "":
		of := g.object(user.typ + ":" + user.id)
		if of == nil {
			return
		}
		n, ok := of.typ.number[user.relation]
		if !ok {
			return
		}
		if l.usersets == nil {
			l.usersets = map[userset]window{}
		}
		g.tie(o, rel, of, keep(l.usersets, userset{of, n}, w, c.Delete))
	default:
		of := g.object(user.typ + ":" + user.id)
		if of == nil {
			return
		}
		if l.objects == nil {
			l.objects = map[*object]window{}
		}
		g.tie(o, rel, of, keep(l.objects, of, w, c.Delete))
	}
	for _, n := range o.typ.affects[rel] {
		o.known[n] = false
	}
	g.mark(o)
}

func windowOf(t Tuple) window {
	w := window{always, never}
	if !t.From.IsZero() {
		w.from = t.From.UnixMicro()
	}
	if !t.Until.IsZero() {
		w.until = t.Until.UnixMicro()
	}
	return w
}

// keep puts key into m or takes it out and answers how the number of keys changed.
func keep[K comparable](m map[K]window, key K, w window, remove bool) int {
	_, had := m[key]
	switch {
	case remove && had:
		delete(m, key)
		return -1
	case remove:
		return 0
	}
	m[key] = w
	if had {
		return 0
	}
	return 1
}

func (g *graph) applyPerson(o *object, l *leaf, n uint32, w window, remove bool) {
	_, windowed := l.windows[n]
	had := windowed || l.flat.Contains(n)
	for int(n) >= len(g.direct) {
		g.direct = append(g.direct, nil)
	}
	switch {
	case remove && !had:
		return
	case remove:
		l.flat.Remove(n)
		delete(l.windows, n)
		list := g.direct[n]
		for i, other := range list {
			if other == o {
				list[i] = list[len(list)-1]
				list[len(list)-1] = nil
				g.direct[n] = list[:len(list)-1]
				break
			}
		}
		return
	case !had:
		g.direct[n] = append(g.direct[n], o)
	}
	if w.unlimited() {
		l.flat.Add(n)
		delete(l.windows, n)
		return
	}
	l.flat.Remove(n)
	if l.windows == nil {
		l.windows = map[uint32]window{}
	}
	l.windows[n] = w
}

// tie counts the tuples by which reader grants what of holds.
func (g *graph) tie(reader *object, rel int, of *object, by int) {
	if by == 0 || reader.typ == g.model.channel && !g.model.grants[rel] {
		return
	}
	if of.readers == nil {
		of.readers = map[*object]int{}
	}
	if of.readers[reader] += by; of.readers[reader] == 0 {
		delete(of.readers, reader)
	}
}

// mark notes that o changed and that every set which rests on it must be made again.
func (g *graph) mark(o *object) {
	if g.changed[o] {
		return
	}
	g.changed[o] = true
	for reader := range o.readers {
		clear(reader.known)
		g.mark(reader)
	}
}

// tick marks everything whose boundary has passed.
func (g *graph) tick(at int64) {
	for len(g.due) > 0 && g.due[0].at <= at {
		o := heap.Pop(&g.due).(boundary).object
		o.queued = never
		clear(o.known)
		g.mark(o)
	}
}

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
		return g.decide(o, w.operands[0], rel, n, at) && !g.decide(o, w.operands[1], rel, n, at)
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

type boundary struct {
	at     int64
	object *object
}

// boundaries is a heap by instant.
type boundaries []boundary

func (b boundaries) Len() int           { return len(b) }
func (b boundaries) Less(i, j int) bool { return b[i].at < b[j].at }
func (b boundaries) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

// Push implements heap.Interface.
func (b *boundaries) Push(x any) { *b = append(*b, x.(boundary)) }

// Pop implements heap.Interface.
func (b *boundaries) Pop() any {
	last := (*b)[len(*b)-1]
	*b = (*b)[:len(*b)-1]
	return last
}
