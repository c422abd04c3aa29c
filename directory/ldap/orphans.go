package ldap

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// orphans finds entries whose place in the tree is not known: they would be without a unit, or in the one further up, and nobody knew why.
func (p *pass) orphans() {
	base, nameless, homeless := fold(p.p.Base), 0, 0
	units := slices.ContainsFunc(p.p.UnitClasses, func(c string) bool { return strings.EqualFold(c, "organizationalUnit") })
	missing := map[string]bool{}
	for _, o := range p.sp.objects {
		if o.class == ClassGroup {
			continue
		}
		if o.name == nil || o.name.folded == "" {
			nameless++
			continue
		}
		above := above(o.name.folded)
		if !units || above == base || !strings.HasPrefix(above, "ou=") {
			continue
		}
		if n := p.sp.names[above]; n == nil || n.owner == nil {
			homeless++
			missing[above] = true
		}
	}
	if nameless > 0 {
		p.rep.find(Warning, "name_unreadable", "the names of %d entries are no distinguished names: they are in no unit, and nothing that names them is understood", nameless)
	}
	if homeless > 0 {
		p.rep.find(Warning, "parent_unknown", "%d entries stand below a unit that is not shown, as %s: they count for the next one above; may the account read it?", homeless, slices.Sorted(maps.Keys(missing))[0])
	}
}

// unidentified answers what is wrong with the id of an entry that has none. It names no person, but where one stands.
func unidentified(class Class, e entry, id string) string {
	place := e.dn
	if class == ClassPerson {
		place = "a person below " + above(fold(e.dn))
	}
	switch values := e.attrs[id]; {
	case len(values) > 1 && id == "objectguid":
		return fmt.Sprintf("%s shows %d values of %s", place, len(values), id)
	case len(values) > 1:
		return fmt.Sprintf("%s shows %d values of %s: %s", place, len(values), id, strings.Join(values[:2], ", "))
	case len(values) == 1 && values[0] != "":
		return fmt.Sprintf("the %s of %s cannot be read", id, place)
	}
	return place + " shows none"
}
