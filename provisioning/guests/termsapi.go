package guests

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// TermsView is one version of what guests have to accept.
type TermsView struct {
	Version  int               `json:"version"`
	Texts    map[string]string `json:"texts" doc:"by language"`
	SHA256   string            `json:"sha256" doc:"of the texts, as the audit log says it"`
	MadeBy   string            `json:"made_by"`
	MadeAt   time.Time         `json:"made_at"`
	Accepted int               `json:"accepted" doc:"by how many guests"`
	Asked    int               `json:"asked,omitempty" doc:"how many guests have to accept it before they see anything more"`
}

func (t Terms) view() TermsView {
	return TermsView{Version: t.Version, Texts: t.Texts, SHA256: t.hash(), MadeBy: t.MadeBy, MadeAt: t.MadeAt, Accepted: t.Accepted}
}

// TermsOutput answers one version.
type TermsOutput struct{ Body TermsView }

// Terms answers GET /api/v1/guest-terms: every version, the newest first.
func (a *API) Terms(ctx context.Context, _ *struct{}) (*httpapi.Page[TermsView], error) {
	list, err := a.Engine.Terms(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]TermsView, len(list))
	for i, t := range list {
		items[i] = t.view()
	}
	return httpapi.NewPage(ctx, items, ""), nil
}

// PublishInput is what guests have to accept from now on.
type PublishInput struct {
	Body struct {
		EN string `json:"en,omitempty" maxLength:"100000" doc:"plain text"`
		ZH string `json:"zh,omitempty" maxLength:"100000"`
	}
}

// PublishTerms answers POST /api/v1/guest-terms when nobody who has not accepted it sees anything any more.
func (a *API) PublishTerms(ctx context.Context, in *PublishInput) (*TermsOutput, error) {
	t, n, err := a.Engine.PublishTerms(ctx, directory.CauseFrom(ctx, ""), map[string]string{"en": in.Body.EN, "zh": in.Body.ZH})
	if err != nil {
		return nil, err
	}
	out := &TermsOutput{t.view()}
	out.Body.Asked = n
	return out, nil
}

// AcceptanceView is that a guest accepted a version.
type AcceptanceView struct {
	Version  int       `json:"version"`
	Guest    id.Guest  `json:"guest"`
	Person   id.Person `json:"person"`
	Name     string    `json:"name"`
	Company  string    `json:"company"`
	Language string    `json:"language" doc:"in which they read it"`
	Address  string    `json:"address" doc:"of the network, where they did"`
	At       time.Time `json:"at"`
}

// AcceptancesInput chooses a page.
type AcceptancesInput struct{ httpapi.Paging }

// Acceptances answers GET /api/v1/guest-terms/acceptances: who accepted what, by version.
func (a *API) Acceptances(ctx context.Context, in *AcceptancesInput) (*httpapi.Page[AcceptanceView], error) {
	list, next, err := a.Engine.Acceptances(ctx, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	of, err := a.Engine.companiesOf(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]id.Guest, len(list))
	for i, l := range list {
		ids[i] = l.Guest
	}
	guests, err := a.Engine.byID(ctx, ids)
	if err != nil {
		return nil, err
	}
	items := make([]AcceptanceView, len(list))
	for i, l := range list {
		g := guests[l.Guest]
		items[i] = AcceptanceView{l.Version, l.Guest, g.Person, g.Name, of[g.Company].Key, l.Language, l.Address, l.At}
	}
	return httpapi.NewPage(ctx, items, next), nil
}
