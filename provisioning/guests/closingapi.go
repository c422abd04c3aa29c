package guests

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// ClosingLookInput asks what closing a project group would end, or what opening it again would give.
type ClosingLookInput struct {
	ID   id.Group `path:"id"`
	Body struct {
		Open   bool   `json:"open,omitempty" doc:"open it again"`
		Reason string `json:"reason" minLength:"1" maxLength:"500"`
	}
}

// ClosingInput does what was shown.
type ClosingInput struct {
	ID   id.Group `path:"id"`
	Body struct {
		Open   bool    `json:"open,omitempty"`
		Reason string  `json:"reason" minLength:"1" maxLength:"500"`
		Plan   id.Plan `json:"plan" minLength:"1"`
		Basis  string  `json:"basis" minLength:"64" maxLength:"64"`
	}
}

// TollView is what closing a project group would end, or what opening it again would give.
type TollView struct {
	Plan     id.Plan           `json:"plan"`
	Basis    string            `json:"basis" doc:"of all that is said here: applying wants it, and is refused where it would do something else by then"`
	Group    id.Group          `json:"group"`
	Key      string            `json:"key"`
	Names    map[string]string `json:"names"`
	People   int               `json:"people" doc:"whose places come or go, guests among them"`
	Channels []string          `json:"channels" nullable:"false" doc:"keys of those that are archived, or come back"`
	Guests   []TollGuest       `json:"guests" nullable:"false" doc:"whose time there ends"`
	Waiting  int               `json:"waiting" doc:"invitations that come to nothing"`
	Approval bool              `json:"approval" doc:"an administrator has to find the plan right before it is applied"`
}

// TollGuest is one guest of it.
type TollGuest struct {
	ID      id.Guest `json:"id"`
	Name    string   `json:"name"`
	Company string   `json:"company" doc:"key"`
	Stays   bool     `json:"stays" doc:"they have a place elsewhere and stay a guest"`
}

// TollOutput answers it.
type TollOutput struct{ Body TollView }

// LookClosing answers POST /api/v1/groups/{id}/closing/preview.
func (a *API) LookClosing(ctx context.Context, in *ClosingLookInput) (*TollOutput, error) {
	t, err := a.Engine.LookClosing(ctx, directory.CauseFrom(ctx, in.Body.Reason), in.ID, in.Body.Open)
	if err != nil {
		return nil, err
	}
	of, err := a.Engine.companiesOf(ctx)
	if err != nil {
		return nil, err
	}
	eyes, err := a.Engine.Reactor.FourEyes(ctx, t.Plan)
	if err != nil {
		return nil, err
	}
	v := TollView{Plan: t.Plan.ID, Basis: t.Basis, Group: t.Group.ID, Key: t.Group.Key, Names: t.Group.Names, People: t.Plan.Summary().People, Channels: []string{}, Guests: make([]TollGuest, len(t.Guests)), Waiting: t.Waiting, Approval: eyes.Needed}
	for _, s := range t.Plan.Shapes {
		if s.Channel != "" && s.Group == t.Group.Key {
			v.Channels = append(v.Channels, s.Channel)
		}
	}
	now := a.Engine.clock()
	for i, g := range t.Guests {
		v.Guests[i] = TollGuest{ID: g.ID, Name: g.Name, Company: of[g.Company].Key}
		for _, p := range g.Places {
			v.Guests[i].Stays = v.Guests[i].Stays || p.Group != in.ID && p.Until.After(now)
		}
	}
	return &TollOutput{v}, nil
}

// ClosingView is one project group that is closed, or was.
type ClosingView struct {
	ID         id.Closing        `json:"id,omitempty"`
	Group      id.Group          `json:"group"`
	Key        string            `json:"key"`
	Names      map[string]string `json:"names"`
	At         time.Time         `json:"at,omitzero"`
	Until      time.Time         `json:"until,omitzero" doc:"up to when those who owned it may fetch the archive and open it again"`
	ReopenedAt time.Time         `json:"reopened_at,omitzero"`
}

// ClosingOutput answers one.
type ClosingOutput struct{ Body ClosingView }

// ClosingsOutput answers several, the newest first.
type ClosingsOutput struct {
	Body struct {
		Items []ClosingView `json:"items" nullable:"false"`
	}
}

func (a *API) closingView(ctx context.Context, c Closing) (ClosingView, error) {
	g, err := a.Engine.Reactor.Group(ctx, c.Group)
	v := ClosingView{ID: c.ID, Group: c.Group, Key: g.Key, Names: g.Names, At: c.At, ReopenedAt: c.ReopenedAt}
	if !c.At.IsZero() {
		v.Until = c.Until()
	}
	return v, err
}

// CloseProject answers POST /api/v1/groups/{id}/closing when it is in force.
func (a *API) CloseProject(ctx context.Context, in *ClosingInput) (*ClosingOutput, error) {
	b := in.Body
	c, err := a.Engine.CloseProject(ctx, directory.CauseFrom(ctx, b.Reason), in.ID, b.Plan, b.Basis, b.Open)
	if err != nil {
		return nil, err
	}
	v, err := a.closingView(ctx, c)
	return &ClosingOutput{v}, err
}

// mayClose is ErrNotFound for a project group that the caller does not own or, to open one again, did not when it was closed.
func (a *API) mayClose(ctx context.Context, group id.Group, open bool) error {
	if !open {
		return a.owns(ctx, group)
	}
	_, err := a.Engine.owned(ctx, httpapi.CallerFrom(ctx).Person, func(c Closing) bool { return c.Group == group })
	return err
}

// LookMyClosing answers POST /api/v1/me/groups/{id}/closing/preview.
func (a *API) LookMyClosing(ctx context.Context, in *ClosingLookInput) (*TollOutput, error) {
	if err := a.mayClose(ctx, in.ID, in.Body.Open); err != nil {
		return nil, err
	}
	return a.LookClosing(ctx, in)
}

// CloseMine answers POST /api/v1/me/groups/{id}/closing when it is in force.
func (a *API) CloseMine(ctx context.Context, in *ClosingInput) (*ClosingOutput, error) {
	if err := a.mayClose(ctx, in.ID, in.Body.Open); err != nil {
		return nil, err
	}
	return a.CloseProject(ctx, in)
}

// Closings answers GET /api/v1/closings: every project group that was closed and not opened again.
func (a *API) Closings(ctx context.Context, _ *struct{}) (*ClosingsOutput, error) {
	return a.closings(ctx, "")
}

// MyClosings answers GET /api/v1/me/closings: those that the caller owned, for as long as they may fetch the archive.
func (a *API) MyClosings(ctx context.Context, _ *struct{}) (*ClosingsOutput, error) {
	return a.closings(ctx, httpapi.CallerFrom(ctx).Person)
}

func (a *API) closings(ctx context.Context, person id.Person) (*ClosingsOutput, error) {
	out := &ClosingsOutput{}
	out.Body.Items = []ClosingView{}
	list, err := a.Engine.Closings(ctx, person)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		v, err := a.closingView(ctx, c)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, v)
	}
	return out, nil
}
