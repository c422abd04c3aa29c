package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

var (
	errNoIssuer    = errors.New("no identity provider is configured")
	errUnreachable = errors.New("the identity provider cannot be reached")
)

// provider is the identity provider, looked up when it is first needed: it may start after Rollcall does.
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
func (d *Door) discover(ctx context.Context) (*found, error) {
	if d.Issuer == "" {
		return nil, errNoIssuer
	}
	p := &d.provider
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.found != nil:
		return p.found, nil
	case p.failed != nil && time.Since(p.failedAt) < time.Second:
		return nil, p.failed
	}
	// The answer outlives this request: a caller that hangs up must not fail it for the next.
	remote, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), d.HTTPClient), d.Issuer)
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

func (d *Door) client(f *found) *oauth2.Config {
	return &oauth2.Config{ClientID: d.ClientID, ClientSecret: d.ClientSecret, Endpoint: f.oidc.Endpoint(), RedirectURL: d.PublicURL + "/auth/callback", Scopes: d.Scopes}
}

// verifier holds tokens against issuer, audience, time and signature; the library takes asymmetric algorithms only,
// never "none" and never HMAC, and ignores keys that a token brings along (jku, jwk).
func (d *Door) verifier(f *found) *oidc.IDTokenVerifier {
	return f.oidc.Verifier(&oidc.Config{ClientID: d.ClientID, Now: d.Now})
}
