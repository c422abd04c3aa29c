package provisioning

import (
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// packed is every current membership with its reasons, small: about 150 bytes for each.
type packed struct {
	number  map[id.Person]int32
	people  []packedPerson
	members []packedMember
	grounds []packedGround
	names   map[string]string // groups, refs and roles, each once
}

type packedPerson struct {
	id    id.Person
	first int32 // of members; -1: none
	odd   bool  // something beside the rules, or a window, is to be looked at
}

type packedMember struct {
	id    id.Membership
	group id.Group
	role  policies.Role
	next  int32 // of the same person
	first int32 // of grounds
}

// packedGround is a reason by a rule, without an end.
type packedGround struct {
	ref     string
	role    policies.Role
	version int64
	from    int64 // in microseconds; 0: open
	next    int32
}

// pack reads all current memberships.
func pack(q reader, now time.Time) (*packed, error) {
	p := &packed{number: map[id.Person]int32{}, names: map[string]string{}}
	places, err := p.readMembers(q)
	if err != nil {
		return nil, err
	}
	if err := p.readGrounds(q, places, now.UnixMicro()); err != nil {
		return nil, err
	}
	for _, query := range []string{"select person from held_removals where ended_at is null", "select person from fences", "select person from failures"} {
		var people []id.Person
		if err := q.Raw(query).Scan(&people).Error; err != nil {
			return nil, fmt.Errorf("read what is held: %w", err)
		}
		for _, person := range people {
			p.people[p.person(person)].odd = true
		}
	}
	return p, nil
}

// each calls fn for every row.
func each(q reader, query string, fn func(*sql.Rows) error) error {
	rows, err := q.Raw(query).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// readMembers reads the memberships and answers whose each is, and where it stands.
func (p *packed) readMembers(q reader) (map[string][2]int32, error) {
	places := map[string][2]int32{}
	err := each(q, "select id, person, group_id, role, begins_at from memberships where ended_at is null", func(rows *sql.Rows) error {
		var membership string
		var person, group, role sql.RawBytes
		var begins sql.NullInt64
		if err := rows.Scan(&membership, &person, &group, &role, &begins); err != nil {
			return err
		}
		n, known := p.number[id.Person(person)]
		if !known {
			n = p.person(id.Person(person))
		}
		who := &p.people[n]
		places[membership] = [2]int32{n, int32(len(p.members))}
		p.members = append(p.members, packedMember{id: id.Membership(membership), group: id.Group(p.name(group)), role: policies.Role(p.name(role)), next: who.first, first: -1})
		who.first = int32(len(p.members) - 1)
		who.odd = who.odd || begins.Valid
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read memberships: %w", err)
	}
	return places, nil
}

func (p *packed) readGrounds(q reader, places map[string][2]int32, now int64) error {
	err := each(q, "select membership, kind, ref, role, policy_version, starts_at, until from reasons where ended_at is null", func(rows *sql.Rows) error {
		var membership, kind, ref, role sql.RawBytes
		var version int64
		var from, until sql.NullInt64
		if err := rows.Scan(&membership, &kind, &ref, &role, &version, &from, &until); err != nil {
			return err
		}
		at, current := places[string(membership)]
		if !current {
			return nil
		}
		who, m := &p.people[at[0]], &p.members[at[1]]
		who.odd = who.odd || Kind(kind) != KindRule || until.Valid || from.Int64 > now
		p.grounds = append(p.grounds, packedGround{ref: p.name(ref), role: policies.Role(p.name(role)), version: version, from: from.Int64, next: m.first})
		m.first = int32(len(p.grounds) - 1)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read reasons: %w", err)
	}
	return nil
}

func (p *packed) person(person id.Person) int32 {
	n, known := p.number[person]
	if !known {
		n = int32(len(p.people))
		p.people, p.number[person] = append(p.people, packedPerson{id: person, first: -1}), n
	}
	return n
}

func (p *packed) name(raw sql.RawBytes) string {
	t, known := p.names[string(raw)]
	if !known {
		t = string(raw)
		p.names[t] = t
	}
	return t
}

// odd answers those who stand on more than rules.
func (p *packed) odd() []id.Person {
	var out []id.Person
	for _, who := range p.people {
		if who.odd {
			out = append(out, who.id)
		}
	}
	return out
}

// stands tells whether a person has exactly the places that matches give, none of them with a window.
func (p *packed) stands(person id.Person, matches []Match) bool {
	n, known := p.number[person]
	if !known {
		return len(matches) == 0
	}
	grounds := 0
	for m := p.people[n].first; m >= 0; m = p.members[m].next {
		member := &p.members[m]
		role := policies.Role("")
		for g := member.first; g >= 0; g = p.grounds[g].next {
			ground := &p.grounds[g]
			if !slices.ContainsFunc(matches, func(o Match) bool {
				return o.Ref == ground.ref && o.Role == ground.role && o.Group == member.group && o.From.IsZero() && o.Until.IsZero()
			}) {
				return false
			}
			if ground.role.Strength() > role.Strength() {
				role = ground.role
			}
			grounds++
		}
		if role != member.role {
			return false
		}
	}
	return grounds == len(matches)
}

// memberships answers what a person has who is not odd; no reason has an id.
func (p *packed) memberships(person id.Person) []Membership {
	n, known := p.number[person]
	if !known {
		return nil
	}
	var out []Membership
	for m := p.people[n].first; m >= 0; m = p.members[m].next {
		member := &p.members[m]
		o := Membership{ID: member.id, Person: person, Group: member.group, Role: member.role}
		for g := member.first; g >= 0; g = p.grounds[g].next {
			ground := &p.grounds[g]
			r := Reason{Kind: KindRule, Ref: ground.ref, Role: ground.role, Version: ground.version}
			if ground.from != 0 {
				r.From = db.At(time.UnixMicro(ground.from)).Time
			}
			o.Reasons = append(o.Reasons, r)
		}
		out = append(out, o)
	}
	return out
}
