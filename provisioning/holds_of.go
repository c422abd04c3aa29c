package provisioning

import (
	"context"
	"fmt"

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
		var people []id.Person
		if err := q.Raw("select distinct person from held_removals where hold = ? and ended_at is null order by person limit ?", row.ID, lookedAt).Scan(&people).Error; err != nil {
			return nil, fmt.Errorf("count holds: %w", err)
		}
		sources, err := r.directory.SourcesOf(ctx, people)
		if err != nil {
			return nil, fmt.Errorf("count holds: %w", err)
		}
		for _, s := range sources {
			out[s]++
		}
	}
	return out, nil
}
