package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// UndoneAt tells whether a source disabled or deleted the person, and that is set aside at t (UndoFreeze): until From.
func (f Freeze) UndoneAt(t time.Time) bool {
	return (f.Cause == CauseDisabled || f.Cause == CauseDeleted) && f.LiftedAt.IsZero() && f.From.After(t)
}

// loosens tells whether f takes the place of a freeze of its slot that denies now, and does not.
func loosens(s *subject, f Freeze, now time.Time) bool {
	return !f.OpenAt(now) && slices.ContainsFunc(s.standing, func(o Freeze) bool { return o.Slot == f.Slot && o.OpenAt(now) })
}

// undoLinks adds the records that a freeze speaks for to those that are locked first.
func (w *work) undoLinks(c UndoFreeze, links map[id.Link]bool) error {
	var found []id.Link
	if err := w.tx.Raw(`select r.link from freezes f join records r on r.person_id = f.person_id and r.source_id = f.source_id
		where f.id = ?`, c.Freeze).Scan(&found).Error; err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	for _, link := range found {
		links[link] = true
	}
	return nil
}

// undoFreeze sets aside what the records behind a freeze say. They are locked, so that what the source says at the
// same time is either undone knowingly or stands.
func (w *work) undoFreeze(c UndoFreeze) (Outcome, error) {
	var row freezeRow
	done := w.tx.Raw("select * from freezes where id = ?", c.Freeze).Scan(&row)
	if done.Error != nil {
		return "", fmt.Errorf("read freezes: %w", done.Error)
	}
	f := row.freeze()
	switch {
	case done.RowsAffected == 0:
		return "", fmt.Errorf("freeze %s: %w", c.Freeze, ErrNotFound)
	case f.Cause != CauseDisabled && f.Cause != CauseDeleted:
		return "", fmt.Errorf("%w: %s", ErrNotUndone, otherWay(f.Cause))
	case !c.Until.After(w.now):
		return "", fmt.Errorf("%w: the undo would be over already", ErrInvalid)
	}
	w.applied.Freezes[w.index] = f
	if !f.LiftedAt.IsZero() {
		return Unchanged, nil
	}
	if _, twice := w.undone[f.Person]; twice {
		return "", fmt.Errorf("%w: one freeze of a person at a time", ErrInvalid)
	}
	outcome := Unchanged
	for _, e := range w.order {
		r := &e.after
		if r.Person != f.Person || r.Source != f.Source || r.DeletedAt.IsZero() == (f.Cause == CauseDeleted) || r.DeletedAt.IsZero() && r.Active {
			continue
		}
		r.SetAsideUntil, e.index, outcome = micro(c.Until), w.index, Updated
	}
	if outcome == Updated {
		w.undone[f.Person] = w.index
	}
	return outcome, nil
}

// otherWay says how a freeze ends that no undo sets aside: with what it follows from.
func otherWay(cause FreezeCause) string {
	switch cause {
	case CauseEnded:
		return "the source that names the end of the employment corrects or takes back that date; with its call the person is back as before, and only who was disabled or deleted is restored"
	case CausePending, CauseLeave:
		return "it follows from a date of the source: when the source corrects the first day or the leave it is lifted with that call"
	case CauseVeto:
		return "a person was terminated here, at once: lift it by POST /api/v1/people/{id}/unfreeze, and what the sources say counts again"
	}
	return "it was set here: lift it by POST /api/v1/people/{id}/unfreeze"
}

// Disabled answers the standing freezes by which a source disabled or deleted, after since, people who were there
// before, oldest first; of these people only, where some are named. What is set aside does not count.
func (r Reader) Disabled(ctx context.Context, source id.Source, since time.Time, people ...id.Person) ([]Freeze, error) {
	const query = `select f.* from freezes f join persons p on p.id = f.person_id where f.source_id = ? and f.created_at > ?
		and f.lifted_at is null and f.from_at is null and f.cause in ('disabled', 'deleted') and p.created_at < f.created_at`
	var rows []freezeRow
	if len(people) == 0 {
		if err := r.from(ctx).Raw(query+" order by f.created_at, f.id", source, db.At(since)).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read freezes: %w", err)
		}
		return freezesFrom(rows), nil
	}
	for part := range slices.Chunk(people, chunk) {
		var some []freezeRow
		if err := r.from(ctx).Raw(query+" and f.person_id in ? order by f.created_at, f.id", source, db.At(since), part).Scan(&some).Error; err != nil {
			return nil, fmt.Errorf("read freezes: %w", err)
		}
		rows = append(rows, some...)
	}
	return freezesFrom(rows), nil
}

// StandingFreezes answers the freezes of these people that are not lifted, in the order of their making per person.
func (r Reader) StandingFreezes(ctx context.Context, people []id.Person) (map[id.Person][]Freeze, error) {
	out := make(map[id.Person][]Freeze, len(people))
	for part := range slices.Chunk(people, chunk) {
		list, err := r.standing(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			out[f.Person] = append(out[f.Person], f)
		}
	}
	return out, nil
}

func freezesFrom(rows []freezeRow) []Freeze {
	out := make([]Freeze, len(rows))
	for i, row := range rows {
		out[i] = row.freeze()
	}
	return out
}

// OpenedBy answers the standing freezes by which one call, or one run of a source, disabled or deleted people, oldest first.
func (r Reader) OpenedBy(ctx context.Context, request id.Request) ([]Freeze, error) {
	var rows []freezeRow
	if err := r.from(ctx).Raw(`select * from freezes where request = ? and request <> '' and lifted_at is null and from_at is null
		and cause in ('disabled', 'deleted') and source_id <> '' order by created_at, id`, request).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read freezes: %w", err)
	}
	return freezesFrom(rows), nil
}

// Bars tells whether these freezes keep somebody out at an instant.
func (r Reader) Bars(freezes []Freeze, at time.Time) bool {
	_, frozen, _ := statusOf(freezes, at, *r.leave)
	return frozen
}
