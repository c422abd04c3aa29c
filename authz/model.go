package authz

import (
	"fmt"
	"slices"
	"strings"
)

// The names of model.fga that the code knows; everything else is evaluated as the model says.
const (
	typeUser      = "user"
	typeChannel   = "channel"
	typeFreeze    = "freeze"
	relSubject    = "subject"
	relNewcomer   = "newcomer"
	condition     = "active_window"
	conditionText = "current_time >= valid_from && current_time < valid_until"
)

// actions are the relations that decide View, Post and Manage, in the order of their numbers.
func actions() []string { return []string{"can_view", "can_post", "can_manage"} }

const (
	noAction = iota - 1
	view
	post
	manage
	actionCount
)

func actionNumber(action string) int {
	switch action {
	case View:
		return view
	case Post:
		return post
	case Manage:
		return manage
	}
	return noAction
}

// model is model.fga as a tree that Index evaluates.
type model struct {
	types   map[string]*typeDef
	channel *typeDef
	// decisions says for each action how a channel's snapshot answers it.
	decisions [actionCount]decision
	// grants are the channel's relations on which some decision's base rests. Tuples of its other relations
	// change no snapshot's base.
	grants []bool
}

type typeDef struct {
	name      string
	relations []*relation
	number    map[string]int
	// affects lists for each relation those of the same type that rest on it, itself included.
	affects [][]int
}

type relation struct {
	name    string
	direct  []restriction
	rewrite *rewrite
}

// restriction is one kind of user that a tuple may name.
type restriction struct {
	typ, relation string
	windowed      bool
}

type rewriteKind int

const (
	direct rewriteKind = iota
	computed
	fromTupleset
	union
	intersection
	exclusion // operands[0] but not operands[1]
)

type rewrite struct {
	kind     rewriteKind
	relation string // computed: of the same object; fromTupleset: of the objects that tupleset names
	tupleset string
	operands []*rewrite
}

// decision is an action's relation taken apart: base, which each channel's snapshot holds as a set of its
// own, less the fences, which thousands of channels share and which are therefore kept by reference: opening a
// freeze changes one set, not every channel.
type decision struct {
	base     *rewrite
	relation int        // the channel's relation in whose definition base stands
	fences   []*rewrite // each fromTupleset
}

// link checks the model against what Index can evaluate and prepares it.
func (m *model) link() error {
	for _, t := range m.types {
		for _, r := range t.relations {
			if err := m.check(t, r.rewrite, 0); err != nil {
				return fmt.Errorf("%s#%s: %w", t.name, r.name, err)
			}
		}
		t.affects = make([][]int, len(t.relations))
		for n := range t.relations {
			rests := t.restsOn(t.relations[n].rewrite, make([]bool, len(t.relations)))
			rests[n] = true
			for on, yes := range rests {
				if yes {
					t.affects[on] = append(t.affects[on], n)
				}
			}
		}
	}
	m.channel = m.types[typeChannel]
	if m.channel == nil || m.types[typeUser] == nil {
		return fmt.Errorf("no type %s or %s", typeChannel, typeUser)
	}
	m.grants = make([]bool, len(m.channel.relations))
	for n, name := range actions() {
		number, ok := m.channel.number[name]
		if !ok {
			return fmt.Errorf("%s has no relation %s", typeChannel, name)
		}
		m.decisions[n] = m.split(m.channel.relations[number].rewrite, number)
		m.channel.restsOn(m.decisions[n].base, m.grants)
	}
	return m.refuseCycles()
}

func (m *model) check(t *typeDef, w *rewrite, depth int) error {
	if depth > 32 {
		return fmt.Errorf("too deep, or relations that rest on each other")
	}
	switch w.kind {
	case computed:
		n, ok := t.number[w.relation]
		if !ok {
			return fmt.Errorf("no relation %s", w.relation)
		}
		return m.check(t, t.relations[n].rewrite, depth+1)
	case fromTupleset:
		n, ok := t.number[w.tupleset]
		if !ok {
			return fmt.Errorf("no relation %s", w.tupleset)
		}
		if t.relations[n].rewrite.kind != direct {
			return fmt.Errorf("%s is no direct relation", w.tupleset)
		}
	}
	for _, o := range w.operands {
		if err := m.check(t, o, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// restsOn marks in seen every relation of t that w reads, through other relations too.
func (t *typeDef) restsOn(w *rewrite, seen []bool) []bool {
	name := w.relation
	if w.kind == fromTupleset {
		name = w.tupleset
	}
	if w.kind == computed || w.kind == fromTupleset {
		if n := t.number[name]; !seen[n] {
			seen[n] = true
			t.restsOn(t.relations[n].rewrite, seen)
		}
	}
	for _, o := range w.operands {
		t.restsOn(o, seen)
	}
	return seen
}

// split takes the outer exclusions off w whose right side is nothing but relations of objects a tupleset names.
func (m *model) split(w *rewrite, relation int) decision {
	for w.kind == computed {
		relation = m.channel.number[w.relation]
		w = m.channel.relations[relation].rewrite
	}
	if w.kind == exclusion {
		if fences, ok := m.shared(w.operands[1]); ok {
			d := m.split(w.operands[0], relation)
			d.fences = append(d.fences, fences...)
			return d
		}
	}
	return decision{base: w, relation: relation}
}

func (m *model) shared(w *rewrite) ([]*rewrite, bool) {
	switch w.kind {
	case computed:
		return m.shared(m.channel.relations[m.channel.number[w.relation]].rewrite)
	case fromTupleset:
		tupleset := m.channel.relations[m.channel.number[w.tupleset]]
		return []*rewrite{w}, !slices.ContainsFunc(tupleset.direct, func(r restriction) bool { return r.windowed })
	case union:
		var all []*rewrite
		for _, o := range w.operands {
			some, ok := m.shared(o)
			if !ok {
				return nil, false
			}
			all = append(all, some...)
		}
		return all, true
	}
	return nil, false
}

// refuseCycles refuses types that name each other's relations in a circle: Index evaluates without a guard.
func (m *model) refuseCycles() error {
	const open, done = 1, 2
	state := map[string]int{}
	var visit func(string) error
	visit = func(name string) error {
		t := m.types[name]
		switch {
		case t == nil:
			return fmt.Errorf("no type %s", name)
		case state[name] == open:
			return fmt.Errorf("type %s leads to itself", name)
		case state[name] == done:
			return nil
		}
		state[name] = open
		for _, r := range t.relations {
			for _, to := range r.direct {
				if err := visit(to.typ); err != nil {
					return err
				}
			}
		}
		state[name] = done
		return nil
	}
	for name := range m.types {
		if err := visit(name); err != nil {
			return err
		}
	}
	return nil
}

// parts are the two halves of "type:id" and, of a user, the relation after "#".
type parts struct{ typ, id, relation string }

func splitRef(ref string) parts {
	var p parts
	p.typ, p.id, _ = strings.Cut(ref, ":")
	p.id, p.relation, _ = strings.Cut(p.id, "#")
	return p
}

const maxIDBytes = 128 // of OpenFGA's tables

// allows tells why t may not stand, or nil.
func (m *model) allows(t Tuple) error {
	refuse := func(why string) error {
		return fmt.Errorf("%w: %s#%s@%s: %s", ErrInvalid, t.Object, t.Relation, t.User, why)
	}
	object, user := splitRef(t.Object), splitRef(t.User)
	for _, ref := range []string{t.Object, t.User} {
		p := splitRef(ref)
		switch {
		case p.id == "" || len(p.id) > maxIDBytes:
			return refuse("an id has 1 to 128 bytes")
		case strings.ContainsFunc(ref, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '*' }) || strings.Count(ref, ":") != 1 || strings.Count(ref, "#") > 1:
			return refuse("an id has no blank, ':', '#' or '*'")
		}
	}
	typ := m.types[object.typ]
	if typ == nil || object.relation != "" {
		return refuse("unknown type of object")
	}
	n, ok := typ.number[t.Relation]
	if !ok {
		return refuse("unknown relation")
	}
	windowed := !t.From.IsZero() || !t.Until.IsZero()
	switch {
	case !t.From.IsZero() && !t.Until.IsZero() && !t.From.Before(t.Until):
		return refuse("the window ends before it begins")
	case t.From.Year() > 9998 || t.Until.Year() > 9998 || !t.From.IsZero() && t.From.Year() < 1000 || !t.Until.IsZero() && t.Until.Year() < 1000:
		return refuse("the window lies outside the years 1000 to 9998")
	case !slices.Contains(typ.relations[n].direct, restriction{typ: user.typ, relation: user.relation, windowed: windowed}):
		return refuse("the relation takes no such user, or not with (or without) a window")
	}
	return nil
}
