// Package idp owns the demo's identity provider and its HR page: an OpenID Connect provider whose people are chosen from a
// list, and a company whose Hire, Move, Leave and Rehire are sent to Rollcall as real SCIM requests.
// It guarantees what a real provider does (PKCE, one use per code, signed tokens, back-channel logout) and that it talks to
// Rollcall over HTTP only. It asks for no password and is not for production. Somebody who left can still sign in
// here: that Rollcall refuses them is what the demo shows.
package idp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Person is one employee as HR and the identity provider know them.
type Person struct {
	Sub            string // subject of ID tokens, and the externalId that HR sends; never re-used
	UserName       string
	Email          string
	DisplayName    string
	GivenName      string
	FamilyName     string
	Title          string
	Department     string
	Division       string
	Organization   string
	CostCenter     string
	EmployeeNumber string
	EmployeeType   string
	Locale         string
	TimeZone       string
	Manager        string   // Sub of the manager
	Groups         []string // display names of directory groups
	Left           bool     // is no longer employed
}

// Client is who may ask this provider to sign people in: Rollcall.
type Client struct {
	ID, Secret  string
	RedirectURI string
	LogoutURI   string // for back-channel logout; empty: the redirect URI with /auth/backchannel-logout
}

// Options says how to build a Provider.
type Options struct {
	Issuer     string // its own address, without a path: "http://127.0.0.1:8481"
	Client     Client
	SCIMURL    string // "http://127.0.0.1:8480/scim/v2"
	SCIMToken  string
	People     []Person
	Lang       string // "zh" or "en" where a browser does not say; empty: en
	Log        *slog.Logger
	HTTPClient *http.Client // towards Rollcall; nil: one with a timeout of 60 s
	Now        func() time.Time
}

// Provider is the identity provider and the HR page. It implements http.Handler.
type Provider struct {
	Options
	mux    *http.ServeMux
	guard  *http.CrossOriginProtection
	key    *ecdsa.PrivateKey
	keyID  string
	scim   *SCIM
	client *http.Client

	mu        sync.Mutex
	company   []Person          // in the order of hiring
	ids       map[string]string // SCIM id by Sub, as far as they are known
	codes     map[string]grant
	access    map[string]grant
	sessions  map[string]visit
	exchanges []Exchange // the newest last
	numbered  int
}

// grant is what a code, and later an access token, stands for.
type grant struct {
	sub, sid, nonce, challenge, redirect, scope string
	until                                       time.Time
}

// visit is one sign-in at this provider: what a browser's cookie names.
type visit struct {
	sub   string
	began time.Time
}

// New makes a provider with a fresh signing key.
func New(o Options) (*Provider, error) {
	issuer, err := url.Parse(o.Issuer)
	if err != nil || issuer.Host == "" || strings.Trim(issuer.Path, "/") != "" {
		return nil, fmt.Errorf("demo identity provider: the issuer must be http://host:port, not %q", o.Issuer)
	}
	o.Issuer = strings.TrimSuffix(o.Issuer, "/")
	redirect, err := url.Parse(o.Client.RedirectURI)
	if err != nil || redirect.Host == "" || o.Client.ID == "" || o.Client.Secret == "" {
		return nil, errors.New("demo identity provider: the client needs an id, a secret and a redirect uri")
	}
	if o.Client.LogoutURI == "" {
		redirect.Path, redirect.RawQuery = "/auth/backchannel-logout", ""
		o.Client.LogoutURI = redirect.String()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Timeout: time.Minute}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("demo identity provider: %w", err)
	}
	p := &Provider{Options: o, key: key, keyID: random(8), guard: http.NewCrossOriginProtection(), client: o.HTTPClient,
		scim:    &SCIM{URL: o.SCIMURL, Token: o.SCIMToken, HTTP: o.HTTPClient},
		company: slices.Clone(o.People), ids: map[string]string{}, codes: map[string]grant{}, access: map[string]grant{}, sessions: map[string]visit{}}
	p.mount()
	return p, nil
}

func (p *Provider) mount() {
	p.mux = http.NewServeMux()
	p.mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	p.mux.HandleFunc("GET /jwks", p.jwks)
	p.mux.HandleFunc("GET /authorize", p.authorize)
	p.mux.HandleFunc("POST /authorize", p.chosen)
	p.mux.HandleFunc("POST /token", p.token)
	p.mux.HandleFunc("GET /userinfo", p.userinfo)
	p.mux.HandleFunc("GET /logout", p.endSession)
	p.mux.HandleFunc("POST /logout", p.endSession)
	p.mux.HandleFunc("POST /sessions/{sid}/end", p.endOne)
	p.mux.HandleFunc("GET /hr", p.hr)
	p.mux.HandleFunc("GET /hr/people/{sub}", p.hrPerson)
	p.mux.HandleFunc("POST /hr/hire", p.hire)
	p.mux.HandleFunc("POST /hr/people/{sub}/{what}", p.change)
	p.mux.HandleFunc("GET /style.css", p.style)
	p.mux.HandleFunc("GET /{$}", p.home)
}

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'")
	if err := p.guard.Check(r); err != nil {
		http.Error(w, "refused: a page of another origin made this request", http.StatusForbidden)
		return
	}
	p.mux.ServeHTTP(w, r)
}

// Company answers the people as HR knows them now.
func (p *Provider) Company() []Person {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.company)
}

func (p *Provider) person(sub string) (Person, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.company, func(q Person) bool { return q.Sub == sub })
	if i < 0 {
		return Person{}, false
	}
	return p.company[i], true
}

// put replaces the person with the same Sub, or adds a new one.
func (p *Provider) put(q Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.company, func(have Person) bool { return have.Sub == q.Sub }); i >= 0 {
		p.company[i] = q
		return
	}
	p.company = append(p.company, q)
}

func random(bytes int) string {
	raw := make([]byte, bytes)
	rand.Read(raw) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(raw)
}
