package session

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// TokenBody is one API token, without its secret.
type TokenBody struct {
	ID         id.Token   `json:"id"`
	Person     id.Person  `json:"person,omitempty"`
	Admin      bool       `json:"admin" doc:"carries a role"`
	Role       roles.Role `json:"role,omitempty"`
	Unit       id.Unit    `json:"unit,omitempty" doc:"for which the role is, with all below it"`
	Dangerous  bool       `json:"dangerous" doc:"may do what wants a second factor of people"`
	Name       string     `json:"name"`
	CreatedBy  string     `json:"created_by"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty" doc:"to five minutes"`
	ExpiresAt  time.Time  `json:"expires_at"`
	EndedAt    *time.Time `json:"ended_at,omitempty"`
	EndCause   string     `json:"end_cause,omitempty"`
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func bodyOf(t Token) TokenBody {
	return TokenBody{ID: t.ID, Person: t.Person, Admin: t.Role != "", Role: t.Role, Unit: t.Unit, Dangerous: t.Dangerous, Name: t.Name, CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt.UTC(),
		LastUsedAt: instant(t.LastUsedAt), ExpiresAt: t.ExpiresAt.UTC(), EndedAt: instant(t.EndedAt), EndCause: t.EndCause}
}

// CreateTokenInput says what token to make.
type CreateTokenInput struct {
	Body struct {
		Name          string     `json:"name" minLength:"1" maxLength:"100" doc:"what it is for"`
		ExpiresInDays int        `json:"expires_in_days,omitempty" minimum:"1" maximum:"366" doc:"90 where it is absent"`
		Admin         bool       `json:"admin,omitempty" doc:"carries a role, as long as its person has it: owner where role is absent"`
		Role          roles.Role `json:"role,omitempty" enum:"owner,system,security,hr,helpdesk,auditor"`
		Unit          id.Unit    `json:"unit,omitempty" doc:"for which the role is, with all below it"`
		Dangerous     bool       `json:"dangerous,omitempty" doc:"may do what wants a second factor of people"`
	}
}

func (in *CreateTokenInput) token(person id.Person) NewToken {
	b := in.Body
	n := NewToken{Person: person, Role: b.Role, Unit: b.Unit, Dangerous: b.Dangerous, Name: b.Name}
	if n.Role == "" && (b.Admin || person == "") {
		n.Role = roles.Owner
	}
	return n
}

// CreatePersonTokenInput says what token to make for somebody else.
type CreatePersonTokenInput struct {
	ID   id.Person `path:"id"`
	Body *PersonTokenBody
}

// PersonTokenBody may be left out.
type PersonTokenBody struct {
	Name          string `json:"name,omitempty" maxLength:"100"`
	ExpiresInDays int    `json:"expires_in_days,omitempty" minimum:"1" maximum:"366"`
}

// CreateTokenOutput is a new token and its secret, which is never shown again.
type CreateTokenOutput struct {
	Status int
	Body   struct {
		Token string    `json:"token" doc:"the secret; shown this once"`
		Info  TokenBody `json:"info"`
	}
}

func (a *API) create(ctx context.Context, n NewToken, days int) (*CreateTokenOutput, error) {
	n.Expires = time.Duration(days) * 24 * time.Hour
	secret, token, err := a.Door.CreateToken(ctx, httpapi.CallerFrom(ctx), n)
	if err != nil {
		return nil, err
	}
	out := &CreateTokenOutput{Status: http.StatusCreated}
	out.Body.Token, out.Body.Info = secret, bodyOf(token)
	return out, nil
}

func (a *API) tokens(ctx context.Context, person id.Person) (*httpapi.Page[TokenBody], error) {
	tokens, err := a.Door.Tokens(ctx, person)
	if err != nil {
		return nil, err
	}
	items := make([]TokenBody, len(tokens))
	for i, t := range tokens {
		items[i] = bodyOf(t)
	}
	return httpapi.NewPage(ctx, items, ""), nil
}

// TokenInput names one token.
type TokenInput struct {
	ID id.Token `path:"id"`
}

// ListMyTokens lists the caller's own tokens.
func (a *API) ListMyTokens(ctx context.Context, _ *struct{}) (*httpapi.Page[TokenBody], error) {
	return a.tokens(ctx, httpapi.CallerFrom(ctx).Person)
}

// CreateMyToken makes a token of the caller's own.
func (a *API) CreateMyToken(ctx context.Context, in *CreateTokenInput) (*CreateTokenOutput, error) {
	me := httpapi.CallerFrom(ctx).Person
	if a.Door.Outsiders != nil {
		if out, err := a.Door.Outsiders(ctx, []id.Person{me}); err != nil || out[me] {
			return nil, cmp.Or(err, ErrOutside)
		}
	}
	return a.create(ctx, in.token(me), in.Body.ExpiresInDays)
}

// RevokeMyToken ends one of the caller's own tokens.
func (a *API) RevokeMyToken(ctx context.Context, in *TokenInput) (*struct{}, error) {
	caller := httpapi.CallerFrom(ctx)
	return nil, a.Door.RevokeToken(ctx, caller, caller.Person, in.ID)
}

// ListTokens lists the administrators' tokens that belong to no person.
func (a *API) ListTokens(ctx context.Context, _ *struct{}) (*httpapi.Page[TokenBody], error) {
	return a.tokens(ctx, "")
}

// CreateToken makes an administrators' token that belongs to no person. It ends with the access of whoever made it.
func (a *API) CreateToken(ctx context.Context, in *CreateTokenInput) (*CreateTokenOutput, error) {
	return a.create(ctx, in.token(""), in.Body.ExpiresInDays)
}

// RevokeToken ends an administrators' token that belongs to no person.
func (a *API) RevokeToken(ctx context.Context, in *TokenInput) (*struct{}, error) {
	return nil, a.Door.RevokeToken(ctx, httpapi.CallerFrom(ctx), "", in.ID)
}

// CreatePersonToken makes a token of somebody else, for an administrator where impersonation is on.
func (a *API) CreatePersonToken(ctx context.Context, in *CreatePersonTokenInput) (*CreateTokenOutput, error) {
	if !a.Impersonation {
		return nil, httpapi.NewProblem(http.StatusForbidden, "impersonation_off", "dev.impersonation is off; people make their own tokens")
	}
	if _, err := a.Profile(ctx, in.ID); err != nil {
		return nil, err
	}
	token, days := NewToken{Person: in.ID, Name: "impersonation"}, 0
	if in.Body != nil {
		token.Name, days = cmp.Or(in.Body.Name, token.Name), in.Body.ExpiresInDays
	}
	out, err := a.create(ctx, token, days)
	return out, grantable(err)
}
