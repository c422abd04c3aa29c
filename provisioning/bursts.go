package provisioning

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// A burst is a hold that holds nothing back: it lists the people whom one source disabled or deleted within the
// window, where they are more than the clean-up limit, so that somebody looks. Each of them was frozen before the
// call of the source was answered; the burst is noticed behind that, and never stands in its way.

// The outcomes of a freeze in a burst.
const (
	FreezeStands    = ""          // nobody decided, the source has not changed its word
	FreezeRestored  = "restored"  // somebody undid it
	FreezeConfirmed = "confirmed" // somebody found it right
	FreezeLifted    = "lifted"    // the source, or the end of a window, lifted it
)

// HeldFreeze is one freeze in a burst.
type HeldFreeze struct {
	Freeze  id.Freeze
	Person  id.Person
	Cause   directory.FreezeCause // disabled or deleted
	At      time.Time
	Outcome string
	EndedAt time.Time
}

// noticeBehind is how long the follower waits, so that a burst is looked at a few times and not once per person.
const noticeBehind = 100 * time.Millisecond

// Bursts answers the follower "bursts": it notices that a source freezes many people, and when what it froze is lifted.
func (r *Reactor) Bursts() feed.Follower {
	return feed.Follower{Name: "bursts", Linger: noticeBehind, Handle: func(ctx context.Context, events []feed.Event) error {
		since := r.clock().Add(-Window)
		var sources []id.Source
		for _, e := range events {
			if !strings.HasPrefix(e.Kind, "person.") || e.At.Before(since) {
				continue
			}
			var change struct {
				Fields []string
				Source id.Source
			}
			if err := json.Unmarshal(e.Data, &change); err != nil {
				return fmt.Errorf("read event %d: %w", e.Seq, err)
			}
			if change.Source != "" && slices.Contains(change.Fields, "freezes") {
				sources = append(sources, change.Source)
			}
		}
		slices.Sort(sources)
		for _, source := range slices.Compact(sources) {
			if err := r.Notice(ctx, source); err != nil {
				return err
			}
		}
		return nil
	}}
}

// Notice compares what a source froze within the window with the clean-up limit: above it a burst is opened, and
// while one is open whatever comes joins it. A freeze that was in a burst before counts no more.
func (r *Reactor) Notice(ctx context.Context, source id.Source) error {
	list, err := r.directory.Disabled(ctx, source, r.clock().Add(-Window))
	if err != nil {
		return fmt.Errorf("notice bursts: %w", err)
	}
	q := r.db.Read(ctx)
	var open []id.Hold
	if err := q.Raw("select id from holds where cause = ? and source = ? and state = 'open'", CauseBurst, source).Scan(&open).Error; err != nil {
		return fmt.Errorf("read holds: %w", err)
	}
	fresh, err := unlisted(q, list)
	if err != nil {
		return err
	}
	if len(open) > 0 {
		return r.join(ctx, open[0], fresh)
	}
	breach, over, err := r.weigh(ctx, source, fresh)
	if err != nil || !over {
		return err
	}
	return r.openBurst(ctx, breach, fresh)
}

// unlisted answers the freezes that no burst has listed.
func unlisted(q reader, list []directory.Freeze) ([]directory.Freeze, error) {
	listed := map[id.Freeze]bool{}
	for part := range slices.Chunk(list, chunkMost) {
		ids := make([]id.Freeze, len(part))
		for i, f := range part {
			ids[i] = f.ID
		}
		var known []id.Freeze
		if err := q.Raw("select freeze_id from hold_freezes where freeze_id in ?", ids).Scan(&known).Error; err != nil {
			return nil, fmt.Errorf("read bursts: %w", err)
		}
		for _, f := range known {
			listed[f] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(f directory.Freeze) bool { return listed[f.ID] }), nil
}

// weigh tells whether freezes are more than the clean-up limit.
func (r *Reactor) weigh(ctx context.Context, source id.Source, freezes []directory.Freeze) (Breach, bool, error) {
	people := map[id.Person]bool{}
	for _, f := range freezes {
		people[f.Person] = true
	}
	b := Breach{Cause: CauseBurst, Source: source, People: len(people)}
	err := r.look(ctx, func(tx *db.Tx, c *catalog) error {
		limit := guardOf(c).Cleanup
		if b.Limit = limit.People; b.People <= limit.People {
			return nil
		}
		placed, err := countPlaced(tx.DB)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(slices.Collect(maps.Keys(people)), chunkMost) { // whose clean-up was faster count as well
			var still int
			if err := tx.Raw("select count(distinct person) from memberships where ended_at is null and person in ?", part).Scan(&still).Error; err != nil {
				return fmt.Errorf("count people: %w", err)
			}
			placed += len(part) - still
		}
		b.Limit, b.Of = max(limit.People, int(limit.Percent*float64(placed)/100)), placed
		return nil
	})
	return b, b.People > b.Limit, err
}

func (r *Reactor) openBurst(ctx context.Context, b Breach, freezes []directory.Freeze) error {
	s := &sheet{run: &run{}, now: r.clock()}
	h := holdRow{ID: id.New[id.Hold](), Cause: b.Cause, Source: b.Source, Breach: db.JSON[Breach]{V: b}, State: HoldOpen, CreatedAt: db.At(s.now)}
	err := r.db.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Create(&h).Error; err != nil {
			return fmt.Errorf("open burst: %w", err)
		}
		s.opened(h.ID, b)
		if err := s.list(tx, h.ID, freezes); err != nil {
			return err
		}
		return r.tellHolds(tx, s)
	})
	if err == nil {
		r.log.WarnContext(ctx, "source froze many people: look at the hold", "hold", h.ID, "source", b.Source, "people", b.People, "limit", b.Limit)
	}
	return err
}

// join lists more freezes in an open burst, and notes which of its freezes are lifted.
func (r *Reactor) join(ctx context.Context, hold id.Hold, freezes []directory.Freeze) error {
	return r.db.Tx(ctx, func(tx *db.Tx) error {
		row, err := lockHold(tx, hold)
		if err != nil || row.State != HoldOpen {
			return err // somebody decided meanwhile: what came since is for the next one
		}
		s := &sheet{run: &run{}, now: r.clock()}
		if err := s.list(tx, hold, freezes); err != nil {
			return err
		}
		if err := r.tally(ctx, tx, s, row); err != nil {
			return err
		}
		return r.tellHolds(tx, s)
	})
}

func lockHold(tx *db.Tx, hold id.Hold) (holdRow, error) {
	var row holdRow
	if err := tx.ForUpdate().Where("id = ?", hold).Take(&row).Error; err != nil {
		return row, fmt.Errorf("lock hold: %w", err)
	}
	return row, nil
}

// list writes freezes into a burst.
func (s *sheet) list(tx *db.Tx, hold id.Hold, freezes []directory.Freeze) error {
	if len(freezes) == 0 {
		return nil
	}
	rows := make([]heldFreezeRow, len(freezes))
	for i, f := range freezes {
		rows[i] = heldFreezeRow{FreezeID: f.ID, Hold: hold, Person: f.Person, Cause: f.Cause, At: db.At(f.CreatedAt)}
	}
	if err := insert(tx, rows); err != nil {
		return fmt.Errorf("list freezes: %w", err)
	}
	s.record("hold.listed", string(hold), map[string]any{"people": len(freezes)})
	return nil
}

// tally notes what became of the freezes of an open burst, and closes it when none stands any more. What is true is
// read from the directory, so that it may be done again by anybody at any time.
func (r *Reactor) tally(ctx context.Context, tx *db.Tx, s *sheet, hold holdRow) error {
	var rows []heldFreezeRow
	if err := tx.Raw("select * from hold_freezes where hold = ? and outcome in ('', 'confirmed')", hold.ID).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read burst: %w", err)
	}
	people := make([]id.Person, len(rows))
	for i, row := range rows {
		people[i] = row.Person
	}
	standing, err := r.directory.In(tx).StandingFreezes(ctx, distinct(people))
	if err != nil {
		return fmt.Errorf("tally burst: %w", err)
	}
	left, by := 0, ""
	for _, row := range rows {
		outcome := FreezeLifted
		for _, f := range standing[row.Person] {
			switch {
			case f.ID == row.FreezeID:
				outcome = FreezeStands
			case f.Source == hold.Source && f.UndoneAt(s.now) && outcome == FreezeLifted:
				outcome, by = FreezeRestored, f.Actor
			}
		}
		if outcome == FreezeStands {
			left++
		}
		if outcome == FreezeStands || row.Outcome == FreezeConfirmed && outcome == FreezeLifted {
			continue
		}
		if err := tx.Exec("update hold_freezes set outcome = ?, ended_at = ? where freeze_id = ?", outcome, db.At(s.now), row.FreezeID).Error; err != nil {
			return fmt.Errorf("tally burst: %w", err)
		}
	}
	if left > 0 || hold.State != HoldOpen {
		return nil
	}
	return s.settleBurst(tx, hold.ID, by)
}

// settleBurst closes an open burst none of whose freezes waits. by undid the last of them.
func (s *sheet) settleBurst(tx *db.Tx, hold id.Hold, by string) error {
	var restored int
	if err := tx.Raw("select count(*) from hold_freezes where hold = ? and outcome = 'restored'", hold).Scan(&restored).Error; err != nil {
		return fmt.Errorf("read burst: %w", err)
	}
	state := HoldVanished
	if restored > 0 {
		state = HoldRejected
	}
	if s.run.cause.Actor == "" {
		s.run.cause.Actor = by
	}
	return s.closeHold(tx, hold, state)
}

// tellHolds writes the events and the audit records of a sheet that changed holds only.
func (r *Reactor) tellHolds(tx *db.Tx, s *sheet) error {
	if _, err := r.feed.Append(tx, s.events...); err != nil {
		return err
	}
	return audit.Append(tx, s.records...)
}

// OpenHolds answers how many holds of each cause wait for somebody.
func (r *Reactor) OpenHolds(ctx context.Context) (map[Cause]int, error) {
	var rows []struct {
		Cause Cause
		N     int
	}
	if err := r.db.Read(ctx).Raw("select cause, count(*) as n from holds where state = 'open' group by cause").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("count holds: %w", err)
	}
	out := map[Cause]int{}
	for _, row := range rows {
		out[row.Cause] = row.N
	}
	return out, nil
}
