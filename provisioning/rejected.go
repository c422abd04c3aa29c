package provisioning

import (
	"fmt"
	"slices"
	"time"

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
				causes[by][row.Membership] = row.Cause
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

// unkept answers have without what a rejected hold keeps and nothing asks for any more: the facts that it was about came back, or the
// membership would end for another reason now, which the guard judges anew. It is pure.
func unkept(have []Membership, matches []Match, s Standing, now time.Time) []Membership {
	rejected := func(r Reason) bool { return r.Kind == KindKeep && r.against != "" }
	if !slices.ContainsFunc(have, func(m Membership) bool { return slices.ContainsFunc(m.Reasons, rejected) }) {
		return have
	}
	bare := slices.Clone(have)
	for i := range bare {
		bare[i].Reasons = slices.DeleteFunc(slices.Clone(bare[i].Reasons), rejected)
	}
	seats := map[id.Group]Seat{}
	for _, seat := range Desired(bare, matches, s, now) {
		seats[seat.Group] = seat
	}
	out := slices.Clone(have)
	for i, m := range out {
		seat, wanted := seats[m.Group]
		out[i].Reasons = slices.DeleteFunc(slices.Clone(m.Reasons), func(r Reason) bool {
			switch {
			case !rejected(r) || !r.Until.IsZero() && !now.Before(r.Until): // one that is over is for Desired
				return false
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
