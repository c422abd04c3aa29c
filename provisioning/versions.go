package provisioning

import (
	"context"
	"fmt"
	"net/http"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Proposal is a policy that is to be planned: files, or a version that was in force before.
type Proposal struct {
	Files   []File `json:"files,omitempty" maxItems:"200" doc:"the whole policy"`
	Version int64  `json:"version,omitempty" minimum:"1" doc:"instead of files: the version to go back to"`
	Reason  string `json:"reason,omitempty" maxLength:"1000" doc:"why; it stands beside the version"`

	Behind id.Person `json:"-"` // the human being who proposes it, where that is known
	undoes id.Request
}

// Propose plans what is proposed, and keeps why. Going back is a plan like any other: it makes a new version that says what the old one did.
func (r *Reactor) Propose(ctx context.Context, p Proposal, author string) (*Plan, error) {
	switch {
	case len(p.Files) > 0 && p.Version > 0:
		return nil, fmt.Errorf("%w: files and a version", ErrPolicy)
	case p.Version > 0:
		old, err := r.Policy(ctx, p.Version)
		if err != nil {
			return nil, err
		}
		p.Files = old.Files
	default:
		policy, err := parse(p.Files)
		if err == nil {
			err = idle(policy)
		}
		if err == nil {
			p.Files, err = r.carried(ctx, p.Files)
		}
		if err != nil {
			return nil, err
		}
	}
	plan, err := r.planFor(ctx, p.Files, author, p.Behind, p.undoes)
	if err != nil || p.Reason == "" && p.Version == 0 {
		return plan, err
	}
	row := planReasonRow{Plan: plan.ID, Reason: p.Reason, Version: p.Version}
	if err := r.db.Tx(ctx, func(tx *db.Tx) error { return tx.Create(&row).Error }); err != nil {
		return nil, fmt.Errorf("store reason: %w", err)
	}
	return plan, nil
}

// idle refuses a policy that says something to no effect.
func idle(p *policies.Policy) error {
	if err := p.Idle(); err != nil {
		return fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	return nil
}

// Compare answers what the files of version to say otherwise than those of from; 0 is the version in force, and before the first one nothing.
func (r *Reactor) Compare(ctx context.Context, from, to int64) ([]policies.Difference, error) {
	var both [2]*policies.Policy
	for i, version := range []int64{from, to} {
		policy, err := r.policyAt(ctx, version)
		if err != nil {
			return nil, err
		}
		both[i] = policy
	}
	return policies.Diff(both[0], both[1]), nil
}

// CompareFiles answers what files say otherwise than version, 0 being the one in force.
func (r *Reactor) CompareFiles(ctx context.Context, version int64, files []File) ([]policies.Difference, error) {
	files, err := r.carried(ctx, files)
	if err != nil {
		return nil, err
	}
	after, err := parse(files)
	if err != nil {
		return nil, err
	}
	before, err := r.policyAt(ctx, version)
	if err != nil {
		return nil, err
	}
	return policies.Diff(before, after), nil
}

// policyAt answers a version; 0 is the one in force, nil where there is none yet.
func (r *Reactor) policyAt(ctx context.Context, version int64) (*policies.Policy, error) {
	if version == 0 {
		c, err := r.current(ctx)
		if err != nil {
			return nil, err
		}
		return c.policy, nil
	}
	item, err := r.Policy(ctx, version)
	if err != nil {
		return nil, err
	}
	return parse(item.Files)
}

// DiffInput holds policy files.
type DiffInput struct {
	Body struct {
		Files []File `json:"files" minItems:"1" maxItems:"200"`
		From  int64  `json:"from,omitempty" minimum:"0" doc:"the version to compare with; 0 or nothing: the one in force"`
	}
}

// DiffOutput is what two policies say otherwise.
type DiffOutput struct {
	Body struct {
		Items []policies.Difference `json:"items" nullable:"false" doc:"in the order of the files"`
	}
}

// DiffFiles answers what policy files say otherwise than a version. Nothing is stored.
func (a *API) DiffFiles(ctx context.Context, in *DiffInput) (*DiffOutput, error) {
	list, err := a.Reactor.CompareFiles(ctx, in.Body.From, in.Body.Files)
	return diffOutput(list, err)
}

// DiffVersionsInput names two versions.
type DiffVersionsInput struct {
	Version int64 `path:"version" minimum:"1"`
	From    int64 `query:"from" minimum:"0" doc:"the version to compare with; nothing: the one in force"`
}

// DiffVersions answers what a version says otherwise than another.
func (a *API) DiffVersions(ctx context.Context, in *DiffVersionsInput) (*DiffOutput, error) {
	list, err := a.Reactor.Compare(ctx, in.From, in.Version)
	return diffOutput(list, err)
}

func diffOutput(list []policies.Difference, err error) (*DiffOutput, error) {
	if err != nil {
		return nil, problem(err)
	}
	out := &DiffOutput{}
	out.Body.Items = list
	return out, nil
}

// PolicySchema answers the JSON schema of policy files, for editors.
func (a *API) PolicySchema() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/schema+json")
		_, _ = w.Write(policies.Schema()) // who hung up does not want it
	})
}
