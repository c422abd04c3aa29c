package provisioning

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// The errors about a second pair of eyes.
var (
	// ErrApproval says that a plan takes more than one administrator may take alone.
	ErrApproval = errors.New("a second administrator has to approve this plan")
	// ErrOwnPlan says that a plan cannot be approved by whoever made it, or by nobody that is known.
	ErrOwnPlan = errors.New("a plan is approved by another person than the one who made it")
)

// Approval is that somebody found a plan right.
type Approval struct {
	Approver string    `json:"approver"`
	At       time.Time `json:"at"`
}

// FourEyes says what a plan needs beside its author.
type FourEyes struct {
	Needed bool       `json:"needed" doc:"it takes memberships from more people than the policy in force lets one administrator take"`
	Limit  int        `json:"limit,omitempty" doc:"how many people that is"`
	Given  []Approval `json:"given" nullable:"false"`
}

// FourEyes answers whether a plan needs approval by the policy in force, and who gave one.
func (r *Reactor) FourEyes(ctx context.Context, p *Plan) (FourEyes, error) {
	var out FourEyes
	err := r.look(ctx, func(tx *db.Tx, c *catalog) (err error) {
		out, err = fourEyes(tx.DB, c, p)
		return err
	})
	return out, err
}

func fourEyes(q reader, c *catalog, p *Plan) (FourEyes, error) {
	out := FourEyes{Given: []Approval{}}
	var rows []struct {
		Approver string
		At       db.Instant
	}
	if err := q.Raw("select approver, at from plan_approvals where plan = ? order by at, approver", p.ID).Scan(&rows).Error; err != nil {
		return out, fmt.Errorf("read approvals: %w", err)
	}
	for _, row := range rows {
		out.Given = append(out.Given, Approval{row.Approver, row.At.Time})
	}
	if c.policy == nil || c.policy.Limits.FourEyes == (policies.Limit{}) {
		return out, nil
	}
	limit, placed := c.policy.Limits.FourEyes, 0
	if limit.Percent > 0 && p.summary.Losing > limit.People {
		var err error
		if placed, err = countPlaced(q); err != nil {
			return out, err
		}
	}
	out.Limit = most(limit.People, limit.Percent, placed)
	out.Needed = p.summary.Losing > out.Limit
	return out, nil
}

// approved answers ErrApproval where a plan needs an approval and nobody gave one. It is the seam for an engine of all kinds of approvals.
func (r *Reactor) approved(q reader, c *catalog, p *Plan) error {
	eyes, err := fourEyes(q, c, p)
	if err != nil {
		return err
	}
	if eyes.Needed && len(eyes.Given) == 0 {
		return fmt.Errorf("plan %s takes memberships from %d people, the limit is %d: %w", p.ID, p.summary.Losing, eyes.Limit, ErrApproval)
	}
	return nil
}

// ApprovePlan notes that approver found right what hash names. The person who made the plan cannot: ErrOwnPlan. Approving twice is no change.
func (r *Reactor) ApprovePlan(ctx context.Context, cause directory.Cause, approver id.Person, plan id.Plan, hash string) error {
	return r.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := lockState(tx, false); err != nil {
			return err
		}
		_, p, err := openPlan(tx.DB, plan, hash)
		if err != nil {
			return err
		}
		if approver == "" || string(approver) == p.Author || approver == p.Behind {
			return fmt.Errorf("plan %s: %w", plan, ErrOwnPlan)
		}
		now := r.clock()
		done := tx.Exec("insert into plan_approvals (plan, approver, at) values (?, ?, ?) on conflict do nothing", plan, approver, db.At(now))
		if done.Error != nil {
			return fmt.Errorf("approve plan: %w", done.Error)
		}
		if done.RowsAffected == 0 {
			return nil
		}
		return audit.Append(tx, audit.Record{At: now, Actor: actorOf(cause), Action: "plan.approved", Subject: string(plan), RequestID: string(cause.Request),
			Public: map[string]any{"plan": hash, "approver": string(approver), "author": p.Author}})
	})
}
