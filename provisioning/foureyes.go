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
	Needed     bool       `json:"needed" doc:"it takes memberships, channels or rights from more people than the policy in force lets one administrator take, together with what plans took within 24 hours that nobody else approved; or it loosens what holds that; or it gives whoever made it a restricted channel"`
	People     int        `json:"people,omitempty" doc:"where it is needed: how many have to approve. Two where nobody is known to have made the plan, and as many as approvals.plan of the policy says"`
	Limit      int        `json:"limit,omitempty" doc:"from how many people one administrator may take something"`
	Losing     int        `json:"losing,omitempty" doc:"how many lose something by it, together with those plans"`
	Loosens    []string   `json:"loosens,omitempty" doc:"what it loosens: limits.four_eyes, those of the guard, how many decide together and who does, what is kept apart, who may join by themselves"`
	Gives      []string   `json:"gives,omitempty" doc:"keys of project groups with restricted channels in which it gives whoever made it a place, a stronger role or more to see"`
	AuthorGone bool       `json:"author_gone,omitempty" doc:"whoever made it may not apply a policy any more: it has to be made anew"`
	Given      []Approval `json:"given" nullable:"false"`
}

// loosens names the limits that after raises over before, which holds an administrator back from doing that alone.
func loosens(before, after *policies.Policy) []string {
	if before == nil {
		return nil
	}
	out := fewerDecide(before, after)
	if before.Limits.FourEyes == (policies.Limit{}) {
		return out
	}
	return append(out, policies.Raised(before, after)...)
}

// fewerDecide names the kinds of requests about what administrators may not do alone that fewer people decide together by after than by before. That several have to agree
// says by itself that nobody loosens it alone, whether or not plans want four eyes.
func fewerDecide(before, after *policies.Policy) []string {
	var out []string
	for _, kind := range []policies.ApprovalKind{policies.ApproveElevation, policies.ApprovePlan, policies.ApproveRelease, policies.ApproveBreakGlass, policies.ApproveRetention} {
		was, is := before.Approvals[kind].People, after.Approvals[kind].People
		if is < was && (was > 1 || kind == policies.ApproveRelease) { // without a word about it a hold is released alone
			out = append(out, "approvals."+string(kind)+".people")
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
	rule, deciders, said, err := r.planRule(tx, p)
	if err != nil {
		return out, err
	}
	for _, row := range rows {
		may, err := r.mayApply(tx, row.Approver)
		if err != nil {
			return out, err
		}
		may = may && (!said || slices.Contains(deciders, row.Approver))
		out.Given = append(out.Given, Approval{string(row.Approver), row.At.Time, !p.Applied && (!may || row.Approver == p.Behind || row.Approver == p.applier || string(row.Approver) == p.Author)})
	}
	out.Loosens, out.Gives = p.loosens, p.gives
	limit, placed := policyOf(c).Limits.FourEyes, 0
	if p.Behind != "" || limit != (policies.Limit{}) { // a token that is nobody's opens doors for nobody
		out.Loosens = slices.Concat(p.loosens, p.opens)
	}
	out.Needed = len(out.Loosens)+len(out.Gives) > 0 || p.applier != ""
	if limit != (policies.Limit{}) {
		if out.Losing = p.together; limit.Percent > 0 && p.together > limit.People {
			var err error
			if placed, err = countPlaced(tx.DB); err != nil {
				return out, err
			}
		}
		out.Limit = most(limit.People, limit.Percent, placed)
		out.Needed = out.Needed || p.takesMore(out)
	}
	if !out.Needed {
		return out, nil
	}
	if out.People = 1; p.Behind == "" { // whoever it was may be one of those who approve
		out.People = 2
	}
	if said {
		out.People = max(out.People, rule.People)
	}
	if p.Behind != "" && !p.Applied && p.closes == "" { // owners close without being able to put anything else in force
		may, err := r.mayApply(tx, p.Behind)
		if err != nil {
			return out, err
		}
		out.AuthorGone = !may
	}
	return out, nil
}

// takesMore tells whether a plan takes something, and with what plans took before from more than the limit.
func (p *Plan) takesMore(eyes FourEyes) bool { return p.summary.Losing > 0 && p.together > eyes.Limit }

// standing counts the approvals that count.
func (e FourEyes) standing() int {
	n := 0
	for _, a := range e.Given {
		if !a.Lapsed {
			n++
		}
	}
	return n
}

// approved answers ErrApproval where a plan needs an approval and nobody gave one who may do so now, or whoever made it may not apply it any more; and
// whether somebody other than its maker, who is known, found it right, needed or not.
func (r *Reactor) approved(tx *db.Tx, c *catalog, p *Plan) (bool, error) {
	eyes, err := r.fourEyes(tx, c, p)
	seen := eyes.standing() >= max(eyes.People, 1) && (p.Behind != "" || eyes.standing() > 1)
	switch {
	case err != nil:
		return false, err
	case !eyes.Needed:
		return seen, nil
	case eyes.AuthorGone:
		return false, fmt.Errorf("plan %s was made by somebody who may not apply one any more: %w", p.ID, ErrApproval)
	case seen:
		return true, nil
	case p.Behind == "":
		return false, fmt.Errorf("plan %s was made by nobody who is known, and wants the approval of two: %w", p.ID, ErrApproval)
	}
	var why []string
	if p.applier != "" {
		why = append(why, fmt.Sprintf("gives %s, who applies it, a place in a group with restricted channels, or more to see in one", p.applier))
	}
	if len(eyes.Gives) > 0 {
		why = append(why, fmt.Sprintf("gives whoever made it a place, or more to see, in %s, with restricted channels", strings.Join(eyes.Gives, ", ")))
	}
	if len(eyes.Loosens) > 0 {
		why = append(why, "loosens "+strings.Join(eyes.Loosens, ", "))
	}
	if eyes.Limit > 0 && p.takesMore(eyes) || len(why) == 0 {
		why = append(why, fmt.Sprintf("takes memberships, channels or rights from %d people, with what other plans took within 24 hours from %d, and the limit is %d", p.summary.Losing, p.together, eyes.Limit))
	}
	return false, fmt.Errorf("plan %s %s: %w", p.ID, strings.Join(why, "; "), ErrApproval)
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
		if err := r.decider(tx, p, approver); err != nil {
			return err
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
