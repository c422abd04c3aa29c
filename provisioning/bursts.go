package provisioning

import (
	"context"
	"encoding/json"
	"errors"
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
		frozen := map[id.Source][]id.Person{}
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
				frozen[change.Source] = append(frozen[change.Source], id.Person(e.Subject))
			}
		}
		for _, source := range slices.Sorted(maps.Keys(frozen)) {
			if err := r.Notice(ctx, source, frozen[source]...); err != nil {
				return err
			}
		}
		return nil
	}}
}

// Notice compares what a source froze within the window with the clean-up limit: above it a burst is opened, and
// while one is open whatever comes joins it. A freeze that was in a burst before counts no more. Where people are named
// only they are looked at for an open burst. It reads outside of any transaction, and writes in small ones: a freeze never waits for it.
func (r *Reactor) Notice(ctx context.Context, source id.Source, people ...id.Person) error {
	var open []id.Hold
	q := r.db.Read(ctx)
	if err := q.Raw("select id from holds where cause = ? and source = ? and state = 'open'", CauseBurst, source).Scan(&open).Error; err != nil {
		return fmt.Errorf("read holds: %w", err)
	}
	since := r.clock().Add(-Window)
	if len(open) > 0 {
		fresh, err := r.fresh(ctx, source, since, distinct(people))
		if err != nil {
			return err
		}
		if err := r.list(ctx, open[0], fresh); err != nil {
			return err
		}
		return r.tally(ctx, directory.Cause{}, open[0], distinct(people))
	}
	var last db.Instant // what a decided burst lists needs no second look
	if err := q.Raw(`select max(f.at) from hold_freezes f join holds h on h.id = f.hold where h.cause = ? and h.source = ? and h.created_at > ?`,
		CauseBurst, source, db.At(since)).Scan(&last).Error; err != nil {
		return fmt.Errorf("read bursts: %w", err)
	}
	if decided := last.Time.Add(-time.Minute); decided.After(since) {
		since = decided
	}
	fresh, err := r.fresh(ctx, source, since, nil)
	if err != nil {
		return err
	}
	breach, over, err := r.weigh(ctx, source, fresh)
	if err != nil || !over {
		return err
	}
	return r.openBurst(ctx, breach, fresh)
}

// fresh answers the freezes of a source that no burst has listed.
func (r *Reactor) fresh(ctx context.Context, source id.Source, since time.Time, people []id.Person) ([]directory.Freeze, error) {
	list, err := r.directory.Disabled(ctx, source, since, people...)
	if err != nil {
		return nil, fmt.Errorf("notice bursts: %w", err)
	}
	return unlisted(r.db.Read(ctx), list)
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
	first := freezes[:min(len(freezes), chunkMost)]
	err := r.db.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Create(&h).Error; err != nil {
			return fmt.Errorf("open burst: %w", err)
		}
		s.opened(h.ID, b)
		if err := s.list(tx, h.ID, first); err != nil {
			return err
		}
		return r.tellHolds(tx, s)
	})
	if err != nil {
		return err
	}
	r.log.WarnContext(ctx, "source froze many people: look at the hold", "hold", h.ID, "source", b.Source, "people", b.People, "limit", b.Limit)
	return r.list(ctx, h.ID, freezes[len(first):])
}

// list writes more freezes into an open burst. Where somebody decided it meanwhile they are left for the next one.
func (r *Reactor) list(ctx context.Context, hold id.Hold, freezes []directory.Freeze) error {
	for part := range slices.Chunk(freezes, chunkMost) {
		err := r.db.Tx(ctx, func(tx *db.Tx) error {
			row, err := lockHold(tx, hold)
			if err != nil || row.State != HoldOpen {
				return err
			}
			s := &sheet{run: &run{}, now: r.clock()}
			if err := s.list(tx, hold, part); err != nil {
				return err
			}
			return r.tellHolds(tx, s)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func lockHold(tx *db.Tx, hold id.Hold) (holdRow, error) {
	var row holdRow
	if err := tx.ForUpdate().Where("id = ?", hold).Take(&row).Error; err != nil {
		return row, fmt.Errorf("lock hold: %w", err)
	}
	return row, nil
}

func (s *sheet) list(tx *db.Tx, hold id.Hold, freezes []directory.Freeze) error {
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

// tally notes what became of the freezes of a burst, of all people or of these, and closes it when none waits any more. What is
// true is read from the directory, so that it may be done by anybody at any time; a freeze that was lifted never stands again.
func (r *Reactor) tally(ctx context.Context, cause directory.Cause, hold id.Hold, people []id.Person) error {
	fates, by, err := r.fates(ctx, hold, people)
	if err != nil || len(fates) == 0 {
		return err
	}
	return r.db.Tx(ctx, func(tx *db.Tx) error {
		row, err := lockHold(tx, hold)
		if err != nil {
			return err
		}
		s := &sheet{run: &run{cause: cause}, now: r.clock()}
		for outcome, freezes := range fates {
			for part := range slices.Chunk(freezes, chunkMost) {
				if err := tx.Exec("update hold_freezes set outcome = ?, ended_at = ? where freeze_id in ?", outcome, db.At(s.now), part).Error; err != nil {
					return fmt.Errorf("tally burst: %w", err)
				}
			}
		}
		if row.State == HoldOpen {
			if s.run.cause.Actor == "" {
				s.run.cause.Actor = by
			}
			if err := s.settleBurst(tx, hold); err != nil {
				return err
			}
		}
		return r.tellHolds(tx, s)
	})
}

// fates answers the freezes of a burst that stand no more, by what became of them, and who undid one.
func (r *Reactor) fates(ctx context.Context, hold id.Hold, people []id.Person) (fates map[string][]id.Freeze, by string, err error) {
	q := r.db.Read(ctx)
	var source id.Source
	if err := q.Raw("select source from holds where id = ?", hold).Scan(&source).Error; err != nil {
		return nil, "", fmt.Errorf("read hold: %w", err)
	}
	const query = "select * from hold_freezes where hold = ? and outcome in ('', 'confirmed')"
	var list []heldFreezeRow
	if len(people) == 0 {
		err = q.Raw(query, hold).Scan(&list).Error
	}
	for part := range slices.Chunk(people, chunkMost) {
		var some []heldFreezeRow
		err = errors.Join(err, q.Raw(query+" and person in ?", hold, part).Scan(&some).Error)
		list = append(list, some...)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read burst: %w", err)
	}
	wanted := make([]id.Person, len(list))
	for i, row := range list {
		wanted[i] = row.Person
	}
	standing, err := r.directory.StandingFreezes(ctx, distinct(wanted))
	if err != nil {
		return nil, "", fmt.Errorf("tally burst: %w", err)
	}
	fates = map[string][]id.Freeze{}
	now := r.clock()
	for _, held := range list {
		outcome := FreezeLifted
		for _, f := range standing[held.Person] {
			switch {
			case f.ID == held.FreezeID:
				outcome = FreezeStands
			case f.Source == source && f.UndoneAt(now) && outcome == FreezeLifted:
				outcome, by = FreezeRestored, f.Actor
			}
		}
		if outcome == FreezeRestored || outcome == FreezeLifted && held.Outcome == FreezeStands {
			fates[outcome] = append(fates[outcome], held.FreezeID)
		}
	}
	return fates, by, nil
}

// settleBurst closes an open burst none of whose freezes waits.
func (s *sheet) settleBurst(tx *db.Tx, hold id.Hold) error {
	var restored []int
	if err := tx.Raw("select 1 from hold_freezes where hold = ? and outcome = 'restored' limit 1", hold).Scan(&restored).Error; err != nil {
		return fmt.Errorf("read burst: %w", err)
	}
	if len(restored) > 0 {
		return s.closeHold(tx, hold, HoldRejected)
	}
	return s.closeHold(tx, hold, HoldVanished)
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
