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

// packed is every current membership with its reasons, small: some 80 bytes for each, in few allocations.
type packed struct {
	some    []id.Person // nil: everybody
	number  map[id.Person]int32
	people  []packedPerson
	members []packedMember
	ids     idTable // as members
	grounds []packedGround
	names   []string // groups, refs and roles, each once
	named   map[string]int32
}

type packedPerson struct {
	id    id.Person
	first int32 // of members; -1: none
	odd   bool  // something beside the rules, or a window, is to be looked at
}

type packedMember struct {
	person      int32
	group, role int32 // of names
	next        int32 // of the same person
	first       int32 // of grounds
}

// packedGround is a reason by a rule, without an end.
type packedGround struct {
	ref, role int32 // of names
	next      int32
	version   int64
	from      int64 // in microseconds; 0: open
}

// pack reads all current memberships, or those of some where that is not nil. known are the people of the directory among them: others are odd.
func pack(q reader, known, some []id.Person, now time.Time) (*packed, error) {
	p := &packed{some: some, number: make(map[id.Person]int32, len(known)), people: make([]packedPerson, len(known)), named: map[string]int32{}}
	for i, person := range known {
		p.people[i], p.number[person] = packedPerson{id: person, first: -1}, int32(i)
	}
	if err := p.readMembers(q); err != nil {
		return nil, err
	}
	if err := p.readGrounds(q, now.UnixMicro()); err != nil {
		return nil, err
	}
	p.ids.slots = nil // nobody is looked for any more
	for _, query := range []string{"select person from held_removals where ended_at is null and %s", "select person from fences where %s", "select person from failures where %s"} {
		if err := p.each(q, query, "person", func(rows *sql.Rows) error {
			var person sql.RawBytes
			err := rows.Scan(&person)
			p.people[p.person(person)].odd = true
			return err
		}); err != nil {
			return nil, fmt.Errorf("read what is held: %w", err)
		}
	}
	return p, nil
}

// each calls fn for every row of a query whose %s is where the people are chosen by column.
func (p *packed) each(q reader, query, column string, fn func(*sql.Rows) error) error {
	if p.some == nil {
		return each(q, fmt.Sprintf(query, "1 = 1"), nil, fn)
	}
	return eachOf(q, fmt.Sprintf(query, column+" in ?"), p.some, fn)
}

// eachOf calls fn for every row of a query of these.
func eachOf[T any](q reader, query string, these []T, fn func(*sql.Rows) error) error {
	for part := range slices.Chunk(these, chunkMost) {
		if err := each(q, query, []any{db.Pad(part)}, fn); err != nil {
			return err
		}
	}
	return nil
}

// each calls fn for every row.
func each(q reader, query string, args []any, fn func(*sql.Rows) error) error {
	rows, err := q.Raw(query, args...).Rows()
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

// readMembers reads the memberships.
func (p *packed) readMembers(q reader) error {
	err := p.each(q, "select id, person, group_id, role, begins_at from memberships where ended_at is null and %s", "person", func(rows *sql.Rows) error {
		var membership, person, group, role sql.RawBytes
		var begins sql.NullInt64
		if err := rows.Scan(&membership, &person, &group, &role, &begins); err != nil {
			return err
		}
		n := p.person(person)
		who := &p.people[n]
		p.ids.add(membership)
		p.members = append(p.members, packedMember{person: n, group: p.name(group), role: p.name(role), next: who.first, first: -1})
		who.first = int32(len(p.members) - 1)
		who.odd = who.odd || begins.Valid
		return nil
	})
	if err != nil {
		return fmt.Errorf("read memberships: %w", err)
	}
	return nil
}

func (p *packed) readGrounds(q reader, now int64) error {
	p.grounds = make([]packedGround, 0, len(p.members))
	row := func(rows *sql.Rows) error {
		var membership, kind, ref, role sql.RawBytes
		var version int64
		var from, until sql.NullInt64
		if err := rows.Scan(&membership, &kind, &ref, &role, &version, &from, &until); err != nil {
			return err
		}
		at, current := p.ids.find(membership)
		if !current {
			return nil
		}
		m := &p.members[at]
		who := &p.people[m.person]
		who.odd = who.odd || Kind(kind) != KindRule || until.Valid || from.Int64 > now
		p.grounds = append(p.grounds, packedGround{ref: p.name(ref), role: p.name(role), version: version, from: from.Int64, next: m.first})
		m.first = int32(len(p.grounds) - 1)
		return nil
	}
	const columns = "select r.membership, r.kind, r.ref, r.role, r.policy_version, r.starts_at, r.until from "
	var err error
	if p.some == nil {
		err = each(q, columns+"reasons r where r.ended_at is null", nil, row)
	} else {
		err = eachOf(q, columns+"memberships m join reasons r on r.membership = m.id where m.ended_at is null and r.ended_at is null and m.person in ?", p.some, row)
	}
	if err != nil {
		return fmt.Errorf("read reasons: %w", err)
	}
	return nil
}

// person answers the place of a person; of one whom the directory does not know a new one, who is odd.
func (p *packed) person(person sql.RawBytes) int32 {
	n, known := p.number[id.Person(person)]
	if !known {
		n = int32(len(p.people))
		who := packedPerson{id: id.Person(person), first: -1, odd: true}
		p.people, p.number[who.id] = append(p.people, who), n
	}
	return n
}

func (p *packed) name(raw sql.RawBytes) int32 {
	n, known := p.named[string(raw)]
	if !known {
		n = int32(len(p.names))
		p.names = append(p.names, string(raw))
		p.named[p.names[n]] = n
	}
	return n
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
				return o.Ref == p.names[ground.ref] && string(o.Role) == p.names[ground.role] && string(o.Group) == p.names[member.group] && o.From.IsZero() && o.Until.IsZero()
			}) {
				return false
			}
			if given := policies.Role(p.names[ground.role]); given.Strength() > role.Strength() {
				role = given
			}
			grounds++
		}
		if string(role) != p.names[member.role] {
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
		o := Membership{ID: id.Membership(p.ids.text(m)), Person: person, Group: id.Group(p.names[member.group]), Role: policies.Role(p.names[member.role])}
		for g := member.first; g >= 0; g = p.grounds[g].next {
			ground := &p.grounds[g]
			r := Reason{Kind: KindRule, Ref: p.names[ground.ref], Role: policies.Role(p.names[ground.role]), Version: ground.version}
			if ground.from != 0 {
				r.From = db.At(time.UnixMicro(ground.from)).Time
			}
			o.Reasons = append(o.Reasons, r)
		}
		out = append(out, o)
	}
	return out
}
