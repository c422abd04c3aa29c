package handover

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// API is the HTTP side of this package.
type API struct {
	Engine *Engine
	// Names answers what ids are called, by language; "" stands for every language.
	Names func(ctx context.Context, ids []string) (map[string]map[string]string, error)
}

// Cases is this package's part of the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{
		{Err: ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: ErrClosed, Status: http.StatusConflict, Code: "handover_closed"},
		{Err: ErrUnable, Status: http.StatusUnprocessableEntity, Code: "cannot_take_over"},
	}
}

// StepView is one step in an answer.
type StepView struct {
	ID       id.Handover `json:"id"`
	Kind     string      `json:"kind" doc:"of the thing: group, guest"`
	Thing    string      `json:"thing" doc:"its id"`
	From     id.Person   `json:"from" doc:"who answered for it last"`
	To       id.Person   `json:"to,omitempty" doc:"to whom it was offered; absent while it waits for an administrator"`
	Why      string      `json:"why,omitempty" doc:"what found them: manager, member and a role, person, or admin"`
	State    State       `json:"state"`
	OpenedAt time.Time   `json:"opened_at"`
	ClosedAt time.Time   `json:"closed_at,omitzero"`
	ClosedBy string      `json:"closed_by,omitempty"`
}

// StepsBody is a list of steps with what their ids are called.
type StepsBody struct {
	Items []StepView                   `json:"items" nullable:"false"`
	Names map[string]map[string]string `json:"names" doc:"what the ids are called, by language; \"\" stands for every language"`
}

// StepsOutput answers a list of steps.
type StepsOutput struct{ Body StepsBody }

func (a *API) steps(ctx context.Context, list []Step, err error) (*StepsOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &StepsOutput{}
	out.Body.Items = make([]StepView, len(list))
	var ids []string
	for i, s := range list {
		out.Body.Items[i] = StepView{ID: s.ID, Kind: s.Kind, Thing: s.Thing, From: s.From, To: s.To, Why: s.Why, State: s.State, OpenedAt: s.OpenedAt, ClosedAt: s.ClosedAt, ClosedBy: s.ClosedBy}
		ids = append(ids, s.Thing, string(s.From), string(s.To))
	}
	slices.Sort(ids)
	out.Body.Names, err = a.Names(ctx, slices.Compact(ids))
	return out, err
}

// ListInput chooses open steps.
type ListInput struct {
	State State `query:"state" enum:"waiting,offered" doc:"absent: both"`
}

// List answers GET /api/v1/handovers: what waits for an administrator, and what is offered.
func (a *API) List(ctx context.Context, in *ListInput) (*StepsOutput, error) {
	list, err := a.Engine.Steps(ctx, in.State)
	return a.steps(ctx, list, err)
}

// Mine answers GET /api/v1/me/handovers: what was offered to the caller.
func (a *API) Mine(ctx context.Context, _ *struct{}) (*StepsOutput, error) {
	list, err := a.Engine.To(ctx, httpapi.CallerFrom(ctx).Person)
	return a.steps(ctx, list, err)
}

// StepInput names a step in the path.
type StepInput struct {
	ID id.Handover `path:"id"`
}

// Accept answers POST /api/v1/me/handovers/{id}/accept.
func (a *API) Accept(ctx context.Context, in *StepInput) (*struct{}, error) {
	return nil, a.Engine.Accept(ctx, httpapi.CallerFrom(ctx).Person, in.ID)
}

// Refuse answers POST /api/v1/me/handovers/{id}/refuse.
func (a *API) Refuse(ctx context.Context, in *StepInput) (*struct{}, error) {
	return nil, a.Engine.Refuse(ctx, httpapi.CallerFrom(ctx).Person, in.ID)
}

// AssignInput says who is to answer for a thing.
type AssignInput struct {
	ID   id.Handover `path:"id"`
	Body struct {
		Person id.Person `json:"person"`
	}
}

// Assign answers POST /api/v1/handovers/{id}/assign.
func (a *API) Assign(ctx context.Context, in *AssignInput) (*struct{}, error) {
	return nil, a.Engine.Assign(ctx, directory.CauseFrom(ctx, ""), in.ID, in.Body.Person)
}

// PersonInput names a person in the path.
type PersonInput struct {
	ID id.Person `path:"id"`
}

// ProspectView is one thing that somebody answers for.
type ProspectView struct {
	Kind  string    `json:"kind"`
	Thing string    `json:"thing"`
	Alone bool      `json:"alone" doc:"nobody else who has access answers for it"`
	To    id.Person `json:"to,omitempty" doc:"who would be asked if they left now; absent: the administrators, or nobody need be"`
	Why   string    `json:"why,omitempty"`
}

// SheetOutput is a handover sheet.
type SheetOutput struct {
	Body struct {
		StepsBody
		Status directory.Status `json:"status"`
		EndsAt time.Time        `json:"ends_at,omitzero" doc:"the planned end"`
		Owned  []ProspectView   `json:"owned" nullable:"false" doc:"what they answer for now, and to whom it would go"`
	}
}

// Sheet answers GET /api/v1/people/{id}/handover: what somebody answers for, and to whom went what they left.
func (a *API) Sheet(ctx context.Context, in *PersonInput) (*SheetOutput, error) {
	p, err := a.Engine.Directory.For(ctx).Person(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list, err := a.Engine.Of(ctx, in.ID)
	steps, err := a.steps(ctx, list, err)
	if err != nil {
		return nil, err
	}
	owned, err := a.Engine.Foresee(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &SheetOutput{}
	out.Body.StepsBody, out.Body.Status, out.Body.EndsAt = steps.Body, p.Status, p.EndsAt
	out.Body.Owned = []ProspectView{}
	var ids []string
	for _, o := range owned {
		out.Body.Owned = append(out.Body.Owned, ProspectView(o))
		ids = append(ids, o.Thing, string(o.To))
	}
	names, err := a.Names(ctx, ids)
	for one, name := range names {
		out.Body.Names[one] = name
	}
	return out, err
}
