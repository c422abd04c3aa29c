package breakglass

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
)

// API is the HTTP side of this package. What reads messages is for who has them.
type API struct {
	Engine *Engine
	Asks   *approvals.Engine
	// Channel is an error where there is no such channel.
	Channel func(ctx context.Context, channel id.Channel) error
	// Names answers what ids are called, by language; "" stands for every language.
	Names func(ctx context.Context, ids []string) (map[string]map[string]string, error)
}

// Cases is this package's part of the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{
		{Err: ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: ErrOver, Status: http.StatusForbidden, Code: "break_glass_over"},
		{Err: ErrNotHolder, Status: http.StatusForbidden, Code: "permission_required"},
	}
}

// Reader answers who asks, decides or reads: a person, never a token of nobody's.
func Reader(ctx context.Context) (id.Person, error) {
	who := httpapi.CallerFrom(ctx).Person
	if who == "" {
		return "", httpapi.NewProblem(http.StatusForbidden, "person_required", "this is for people; the token belongs to no person")
	}
	return who, nil
}

// View is one request in an answer, and what came of it.
type View struct {
	ID        id.Ask                   `json:"id"`
	Person    id.Person                `json:"person" doc:"who asked, and who alone reads"`
	Channel   id.Channel               `json:"channel"`
	Minutes   int                      `json:"minutes"`
	Reason    string                   `json:"reason"`
	State     string                   `json:"state" enum:"waiting,refused,withdrawn,lapsed,open,over,ended"`
	AskedAt   time.Time                `json:"asked_at"`
	LapsesAt  time.Time                `json:"lapses_at"`
	Decisions []approvals.DecisionView `json:"decisions" nullable:"false"`
	Until     time.Time                `json:"until,omitzero" doc:"of a granted one: when its time is over"`
	EndedAt   time.Time                `json:"ended_at,omitzero" doc:"when somebody ended it before"`
	EndedBy   string                   `json:"ended_by,omitempty"`
	Reads     int                      `json:"reads" doc:"how often it was read by"`
}

func view(r approvals.Request, p Pass, now time.Time) View {
	out := View{ID: r.ID, Person: r.Requester, Channel: id.Channel(r.Object), Minutes: r.Minutes, Reason: r.Reason, State: string(r.State), AskedAt: r.AskedAt,
		LapsesAt: r.LapsesAt, Decisions: make([]approvals.DecisionView, len(r.Decisions)), Until: r.Until, EndedAt: p.EndedAt, EndedBy: p.EndedBy, Reads: p.Reads}
	for i, d := range r.Decisions {
		out.Decisions[i] = approvals.DecisionView(d)
	}
	if r.State == approvals.Granted {
		switch {
		case !p.EndedAt.IsZero():
			out.State = "ended"
		case p.OpenAt(now):
			out.State = "open"
		default:
			out.State = "over"
		}
	}
	return out
}

// ListOutput is a page of requests with what their ids are called.
type ListOutput struct {
	Link string `header:"Link"`
	Body struct {
		Items []View                       `json:"items" nullable:"false"`
		Next  string                       `json:"next,omitempty" doc:"cursor of the next page; absent on the last"`
		Names map[string]map[string]string `json:"names" doc:"what the ids are called, by language; \"\" stands for every language"`
	}
}

// ListInput is a page.
type ListInput struct{ httpapi.Paging }

// List answers GET /api/v1/break-glass: every request of the kind, the newest first.
func (a *API) List(ctx context.Context, in *ListInput) (*ListOutput, error) {
	q := approvals.Query{Kind: policies.ApproveBreakGlass, Limit: in.Limit + 1}
	if _, err := httpapi.DecodeCursor(in.Cursor, &q.Before); err != nil {
		return nil, err
	}
	list, err := a.Asks.Requests(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &ListOutput{}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		out.Body.Next = httpapi.Cursor(list[in.Limit-1].ID)
		out.Link = httpapi.NextLink(ctx, out.Body.Next)
	}
	asks := make([]id.Ask, len(list))
	for i, r := range list {
		asks[i] = r.ID
	}
	found, err := a.Engine.Passes(ctx, asks)
	if err != nil {
		return nil, err
	}
	now := a.Engine.clock()
	var ids []string
	out.Body.Items = make([]View, len(list))
	for i, r := range list {
		v := view(r, found[r.ID], now)
		out.Body.Items[i] = v
		ids = append(ids, string(v.Person), string(v.Channel), v.EndedBy)
		for _, d := range v.Decisions {
			ids = append(ids, string(d.Approver))
		}
	}
	slices.Sort(ids)
	out.Body.Names, err = a.Names(ctx, slices.Compact(ids))
	return out, err
}

// AskInput is what somebody asks to read.
type AskInput struct {
	Body struct {
		Channel id.Channel `json:"channel" minLength:"1" maxLength:"64"`
		Minutes int        `json:"minutes" minimum:"1" maximum:"240" doc:"for how long, from the decision on"`
		Until   time.Time  `json:"until,omitzero" doc:"until when, at most; absent: no instant"`
		Reason  string     `json:"reason" minLength:"1" maxLength:"500"`
	}
}

// Output is one request.
type Output struct{ Body View }

// Ask answers POST /api/v1/break-glass.
func (a *API) Ask(ctx context.Context, in *AskInput) (*Output, error) {
	me, err := Reader(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.Channel(ctx, in.Body.Channel); err != nil {
		return nil, err
	}
	r, err := a.Asks.Ask(ctx, directory.CauseFrom(ctx, ""), approvals.Request{Kind: policies.ApproveBreakGlass, Requester: me, Subject: me, Object: string(in.Body.Channel),
		Minutes: in.Body.Minutes, AskedFor: in.Body.Until.UTC().Truncate(time.Microsecond), Reason: in.Body.Reason})
	if err != nil {
		return nil, err
	}
	return &Output{Body: view(r, Pass{}, a.Engine.clock())}, nil
}

// Approve answers POST /api/v1/break-glass/{id}/approve.
func (a *API) Approve(ctx context.Context, in *approvals.DecideInput) (*struct{}, error) {
	me, err := Reader(ctx)
	if err != nil {
		return nil, err
	}
	r, err := a.Asks.Request(ctx, in.ID)
	if err == nil && r.Kind != policies.ApproveBreakGlass {
		err = fmt.Errorf("request %s: %w", in.ID, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	_, err = a.Asks.Approve(ctx, directory.CauseFrom(ctx, ""), me, in.ID, in.Body.Comment)
	return nil, err
}

// End answers POST /api/v1/break-glass/{id}/end.
func (a *API) End(ctx context.Context, in *approvals.RequestInput) (*struct{}, error) {
	return nil, a.Engine.End(ctx, directory.CauseFrom(ctx, ""), httpapi.CallerFrom(ctx).Actor(), in.ID)
}
