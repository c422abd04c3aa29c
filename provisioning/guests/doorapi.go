package guests

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// LinkView is a link by which a guest came in, or can. What it says is nowhere kept.
type LinkView struct {
	ID      id.GuestLink `json:"id"`
	Way     Way          `json:"way" enum:"mail,copied,sign_in" doc:"sent to the address; shown to who invited; sent because the guest asked for it"`
	MadeBy  string       `json:"made_by"`
	MadeAt  time.Time    `json:"made_at"`
	Until   time.Time    `json:"until"`
	SentAt  time.Time    `json:"sent_at,omitzero"`
	Failed  string       `json:"failed,omitempty" doc:"why it could not be sent, when that was tried last"`
	UsedAt  time.Time    `json:"used_at,omitzero"`
	EndedAt time.Time    `json:"ended_at,omitzero" doc:"it opens nothing any more"`
}

// MadeLinkOutput is a link to pass on.
type MadeLinkOutput struct {
	Body struct {
		URL   string    `json:"url" doc:"shown this once; the guest opens it, and reads out a code to be confirmed"`
		Until time.Time `json:"until"`
	}
}

// MakeLink answers POST /api/v1/guests/{id}/link.
func (a *API) MakeLink(ctx context.Context, in *GuestReasonInput) (*MadeLinkOutput, error) {
	l, url, err := a.Engine.MakeLink(ctx, directory.CauseFrom(ctx, in.Body.why()), in.ID)
	if err != nil {
		return nil, err
	}
	out := &MadeLinkOutput{}
	out.Body.URL, out.Body.Until = url, l.Until
	return out, nil
}

// MakeMyLink answers POST /api/v1/me/guests/{id}/link: for who answers for the guest.
func (a *API) MakeMyLink(ctx context.Context, in *GuestReasonInput) (*MadeLinkOutput, error) {
	if err := a.own(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.MakeLink(ctx, in)
}

// SendLink answers POST /api/v1/guests/{id}/mail: the invitation is sent again.
func (a *API) SendLink(ctx context.Context, in *GuestReasonInput) (*GuestOutput, error) {
	return a.after(ctx, in.ID, a.Engine.Remind(ctx, directory.CauseFrom(ctx, in.Body.why()), in.ID))
}

// SendMyLink answers POST /api/v1/me/guests/{id}/mail: for who answers for the guest.
func (a *API) SendMyLink(ctx context.Context, in *GuestReasonInput) (*GuestOutput, error) {
	if err := a.own(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.SendLink(ctx, in)
}

// ConfirmInput is a code that a guest read out.
type ConfirmInput struct {
	ID   id.Guest `path:"id"`
	Body struct {
		Code string `json:"code" minLength:"1" maxLength:"40" doc:"as the guest read it out; you know who they are"`
	}
}

// Confirm answers POST /api/v1/guests/{id}/confirm.
func (a *API) Confirm(ctx context.Context, in *ConfirmInput) (*GuestOutput, error) {
	return a.after(ctx, in.ID, a.Engine.Confirm(ctx, directory.CauseFrom(ctx, ""), in.ID, in.Body.Code))
}

// ConfirmMine answers POST /api/v1/me/guests/{id}/confirm: for who answers for the guest.
func (a *API) ConfirmMine(ctx context.Context, in *ConfirmInput) (*GuestOutput, error) {
	if err := a.own(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.Confirm(ctx, in)
}
