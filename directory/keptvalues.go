package directory

import (
	"context"
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// What was said of somebody under a veto or in quarantine goes on to count while that stands: identity providers rename the accounts of those
// who leave, and the old number and login must not come back by that. A value goes with its record, to whomever that is given.

// keptRow is a number or a userName, as it is or as it looks, that a record had while its person was kept out.
type keptRow struct {
	Link  id.Link
	Hint  Hint
	Value string
	At    db.Instant
}

func (keptRow) TableName() string { return "kept_values" }

const keptValue = "k.value"

// keep notes what a record has no longer of somebody who is kept out.
func (p *writing) keep(e *entry) {
	if e.before.Person == "" || !p.kept[e.before.Person] {
		return
	}
	now := tokens(e.after)
	for t := range tokens(e.before) {
		if t.hint != HintEmail && !now[t] {
			p.keptRows = append(p.keptRows, keptRow{e.after.Link, t.hint, t.value, db.At(p.w.now)})
		}
	}
}

// keepOut notes who is kept out, before this call or by it.
func (p *writing) keepOut(subjects []*subject) {
	p.kept = map[id.Person]bool{}
	for _, s := range subjects {
		if _, suspect := p.w.suspects[s.id]; suspect || firm(s.standing, p.w.now) {
			p.kept[s.id] = true
		}
	}
	for _, op := range p.w.console {
		if _, ok := op.change.(Terminate); ok {
			p.kept[op.person] = true
		}
	}
}

func (p *writing) flushKept() error {
	if len(p.keptRows) == 0 {
		return nil
	}
	if err := p.w.tx.KeepFirst().CreateInBatches(p.keptRows, 200).Error; err != nil {
		return fmt.Errorf("note kept values: %w", err)
	}
	return nil
}

// keptNoMore chooses the values of those who are not kept out any more.
const keptNoMore = ` from kept_values where not exists (select 1 from records r join freezes f on f.person_id = r.person_id where r.link = kept_values.link
	and f.slot in ('veto', 'quarantine') and f.lifted_at is null and (f.until_at is null or f.until_at > ?))`

// forgetKept deletes the values that count no more. It writes nothing where there is none.
func (s *Store) forgetKept(ctx context.Context) error {
	now := db.At(s.clock())
	var old []int
	if err := s.db.Read(ctx).Raw("select 1"+keptNoMore+" limit 1", now).Scan(&old).Error; err != nil || len(old) == 0 {
		return err
	}
	return s.db.Tx(ctx, func(tx *db.Tx) error { return tx.Exec("delete"+keptNoMore, now).Error })
}
