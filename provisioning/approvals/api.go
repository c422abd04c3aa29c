package approvals

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/policies"
)

// API is the HTTP side of this package.
type API struct {
	Engine *Engine
	Groups Groups
	// Names answers what ids are called, by language; "" stands for every language.
	Names func(ctx context.Context, ids []string) (map[string]map[string]string, error)
	// Guarded names the permission that asking for and agreeing to requests of a kind about an object wants, with the second factor where that is dangerous; empty: none.
	Guarded func(kind policies.ApprovalKind, object string) roles.Permission
}

// Cases is this package's part of the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{
		{Err: ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: ErrNotOffered, Status: http.StatusForbidden, Code: "not_offered"},
		{Err: ErrAsked, Status: http.StatusConflict, Code: "asked_already"},
		{Err: ErrMany, Status: http.StatusTooManyRequests, Code: "too_many_requests_wait"},
		{Err: ErrClosed, Status: http.StatusConflict, Code: "request_closed"},
		{Err: ErrNotApprover, Status: http.StatusForbidden, Code: "not_approver"},
		{Err: ErrGone, Status: http.StatusConflict, Code: "cannot_be_granted"},
		{Err: ErrApart, Status: http.StatusConflict, Code: "kept_apart"},
		{Err: ErrMember, Status: http.StatusConflict, Code: "member_already"},
		{Err: ErrNotOwn, Status: http.StatusConflict, Code: "not_own"},
		{Err: ErrInvalid, Status: http.StatusUnprocessableEntity, Code: "invalid"},
	}
}

// code answers the stable word for an error of this package; empty where it has none.
func code(err error) string {
	for _, c := range Cases() {
		if errors.Is(err, c.Err) {
			return c.Code
		}
	}
	return ""
}

// DecisionView is what one approver said.
type DecisionView struct {
	Approver id.Person `json:"approver"`
	Agrees   bool      `json:"agrees"`
	Comment  string    `json:"comment,omitempty"`
	At       time.Time `json:"at"`
}

// RequestView is one request in an answer.
type RequestView struct {
	ID        id.Ask                `json:"id"`
	Kind      policies.ApprovalKind `json:"kind"`
	Requester id.Person             `json:"requester"`
	Subject   id.Person             `json:"subject" doc:"whom it is for"`
	Object    string                `json:"object" doc:"id of what it is about: a project group, a channel, a plan, a hold, an erasure, a legal hold"`
	Role      policies.Role         `json:"role,omitempty"`
	Days      int                   `json:"days,omitempty" doc:"for how long; absent: as long as the policy lets"`
	Minutes   int                   `json:"minutes,omitempty" doc:"of break_glass: for how long, from the decision on"`
	AskedFor  time.Time             `json:"asked_until,omitzero" doc:"until when it is asked for, where that is an instant"`
	Reason    string                `json:"reason"`
	State     State                 `json:"state" enum:"waiting,granted,refused,withdrawn,lapsed"`
	AskedAt   time.Time             `json:"asked_at"`
	LapsesAt  time.Time             `json:"lapses_at"`
	DecidedAt time.Time             `json:"decided_at,omitzero"`
	Until     time.Time             `json:"until,omitzero" doc:"of a granted one: when what was given ends"`
	Decisions []DecisionView        `json:"decisions" nullable:"false"`
	Approvers []id.Person           `json:"approvers,omitempty" doc:"who may decide it now; only where one request is looked at"`
	Lacking   int                   `json:"lacking,omitempty" doc:"so many people too few may decide it now: it waits until others may, or lapses"`
	Obstacle  string                `json:"obstacle,omitempty" doc:"why it cannot be granted now: the code of the error that approving it gives"`
}

func view(r Request) RequestView {
	out := RequestView{ID: r.ID, Kind: r.Kind, Requester: r.Requester, Subject: r.Subject, Object: r.Object, Role: r.Role, Days: r.Days, Minutes: r.Minutes, AskedFor: r.AskedFor, Reason: r.Reason, State: r.State,
		AskedAt: r.AskedAt, LapsesAt: r.LapsesAt, DecidedAt: r.DecidedAt, Until: r.Until, Lacking: r.Lacking, Decisions: make([]DecisionView, len(r.Decisions))}
	for i, d := range r.Decisions {
		out.Decisions[i] = DecisionView(d)
	}
	return out
}

func (v RequestView) ids() []string {
	out := []string{string(v.Requester), string(v.Subject), v.Object}
	for _, d := range v.Decisions {
		out = append(out, string(d.Approver))
	}
	for _, p := range v.Approvers {
		out = append(out, string(p))
	}
	return out
}

// RequestsOutput is a page of requests with what their ids are called.
type RequestsOutput struct {
	Link string `header:"Link"`
	Body struct {
		Items []RequestView                `json:"items" nullable:"false"`
		Next  string                       `json:"next,omitempty" doc:"cursor of the next page; absent on the last"`
		Names map[string]map[string]string `json:"names" doc:"what the ids are called, by language; \"\" stands for every language"`
	}
}

func (a *API) answer(ctx context.Context, items []RequestView, next string) (*RequestsOutput, error) {
	out := &RequestsOutput{}
	out.Body.Items, out.Body.Next, out.Link = items, next, httpapi.NextLink(ctx, next)
	var ids []string
	for _, v := range items {
		ids = append(ids, v.ids()...)
	}
	slices.Sort(ids)
	var err error
	out.Body.Names, err = a.Names(ctx, slices.Compact(ids))
	return out, err
}

// page answers requests that are chosen; where each is looked at, with how many are lacking who may decide it.
func (a *API) page(ctx context.Context, q Query, paging httpapi.Paging, each bool) (*RequestsOutput, error) {
	if _, err := httpapi.DecodeCursor(paging.Cursor, &q.Before); err != nil {
		return nil, err
	}
	q.Limit = paging.Limit + 1
	list, err := a.Engine.Requests(ctx, q)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(list) > paging.Limit {
		list = list[:paging.Limit]
		next = httpapi.Cursor(list[paging.Limit-1].ID)
	}
	items := make([]RequestView, len(list))
	for i, r := range list {
		if items[i] = view(r); each {
			if _, items[i].Lacking, err = a.Engine.Approvers(ctx, r); err != nil {
				return nil, err
			}
		}
	}
	return a.answer(ctx, items, next)
}

// MineInput chooses requests of the caller.
type MineInput struct {
	State State `query:"state" enum:"waiting,granted,refused,withdrawn,lapsed" doc:"absent: all"`
	httpapi.Paging
}

// Mine answers GET /api/v1/me/requests, the newest first.
func (a *API) Mine(ctx context.Context, in *MineInput) (*RequestsOutput, error) {
	return a.page(ctx, Query{State: in.State, Requester: httpapi.CallerFrom(ctx).Person}, in.Paging, true)
}

// AskInput is what somebody asks for.
type AskInput struct {
	Body struct {
		Kind   policies.ApprovalKind `json:"kind" enum:"join,elevation,plan,release,retention"`
		Object string                `json:"object" minLength:"1" maxLength:"64" doc:"the project group; of plan the plan that is to be approved, of release the hold, of retention the erasure that was asked for or the legal hold that is to end"`
		Role   policies.Role         `json:"role,omitempty" enum:"owner,participant" doc:"of an elevation; joining gives the role that the policy says"`
		Days   int                   `json:"days,omitempty" minimum:"0" maximum:"3650" doc:"for how long, from the decision on; absent: as long as the policy lets"`
		Until  time.Time             `json:"until,omitzero" doc:"until when, at most; absent: no instant"`
		Reason string                `json:"reason" minLength:"1" maxLength:"500"`
	}
}

// RequestOutput is one request.
type RequestOutput struct{ Body RequestView }

// Ask answers POST /api/v1/me/requests.
func (a *API) Ask(ctx context.Context, in *AskInput) (*RequestOutput, error) {
	me := httpapi.CallerFrom(ctx).Person
	if err := a.guard(ctx, in.Body.Kind, in.Body.Object); err != nil {
		return nil, err
	}
	r, err := a.Engine.Ask(ctx, directory.CauseFrom(ctx, ""), Request{Kind: in.Body.Kind, Requester: me, Subject: me, Object: in.Body.Object, Role: in.Body.Role,
		Days: in.Body.Days, AskedFor: in.Body.Until.UTC().Truncate(time.Microsecond), Reason: in.Body.Reason})
	if err != nil {
		return nil, err
	}
	return &RequestOutput{Body: view(r)}, nil
}

// RequestInput names a request in the path.
type RequestInput struct {
	ID id.Ask `path:"id"`
}

// Withdraw answers POST /api/v1/me/requests/{id}/withdraw.
func (a *API) Withdraw(ctx context.Context, in *RequestInput) (*struct{}, error) {
	return nil, a.Engine.Withdraw(ctx, directory.CauseFrom(ctx, ""), httpapi.CallerFrom(ctx).Person, in.ID)
}

// ForMe answers GET /api/v1/me/approvals: what waits for the caller to decide, the oldest first.
func (a *API) ForMe(ctx context.Context, _ *struct{}) (*RequestsOutput, error) {
	list, err := a.Engine.For(ctx, httpapi.CallerFrom(ctx).Person)
	if err != nil {
		return nil, err
	}
	items := make([]RequestView, len(list))
	for i, o := range list {
		items[i] = view(o.Request)
		items[i].Obstacle = code(o.Obstacle)
	}
	return a.answer(ctx, items, "")
}

// DecideInput names a request and what there is to say about the decision.
type DecideInput struct {
	ID   id.Ask `path:"id"`
	Body struct {
		Comment string `json:"comment,omitempty" maxLength:"500"`
	}
}

// Approve answers POST /api/v1/me/approvals/{id}/approve.
func (a *API) Approve(ctx context.Context, in *DecideInput) (*struct{}, error) {
	if r, err := a.Engine.Request(ctx, in.ID); err == nil {
		if err := a.guard(ctx, r.Kind, r.Object); err != nil {
			return nil, err
		}
	}
	_, err := a.Engine.Approve(ctx, directory.CauseFrom(ctx, ""), httpapi.CallerFrom(ctx).Person, in.ID, in.Body.Comment)
	return nil, hidden(err)
}

// guard is a Problem where the caller has not the permission that requests of a kind want.
func (a *API) guard(ctx context.Context, kind policies.ApprovalKind, object string) error {
	if p := a.Guarded(kind, object); p != "" {
		return httpapi.Require(ctx, p)
	}
	return nil
}

// Refuse answers POST /api/v1/me/approvals/{id}/refuse.
func (a *API) Refuse(ctx context.Context, in *DecideInput) (*struct{}, error) {
	_, err := a.Engine.Refuse(ctx, directory.CauseFrom(ctx, ""), httpapi.CallerFrom(ctx).Person, in.ID, in.Body.Comment)
	return nil, hidden(err)
}

// hidden answers an error without what the request is about, for a caller who may have no business with it.
func hidden(err error) error {
	if errors.Is(err, ErrNotApprover) {
		return ErrNotApprover
	}
	return err
}

// ListInput chooses requests.
type ListInput struct {
	State  State                 `query:"state" enum:"waiting,granted,refused,withdrawn,lapsed" doc:"absent: all"`
	Kind   policies.ApprovalKind `query:"kind" enum:"join,guest,elevation,plan,release,break_glass,retention,file" doc:"absent: all"`
	Person id.Person             `query:"person" doc:"who asked; absent: all"`
	httpapi.Paging
}

// List answers GET /api/v1/approvals: every request, the newest first.
func (a *API) List(ctx context.Context, in *ListInput) (*RequestsOutput, error) {
	return a.page(ctx, Query{State: in.State, Kind: in.Kind, Requester: in.Person}, in.Paging, false)
}

// ShowOutput is one request with what its ids are called.
type ShowOutput struct {
	Body struct {
		RequestView
		Names map[string]map[string]string `json:"names" doc:"what the ids are called, by language; \"\" stands for every language"`
	}
}

// Show answers GET /api/v1/approvals/{id}: one request, and who may decide it now.
func (a *API) Show(ctx context.Context, in *RequestInput) (*ShowOutput, error) {
	r, err := a.Engine.Request(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &ShowOutput{}
	out.Body.RequestView = view(r)
	if out.Body.Approvers, out.Body.Lacking, err = a.Engine.Approvers(ctx, r); err != nil {
		return nil, err
	}
	out.Body.Names, err = a.Names(ctx, out.Body.ids())
	return out, err
}
