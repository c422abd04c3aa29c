package session

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

var (
	errNoIssuer    = errors.New("no identity provider is configured")
	errUnreachable = errors.New("the identity provider cannot be reached")
)

// Provider is an identity provider, and as whom we are known there.
type Provider struct {
	Issuer, ClientID, ClientSecret string
	Scopes                         []string // nil: as those of Options
}

// Companies knows the identity providers of companies whose people are guests. A subject of one is a guest of that company or nobody.
type Companies interface {
	// Provider answers the identity provider of a company; ErrNoProvider.
	Provider(ctx context.Context, company string) (Provider, error)
	// Guest answers which guest of a company a subject is, and what keeps in the transaction that opens the session that they are; ErrNoPerson.
	Guest(ctx context.Context, company string, c Claims) (id.Person, func(*db.Tx) error, error)
}

// ErrNoProvider says that a company has no identity provider here.
var ErrNoProvider = errors.New("there is no such identity provider")

// idp is the identity provider of one sign-in.
type idp struct {
	Provider
	company string // whose it is; empty: the organisation's
	kept    *provider
}

// home is the identity provider of the organisation.
func (d *Door) home() idp {
	return idp{Provider: Provider{Issuer: d.Issuer, ClientID: d.ClientID, ClientSecret: d.ClientSecret, Scopes: d.Scopes}, kept: &d.provider}
}

// idpOf answers the identity provider of a company; of the organisation where none is named.
func (d *Door) idpOf(ctx context.Context, company string) (idp, error) {
	if company == "" {
		return d.home(), nil
	}
	if d.Companies == nil {
		return idp{}, ErrNoProvider
	}
	p, err := d.Companies.Provider(ctx, company)
	if err != nil {
		return idp{}, err
	}
	if len(p.Scopes) == 0 {
		p.Scopes = d.Scopes
	}
	kept, _ := d.others.LoadOrStore(p.Issuer, &provider{})
	return idp{Provider: p, company: company, kept: kept.(*provider)}, nil
}

// callback is where the identity provider sends the browser back: an address of its own for each, so that none is told a code of another (RFC 9700 section 4.4.2.2).
func (d *Door) callback(i idp) string {
	if i.company == "" {
		return d.PublicURL + "/auth/callback"
	}
	return d.PublicURL + "/auth/callback/" + url.PathEscape(i.company)
}

// provider is what is known of an identity provider, looked up when it is first needed: it may start after Rollcall does.
type provider struct {
	mu       sync.Mutex
	found    *found
	failed   error
	failedAt time.Time
}

type found struct {
	oidc       *oidc.Provider
	endSession string
}

// discover answers the identity provider. A failure is remembered for a second, so that a crowd does not queue
// behind one address that does not answer.
func (d *Door) discover(ctx context.Context, i idp) (*found, error) {
	if i.Issuer == "" {
		return nil, errNoIssuer
	}
	p := i.kept
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.found != nil:
		return p.found, nil
	case p.failed != nil && time.Since(p.failedAt) < time.Second:
		return nil, p.failed
	}
	// The answer outlives this request: a caller that hangs up must not fail it for the next.
	remote, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), d.HTTPClient), i.Issuer)
	if err != nil {
		p.failed, p.failedAt = fmt.Errorf("%w: %w", errUnreachable, err), time.Now()
		return nil, p.failed
	}
	var extra struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := remote.Claims(&extra); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	p.found, p.failed = &found{oidc: remote, endSession: extra.EndSession}, nil
	return p.found, nil
}

func (d *Door) client(i idp, f *found) *oauth2.Config {
	return &oauth2.Config{ClientID: i.ClientID, ClientSecret: i.ClientSecret, Endpoint: f.oidc.Endpoint(), RedirectURL: d.callback(i), Scopes: i.Scopes}
}

// verifier holds tokens against issuer, audience, time and signature; the library takes asymmetric algorithms only,
// never "none" and never HMAC, and ignores keys that a token brings along (jku, jwk).
func (d *Door) verifier(i idp, f *found) *oidc.IDTokenVerifier {
	return f.oidc.Verifier(&oidc.Config{ClientID: i.ClientID, Now: d.Now})
}
