package ldap_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"

	"github.com/rollcall-im/rollcall/directory/ldap"
)

// grove is a directory in memory that tells its changes as servers do: of entries that the server calls changed, and of nothing else.
type grove struct {
	mu      sync.Mutex
	random  *rand.Rand
	refint  bool // references follow renames and deletions in the base, into it and out of it, and nobody is told
	entries map[string]*leaf
	log     []string // keys, in the order of changes
	made    int
	wake    chan struct{}
	was     map[string][]string // by DN: the keys of whom it was the name of, ever
	deaf    bool                // the stream ends at once
}

type leaf struct {
	class     ldap.Class
	key, name string // the first RDN
	above     string // key of the unit; "" at the base, "out" out of it
	attrs     map[string][]string
	manager   string   // DN
	members   []string // DNs
	changed   int      // length of the log then
	anchored  bool     // stays: of a class of which nothing is shown any more, what is known stays
}

func newGrove(random *rand.Rand) *grove {
	return &grove{random: random, entries: map[string]*leaf{}, was: map[string][]string{}, wake: make(chan struct{})}
}

func (g *grove) dn(l *leaf) string {
	switch l.above {
	case "":
		return l.name + "," + base
	case "out":
		return l.name + ",dc=elsewhere"
	}
	return l.name + "," + g.dn(g.entries[l.above])
}

func (g *grove) inside(l *leaf) bool {
	for l.above != "" {
		if l.above == "out" {
			return false
		}
		l = g.entries[l.above]
	}
	return true
}

func (g *grove) object(l *leaf) ldap.Object {
	o := ldap.Object{Class: l.class, Key: l.key, DN: g.dn(l), Attrs: maps.Clone(l.attrs)}
	if l.manager != "" {
		o.Attrs["manager"] = []string{l.manager}
	}
	if len(l.members) > 0 {
		o.Attrs["member"] = slices.Clone(l.members)
	}
	return o
}

// touch notes a change of l and wakes who watches. The lock is held.
func (g *grove) touch(l *leaf) {
	g.log = append(g.log, l.key)
	l.changed = len(g.log)
	close(g.wake)
	g.wake = make(chan struct{})
}

func (g *grove) of(class ldap.Class) []*leaf {
	var out []*leaf
	for _, k := range slices.Sorted(maps.Keys(g.entries)) {
		if l := g.entries[k]; l.class == class {
			out = append(out, l)
		}
	}
	return out
}

func (g *grove) any(class ldap.Class) *leaf {
	list := g.of(class)
	if len(list) == 0 {
		return nil
	}
	return list[g.random.IntN(len(list))]
}

func (g *grove) add(class ldap.Class) *leaf {
	g.made++
	l := &leaf{class: class, key: fmt.Sprintf("%s-%04d", class, g.made), attrs: map[string][]string{}}
	switch class {
	case ldap.ClassUnit:
		l.name = fmt.Sprintf("ou=U%d", g.made)
		l.attrs["ou"] = []string{l.name[3:]}
	case ldap.ClassPerson:
		l.name = fmt.Sprintf("uid=p%d", g.made)
		l.attrs["uid"], l.attrs["cn"] = []string{l.name[4:]}, []string{"Person " + strconv.Itoa(g.made)}
	case ldap.ClassGroup:
		l.name = fmt.Sprintf("cn=g%d", g.made)
		l.attrs["cn"] = []string{l.name[3:]}
	}
	l.anchored = len(g.of(class)) == 0
	if u := g.any(ldap.ClassUnit); u != nil && g.random.IntN(4) > 0 && !l.anchored {
		l.above = u.key
	}
	g.entries[l.key] = l
	g.touch(l)
	return l
}

// renames runs fn, which changes names, and has references follow.
func (g *grove) renames(fn func()) {
	before, was := map[string]string{}, map[string]bool{}
	for k, l := range g.entries {
		before[k], was[k] = g.dn(l), g.inside(l)
		g.was[before[k]] = append(g.was[before[k]], k)
	}
	fn()
	if !g.refint {
		return
	}
	now := map[string]string{}
	for k, dn := range before {
		if l := g.entries[k]; l == nil {
			now[dn] = ""
		} else if at := g.dn(l); at != dn && (was[k] || g.inside(l)) { // what is elsewhere is another database
			now[dn] = at
		}
	}
	for _, l := range g.entries {
		if at, moved := now[l.manager]; moved {
			l.manager = at
		}
		for i, m := range l.members {
			if at, moved := now[m]; moved {
				l.members[i] = at
			}
		}
		l.members = slices.DeleteFunc(l.members, func(m string) bool { return m == "" })
	}
}

// stay answers who may still be in a group that names them as they were called before, where nobody is called so now, or be the manager of a person who does.
func (g *grove) stay(key string) map[string]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	out, called := map[string]bool{}, map[string]bool{}
	for _, l := range g.entries {
		called[g.dn(l)] = true
	}
	if l := g.entries[key]; l != nil && !g.refint {
		for _, m := range append(slices.Clone(l.members), l.manager) {
			for _, k := range g.was[m] {
				out[k] = !called[m] || out[k]
			}
		}
	}
	return out
}

func (g *grove) below(l, top *leaf) bool {
	for at := l; at != nil; at = g.entries[at.above] {
		if at == top {
			return true
		}
	}
	return false
}

// step makes one change by chance.
func (g *grove) step() {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, u, gr := g.any(ldap.ClassPerson), g.any(ldap.ClassUnit), g.any(ldap.ClassGroup)
	switch n := g.random.IntN(100); {
	case p == nil || n < 12:
		g.add(ldap.ClassPerson)
	case u == nil || n < 16:
		g.add(ldap.ClassUnit)
	case gr == nil || n < 20:
		g.add(ldap.ClassGroup)
	case n < 32:
		p.attrs["title"] = []string{strconv.Itoa(n * g.made)}
		g.touch(p)
	case n < 36:
		p.attrs["useraccountcontrol"] = []string{[]string{"512", "514"}[n%2]}
		g.touch(p)
	case n < 42 && len(g.of(ldap.ClassPerson)) > 8 && !p.anchored:
		g.renames(func() { delete(g.entries, p.key) })
		g.touch(p)
	case n < 48: // another login
		g.renames(func() {
			g.made++
			p.name = fmt.Sprintf("uid=r%d", g.made)
			p.attrs["uid"] = []string{p.name[4:]}
		})
		g.touch(p)
	case n < 54 && !p.anchored: // another unit
		g.renames(func() { p.above = u.key })
		g.touch(p)
	case n < 57: // a unit is renamed
		g.renames(func() {
			g.made++
			u.name = fmt.Sprintf("ou=R%d", g.made)
			u.attrs["ou"] = []string{u.name[3:]}
		})
		g.touch(u)
	case n < 61: // a unit moves, out of the base now and then
		to := []string{"", "out", g.any(ldap.ClassUnit).key}[g.random.IntN(3)]
		if t := g.entries[to]; t != nil && g.below(t, u) || u.anchored {
			return
		}
		g.renames(func() { u.above = to })
		g.touch(u)
	case n < 70:
		p.manager = g.dn(g.any(ldap.ClassPerson))
		g.touch(p)
	case n < 72 && !gr.anchored:
		g.renames(func() { delete(g.entries, gr.key) })
		g.touch(gr)
	case n < 90:
		m := g.dn(p)
		if g.random.IntN(8) == 0 {
			m = g.dn(g.any(ldap.ClassGroup))
		}
		if !slices.Contains(gr.members, m) {
			gr.members = append(gr.members, m)
		}
		g.touch(gr)
	default:
		if len(gr.members) > 1 {
			gr.members = slices.Delete(gr.members, 0, 1)
			g.touch(gr)
		}
	}
}
