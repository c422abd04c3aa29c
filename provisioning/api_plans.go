package provisioning

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// PlanItem is a plan in a list.
type PlanItem struct {
	ID        id.Plan   `json:"id"`
	Hash      string    `json:"hash"`
	State     string    `json:"state" enum:"open,applied"`
	Author    string    `json:"author"`
	CreatedAt time.Time `json:"created_at"`
	AppliedAt time.Time `json:"applied_at,omitzero"`
	Summary   Summary   `json:"summary"`
	Units     bool      `json:"units,omitempty" doc:"it is about what becomes of units"`
	Held      bool      `json:"held" doc:"the guard holds it: applying wants a confirmation"`
	Schedule  *Schedule `json:"schedule,omitempty" doc:"when it is to be applied, or what became of that"`

	present *presentPart
}

// PlansInput chooses plans.
type PlansInput struct {
	State string `query:"state" enum:"open,applied,waiting" doc:"only these; waiting: those that are to be applied at an instant"`
	httpapi.Paging
}

// Plans answers plans, newest first, those made before before (empty: from the newest).
func (r *Reactor) Plans(ctx context.Context, state string, before id.Plan, limit int) ([]PlanItem, error) {
	q := r.db.Read(ctx).Table("plans p").Select(`p.id, p.hash, p.state, p.author, p.created_at, p.applied_at, p.body, s.at as due_at, s.actor as due_by, s.state as due_state,
		s.ended_at as due_ended, s.problem as due_problem`).Joins("left join plan_schedules s on s.plan = p.id").Order("p.id desc").Limit(limit)
	switch {
	case state == string(ScheduleWaiting):
		q = q.Where("s.state = ?", state)
	case state != "":
		q = q.Where("p.state = ?", state)
	}
	if before != "" {
		q = q.Where("p.id < ?", before)
	}
	var rows []struct {
		ID                   id.Plan
		Hash, State, Author  string
		CreatedAt, AppliedAt db.Instant
		Body                 db.JSON[planBody]
		DueAt, DueEnded      db.Instant
		DueBy, DueProblem    *string
		DueState             *ScheduleState
	}
	if err := q.Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("list plans: %w", err)
	}
	out := make([]PlanItem, len(rows))
	for i, row := range rows {
		out[i] = PlanItem{ID: row.ID, Hash: row.Hash, State: row.State, Author: row.Author, CreatedAt: row.CreatedAt.Time, AppliedAt: row.AppliedAt.Time,
			Units: row.Body.V.Units != nil, Summary: row.Body.V.Summary, Held: row.Body.V.Verdict.Held(), present: row.Body.V.Present}
		if row.DueState != nil {
			out[i].Schedule = &Schedule{Plan: row.ID, At: row.DueAt.Time, Actor: *row.DueBy, State: *row.DueState, EndedAt: row.DueEnded.Time, Problem: *row.DueProblem}
		}
	}
	return out, nil
}

// ListPlans answers plans, newest first.
func (a *API) ListPlans(ctx context.Context, in *PlansInput) (*httpapi.Page[PlanItem], error) {
	var before id.Plan
	if _, err := httpapi.DecodeCursor(in.Cursor, &before); err != nil {
		return nil, err
	}
	items, err := a.Reactor.Plans(ctx, in.State, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	if !directory.SightOf(ctx).Full() {
		for i, item := range items {
			if items[i].Summary = (Summary{}); item.present != nil {
				items[i].Summary = item.present.Summary
			}
		}
	}
	next := ""
	if len(items) > in.Limit {
		items = items[:in.Limit]
		next = httpapi.Cursor(items[in.Limit-1].ID)
	}
	return httpapi.NewPage(ctx, items, next), nil
}

// ApproveInput names a plan and what was looked at.
type ApproveInput struct {
	ID   id.Plan `path:"id"`
	Body struct {
		Hash string `json:"hash" minLength:"1"`
	}
}

// ApprovePlan notes that the caller, who did not make the plan, found it right: on the request for that, where one waits.
func (a *API) ApprovePlan(ctx context.Context, in *ApproveInput) (*struct{}, error) {
	if me := httpapi.CallerFrom(ctx).Behind(); a.Agree != nil && me != "" {
		if err := a.Reactor.Hashed(ctx, in.ID, in.Body.Hash); err != nil {
			return nil, err
		}
		if done, err := a.Agree(ctx, directory.CauseFrom(ctx, ""), me, in.ID); err != nil || done {
			return nil, err
		}
	}
	return nil, a.Reactor.ApprovePlan(ctx, directory.CauseFrom(ctx, ""), httpapi.CallerFrom(ctx).Behind(), in.ID, in.Body.Hash)
}

// ScheduleInput names a plan, what was looked at, and when it is to be applied.
type ScheduleInput struct {
	ID   id.Plan `path:"id"`
	Body struct {
		Hash    string    `json:"hash" minLength:"1"`
		At      time.Time `json:"at" doc:"when to apply it; what has changed by then is refused"`
		Confirm bool      `json:"confirm,omitempty" doc:"although the guard holds it"`
	}
}

// SchedulePlan has a plan applied at an instant.
func (a *API) SchedulePlan(ctx context.Context, in *ScheduleInput) (*struct{}, error) {
	return nil, a.Reactor.SchedulePlan(ctx, directory.CauseFrom(ctx, ""), httpapi.CallerFrom(ctx).Behind(), in.ID, in.Body.Hash, in.Body.Confirm, in.Body.At)
}

// UnscheduleInput names a plan.
type UnscheduleInput struct {
	ID id.Plan `path:"id"`
}

// UnschedulePlan takes that back.
func (a *API) UnschedulePlan(ctx context.Context, in *UnscheduleInput) (*struct{}, error) {
	return nil, a.Reactor.UnschedulePlan(ctx, directory.CauseFrom(ctx, ""), in.ID)
}
