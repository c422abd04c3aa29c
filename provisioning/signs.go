package provisioning

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Sign is what a person lost within the window: an attribute that rules use, by the word of a source; or (Was) a unit, or a directory
// group. What many lost alike may have one cause.
type Sign struct {
	Source id.Source // of an attribute
	Field  string    // an attribute, directory.LossUnit or directory.LossGroup
	Was    string    // of a place: which
}

// signAdmin is the sign of administrators whom a source misses: that somebody of them is to go is never inferred.
const signAdmin = "administrator"

// Signs are those of the people of a batch, and how many people bear each.
type Signs struct {
	Of     map[id.Person][]Sign
	Counts map[Sign]directory.LossCount
}

// signsOf answers what a loss is a sign of: a unit is an attribute, and a place.
func signsOf(l directory.Loss, uses map[string]bool) []Sign {
	attribute, place := Sign{Source: l.Source, Field: l.Field}, Sign{Field: l.Field, Was: l.Was}
	switch {
	case l.Field == directory.LossGroup:
		return []Sign{place}
	case !uses[l.Field]:
		return nil
	case l.Field == directory.LossUnit:
		return []Sign{attribute, place}
	}
	return []Sign{attribute}
}

// signs reads what the people of removals that nobody decided lost, and counts everybody who lost the same, but where that is counted.
func (r *Reactor) signs(ctx context.Context, tx *db.Tx, c *catalog, removals []Removal, counted map[Sign]directory.LossCount) (Signs, error) {
	out := Signs{Counts: maps.Clone(counted)}
	if out.Counts == nil {
		out.Counts = map[Sign]directory.LossCount{}
	}
	var err error
	if out.Of, err = r.bear(ctx, tx, c, removals); err != nil {
		return out, err
	}
	var open []Sign
	for _, signs := range out.Of {
		for _, s := range signs {
			if _, counted := out.Counts[s]; !counted {
				open = append(open, s)
			}
		}
	}
	if err := r.countSigns(ctx, tx, open, out.Counts); err != nil {
		return out, err
	}
	if !slices.ContainsFunc(removals, Removal.wanders) {
		return out, nil
	}
	if err := r.signAdmins(tx, removals, out); err != nil {
		return out, err
	}
	for i, removal := range removals {
		if removal.wanders() {
			removals[i].Signs = out.Of[removal.Person]
		}
	}
	return out, nil
}

// bear reads what the people of removals that nobody decided lost, and notes it with the removals.
func (r *Reactor) bear(ctx context.Context, tx *db.Tx, c *catalog, removals []Removal) (map[id.Person][]Sign, error) {
	of := map[id.Person][]Sign{}
	var people []id.Person
	for _, removal := range removals {
		if removal.wanders() {
			people = append(people, removal.Person)
		}
	}
	if len(people) == 0 {
		return of, nil
	}
	losses, err := r.directory.In(tx).Losses(ctx, r.clock().Add(-Window), distinct(people))
	if err != nil {
		return of, fmt.Errorf("read losses: %w", err)
	}
	for _, l := range losses {
		of[l.Person] = append(of[l.Person], signsOf(l, c.uses)...)
	}
	for i, removal := range removals {
		if removal.wanders() {
			removals[i].Signs = of[removal.Person]
		}
	}
	return of, nil
}

// countSigns counts, into counts, who bears each of these signs.
func (r *Reactor) countSigns(ctx context.Context, tx *db.Tx, signs []Sign, counts map[Sign]directory.LossCount) (err error) {
	in, since := r.directory.In(tx), r.clock().Add(-Window)
	var groups []id.DirectoryGroup
	for _, s := range signs {
		if _, done := counts[s]; done {
			continue
		}
		switch {
		case s.Was == "":
			counts[s], err = in.LostAttribute(ctx, since, s.Source, s.Field)
		case s.Field == directory.LossUnit:
			counts[s], err = in.LostUnit(ctx, since, s.Was)
		default:
			groups, counts[s] = append(groups, id.DirectoryGroup(s.Was)), directory.LossCount{}
		}
		if err != nil {
			return err
		}
	}
	lost, err := in.LostGroups(ctx, since, groups)
	for group, n := range lost {
		counts[Sign{Field: directory.LossGroup, Was: string(group)}] = n
	}
	return err
}

// signAdmins marks the administrators among those whom a source misses.
func (r *Reactor) signAdmins(tx *db.Tx, removals []Removal, out Signs) error {
	admins, err := r.admins(tx)
	if err != nil {
		return err
	}
	s := Sign{Field: signAdmin, Was: signAdmin}
	for _, removal := range removals {
		if removal.Cause == CauseAbsence && slices.Contains(admins, removal.Person) && !slices.Contains(out.Of[removal.Person], s) {
			out.Of[removal.Person] = append(out.Of[removal.Person], s)
			if counted := out.Counts[s]; counted.Lost < len(admins) {
				out.Counts[s] = directory.LossCount{Lost: counted.Lost + 1, Had: len(admins)}
			}
		}
	}
	return nil
}

func (r *Reactor) admins(tx *db.Tx) ([]id.Person, error) {
	if r.Admins == nil {
		return nil, nil
	}
	admins, err := r.Admins(tx)
	if err != nil {
		return nil, fmt.Errorf("read administrators: %w", err)
	}
	return admins, nil
}

// spareAdmins is ErrLastAdmin where letting these removals through would leave no administrator who can get in.
func (r *Reactor) spareAdmins(ctx context.Context, removals []HeldRemoval) error {
	var left, going []id.Person
	err := r.look(ctx, func(tx *db.Tx, _ *catalog) error {
		admins, err := r.admins(tx)
		if err != nil || len(admins) == 0 {
			return err
		}
		fenced, err := loadFences(tx.DB, admins)
		if err != nil {
			return err
		}
		standing, err := r.directory.In(tx).StandingFreezes(ctx, admins)
		if err != nil {
			return err
		}
		now := r.clock()
		for _, p := range admins {
			absent := slices.ContainsFunc(removals, func(h HeldRemoval) bool { return h.Person == p && h.Cause == CauseAbsence })
			out := slices.ContainsFunc(fenced[p], func(f fenceRow) bool { return f.Slot == slotAbsent }) ||
				slices.ContainsFunc(standing[p], func(f directory.Freeze) bool { return f.OpenAt(now) })
			switch {
			case absent:
				going = append(going, p)
			case !out:
				left = append(left, p)
			}
		}
		return nil
	})
	if err == nil && len(going) > 0 && len(left) == 0 {
		err = ErrLastAdmin
	}
	return err
}

// wanders tells whether a removal follows from what a source says of a person who is there, or is silent about.
func (r Removal) wanders() bool { return r.Cause == CauseMove || r.Cause == CauseAbsence }

// spread finds the signs that too many bear: an attribute that many people of a source lost or changed, a unit or a directory group of
// which too large a part went.
func (g Guard) spread(b Batch) []Breach {
	borne := map[Sign]map[Cause]bool{}
	for _, r := range b.Removals {
		for _, s := range r.Signs {
			if borne[s] == nil {
				borne[s] = map[Cause]bool{}
			}
			borne[s][r.Cause] = true
		}
	}
	var out []Breach
	for s, causes := range borne {
		breach, found := g.sign(s, b.Counts[s])
		if !found {
			continue
		}
		for cause := range causes {
			if breach.Cause = cause; s.Was != "" || cause == CauseMove {
				out = append(out, breach)
			}
		}
	}
	return out
}

// sign judges one sign by how many bear it.
func (g Guard) sign(s Sign, n directory.LossCount) (Breach, bool) {
	if s.Field == signAdmin {
		return Breach{Admin: true, People: n.Lost, Of: n.Had}, true
	}
	if s.Was != "" {
		limit, b := g.Limits.Unit, Breach{Unit: id.Unit(s.Was), People: n.Lost, Of: n.Had}
		if s.Field == directory.LossGroup {
			limit, b.Unit, b.DirectoryGroup = g.Limits.Group, "", id.DirectoryGroup(s.Was)
		}
		b.Limit = int(limit.Percent * float64(n.Had) / 100)
		return b, n.Had >= limit.People && n.Lost > 0 && float64(n.Lost)*100 >= limit.Percent*float64(n.Had)
	}
	b := Breach{Source: s.Source, Attribute: s.Field, Of: n.Had}
	if b.Limit = most(g.Limits.Cleared.People, g.Limits.Cleared.Percent, n.Had); n.Cleared > b.Limit {
		b.People, b.Cleared = n.Cleared, true
		return b, true
	}
	b.People, b.Limit = n.Lost, most(g.Limits.Attribute.People, g.Limits.Attribute.Percent, n.Had)
	return b, n.Lost > b.Limit
}

func most(people int, percent float64, of int) int { return max(people, int(percent*float64(of)/100)) }

// sign answers by what a breach knows its removals, where it is one of a sign.
func (b Breach) sign() (Sign, bool) {
	switch {
	case b.Admin:
		return Sign{Field: signAdmin, Was: signAdmin}, true
	case b.Attribute != "":
		return Sign{Source: b.Source, Field: b.Attribute}, true
	case b.Unit != "":
		return Sign{Field: directory.LossUnit, Was: string(b.Unit)}, true
	case b.DirectoryGroup != "":
		return Sign{Field: directory.LossGroup, Was: string(b.DirectoryGroup)}, true
	}
	return Sign{}, false
}

// scope tells holds of one cause and source apart.
func (b Breach) scope() string {
	s, ok := b.sign()
	if !ok {
		return ""
	}
	return s.Field + " " + s.Was
}
