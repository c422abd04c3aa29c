package provisioning

import (
	"context"
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// keepPlan stores what a ledger says as a plan, and why it was made.
func (r *Reactor) keepPlan(ctx context.Context, basis Basis, l *ledger, files []File, author string, behind id.Person, why planReasonRow) (*Plan, error) {
	l.body.Gives, l.body.Verdict = l.given[behind], l.body.Verdict.keyed(l.after)
	p := l.plan(basis)
	p.ID, p.Author, p.Behind, p.CreatedAt = id.New[id.Plan](), author, behind, basis.At
	p.Hash = planHash(p.Basis, p.digest)
	row := planRow{ID: p.ID, Hash: p.Hash, Basis: db.JSON[Basis]{V: p.Basis}, Body: db.JSON[planBody]{V: l.body}, Files: db.JSON[[]File]{V: files}, Author: author, Behind: behind,
		State: "open", CreatedAt: db.At(p.CreatedAt)}
	if err := r.db.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		if why.Plan = p.ID; why.Reason != "" || why.Version != 0 {
			if err := tx.Create(&why).Error; err != nil {
				return err
			}
		}
		return l.store(tx, p.ID)
	}); err != nil {
		return nil, fmt.Errorf("store plan: %w", err)
	}
	return p, nil
}

// Plan answers one plan.
func (r *Reactor) Plan(ctx context.Context, plan id.Plan) (*Plan, error) {
	_, p, err := loadPlan(r.db.Read(ctx), plan)
	return p, err
}

// openPlan is loadPlan of a plan that hash names and that was not applied: ErrHash, ErrClosed.
func openPlan(q reader, plan id.Plan, hash string) ([]File, *Plan, error) {
	files, p, err := loadPlan(q, plan)
	switch {
	case err != nil:
		return nil, nil, err
	case p.Hash != hash:
		return nil, nil, fmt.Errorf("plan %s: %w", plan, ErrHash)
	case p.Applied:
		return nil, nil, fmt.Errorf("plan %s: %w", plan, ErrClosed)
	}
	return files, p, nil
}

func loadPlan(q reader, plan id.Plan) ([]File, *Plan, error) {
	var rows []planRow
	if err := q.Raw("select * from plans where id = ?", plan).Scan(&rows).Error; err != nil {
		return nil, nil, fmt.Errorf("read plan: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil, fmt.Errorf("plan %s: %w", plan, ErrNotFound)
	}
	row, body := rows[0], rows[0].Body.V
	p := &Plan{ID: row.ID, Hash: row.Hash, Basis: row.Basis.V, Shapes: body.Shapes, Total: max(body.Total, len(body.Changes)), Changes: body.Changes, Groups: body.Groups,
		Grounds: body.Grounds, Sights: body.Sights, Conflicts: body.Conflicts, Unknown: body.Unknown, Words: body.Words, Verdict: body.Verdict, Units: body.Units, Author: row.Author, Behind: row.Behind, Applied: row.State == "applied", CreatedAt: row.CreatedAt.Time,
		AppliedAt: row.AppliedAt.Time, summary: body.Summary, together: body.Together, loosens: body.Loosens, opens: body.Opens, gives: body.Gives, digest: body.Digest, present: body.Present, undoes: body.Undoes, closes: body.Closes}
	if p.Total > 0 && len(p.Changes) == 0 {
		var err error
		if p.Changes, err = planChanges(q, plan, 0, planPage); err != nil {
			return nil, nil, err
		}
	}
	return row.Files.V, p, nil
}
