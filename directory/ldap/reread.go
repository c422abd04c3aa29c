package ldap

import (
	"context"
	"slices"
	"strconv"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// sound tells whether a refresh that named everything could see everything.
func (s *contentSync) sound(ctx context.Context) (bool, error) {
	if s.references > 0 && !s.c.p.IgnoreReferences && !s.c.root.strayReferences {
		return false, nil
	}
	if s.c.p.Sentinel == "" {
		return true, nil
	}
	if err := s.aside(ctx); err != nil {
		return false, err
	}
	p, err := s.side.search(ctx, request{base: s.c.p.Sentinel, scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", attrs: []string{"1.1"}})
	if s.side.dead {
		return false, err
	}
	return err == nil && len(p.entries) == 1, nil
}

// aside makes sure that there is a second connection to the same server.
func (s *contentSync) aside(ctx context.Context) (err error) {
	if s.side == nil || s.side.dead {
		s.side, err = s.dialled(ctx)
	}
	return err
}

// complete reads again what came without its class, and leaves out what is gone meanwhile: the stream tells that, too.
func (s *contentSync) complete(ctx context.Context, changes []Change) ([]Change, error) {
	var bare []string
	for _, change := range changes {
		if change.Op == OpUpsert && change.Object.Class == "" {
			bare = append(bare, change.Object.Key)
		}
	}
	if len(bare) == 0 {
		return changes, nil
	}
	if err := s.aside(ctx); err != nil {
		return nil, err
	}
	found := map[string]Object{}
	for filter := range keyFilters(s.c.root.id, bare) {
		for _, class := range allClasses {
			objects, err := s.side.objects(ctx, class, "(&"+filter+s.c.filter(class)+")")
			if err != nil {
				return nil, err
			}
			for _, o := range objects {
				found[o.Key] = o
			}
		}
	}
	out := changes[:0]
	for _, change := range changes {
		if change.Op == OpUpsert && change.Object.Class == "" {
			o, ok := found[change.Object.Key]
			if change.Object = o; !ok {
				change.Op, change.Keys = OpPresent, nil
			}
		}
		out = append(out, change)
	}
	return out, nil
}

// anyClass asks for all classes at once.
func (c *conn) anyClass() string {
	var b strings.Builder
	for _, class := range allClasses {
		b.WriteString(c.filter(class))
	}
	return anyOf(b.String())
}

// allAttributes lists what to ask for where the class is not known yet.
func (c *conn) allAttributes() []string {
	var out []string
	for _, class := range allClasses {
		out = append(out, c.p.attributes(class, c.idAttribute())...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// object makes of an entry what a reading of its class would have shown. The class is empty where the entry's object
// classes do not tell it: the configuration may name one that the schema implies.
func (c *conn) object(k string, e entry) Object {
	o := Object{Key: k, DN: e.dn}
	for _, class := range allClasses {
		list, without := c.classes(class)
		of := func(name string) bool {
			return slices.ContainsFunc(e.attrs["objectclass"], func(s string) bool { return strings.EqualFold(s, name) })
		}
		if slices.ContainsFunc(list, of) && (without == "" || !of(without)) {
			o.Class = class
			break
		}
	}
	if o.Class == "" {
		return o
	}
	asked := c.p.attributes(o.Class, c.idAttribute())
	o.Attrs = make(map[string][]string, len(e.attrs))
	for name, values := range e.attrs {
		plain, _, _ := strings.Cut(name, ";")
		if _, ok := slices.BinarySearch(asked, plain); ok {
			o.Attrs[name] = values
		}
	}
	return o
}

// forgotten tells whether the server no longer remembers the first change after the one that a cookie names.
func (c *conn) forgotten(ctx context.Context, cookie string) (bool, error) {
	if c.root.firstChange == "" || cookie == "" {
		return false, nil
	}
	p, err := c.search(ctx, request{scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", attrs: []string{c.root.firstChange, c.root.marks[0]}})
	if err != nil || len(p.entries) != 1 {
		return err == nil, err
	}
	seen, ok := changeNumber(cookie)
	if !ok {
		return false, nil // the server judges it
	}
	first, err := strconv.ParseInt(strings.Join(p.entries[0].all([]string{c.root.firstChange}), ""), 10, 64)
	last, err2 := strconv.ParseInt(strings.Join(p.entries[0].all(c.root.marks[:1]), ""), 10, 64)
	if err != nil || err2 != nil {
		return true, nil // what cannot be known is not believed
	}
	return seen < last && (first == 0 || seen+1 < first), nil
}

// holds tells whether the server has the very changes that a cookie names, although its mark is older: OpenLDAP has forgotten
// some of its mark after a crash, and nothing of its content. A backup that was restored has not.
func (c *conn) holds(ctx context.Context, cookie string) (bool, error) {
	seen, _ := cookieCSNs(cookie)
	for _, csn := range seen {
		p, err := c.search(ctx, request{base: c.markAt, scope: goldap.ScopeWholeSubtree, filter: "(|(entryCSN=" + goldap.EscapeFilter(csn) + ")(contextCSN=" + goldap.EscapeFilter(csn) + "))", attrs: []string{"1.1"}})
		if c.dead {
			return false, err
		}
		if err != nil || len(p.entries) == 0 {
			return false, nil
		}
	}
	return true, nil
}
