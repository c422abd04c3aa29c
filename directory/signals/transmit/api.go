package transmit

import (
	"context"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// API is the side of this package that administrators see.
type API struct{ Transmitter *Transmitter }

// Cases is this package's part of the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{
		{Err: ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: ErrStream, Status: http.StatusNotFound, Code: "no_stream"},
		{Err: ErrExists, Status: http.StatusConflict, Code: "stream_exists"},
		{Err: ErrNamed, Status: http.StatusConflict, Code: "exists"},
		{Err: ErrInvalid, Status: http.StatusUnprocessableEntity, Code: "invalid"},
		{Err: ErrNoSeal, Status: http.StatusConflict, Code: "no_seal"},
		{Err: ErrKey, Status: http.StatusConflict, Code: "no_seal"},
		{Err: ErrOften, Status: http.StatusTooManyRequests, Code: "too_often"},
	}
}

// ReceiverView is one receiver in an answer.
type ReceiverView struct {
	Name      string    `json:"name"`
	Audience  string    `json:"audience"`
	Subject   string    `json:"subject" enum:"email,iss_sub,opaque,external_id"`
	Issuer    string    `json:"issuer,omitempty"`
	Source    id.Source `json:"source,omitempty"`
	Peer      string    `json:"peer,omitempty"`
	Endpoints string    `json:"endpoints,omitempty" doc:"what addresses begin with that it may have events pushed to"`
	Events    []string  `json:"events" nullable:"false"`
	CreatedAt time.Time `json:"created_at"`

	Stream       string    `json:"stream,omitempty" doc:"absent: it has none yet"`
	Method       string    `json:"method,omitempty" enum:"push,poll"`
	Endpoint     string    `json:"endpoint,omitempty"`
	Description  string    `json:"description,omitempty"`
	Status       string    `json:"status" enum:"enabled,paused,disabled"`
	Reason       string    `json:"reason,omitempty"`
	Waiting      int64     `json:"waiting" doc:"events that it has not acknowledged"`
	Oldest       time.Time `json:"oldest,omitzero" doc:"since when the first of them waits"`
	Unnamed      int64     `json:"unnamed" doc:"people of whom it could not be told what became of them: they have no name of the form it wants"`
	Failures     int64     `json:"failures" doc:"since the last success"`
	Problem      string    `json:"problem,omitempty"`
	ProblemSince time.Time `json:"problem_since,omitzero"`
	Delivered    int64     `json:"delivered"`
	DeliveredAt  time.Time `json:"delivered_at,omitzero"`
	Refused      int64     `json:"refused" doc:"events that it refused for good"`
}

func receiverView(r Receiver) ReceiverView {
	v := ReceiverView{r.Name, r.Audience, r.Subject, r.Issuer, r.Source, r.Peer, r.Endpoints, r.Events, r.CreatedAt, r.Stream, "", r.Endpoint, r.Description, r.Status, r.Reason,
		r.Waiting, r.Oldest, r.Unnamed, r.Failures, r.Problem, r.ProblemSince, r.Delivered, r.DeliveredAt, r.Refused}
	if v.Method = "poll"; r.Push {
		v.Method = "push"
	}
	if r.Stream == "" {
		v.Method = ""
	}
	return v
}

// KeyView is one key in an answer.
type KeyView struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	SignsFrom time.Time `json:"signs_from"`
	GoneAt    time.Time `json:"gone_at,omitzero" doc:"from then on receivers are not told to believe it"`
}

// ListOutput answers the transmitter and everybody who is told.
type ListOutput struct {
	Body struct {
		Issuer        string         `json:"issuer"`
		Configuration string         `json:"configuration" doc:"the address that receivers are given"`
		Keys          []KeyView      `json:"keys" nullable:"false"`
		Items         []ReceiverView `json:"items" nullable:"false"`
	}
}

// List answers GET /api/v1/transmitter.
func (a *API) List(ctx context.Context, _ *struct{}) (*ListOutput, error) {
	keys, err := a.Transmitter.Keys(ctx)
	if err != nil {
		return nil, err
	}
	all, err := a.Transmitter.Receivers(ctx)
	if err != nil {
		return nil, err
	}
	out := &ListOutput{}
	out.Body.Issuer, out.Body.Configuration = a.Transmitter.PublicURL, a.Transmitter.PublicURL+ConfigurationPath
	out.Body.Keys, out.Body.Items = make([]KeyView, len(keys)), make([]ReceiverView, len(all))
	for i, k := range keys {
		out.Body.Keys[i] = KeyView(k)
	}
	for i, r := range all {
		out.Body.Items[i] = receiverView(r)
	}
	return out, nil
}

// AddInput is a new receiver.
type AddInput struct {
	Body struct {
		Name      string   `json:"name" maxLength:"63"`
		Audience  string   `json:"audience" maxLength:"500" doc:"aud of its tokens"`
		Subject   string   `json:"subject,omitempty" enum:"email,iss_sub,opaque,external_id" default:"email" doc:"how it is told who is meant"`
		Issuer    string   `json:"issuer,omitempty" maxLength:"500" doc:"of iss_sub; absent: where people sign in"`
		Source    string   `json:"source,omitempty" maxLength:"100" doc:"of external_id: a source, by name or id"`
		Peer      string   `json:"peer,omitempty" maxLength:"63" doc:"a transmitter of the configuration that is the same party: what it says is not said back"`
		Endpoints *string  `json:"endpoints,omitempty" maxLength:"1000" doc:"what addresses begin with that it may have events pushed to"`
		Method    *string  `json:"method,omitempty" enum:"push,poll" doc:"absent: it makes its stream itself"`
		Endpoint  *string  `json:"endpoint,omitempty" maxLength:"1000" doc:"of push"`
		Secret    *string  `json:"authorization,omitempty" maxLength:"4096" doc:"what it wants to see in Authorization; kept sealed"`
		Events    []string `json:"events,omitempty" maxItems:"50" doc:"addresses of event types; absent: all"`
	}
}

// TokenOutput answers a token, this once.
type TokenOutput struct {
	Body struct {
		Name  string `json:"name"`
		Token string `json:"token"`
	}
}

// Add answers POST /api/v1/transmitter/receivers.
func (a *API) Add(ctx context.Context, in *AddInput) (*TokenOutput, error) {
	b := in.Body
	s := Settings{Name: b.Name, Audience: b.Audience, Subject: b.Subject, Issuer: b.Issuer, Peer: b.Peer, Endpoints: b.Endpoints, Method: b.Method, Endpoint: b.Endpoint, Authorization: b.Secret, Events: b.Events}
	if b.Source != "" {
		all, err := a.Transmitter.People.Sources(ctx)
		if err != nil {
			return nil, err
		}
		for _, one := range all {
			if b.Source == one.Name || b.Source == string(one.ID) {
				s.Source = one.ID
			}
		}
		if s.Source == "" {
			return nil, directory.ErrNotFound
		}
	}
	token, err := a.Transmitter.Add(ctx, httpapi.CallerFrom(ctx).Actor(), s)
	if err != nil {
		return nil, err
	}
	out := &TokenOutput{}
	out.Body.Name, out.Body.Token = b.Name, token
	return out, nil
}

// NameInput names a receiver.
type NameInput struct {
	Name string `path:"name"`
}

// SetInput changes one; what is absent stays as it is.
type SetInput struct {
	NameInput
	Body struct {
		Status    *string  `json:"status,omitempty" enum:"enabled,paused,disabled" doc:"paused: what happens waits; disabled: it is not told, now or later"`
		Reason    string   `json:"reason,omitempty" maxLength:"200" doc:"of the status; the receiver is told"`
		Endpoints *string  `json:"endpoints,omitempty" maxLength:"1000"`
		Method    *string  `json:"method,omitempty" enum:"push,poll"`
		Endpoint  *string  `json:"endpoint,omitempty" maxLength:"1000"`
		Secret    *string  `json:"authorization,omitempty" maxLength:"4096"`
		Events    []string `json:"events,omitempty" maxItems:"50"`
	}
}

// Set answers PATCH /api/v1/transmitter/receivers/{name}.
func (a *API) Set(ctx context.Context, in *SetInput) (*struct{}, error) {
	b := in.Body
	return nil, a.Transmitter.Set(ctx, httpapi.CallerFrom(ctx).Actor(), in.Name, Settings{Status: b.Status, Reason: b.Reason, Endpoints: b.Endpoints, Method: b.Method, Endpoint: b.Endpoint, Authorization: b.Secret, Events: b.Events})
}

// Renew answers POST /api/v1/transmitter/receivers/{name}/token.
func (a *API) Renew(ctx context.Context, in *NameInput) (*TokenOutput, error) {
	token, err := a.Transmitter.Renew(ctx, httpapi.CallerFrom(ctx).Actor(), in.Name)
	if err != nil {
		return nil, err
	}
	out := &TokenOutput{}
	out.Body.Name, out.Body.Token = in.Name, token
	return out, nil
}

// Verify answers POST /api/v1/transmitter/receivers/{name}/verify.
func (a *API) Verify(ctx context.Context, in *NameInput) (*struct{}, error) {
	return nil, a.Transmitter.Verify(ctx, httpapi.CallerFrom(ctx).Actor(), in.Name)
}

// Remove answers DELETE /api/v1/transmitter/receivers/{name}.
func (a *API) Remove(ctx context.Context, in *NameInput) (*struct{}, error) {
	return nil, a.Transmitter.Remove(ctx, httpapi.CallerFrom(ctx).Actor(), in.Name)
}

// RotateInput says how.
type RotateInput struct {
	Body struct {
		AtOnce bool `json:"at_once,omitempty" doc:"somebody else may have the key: the new one signs now, and nobody is to believe the others any more"`
	}
}

// Rotate answers POST /api/v1/transmitter/keys.
func (a *API) Rotate(ctx context.Context, in *RotateInput) (*struct{}, error) {
	return nil, a.Transmitter.Rotate(ctx, httpapi.CallerFrom(ctx).Actor(), in.Body.AtOnce)
}
