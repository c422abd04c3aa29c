package handover

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

func (e *Engine) query(ctx context.Context, where string, args ...any) ([]Step, error) {
	var rows []stepRow
	if err := e.DB.Read(ctx).Raw("select * from handovers where "+where, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read handovers: %w", err)
	}
	out := make([]Step, len(rows))
	for i, row := range rows {
		out[i] = row.step()
	}
	return out, nil
}

// Steps answers the steps that are open: what waits for an administrator (Waiting), what is offered (Offered), or both (empty).
func (e *Engine) Steps(ctx context.Context, state State) ([]Step, error) {
	return e.query(ctx, "closed_at is null and (? = '' or state = ?) order by opened_at, id", state, state)
}

// Of answers the sheet of a person: every step of what they left, the newest first, at most 500.
func (e *Engine) Of(ctx context.Context, from id.Person) ([]Step, error) {
	return e.query(ctx, "from_person = ? order by opened_at desc, id desc limit 500", from)
}

// To answers what was offered to a person, the newest first, at most 200.
func (e *Engine) To(ctx context.Context, person id.Person) ([]Step, error) {
	return e.query(ctx, "to_person = ? order by opened_at desc, id desc limit 200", person)
}

// Step answers one step; ErrNotFound.
func (e *Engine) Step(ctx context.Context, step id.Handover) (Step, error) {
	found, err := e.query(ctx, "id = ?", step)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("handover %s: %w", step, ErrNotFound)
	}
	if err != nil {
		return Step{}, err
	}
	return found[0], nil
}

// current answers the open steps of things of a kind, or all of them.
func (e *Engine) current(ctx context.Context, kind string, things []string, all bool) (map[string]Step, error) {
	out := map[string]Step{}
	if all {
		found, err := e.query(ctx, "kind = ? and closed_at is null", kind)
		for _, s := range found {
			out[s.Thing] = s
		}
		return out, err
	}
	for part := range slices.Chunk(things, 500) {
		found, err := e.query(ctx, "kind = ? and thing in ? and closed_at is null", kind, part)
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			out[s.Thing] = s
		}
	}
	return out, nil
}

// Untaken answers the things of a kind that nobody has accepted in a succession that is open and began before an instant.
func (e *Engine) Untaken(ctx context.Context, kind string, before time.Time) ([]string, error) {
	var things []string
	if err := e.DB.Read(ctx).Raw("select h.thing from handovers h where h.kind = ? and h.closed_at is null and (select min(c.opened_at) from handovers c where c.case_id = h.case_id) < ? order by h.thing",
		kind, db.At(before)).Scan(&things).Error; err != nil {
		return nil, fmt.Errorf("read handovers: %w", err)
	}
	return things, nil
}

// asked answers to whom a succession was offered and who did not take it.
func (e *Engine) asked(ctx context.Context, succession id.Handover) (map[id.Person]bool, error) {
	out := map[id.Person]bool{}
	if succession == "" {
		return out, nil
	}
	found, err := e.query(ctx, "case_id = ? and state = 'refused'", succession)
	for _, s := range found {
		out[s.To] = true
	}
	return out, err
}

// closeStep closes an open step in tx; ErrClosed where somebody was faster.
func closeStep(tx *db.Tx, s Step) error {
	done := tx.Exec("update handovers set state = ?, closed_at = ?, closed_by = ? where id = ? and closed_at is null", s.State, db.At(s.ClosedAt), s.ClosedBy, s.ID)
	if done.Error != nil {
		return fmt.Errorf("close handover: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return fmt.Errorf("handover %s: %w", s.ID, ErrClosed)
	}
	return nil
}

func openStep(tx *db.Tx, s Step) error {
	if err := tx.Create(rowOf(s)).Error; err != nil {
		return fmt.Errorf("open handover: %w", err)
	}
	return nil
}

// head names somebody who answers for a thing.
type head struct {
	thing  string
	person id.Person
}

// heads answers who was above people while they answered for things of a kind.
func (e *Engine) heads(ctx context.Context, kind string, things []string) (map[head]id.Person, error) {
	out := map[head]id.Person{}
	for part := range slices.Chunk(things, 500) {
		var rows []struct {
			Thing           string
			Person, Manager id.Person
		}
		if err := e.DB.Read(ctx).Raw("select thing, person, manager from handover_heads where kind = ? and thing in ?", kind, part).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read heads: %w", err)
		}
		for _, row := range rows {
			out[head{row.Thing, row.Person}] = row.Manager
		}
	}
	return out, nil
}

// noteHeads remembers who is above people who answer for things now.
func (e *Engine) noteHeads(ctx context.Context, kind string, things []string, now map[head]id.Person) error {
	known, err := e.heads(ctx, kind, things)
	if err != nil {
		return err
	}
	var fresh []head
	for h, manager := range now {
		if was, ok := known[h]; !ok || was != manager {
			fresh = append(fresh, h)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	slices.SortFunc(fresh, func(a, b head) int { return cmp.Or(cmp.Compare(a.thing, b.thing), cmp.Compare(a.person, b.person)) })
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		for _, h := range fresh {
			if err := tx.Exec(`insert into handover_heads (kind, thing, person, manager) values (?, ?, ?, ?)
				on conflict (kind, thing, person) do update set manager = excluded.manager`, kind, h.thing, h.person, now[h]).Error; err != nil {
				return fmt.Errorf("note heads: %w", err)
			}
		}
		return nil
	})
}
