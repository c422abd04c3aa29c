package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/provisioning"
)

const vendorPolicy = `apiVersion: rollcall/v1
groups:
  - key: apollo
    name: {en: Apollo, zh: 阿波罗}
    channels: [{key: shared, name: {en: Shared, zh: 共享}, access: {vendor: post}}]
    rules: [{key: all, role: owner, when: 'true'}]
`

// tenants is an identity provider of many: what its next token says is up to the test.
type tenants struct {
	*httptest.Server
	key  *ecdsa.PrivateKey
	next map[string]any
}

func newTenants(t *testing.T) *tenants {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &tenants{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/jwks",
			"response_types_supported": []string{"code"}, "id_token_signing_alg_values_supported": []string{"ES256"}})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
		if err != nil {
			panic(err)
		}
		claims, _ := json.Marshal(p.next)
		signed, _ := signer.Sign(claims)
		raw, _ := signed.CompactSerialize()
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": raw})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// visit is one browser that signs in.
type visit struct {
	*http.Client
	b *bench
}

func newVisit(b *bench) *visit {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.tb.Fatal(err)
	}
	return &visit{b: b, Client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (v *visit) do(method, path string, form url.Values) (status int, location, body string) {
	v.b.tb.Helper()
	r, err := http.NewRequest(method, v.b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.b.tb.Fatal(err)
	}
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", v.b.url)
	}
	answer, err := v.Do(r)
	if err != nil {
		v.b.tb.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.b.tb.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Location"), string(text)
}

// signIn goes to the identity provider of a company and comes back to the address at, with a token that says claims. It answers what the browser gets.
func (v *visit) signIn(p *tenants, company, at string, claims map[string]any) (status int, location, body string) {
	v.b.tb.Helper()
	status, location, body = v.do("GET", "/auth/login?company="+company, nil)
	to, err := url.Parse(location)
	if err != nil || status != http.StatusSeeOther || !strings.HasPrefix(location, p.URL+"/authorize?") {
		v.b.tb.Fatalf("to %q: %d %s", location, status, body)
	}
	if back := to.Query().Get("redirect_uri"); back != v.b.url+"/auth/callback/"+company {
		v.b.tb.Errorf("comes back to %s", back)
	}
	p.next = map[string]any{"iss": p.URL, "aud": to.Query().Get("client_id"), "nonce": to.Query().Get("nonce"), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
	maps.Copy(p.next, claims)
	return v.do("GET", at+"?"+url.Values{"code": {"c"}, "state": {to.Query().Get("state")}}.Encode(), nil)
}

// The guests of a company sign in at its identity provider: by issuer and subject, which the first verified address of its domain says. A subject of another company, or of another tenant of the same issuer, is nobody here, whatever address it
// claims. Whoever is kept out stays out; who owes the terms is asked first.
//
// holds: G07
func TestCompanyProvider(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			key := newKey(t)
			b := newBenchOf(t, engine, slog.New(slog.DiscardHandler), func(cfg *Config) { cfg.key = key })
			b.hire(0)
			who, _ := b.person("u0")
			if _, err := b.app.access.SetPolicy(t.Context(), directory.Cause{Actor: "system"}, []provisioning.File{{Name: "p.yaml", Source: vendorPolicy}}); err != nil {
				t.Fatal(err)
			}
			groups, err := b.app.access.Groups(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var apollo string
			for _, g := range groups {
				if g.Key == "apollo" {
					apollo = string(g.ID)
				}
			}
			admin, p, other := b.app.cfg.BootstrapToken, newTenants(t), newTenants(t)
			company, guest := map[string]string{}, map[string]string{}
			for _, name := range []string{"acme", "bolt", "cork"} {
				company[name] = b.call("POST", "/api/v1/companies", admin, fmt.Sprintf(`{"key":%q,"names":{"en":%q},"domains":["%s.example"],"owner":%q}`, name, name, name, who))["id"].(string)
				guest[name] = b.call("POST", "/api/v1/guests", admin, fmt.Sprintf(`{"company":%q,"email":"wei@%s.example","name":"Wei","group":%q,"channels":["shared"],"until":%q,"reason":"x","sponsor":%q}`,
					name, name, apollo, time.Now().Add(time.Hour).UTC().Format(time.RFC3339), who))["id"].(string)
			}
			if code, text := b.ask("PUT", "/api/v1/companies/acme/provider", admin, `{"issuer":"`+p.URL+`","client_id":"rollcall"}`); code != http.StatusUnprocessableEntity {
				t.Errorf("without a secret: %d %s", code, text)
			}
			for name, at := range map[string]*tenants{"acme": p, "bolt": p, "cork": other} {
				shown := b.call("PUT", "/api/v1/companies/"+name+"/provider", admin, fmt.Sprintf(`{"issuer":%q,"client_id":"rollcall","client_secret":"s3cr3t-canary","claims":{"tid":%q}}`, at.URL, name))
				if strings.Contains(fmt.Sprint(shown), "canary") || shown["callback"] != b.url+"/auth/callback/"+company[name] {
					t.Errorf("%v", shown)
				}
			}
			if found := stands(t, b.app.db, "s3cr3t-canary"); len(found) > 0 {
				t.Errorf("the secret stands in %v", found)
			}
			wei := func(name string, change map[string]any) map[string]any {
				c := map[string]any{"sub": "sub-wei", "email": "wei@" + name + ".example", "email_verified": true, "tid": name}
				maps.Copy(c, change)
				return c
			}
			callback := func(name string) string { return "/auth/callback/" + company[name] }
			for _, row := range []struct {
				what, company, at string
				p                 *tenants
				claims            map[string]any
			}{
				{"an address that is not verified", "acme", callback("acme"), p, wei("acme", map[string]any{"email_verified": false})},
				{"an address of another domain", "acme", callback("acme"), p, wei("bolt", map[string]any{"tid": "acme"})},
				{"another address of the domain", "acme", callback("acme"), p, wei("acme", map[string]any{"email": "ann@acme.example"})},
				{"an address with a tag", "acme", callback("acme"), p, wei("acme", map[string]any{"email": "wei+x@acme.example"})},
				{"another tenant", "acme", callback("acme"), p, wei("acme", map[string]any{"tid": "bolt"})},
				{"no tenant", "acme", callback("acme"), p, wei("acme", map[string]any{"tid": 7})},
				{"the provider of another company", "cork", callback("cork"), other, wei("acme", map[string]any{"tid": "cork"})},
				{"where another company answers", "acme", callback("bolt"), p, wei("acme", nil)},
				{"where the organisation answers", "acme", "/auth/callback", p, wei("acme", nil)},
				{"a token for another client", "acme", callback("acme"), p, wei("acme", map[string]any{"aud": "other"})},
				{"a token of another issuer", "acme", callback("acme"), p, wei("acme", map[string]any{"iss": other.URL})},
			} {
				v := newVisit(b)
				if status, to, body := v.signIn(row.p, company[row.company], row.at, row.claims); status < 400 {
					t.Errorf("%s: %d to %s %s", row.what, status, to, body)
				}
				if status, _, _ := v.do("GET", "/api/v1/me", nil); status != http.StatusUnauthorized {
					t.Errorf("%s: %d", row.what, status)
				}
			}
			in := func(what, name string, claims map[string]any) *visit {
				t.Helper()
				v := newVisit(b)
				status, to, body := v.signIn(map[string]*tenants{"acme": p, "bolt": p, "cork": other}[name], company[name], callback(name), claims)
				if _, _, me := v.do("GET", "/api/v1/me", nil); status != http.StatusSeeOther || to != "/" || !strings.Contains(me, name+"/wei@") {
					t.Errorf("%s: %d to %s %s %s", what, status, to, body, me)
				}
				return v
			}
			in("the first time", "acme", wei("acme", nil))
			in("another address, the same subject", "acme", wei("acme", map[string]any{"email": "new@elsewhere.example", "email_verified": false}))
			in("the same subject, at another company", "bolt", wei("bolt", nil))
			if v := newVisit(b); true {
				if status, _, body := v.signIn(p, company["acme"], callback("acme"), wei("acme", map[string]any{"sub": "sub-thief"})); status < 400 {
					t.Errorf("another subject with the address: %d %s", status, body)
				}
			}
			if status, _, body := newVisit(b).do("GET", "/auth/login?company=cmp_none", nil); status < 400 || strings.Contains(body, "company") {
				t.Errorf("no company: %d %s", status, body)
			}

			b.call("POST", "/api/v1/guest-terms", admin, `{"en":"be nice"}`)
			v := newVisit(b)
			if status, to, body := v.signIn(p, company["acme"], callback("acme"), wei("acme", nil)); to != "/auth/guest/wait" {
				t.Errorf("terms: %d to %s %s", status, to, body)
			}
			if _, _, body := v.do("GET", "/auth/guest/wait", nil); !strings.Contains(body, "be nice") {
				t.Errorf("terms: %s", body)
			}
			if status, _, _ := v.do("GET", "/api/v1/me", nil); status != http.StatusUnauthorized {
				t.Errorf("before the terms: %d", status)
			}
			if status, to, body := v.do("POST", "/auth/guest/enter", url.Values{"version": {"1"}, "language": {"en"}}); to != "/" {
				t.Errorf("terms accepted: %d to %s %s", status, to, body)
			}
			if status, _, body := v.do("GET", "/api/v1/channels", nil); status != http.StatusOK {
				t.Errorf("after the terms: %d %s", status, body)
			}
			b.call("POST", "/api/v1/companies/acme/suspend", admin, `{"reason":"x"}`)
			if status, _, _ := v.do("GET", "/api/v1/me", nil); status != http.StatusUnauthorized {
				t.Errorf("suspended: %d", status)
			}
			if status, to, body := newVisit(b).signIn(p, company["acme"], callback("acme"), wei("acme", nil)); status != http.StatusForbidden {
				t.Errorf("suspended: %d to %s %s", status, to, body)
			}
			b.call("POST", "/api/v1/companies/acme/resume", admin, `{"reason":"x"}`)
			in("resumed", "acme", wei("acme", nil))
			b.call("POST", "/api/v1/guests/"+guest["acme"]+"/end", admin, "{}")
			if status, to, body := newVisit(b).signIn(p, company["acme"], callback("acme"), wei("acme", nil)); status != http.StatusForbidden {
				t.Errorf("ended: %d to %s %s", status, to, body)
			}
			b.ask("DELETE", "/api/v1/companies/acme/provider", admin, "")
			if status, _, _ := newVisit(b).do("GET", "/auth/login?company="+company["acme"], nil); status < 400 {
				t.Errorf("removed: %d", status)
			}
		})
	}
}
