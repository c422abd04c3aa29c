package guests

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

// ProviderView is the identity provider of a company.
type ProviderView struct {
	Issuer   string            `json:"issuer"`
	ClientID string            `json:"client_id"`
	Claims   map[string]string `json:"claims,omitempty" doc:"that an ID token has to have"`
	MadeBy   string            `json:"made_by"`
	MadeAt   time.Time         `json:"made_at"`
	Callback string            `json:"callback" doc:"the redirect URI to be registered there"`
	SignIn   string            `json:"sign_in" doc:"where the guests of this company sign in"`
}

// SetProviderInput is as whom Rollcall is known at the identity provider of a company.
type SetProviderInput struct {
	ID   string `path:"id" doc:"of the company, or its key"`
	Body struct {
		Issuer   string            `json:"issuer" minLength:"1" maxLength:"500"`
		ClientID string            `json:"client_id" minLength:"1" maxLength:"200"`
		Secret   string            `json:"client_secret,omitempty" maxLength:"1000" doc:"absent: the one that is kept"`
		Claims   map[string]string `json:"claims,omitempty" doc:"that an ID token has to have, such as tid or hd: which tenant it is, where one issuer has many"`
	}
}

// ProviderOutput answers an identity provider.
type ProviderOutput struct{ Body ProviderView }

// SetProvider answers PUT /api/v1/companies/{id}/provider.
func (a *API) SetProvider(ctx context.Context, in *SetProviderInput) (*ProviderOutput, error) {
	p, err := a.Engine.SetProvider(ctx, directory.CauseFrom(ctx, ""), in.ID, Provider{Issuer: in.Body.Issuer, ClientID: in.Body.ClientID, Secret: in.Body.Secret, Claims: in.Body.Claims})
	if err != nil {
		return nil, err
	}
	return &ProviderOutput{a.provider(p)}, nil
}

func (a *API) provider(p Provider) ProviderView {
	return ProviderView{Issuer: p.Issuer, ClientID: p.ClientID, Claims: p.Claims, MadeBy: p.MadeBy, MadeAt: p.MadeAt,
		Callback: a.Engine.PublicURL + "/auth/callback/" + string(p.Company), SignIn: a.Engine.PublicURL + "/auth/login?company=" + string(p.Company)}
}

// ProviderInput names a company in the path.
type ProviderInput struct {
	ID string `path:"id" doc:"of the company, or its key"`
}

// Provider answers GET /api/v1/companies/{id}/provider.
func (a *API) Provider(ctx context.Context, in *ProviderInput) (*ProviderOutput, error) {
	c, err := a.Engine.Company(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	row, err := a.Engine.provider(ctx, string(c.ID))
	if err != nil {
		return nil, err
	}
	return &ProviderOutput{a.provider(row.provider())}, nil
}

// DropProvider answers DELETE /api/v1/companies/{id}/provider.
func (a *API) DropProvider(ctx context.Context, in *ProviderInput) (*struct{}, error) {
	return nil, a.Engine.DropProvider(ctx, directory.CauseFrom(ctx, ""), in.ID)
}
