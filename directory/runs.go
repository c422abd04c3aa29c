package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Run is one synchronisation of a source, as it is remembered for people.
type Run struct {
	ID                 id.Run
	Source             id.Source
	Kind               string // what was done, in the words of who did it: "full", "live", "inventory", "import"
	StartedAt, EndedAt time.Time
	OK                 bool
	Error              string // why not; it names no person and holds no secret
	Counts             map[string]int
	Findings           json.RawMessage // a list, in the form of who found them; it names no person
	Proof              string          // how completeness is known; empty where it is not
}

// PutRun remembers a run, or what became of one that was remembered before. Only the newest runs of a source are kept.
type PutRun struct{ Run Run }

// Alongside writes rows of other packages in the transaction of the call, at its place among the changes; rows of records are written
// after it. Write locks nothing of the feed, authz or audit, and may be called more than once, where a call is made again.
type Alongside struct{ Write func(tx *db.Tx) error }

func (PutRun) change()    {}
func (Alongside) change() {}

// runsKept is how many runs of a source are remembered.
const runsKept = 200

func (w *work) putRun(c PutRun) (Outcome, error) {
	r := c.Run
	if _, err := w.source(r.Source); err != nil {
		return "", err
	}
	if r.ID == "" || r.Kind == "" || r.StartedAt.IsZero() {
		return "", fmt.Errorf("%w: a run needs its id, its kind and its beginning", ErrInvalid)
	}
	for field, value := range map[string]string{"error": r.Error, "proof": r.Proof, "findings": string(r.Findings)} {
		if err := storable(field, value); err != nil {
			return "", err
		}
	}
	if len(r.Findings) > 0 && !json.Valid(r.Findings) {
		return "", fmt.Errorf("%w: findings are not JSON", ErrInvalid)
	}
	row := runRowOf(r)
	if err := w.tx.Exec("delete from source_runs where id = ?", r.ID).Error; err != nil {
		return "", fmt.Errorf("write run: %w", err)
	}
	if err := w.tx.Create(&row).Error; err != nil {
		return "", fmt.Errorf("write run: %w", duplicate(err))
	}
	w.wrote = true
	if err := w.tx.Exec("delete from source_runs where id in (select id from source_runs where source_id = ? order by started_at desc, id desc limit 100 offset ?)",
		r.Source, runsKept).Error; err != nil {
		return "", fmt.Errorf("forget runs: %w", err)
	}
	return Updated, nil
}

func (w *work) alongside(c Alongside) (Outcome, error) {
	if c.Write == nil {
		return "", errors.New("nothing to write alongside")
	}
	w.wrote = true
	return Updated, c.Write(w.tx)
}

// Runs answers the newest runs of a source, newest first; limit 0 or less is 50.
func (r Reader) Runs(ctx context.Context, source id.Source, limit int) ([]Run, error) {
	if limit <= 0 {
		limit = 50
	}
	var rows []runRow
	if err := r.from(ctx).Where("source_id = ?", source).Order("started_at desc, id desc").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	out := make([]Run, len(rows))
	for i, row := range rows {
		out[i] = row.run()
	}
	return out, nil
}
