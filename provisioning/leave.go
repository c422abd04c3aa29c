package provisioning

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// A leave is a freeze, or, where people on leave may read, a pause: another object of the model with the same window, which
// leaves reading. The memberships of somebody on leave stay as they are and follow the rules meanwhile.

// readsOn tells whether a freeze is one that leaves reading.
func readsOn(f directory.Freeze, leave directory.LeaveRule) bool {
	return leave.ReadOnly && f.Cause == directory.CauseLeave
}

// leaveSlot tells whether a slot is one of a source's leaves: "leave.<source>", "leave2.<source>".
func leaveSlot(slot string) bool { return strings.HasPrefix(slot, string(directory.CauseLeave)) }

// denial answers the object that stands for the freezes of a slot, and what it is to the organisation.
func denial(slot string, leave directory.LeaveRule) (object, relation string) {
	if leave.ReadOnly && leaveSlot(slot) {
		return "pause:" + slot, "paused"
	}
	return freezeRef(slot), "frozen"
}

// EnforceLeaves makes the tuples of all leaves what the rule in force wants of them, after it may have been changed; where they are,
// it writes nothing. Call it before anything is decided.
func (r *Reactor) EnforceLeaves(ctx context.Context) error {
	var rows []fenceRow
	if err := r.db.Read(ctx).Raw("select * from fences where slot like 'leave%' order by person, slot").Scan(&rows).Error; err != nil {
		return fmt.Errorf("read leaves: %w", err)
	}
	other := directory.LeaveRule{ReadOnly: !r.directory.Leave.ReadOnly}
	for part := range slices.Chunk(rows, chunkMost) {
		people := make([]id.Person, len(part))
		for i, row := range part {
			people[i] = row.Person
		}
		err := r.db.Tx(ctx, func(tx *db.Tx) error {
			standing, err := r.directory.In(tx).StandingFreezes(ctx, distinct(people))
			if err != nil {
				return fmt.Errorf("read freezes: %w", err)
			}
			var changes []authz.Change
			for _, row := range part {
				object, relation := denial(row.Slot, other)
				changes = append(changes, authz.Remove(authz.Tuple{User: object + "#subject", Relation: relation, Object: organisation}),
					authz.Remove(authz.Tuple{User: userRef(row.Person), Relation: "subject", Object: object}))
				for _, f := range standing[row.Person] {
					if f.Slot != row.Slot {
						continue
					}
					for _, t := range freezeTuples(f, r.directory.Leave, r.clock()) {
						changes = append(changes, authz.Put(t))
					}
				}
			}
			_, err = r.authz.Append(tx, changes...)
			return err
		})
		if err != nil {
			return fmt.Errorf("enforce leaves: %w", err)
		}
	}
	return nil
}

// pauseText says that a person on leave may read.
func pauseText(f directory.Freeze) Text {
	since := f.From
	if since.IsZero() {
		since = f.CreatedAt
	}
	t := Text{"On leave since " + dayText(since) + ": reading only", "自 " + dayText(since) + " 起休假：仅可阅读"}
	if !f.Until.IsZero() {
		t = Text{t.EN + ", until " + dayText(f.Until), t.ZH + "，至 " + dayText(f.Until)}
	}
	return t
}
