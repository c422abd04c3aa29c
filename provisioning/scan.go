package provisioning

import (
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// scan assesses everybody, or those of some where that is not nil, on the state that tx sees, and calls see for those for whom there is anything to do: first,
// in order of id, for those who have to be looked at one by one, then, in order of id, for all others. It answers what gather does, by another way: most people
// are plain (directory.Crowd) and stand on rules alone. All that these have is read in a few strokes and packed, and they are judged while they are
// read. An assessment of the latter kind has no reason with an id: it tells what would be done, and is not for writing.
func (r *Reactor) scan(tx *db.Tx, run *run, c *catalog, some []id.Person, see func(a assessment, plain bool) error) error {
	if some != nil && len(some) == 0 {
		return nil
	}
	now := r.clock()
	in := r.directory.In(tx)
	crowd, err := in.Crowd(tx, c.uses["groups"], some...)
	if err != nil {
		return err
	}
	p, err := pack(tx.DB, crowd.Known, some, now)
	if err != nil {
		return err
	}
	odd := p.odd()
	back, err := c.following.returnees(tx.DB)
	if err != nil {
		return err
	}
	odd = append(odd, back...)
	for part := range slices.Chunk(distinct(append(slices.Clone(crowd.Involved), odd...)), chunkMost) {
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
	seen := make(map[id.Person]bool, len(odd))
	for _, person := range odd {
		seen[person] = true
	}
	if run.above = nil; c.uses["managers"] {
		if run.above, err = in.AllHeads(tx); err != nil {
			return err
		}
	}
	return crowd.Each(func(f directory.Fact) error {
		if seen[f.Person.ID] {
			return nil
		}
		var have []Membership
		if c.separates() {
			have = p.memberships(f.Person.ID)
		}
		d := run.due(c, f, have, nil, now) // who is plain has nothing ahead
		if len(d.failed) == 0 && p.stands(f.Person.ID, d.matches) && !p.sighted(f.Person.ID, c.sighted) {
			return nil
		}
		have = p.memberships(f.Person.ID)
		a := run.compare(c, f, have, have, nil, d, now)
		if a.have = c.resighted(have); !a.idle() {
			return see(a, true)
		}
		return nil
	})
}
