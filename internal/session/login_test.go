package session_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
)

func TestSignIn(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		b := g.browser()
		if got := b.me(); got != 401 {
			t.Fatalf("before: %d", got)
		}
		a := b.login("sub-ann", nil)
		if a.status != 303 || a.header.Get("Location") != "/page" {
			t.Fatalf("signed in: %d to %s, %s", a.status, a.header.Get("Location"), a.body)
		}
		if g.idp.form.Get("code_verifier") == "" || b.cookie("rollcall_login") != "" {
			t.Error("no PKCE verifier was sent, or the cookie of the attempt is still there")
		}
		if a := b.do("GET", "/api/v1/me", ""); !strings.Contains(a.body, `"id":"per_ann"`) || !strings.Contains(a.body, `"admin":false`) {
			t.Errorf("me: %s", a.body)
		}
		secret := b.cookie("rollcall")
		var kept string
		if err := d.Read(context.Background()).Raw("select token_hash from sessions").Scan(&kept).Error; err != nil || kept == secret || len(kept) != 64 {
			t.Errorf("the secret is kept as %q", kept)
		}
		if a := g.browser().login("sub-ann", nil); a.status != 303 || g.resolved != 1 {
			t.Errorf("second sign-in: %d, resolved %d times", a.status, g.resolved)
		}
		list := b.do("GET", "/api/v1/me/sessions", "")
		if strings.Count(list.body, `"id":"ses_`) != 2 || strings.Count(list.body, `"current":true`) != 1 {
			t.Errorf("sessions: %s", list.body)
		}
		if records := g.audited("session.opened"); len(records) != 2 || records[0].Actor != "per_ann" || records[0].RequestID == "" {
			t.Errorf("audited: %+v", records)
		}
		out := b.do("POST", "/auth/logout", "")
		if out.status != 200 || !strings.Contains(out.body, g.idp.srv.URL+"/logout?client_id=rollcall") || b.me() != 401 {
			t.Errorf("signed out: %d %s", out.status, out.body)
		}
		if got := g.takeEnded(); got != "session per_ann" || len(g.audited("session.ended")) != 1 {
			t.Errorf("ended: %s", got)
		}
		if a := b.do("GET", "/api/v1/me", "", "Cookie", "rollcall="+secret); a.status != 401 {
			t.Errorf("the old cookie still works: %d", a.status)
		}
	})
}

func TestCookies(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t), func(o *session.Options) { o.PublicURL = "https://chat.example.com" })
	w := httptest.NewRecorder()
	g.door.Login(w, httptest.NewRequest("GET", "/auth/login", nil))
	got := w.Header().Get("Set-Cookie")
	for _, want := range []string{"__Host-rollcall_login=", "; HttpOnly", "; Secure", "; SameSite=Lax", "; Path=/"} {
		if !strings.Contains(got, want) {
			t.Errorf("cookie %q lacks %q", got, want)
		}
	}
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"code_challenge_method": "S256", "response_type": "code", "redirect_uri": "https://chat.example.com/auth/callback", "scope": "openid profile email"} {
		if got := to.Query().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestReturnToIsOurs(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t), nil)
	for _, to := range []string{"https://evil.example", "//evil.example", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "javascript:alert(1)", "/auth/login", "page"} {
		b := g.browser()
		g.idp.issue(func(nonce string) string { return g.idp.sign(t, g.idp.good("sub-ann", nonce, nil)) })
		if a := b.do("GET", "/auth/login?return_to="+url.QueryEscape(to), ""); a.status != 303 || a.header.Get("Location") != "/" {
			t.Errorf("%q led to %q", to, a.header.Get("Location"))
		}
	}
}

// holds: attack oidc-01
func TestForgedTokensAreRefused(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		p := g.idp
		evil, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		jku := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
		defer jku.Close()
		der, err := x509.MarshalPKIXPublicKey(p.key.Public())
		if err != nil {
			t.Fatal(err)
		}
		public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		jwk := jose.JSONWebKey{Key: evil.Public()}
		good := func(nonce string, change map[string]any) map[string]any { return p.good("sub-ann", nonce, change) }
		cases := map[string]func(nonce string) string{
			"alg none":      func(n string) string { return unsigned(map[string]any{"alg": "none"}, good(n, nil)) },
			"alg None, kid": func(n string) string { return unsigned(map[string]any{"alg": "None", "kid": "k1"}, good(n, nil)) },
			"HS256 with public key": func(n string) string {
				return sign(t, jose.HS256, public, map[jose.HeaderKey]any{"kid": "k1"}, good(n, nil))
			},
			"HS256 with its DER": func(n string) string {
				return sign(t, jose.HS256, der, map[jose.HeaderKey]any{"kid": "k1"}, good(n, nil))
			},
			"HS256 with our secret": func(n string) string {
				return sign(t, jose.HS256, []byte(strings.Repeat("shared", 6)), nil, good(n, nil))
			},
			"another key": func(n string) string {
				return sign(t, jose.ES256, evil, map[jose.HeaderKey]any{"kid": "k1"}, good(n, nil))
			},
			"no kid, jku of its own": func(n string) string {
				return sign(t, jose.ES256, evil, map[jose.HeaderKey]any{"jku": jku.URL}, good(n, nil))
			},
			"jwk of its own": func(n string) string {
				return sign(t, jose.ES256, evil, map[jose.HeaderKey]any{"jwk": jwk}, good(n, nil))
			},
			"another audience":        func(n string) string { return p.sign(t, good(n, map[string]any{"aud": "other"})) },
			"audience of two, no azp": func(n string) string { return p.sign(t, good(n, map[string]any{"aud": []string{"rollcall", "other"}})) },
			"azp of another client":   func(n string) string { return p.sign(t, good(n, map[string]any{"azp": "other"})) },
			"another issuer":          func(n string) string { return p.sign(t, good(n, map[string]any{"iss": "https://evil.example"})) },
			"expired": func(n string) string {
				return p.sign(t, good(n, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}))
			},
			"no expiry":       func(n string) string { return p.sign(t, good(n, map[string]any{"exp": nil})) },
			"no subject":      func(n string) string { return p.sign(t, good(n, map[string]any{"sub": nil})) },
			"no nonce":        func(n string) string { return p.sign(t, good(n, map[string]any{"nonce": nil})) },
			"another nonce":   func(n string) string { return p.sign(t, good("other", nil)) },
			"one bit flipped": func(n string) string { return flip(p.sign(t, good(n, nil))) },
			"no token":        func(string) string { return "" },
			"noise":           func(string) string { return "a.b.c" },
		}
		for name, forge := range cases {
			b := g.browser()
			p.issue(forge)
			before := len(g.audited("session.refused"))
			a := b.do("GET", "/auth/login", "")
			if a.status != 403 || a.code != "id_token" || b.cookie("rollcall") != "" || b.me() != 401 {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
			if after := len(g.audited("session.refused")); after != before+1 {
				t.Errorf("%s: %d audit records, want 1", name, after-before)
			}
		}
		if g.sessions() != 0 || asked != 0 {
			t.Errorf("%d sessions; the forged key address was asked %d times", g.sessions(), asked)
		}
		if a := g.browser().login("sub-ann", nil); a.status != 303 {
			t.Errorf("and a good token: %d %s", a.status, a.body)
		}
	})
}

func flip(token string) string {
	head, body, _ := strings.Cut(token, ".")
	payload, signature, _ := strings.Cut(body, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(payload)
	return head + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), "sub-ann", "sub-bob", 1))) + "." + signature
}

// A browser that plays its own cookie and an identity provider that answers a code twice: the nonce is taken once.
//
// holds: attack oidc-01
func TestNonceIsTakenOnce(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		b := g.browser()
		b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		g.idp.issue(func(nonce string) string { return g.idp.sign(t, g.idp.good("sub-ann", nonce, nil)) })
		cookie, back := g.begin(b)
		for i, want := range []int{303, 403} {
			g.idp.mu.Lock()
			g.idp.codes[back.Query().Get("code")] = true // it forgot that the code was used
			g.idp.mu.Unlock()
			a := g.browser().do("GET", back.RequestURI(), "", "Cookie", "rollcall_login="+cookie)
			if want == 303 && a.header.Get("Location") != "" {
				continue // followed to "/", which is not there
			}
			if a.status != want {
				t.Errorf("use %d: %d %s, want %d", i+1, a.status, a.body, want)
			}
		}
		if g.sessions() != 1 {
			t.Errorf("%d sessions, want 1", g.sessions())
		}
	})
}

// begin goes as far as the identity provider's answer, and does not follow it.
func (g *rig) begin(b *browser) (cookie string, back *url.URL) {
	g.t.Helper()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a := b.do("GET", "/auth/login", "")
	cookie = b.cookie("rollcall_login")
	a = b.do("GET", a.header.Get("Location"), "")
	back, err := url.Parse(a.header.Get("Location"))
	if err != nil || cookie == "" {
		g.t.Fatalf("sign-in did not begin: %v %q", err, cookie)
	}
	return cookie, back
}

// holds: attack oidc-02
func TestStateAndCode(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		g.idp.issue(func(nonce string) string { return g.idp.sign(t, g.idp.good("sub-ann", nonce, nil)) })
		attacker, victim := g.browser(), g.browser()
		_, link := g.begin(attacker) // the attacker's own code, sent to the victim
		g.begin(victim)
		if a := victim.do("GET", link.RequestURI(), ""); a.status != 400 || a.code != "login_state" || victim.cookie("rollcall") != "" {
			t.Errorf("state of another browser: %d %s", a.status, a.body)
		}
		if a := g.browser().do("GET", link.RequestURI(), ""); a.status != 400 || a.code != "login_state" {
			t.Errorf("browser that began nothing: %d %s", a.status, a.body)
		}
		if n := g.idp.asked("/token"); n != 0 {
			t.Errorf("a code was exchanged for a state that did not match, %d times", n)
		}
		cookie, back := g.begin(attacker)
		if a := attacker.do("GET", back.RequestURI(), ""); a.status != 303 {
			t.Errorf("the browser that began: %d %s", a.status, a.body)
		}
		if a := attacker.do("GET", back.RequestURI(), ""); a.status != 400 {
			t.Errorf("the same address again: %d", a.status)
		}
		if a := g.browser().do("GET", back.RequestURI(), "", "Cookie", "rollcall_login="+cookie); a.status != 403 || a.code != "login_code" {
			t.Errorf("code replayed with the cookie kept: %d %s", a.status, a.body)
		}
		slow, back := g.begin(victim)
		g.later(11 * time.Minute)
		if a := victim.do("GET", back.RequestURI(), "", "Cookie", "rollcall_login="+slow); a.status != 400 {
			t.Errorf("after eleven minutes: %d", a.status)
		}
		_, back = g.begin(victim)
		query := back.Query()
		query.Set("iss", "https://evil.example")
		if a := victim.do("GET", back.Path+"?"+query.Encode(), ""); a.status != 400 || a.code != "login_issuer" {
			t.Errorf("answer of another issuer: %d %s", a.status, a.body)
		}
		if g.sessions() != 1 {
			t.Errorf("%d sessions, want 1", g.sessions())
		}
	})
}

// holds: attack oidc-03
func TestSameAddressIsNotTheSamePerson(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		if a := g.browser().login("sub-ann", nil); a.status != 303 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		// A directory that trusts the e-mail address would take every subject with it for Ann.
		g.mu.Lock()
		g.people["sub-evil"] = "per_ann"
		g.mu.Unlock()
		b := g.browser()
		if a := b.login("sub-evil", map[string]any{"email_verified": true}); a.status != 403 || a.code != "identity_conflict" || b.me() != 401 {
			t.Errorf("another subject with the same address: %d %s", a.status, a.body)
		}
		// Another identity provider with the same subject and address.
		other := newIDP(t)
		g2 := newRig(t, d, func(o *session.Options) { o.Issuer = other.srv.URL })
		g2.idp = other
		b = g2.browser()
		if a := b.login("sub-ann", nil); a.status != 403 || a.code != "identity_conflict" || b.me() != 401 {
			t.Errorf("another issuer with the same subject: %d %s", a.status, a.body)
		}
		var n int64
		if err := d.Read(context.Background()).Raw("select count(*) from session_identities").Scan(&n).Error; err != nil || n != 1 || g.sessions() != 1 {
			t.Errorf("%d identities, %d sessions", n, g.sessions())
		}
		if a := g.browser().login("sub-nobody", nil); a.status != 403 || a.code != "person_unknown" {
			t.Errorf("somebody the directory does not know: %d %s", a.status, a.body)
		}
		// An administrator forgets the old subject: then the new one may come, and the old sessions are gone.
		if a := g.browser().do("DELETE", "/api/v1/people/per_ann/identities", "", "Authorization", "Bearer "+bootstrap); a.status != 204 {
			t.Errorf("unlink: %d %s", a.status, a.body)
		}
		if g.sessions() != 0 {
			t.Error("sessions of the forgotten subject go on")
		}
		if a := g.browser().login("sub-evil", nil); a.status != 303 {
			t.Errorf("after unlinking: %d %s", a.status, a.body)
		}
	})
}

// The directory decides, never the sign-in.
//
// holds: J41
// holds: attack oidc-04
func TestFrozenPersonCannotSignIn(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		for _, known := range []bool{false, true} {
			if known {
				g.standing.set("per_ann", false)
				if a := g.browser().login("sub-ann", nil); a.status != 303 {
					t.Fatalf("%d %s", a.status, a.body)
				}
				if err := g.door.EndPerson(context.Background(), "per_ann", "system", "frozen"); err != nil {
					t.Fatal(err)
				}
			}
			g.standing.set("per_ann", true)
			b := g.browser()
			a := b.login("sub-ann", nil)
			if a.status != 403 || a.code != "person_frozen" || b.cookie("rollcall") != "" || b.me() != 401 || g.sessions() != 0 {
				t.Errorf("subject known %v: %d %s, %d sessions", known, a.status, a.body, g.sessions())
			}
		}
		records := g.audited("session.refused")
		if len(records) != 2 || records[0].Actor != "per_ann" || records[0].Cause != "person_frozen" || records[0].Personal["subject"] != "sub-ann" {
			t.Errorf("audited: %+v", records)
		}
		page := g.browser().do("GET", "/auth/callback?state=x", "", "Accept", "text/html")
		if !strings.Contains(page.body, "登录未成功") || !strings.Contains(page.header.Get("Content-Type"), "text/html") {
			t.Errorf("page for people: %s", page.body)
		}
		if strings.Contains(g.log.String(), "same@example.com") {
			t.Error("an e-mail address is in the log")
		}
	})
}

// A sign-in that is under way while the person's access ends comes to nothing, even where the node's standing lags behind.
func TestRevocationDuringSignIn(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		ended := false
		g.standing.onAsk(func(p id.Person) {
			if !ended { // after the epoch was read, before the session is written
				ended = true
				if err := g.door.EndPerson(context.Background(), p, "system", "frozen"); err != nil {
					t.Error(err)
				}
			}
		})
		b := g.browser()
		if a := b.login("sub-ann", nil); !ended || a.status != 403 || a.code != "person_frozen" || g.sessions() != 0 {
			t.Errorf("sign-in: %d %s, %d sessions", a.status, a.body, g.sessions())
		}
		ended = false
		if _, _, err := g.door.CreateToken(context.Background(), httpapi.Caller{Token: session.BootstrapToken, Grants: roles.Everything(), Stepped: true}, session.NewToken{Person: "per_ann", Name: "n"}); err == nil {
			t.Error("a token was made while the person's access ended")
		}
		g.standing.onAsk(nil)
		if a := b.login("sub-ann", nil); a.status != 303 {
			t.Errorf("and later: %d %s", a.status, a.body)
		}
	})
}

func TestIdentityProviderStartsLater(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t), nil)
	set := func(down bool) {
		g.idp.mu.Lock()
		defer g.idp.mu.Unlock()
		g.idp.down = down
	}
	set(true)
	b := g.browser()
	if a := b.do("GET", "/auth/login", ""); a.status != 503 || a.code != "idp_unavailable" {
		t.Errorf("before it is there: %d %s", a.status, a.body)
	}
	if a := b.do("GET", "/api/v1/me", "", "Authorization", "Bearer "+bootstrap); a.status != 200 {
		t.Errorf("the rest of the server: %d", a.status)
	}
	set(false)
	for range 30 { // a failure is remembered for a second
		if a := b.login("sub-ann", nil); a.status == 303 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("it was not found once it was there")
}
