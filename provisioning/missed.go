package provisioning

import (
	"context"
	"fmt"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// unconfirmed answers what Batch.Missed is. Who releases what is held of all that a source misses confirms everybody whom it missed until then, for
// that many were named; of another hold, those of whom it held something.
func (r *Reactor) unconfirmed(ctx context.Context, tx *db.Tx) func(id.Source) ([]id.Person, error) {
	return func(source id.Source) ([]id.Person, error) {
		since := r.clock().Add(-Window)
		missed, err := r.directory.In(tx).Missed(ctx, since, source)
		if err != nil || len(missed) == 0 {
			return nil, err
		}
		var all []db.Instant
		if err := tx.Raw("select closed_at from holds where state = 'released' and cause = ? and source = ? and scope = '' and closed_at > ? order by closed_at desc limit 1",
			CauseAbsence, source, db.At(since)).Scan(&all).Error; err != nil {
			return nil, fmt.Errorf("read what was released: %w", err)
		}
		var some []struct {
			Person id.Person
			At     db.Instant
		}
		if err := tx.Raw("select person, max(ended_at) as at from held_removals where released_by <> '' and ended_at > ? group by person", db.At(since)).Scan(&some).Error; err != nil {
			return nil, fmt.Errorf("read what was released: %w", err)
		}
		released := make(map[id.Person]db.Instant, len(some))
		for _, row := range some {
			released[row.Person] = row.At
		}
		var out []id.Person
		for _, m := range missed {
			if len(all) > 0 && !m.At.After(all[0].Time) || !m.At.After(released[m.Person].Time) {
				continue
			}
			out = append(out, m.Person)
		}
		return out, nil
	}
}

// missed says since when no source shows the person any more, and which one missed them last.
func (x *explainer) missed() Line {
	var last directory.Record
	for _, r := range x.fact.Records {
		if r.DeletedAt.IsZero() && r.AbsentSince.After(last.AbsentSince) {
			last = r
		}
	}
	line := Line{Kind: "person", Since: last.AbsentSince, By: x.sourceName(last.Source), Text: Text{"No source knows the person any more", "所有来源都已不再包含此人"}}
	if !last.AbsentSince.IsZero() {
		at := momentText(last.AbsentSince)
		line.Text.EN += ", since " + at
		line.Text.ZH += "，自 " + at + " 起"
	}
	return line
}
