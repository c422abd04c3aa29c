package provisioning

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// loadRejected answers, of those reasons by which a rejected hold keeps a membership, why it would have ended.
func loadRejected(q reader, reasons []reasonRow) (map[id.Reason]Cause, error) {
	var holds []string
	var members []id.Membership
	for _, r := range reasons {
		if r.Kind == KindKeep {
			holds, members = append(holds, r.Ref), append(members, r.Membership)
		}
	}
	if len(members) == 0 {
		return nil, nil
	}
	slices.Sort(holds)
	holds = slices.Compact(holds)
	causes := map[ground]map[id.Membership]Cause{}
	for part := range slices.Chunk(members, chunkMost) {
		for of := range slices.Chunk(holds, chunkMost) {
			var rows []heldRow
			if err := q.Raw("select * from held_removals where membership in ? and hold in ?", db.Pad(part), db.Pad(of)).Scan(&rows).Error; err != nil {
				return nil, fmt.Errorf("read rejected holds: %w", err)
			}
			for _, row := range rows {
				by := ground{ref: string(row.Hold)}
				if causes[by] == nil {
					causes[by] = map[id.Membership]Cause{}
				}
				causes[by][row.Membership] = cmp.Or(row.NowCause, row.Cause)
			}
		}
	}
	out := map[id.Reason]Cause{}
	for _, r := range reasons {
		if r.Kind == KindKeep {
			out[r.ID] = causes[ground{ref: r.Ref}][r.Membership]
		}
	}
	return out, nil
}

// placed is a digest of where somebody works: what makes a move when it changes. It outlives the person's data, and says nothing of it.
func placed(p directory.Person) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(p.ID), string(p.Unit), string(p.Manager), p.Title, p.Department, p.Division, p.Organization, p.Company,
		p.CostCenter, p.EmployeeType}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// said notes what is said of somebody, now and for each instant to come that is known, of the attributes that the rules of a group ask for: that is what a rejected
// move is about. It is their names, and a digest of each state. Directory groups are not among them: nothing comes in the place of one that is lost.
func (c *catalog) said(group id.Group, f directory.Fact) string {
	if c.policy == nil {
		return ""
	}
	names := strings.Join(slices.Sorted(maps.Keys(c.policy.Asks(c.key(group)))), ",")
	states := []string{sayings(names, f.Person)}
	for _, ahead := range f.Ahead {
		states = append(states, sayings(names, ahead.Person))
	}
	return names + ":" + strings.Join(states, ",")
}

func sayings(names string, p directory.Person) string {
	asked := strings.Split(names, ",")
	values := directory.DiffPerson(directory.Person{}, p)
	values = slices.DeleteFunc(values, func(f directory.Field) bool { return !slices.Contains(asked, f.Name) })
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %q", p.ID, values))
	return hex.EncodeToString(sum[:8])
}

// overtaken answers have without what a rejected move keeps of somebody of whom something else is said by now.
func overtaken(have []Membership, p directory.Person) []Membership {
	out := slices.Clone(have)
	for i, m := range out {
		out[i].Reasons = slices.DeleteFunc(slices.Clone(m.Reasons), func(r Reason) bool {
			names, states, noted := strings.Cut(r.placed, ":")
			return r.Kind == KindKeep && r.against == CauseMove && noted && !slices.Contains(strings.Split(states, ","), sayings(names, p))
		})
	}
	return out
}

func keeps(have []Membership) bool {
	return slices.ContainsFunc(have, func(m Membership) bool {
		return slices.ContainsFunc(m.Reasons, func(r Reason) bool { return r.Kind == KindKeep })
	})
}

// unkept answers have without what an undo or a rejected hold keeps and nothing asks for any more: the facts that it was about came back, the
// person works elsewhere than they did at the undo, or a rejected membership would end for another reason now, which the guard judges anew. See overtaken, too. It is pure.
func unkept(have []Membership, matches []Match, s Standing, now time.Time) []Membership {
	if !keeps(have) {
		return have
	}
	kept := func(r Reason) bool { return r.Kind == KindKeep }
	bare := slices.Clone(have)
	for i := range bare {
		bare[i].Reasons = slices.DeleteFunc(slices.Clone(bare[i].Reasons), kept)
	}
	seats := map[id.Group]Seat{}
	for _, seat := range Desired(bare, matches, s, now) {
		seats[seat.Group] = seat
	}
	out := slices.Clone(have)
	for i, m := range out {
		seat, wanted := seats[m.Group]
		out[i].Reasons = slices.DeleteFunc(slices.Clone(m.Reasons), func(r Reason) bool {
			moved := r.against == "" && r.placed != "" && s.Placed != "" && r.placed != s.Placed && !s.Terminated && !s.Absent
			switch {
			case !kept(r) || !r.Until.IsZero() && !now.Before(r.Until): // one that is over is for Desired
				return false
			case moved:
				return true
			case r.against == "": // an undo gave a role back; so long as nothing else gives as much it stands
				return wanted && anyOpen(seat.Reasons, now) && seat.Role(now).Strength() >= r.Role.Strength()
			case wanted && !anyOpen(seat.Reasons, now):
				return false
			case wanted && r.against == CauseMove && !closes(seat.Reasons).IsZero(): // announced, and rejected for that
				return false
			case wanted:
				return true
			}
			return causeOf(Change{Op: OpRemove, Group: m.Group, Before: m}, s, now) != r.against
		})
	}
	return out
}

// placesOf answers where each of these people works, as a keep notes it.
func placesOf(facts []directory.Fact) map[id.Person]string {
	out := make(map[id.Person]string, len(facts))
	for _, f := range facts {
		out[f.Person.ID] = placed(f.Person)
	}
	return out
}
