package ldap

import (
	"slices"
	"strings"
)

// space is the connector space of one source: what the directory showed last of each entry, and what of it was written. It is the rows of
// ldap_objects, arranged so that names lead to entries. A pass changes it in memory first and then writes; where writing fails it is thrown
// away and read again.
type space struct {
	objects map[string]*object
	names   map[string]*name     // by folded name, and by loginName
	users   map[string][]*object // by login in lower case: who claims it, the one who has it first
	waiting map[*name]map[*object]bool
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
}

// name is something an entry may be called, and who is called so now.
type name struct {
	folded string
	owner  *object
}

// loginName is how a login stands among the names.
func loginName(login string) string { return "uid:" + strings.ToLower(strings.TrimSpace(login)) }

func newSpace() *space {
	return &space{objects: map[string]*object{}, names: map[string]*name{}, users: map[string][]*object{}, waiting: map[*name]map[*object]bool{}}
}

// called answers a name; nil for a text that is none.
func (sp *space) called(folded string) *name {
	if folded == "" {
		return nil
	}
	n := sp.names[folded]
	if n == nil {
		n = &name{folded: folded}
		sp.names[folded] = n
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
	if o.name != nil && o.name.owner == o {
		o.name.owner = nil
	}
	o.dn = dn
	if o.name = sp.called(fold(dn)); o.name != nil {
		o.name.owner = o
		if o.name.folded == dn {
			o.dn = o.name.folded // one text
		}
	}
}

// claim notes which logins o has and wants.
func (sp *space) claim(o *object, user, login string) {
	if !strings.EqualFold(o.user, user) {
		sp.unclaim(o)
		if key := strings.ToLower(user); key != "" {
			list := append(sp.users[key], o)
			slices.SortFunc(list, func(a, b *object) int { return strings.Compare(a.key, b.key) })
			sp.users[key] = list
		}
	}
	o.user = user
	if o.login != login {
		if old := sp.names[loginName(o.login)]; o.login != "" && old != nil && old.owner == o {
			old.owner = nil
		}
		if o.login = login; login != "" {
			sp.called(loginName(login)).owner = o
		}
	}
}

func (sp *space) unclaim(o *object) {
	key := strings.ToLower(o.user)
	if key == "" {
		return
	}
	if list := slices.DeleteFunc(sp.users[key], func(c *object) bool { return c == o }); len(list) > 0 {
		sp.users[key] = list
	} else {
		delete(sp.users, key)
	}
}

// keeps tells whether o is the one who has the login it claims.
func (sp *space) keeps(o *object) bool {
	list := sp.users[strings.ToLower(o.user)]
	return len(list) > 0 && list[0] == o
}

// drop takes an entry out.
func (sp *space) drop(o *object) {
	sp.claim(o, "", "")
	if o.name != nil && o.name.owner == o {
		o.name.owner = nil
	}
	sp.wait(o, nil)
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
