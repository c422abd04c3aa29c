package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// What a policy takes by what it says of channels and groups cannot be given back to people one by one: the way back is the version before.

// taking is what a run took.
type taking struct {
	claims  []claim     // what it took
	version int64       // that it made, of a plan
	people  []id.Person // from whom by what the version says of channels and groups
}

// tookBy answers what an applied plan took of people; of another run nothing.
func (r *Reactor) tookBy(ctx context.Context, by id.Request) (*taking, error) {
	out := &taking{}
	q := r.db.Read(ctx)
	var versions []int64
	if err := q.Raw("select version from policy_versions where plan = ? and version > 1", by).Scan(&versions).Error; err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	if len(versions) == 0 {
		return out, nil
	}
	_, p, err := loadPlan(q, id.Plan(by))
	if err != nil {
		return nil, err
	}
	before, err := policyAt(q, versions[0]-1)
	if err != nil {
		return nil, err
	}
	policy, err := policyAt(q, versions[0])
	if err != nil {
		return nil, err
	}
	shapes := map[string]bool{}
	for _, s := range p.Shapes {
		if s.Op == "archive" || slices.Contains(s.Fields, "access") || slices.Contains(s.Fields, "history") {
			shapes[s.Group] = true
		}
	}
	c, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	out.version = versions[0]
	if err := eachChange(q, p, func(list []PlannedChange) bool {
		for _, change := range list {
			if !change.loses() {
				continue
			}
			out.claims = append(out.claims, p.claim(c, before.Group(change.Group), change))
			if change.byShape(policy, shapes[change.Group]) {
				out.people = append(out.people, change.Person)
			}
		}
		return true
	}); err != nil {
		return nil, err
	}
	out.people = distinct(out.people)
	return out, nil
}

// byShape tells whether what a change takes cannot be given back to the person alone, under the policy that took it: it shows their role other channels, or the role they had less than the one they have.
func (c PlannedChange) byShape(policy *policies.Policy, reshaped bool) bool {
	switch {
	case c.Op == OpRemove:
		return reshaped
	case c.Op == OpRole && c.Role.Strength() < c.Before.Strength():
		return reshaped || lessens(policy.Group(c.Group), c.Role, c.Before)
	}
	return len(c.Lost)+len(c.Lowered) > 0 && (reshaped || c.Op != OpReasons)
}

// lessens tells whether the channels of a group show, or let do, less in another role.
func lessens(g *policies.Group, from, to policies.Role) bool {
	return g != nil && slices.ContainsFunc(g.Channels, func(c policies.Channel) bool { return rightBy(c, to).less(rightBy(c, from)) })
}

// rightBy answers what a policy lets a role do in a channel.
func rightBy(c policies.Channel, role policies.Role) right {
	if c.Access[role] == "" {
		return right{access: policies.None}
	}
	return rightIn(Channel{Access: c.Access, History: c.History}, role)
}

// lessens tells whether members of a group have less in another role.
func (c *catalog) lessens(g id.Group, from, to policies.Role) bool {
	return c.policy != nil && lessens(c.policy.Group(c.key(g)), from, to)
}

// goBack plans the version before that of t, where its own is still in force, and applies that plan where it only gives and nobody has to look at it first. Otherwise it waits: planned
// last, after all that comes back without it.
func (r *Reactor) goBack(ctx context.Context, cause directory.Cause, by id.Request, t *taking, last bool, out *Restored) error {
	if len(t.people) == 0 || out.Applied {
		return nil
	}
	out.BackTo, out.Channels = t.version-1, t.people
	state, err := readState(r.db.Read(ctx), "")
	if err != nil || state.Version != t.version {
		return err
	}
	if !last {
		policy, err := r.policyAt(ctx, out.BackTo)
		if err != nil {
			return err
		}
		basis, l, err := r.compute(ctx, policy, by, false)
		if err != nil || len(l.body.Loosens) > 0 || !l.plan(basis).onlyGives() {
			return err
		}
	}
	p, err := r.Propose(ctx, Proposal{Version: out.BackTo, Reason: "undo " + string(by), Behind: httpapi.CallerFrom(ctx).Behind(), undoes: by}, actorOf(cause))
	if err != nil {
		return err
	}
	if out.Plan = p.ID; !p.onlyGives() {
		return nil
	}
	result, err := r.ApplyPlan(ctx, cause, p.ID, p.Hash, false)
	if errors.Is(err, ErrApproval) || errors.Is(err, ErrHeld) || errors.Is(err, ErrDrift) {
		return nil
	}
	out.Applied, out.Rev = err == nil, max(out.Rev, result.Rev)
	return err
}

// onlyGives tells whether a plan takes nothing from anybody, not a role either.
func (p *Plan) onlyGives() bool {
	return p.summary.Losing == 0 && !p.Verdict.Held()
}
