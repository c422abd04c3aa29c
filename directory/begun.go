package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// FreezesBegun answers the freezes that stand, deny now, and began to within [after, until): when they were set, or at their instant where
// that came later.
func (r Reader) FreezesBegun(ctx context.Context, after, until time.Time) ([]Freeze, error) {
	var rows []freezeRow
	now := db.At(r.now())
	if err := r.from(ctx).Raw(`select * from freezes where lifted_at is null and rev > 0 and (from_at is null or from_at <= ?) and (until_at is null or until_at > ?)
		and (created_at >= ? or from_at >= ?) and created_at < ? and (from_at is null or from_at < ?) order by created_at, id`,
		now, now, db.At(after), db.At(after), db.At(until), db.At(until)).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read freezes: %w", err)
	}
	out := make([]Freeze, len(rows))
	for i, row := range rows {
		out[i] = row.freeze()
	}
	return out, nil
}

// FreezesByID answers these freezes; unknown ids are left out.
func (r Reader) FreezesByID(ctx context.Context, ids []id.Freeze) (map[id.Freeze]Freeze, error) {
	out := make(map[id.Freeze]Freeze, len(ids))
	for part := range slices.Chunk(ids, chunk) {
		var rows []freezeRow
		if err := r.from(ctx).Raw("select * from freezes where id in ?", db.Pad(part)).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read freezes: %w", err)
		}
		for _, row := range rows {
			out[row.ID] = row.freeze()
		}
	}
	return out, nil
}

// DismissedSince answers which of these people were kept out by their end, or by a source, for so long that coming back was being hired anew, at some
// time after an instant.
func (r Reader) DismissedSince(ctx context.Context, people []id.Person, since time.Time) (map[id.Person]bool, error) {
	var rows []freezeRow
	if err := r.from(ctx).Raw("select * from freezes where person_id in ? and cause in ? and (lifted_at is null or lifted_at > ?)",
		db.Pad(people), []FreezeCause{CauseDisabled, CauseDeleted, CauseEnded, CauseVeto}, db.At(since)).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read freezes: %w", err)
	}
	out := map[id.Person]bool{}
	for _, row := range rows {
		began, over := row.CreatedAt.Time, row.LiftedAt.Time
		if row.FromAt.After(began) {
			began = row.FromAt.Time
		}
		if now := r.now(); over.IsZero() || over.After(now) {
			over = now
		}
		if until := row.UntilAt.Time; !until.IsZero() && until.Before(over) {
			over = until
		}
		if !over.Before(began.Add(rehireAfter)) {
			out[row.PersonID] = true
		}
	}
	return out, nil
}
