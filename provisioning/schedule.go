package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// ErrPast says that a plan was to be applied at an instant that is over.
var ErrPast = errors.New("that instant is over")

// ScheduleState is where a schedule stands.
type ScheduleState string

// The states of a schedule.
const (
	ScheduleWaiting   ScheduleState = "waiting"
	ScheduleApplied   ScheduleState = "applied"
	ScheduleRefused   ScheduleState = "refused" // at its instant: see Problem
	ScheduleCancelled ScheduleState = "cancelled"
)

// Schedule is that a plan is to be applied at an instant, or what became of that.
type Schedule struct {
	Plan    id.Plan       `json:"-"`
	At      time.Time     `json:"at"`
	Actor   string        `json:"by"`
	State   ScheduleState `json:"state" enum:"waiting,applied,refused,cancelled"`
	EndedAt time.Time     `json:"ended_at,omitzero"`
	Problem string        `json:"problem,omitempty" enum:"drift,held,needs_approval,closed,administrator,invalid" doc:"why it was refused"`
}

type scheduleRow struct {
	Plan      id.Plan
	At        db.Instant
	Hash      string
	Confirm   bool
	Actor     string
	Behind    id.Person
	CreatedAt db.Instant
	State     ScheduleState
	EndedAt   db.Instant
	Problem   string
}

func (scheduleRow) TableName() string { return "plan_schedules" }

// SchedulePlan has a plan applied at an instant: then it is refused as ApplyPlan would, and its author told. behind is who acts, where that is known;
// who is no administrator any more at that instant applies nothing. Another schedule of the plan is replaced.
func (r *Reactor) SchedulePlan(ctx context.Context, cause directory.Cause, behind id.Person, plan id.Plan, hash string, confirm bool, at time.Time) error {
	return r.db.Tx(ctx, func(tx *db.Tx) error {
		now := r.clock()
		if _, _, err := openPlan(tx.DB, plan, hash); err != nil {
			return err
		}
		if !at.After(now) {
			return fmt.Errorf("plan %s at %s: %w", plan, at.UTC().Format(time.RFC3339), ErrPast)
		}
		if err := tx.Exec(`insert into plan_schedules (plan, at, hash, confirm, actor, behind, created_at, state, problem) values (?, ?, ?, ?, ?, ?, ?, 'waiting', '')
			on conflict (plan) do update set at = excluded.at, hash = excluded.hash, confirm = excluded.confirm, actor = excluded.actor, behind = excluded.behind,
				created_at = excluded.created_at, state = 'waiting', ended_at = null, problem = ''`,
			plan, db.At(at), hash, confirm, actorOf(cause), behind, db.At(now)).Error; err != nil {
			return fmt.Errorf("schedule plan: %w", err)
		}
		tx.AfterCommit(func() {
			select {
			case r.scheduled <- struct{}{}:
			default:
			}
		})
		return audit.Append(tx, audit.Record{At: now, Actor: actorOf(cause), Action: "plan.scheduled", Subject: string(plan), RequestID: string(cause.Request),
			Public: map[string]any{"plan": hash, "at": at.UTC().Format(time.RFC3339), "confirm": confirm}})
	})
}

// UnschedulePlan takes a schedule back. Where none waits it is ErrNotFound.
func (r *Reactor) UnschedulePlan(ctx context.Context, cause directory.Cause, plan id.Plan) error {
	return r.db.Tx(ctx, func(tx *db.Tx) error {
		return r.endSchedule(tx, actorOf(cause), scheduleRow{Plan: plan}, ScheduleCancelled, "")
	})
}

// ScheduleOf answers what a plan's schedule is; the zero Schedule where it has none.
func (r *Reactor) ScheduleOf(ctx context.Context, plan id.Plan) (Schedule, error) {
	var rows []scheduleRow
	if err := r.db.Read(ctx).Raw("select * from plan_schedules where plan = ?", plan).Scan(&rows).Error; err != nil || len(rows) == 0 {
		return Schedule{}, err
	}
	row := rows[0]
	return Schedule{Plan: plan, At: row.At.Time, Actor: row.Actor, State: row.State, EndedAt: row.EndedAt.Time, Problem: row.Problem}, nil
}

// nextSchedule answers when the next schedule is due; zero where none waits.
func (r *Reactor) nextSchedule(ctx context.Context) (time.Time, error) {
	var at []db.Instant
	err := r.db.Read(ctx).Raw("select at from plan_schedules where state = 'waiting' order by at limit 1").Scan(&at).Error
	if err != nil || len(at) == 0 {
		return time.Time{}, err
	}
	return at[0].Time, nil
}

// keepSchedules applies the plans whose instant has come. A process that ends in between leaves a schedule that waits: the next look finds the plan
// applied, or applies it.
func (r *Reactor) keepSchedules(ctx context.Context) error {
	var rows []scheduleRow
	if err := r.db.Read(ctx).Raw("select * from plan_schedules where state = 'waiting' and at <= ? order by at, plan limit 20", db.At(r.clock())).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read schedules: %w", err)
	}
	for _, row := range rows {
		state, problem, err := r.keepSchedule(ctx, row)
		if err != nil {
			return fmt.Errorf("scheduled plan %s: %w", row.Plan, err)
		}
		err = r.db.Tx(ctx, func(tx *db.Tx) error { return r.endSchedule(tx, "system", row, state, problem) })
		if err != nil && !errors.Is(err, ErrNotFound) { // somebody else saw to it at the same time
			return err
		}
	}
	return nil
}

// keepSchedule applies one plan and answers what became of it. An error says that it is not known: it is tried again.
func (r *Reactor) keepSchedule(ctx context.Context, row scheduleRow) (ScheduleState, string, error) {
	if stays, err := r.stillAdmin(ctx, row.Behind); err != nil || !stays {
		return ScheduleRefused, "administrator", err
	}
	_, err := r.ApplyPlan(ctx, directory.Cause{Actor: row.Actor, Behind: row.Behind, Request: id.Request(row.Plan)}, row.Plan, row.Hash, row.Confirm)
	p, read := r.Plan(ctx, row.Plan)
	switch {
	case read != nil:
		return "", "", read
	case p.Applied: // by this call, or by one before that did not get to say so
		return ScheduleApplied, "", nil
	case errors.Is(err, ErrDrift):
		return ScheduleRefused, "drift", nil
	case errors.Is(err, ErrHeld):
		return ScheduleRefused, "held", nil
	case errors.Is(err, ErrApproval):
		return ScheduleRefused, "needs_approval", nil
	case errors.Is(err, ErrPolicy), errors.Is(err, ErrHash):
		return ScheduleRefused, "invalid", nil
	}
	return "", "", err
}

// stillAdmin tells whether a person may still apply a plan; one that is not known is a token of the configuration.
func (r *Reactor) stillAdmin(ctx context.Context, person id.Person) (bool, error) {
	if person == "" {
		return true, nil
	}
	may := false
	err := r.look(ctx, func(tx *db.Tx, _ *catalog) (err error) {
		may, err = r.mayApply(tx, person)
		return err
	})
	return may, err
}

// mayApply tells whether a person is here, is not kept out, and may put a policy in force, as tx sees it.
func (r *Reactor) mayApply(tx *db.Tx, person id.Person) (bool, error) {
	if r.MayApply == nil {
		return true, nil
	}
	facts, err := r.directory.In(tx).Facts(tx, []id.Person{person}, false)
	if err != nil {
		return false, fmt.Errorf("read facts: %w", err)
	}
	now := r.clock()
	for _, f := range facts {
		if f.Person.MergedInto != "" || f.Person.Absent || f.Person.Status == directory.StatusTerminated ||
			slices.ContainsFunc(f.Freezes, func(z directory.Freeze) bool { return z.OpenAt(now) }) {
			return false, nil
		}
	}
	if len(facts) == 0 {
		return false, nil
	}
	return r.MayApply(tx, person)
}

// endSchedule closes a schedule that waits, and tells the author of one that was refused.
func (r *Reactor) endSchedule(tx *db.Tx, actor string, row scheduleRow, state ScheduleState, problem string) error {
	now := r.clock()
	done := tx.Exec("update plan_schedules set state = ?, ended_at = ?, problem = ? where plan = ? and state = 'waiting'", state, db.At(now), problem, row.Plan)
	if done.Error != nil {
		return fmt.Errorf("close schedule: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return fmt.Errorf("schedule of plan %s: %w", row.Plan, ErrNotFound)
	}
	if r.TellPlan != nil && state != ScheduleCancelled {
		_, p, err := loadPlan(tx.DB, row.Plan)
		if err != nil {
			return err
		}
		for _, person := range distinct([]id.Person{p.Behind, row.Behind}) {
			if person == "" {
				continue
			}
			if err := r.TellPlan(tx, person, Schedule{Plan: row.Plan, At: row.At.Time, State: state, EndedAt: now, Problem: problem}); err != nil {
				return err
			}
		}
	}
	public := map[string]any{"state": string(state)}
	if problem != "" {
		public["problem"] = problem
	}
	return audit.Append(tx, audit.Record{At: now, Actor: actor, Action: "plan.schedule_ended", Subject: string(row.Plan), Public: public})
}
