package drill

import (
	"context"
	"fmt"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

func (e *Engine) query(ctx context.Context, where string, args ...any) ([]drillRow, error) {
	var rows []drillRow
	if err := e.DB.Read(ctx).Raw("select * from drills where "+where, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read drills: %w", err)
	}
	return rows, nil
}

// List answers the drills, the newest first, at most limit.
func (e *Engine) List(ctx context.Context, limit int) ([]Drill, error) {
	rows, err := e.query(ctx, "1 = 1 order by started_at desc, id desc limit ?", limit)
	out := make([]Drill, len(rows))
	for i, row := range rows {
		out[i] = row.drill()
	}
	return out, err
}

// Drill answers one; ErrNotFound.
func (e *Engine) Drill(ctx context.Context, drill id.Drill) (Drill, error) {
	rows, err := e.query(ctx, "id = ?", drill)
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("drill %s: %w", drill, ErrNotFound)
	}
	if err != nil {
		return Drill{}, err
	}
	return rows[0].drill(), nil
}

// begin notes that a drill is under way, and who and what will stand on its stage before anything of it is made; ErrRunning where one is.
func (e *Engine) begin(ctx context.Context, d Drill, c Cast) error {
	row := drillRow{ID: d.ID, Actor: d.Actor, StartedAt: db.At(d.StartedAt), Running: 1, Channel: c.Channel, Leaver: c.Leaver, Witness: c.Witness}
	err := e.DB.Tx(ctx, func(tx *db.Tx) error { return tx.Create(&row).Error })
	if db.IsDuplicate(err) {
		return ErrRunning
	}
	return err
}

// end strikes the stage and notes what was seen, in one transaction. A drill that another node ended stays as it is; what was written to its stage
// since is struck.
func (e *Engine) end(ctx context.Context, d Drill, c Cast) error {
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		done := tx.Exec("update drills set running = 0, ended_at = ?, verdict = ?, took = ?, result = ? where id = ? and running = 1", db.At(d.EndedAt), string(d.Verdict),
			d.Took.Microseconds(), db.JSON[findings]{V: findings{d.Before, d.After, d.Nodes, d.Fault}}, d.ID)
		if done.Error != nil {
			return done.Error
		}
		if err := e.Stage.Strike(tx, c); err != nil || done.RowsAffected == 0 {
			return err
		}
		late := 0
		for _, n := range d.Nodes {
			late += n.Late
		}
		return audit.Append(tx, audit.Record{At: d.EndedAt, Actor: d.Actor, Action: "drill.ended", Subject: string(d.ID),
			Public: map[string]any{"verdict": string(d.Verdict), "took_ms": d.Took.Milliseconds(), "nodes": len(d.Nodes), "late": late}})
	})
}
