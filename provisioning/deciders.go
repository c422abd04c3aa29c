package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// ErrNotDecider says that by the policy others approve plans.
var ErrNotDecider = errors.New("by the policy this plan is not yours to approve")

// planRule answers what the policy in force says of who approves a plan, and who that is now; false where it says nothing: whoever may apply one.
func (r *Reactor) planRule(tx *db.Tx, p *Plan) (rule policies.Approval, may []id.Person, said bool, err error) {
	if rule, said, err = r.Decides(tx, "", policies.ApprovePlan); err != nil || !said || r.PlanDeciders == nil {
		return rule, nil, false, err
	}
	may, err = r.PlanDeciders(tx, p.ID, p.Behind)
	return rule, may, true, err
}

// MayDecide tells whether somebody is here, is not kept out, and may put a policy in force.
func (r *Reactor) MayDecide(tx *db.Tx, person id.Person) (bool, error) { return r.mayApply(tx, person) }

// Wanting answers who made a plan that waits for approvals; ErrNotFound for one that there is not, ErrClosed for one that is applied or wants no approval, or has them.
func (r *Reactor) Wanting(tx *db.Tx, plan id.Plan) (id.Person, error) {
	c, err := r.catalogIn(tx.DB)
	if err != nil {
		return "", err
	}
	_, p, err := loadPlan(tx.DB, plan)
	if err != nil {
		return "", err
	}
	if p.Applied {
		return "", fmt.Errorf("plan %s: %w", plan, ErrClosed)
	}
	eyes, err := r.fourEyes(tx, c, p)
	if err == nil && (!eyes.Needed || eyes.standing() >= eyes.People) {
		err = fmt.Errorf("plan %s wants no approval: %w", plan, ErrClosed)
	}
	return p.Behind, err
}

// Hashed is ErrHash where hash does not name the plan.
func (r *Reactor) Hashed(ctx context.Context, plan id.Plan, hash string) error {
	_, _, err := openPlan(r.db.Read(ctx), plan, hash)
	return err
}

// NoteApprovals notes in tx that these found a plan right.
func (r *Reactor) NoteApprovals(tx *db.Tx, plan id.Plan, by []id.Person) error {
	now := r.clock()
	for _, person := range by {
		if err := tx.Exec("insert into plan_approvals (plan, approver, at) values (?, ?, ?) on conflict do nothing", plan, person, db.At(now)).Error; err != nil {
			return fmt.Errorf("approve plan: %w", err)
		}
	}
	return nil
}

// decider is ErrNotDecider where by the policy somebody else approves the plan.
func (r *Reactor) decider(tx *db.Tx, p *Plan, person id.Person) error {
	_, may, said, err := r.planRule(tx, p)
	if err == nil && said && !slices.Contains(may, person) {
		err = fmt.Errorf("plan %s: %w", p.ID, ErrNotDecider)
	}
	return err
}

// Note writes what do writes and the records that it answers, in one transaction that holds the policy in force as it is.
func (r *Reactor) Note(ctx context.Context, do func(*db.Tx) ([]audit.Record, error)) error {
	return r.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := lockState(tx, false); err != nil {
			return err
		}
		records, err := do(tx)
		if err != nil {
			return err
		}
		return audit.Append(tx, records...)
	})
}
