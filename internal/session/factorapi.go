package session

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// FactorOutput is how the caller's second factor stands.
type FactorOutput struct {
	Body struct {
		Enrolled     bool       `json:"enrolled"`
		Required     bool       `json:"required" doc:"dangerous acts want one of everybody; else of who has one"`
		Locked       bool       `json:"locked" doc:"after too many wrong codes; another administrator unlocks it"`
		SteppedUntil *time.Time `json:"stepped_until,omitempty" doc:"until when this session may do dangerous acts"`
		Recovery     int        `json:"recovery" doc:"codes for who loses it that were not used"`
	}
}

// MyFactor answers how the caller's second factor stands.
func (a *API) MyFactor(ctx context.Context, _ *struct{}) (*FactorOutput, error) {
	f, err := a.Door.FactorOf(ctx, httpapi.CallerFrom(ctx))
	out := &FactorOutput{}
	b := &out.Body
	b.Enrolled, b.Required, b.Locked, b.SteppedUntil, b.Recovery = f.Enrolled, a.Door.conduct().StepUpRequired, f.Locked, instant(f.SteppedUntil), f.Recovery
	return out, err
}

// EnrolOutput is a new secret.
type EnrolOutput struct {
	Body struct {
		Secret string `json:"secret" doc:"for an authenticator; shown this once"`
		URI    string `json:"uri" doc:"the same as otpauth://, for a picture"`
	}
}

// Enrol makes a second factor, which counts once it was confirmed.
func (a *API) Enrol(ctx context.Context, _ *struct{}) (*EnrolOutput, error) {
	caller := httpapi.CallerFrom(ctx)
	profile, err := a.Profile(ctx, caller.Person)
	if err != nil {
		return nil, err
	}
	out := &EnrolOutput{}
	if out.Body.Secret, err = a.Door.Enrol(ctx, caller); err != nil {
		return nil, err
	}
	account := profile.UserName
	if account == "" {
		account = string(profile.ID)
	}
	out.Body.URI = otpauth("Rollcall", account, out.Body.Secret)
	return out, nil
}

// CodeInput is a code of a second factor.
type CodeInput struct {
	Body struct {
		Code string `json:"code" minLength:"6" maxLength:"40"`
	}
}

// ConfirmOutput holds codes for who loses the second factor.
type ConfirmOutput struct {
	Body struct {
		Recovery []string `json:"recovery" doc:"each is taken once; shown this once"`
	}
}

// Confirm takes the first code of a new second factor.
func (a *API) Confirm(ctx context.Context, in *CodeInput) (*ConfirmOutput, error) {
	codes, err := a.Door.Confirm(ctx, httpapi.CallerFrom(ctx), in.Body.Code)
	out := &ConfirmOutput{}
	out.Body.Recovery = codes
	return out, err
}

// StepUpOutput says until when dangerous acts are allowed.
type StepUpOutput struct {
	Body struct {
		Until time.Time `json:"until"`
	}
}

// StepUp takes a code and lets the session do dangerous acts.
func (a *API) StepUp(ctx context.Context, in *CodeInput) (*StepUpOutput, error) {
	until, err := a.Door.StepUp(ctx, httpapi.CallerFrom(ctx), in.Body.Code)
	out := &StepUpOutput{}
	out.Body.Until = until.UTC()
	return out, err
}

// AdminInput names an administrator.
type AdminInput struct {
	ID id.Person `path:"id"`
}

// Unlock lets an administrator try their second factor again.
func (a *API) Unlock(ctx context.Context, in *AdminInput) (*struct{}, error) {
	return nil, a.Door.Unlock(ctx, httpapi.CallerFrom(ctx), in.ID)
}

// ForgetFactor takes the second factor of an administrator away, who lost it.
func (a *API) ForgetFactor(ctx context.Context, in *AdminInput) (*struct{}, error) {
	return nil, a.Door.Forget(ctx, httpapi.CallerFrom(ctx), in.ID)
}
