package provisioning

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// PolicyItem is one version of the policy.
type PolicyItem struct {
	Version   int64     `json:"version"`
	Hash      string    `json:"hash"`
	Author    string    `json:"author"`
	Plan      id.Plan   `json:"plan"`
	AppliedAt time.Time `json:"at"`
	InForce   bool      `json:"in_force"`
	Reason    string    `json:"reason,omitempty" doc:"why, in the author's words"`
	BackTo    int64     `json:"back_to,omitempty" doc:"the version it went back to"`
	Files     []File    `json:"source,omitempty" doc:"the files; only in the answer about one version"`
}

// Policies answers versions of the policy, newest first, those before before (0: from the newest).
func (r *Reactor) Policies(ctx context.Context, before int64, limit int) ([]PolicyItem, error) {
	q := r.db.Read(ctx)
	state, err := readState(q, "")
	if err != nil {
		return nil, err
	}
	var rows []reasonedRow
	if err := q.Raw(fmt.Sprintf(reasoned, "'null' as files")+"where ? = 0 or v.version < ? order by v.version desc limit ?", before, before, limit).
		Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	out := make([]PolicyItem, len(rows))
	for i, row := range rows {
		out[i] = row.item(state.Version)
	}
	return out, nil
}

// reasonedRow is a version with why it was made.
type reasonedRow struct {
	Version   int64
	Hash      string
	Files     db.JSON[[]File]
	Author    string
	Plan      id.Plan
	AppliedAt db.Instant
	Reason    string
	BackTo    int64
}

const reasoned = `select v.version, v.hash, v.author, v.plan, v.applied_at, %s, coalesce(p.reason, '') as reason, coalesce(p.version, 0) as back_to
	from policy_versions v left join plan_reasons p on p.plan = v.plan `

func (r reasonedRow) item(inForce int64) PolicyItem {
	return PolicyItem{Reason: r.Reason, BackTo: r.BackTo, Version: r.Version, Hash: r.Hash, Author: r.Author, Plan: r.Plan, AppliedAt: r.AppliedAt.Time, InForce: r.Version == inForce, Files: r.Files.V}
}

// Policy answers one version with its files.
func (r *Reactor) Policy(ctx context.Context, version int64) (PolicyItem, error) {
	q := r.db.Read(ctx)
	var rows []reasonedRow
	if err := q.Raw(fmt.Sprintf(reasoned, "v.files")+"where v.version = ?", version).Scan(&rows).Error; err != nil {
		return PolicyItem{}, fmt.Errorf("read policy: %w", err)
	}
	if len(rows) == 0 {
		return PolicyItem{}, fmt.Errorf("policy %d: %w", version, ErrNotFound)
	}
	state, err := readState(q, "")
	if err != nil {
		return PolicyItem{}, err
	}
	return rows[0].item(state.Version), nil
}

// ListPolicies answers the versions of the policy, newest first.
func (a *API) ListPolicies(ctx context.Context, in *httpapi.Paging) (*httpapi.Page[PolicyItem], error) {
	var before int64
	if _, err := httpapi.DecodeCursor(in.Cursor, &before); err != nil {
		return nil, err
	}
	items, err := a.Reactor.Policies(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(items) > in.Limit {
		items = items[:in.Limit]
		next = httpapi.Cursor(items[in.Limit-1].Version)
	}
	return httpapi.NewPage(ctx, items, next), nil
}

// PolicyInput names a version.
type PolicyInput struct {
	Version int64 `path:"version" minimum:"1"`
}

// PolicyOutput is one version with its files.
type PolicyOutput struct{ Body PolicyItem }

// GetPolicy answers one version with its files.
func (a *API) GetPolicy(ctx context.Context, in *PolicyInput) (*PolicyOutput, error) {
	item, err := a.Reactor.Policy(ctx, in.Version)
	return &PolicyOutput{Body: item}, err
}

// PlanInput is what is to be planned.
type PlanInput struct{ Body Proposal }

// VerdictView is what the guard says.
type VerdictView struct {
	Held     bool     `json:"held"`
	Breaches []Breach `json:"breaches" nullable:"false"`
	Reasons  []string `json:"reasons" nullable:"false"`
}

func verdictView(v Verdict) VerdictView {
	out := VerdictView{Held: v.Held(), Breaches: orEmpty(v.Breaches), Reasons: []string{}}
	for _, b := range v.Breaches {
		out.Reasons = append(out.Reasons, b.String())
	}
	return out
}

// PlanChange is a change of a membership in an answer.
type PlanChange struct {
	PlannedChange
	PersonName string   `json:"person_name" doc:"the display name"`
	Gains      []string `json:"gains" nullable:"false" doc:"keys of the group's channels that the person sees then"`
	Loses      []string `json:"loses" nullable:"false" doc:"those that the person sees no more"`
}

// PlanView is a plan in an answer: its changes come in pages.
type PlanView struct {
	ID          id.Plan               `json:"id"`
	Hash        string                `json:"hash"`
	State       string                `json:"state" enum:"open,applied"`
	Author      string                `json:"author"`
	CreatedAt   time.Time             `json:"created_at"`
	AppliedAt   time.Time             `json:"applied_at,omitzero"`
	Basis       Basis                 `json:"basis"`
	Empty       bool                  `json:"empty" doc:"applying it changes nothing"`
	Summary     Summary               `json:"summary"`
	Total       int                   `json:"total" doc:"changes of memberships"`
	Groups      []Tally               `json:"groups" nullable:"false" doc:"changes by group"`
	Grounds     []Tally               `json:"grounds" nullable:"false" doc:"changes by what in the policy causes them"`
	Shapes      []ShapeChange         `json:"shapes" nullable:"false" doc:"groups and channels"`
	Changes     []PlanChange          `json:"changes" nullable:"false" doc:"memberships, one page of them"`
	Next        string                `json:"next,omitempty" doc:"cursor of the next page of changes, for GET"`
	Verdict     VerdictView           `json:"verdict"`
	Units       *UnitsView            `json:"units,omitempty" doc:"what it is about, where that is not the policy but what becomes of units"`
	FourEyes    FourEyes              `json:"four_eyes" doc:"whether somebody else has to approve it, and who did"`
	Schedule    *Schedule             `json:"schedule,omitempty" doc:"when it is to be applied, or what became of that"`
	Conflicts   []PlanConflict        `json:"conflicts" nullable:"false" doc:"what separation keeps from people, as it stands or as it would"`
	Differences []policies.Difference `json:"differences" nullable:"false" doc:"what the policy says otherwise beside shapes: rules, who may join, handover periods, what is kept apart, who decides, limits; and whether it loosens or tightens. The first 200"`
	Unknown     []Unknown             `json:"unknown" nullable:"false" doc:"units, groups and people that the policy names and no directory knew when it was planned; the first 200"`
}

// PlanOutput is a plan.
type PlanOutput struct{ Body PlanView }

// CreatePlan computes what policy files would change and stores it; nothing else is changed.
func (a *API) CreatePlan(ctx context.Context, in *PlanInput) (*PlanOutput, error) {
	in.Body.Behind = httpapi.CallerFrom(ctx).Behind()
	p, err := a.Reactor.Propose(ctx, in.Body, httpapi.CallerFrom(ctx).Actor())
	if err != nil {
		return nil, problem(err)
	}
	return a.planOutput(ctx, p, PlanQuery{Limit: planPage})
}

// PlanPageInput names a plan and a page of its changes.
type PlanPageInput struct {
	ID     id.Plan   `path:"id"`
	Group  string    `query:"group" doc:"only changes of this group, by its key"`
	Person id.Person `query:"person" doc:"only changes of this person"`
	Op     Op        `query:"op" enum:"add,remove,role,reasons,begin,channels" doc:"only these"`
	Ground Ground    `query:"ground" enum:"group_removed,group_added,rule_removed,rule_added,rule_changed,channels_changed,units,facts" doc:"only those with this ground"`
	httpapi.Paging
}

// GetPlan answers a plan with one page of its changes.
func (a *API) GetPlan(ctx context.Context, in *PlanPageInput) (*PlanOutput, error) {
	first := 0
	if _, err := httpapi.DecodeCursor(in.Cursor, &first); err != nil {
		return nil, err
	}
	p, err := a.Reactor.Plan(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return a.planOutput(ctx, p, PlanQuery{Group: in.Group, Person: in.Person, Op: in.Op, Ground: in.Ground, First: first, Limit: in.Limit})
}

func (a *API) planOutput(ctx context.Context, p *Plan, query PlanQuery) (*PlanOutput, error) {
	if query.AtOnce = query.AtOnce || !directory.SightOf(ctx).Full(); query.AtOnce {
		p = p.atOnce()
	}
	page, next, more, err := a.Reactor.PlanChanges(ctx, p, query)
	if err != nil {
		return nil, err
	}
	if query.AtOnce && p.present != nil {
		p.Total = p.present.Total
	}
	var people []id.Person
	for _, c := range page {
		people = append(people, c.Person)
	}
	for _, k := range p.Conflicts {
		people = append(people, k.Person)
	}
	names, err := a.names(ctx, people)
	if err != nil {
		return nil, err
	}
	v := PlanView{ID: p.ID, Hash: p.Hash, State: "open", Author: p.Author, CreatedAt: p.CreatedAt, AppliedAt: p.AppliedAt, Basis: p.Basis, Empty: p.Empty(), Total: p.Total,
		Summary: p.Summary(), Groups: orEmpty(p.Groups), Grounds: orEmpty(p.Grounds), Shapes: orEmpty(p.Shapes), Changes: []PlanChange{}, Verdict: verdictView(p.Verdict),
		Conflicts: []PlanConflict{}, Units: p.Units.view(), Unknown: orEmpty(p.Unknown), Differences: orEmpty(p.Words)}
	for _, k := range p.Conflicts {
		v.Conflicts = append(v.Conflicts, PlanConflict{k, names[k.Person]})
	}
	if p.Applied {
		v.State = "applied"
	}
	if v.FourEyes, err = a.Reactor.FourEyes(ctx, p); err != nil {
		return nil, err
	}
	if s, err := a.Reactor.ScheduleOf(ctx, p.ID); err != nil {
		return nil, err
	} else if s.Plan != "" {
		v.Schedule = &s
	}
	sights := make(map[sightName]Sight, len(p.Sights))
	for _, s := range p.Sights {
		sights[sightName{s.Group, s.Before, s.After}] = s
	}
	for _, c := range page {
		s := sights[c.sight()]
		if len(c.Gained)+len(c.Lost) > 0 {
			s.Gains, s.Loses, c.Gained, c.Lost = c.Gained, c.Lost, nil, nil
		}
		v.Changes = append(v.Changes, PlanChange{PlannedChange: c, PersonName: names[c.Person], Gains: orEmpty(s.Gains), Loses: orEmpty(s.Loses)})
	}
	if more {
		v.Next = httpapi.Cursor(next)
	}
	return &PlanOutput{Body: v}, nil
}

// ApplyInput names a plan, what was looked at, and whether the guard's hold is confirmed.
type ApplyInput struct {
	ID   id.Plan `path:"id"`
	Body struct {
		Hash    string `json:"hash" minLength:"1"`
		Confirm bool   `json:"confirm,omitempty"`
	}
}

// ApplyOutput says what applying did.
type ApplyOutput struct{ Body ResultView }

// ResultView is the result of a reconciliation.
type ResultView struct {
	Written int               `json:"written" doc:"changes of memberships"`
	Held    int               `json:"held" doc:"removals the guard stopped"`
	Failed  map[string]string `json:"failed,omitempty" doc:"people who could not be reconciled yet"`
}

func resultView(r Result) ResultView {
	v := ResultView{Written: r.Written, Held: r.Held}
	for p := range r.Failed {
		if v.Failed == nil {
			v.Failed = map[string]string{}
		}
		v.Failed[string(p)] = "could not be reconciled; it is tried again"
	}
	return v
}

// ApplyPlan puts a plan into force and answers when it is.
func (a *API) ApplyPlan(ctx context.Context, in *ApplyInput) (*ApplyOutput, error) {
	result, err := a.Reactor.ApplyPlan(ctx, directory.CauseFrom(ctx, ""), in.ID, in.Body.Hash, in.Body.Confirm)
	if err != nil {
		return nil, problem(err)
	}
	return &ApplyOutput{Body: resultView(result)}, nil
}

// Cases answers the lines that this package adds to the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{
		{Err: ErrNotFound, Status: 404, Code: "not_found"},
		{Err: ErrDrift, Status: 409, Code: "drift"},
		{Err: ErrHash, Status: 409, Code: "plan_hash"},
		{Err: ErrApproval, Status: 409, Code: "needs_approval"},
		{Err: ErrRelease, Status: 409, Code: "needs_approval"},
		{Err: ErrNotDecider, Status: 403, Code: "not_approver"},
		{Err: ErrOwnDoor, Status: 403, Code: "own_door"},
		{Err: ErrOwnPlan, Status: 403, Code: "own_plan"},
		{Err: ErrPast, Status: 422, Code: "past"},
		{Err: ErrClosed, Status: 409, Code: "closed"},
		{Err: ErrLastAdmin, Status: 409, Code: "last_admin"},
		{Err: ErrHeld, Status: 409, Code: "held"},
		{Err: ErrPolicy, Status: 422, Code: "policy_invalid"},
		{Err: ErrPeople, Status: 422, Code: "people"},
	}
}
