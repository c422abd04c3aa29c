package session_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// fakeIDP is an identity provider whose tokens a test forges as it likes.
type fakeIDP struct {
	srv *httptest.Server
	key *ecdsa.PrivateKey
	now func() time.Time

	mu    sync.Mutex
	nonce string                    // of the last authorization request
	codes map[string]bool           // codes that were not used yet
	token func(nonce string) string // the ID token of the next exchange
	seen  []string                  // paths that were asked for
	form  url.Values                // of the last exchange
	down  bool                      // answers 503 to everything
}

func newIDP(t *testing.T) *fakeIDP {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &fakeIDP{key: key, now: time.Now, codes: map[string]bool{}}
	p.srv = httptest.NewServer(p)
	t.Cleanup(p.srv.Close)
	return p
}

func (p *fakeIDP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, r.URL.Path)
	if p.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		doc := map[string]any{"issuer": p.srv.URL, "authorization_endpoint": p.srv.URL + "/authorize", "token_endpoint": p.srv.URL + "/token",
			"jwks_uri": p.srv.URL + "/jwks", "end_session_endpoint": p.srv.URL + "/logout", "response_types_supported": []string{"code"},
			"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"}} // more than any client should take
		json.NewEncoder(w).Encode(doc)
	case "/jwks":
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	case "/authorize":
		query := r.URL.Query()
		p.nonce = query.Get("nonce")
		code := fmt.Sprintf("code-%d", len(p.seen))
		p.codes[code] = true
		http.Redirect(w, r, query.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {query.Get("state")}}.Encode(), http.StatusFound)
	case "/token":
		r.ParseForm()
		p.form = r.PostForm
		if !p.codes[r.PostForm.Get("code")] {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"error":"invalid_grant"}`)
			return
		}
		delete(p.codes, r.PostForm.Get("code"))
		json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.token(p.nonce)})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (p *fakeIDP) issue(fn func(nonce string) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.token = fn
}

func (p *fakeIDP) asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, s := range p.seen {
		if s == path {
			n++
		}
	}
	return n
}

// good is what a right ID token says.
func (p *fakeIDP) good(sub, nonce string, change map[string]any) map[string]any {
	claims := map[string]any{"iss": p.srv.URL, "aud": "rollcall", "sub": sub, "nonce": nonce, "sid": "sid-" + sub, "email": "same@example.com", "name": "Name",
		"iat": p.now().Unix(), "exp": p.now().Add(5 * time.Minute).Unix()}
	for name, value := range change {
		if value == nil {
			delete(claims, name)
			continue
		}
		claims[name] = value
	}
	return claims
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(claims)
	signed, err := signer.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (p *fakeIDP) sign(t *testing.T, claims map[string]any) string {
	return sign(t, jose.ES256, p.key, map[jose.HeaderKey]any{"kid": "k1"}, claims)
}

func unsigned(header, claims map[string]any) string {
	h, _ := json.Marshal(header)
	c, _ := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c) + "."
}
