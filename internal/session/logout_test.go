package session_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// holds: attack oidc-05
func TestBackchannelLogout(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		ann, bob := g.browser(), g.browser()
		ann.login("sub-ann", nil)
		bob.login("sub-bob", nil)
		const event = "http://schemas.openid.net/event/backchannel-logout"
		n := 0
		claims := func(change map[string]any) map[string]any {
			n++
			c := g.idp.good("sub-ann", "", map[string]any{"nonce": nil, "jti": string(rune('a' + n)), "events": map[string]any{event: map[string]any{}}})
			maps.Copy(c, change)
			for name, value := range change {
				if value == nil {
					delete(c, name)
				}
			}
			return c
		}
		typ := func(kind string, c map[string]any) string {
			return sign(t, jose.ES256, g.idp.key, map[jose.HeaderKey]any{"kid": "k1", "typ": kind}, c)
		}
		post := func(token string) int {
			return g.browser().do("POST", "/auth/backchannel-logout", url.Values{"logout_token": {token}}.Encode(), "Content-Type", "application/x-www-form-urlencoded").status
		}
		good := claims(nil)
		for name, token := range map[string]string{
			"no events":                 typ("logout+jwt", claims(map[string]any{"events": nil})),
			"another event":             typ("logout+jwt", claims(map[string]any{"events": map[string]any{"x": map[string]any{}}})),
			"event is no object":        typ("logout+jwt", claims(map[string]any{"events": map[string]any{event: "yes"}})),
			"with nonce":                typ("logout+jwt", claims(map[string]any{"nonce": "n"})),
			"typ JWT":                   typ("JWT", claims(nil)),
			"an ID token":               g.idp.sign(t, g.idp.good("sub-ann", "n", nil)),
			"sid of another client":     typ("logout+jwt", claims(map[string]any{"sid": "sid-elsewhere"})),
			"another client":            typ("logout+jwt", claims(map[string]any{"aud": "other"})),
			"another issuer":            typ("logout+jwt", claims(map[string]any{"iss": "https://evil.example"})),
			"neither sub nor sid":       typ("logout+jwt", claims(map[string]any{"sub": nil, "sid": nil})),
			"sid of one, sub of other":  typ("logout+jwt", claims(map[string]any{"sub": "sub-bob"})),
			"no jti":                    typ("logout+jwt", claims(map[string]any{"jti": nil})),
			"expired":                   typ("logout+jwt", claims(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})),
			"unsigned":                  unsigned(map[string]any{"alg": "none", "typ": "logout+jwt"}, claims(nil)),
			"nothing":                   "",
			"the right one, altered":    flip(typ("logout+jwt", claims(nil))),
			"the query, not the body":   "",
			"type of an access token":   typ("at+jwt", claims(nil)),
			"without a type":            g.idp.sign(t, claims(nil)),
			"events as a list of names": typ("logout+jwt", claims(map[string]any{"events": []string{event}})),
		} {
			if got := post(token); got != 400 || ann.me() != 200 || bob.me() != 200 {
				t.Errorf("%s: %d, Ann %d, Bob %d", name, got, ann.me(), bob.me())
			}
		}
		g.takeEnded()
		if got := post(typ("logout+jwt", good)); got != 200 || ann.me() != 401 || bob.me() != 200 {
			t.Errorf("the right one: %d, Ann %d, Bob %d", got, ann.me(), bob.me())
		}
		if got := g.takeEnded(); got != "session per_ann" {
			t.Errorf("sockets told to end: %s", got)
		}
		if ann.login("sub-ann", nil); ann.me() != 200 {
			t.Fatal("cannot sign in again")
		}
		if got := post(typ("logout+jwt", good)); got != 400 || ann.me() != 200 {
			t.Errorf("replayed: %d, Ann %d", got, ann.me())
		}
		other := g.browser()
		other.login("sub-ann", map[string]any{"sid": "sid-2"})
		if got := post(typ("logout+jwt", claims(map[string]any{"sub": nil}))); got != 200 || ann.me() != 401 || other.me() != 200 {
			t.Errorf("by sid: %d, its session %d, the other %d", got, ann.me(), other.me())
		}
		if got := post(typ("logout+jwt", claims(map[string]any{"sid": nil}))); got != 200 || other.me() != 401 || bob.me() != 200 {
			t.Errorf("by subject: %d, %d, Bob %d", got, other.me(), bob.me())
		}
	})
}

// holds: attack oidc-06
func TestSessionSecretChangesAndDiesWithAccess(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		b := g.browser()
		u, _ := url.Parse(g.srv.URL)
		b.Jar.SetCookies(u, []*http.Cookie{{Name: "rollcall", Value: "planted-by-somebody", Path: "/"}})
		b.login("sub-ann", nil)
		first := b.cookie("rollcall")
		if first == "planted-by-somebody" || len(first) != 52 {
			t.Fatalf("secret after sign-in: %q", first)
		}
		b.login("sub-ann", nil)
		second := b.cookie("rollcall")
		if second == first || g.sessions() != 1 {
			t.Errorf("signing in again left %d sessions, the secret rotated: %v", g.sessions(), second != first)
		}
		if a := g.browser().do("GET", "/api/v1/me", "", "Cookie", "rollcall="+first); a.status != 401 {
			t.Errorf("the secret from before the sign-in: %d", a.status)
		}
		stolen := g.browser()
		if a := stolen.do("GET", "/api/v1/me/sessions", "", "Cookie", "rollcall="+second); a.status != 200 {
			t.Fatalf("before: %d", a.status)
		}
		other := newRig(t, d, nil) // another node over the same database
		for _, node := range []*rig{g, other} {
			node.standing.set("per_ann", true)
			if a := node.browser().do("GET", "/api/v1/me/sessions", "", "Cookie", "rollcall="+second); a.status != 401 || a.code != "person_frozen" {
				t.Errorf("stolen cookie after the freeze: %d %s", a.status, a.body)
			}
		}
		g.door.Revoked(7, []id.Person{"per_ann", "per_bob"}, nil)
		if got := g.takeEnded(); !strings.Contains(got, "session per_ann") {
			t.Errorf("sockets told to end: %q", got)
		}
		for _, node := range []*rig{g, other} { // the freeze is lifted: what was ended stays ended
			node.standing.set("per_ann", false)
			if a := node.browser().do("GET", "/api/v1/me/sessions", "", "Cookie", "rollcall="+second); a.status != 401 || a.code != "session_ended" {
				t.Errorf("stolen cookie after the thaw: %d %s", a.status, a.body)
			}
		}
	})
}
