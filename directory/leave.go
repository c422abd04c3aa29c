package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// LeaveRule says what a leave of absence means. The zero value is the strict one: no access until the date of return.
type LeaveRule struct {
	ReadOnly bool // people on leave may read, and nothing else
	Stays    bool // a leave ends when its source takes it back, not by the date that it gave
}

// RefreshLeaves writes, for everybody of whom a source tells a leave, what the rule in force makes of it. Where that stands
// already it writes nothing. It is for the start of a process, after the rule may have been changed.
func (s *Store) RefreshLeaves(ctx context.Context) error {
	var people []id.Person
	if err := s.db.Read(ctx).Raw(`select distinct person_id from records where deleted_at is null and person_id is not null
		and (leave_from is not null or leave_until is not null) order by person_id`).Scan(&people).Error; err != nil {
		return fmt.Errorf("read leaves: %w", err)
	}
	for part := range slices.Chunk(people, duePart) {
		if _, err := s.Apply(ctx, Cause{Reason: "configuration"}, RefreshPeople{People: part}); err != nil {
			return fmt.Errorf("write leaves: %w", err)
		}
	}
	return nil
}

// Boundary is an instant at which somebody's employment or leave ends, as sources say it, or from which on they are missed.
type Boundary struct {
	Person id.Person
	At     time.Time
}

// Ends answers whose planned end lies in (after, until], in order of time, but for guests: whoever answers for them is told by who let them in.
func (r Reader) Ends(ctx context.Context, after, until time.Time) ([]Boundary, error) {
	return r.boundariesOf(ctx, `select person_id, from_at as at from freezes where cause = ? and lifted_at is null and from_at > ? and from_at <= ?
		and coalesce(source_id, '') not in (select id from sources where kind = ?) order by from_at, person_id`,
		CauseEnded, db.At(after), db.At(until), KindGuests)
}

// LeavesOver answers of whom a source still tells a leave whose date of return lies in (after, until]: nobody has said that they are back.
func (r Reader) LeavesOver(ctx context.Context, after, until time.Time) ([]Boundary, error) {
	return r.boundariesOf(ctx, `select person_id, leave_until as at from records where leave_until > ? and leave_until <= ? and deleted_at is null
		and active and person_id is not null order by leave_until, person_id`, db.At(after), db.At(until))
}

func (r Reader) boundariesOf(ctx context.Context, query string, args ...any) ([]Boundary, error) {
	var rows []struct {
		PersonID id.Person
		At       db.Instant
	}
	if err := r.from(ctx).Raw(query, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read boundaries: %w", err)
	}
	out := make([]Boundary, len(rows))
	for i, row := range rows {
		out[i] = Boundary{Person: row.PersonID, At: row.At.Time}
	}
	return out, nil
}
