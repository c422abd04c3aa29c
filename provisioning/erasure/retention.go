package erasure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
)

// Retention is the kind of request by which others agree that somebody is erased, or that a legal hold ends. Its object is the erasure that was asked for, or the legal
// hold whose end was: what comes to be asked for later is another object, or is asked for anew.
type Retention struct{ *Engine }

// Wants answers the permission that agreeing to a request about an object wants.
func Wants(object string) roles.Permission {
	if strings.HasPrefix(object, "lgh_") {
		return roles.LegalHoldsWrite
	}
	return roles.PeopleErase
}

// asked is what waits for somebody else to agree.
type asked struct{ Person, AskedBy id.Person } // AskedBy: empty where nothing waits any more

func (k Retention) asked(tx *db.Tx, object string) (asked, error) {
	var rows []asked
	find := tx.Raw("select person, case when closed_at is null and lapses_at > ? then asked_by else '' end as asked_by from erasures where id = ?", db.At(k.clock()), object)
	if Wants(object) == roles.LegalHoldsWrite {
		find = tx.Raw("select person, case when lifted_at is null then lift_by else '' end as asked_by from legal_holds where id = ?", object)
	}
	if err := find.Scan(&rows).Error; err != nil {
		return asked{}, fmt.Errorf("read what waits for another administrator: %w", err)
	}
	if len(rows) == 0 {
		return asked{}, fmt.Errorf("%s: %w", object, approvals.ErrNotFound)
	}
	return rows[0], nil
}

// Rule implements approvals.Kind: where the policy says nothing, whoever may do it.
func (k Retention) Rule(tx *db.Tx, r approvals.Request) (policies.Approval, error) {
	rule, said, err := k.Decides(tx)
	if err == nil && !said {
		rule = policies.Approval{People: 1, LapseDays: int(lapse / (24 * time.Hour))}
		for _, role := range roles.All() {
			if role.Has(Wants(r.Object)) {
				rule.By = append(rule.By, policies.Approver{Kind: policies.ApproverAdmins, Admins: string(role)})
			}
		}
	}
	return rule, err
}

// Stand implements approvals.Kind: nobody stands behind what an administrator does.
func (Retention) Stand(*db.Tx, approvals.Request, policies.ApproverKind) ([]id.Person, error) {
	return nil, nil
}

// May implements approvals.Act.
func (k Retention) May(tx *db.Tx, r approvals.Request, person id.Person) (bool, error) {
	return k.Permits(tx, person, Wants(r.Object))
}

// Over implements approvals.Act.
func (k Retention) Over(tx *db.Tx, r approvals.Request) (bool, error) {
	a, err := k.asked(tx, r.Object)
	return err == nil && a.AskedBy == "", err
}

// Check implements approvals.Kind: who asked for the erasure, or for the end of the legal hold, asks for this.
func (k Retention) Check(tx *db.Tx, r *approvals.Request) error {
	a, err := k.asked(tx, r.Object)
	switch {
	case err != nil:
		return err
	case a.AskedBy == "":
		return fmt.Errorf("%s: %w", r.Object, approvals.ErrGone)
	case a.AskedBy != r.Requester:
		return fmt.Errorf("%s: %w: who asked for it first asks others", r.Object, approvals.ErrNotOffered)
	}
	return nil
}

// Grant implements approvals.Kind: when it returns it is done.
func (k Retention) Grant(ctx context.Context, cause directory.Cause, r approvals.Request, also func(*db.Tx) ([]audit.Record, error)) error {
	var a asked
	err := k.DB.Tx(ctx, func(tx *db.Tx) (err error) {
		a, err = k.asked(tx, r.Object)
		return err
	})
	if err != nil {
		return err
	}
	if Wants(r.Object) == roles.LegalHoldsWrite {
		_, err = k.lift(ctx, cause, id.Person(cause.Actor), a.Person, id.LegalHold(r.Object), also)
	} else {
		_, err = k.erase(ctx, cause, id.Person(cause.Actor), a.Person, id.Erasure(r.Object), also)
	}
	if errors.Is(err, ErrNotAsked) || errors.Is(err, ErrNoHold) {
		err = fmt.Errorf("%w: %w", approvals.ErrGone, err)
	}
	return err
}

// agree has somebody agree to the request that waits about an object; false where none does that is theirs to decide.
func (e *Engine) agree(ctx context.Context, cause directory.Cause, by id.Person, object string) (bool, error) {
	return e.Asks.ApproveAbout(ctx, cause, by, policies.ApproveRetention, object)
}

// alone is ErrAlone where the policy says who agrees; else what is done by one other person is no request of anybody's any more.
func (e *Engine) alone(object string) func(*db.Tx) ([]audit.Record, error) {
	return func(tx *db.Tx) ([]audit.Record, error) {
		_, said, err := e.Decides(tx)
		if err == nil && said {
			err = ErrAlone
		}
		if err != nil {
			return nil, err
		}
		return nil, e.Asks.CloseAbout(tx, policies.ApproveRetention, object)
	}
}
