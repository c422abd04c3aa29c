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
