package evidence

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

func (k *Keys) rows(ctx context.Context) ([]keyRow, error) {
	var rows []keyRow
	if err := k.DB.Read(ctx).Raw("select * from evidence_keys order by created_at desc, id desc").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read keys of evidence: %w", err)
	}
	return rows, nil
}

func retire(tx *db.Tx, at db.Instant) error {
	if err := tx.Exec("update evidence_keys set retired_at = ? where retired_at is null", at).Error; err != nil {
		return fmt.Errorf("retire key of evidence: %w", err)
	}
	return nil
}

// fencesOf answers the first fence of each of these freezes that is known.
func fencesOf(q *db.DB, ctx context.Context, freezes []id.Freeze) (map[id.Freeze]fenceRow, error) {
	out := map[id.Freeze]fenceRow{}
	for part := range slices.Chunk(freezes, 500) {
		var rows []fenceRow
		if err := q.Read(ctx).Raw("select * from evidence_fences where freeze_id in ? order by at desc, rev desc", db.Pad(part)).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read fences: %w", err)
		}
		for _, row := range rows {
			out[row.FreezeID] = row
		}
	}
	return out, nil
}

// put notes fences in one transaction with what the audit log says of them. What is known stays.
func put(ctx context.Context, d *db.DB, rows []fenceRow) error {
	return d.Tx(ctx, func(tx *db.Tx) error {
		var ids []id.Freeze
		for _, row := range rows {
			ids = append(ids, row.FreezeID)
		}
		var known []fenceRow
		if err := tx.Raw("select freeze_id, rev from evidence_fences where freeze_id in ?", ids).Scan(&known).Error; err != nil {
			return fmt.Errorf("read fences: %w", err)
		}
		has := map[fenceKey]bool{}
		for _, row := range known {
			has[fenceKey{row.FreezeID, row.Rev}] = true
		}
		var values [][]any
		var records []audit.Record
		for _, row := range rows {
			key := fenceKey{row.FreezeID, row.Rev}
			if has[key] {
				continue
			}
			has[key] = true
			values = append(values, []any{row.FreezeID, row.Rev, row.Person, row.At, string(row.How)})
			records = append(records, audit.Record{At: row.At.Time, Actor: "system", Action: ActionFenced, Subject: string(row.Person),
				Public: map[string]any{"freeze": string(row.FreezeID), "revision": row.Rev, "how": string(row.How), "in_force_at": row.At.Time.Format(instant)}})
		}
		if err := tx.Insert("evidence_fences", []string{"freeze_id", "rev", "person", "at", "how"}, values); err != nil {
			return fmt.Errorf("note fences: %w", err)
		}
		return audit.Append(tx, records...)
	})
}

type fenceKey struct {
	freeze id.Freeze
	rev    int64
}
