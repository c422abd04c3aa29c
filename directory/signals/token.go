package signals

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that a token may be signed with: nothing symmetric, and never none.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA}

// audience is one name, or a list (RFC 7519 section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(a))
}

// claims are those of a security event token (RFC 8417) and of a token that proves who revokes.
type claims struct {
	Issuer   string                     `json:"iss"`
	Audience audience                   `json:"aud"`
	ID       string                     `json:"jti"`
	IssuedAt float64                    `json:"iat"`
	Expiry   float64                    `json:"exp"`
	Subject  json.RawMessage            `json:"sub_id"`
	Events   map[string]json.RawMessage `json:"events"`
}

const (
	skew     = time.Minute // between the transmitter's clock and ours
	maxToken = 64 << 10
)

// verify answers the claims of a token that a configured transmitter signed for aud; empty: for the transmitter's configured audience. kind is what the
// header's typ has to say; empty: anything.
func (r *Receiver) verify(ctx context.Context, raw, kind, aud string) (claims, Transmitter, error) {
	var c claims
	signed, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return c, Transmitter{}, errRequest
	}
	if typ, _ := signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string); kind != "" && strings.TrimPrefix(strings.ToLower(typ), "application/") != kind {
		return c, Transmitter{}, errToken
	}
	var said claims // of whom: not believed yet
	if json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &said) != nil {
		return c, Transmitter{}, errRequest
	}
	t, ok := r.transmitter(said.Issuer)
	if !ok {
		return c, t, errIssuer
	}
	keys, err := r.keys.of(ctx, r.client(), t)
	if err != nil {
		return c, t, fmt.Errorf("%w: %w", errKeys, err)
	}
	payload, err := keys.VerifySignature(oidc.ClientContext(ctx, r.client()), raw)
	if err != nil {
		return c, t, errToken
	}
	if json.Unmarshal(payload, &c) != nil || c.Issuer != t.Issuer || c.ID == "" || len(c.ID) > 512 {
		return c, t, errToken
	}
	if aud == "" {
		if aud = t.Audience; aud == "" {
			aud = r.PublicURL
		}
	}
	if !slices.Contains(c.Audience, aud) {
		return c, t, errAudience
	}
	now := r.clock()
	if c.IssuedAt <= 0 || instant(c.IssuedAt).After(now.Add(skew)) || c.Expiry != 0 && !instant(c.Expiry).After(now.Add(-skew)) {
		return c, t, errToken
	}
	return c, t, nil
}

func instant(seconds float64) time.Time {
	return time.UnixMicro(int64(seconds * 1e6)).UTC()
}

// keyring holds the keys of transmitters, read when they are first needed.
type keyring struct {
	mu   sync.Mutex
	sets map[string]*oidc.RemoteKeySet // by issuer
}

func (k *keyring) of(ctx context.Context, client *http.Client, t Transmitter) (*oidc.RemoteKeySet, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if set := k.sets[t.Issuer]; set != nil {
		return set, nil
	}
	address := t.JWKS
	if address == "" {
		var err error
		if address, err = discover(ctx, client, t.Issuer); err != nil {
			return nil, err
		}
	}
	if k.sets == nil {
		k.sets = map[string]*oidc.RemoteKeySet{}
	}
	set := oidc.NewRemoteKeySet(oidc.ClientContext(context.WithoutCancel(ctx), client), address)
	k.sets[t.Issuer] = set
	return set, nil
}

// discover answers where a transmitter has its keys (SSF 1.0 section 7.1).
func discover(ctx context.Context, client *http.Client, issuer string) (string, error) {
	scheme, rest, _ := strings.Cut(issuer, "://")
	host, path, _ := strings.Cut(rest, "/")
	address := scheme + "://" + host + "/.well-known/ssf-configuration"
	if path = strings.TrimSuffix(path, "/"); path != "" {
		address += "/" + path
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(q)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var doc struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %d", address, res.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxToken)).Decode(&doc); err != nil || doc.Issuer != issuer || doc.JWKS == "" {
		return "", fmt.Errorf("%s is not the configuration of %s", address, issuer)
	}
	return doc.JWKS, nil
}
