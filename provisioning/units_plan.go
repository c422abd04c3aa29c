package provisioning

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// What becomes of units is planned as a policy is: by the same diff, guard, hash, drift and four eyes. Only what is put in force is a
// declaration of the directory, or the end of one, and the policy stays.

// UnitsChange is what a plan says of units: one of the two.
type UnitsChange struct {
	Declare  *directory.DeclareSuccessions  `json:"declare,omitempty"`
	Withdraw *directory.WithdrawSuccessions `json:"withdraw,omitempty"`
	Of       []directory.Succession         `json:"of,omitempty"` // what is withdrawn
}

// change answers what the directory is to do, where check finds nothing against it; now has it come into force at once, to look what it does.
func (u UnitsChange) change(now bool, check func(*db.Tx) error) directory.Change {
	if u.Withdraw != nil {
		c := *u.Withdraw
		c.Check = check
		return c
	}
	c := *u.Declare
	if c.Check = check; now {
		c.At = time.Time{}
	}
	return c
}

// PlanUnits computes what declaring or withdrawing successions of units would do, as if it came into force now, and stores it; nothing else is written.
func (r *Reactor) PlanUnits(ctx context.Context, change directory.Change, author string, behind id.Person, reason string) (*Plan, error) {
	var u UnitsChange
	switch c := change.(type) {
	case directory.DeclareSuccessions:
		u.Declare = &c
	case directory.WithdrawSuccessions:
		u.Withdraw = &c
		list, err := r.directory.Successions(ctx, c.Source)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			if s.ID == c.ID {
				u.Of = append(u.Of, s)
			}
		}
	default:
		return nil, fmt.Errorf("%w: change %T", directory.ErrInvalid, c)
	}
	basis, l, err := r.computeUnits(ctx, u, true, behind)
	if err != nil {
		return nil, err
	}
	l.body.Units = &u
	return r.keepPlan(ctx, basis, l, []File{}, author, behind, planReasonRow{Reason: reason})
}

// computeUnits makes the change as of now, looks what the policy in force would do, and takes it back.
func (r *Reactor) computeUnits(ctx context.Context, u UnitsChange, keep bool, watch ...id.Person) (Basis, *ledger, error) {
	text := sha256.Sum256(mustJSON(u))
	basis := Basis{Policy: hex.EncodeToString(text[:])}
	var err error
	if basis.Position, err = r.feed.Head(ctx); err != nil {
		return basis, nil, fmt.Errorf("plan: %w", err)
	}
	people, err := r.directory.SucceededPeople(ctx, u.change(true, nil)) // before: of what is withdrawn nothing is left then
	if err != nil {
		return basis, nil, fmt.Errorf("plan: %w", err)
	}
	if err := r.look(ctx, func(tx *db.Tx, _ *catalog) (err error) {
		basis.Revision, err = r.authz.Revision(tx)
		return err
	}); err != nil {
		return basis, nil, fmt.Errorf("read revision: %w", err)
	}
	l := newLedger(keep, watch...)
	_, err = r.directory.Try(ctx, directory.Cause{Actor: "system"}, func(tx *db.Tx) error {
		c, err := r.catalogIn(tx.DB)
		if err != nil {
			return err
		}
		basis.Version, basis.At = c.version, r.clock()
		l.begin(c, c, []ShapeChange{})
		l.now, l.otherwise = basis.At, GroundUnits
		return r.judgeUnits(ctx, tx, c, l, people)
	}, u.change(true, nil))
	return basis, l, err
}

// judgeUnits looks at people on the state that tx sees, and has the guard judge what they lose.
func (r *Reactor) judgeUnits(ctx context.Context, tx *db.Tx, c *catalog, l *ledger, people []id.Person) error {
	taken, err := loadTaken(tx.DB, l.now)
	if err != nil {
		return err
	}
	l.since(taken)
	batch := Batch{Added: map[id.Group]int{}}
	for from := 0; from < len(people); from += chunkMost {
		list, err := r.gather(tx, &run{}, c, people[from:min(from+chunkMost, len(people))], false)
		if err != nil {
			return err
		}
		for _, a := range list {
			if err := l.take(a.person, l.planned(a, &batch), true); err != nil {
				return err
			}
		}
	}
	if err := l.end(); err != nil {
		return err
	}
	if err := r.watch(tx, l); err != nil {
		return err
	}
	if err := r.complete(ctx, tx, c, &batch); err != nil {
		return err
	}
	batch.Recent = taken.removals()
	l.body.Verdict, err = Guard{guardOf(c)}.Check(batch)
	return err
}

// applyUnits is ApplyPlan of a plan about units.
func (r *Reactor) applyUnits(ctx context.Context, cause directory.Cause, p *Plan, confirm bool) (Result, error) {
	basis, l, err := r.computeUnits(ctx, *p.Units, false, p.Behind, cause.Behind)
	if err != nil {
		return Result{}, fmt.Errorf("apply plan %s: %w", p.ID, err)
	}
	if basis.Version != p.Basis.Version || l.body.Digest != p.digest {
		return Result{}, fmt.Errorf("plan %s: %w", p.ID, ErrDrift)
	}
	if l.body.Verdict.Held() && !confirm {
		return Result{}, &HeldError{Plan: p.ID, Verdict: l.body.Verdict.keyed(l.after)}
	}
	p.asOf(l, cause)
	reason, err := reasonOf(r.db.Read(ctx), p.ID)
	if err != nil {
		return Result{}, err
	}
	cause.Request, cause.Reason = id.Request(p.ID), cmp.Or(cause.Reason, reason)
	applied, err := r.directory.Apply(ctx, cause, p.Units.change(false, func(tx *db.Tx) error { return r.closeUnits(tx, p, l) }))
	if err != nil {
		return Result{}, fmt.Errorf("apply plan %s: %w", p.ID, err)
	}
	// From here on it is declared; a caller who hangs up does not stop it. What somebody looked at is not held again.
	ctx = context.WithoutCancel(ctx)
	run := &run{cause: cause, approved: map[position]bool{}}
	c, err := r.current(ctx)
	if err != nil {
		return Result{}, err
	}
	var people []id.Person
	if err := eachChange(r.db.Read(ctx), p, func(list []PlannedChange) bool {
		for _, change := range list {
			people = append(people, change.Person)
			if change.Op == OpRemove {
				run.approved[position{change.Person, c.byKey[change.Group]}] = true
			}
		}
		return true
	}); err != nil {
		return Result{}, err
	}
	result, err := r.reconcile(ctx, run, people)
	if result.Rev = max(result.Rev, applied.Rev); err != nil {
		return result, fmt.Errorf("apply plan %s: %w", p.ID, err)
	}
	return result, r.wait(ctx, result.Rev)
}

// closeUnits says, in the transaction that puts a plan about units in force, whether it may be, and that it is.
func (r *Reactor) closeUnits(tx *db.Tx, p *Plan, l *ledger) error {
	c, err := r.catalogIn(tx.DB)
	if err != nil {
		return err
	}
	now := r.clock()
	if last, err := lastTaken(tx.DB, now); err != nil || c.version != p.Basis.Version || last != "" && last != l.known {
		return cmp.Or(err, ErrDrift)
	}
	seen, err := r.approved(tx, c, p)
	if err != nil {
		return err
	}
	if err := storeTaken(tx, takenRow{Plan: string(p.ID), At: db.At(now), Confirmed: l.body.Verdict.Held(), Approved: seen}, l.losses); err != nil {
		return err
	}
	done := tx.Exec("update plans set state = 'applied', applied_at = ? where id = ? and state = 'open'", db.At(now), p.ID)
	if done.Error != nil {
		return fmt.Errorf("close plan: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return fmt.Errorf("plan %s: %w", p.ID, ErrClosed)
	}
	return nil
}

func reasonOf(q reader, plan id.Plan) (string, error) {
	var reason []string
	if err := q.Raw("select reason from plan_reasons where plan = ?", plan).Scan(&reason).Error; err != nil {
		return "", fmt.Errorf("read reason: %w", err)
	}
	if len(reason) == 0 {
		return "", nil
	}
	return reason[0], nil
}

// UnitsView is what a plan says of units, in an answer.
type UnitsView struct {
	Withdraw  bool        `json:"withdraw" doc:"it takes a declaration back"`
	Effective time.Time   `json:"effective_at"`
	Items     []UnitsItem `json:"items" nullable:"false"`
}

// UnitsItem is a unit that was and one that is.
type UnitsItem struct {
	Kind directory.SuccessionKind `json:"kind" enum:"renumber,split,merge"`
	Old  string                   `json:"old"`
	New  string                   `json:"new"`
}

func (u *UnitsChange) view() *UnitsView {
	if u == nil {
		return nil
	}
	out, list := &UnitsView{Withdraw: u.Withdraw != nil, Items: []UnitsItem{}}, u.Of
	if u.Declare != nil {
		out.Effective, list = u.Declare.At.UTC(), u.Declare.List
	} else if len(list) > 0 {
		out.Effective = list[0].At.UTC()
	}
	for _, s := range list {
		out.Items = append(out.Items, UnitsItem{s.Kind, s.Old, s.New})
	}
	return out
}
