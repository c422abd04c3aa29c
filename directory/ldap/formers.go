package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
)

// A server without referential integrity leaves the names of members in groups as they are when an entry, or a unit above it, is renamed. Such a name
// leads to nobody. Who was in the group under it is the same person and stays in it, until somebody else is called so or the group names them no more;
// nobody comes into a group by it.

// members reads who of those that groups name as they were called before is in them, where that is not known from what was written last.
func (s *Syncer) members(ctx context.Context, p *pass) error {
	for o, shown := range p.groups {
		if !slices.ContainsFunc(shown.members, func(n *name) bool { return n != nil && n.owner == nil && n.former != nil }) {
			continue
		}
		set, _, former := p.members(shown)
		p.dangling = 0 // they are counted when the group is written
		if len(former) == 0 || p.d.members(append(set, former...)) == o.members {
			continue
		}
		g, err := s.Store.GroupByKey(ctx, s.Source.ID, o.key)
		if errors.Is(err, directory.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		in := map[string]bool{}
		for q := (directory.MemberQuery{Limit: batch, NoTotal: true}); ; {
			page, err := s.Store.Members(ctx, g.ID, q)
			if err != nil {
				return fmt.Errorf("read members: %w", err)
			}
			for _, m := range page.Members {
				in[m.Value], q.After = true, m.Value
			}
			if len(page.Members) < batch {
				break
			}
		}
		if p.stood == nil {
			p.stood = map[*object]map[string]bool{}
		}
		p.stood[o] = in
	}
	return nil
}

// stay adds to the members of a group those who stay in it although it names them as they were called before.
func (p *pass) stay(o *object, set, former []*object) []*object {
	if len(former) == 0 {
		return set
	}
	in, known := p.stood[o]
	if !known { // as it was written last
		if with := append(slices.Clone(set), former...); p.d.members(with) == o.members {
			p.stays += len(former)
			return with
		}
		return set
	}
	for _, m := range former {
		if in[m.key] {
			set = append(set, m)
			p.stays++
		}
	}
	return set
}

func (p *pass) tellFormers() {
	if p.stays > 0 {
		p.rep.find(Warning, "member_renamed", "%d members of groups are named as they were called before they were renamed: the server does not mend references; they stay until the group names them no more", p.stays)
	}
}
