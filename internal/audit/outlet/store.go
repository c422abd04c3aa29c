package outlet

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
)

// place is how far an outlet is.
type place struct {
	Name           string
	Next           int64 // the first record that may not have arrived
	SentAt         time.Time
	CheckpointSize int64
	CheckpointRoot string // hex
	CheckpointAt   time.Time
	Problem        string
	ProblemSince   time.Time
}

// State is how an outlet stands.
type State struct {
	Name           string    `json:"name"`
	Kind           string    `json:"kind"` // file, https, s3, syslog
	Next           int64     `json:"next" doc:"the first record that may not have arrived"`
	Behind         int64     `json:"behind" doc:"records that may not have arrived"`
	SentAt         time.Time `json:"sent_at,omitzero"`
	CheckpointSize int64     `json:"checkpoint_size" doc:"records that the last signed checkpoint is about"`
	CheckpointAt   time.Time `json:"checkpoint_at,omitzero"`
	Unsigned       int64     `json:"unsigned" doc:"records that no signed checkpoint is about yet"`
	Problem        string    `json:"problem,omitempty" doc:"why nothing arrives"`
	ProblemSince   time.Time `json:"problem_since,omitzero"`
}

type placeRow struct {
	Name           string
	Next           int64
	SentAt         db.Instant
	CheckpointSize int64
	CheckpointRoot string
	CheckpointAt   db.Instant
	Problem        string
	ProblemSince   db.Instant
}

const columns = "name, next, sent_at, checkpoint_size, checkpoint_root, checkpoint_at, problem, problem_since"

func (r placeRow) place() place {
	return place{r.Name, r.Next, r.SentAt.Time, r.CheckpointSize, r.CheckpointRoot, r.CheckpointAt.Time, r.Problem, r.ProblemSince.Time}
}

// read answers how far an outlet is; one that never ran begins with the first record.
func read(ctx context.Context, d *db.DB, name string) (place, error) {
	var rows []placeRow
	if err := d.Read(ctx).Raw("select "+columns+" from audit_outlets where name = ?", name).Scan(&rows).Error; err != nil {
		return place{}, fmt.Errorf("read outlet %s: %w", name, err)
	}
	if len(rows) == 0 {
		return place{Name: name}, nil
	}
	return rows[0].place(), nil
}

func write(ctx context.Context, d *db.DB, p place) error {
	return d.Tx(ctx, func(tx *db.Tx) error {
		err := tx.Exec("insert into audit_outlets ("+columns+") values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (name) do update set next = excluded.next, sent_at = excluded.sent_at, checkpoint_size = excluded.checkpoint_size, "+
			"checkpoint_root = excluded.checkpoint_root, checkpoint_at = excluded.checkpoint_at, problem = excluded.problem, problem_since = excluded.problem_since",
			p.Name, p.Next, db.At(p.SentAt), p.CheckpointSize, p.CheckpointRoot, db.At(p.CheckpointAt), p.Problem, db.At(p.ProblemSince)).Error
		if err != nil {
			return fmt.Errorf("write outlet %s: %w", p.Name, err)
		}
		return nil
	})
}

// States answers how each configured outlet stands, in their order, beside a log of size records.
func States(ctx context.Context, d *db.DB, configured []Config, size int64) ([]State, error) {
	var rows []placeRow
	if err := d.Read(ctx).Raw("select " + columns + " from audit_outlets").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read outlets: %w", err)
	}
	known := map[string]place{}
	for _, row := range rows {
		known[row.Name] = row.place()
	}
	out := make([]State, len(configured))
	for i, c := range configured {
		p := known[c.Name]
		out[i] = State{c.Name, c.kind(), p.Next, max(size-p.Next, 0), p.SentAt, p.CheckpointSize, p.CheckpointAt, max(size-p.CheckpointSize, 0), p.Problem, p.ProblemSince}
	}
	return out, nil
}
