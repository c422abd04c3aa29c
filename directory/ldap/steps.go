package ldap

import (
	"cmp"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
)

// step is one thing to write, with the entries whose rows go with it.
type step struct {
	class  Class
	change directory.Change // nil: only the row
	o      *object          // nil: only gone
	gone   []*object
}

// order answers the entries to be looked at, what others refer to first: units from the top, managers before those who report to them. Where
// nobody was known before, groups come before their members.
func (p *pass) order() []*object {
	var units, people, groups []*object
	sets := map[*object]bool{}
	for _, some := range []iter.Seq[*object]{maps.Keys(p.units), maps.Keys(p.people), maps.Keys(p.groups), maps.Keys(p.joined), maps.Keys(p.moved), maps.Keys(p.touched)} {
		for o := range some {
			if sets[o] || p.sp.objects[o.key] != o {
				continue
			}
			sets[o] = true
			switch o.class {
			case ClassUnit:
				units = append(units, o)
			case ClassPerson:
				people = append(people, o)
			case ClassGroup:
				groups = append(groups, o)
			}
		}
	}
	byKey := func(a, b *object) int { return strings.Compare(a.key, b.key) }
	slices.SortFunc(units, func(a, b *object) int { return cmp.Or(depth(folded(a))-depth(folded(b)), byKey(a, b)) })
	ranks := map[*object]int{}
	for _, o := range people {
		rank(o, ranks)
	}
	slices.SortFunc(people, func(a, b *object) int {
		return cmp.Or(ranks[a]-ranks[b], p.people[a].compare(p.people[b]), byKey(a, b))
	})
	slices.SortFunc(groups, byKey)
	if p.first { // who comes into groups that are there already is told of once
		return slices.Concat(units, groups, people)
	}
	return slices.Concat(units, people, groups)
}

func folded(o *object) string {
	if o.name == nil {
		return ""
	}
	return o.name.folded
}

// rank counts the managers above a person; those in a circle, and those beyond a hundred, come in any order.
func rank(o *object, known map[*object]int) int {
	var chain []*object
	at, n := o, 0
	for len(chain) < 100 {
		if r, ok := known[at]; ok {
			n = r + 1
			break
		}
		chain = append(chain, at)
		known[at] = 0
		if at.manager == nil || at.manager.owner == nil || at.manager.owner.class != ClassPerson {
			break
		}
		at = at.manager.owner
	}
	for _, at := range slices.Backward(chain) {
		known[at] = n
		n++
	}
	return known[o]
}

// step answers what is to be written about an entry; false for nothing. It notes in o what the store will have been given.
func (p *pass) step(o *object) (step, bool) {
	switch o.class {
	case ClassUnit:
		return p.unitStep(o)
	case ClassPerson:
		return p.personStep(o)
	}
	return p.groupStep(o)
}

func (p *pass) unitStep(o *object) (step, bool) {
	shown, ok := p.units[o]
	parent := p.sp.place(o)
	if !ok {
		s := step{class: ClassUnit, o: o}
		if parent != o.unit {
			if u, known := p.known[o.key]; known {
				s.change, o.unit = directory.PutUnit{Unit: u, ParentKey: parent}, parent
			}
		}
		return s, true
	}
	hash, moved := p.d.entry(shown), shown.DN != o.dn
	if hash == o.hash && parent == o.unit && o.row && !moved && !p.renamed(o) {
		return step{}, false
	}
	if p.adrift(o) && o.row {
		parent = o.unit
	}
	o.hash, o.unit = hash, parent
	return step{class: ClassUnit, o: o, change: directory.PutUnit{Unit: p.p.unit(p.src.ID, shown), ParentKey: parent}}, true
}

func (p *pass) renamed(o *object) bool { return o.name != nil && p.came[o.name] }

func (p *pass) personStep(o *object) (step, bool) {
	at, shown := p.people[o]
	unit, boss, named := p.sp.place(o), p.boss(o, shown), o.user != "" && p.sp.keeps(o)
	if !shown {
		if unit == o.unit && boss == o.boss && named == o.named && !p.moved[o] {
			return step{}, false
		}
		o.unit, o.boss, o.named = unit, boss, named
		edit := placed{unit: unit, boss: boss, user: o.user, raw: rawOf(Object{DN: o.dn})}
		if !named {
			edit.user, edit.claims = "", o.user
		}
		return step{class: ClassPerson, o: o, change: directory.EditRecord{Source: p.src.ID, Key: o.key, Edit: edit.apply}}, true
	}
	if p.once && o.manager != nil && o.manager.owner == nil { // the manager may be on the way to another name
		p.unsure[o] = true
	}
	if p.adrift(o) && o.row {
		unit = o.unit
	}
	entry := p.spool.get(ClassPerson, at)
	entry.DN = o.dn
	hash := p.d.entry(entry)
	if hash == o.hash && unit == o.unit && boss == o.boss && named == o.named && o.row && !p.renamed(o) {
		return step{}, false
	}
	rec := p.p.record(p.src.ID, entry)
	if rec.UnitKey, rec.ManagerKey = unit, boss; !named {
		rec.UserName, rec.Claims = "", o.user
	}
	o.hash, o.unit, o.boss, o.named = hash, unit, boss, named
	return step{class: ClassPerson, o: o, change: directory.PutRecord{Record: rec}}, true
}

// placed is what of a record hangs on other entries.
type placed struct {
	unit, boss, user, claims string
	raw                      json.RawMessage
}

func (e placed) apply(r *directory.Record) error {
	r.UnitKey, r.ManagerKey, r.UserName, r.Claims, r.Raw = e.unit, e.boss, e.user, e.claims, e.raw
	return nil
}

func (p *pass) groupStep(o *object) (step, bool) {
	shown := p.groups[o]
	if shown == nil {
		return p.crewStep(o)
	}
	p.adrift(o)
	set, missing, former := p.members(shown)
	set = p.stay(o, set, former)
	members := p.d.members(set)
	strange := o.row && slices.ContainsFunc(missing, func(n *name) bool { return !slices.Contains(o.waits, n) })
	if strange && p.once && !p.blind {
		return p.halfStep(o, shown, set), true
	}
	alone := p.blind || p.raced && strange
	if !alone && shown.hash == o.hash && members == o.members && o.row && !p.renamed(o) && slices.Equal(missing, o.waits) {
		return step{}, false
	}
	put := directory.PutGroup{Group: shown.group}
	put.Group.Raw = rawOf(Object{DN: o.dn})
	if alone {
		o.members = digest{}
	} else {
		put.Members = make([]string, len(set)) // not nil: a group without members is emptied
		for i, m := range set {
			put.Members[i] = m.key
		}
		o.members = members
		p.sp.wait(o, missing)
	}
	o.hash = shown.hash
	return step{class: ClassGroup, o: o, change: put}, true
}

// halfStep adds who joined a group and takes nobody out: among its members is a name that nobody has, so that somebody may be on the way to
// another name. The group is looked at once more.
func (p *pass) halfStep(o *object, shown *shownGroup, set []*object) step {
	group := shown.group
	group.Raw = rawOf(Object{DN: o.dn})
	edit := directory.EditGroup{Source: p.src.ID, Key: o.key, Edit: func(g *directory.GroupRecord) error {
		g.DisplayName, g.ExternalID, g.Raw = group.DisplayName, group.ExternalID, group.Raw
		return nil
	}}
	for _, m := range set {
		edit.Add = append(edit.Add, m.key)
	}
	o.hash, o.members, p.unsure[o] = shown.hash, digest{}, true
	return step{class: ClassGroup, o: o, change: edit}
}

// crewStep changes a group of which only some members were told.
func (p *pass) crewStep(o *object) (step, bool) {
	c := p.joined[o]
	if c == nil && !p.moved[o] {
		return step{}, false
	}
	edit := directory.EditGroup{Source: p.src.ID, Key: o.key}
	if p.moved[o] {
		raw := rawOf(Object{DN: o.dn})
		edit.Edit = func(g *directory.GroupRecord) error {
			g.Raw = raw
			return nil
		}
	}
	if c != nil {
		edit.Add, edit.Remove = c.join, c.leave
		waits := slices.Clone(o.waits)
		for _, n := range c.came {
			if n.owner != nil && n.owner.class != ClassUnit {
				waits = slices.DeleteFunc(waits, func(w *name) bool { return w == n })
				edit.Add = append(edit.Add, n.owner.key)
			}
		}
		p.sp.wait(o, waits)
		o.members = digest{} // who was there before is not counted
	}
	return step{class: ClassGroup, o: o, change: edit}, true
}

// anybody stands among doubts for somebody who came back: a name that leads to nobody may have been changed to theirs meanwhile.
const anybody = ""

// itself stands among doubts, before its key, for an entry that is to be looked at once more.
const itself = "itself "

// doubts answers the keys of what others may refer to by a name that it has no longer, and of groups and people that show such a name.
func (p *pass) doubts() []string {
	out := make([]string, 0, len(p.left)+1)
	if p.back {
		out = append(out, anybody)
	}
	for o := range p.left {
		if o.class != ClassUnit {
			out = append(out, o.key)
		}
	}
	for o := range p.unsure {
		out = append(out, itself+o.key)
	}
	slices.Sort(out)
	return out
}

// farewells answers what is to be written about entries that are there no more: people are absent, all in one change, so that whoever guards
// against mass removal sees the whole of it; units and groups go, children before parents.
func (p *pass) farewells() []step {
	var people []string
	var marked []*object
	var units, groups []step
	for i, o := range slices.Concat(p.lost, p.before) {
		var rows []*object
		if i < len(p.lost) && p.sp.objects[o.key] == nil {
			rows = []*object{o}
		}
		switch o.class {
		case ClassPerson:
			people, marked = append(people, o.key), append(marked, rows...)
		case ClassUnit:
			units = append(units, step{class: ClassUnit, gone: rows, change: directory.RemoveUnit{Source: p.src.ID, Key: o.key}})
		case ClassGroup:
			groups = append(groups, step{class: ClassGroup, gone: rows, change: directory.DeleteGroup{Source: p.src.ID, Key: o.key}})
		}
	}
	slices.Reverse(units) // of a reading they come in order of depth
	var out []step
	if len(people) > 0 {
		out = append(out, step{class: ClassPerson, gone: marked, change: directory.MarkAbsent{Source: p.src.ID, Keys: people, Proof: p.proof}})
	}
	return slices.Concat(out, units, groups)
}
