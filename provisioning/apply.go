package provisioning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/trace"
	"github.com/rollcall-im/rollcall/policies"
)

// ApplyPlan puts a plan's policy into force, reconciles everybody and returns when that is in force. hash names
// what was looked at: another one is ErrHash. A plan applied before is ErrClosed, one that no longer says
// what applying would do ErrDrift, one that the guard holds a *HeldError unless confirm, one that somebody else has to approve first
// ErrApproval; then nothing is written. Where the process ends half-way, ReconcileAll or Tend finishes.
func (r *Reactor) ApplyPlan(ctx context.Context, cause directory.Cause, plan id.Plan, hash string, confirm bool) (done Result, err error) {
	ctx, step := trace.Begin(ctx, "provisioning.apply", "rollcall.plan", plan)
	defer func() {
		step.Set("rollcall.memberships", done.Written, "rollcall.revision", done.Rev)
		step.End(err)
	}()
	files, p, err := openPlan(r.db.Read(ctx), plan, hash)
	if err != nil {
		return Result{}, err
	}
	if p.Units != nil {
		return r.applyUnits(ctx, cause, p, confirm)
	}
	policy, err := parse(files)
	if err != nil {
		return Result{}, err
	}
	basis, now, err := r.compute(ctx, policy, p.undoes, false, p.Behind, cause.Behind)
	if err != nil {
		return Result{}, err
	}
	if basis.Version != p.Basis.Version || now.body.Digest != p.digest {
		return Result{}, fmt.Errorf("plan %s: %w", plan, ErrDrift)
	}
	if now.body.Verdict.Held() && !confirm {
		return Result{}, &HeldError{Plan: plan, Verdict: now.body.Verdict.keyed(now.after)}
	}
	p.asOf(now, cause) // others may have taken something since it was made
	rev, err := r.enact(ctx, cause, p, policy, files, now)
	if err != nil {
		return Result{}, fmt.Errorf("apply plan %s: %w", plan, err)
	}
	// From here on the policy is in force; a caller who hangs up does not stop it.
	ctx = context.WithoutCancel(ctx)
	result, _, err := r.finish(ctx)
	result.Rev = max(result.Rev, rev)
	if err != nil {
		return result, fmt.Errorf("apply plan %s: %w", plan, err)
	}
	if err := r.wait(ctx, result.Rev); err != nil {
		return result, err
	}
	return result, nil
}

// seedTries bounds how often SetPolicy looks again because somebody came or went between the plan and its application.
const seedTries = 50

// SetPolicy plans and applies files in one go, whatever the guard says and whoever is written to meanwhile: for seeding. The policy in force
// already writes nothing.
func (r *Reactor) SetPolicy(ctx context.Context, cause directory.Cause, files []File) (Result, error) {
	files, err := r.carried(ctx, files)
	if err != nil {
		return Result{}, err
	}
	policy, err := parse(files)
	if err != nil {
		return Result{}, err
	}
	c, err := r.current(ctx)
	if err != nil {
		return Result{}, err
	}
	if c.policy != nil && c.policy.Hash() == policy.Hash() {
		return r.ReconcileAll(ctx)
	}
	for try := 1; ; try++ {
		p, err := r.PlanPolicy(ctx, files, actorOf(cause))
		if err != nil {
			return Result{}, err
		}
		result, err := r.ApplyPlan(ctx, cause, p.ID, p.Hash, true)
		if !errors.Is(err, ErrDrift) || try == seedTries {
			return result, err
		}
	}
}

// enact is the one transaction in which a version comes into force, with its groups, channels and their tuples.
func (r *Reactor) enact(ctx context.Context, cause directory.Cause, p *Plan, policy *policies.Policy, files []File, l *ledger) (int64, error) {
	var rev int64
	err := r.db.Tx(ctx, func(tx *db.Tx) error {
		c, err := r.locked(tx, true)
		if err != nil {
			return err
		}
		if c.version != p.Basis.Version {
			return ErrDrift
		}
		now := r.clock()
		if last, err := lastTaken(tx.DB, now); err != nil || last != "" && last != l.known {
			return cmp.Or(err, ErrDrift)
		}
		seen, err := r.approved(tx, c, p)
		if err != nil {
			return err
		}
		if err := storeTaken(tx, takenRow{Plan: string(p.ID), At: db.At(now), Confirmed: l.body.Verdict.Held(), Approved: seen}, l.losses); err != nil {
			return err
		}
		next, shape, err := draft(tx.DB, c, policy, now)
		if err != nil {
			return err
		}
		version := versionRow{Version: next.version, Hash: policy.Hash(), Files: db.JSON[[]File]{V: files}, Author: p.Author, Plan: p.ID, AppliedAt: db.At(now)}
		if err := tx.Create(&version).Error; err != nil {
			return fmt.Errorf("store version: %w", err)
		}
		if err := tx.Exec("update policy_state set version = ? where id = 1", next.version).Error; err != nil {
			return fmt.Errorf("set version: %w", err)
		}
		if err := tx.Exec("update plans set state = 'applied', applied_at = ? where id = ?", db.At(now), p.ID).Error; err != nil {
			return fmt.Errorf("close plan: %w", err)
		}
		if err := shape.store(tx, now); err != nil {
			return err
		}
		tuples, err := shape.tuples(tx.DB)
		if err != nil {
			return err
		}
		s := &sheet{run: &run{cause: cause}, now: now}
		shape.tell(s, next.version, p)
		if _, err := r.feed.Append(tx, s.events...); err != nil {
			return err
		}
		if rev, err = r.authz.Append(tx, tuples...); err != nil {
			return fmt.Errorf("append tuples: %w", err)
		}
		return audit.Append(tx, s.records...)
	})
	return rev, err
}

// store writes the rows of groups and channels.
func (s *shapes) store(tx *db.Tx, now time.Time) error {
	for _, step := range s.fresh {
		g := step.group
		err := tx.Exec(`insert into project_groups (id, key, names, created_at) values (?, ?, ?, ?)
			on conflict (id) do update set names = excluded.names, archived_at = null`, g.ID, g.Key, db.JSON[map[string]string]{V: g.Names}, db.At(now)).Error
		if err != nil {
			return fmt.Errorf("store group %s: %w", g.Key, err)
		}
	}
	for _, g := range s.gone {
		if err := tx.Exec("update project_groups set archived_at = ? where id = ?", db.At(now), g.ID).Error; err != nil {
			return fmt.Errorf("archive group %s: %w", g.Key, err)
		}
	}
	for _, step := range s.steps {
		c := step.after
		if step.op == "archive" {
			if err := tx.Exec("update channels set archived_at = ? where id = ?", db.At(now), step.before.ID).Error; err != nil {
				return fmt.Errorf("archive channel %s: %w", step.before.Key, err)
			}
			continue
		}
		err := tx.Exec(`insert into channels (id, kind, group_id, key, names, labels, access, history, created_at) values (?, 'project', ?, ?, ?, ?, ?, ?, ?)
			on conflict (id) do update set names = excluded.names, labels = excluded.labels, access = excluded.access, history = excluded.history, archived_at = null`,
			c.ID, c.Group, c.Key, db.JSON[map[string]string]{V: c.Names}, db.JSON[[]string]{V: c.Labels}, db.JSON[map[policies.Role]policies.Access]{V: c.Access},
			string(c.History), db.At(now)).Error
		if err != nil {
			return fmt.Errorf("store channel %s: %w", c.Key, err)
		}
	}
	return nil
}

// tuples answers the changes of tuples that the steps need: who must see a history from joining only is
// written before the access, and taken back after it.
func (s *shapes) tuples(q reader) ([]authz.Change, error) {
	var first, middle, last []authz.Change
	for _, step := range s.steps {
		var before, after []authz.Tuple
		group := step.before.Group
		if step.before.ID != "" {
			before = channelTuples(step.before)
		}
		if step.op != "archive" {
			after, group = channelTuples(step.after), step.after.Group
		}
		middle = append(middle, turn(before, after)...)
		kept, err := step.handed(q)
		if err != nil {
			return nil, err
		}
		middle = append(middle, kept...)
		for _, role := range policies.Roles() {
			was, will := step.before.ID != "" && joining(step.before, role), step.op != "archive" && joining(step.after, role)
			if was == will {
				continue
			}
			var members []membershipRow
			if err := q.Raw("select * from memberships where group_id = ? and role = ? and ended_at is null", group, role).Scan(&members).Error; err != nil {
				return nil, fmt.Errorf("read members: %w", err)
			}
			for _, m := range members {
				if will {
					first = append(first, authz.Put(authz.Tuple{User: userRef(m.Person), Relation: "newcomer", Object: channelRef(step.after.ID), From: m.Since.Time}))
				} else {
					last = append(last, authz.Remove(authz.Tuple{User: userRef(m.Person), Relation: "newcomer", Object: channelRef(step.before.ID)}))
				}
			}
		}
	}
	return append(append(first, middle...), last...), nil
}

// tell notes the events and audit records of a policy that comes into force.
func (s *shapes) tell(sheet *sheet, version int64, p *Plan) {
	for _, step := range s.steps {
		kind, channel := EventChannelChanged, step.after.ID
		switch step.op {
		case "add":
			kind = EventChannelCreated
		case "archive":
			kind, channel = EventChannelArchived, step.before.ID
		}
		sheet.events = append(sheet.events, feed.Event{At: sheet.now, Kind: kind, Subject: string(channel), Data: mustJSON(map[string]string{"kind": string(KindProject)})})
	}
	sheet.events = append(sheet.events, feed.Event{At: sheet.now, Kind: EventPolicyApplied, Subject: string(p.ID), Data: mustJSON(map[string]int64{"version": version})})
	summary := p.Summary()
	sheet.record(EventPolicyApplied, string(p.ID), map[string]any{"version": version, "policy": p.Basis.Policy, "plan": p.Hash, "author": p.Author,
		"people": summary.People, "added": summary.Added, "removed": summary.Removed, "changed": summary.Changed, "losing": summary.Losing, "held": p.Verdict.Held()})
}

// finish reconciles everybody under a policy that came into force and was not followed through. done tells
// whether there was anything to finish.
func (r *Reactor) finish(ctx context.Context) (result Result, done bool, err error) {
	var c *catalog
	if c, err = r.current(ctx); err != nil {
		return result, false, err
	}
	if c.settled || c.version == 0 {
		return result, false, nil
	}
	run := &run{}
	if c.following != nil {
		run.cause = c.following.cause
	}
	if result, err = r.all(ctx, run); err != nil {
		return result, false, err
	}
	err = r.db.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update policy_state set settled = ? where id = 1 and settled < ?", c.version, c.version).Error
	})
	return result, true, err
}
