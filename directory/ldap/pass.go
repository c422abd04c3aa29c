package ldap

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
)

// pass takes in what a directory showed: a whole reading, or some changes of a stream. First it only collects (put, lose, join, part). When
// that is known to be sound, index brings the space up to date and steps tells what is to be written.
type pass struct {
	p      *prepared
	src    directory.Source
	sp     *space
	rep    *Report
	d      *digester
	whole  bool            // everything was read: a name that leads to nobody is nobody's
	first  bool            // nobody of the source was known before
	raced  bool            // names may have changed while they were read
	live   bool            // it was told as it happened: a unit that was looked up meanwhile may have a newer name than what was told before it was renamed
	looked map[string]bool // keys of what was looked up: its name may be newer than what was told
	once   bool            // an entry that shows a name nobody has is looked at once more: a group before it loses anybody, a person for the manager

	spool  spool
	shown  []showing         // in the order of coming in
	lost   []*object         // known to be there no more
	before []*object         // of entries that are of another class now: what they were
	joined map[*object]*crew // changes of members of groups that were not shown as a whole

	people  map[*object]spooled // those shown, where they differ
	units   map[*object]Object
	groups  map[*object]*shownGroup
	moved   map[*object]bool // their DN differs, and they were not shown
	touched map[*object]bool // something they depend on differs
	came    map[*name]bool   // names that lead to somebody else now
	left    map[*object]bool // renamed or gone: what refers to them by name may be meant for nobody now
	tree    bool             // units came, went or moved
	back    bool             // somebody came back
	unsure  map[*object]bool // entries to be looked at once more
	drifted int              // how many of them for what they are beneath

	known    map[string]directory.Unit   // what the store has of units that were not shown
	mark     uint32                      // of what is shown; 0: it was marked when it was read
	proof    string                      // how it is known that the lost are not there
	blind    bool                        // no group shows a member
	dangling int                         // members that lead to nobody
	stood    map[*object]map[string]bool // by group that names somebody as they were called before: who of them is in it
	stays    int                         // members who stay in a group that names them so
}

// showing is one entry as it was shown.
type showing struct {
	class Class
	at    spooled // a person
	unit  *Object
	group *shownGroup
}

// shownGroup is a group with the names of its members.
type shownGroup struct {
	key, dn string
	group   directory.GroupRecord
	hash    digest
	members []*name // nil for a text that is no name
	visible bool    // an attribute of members was there at all
}

// crew is who joined a group and who left it, and names it waited for that lead to somebody now.
type crew struct {
	join, leave []string
	came        []*name
}

func newPass(p *prepared, src directory.Source, sp *space, rep *Report) *pass {
	return &pass{p: p, src: src, sp: sp, rep: rep, d: &digester{}, joined: map[*object]*crew{}, people: map[*object]spooled{}, units: map[*object]Object{},
		groups: map[*object]*shownGroup{}, moved: map[*object]bool{}, touched: map[*object]bool{}, came: map[*name]bool{}, left: map[*object]bool{}, unsure: map[*object]bool{}}
}

// put notes an entry that was shown.
func (p *pass) put(o Object) error {
	switch o.Class {
	case ClassUnit:
		p.shown = append(p.shown, showing{class: o.Class, unit: &o})
	case ClassPerson:
		p.shown = append(p.shown, showing{class: o.Class, at: p.spool.put(o)})
	case ClassGroup:
		p.shown = append(p.shown, showing{class: o.Class, group: p.group(o)})
	default:
		return fmt.Errorf("%w: class %q", errMalformed, o.Class)
	}
	return nil
}

// group turns the members of a group into names, which take less room.
func (p *pass) group(o Object) *shownGroup {
	g := &shownGroup{key: o.Key, dn: o.DN, group: p.p.group(p.src.ID, o), hash: p.d.entry(o)}
	g.members = make([]*name, 0, len(o.Attrs["member"])+len(o.Attrs["uniquemember"])+len(o.Attrs["memberuid"]))
	for _, list := range [][]string{o.Attrs["member"], o.Attrs["uniquemember"]} {
		for _, dn := range list {
			g.members = append(g.members, p.sp.member(dn))
		}
	}
	for _, login := range o.Attrs["memberuid"] {
		g.members = append(g.members, p.sp.called(loginName(login)))
	}
	g.visible = len(g.members) > 0
	return g
}

// member answers the name a group uses for a member.
func (sp *space) member(dn string) *name {
	if strings.HasSuffix(dn, "'B") { // RFC 4517 section 3.3.21: uniqueMember may carry "#'0101'B"
		if i := strings.LastIndexByte(dn, '#'); i > 0 {
			dn = dn[:i]
		}
	}
	if n := sp.names[dn]; n != nil {
		return n
	}
	return sp.called(fold(dn))
}

// index brings the space up to date: names first, because anything may refer to anything. It is done in the order in which things came in: a unit
// that moves takes along who was beneath it then.
func (p *pass) index() {
	for _, s := range p.shown {
		switch s.class {
		case ClassUnit:
			p.units[p.place(*s.unit)] = *s.unit
		case ClassPerson:
			entry := p.spool.get(ClassPerson, s.at)
			o := p.place(entry)
			p.people[o] = s.at
			p.claim(o, entry.first(p.p.fields["user_name"]), entry.value("uid"))
			o.manager = p.sp.called(fold(entry.value("manager")))
		case ClassGroup:
			p.groups[p.place(Object{Class: ClassGroup, Key: s.group.key, DN: s.group.dn})] = s.group
		}
	}
	for _, o := range p.lost {
		if p.sp.objects[o.key] == o {
			p.drop(o)
		}
	}
}

// place gives the entry its place in the space.
func (p *pass) place(shown Object) *object {
	o := p.sp.objects[shown.Key]
	if o != nil && o.class != shown.Class { // it is something else now
		p.drop(o)
		p.before = append(p.before, o)
		shown.Key, o = o.key, nil
	}
	if o == nil {
		o = p.sp.enter(p.sp.shelf.keep(shown.Key), shown.Class)
		o.row = len(p.before) > 0
		p.tree = p.tree || o.class == ClassUnit
	}
	if p.mark != 0 {
		o.mark = p.mark
	}
	if o.name == nil || o.dn != shown.DN {
		p.rename(o, shown.DN)
	}
	delete(p.moved, o)
	return o
}

// rename gives an entry its new name, and all that is beneath it: servers tell only of the one that was renamed.
func (p *pass) rename(o *object, dn string) {
	old := ""
	if o.name != nil {
		old = o.name.folded
	}
	p.call(o, dn)
	now := ""
	if o.name != nil {
		now = o.name.folded
		p.came[o.name] = true
	}
	if old != "" && old != now {
		p.left[o] = true
	}
	if o.class != ClassUnit || old == "" || now == "" {
		return
	}
	p.tree = true
	for _, child := range p.sp.beneath(old) {
		p.moved[child] = true
		p.call(child, leading(child.dn, depth(child.name.folded)-depth(old))+dn)
		p.came[child.name] = true
		p.left[child] = true
	}
}

// call gives an entry a name. Groups that name somebody by it who was called so before are looked at once more.
func (p *pass) call(o *object, dn string) {
	if n := p.sp.names[fold(dn)]; n != nil && n.former != nil && n.former != o {
		for g := range p.sp.waiting[n] {
			p.unsure[g] = true
		}
	}
	p.sp.rename(o, dn)
}

// claim gives a person its logins; who shares one may have it now, or lose it.
func (p *pass) claim(o *object, user, login string) {
	if o.user == user && o.login == login {
		return
	}
	rivals := slices.Collect(p.sp.rivals(o.user))
	p.sp.claim(o, user, login)
	for _, r := range slices.AppendSeq(rivals, p.sp.rivals(user)) {
		if r != o {
			p.touched[r] = true
		}
	}
	if login != "" {
		p.came[p.sp.called(loginName(login))] = true
	}
}

// drop takes an entry out of the space.
func (p *pass) drop(o *object) {
	for r := range p.sp.rivals(o.user) {
		if r != o {
			p.touched[r] = true
		}
	}
	p.sp.drop(o)
	p.tree = p.tree || o.class == ClassUnit
	p.left[o] = true
	delete(p.people, o)
	delete(p.units, o)
	delete(p.groups, o)
	delete(p.moved, o)
	delete(p.touched, o)
	delete(p.joined, o)
}

// follow finds whom the changes concern besides those that were shown.
func (p *pass) follow() {
	if p.whole || p.tree {
		for _, o := range p.sp.objects {
			if p.differs(o) {
				p.touched[o] = true
			}
		}
	} else if len(p.came) > 0 {
		for _, o := range p.sp.objects {
			if o.manager != nil && p.came[o.manager] && p.differs(o) {
				p.touched[o] = true
			}
		}
	}
	for n := range p.came {
		for g := range p.sp.waiting[n] {
			if n.owner == nil || p.groups[g] != nil {
				continue
			}
			p.crewOf(g).came = append(p.crewOf(g).came, n)
		}
	}
}

// crewOf answers the changes of the members of a group.
func (p *pass) crewOf(g *object) *crew {
	if p.joined[g] == nil {
		p.joined[g] = &crew{}
	}
	return p.joined[g]
}

// differs tells whether what the store was given about an entry is no longer so, although the entry is the same.
func (p *pass) differs(o *object) bool {
	switch o.class {
	case ClassUnit:
		return p.sp.place(o) != o.unit
	case ClassPerson:
		return p.sp.place(o) != o.unit || p.boss(o, false) != o.boss || o.user != "" && p.sp.keeps(o) != o.named
	}
	return false
}

// boss answers the key of the manager of o. Where a name leads to nobody it may be the name of before: then the one who was found by it stays.
func (p *pass) boss(o *object, shown bool) string {
	found := o.chief()
	if found == "" && o.manager != nil && o.manager.owner == nil && (p.raced || !p.whole && !shown || o.bossRenamed()) {
		return o.boss
	}
	return found
}

// members answers who is in a group, the names that lead to nobody, and who was called so before.
func (p *pass) members(g *shownGroup) (set []*object, missing []*name, former []*object) {
	mark, open := p.sp.nextCount(), map[*name]bool{}
	for _, n := range g.members {
		switch {
		case n == nil:
			p.dangling++
		case n.owner == nil || n.owner.class == ClassUnit:
			p.dangling++
			open[n] = true
		case n.owner.count != mark:
			n.owner.count = mark
			set = append(set, n.owner)
		}
	}
	missing = slices.SortedFunc(maps.Keys(open), func(a, b *name) int { return cmp.Compare(a.folded, b.folded) })
	for _, n := range missing {
		if o := n.former; o != nil && o.class != ClassUnit && o.count != mark {
			o.count = mark
			former = append(former, o)
		}
	}
	return set, missing, former
}

// driftMost is how many entries of one pass are looked at once more for what they are beneath.
const driftMost = 20

// adrift tells whether an entry came, or was renamed, to somewhere beneath a name that no unit has. It may be a name that a unit had when that was told, so
// the entry is looked at once more, and stays where it was until then.
func (p *pass) adrift(o *object) bool {
	if !p.live && !p.looked[o.key] || !p.once || !p.renamed(o) || p.drifted >= driftMost {
		return false
	}
	parent := above(o.name.folded)
	if n := p.sp.names[parent]; n != nil && n.owner != nil || parent == fold(p.p.Base) {
		return false
	}
	p.unsure[o] = true
	p.drifted++
	return true
}
