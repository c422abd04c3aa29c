package approvals

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

// Acts is what administrators ask each other about before they do it.
type Acts struct {
	Reactor *provisioning.Reactor
	// Holds tells whether somebody has a permission for the whole organisation.
	Holds func(tx *db.Tx, person id.Person, permission roles.Permission) (bool, error)
}

// Stand implements Kind: nobody stands behind what an administrator does.
func (Acts) Stand(*db.Tx, Request, policies.ApproverKind) ([]id.Person, error) { return nil, nil }

// Planning is the kind of request by which others find a plan right. A plan never changes, so that what they look at is what its hash names; it is
// applied by who made it, and what has changed by then is refused.
type Planning struct{ Acts }

// Rule implements Kind: where the policy says nothing, whoever may apply a plan.
func (p Planning) Rule(tx *db.Tx, _ Request) (policies.Approval, error) {
	rule, said, err := p.Reactor.Decides(tx, "", policies.ApprovePlan)
	if err == nil && !said {
		rule = policies.Approval{People: 1, LapseDays: 7}
		for _, role := range roles.All() {
			if role.Has(roles.PoliciesApply) {
				rule.By = append(rule.By, policies.Approver{Kind: policies.ApproverAdmins, Admins: string(role)})
			}
		}
	}
	return rule, err
}

// May implements Act.
func (p Planning) May(tx *db.Tx, _ Request, person id.Person) (bool, error) {
	return p.Reactor.MayDecide(tx, person)
}

// Over implements Act.
func (p Planning) Over(tx *db.Tx, r Request) (bool, error) {
	_, err := p.Reactor.Wanting(tx, id.Plan(r.Object))
	if errors.Is(err, provisioning.ErrClosed) || errors.Is(err, provisioning.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// Check implements Kind: who made the plan asks; of one that nobody is known to have made, whoever may apply it.
func (p Planning) Check(tx *db.Tx, r *Request) error {
	behind, err := p.Reactor.Wanting(tx, id.Plan(r.Object))
	switch {
	case errors.Is(err, provisioning.ErrNotFound):
		return fmt.Errorf("plan %s: %w", r.Object, ErrNotFound)
	case errors.Is(err, provisioning.ErrClosed):
		return fmt.Errorf("%w: %v", ErrGone, err)
	case err != nil:
		return err
	case behind != "" && behind != r.Requester:
		return fmt.Errorf("plan %s: %w: who made it asks", r.Object, ErrNotOffered)
	}
	may, err := p.Reactor.MayDecide(tx, r.Requester)
	if err == nil && !may {
		err = fmt.Errorf("plan %s: %w", r.Object, ErrNotOffered)
	}
	return err
}

// Grant implements Kind.
func (p Planning) Grant(ctx context.Context, cause directory.Cause, r Request, also func(*db.Tx) ([]audit.Record, error)) error {
	return p.Reactor.Note(ctx, func(tx *db.Tx) ([]audit.Record, error) {
		records, err := also(tx)
		if err != nil {
			return nil, err
		}
		var by []id.Person
		if err := tx.Raw("select approver from approval_decisions where request = ? and agrees order by at, approver", r.ID).Scan(&by).Error; err != nil {
			return nil, fmt.Errorf("read decisions: %w", err)
		}
		return records, p.Reactor.NoteApprovals(tx, id.Plan(r.Object), by)
	})
}

// Releasing is the kind of request by which a hold of the guard is released, where the policy says who decides that. What is held when it is granted
// goes through, and nothing that comes after.
type Releasing struct{ Acts }

// Rule implements Kind.
func (l Releasing) Rule(tx *db.Tx, _ Request) (policies.Approval, error) {
	rule, said, err := l.Reactor.Decides(tx, "", policies.ApproveRelease)
	if err == nil && !said {
		err = ErrNotOffered
	}
	return rule, err
}

// May implements Act.
func (l Releasing) May(tx *db.Tx, _ Request, person id.Person) (bool, error) {
	return l.Holds(tx, person, roles.HoldsDecide)
}

// Over implements Act.
func (l Releasing) Over(tx *db.Tx, r Request) (bool, error) {
	state, err := l.Reactor.HoldState(tx, id.Hold(r.Object))
	return err == nil && state != provisioning.HoldOpen, err
}

// Check implements Kind.
func (l Releasing) Check(tx *db.Tx, r *Request) error {
	state, err := l.Reactor.HoldState(tx, id.Hold(r.Object))
	switch {
	case err != nil:
		return err
	case state == "":
		return fmt.Errorf("hold %s: %w", r.Object, ErrNotFound)
	case state != provisioning.HoldOpen:
		return fmt.Errorf("hold %s is %s: %w", r.Object, state, ErrGone)
	}
	may, err := l.May(tx, *r, r.Requester)
	if err == nil && !may {
		err = fmt.Errorf("hold %s: %w", r.Object, ErrNotOffered)
	}
	return err
}

// Grant implements Kind.
func (l Releasing) Grant(ctx context.Context, cause directory.Cause, r Request, also func(*db.Tx) ([]audit.Record, error)) error {
	_, err := l.Reactor.ReleaseWith(ctx, cause, id.Hold(r.Object), also)
	return err
}

// ApproveAbout has somebody agree to the request that waits about a thing, if one does and is theirs to decide; false where it is not.
func (e *Engine) ApproveAbout(ctx context.Context, cause directory.Cause, approver id.Person, kind policies.ApprovalKind, object string) (bool, error) {
	list, err := e.load(e.DB.Read(ctx), "state = 'waiting' and kind = ? and object = ? order by id", kind, object)
	if err != nil {
		return false, err
	}
	list = slices.DeleteFunc(list, func(r Request) bool { return r.State != Waiting })
	if len(list) == 0 {
		return false, nil
	}
	_, err = e.Approve(ctx, cause, approver, list[0].ID, "")
	if errors.Is(err, ErrNotApprover) || errors.Is(err, ErrClosed) {
		return false, nil
	}
	return err == nil, err
}

// CloseAbout ends in tx what waits about a thing of which there is nothing to be decided any more.
func (e *Engine) CloseAbout(tx *db.Tx, kind policies.ApprovalKind, object string) error {
	list, err := e.load(tx.DB, "state = 'waiting' and kind = ? and object = ? order by id", kind, object)
	if err != nil {
		return err
	}
	for _, r := range list {
		if r, err = e.locked(tx, r.ID); errors.Is(err, ErrClosed) {
			continue
		}
		if err == nil {
			err = e.close(tx, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Deciders answers who may decide a request by the rule of its kind, on the state that tx sees, whether or not there is one.
func (e *Engine) Deciders(tx *db.Tx, r Request) ([]id.Person, error) {
	k, err := e.kind(r.Kind)
	if err != nil {
		return nil, err
	}
	rule, err := k.Rule(tx, r)
	if err != nil {
		return nil, err
	}
	return e.sight(tx).approvers(r, rule)
}
