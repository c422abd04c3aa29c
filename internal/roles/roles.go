// Package roles owns what administrators may do: the permissions, the closed set of roles that hold them, and how far a role reaches.
//
// It is pure: who has a role is internal/session's matter, whether something lies within a scope is for who knows the thing. It guarantees
// that a permission which stands in no line of the table is held by nobody.
package roles

import (
	"slices"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Permission is one kind of thing that administrators do; a route names the one it needs.
type Permission string

// Role is a named set of permissions.
type Role string

// The roles. GroupOwner is nobody's by grant: who has the role owner in a project group has it there.
const (
	Owner      Role = "owner"       // everything
	System     Role = "system"      // sources and configuration
	Security   Role = "security"    // freezes, policies, roles
	HR         Role = "hr"          // people: freeze, terminate, give back, link
	Helpdesk   Role = "helpdesk"    // looks at people and ends their sessions
	Auditor    Role = "auditor"     // reads, the audit log too
	GroupOwner Role = "group_owner" // their own project groups
)

// All answers the roles that can be granted.
func All() []Role { return []Role{Owner, System, Security, HR, Helpdesk, Auditor} }

// Separate answers the three of which nobody may hold two under the separation of powers.
func Separate() []Role { return []Role{System, Security, Auditor} }

// Known tells whether r can be granted.
func (r Role) Known() bool { return slices.Contains(All(), r) }

// Limitable tells whether r can be granted for a part of the organisation.
func (r Role) Limitable() bool { return r == HR || r == Helpdesk }

// Has tells whether r holds p.
func (r Role) Has(p Permission) bool {
	line, ok := Find(p)
	return ok && line.Held(r)
}

// Permissions answers what r holds, in the order of the table.
func (r Role) Permissions() []Permission { return Grants{{Role: r}}.Permissions() }

// Line is one line of the table. An owner holds every permission.
type Line struct {
	Permission Permission
	Dangerous  bool // wants a second factor that was proved within the last minutes
	Roles      []Role
}

// Held tells whether r holds the line's permission.
func (l Line) Held(r Role) bool { return r == Owner || slices.Contains(l.Roles, r) }

// Find answers the line of p.
func Find(p Permission) (Line, bool) {
	at := slices.IndexFunc(table, func(l Line) bool { return l.Permission == p })
	if at < 0 {
		return Line{}, false
	}
	return table[at], true
}

// Grant is a role that somebody has, for a unit with all below it or for the whole organisation.
type Grant struct {
	Role Role
	Unit id.Unit // empty: the whole organisation
}

// Grants are the roles of one caller.
type Grants []Grant

// Everything is what an owner has.
func Everything() Grants { return Grants{{Role: Owner}} }

// Scope answers how far these grants reach for p.
func (g Grants) Scope(p Permission) Scope {
	var s Scope
	line, ok := Find(p)
	if !ok {
		return s
	}
	for _, grant := range g {
		switch {
		case !line.Held(grant.Role):
		case grant.Unit == "":
			return Scope{All: true}
		default:
			s.Units = append(s.Units, grant.Unit)
		}
	}
	return s
}

// Holds tells whether these grants reach everything for p.
func (g Grants) Holds(p Permission) bool { return g.Scope(p).All }

// Covers tells whether who has g has grant too.
func (g Grants) Covers(grant Grant) bool {
	return slices.ContainsFunc(g, func(own Grant) bool {
		return (own.Role == grant.Role || own.Role == Owner) && (own.Unit == "" || own.Unit == grant.Unit)
	})
}

// Permissions answers everything that one of these grants holds, in the order of the table.
func (g Grants) Permissions() []Permission {
	var out []Permission
	for _, line := range table {
		if slices.ContainsFunc(g, func(own Grant) bool { return line.Held(own.Role) }) {
			out = append(out, line.Permission)
		}
	}
	return out
}

// Scope is how far a permission reaches: everything, or the people of some units with all below them, and some project groups. The zero Scope
// reaches nothing.
type Scope struct {
	All    bool
	Units  []id.Unit
	Groups []id.Group
}

// Empty tells whether s reaches nothing.
func (s Scope) Empty() bool { return !s.All && len(s.Units) == 0 && len(s.Groups) == 0 }

// Group tells whether s reaches a project group.
func (s Scope) Group(g id.Group) bool { return s.All || slices.Contains(s.Groups, g) }
