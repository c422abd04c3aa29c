package trial

import (
	"context"
	"crypto/x509"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// API is the HTTP side of this package for administrators.
type API struct {
	Store *directory.Store
	// PublicURL is where clients reach the server.
	PublicURL string
	// Roots answers who is believed at that address; nil, or what answers nil: whom the machine believes.
	Roots func() *x509.CertPool
	// LDAP answers how to look around the directory of a source, and where it is; nil where none is configured.
	LDAP func(source id.Source) (look func(context.Context) (ldap.Capabilities, []ldap.Finding, error), target string)
}

// TestInput names a source.
type TestInput struct {
	ID     id.Source `path:"id"`
	Origin string    `header:"Origin"`
	Body   *struct {
		Language string `json:"lang,omitempty" enum:"en,zh" doc:"of the text; en where nothing is said"`
	}
}

// TestOutput is what the test found.
type TestOutput struct{ Body Report }

// Test answers POST /api/v1/sources/{id}/test. A connection that does not work is an answer, not an error.
func (a *API) Test(ctx context.Context, in *TestInput) (*TestOutput, error) {
	source, err := a.Store.SourceByID(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &TestOutput{Body: Report{At: time.Now().UTC(), Source: source.Name, Kind: string(source.Kind)}}
	r := &out.Body
	switch source.Kind {
	case directory.KindSCIM:
		secret, token, err := a.Store.IssueTestToken(ctx, directory.CauseFrom(ctx, ""), source.ID)
		if err != nil {
			return nil, err
		}
		r.Target = a.PublicURL + scimRoot
		r.Steps = a.trySCIM(ctx, in.Origin, secret)
		if err := a.Store.DropTestToken(context.WithoutCancel(ctx), token.ID); err != nil {
			return nil, err
		}
	case directory.KindLDAP:
		look, target := a.LDAP(source.ID)
		if look == nil {
			return nil, httpapi.NewProblem(http.StatusConflict, "not_configured", "the configuration no longer has this LDAP source")
		}
		r.Target, r.Steps = target, tryLDAP(ctx, look)
	default:
		return nil, httpapi.NewProblem(http.StatusUnprocessableEntity, "no_connection", "a source of this kind has no connection to test")
	}
	language := "en"
	if in.Body != nil && in.Body.Language != "" {
		language = in.Body.Language
	}
	r.finish(language)
	return out, nil
}
