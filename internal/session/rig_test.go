package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
)

// standing is who is frozen; ask, where set, runs inside the question.
type standing struct {
	mu     sync.Mutex
	frozen map[id.Person]bool
	ask    func(id.Person)
}

func (s *standing) Frozen(p id.Person) bool {
	s.mu.Lock()
	frozen, ask := s.frozen[p], s.ask
	s.mu.Unlock()
	if ask != nil {
		ask(p)
	}
	return frozen
}

func (s *standing) set(p id.Person, frozen bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen[p] = frozen
}

func (s *standing) onAsk(fn func(id.Person)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ask = fn
}

// rig is a door behind a real server, an identity provider, and a directory of two people.
type rig struct {
	t        *testing.T
	db       *db.DB
	idp      *fakeIDP
	door     *session.Door
	api      *session.API
	srv      *httptest.Server
	standing *standing
	log      *syncBuffer

	mu       sync.Mutex
	people   map[string]id.Person // by subject, as a directory would resolve them
	ended    []string
	clock    time.Duration
	resolved int
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

const bootstrap = "bootstrap-secret-0123456789"

func newRig(t *testing.T, d *db.DB, change func(*session.Options)) *rig {
	t.Helper()
	ctx := context.Background()
	for _, migrate := range []func(context.Context, *db.DB) error{audit.Migrate, session.Migrate} {
		if err := migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	g := &rig{t: t, db: d, idp: newIDP(t), standing: &standing{frozen: map[id.Person]bool{}}, people: map[string]id.Person{"sub-ann": "per_ann", "sub-bob": "per_bob"}, log: &syncBuffer{}}
	g.idp.now = g.now
	var handler http.Handler
	g.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(g.srv.Close)
	o := session.Options{DB: d, Log: slog.New(slog.NewTextHandler(g.log, nil)), Standing: g.standing, PublicURL: g.srv.URL, Issuer: g.idp.srv.URL, ClientID: "rollcall", ClientSecret: "shared",
		BootstrapToken: bootstrap, Now: g.now, Resolve: g.resolve,
		OnEnd:      func(s id.Session, p id.Person) { g.note("session " + string(p)) },
		OnEndToken: func(s id.Token, p id.Person) { g.note("token " + string(p)) }}
	if change != nil {
		change(&o)
	}
	var err error
	if g.door, err = session.New(o); err != nil {
		t.Fatal(err)
	}
	g.api = &session.API{Door: g.door, Profile: func(_ context.Context, p id.Person) (session.Profile, error) {
		if p != "per_ann" && p != "per_bob" {
			return session.Profile{}, session.ErrNoPerson
		}
		return session.Profile{ID: p, DisplayName: "Person"}, nil
	}}
	s := &httpapi.Server{Log: slog.New(slog.NewTextHandler(g.log, nil)), Authenticate: g.door.Authenticate, Errors: session.Cases(), Place: g.door.Place}
	handler = s.Handler(g.routes())
	return g
}

func (g *rig) routes() []httpapi.Route {
	a := g.api
	return []httpapi.Route{
		httpapi.Plain("GET", "/auth/login", httpapi.Public, "Sign in", http.HandlerFunc(g.door.Login)),
		httpapi.Plain("GET", "/auth/callback", httpapi.Public, "Back from the identity provider", http.HandlerFunc(g.door.Callback)),
		httpapi.Plain("GET", "/auth/methods", httpapi.Public, "How people sign in", http.HandlerFunc(g.door.Methods)),
		httpapi.Plain("POST", "/auth/password", httpapi.Public, "Sign in with a password", http.HandlerFunc(g.door.Password)),
		httpapi.Plain("POST", "/auth/logout", httpapi.Public, "Sign out", http.HandlerFunc(g.door.Logout)),
		httpapi.Plain("POST", "/auth/backchannel-logout", httpapi.Public, "Sign-out told by the identity provider", http.HandlerFunc(g.door.BackchannelLogout)),
		httpapi.Op("GET", "/api/v1/me", httpapi.Known, "Who calls", a.Me),
		httpapi.Op("GET", "/api/v1/me/sessions", httpapi.People, "Own sessions", a.ListSessions),
		httpapi.Op("DELETE", "/api/v1/me/sessions/{id}", httpapi.People, "End an own session", a.EndSession),
		httpapi.Op("GET", "/api/v1/me/tokens", httpapi.People, "Own tokens", a.ListMyTokens),
		httpapi.Op("POST", "/api/v1/me/tokens", httpapi.People, "Make a token", a.CreateMyToken).Unrepeatable(),
		httpapi.Op("DELETE", "/api/v1/me/tokens/{id}", httpapi.People, "Revoke a token", a.RevokeMyToken),
		httpapi.Op("GET", "/api/v1/tokens", httpapi.Admins, "Administrators' tokens", a.ListTokens),
		httpapi.Op("POST", "/api/v1/tokens", httpapi.Admins, "Make an administrators' token", a.CreateToken).Unrepeatable(),
		httpapi.Op("DELETE", "/api/v1/tokens/{id}", httpapi.Admins, "Revoke an administrators' token", a.RevokeToken),
		httpapi.Op("POST", "/api/v1/people/{id}/tokens", httpapi.Admins, "Make a person's token", a.CreatePersonToken).Unrepeatable(),
		httpapi.Op("GET", "/api/v1/people/{id}/sessions", httpapi.Admins, "A person's sessions", a.ListPersonSessions),
		httpapi.Op("DELETE", "/api/v1/people/{id}/sessions", httpapi.Admins, "End a person's sessions", a.EndPersonSessions),
		httpapi.Op("GET", "/api/v1/people/{id}/identities", httpapi.Admins, "A person's subjects", a.ListIdentities),
		httpapi.Op("DELETE", "/api/v1/people/{id}/identities", httpapi.Admins, "Forget a person's subjects", a.Unlink),
		httpapi.Op("GET", "/api/v1/admins", httpapi.Admins, "Administrators", a.ListAdmins),
		httpapi.Op("PUT", "/api/v1/admins/{id}", httpapi.Who(roles.AdminsWrite), "Give the role", a.GrantAdmin),
		httpapi.Op("DELETE", "/api/v1/admins/{id}", httpapi.Who(roles.AdminsWrite), "Take the role", a.RevokeAdmin),
		httpapi.Op("POST", "/api/v1/admins/{id}/unlock", httpapi.Who(roles.AdminsWrite), "Unlock", a.Unlock),
		httpapi.Op("DELETE", "/api/v1/admins/{id}/factor", httpapi.Who(roles.AdminsWrite), "Forget a second factor", a.ForgetFactor),
		httpapi.Plain("GET", "/auth/emergency", httpapi.Public, "Emergency", http.HandlerFunc(g.door.EmergencyPage)),
		httpapi.Plain("POST", "/auth/emergency", httpapi.Public, "One half", http.HandlerFunc(g.door.OpenEmergency)),
		httpapi.Op("GET", "/api/v1/emergency", httpapi.Who(roles.AdminsRead), "Emergency account", a.Emergency),
		httpapi.Op("POST", "/api/v1/emergency/seal", httpapi.Who(roles.AdminsWrite), "Seal", a.SealEmergency).Unrepeatable(),
		httpapi.Op("GET", "/api/v1/me/factor", httpapi.People, "My second factor", a.MyFactor),
		httpapi.Op("POST", "/api/v1/me/factor", httpapi.People, "Enrol", a.Enrol).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/me/factor/confirm", httpapi.People, "Confirm", a.Confirm).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/me/step-up", httpapi.People, "Step up", a.StepUp).Unrepeatable(),
	}
}

func (g *rig) now() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Add(g.clock)
}

func (g *rig) later(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clock += d
}

func (g *rig) note(line string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = append(g.ended, line)
}

func (g *rig) takeEnded() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := strings.Join(g.ended, ", ")
	g.ended = nil
	return out
}

func (g *rig) resolve(_ context.Context, c session.Claims) (id.Person, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.resolved++
	person, ok := g.people[c.Subject]
	if !ok {
		return "", fmt.Errorf("subject: %w", session.ErrNoPerson)
	}
	return person, nil
}

// browser is a client with a jar that follows redirects to the identity provider and back, and remembers the last answer.
type browser struct {
	*http.Client
	g *rig
}

func (g *rig) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return &browser{Client: &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/page") || r.URL.Path == "/" {
			return http.ErrUseLastResponse
		}
		return nil
	}}, g: g}
}

type reply struct {
	status int
	body   string
	code   string
	header http.Header
}

func (b *browser) do(method, path, body string, headers ...string) reply {
	b.g.t.Helper()
	address := path
	if strings.HasPrefix(path, "/") {
		address = b.g.srv.URL + path
	}
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		b.g.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.Do(r)
	if err != nil {
		b.g.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	var p httpapi.Problem
	json.Unmarshal(raw, &p)
	return reply{status: res.StatusCode, body: string(raw), code: p.Code, header: res.Header}
}

// login signs in as sub through the whole round trip.
func (b *browser) login(sub string, change map[string]any) reply {
	b.g.t.Helper()
	b.g.idp.issue(func(nonce string) string { return b.g.idp.sign(b.g.t, b.g.idp.good(sub, nonce, change)) })
	return b.do("GET", "/auth/login?return_to=/page", "")
}

func (b *browser) cookie(name string) string {
	u, _ := url.Parse(b.g.srv.URL)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *browser) me() int { b.g.t.Helper(); return b.do("GET", "/api/v1/me", "").status }

func (g *rig) audited(action string) []audit.Record {
	g.t.Helper()
	records, err := audit.List(context.Background(), g.db, audit.Filter{Action: action})
	if err != nil {
		g.t.Fatal(err)
	}
	return records
}

func (g *rig) sessions() int64 {
	g.t.Helper()
	var n int64
	if err := g.db.Read(context.Background()).Raw("select count(*) from sessions where ended_at is null").Scan(&n).Error; err != nil {
		g.t.Fatal(err)
	}
	return n
}

// person makes a token of p's own and answers its secret.
func (g *rig) person(p id.Person) string {
	g.t.Helper()
	secret, _, err := g.door.CreateToken(context.Background(), httpapi.Caller{Token: session.BootstrapToken, Grants: roles.Everything(), Stepped: true}, session.NewToken{Person: p, Name: "test"})
	if err != nil {
		g.t.Fatal(err)
	}
	return secret
}
