package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	Lapsed   bool      `json:"lapsed,omitempty" doc:"whoever gave it may not approve any more: it does not count"`
}

// FourEyes says what a plan needs beside its author.
type FourEyes struct {
	Needed     bool       `json:"needed" doc:"it takes memberships or channels from more people than the policy in force lets one administrator take, or loosens what holds that"`
	Limit      int        `json:"limit,omitempty" doc:"how many people that is"`
	Loosens    []string   `json:"loosens,omitempty" doc:"limits that it raises: limits.four_eyes, and those of the guard"`
	AuthorGone bool       `json:"author_gone,omitempty" doc:"whoever made it may not apply a policy any more: it has to be made anew"`
	Given      []Approval `json:"given" nullable:"false"`
}

// loosens names the limits that after raises over before, which holds an administrator back from doing that alone.
func loosens(before, after *policies.Policy) []string {
	if before == nil || before.Limits.FourEyes == (policies.Limit{}) {
		return nil
	}
	var out []string
	was, is := before.Guard, after.Guard
	for _, l := range []struct {
		name    string
		was, is policies.Limit
	}{{"guard.absence", was.Absence, is.Absence}, {"guard.cleanup", was.Cleanup, is.Cleanup}, {"guard.move", was.Move, is.Move}, {"guard.attribute", was.Attribute, is.Attribute},
		{"guard.cleared", was.Cleared, is.Cleared}, {"guard.unit", was.Unit, is.Unit}, {"guard.group", was.Group, is.Group}, {"limits.four_eyes", before.Limits.FourEyes, after.Limits.FourEyes}} {
		none := l.name == "limits.four_eyes" && l.is == (policies.Limit{})
		if none || l.is.People > l.was.People || l.is.Percent > l.was.Percent {
			out = append(out, l.name)
		}
	}
	return out
}

// FourEyes answers whether a plan needs approval by the policy in force, and who gave one.
func (r *Reactor) FourEyes(ctx context.Context, p *Plan) (FourEyes, error) {
	var out FourEyes
	err := r.look(ctx, func(tx *db.Tx, c *catalog) (err error) {
		out, err = r.fourEyes(tx, c, p)
		return err
	})
	return out, err
}

func (r *Reactor) fourEyes(tx *db.Tx, c *catalog, p *Plan) (FourEyes, error) {
	out := FourEyes{Given: []Approval{}}
	var rows []struct {
		Approver id.Person
		At       db.Instant
	}
	if err := tx.Raw("select approver, at from plan_approvals where plan = ? order by at, approver", p.ID).Scan(&rows).Error; err != nil {
		return out, fmt.Errorf("read approvals: %w", err)
	}
	for _, row := range rows {
		may, err := r.mayApply(tx, row.Approver)
		if err != nil {
			return out, err
		}
		out.Given = append(out.Given, Approval{string(row.Approver), row.At.Time, !p.Applied && (!may || row.Approver == p.Behind || string(row.Approver) == p.Author)})
	}
	if c.policy == nil || c.policy.Limits.FourEyes == (policies.Limit{}) {
		return out, nil
	}
	limit, placed := c.policy.Limits.FourEyes, 0
	if limit.Percent > 0 && p.summary.Losing > limit.People {
		var err error
		if placed, err = countPlaced(tx.DB); err != nil {
			return out, err
		}
	}
	out.Limit, out.Loosens = most(limit.People, limit.Percent, placed), p.loosens
	out.Needed = p.summary.Losing > out.Limit || len(p.loosens) > 0
	if out.Needed && p.Behind != "" && !p.Applied {
		may, err := r.mayApply(tx, p.Behind)
		if err != nil {
			return out, err
		}
		out.AuthorGone = !may
	}
	return out, nil
}

// approved answers ErrApproval where a plan needs an approval and nobody gave one who may do so now, or whoever made it may not apply it any more. It is
// the seam for an engine of all kinds of approvals.
func (r *Reactor) approved(tx *db.Tx, c *catalog, p *Plan) error {
	eyes, err := r.fourEyes(tx, c, p)
	switch {
	case err != nil:
		return err
	case !eyes.Needed:
		return nil
	case eyes.AuthorGone:
		return fmt.Errorf("plan %s was made by somebody who may not apply one any more: %w", p.ID, ErrApproval)
	case slices.ContainsFunc(eyes.Given, func(a Approval) bool { return !a.Lapsed }):
		return nil
	case len(eyes.Loosens) > 0:
		return fmt.Errorf("plan %s loosens %s: %w", p.ID, strings.Join(eyes.Loosens, ", "), ErrApproval)
	}
	return fmt.Errorf("plan %s takes memberships or channels from %d people, the limit is %d: %w", p.ID, p.summary.Losing, eyes.Limit, ErrApproval)
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
