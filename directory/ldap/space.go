package ldap

import (
	"iter"
	"slices"
	"strings"
)

// space is the connector space of one source: what the directory showed last of each entry, and what of it was written. It is the rows of
// ldap_objects, arranged so that names lead to entries. A pass changes it in memory first and then writes; where writing fails it is thrown
// away and read again.
type space struct {
	objects map[string]*object
	names   map[string]*name   // by folded name, and by loginName
	users   map[string]*object // by login in lower case: who has it, with the rivals behind
	waiting map[*name]map[*object]bool
	shelf   shelf // of the texts of all of them
	entries slab[object]
	calls   slab[name]
	marks   uint32 // handed out so far, to readings
	counts  uint32 // and to countings
}

// object is one entry.
type object struct {
	key   string
	class Class
	dn    string // as the server shows it
	name  *name
	hash  digest // of the entry, when it was written; zero: not known
	mark  uint32 // the reading that showed it last
	count uint32 // the counting of members that met it last
	known uint32 // the reading before which the store had a record of it that is not deleted
	there bool   // and one that is not absent
	row   bool   // there is a row of it
	named bool   // a person has its login in the store

	manager *name  // whom a person's entry names
	boss    string // the key the store was given for it
	unit    string // the key of the unit it is in, as the store was given it
	user    string // the login it claims
	login   string // its uid, for groups that list logins
	members digest // of a group, as the store was given them; zero: not known
	waits   []*name
	formers []*name // what it was called before, the last at the end
	rival   *object // who claims the same login and comes next: behind who has it in order of key
}

// name is something an entry may be called, who is called so now, and who was until they were renamed, where nobody is.
type name struct {
	folded string
	owner  *object
	former *object
}

// formersMost is how many names of before are kept of an entry.
const formersMost = 8

// loginName is how a login stands among the names.
func loginName(login string) string { return "uid:" + strings.ToLower(strings.TrimSpace(login)) }

// newSpace answers an empty space with room for so many entries.
func newSpace(entries int) *space {
	return &space{objects: make(map[string]*object, entries), names: make(map[string]*name, 2*entries), users: make(map[string]*object, entries),
		waiting: map[*name]map[*object]bool{}}
}

// enter answers a new entry of this key, which stays with the space.
func (sp *space) enter(key string, class Class) *object {
	o := sp.entries.next()
	o.key, o.class = key, class
	sp.objects[key] = o
	return o
}

// called answers a name; nil for a text that is none.
func (sp *space) called(folded string) *name {
	if folded == "" {
		return nil
	}
	n := sp.names[folded]
	if n == nil {
		n = sp.calls.next()
		n.folded = sp.shelf.keep(folded)
		sp.names[n.folded] = n
	}
	return n
}

func (sp *space) nextMark() uint32 {
	sp.marks++
	return sp.marks
}

func (sp *space) nextCount() uint32 {
	sp.counts++
	return sp.counts
}

// rename gives o another DN.
func (sp *space) rename(o *object, dn string) {
	old := o.name
	if old != nil && old.owner == o {
		old.owner = nil
	}
	if o.name = sp.called(fold(dn)); o.name != nil {
		o.name.owner = o
		sp.forget(o.name)
	}
	if old != nil && old != o.name && old.owner == nil {
		sp.was(o, old)
	}
	if o.dn = folded(o); o.dn != dn { // else one text
		o.dn = sp.shelf.keep(dn)
	}
}

// was notes that o was called so before.
func (sp *space) was(o *object, n *name) {
	sp.forget(n)
	n.former, o.formers = o, append(o.formers, n)
	if len(o.formers) > formersMost {
		sp.forget(o.formers[0])
	}
}

// forget notes that a name is nobody's of before.
func (sp *space) forget(n *name) {
	if was := n.former; was != nil {
		was.formers = slices.DeleteFunc(was.formers, func(o *name) bool { return o == n })
		n.former = nil
	}
}

// claim notes which logins o has and wants.
func (sp *space) claim(o *object, user, login string) {
	if strings.EqualFold(o.user, user) {
		if o.user != user {
			o.user = sp.shelf.keep(user)
		}
	} else {
		sp.unclaim(o)
		if o.user != "" { // the login it had is another one
			o.named = false
		}
		o.user = sp.shelf.keep(user)
		sp.queue(o)
	}
	if o.login != login {
		if old := sp.names[loginName(o.login)]; o.login != "" && old != nil && old.owner == o {
			old.owner = nil
		}
		if o.login = o.user; login != user {
			o.login = sp.shelf.keep(login)
		}
		if login != "" {
			sp.called(loginName(login)).owner = o
		}
	}
}

// rivals are those who claim a login: first who has it, then in order of key.
func (sp *space) rivals(user string) iter.Seq[*object] {
	return func(yield func(*object) bool) {
		for o := sp.users[strings.ToLower(user)]; o != nil && yield(o); o = o.rival {
		}
	}
}

// queue puts o among those who claim its login. Whoever has it stays the first: an entry that comes later takes it from nobody.
func (sp *space) queue(o *object) {
	key := strings.ToLower(o.user)
	if key == "" {
		return
	}
	before, at := (*object)(nil), sp.users[key]
	for at != nil && !o.before(at) {
		before, at = at, at.rival
	}
	if o.rival = at; before != nil {
		before.rival = o
	} else {
		sp.users[key] = o
	}
}

// before tells whether o comes before another who claims the same login.
func (o *object) before(other *object) bool {
	if o.named != other.named {
		return o.named
	}
	return o.key < other.key
}

func (sp *space) unclaim(o *object) {
	key := strings.ToLower(o.user)
	first := sp.users[key]
	switch {
	case key == "":
	case first == o && o.rival == nil:
		delete(sp.users, key)
	case first == o:
		sp.users[key] = o.rival
	default:
		for at := first; at != nil; at = at.rival {
			if at.rival == o {
				at.rival = o.rival
				break
			}
		}
	}
	o.rival = nil
}

// keeps tells whether o is the one who has the login it claims.
func (sp *space) keeps(o *object) bool {
	return sp.users[strings.ToLower(o.user)] == o
}

// drop takes an entry out.
func (sp *space) drop(o *object) {
	sp.claim(o, "", "")
	if o.name != nil && o.name.owner == o {
		o.name.owner = nil
	}
	sp.wait(o, nil)
	for len(o.formers) > 0 {
		sp.forget(o.formers[0])
	}
	delete(sp.objects, o.key)
}

// wait notes the names a group refers to and nobody is called.
func (sp *space) wait(o *object, names []*name) {
	for _, n := range o.waits {
		if delete(sp.waiting[n], o); len(sp.waiting[n]) == 0 {
			delete(sp.waiting, n)
		}
	}
	o.waits = names
	for _, n := range names {
		if sp.waiting[n] == nil {
			sp.waiting[n] = map[*object]bool{}
		}
		sp.waiting[n][o] = true
	}
}

// place answers the key of the nearest unit above o.
func (sp *space) place(o *object) string {
	if o.name == nil {
		return ""
	}
	for at := above(o.name.folded); at != ""; at = above(at) {
		if n := sp.names[at]; n != nil && n.owner != nil && n.owner.class == ClassUnit && n.owner != o {
			return n.owner.key
		}
	}
	return ""
}

// chief answers the key of whom o names as manager; empty for nobody, for somebody unknown and for o itself.
func (o *object) chief() string {
	if o.manager == nil || o.manager.owner == nil || o.manager.owner == o || o.manager.owner.class != ClassPerson {
		return ""
	}
	return o.manager.owner.key
}

// bossRenamed tells whether o names the manager it has as that one was called before: the server does not mend references.
func (o *object) bossRenamed() bool {
	return o.boss != "" && o.manager != nil && o.manager.owner == nil && o.manager.former != nil && o.manager.former.key == o.boss
}

// beneath answers the entries below a folded name, in order of key.
func (sp *space) beneath(folded string) []*object {
	var out []*object
	for _, o := range sp.objects {
		if o.name != nil && under(o.name.folded, folded) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b *object) int { return strings.Compare(a.key, b.key) })
	return out
}

// under tells whether one folded name is below another.
func under(folded, above string) bool {
	return above != "" && len(folded) > len(above)+1 && strings.HasSuffix(folded, above) && folded[len(folded)-len(above)-1] == ','
}

// beneath tells whether a folded name is below one of these.
func beneath(folded string, names map[string]bool) bool {
	for at := above(folded); at != ""; at = above(at) {
		if names[at] {
			return true
		}
	}
	return false
}

// depth counts the RDNs of a folded name.
func depth(folded string) int {
	if folded == "" {
		return 0
	}
	return 1 + strings.Count(folded, ",")
}

// leading answers the first n RDNs of a DN as they are written, with the comma behind them.
func leading(dn string, n int) string {
	quoted := false
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ',', ';':
			if quoted {
				continue
			}
			if n--; n == 0 {
				return dn[:i+1]
			}
		}
	}
	return dn
}
