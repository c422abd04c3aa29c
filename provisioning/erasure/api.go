package erasure

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// API is the HTTP side of this package.
type API struct {
	Engine *Engine
	// Names answers what ids are called, by language; "" stands for every language.
	Names func(ctx context.Context, ids []string) (map[string]map[string]string, error)
}

// PersonInPath names the person of a route.
type PersonInPath struct {
	ID id.Person `path:"id"`
}

// RequestView is a request in an answer.
type RequestView struct {
	ID          id.Erasure `json:"id"`
	AskedBy     id.Person  `json:"asked_by"`
	AskedAt     time.Time  `json:"asked_at"`
	LapsesAt    time.Time  `json:"lapses_at"`
	ConfirmedBy id.Person  `json:"confirmed_by,omitempty"`
	DoneAt      time.Time  `json:"done_at,omitzero"`
}

func viewOf(r Request) *RequestView {
	return &RequestView{r.ID, r.AskedBy, r.AskedAt, r.LapsesAt, r.ConfirmedBy, r.DoneAt}
}

// ErasureOutput says what would be erased of a person, or was.
type ErasureOutput struct {
	Body struct {
		Person  id.Person        `json:"person"`
		State   string           `json:"state" enum:"possible,waiting,erased"`
		Request *RequestView     `json:"request,omitempty"`
		Erases  map[string]int64 `json:"erases" doc:"by kind how much; of an erased person how much it was"`
		Keeps   []string         `json:"keeps" nullable:"false" doc:"what stays, under a pseudonym"`
		Warning string           `json:"warning,omitempty"`
	}
}

const warning = "Erasing cannot be undone, by nobody and from no copy that this server has."

// Show answers GET /api/v1/people/{id}/erasure: what would be erased. It writes nothing.
func (a *API) Show(ctx context.Context, in *PersonInPath) (*ErasureOutput, error) {
	last, err := a.Engine.Last(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := a.answer(in.ID, last)
	if out.Body.State == "erased" {
		return out, nil
	}
	out.Body.Erases, err = a.Engine.Preview(ctx, directory.CauseFrom(ctx, ""), in.ID)
	return out, a.explained(ctx, in.ID, err)
}

func (a *API) answer(person id.Person, r *Request) *ErasureOutput {
	out := &ErasureOutput{}
	b := &out.Body
	b.Person, b.State, b.Erases, b.Warning = person, "possible", map[string]int64{}, warning
	b.Keeps = []string{"id", "memberships", "messages", "audit"}
	if a.Engine.Messages {
		b.Keeps = []string{"id", "memberships", "audit"}
	}
	if r == nil {
		return out
	}
	b.Request, b.State = viewOf(*r), "waiting"
	if !r.DoneAt.IsZero() {
		b.State, b.Erases, b.Warning = "erased", r.Erased, ""
	}
	return out
}

// explained adds why a legal hold stands, for whoever may know.
func (a *API) explained(ctx context.Context, person id.Person, err error) error {
	if !errors.Is(err, ErrHeld) || !httpapi.CallerFrom(ctx).Grants.Holds(roles.LegalHoldsRead) {
		return err
	}
	holds, more := a.Engine.Holds(ctx, person)
	if more != nil || len(holds) == 0 {
		return err
	}
	return httpapi.NewProblem(http.StatusConflict, "legal_hold", ErrHeld.Error()+": "+holds[0].Reason)
}

// Ask answers POST /api/v1/people/{id}/erasure.
func (a *API) Ask(ctx context.Context, in *PersonInPath) (*ErasureOutput, error) {
	r, err := a.Engine.Ask(ctx, directory.CauseFrom(ctx, ""), httpapi.CallerFrom(ctx).Behind(), in.ID)
	if err != nil {
		return nil, a.explained(ctx, in.ID, err)
	}
	out := a.answer(in.ID, &r)
	if r.DoneAt.IsZero() {
		erases, err := a.Engine.Preview(ctx, directory.CauseFrom(ctx, ""), in.ID)
		if err != nil && !errors.Is(err, ErrOthers) { // it is asked, and waits for the end of that hold
			return nil, a.explained(ctx, in.ID, err)
		} else if err == nil {
			out.Body.Erases = erases
		}
	}
	return out, nil
}

// Withdraw answers DELETE /api/v1/people/{id}/erasure.
func (a *API) Withdraw(ctx context.Context, in *PersonInPath) (*struct{}, error) {
	return nil, a.Engine.Withdraw(ctx, directory.CauseFrom(ctx, ""), in.ID)
}

// Confirm answers POST /api/v1/people/{id}/erasure/confirm: when it answers, it is done.
func (a *API) Confirm(ctx context.Context, in *PersonInPath) (*ErasureOutput, error) {
	r, err := a.Engine.Confirm(ctx, directory.CauseFrom(ctx, ""), httpapi.CallerFrom(ctx).Behind(), in.ID)
	if err != nil {
		return nil, a.explained(ctx, in.ID, err)
	}
	return a.answer(in.ID, &r), nil
}

// HoldView is a legal hold in an answer.
type HoldView struct {
	ID     id.LegalHold `json:"id"`
	Person id.Person    `json:"person"`
	Name   string       `json:"name"`
	Reason string       `json:"reason"`
	MadeBy string       `json:"made_by"`
	Since  time.Time    `json:"since"`
	LiftBy id.Person    `json:"lift_by,omitempty" doc:"who asked for its end: another administrator has to agree"`
}

// HoldsInput chooses legal holds.
type HoldsInput struct {
	Person id.Person `query:"person" doc:"absent: of everybody"`
	httpapi.Paging
}

// Holds answers GET /api/v1/legal-holds.
func (a *API) Holds(ctx context.Context, in *HoldsInput) (*httpapi.Page[HoldView], error) {
	holds, err := a.Engine.Holds(ctx, in.Person)
	if err != nil {
		return nil, err
	}
	from := 0
	if _, err := httpapi.DecodeCursor(in.Cursor, &from); err != nil {
		return nil, err
	}
	holds = holds[min(max(from, 0), len(holds)):]
	next := ""
	if len(holds) > in.Limit {
		holds, next = holds[:in.Limit], httpapi.Cursor(from+in.Limit)
	}
	ids := []string{}
	for _, h := range holds {
		ids = append(ids, string(h.Person))
	}
	names, err := a.Names(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]HoldView, len(holds))
	for i, h := range holds {
		out[i] = HoldView{h.ID, h.Person, names[string(h.Person)][""], h.Reason, h.MadeBy, h.Since, h.LiftBy}
	}
	return httpapi.NewPage(ctx, out, next), nil
}

// SetHoldInput says why.
type SetHoldInput struct {
	ID   id.Person `path:"id"`
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"2000"`
	}
}

// HoldOutput says how a legal hold stands.
type HoldOutput struct {
	Body struct {
		Person id.Person `json:"person"`
		State  string    `json:"state" enum:"held,lifting,lifted"`
	}
}

// SetHold answers PUT /api/v1/people/{id}/legal-hold.
func (a *API) SetHold(ctx context.Context, in *SetHoldInput) (*HoldOutput, error) {
	out := &HoldOutput{}
	out.Body.Person, out.Body.State = in.ID, "held"
	_, err := a.Engine.SetHold(ctx, directory.CauseFrom(ctx, ""), in.ID, in.Body.Reason)
	return out, err
}

// LiftHold answers DELETE /api/v1/people/{id}/legal-hold: the first administrator asks, the second one ends it.
func (a *API) LiftHold(ctx context.Context, in *PersonInPath) (*HoldOutput, error) {
	out := &HoldOutput{}
	out.Body.Person, out.Body.State = in.ID, "lifting"
	lifted, err := a.Engine.LiftHold(ctx, directory.CauseFrom(ctx, ""), httpapi.CallerFrom(ctx).Behind(), in.ID)
	if lifted {
		out.Body.State = "lifted"
	}
	return out, err
}
