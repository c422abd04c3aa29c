package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// What a policy takes by what it says of channels and groups cannot be given back to people one by one: the way back is the version before.

// taking is what a plan took so.
type taking struct {
	version int64 // that it made
	people  []id.Person
}

// takenByShape answers what the applied plan of that name took of people by channels and groups that it changed; nil where that is nobody.
func (r *Reactor) takenByShape(ctx context.Context, by id.Request) (*taking, error) {
	q := r.db.Read(ctx)
	var versions []int64
	if err := q.Raw("select version from policy_versions where plan = ? and version > 1", by).Scan(&versions).Error; err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	if len(versions) == 0 {
		return nil, nil
	}
	_, p, err := loadPlan(q, id.Plan(by))
	if err != nil {
		return nil, err
	}
	groups := map[string]bool{}
	for _, s := range p.Shapes {
		if s.Op == "archive" || slices.Contains(s.Fields, "access") {
			groups[s.Group] = true
		}
	}
	out := &taking{version: versions[0]}
	if err := eachChange(q, p, func(list []PlannedChange) bool {
		for _, c := range list {
			if c.loses() && groups[c.Group] {
				out.people = append(out.people, c.Person)
			}
		}
		return true
	}); err != nil || len(out.people) == 0 {
		return nil, err
	}
	out.people = distinct(out.people)
	return out, nil
}

// goBack plans the version before that of t, where its own is still in force, and applies that plan where it only gives and nobody has to look at it first.
func (r *Reactor) goBack(ctx context.Context, cause directory.Cause, by id.Request, t *taking, out *Restored) error {
	if t == nil {
		return nil
	}
	out.BackTo, out.Channels = t.version-1, t.people
	state, err := readState(r.db.Read(ctx), "")
	if err != nil || state.Version != t.version {
		return err
	}
	p, err := r.Propose(ctx, Proposal{Version: out.BackTo, Reason: "undo " + string(by), Behind: httpapi.CallerFrom(ctx).Behind()}, actorOf(cause))
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
	if err != nil {
		return err
	}
	out.Applied, out.Rev, out.People = true, max(out.Rev, result.Rev), append(out.People, t.people...)
	return nil
}

// onlyGives tells whether a plan takes nothing from anybody, not a role either.
func (p *Plan) onlyGives() bool {
	return p.summary.Losing == 0 && !p.Verdict.Held() && !slices.ContainsFunc(p.Sights, func(s Sight) bool { return s.After != "" && s.After.Strength() < s.Before.Strength() })
}
