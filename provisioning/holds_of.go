package provisioning

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// lookedAt is how many people of a hold are looked at to find out whose it is.
const lookedAt = 2000

// OpenHoldsOf counts the open holds of each source: those that name it, and of those that name none, as of moves, those of people whom it knows.
func (r *Reactor) OpenHoldsOf(ctx context.Context) (map[id.Source]int, error) {
	q := r.db.Read(ctx)
	var rows []struct {
		ID     id.Hold
		Source id.Source
	}
	if err := q.Raw("select id, source from holds where state = 'open'").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("count holds: %w", err)
	}
	out := map[id.Source]int{}
	for _, row := range rows {
		if row.Source != "" {
			out[row.Source]++
			continue
		}
		sources, err := r.sourcesOf(ctx, row.ID)
		if err != nil {
			return nil, err
		}
		for _, s := range sources {
			out[s]++
		}
	}
	return out, nil
}

// HeldOf implements directory.Holder.
func (r *Reactor) HeldOf(ctx context.Context, source id.Source, run id.Request, people []id.Person) ([]directory.Held, error) {
	var rows []struct {
		Hold   id.Hold
		Source id.Source
		Cause  Cause
		Person id.Person
		Asked  id.Request
	}
	breaches := map[id.Hold]Breach{}
	var c *catalog
	if err := r.look(ctx, func(tx *db.Tx, now *catalog) error {
		var open []holdRow
		if err := tx.Raw("select * from holds where state = 'open'").Scan(&open).Error; err != nil {
			return err
		}
		for _, h := range open {
			breaches[h.ID] = h.Breach.V
		}
		c = now
		return tx.Raw(`select r.hold, h.source, case when r.now_cause <> '' then r.now_cause else r.cause end as cause, r.person, r.asked_by as asked from held_removals r join holds h on h.id = r.hold
			where r.ended_at is null and h.state = 'open' order by r.hold, 3`).Scan(&rows).Error
	}); err != nil {
		return nil, fmt.Errorf("read what is held: %w", err)
	}
	of := make(map[id.Person]bool, len(people))
	for _, p := range people {
		of[p] = true
	}
	type key struct {
		hold  id.Hold
		named id.Source
		cause Cause
	}
	var order []key
	who := map[key]map[id.Person]bool{}
	for _, row := range rows {
		if run != "" && row.Asked != run && (!of[row.Person] || row.Source != "" && row.Source != source) {
			continue
		}
		k := key{row.Hold, row.Source, row.Cause}
		if who[k] == nil {
			who[k], order = map[id.Person]bool{}, append(order, k)
		}
		who[k][row.Person] = true
	}
	var out []directory.Held
	for _, k := range order {
		if run == "" && k.named != source {
			its, err := r.concerns(ctx, k.hold, k.named, source)
			if err != nil {
				return nil, err
			}
			if !its {
				continue
			}
		}
		name, err := r.nameOf(ctx, c, breaches[k.hold])
		if err != nil {
			return nil, err
		}
		out = append(out, directory.Held{Hold: k.hold, Cause: string(k.cause), People: len(who[k]), Reason: breaches[k.hold].naming(name)})
	}
	return out, nil
}

// concerns tells whether a hold that names no source, as of moves, holds people whom one knows.
func (r *Reactor) concerns(ctx context.Context, hold id.Hold, named, source id.Source) (bool, error) {
	if named != "" {
		return false, nil
	}
	sources, err := r.sourcesOf(ctx, hold)
	return slices.Contains(sources, source), err
}

// sourcesOf answers who knows the people of a hold.
func (r *Reactor) sourcesOf(ctx context.Context, hold id.Hold) ([]id.Source, error) {
	var people []id.Person
	if err := r.db.Read(ctx).Raw("select distinct person from held_removals where hold = ? and ended_at is null order by person limit ?", hold, lookedAt).Scan(&people).Error; err != nil {
		return nil, fmt.Errorf("count holds: %w", err)
	}
	sources, err := r.directory.SourcesOf(ctx, people)
	if err != nil {
		return nil, fmt.Errorf("count holds: %w", err)
	}
	return sources, nil
}
