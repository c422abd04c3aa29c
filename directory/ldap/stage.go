package ldap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// stage holds one reading until it is known to be complete, and turns names into keys.
type stage struct {
	p      *prepared
	source id.Source

	units  map[string]stagedUnit
	people map[string]stagedPerson
	groups map[string]stagedGroup

	unitAt, personAt, groupAt tree
	byLogin                   map[string]string // uid in lower case → key, for posixGroup
}

type stagedUnit struct {
	unit directory.Unit
	dn   string
}

type stagedPerson struct {
	record      directory.Record
	dn, manager string
	lost        bool // the manager's name leads to nobody
}

type stagedGroup struct {
	group           directory.GroupRecord
	members, logins []string
	shown           bool // the attribute was there at all
}

func newStage(p *prepared, source id.Source) *stage {
	return &stage{p: p, source: source, units: map[string]stagedUnit{}, people: map[string]stagedPerson{}, groups: map[string]stagedGroup{},
		unitAt: tree{}, personAt: tree{}, groupAt: tree{}, byLogin: map[string]string{}}
}

// add takes one page.
func (s *stage) add(objects []Object) error {
	for _, o := range objects {
		switch o.Class {
		case ClassUnit:
			s.unitAt.put(o.DN, o.Key)
			s.units[o.Key] = stagedUnit{unit: s.p.unit(s.source, o), dn: o.DN}
		case ClassPerson:
			s.personAt.put(o.DN, o.Key)
			if login := o.value("uid"); login != "" {
				s.byLogin[strings.ToLower(login)] = o.Key
			}
			s.people[o.Key] = stagedPerson{record: s.p.record(s.source, o), dn: o.DN, manager: o.value("manager")}
		case ClassGroup:
			s.groupAt.put(o.DN, o.Key)
			members := slices.Concat(o.Attrs["member"], o.Attrs["uniquemember"])
			s.groups[o.Key] = stagedGroup{group: s.p.group(s.source, o), members: members, logins: o.Attrs["memberuid"],
				shown: len(members) > 0 || len(o.Attrs["memberuid"]) > 0}
		default:
			return fmt.Errorf("%w: class %q", errMalformed, o.Class)
		}
	}
	return nil
}

// unitChanges answers the units, parents before children.
func (s *stage) unitChanges() []directory.Change {
	depth := map[string]int{}
	keys := make([]string, 0, len(s.units))
	for k, u := range s.units {
		depth[k] = strings.Count(fold(u.dn), ",")
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if d := depth[a] - depth[b]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	out := make([]directory.Change, len(keys))
	for i, k := range keys {
		parent := s.unitAt.parent(s.units[k].dn)
		if parent == k { // read under two names, one below the other's old one
			parent = ""
		}
		out[i] = directory.PutUnit{Unit: s.units[k].unit, ParentKey: parent}
	}
	return out
}

// link fills in units and managers, and answers how many managers lead to nobody and how many logins were taken twice.
func (s *stage) link() (lost, doubles int) {
	taken := map[string]string{} // login → the key that keeps it
	for k, p := range s.people {
		if name := strings.ToLower(p.record.UserName); name != "" && (taken[name] == "" || k < taken[name]) {
			taken[name] = k
		}
	}
	for k, p := range s.people {
		p.record.UnitKey = s.unitAt.parent(p.dn)
		if p.manager != "" {
			p.record.ManagerKey = s.personAt.exact(p.manager)
			p.lost = p.record.ManagerKey == ""
		}
		if p.record.ManagerKey == k { // one's own manager is nobody's
			p.record.ManagerKey = ""
		}
		if name := strings.ToLower(p.record.UserName); name != "" && taken[name] != k {
			p.record.UserName = ""
			doubles++
		}
		if p.lost {
			lost++
		}
		s.people[k] = p
	}
	return lost, doubles
}

// personChanges answers the people, managers before those who report to them.
func (s *stage) personChanges() []directory.Change {
	const unknown, open = 0, -1
	depth := map[string]int{}
	var measure func(string) int
	measure = func(k string) int {
		p, ok := s.people[k]
		switch {
		case !ok:
			return 1
		case depth[k] == open: // a circle of managers
			return 1
		case depth[k] != unknown:
			return depth[k]
		}
		depth[k] = open
		depth[k] = 1 + measure(p.record.ManagerKey)
		return depth[k]
	}
	keys := make([]string, 0, len(s.people))
	for k := range s.people {
		measure(k)
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if d := depth[a] - depth[b]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	out := make([]directory.Change, len(keys))
	for i, k := range keys {
		out[i] = directory.PutRecord{Record: s.people[k].record}
	}
	return out
}

// memberKeys turns the members of a group into keys of people and of groups. lost counts those that lead to nobody.
func (s *stage) memberKeys(g stagedGroup) (keys []string, lost int) {
	keys = []string{} // not nil: a group without members is emptied
	for _, dn := range g.members {
		if k := s.personAt.exact(dn); k != "" {
			keys = append(keys, k)
			continue
		}
		k := s.groupAt.exact(dn)
		if k == "" {
			if name, _, cut := strings.Cut(dn, "#"); cut { // RFC 4517 section 3.3.21: uniqueMember may carry "#'0101'B"
				k = s.personAt.exact(name)
			}
		}
		if k == "" {
			lost++
			continue
		}
		keys = append(keys, k)
	}
	for _, login := range g.logins {
		if k := s.byLogin[strings.ToLower(strings.TrimSpace(login))]; k != "" {
			keys = append(keys, k)
		} else {
			lost++
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), lost
}

// groupChanges answers the groups by key. raced leaves the members of a group alone where one leads to nobody: it may
// have been renamed while it was read. Where no group at all shows a member, no group's members are touched.
func (s *stage) groupChanges(raced bool) (changes []directory.Change, lost int, blind bool) {
	blind = len(s.groups) > 0
	for _, g := range s.groups {
		blind = blind && !g.shown
	}
	keys := make([]string, 0, len(s.groups))
	for k := range s.groups {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		members, missing := s.memberKeys(s.groups[k])
		lost += missing
		if blind || raced && missing > 0 {
			members = nil
		}
		changes = append(changes, directory.PutGroup{Group: s.groups[k].group, Members: members})
	}
	return changes, lost, blind
}
