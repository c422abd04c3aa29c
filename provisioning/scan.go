package provisioning

import (
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// scan assesses everybody on the state that tx sees, and calls see for those for whom there is anything to do: first, in order of id, for those
// who have to be looked at one by one, then, in order of id, for all others. It answers what gather does, by another way: most people
// are plain (directory.EachPlain) and stand on rules alone. All that these have is read in a few strokes and packed, and they are judged while they are
// read. An assessment of the latter kind has no reason with an id: it tells what would be done, and is not for writing.
func (r *Reactor) scan(tx *db.Tx, run *run, c *catalog, see func(a assessment, plain bool) error) error {
	now := r.clock()
	p, err := pack(tx.DB, now)
	if err != nil {
		return err
	}
	in := r.directory.In(tx)
	one, err := in.Involved(tx)
	if err != nil {
		return err
	}
	known, err := in.AllPeople(tx.Statement.Context)
	if err != nil {
		return fmt.Errorf("list people: %w", err)
	}
	one = distinct(append(append(one, p.odd()...), p.strangers(known)...))
	for part := range slices.Chunk(one, chunkMost) {
		list, err := r.gather(tx, run, c, part, false)
		if err != nil {
			return err
		}
		for _, a := range list {
			if !a.idle() {
				if err := see(a, false); err != nil {
					return err
				}
			}
		}
	}
	involved := make(map[id.Person]bool, len(one))
	for _, person := range one {
		involved[person] = true
	}
	if run.above = nil; c.uses["managers"] {
		if run.above, err = in.AllHeads(tx); err != nil {
			return err
		}
	}
	return in.EachPlain(tx, involved, c.uses["groups"], func(f directory.Fact) error {
		var have []Membership
		if c.separates() {
			have = p.memberships(f.Person.ID)
		}
		d := run.due(c, f, have, nil, now) // who is plain has nothing ahead
		if d.err == nil && p.stands(f.Person.ID, d.matches) {
			return nil
		}
		if a := run.compare(f, p.memberships(f.Person.ID), nil, d, now); !a.idle() {
			return see(a, true)
		}
		return nil
	})
}

// strangers answers those who have a membership and whom the directory does not know; known is in order.
func (p *packed) strangers(known []id.Person) []id.Person {
	var out []id.Person
	for _, who := range p.people {
		if _, found := slices.BinarySearch(known, who.id); !found {
			out = append(out, who.id)
		}
	}
	return out
}
