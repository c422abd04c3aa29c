package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
)

const admin = "Bearer " + bootstrap

type newToken struct {
	Token string
	Info  session.TokenBody
}

func tokenIn(t *testing.T, a reply) newToken {
	t.Helper()
	var n newToken
	if err := json.Unmarshal([]byte(a.body), &n); err != nil || a.status != 201 {
		t.Fatalf("no token was made: %d %s", a.status, a.body)
	}
	return n
}

func TestTokens(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		b, anybody := g.browser(), g.browser()
		b.login("sub-ann", nil)
		n := tokenIn(t, b.do("POST", "/api/v1/me/tokens", `{"name":"laptop","expires_in_days":10}`, "Content-Type", "application/json"))
		bearer := "Bearer " + n.Token
		me := func(headers ...string) int { return anybody.do("GET", "/api/v1/me", "", headers...).status }
		if got := anybody.do("GET", "/api/v1/me", "", "Authorization", "bearer "+n.Token); got.status != 200 || !strings.Contains(got.body, "per_ann") {
			t.Errorf("token: %d %s", got.status, got.body)
		}
		altered := n.Token[:len(n.Token)-1] + map[bool]string{true: "1", false: "0"}[strings.HasSuffix(n.Token, "0")]
		for name, header := range map[string]string{"altered": "Bearer " + altered, "another scheme": "Basic " + n.Token, "empty": "Bearer ", "a source's": "Bearer rcs_" + n.Token[4:], "long": "Bearer " + strings.Repeat("x", 4096)} {
			if got := me("Authorization", header); got != 401 {
				t.Errorf("%s token: %d", name, got)
			}
		}
		for _, query := range []string{"token=" + n.Token, "access_token=" + n.Token, "authorization=Bearer%20" + n.Token} {
			if a := anybody.do("GET", "/api/v1/me/tokens?"+query, ""); a.status != 401 {
				t.Errorf("token in the address: %d", a.status)
			}
		}
		if got := b.do("GET", "/api/v1/me/tokens", "", "Authorization", "Bearer wrong"); got.status != 401 {
			t.Errorf("a bad token beside a good cookie: %d", got.status)
		}
		list := b.do("GET", "/api/v1/me/tokens", "")
		if strings.Contains(list.body, n.Token) || !strings.Contains(list.body, `"last_used_at"`) || strings.Count(list.body, "tok_") != 1 {
			t.Errorf("list: %s", list.body)
		}
		var kept string
		if err := d.Read(context.Background()).Raw("select token_hash from session_tokens").Scan(&kept).Error; err != nil || strings.Contains(n.Token, kept) {
			t.Errorf("kept as %q", kept)
		}
		other := g.person("per_bob")
		if a := anybody.do("DELETE", "/api/v1/me/tokens/"+string(n.Info.ID), "", "Authorization", "Bearer "+other); a.status != 404 {
			t.Errorf("somebody else revokes it: %d", a.status)
		}
		if a := b.do("DELETE", "/api/v1/me/tokens/"+string(n.Info.ID), ""); a.status != 204 {
			t.Errorf("revoke: %d %s", a.status, a.body)
		}
		if got := me("Authorization", bearer); got != 401 || g.takeEnded() != "token per_ann" {
			t.Errorf("revoked: %d", got)
		}
		if a := b.do("DELETE", "/api/v1/me/tokens/"+string(n.Info.ID), ""); a.status != 404 {
			t.Errorf("revoke again: %d", a.status)
		}
		short := tokenIn(t, b.do("POST", "/api/v1/me/tokens", `{"name":"n","expires_in_days":1}`))
		g.later(25 * time.Hour)
		if a := anybody.do("GET", "/api/v1/me/tokens", "", "Authorization", "Bearer "+short.Token); a.status != 401 || a.code != "token_invalid" {
			t.Errorf("expired: %d %s", a.status, a.body)
		}
		for action, want := range map[string]int{"token.created": 3, "token.revoked": 1} {
			if got := len(g.audited(action)); got != want {
				t.Errorf("%s: %d audit records, want %d", action, got, want)
			}
		}
		if _, err := audit.Verify(context.Background(), d, audit.Report{}); err != nil {
			t.Error(err)
		}
	})
}

func TestTokensAskedForBadly(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t), nil)
	ann := "Bearer " + g.person("per_ann")
	for body, want := range map[string]int{`{"name":""}`: 422, `{"name":"  "}`: 400, `{"name":"n","expires_in_days":367}`: 422, `{"name":"n","expires_in_days":-1}`: 422,
		`{"name":"n","admin":true}`: 400, `{"name":"n","person":"per_bob"}`: 422, `{"name":"` + strings.Repeat("名", 101) + `"}`: 422, `{"name":"a\u0000b"}`: 400} {
		if a := g.browser().do("POST", "/api/v1/me/tokens", body, "Authorization", ann); a.status != want {
			t.Errorf("%s: %d %s, want %d", body, a.status, a.body, want)
		}
	}
	if a := g.browser().do("POST", "/api/v1/me/tokens", `{"name":"n"}`, "Authorization", admin); a.status != 403 || a.code != "person_required" {
		t.Errorf("bootstrap token as a person: %d %s", a.status, a.body)
	}
	for range 49 {
		g.person("per_ann")
	}
	if a := g.browser().do("POST", "/api/v1/me/tokens", `{"name":"n"}`, "Authorization", ann); a.status != 409 || a.code != "too_many_tokens" {
		t.Errorf("the 51st: %d %s", a.status, a.body)
	}
}

func TestImpersonationIsForTheDemo(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t), nil)
	post := func(person, auth string) reply {
		return g.browser().do("POST", "/api/v1/people/"+person+"/tokens", `{}`, "Authorization", auth)
	}
	if a := post("per_ann", admin); a.status != 403 || a.code != "impersonation_off" {
		t.Errorf("off: %d %s", a.status, a.body)
	}
	g.api.Impersonation = true
	n := tokenIn(t, post("per_ann", admin))
	if a := g.browser().do("GET", "/api/v1/me", "", "Authorization", "Bearer "+n.Token); !strings.Contains(a.body, `"id":"per_ann"`) || !strings.Contains(a.body, `"admin":false`) {
		t.Errorf("on: %s", a.body)
	}
	if a := post("per_nobody", admin); a.status != 404 {
		t.Errorf("nobody: %d", a.status)
	}
	if a := post("per_bob", "Bearer "+n.Token); a.status != 403 || a.code != "admin_required" {
		t.Errorf("by a person: %d %s", a.status, a.body)
	}
	g.standing.set("per_ann", true)
	if a := post("per_ann", admin); a.status != 409 || a.code != "person_frozen" {
		t.Errorf("of somebody frozen: %d %s", a.status, a.body)
	}
	if a := g.browser().do("POST", "/api/v1/people/per_bob/tokens", "", "Authorization", admin); a.status != 201 {
		t.Errorf("without a body: %d %s", a.status, a.body)
	}
}

func TestLifetimes(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		b := g.browser()
		b.login("sub-ann", nil)
		for range 6 { // used every 110 minutes it lives on
			g.later(110 * time.Minute)
			if got := b.do("GET", "/api/v1/me/sessions", "").status; got != 200 {
				t.Fatalf("used often: %d", got)
			}
		}
		g.later(61 * time.Minute)
		if got := b.do("GET", "/api/v1/me/sessions", "").status; got != 401 {
			t.Errorf("after twelve hours: %d", got)
		}
		b.login("sub-ann", nil)
		g.later(time.Hour + 59*time.Minute)
		if got := b.me(); got != 200 {
			t.Errorf("idle for just under two hours: %d", got)
		}
		g.later(2 * time.Hour)
		if got := b.do("GET", "/api/v1/me/sessions", "").status; got != 401 {
			t.Errorf("idle for two hours: %d", got)
		}
		if err := g.door.Prune(context.Background()); err != nil {
			t.Fatal(err)
		}
		count := func() (n int64) {
			if err := d.Read(context.Background()).Raw("select (select count(*) from sessions) + (select count(*) from session_used)").Scan(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := count(); n != 2 { // the nonces' time is over, the sessions can still be listed
			t.Errorf("%d rows after pruning, want 2", n)
		}
		g.later(32 * 24 * time.Hour)
		if err := g.door.Prune(context.Background()); err != nil || count() != 0 {
			t.Errorf("%d rows a month later, %v", count(), err)
		}
	})
}

// What a leaver had is gone for good: sessions, tokens, and the administrators' tokens that the leaver made.
func TestEndPerson(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		ctx := context.Background()
		if a := g.browser().do("PUT", "/api/v1/admins/per_ann", "", "Authorization", admin); a.status != 204 {
			t.Fatalf("grant: %d %s", a.status, a.body)
		}
		b := g.browser()
		b.login("sub-ann", nil)
		own := "Bearer " + tokenIn(t, b.do("POST", "/api/v1/me/tokens", `{"name":"own","admin":true}`)).Token
		bot := "Bearer " + tokenIn(t, b.do("POST", "/api/v1/tokens", `{"name":"bot"}`)).Token
		bob := "Bearer " + g.person("per_bob")
		status := func(auth string) int { return g.browser().do("GET", "/api/v1/me", "", "Authorization", auth).status }
		for _, auth := range []string{own, bot} {
			if a := g.browser().do("GET", "/api/v1/admins", "", "Authorization", auth); a.status != 200 {
				t.Fatalf("before: %d %s", a.status, a.body)
			}
		}
		caller := httpapi.Caller{Person: "per_ann", Session: sessionOf(t, g, "per_ann"), Grants: roles.Everything(), Stepped: true}
		if err := g.door.Alive(ctx, caller); err != nil {
			t.Error(err)
		}
		g.standing.set("per_ann", true)
		if status(own) != 401 || status(bot) != 401 || b.me() != 401 || status(bob) != 200 {
			t.Errorf("frozen: own %d, bot %d, browser %d, Bob %d", status(own), status(bot), b.me(), status(bob))
		}
		if err := g.door.Alive(ctx, caller); !errors.Is(err, session.ErrFrozen) {
			t.Errorf("alive: %v", err)
		}
		if err := g.door.Sweep(ctx); err != nil { // as after a crash between the freeze and the end
			t.Fatal(err)
		}
		if got := g.takeEnded(); strings.Count(got, "per_ann") != 2 || strings.Count(got, "token") != 2 {
			t.Errorf("told to end: %q", got)
		}
		g.standing.set("per_ann", false)
		if status(own) != 401 || status(bot) != 401 || b.me() != 401 || status(bob) != 200 {
			t.Errorf("thawed: own %d, bot %d, browser %d, Bob %d", status(own), status(bot), b.me(), status(bob))
		}
		// A request that was let in before, and comes to its write only now.
		for _, n := range []session.NewToken{{Person: "per_ann", Name: "late"}, {Role: roles.Owner, Name: "late"}} {
			if _, _, err := g.door.CreateToken(ctx, caller, n); !errors.Is(err, session.ErrEnded) {
				t.Errorf("late token %+v: %v", n, err)
			}
		}
		if err := g.door.EndPerson(ctx, "per_ann", "system", "frozen"); err != nil {
			t.Fatal(err)
		}
		// Whatever still stands under an older epoch is refused, even where its own row was missed.
		if err := d.Tx(ctx, func(tx *db.Tx) error {
			return tx.Exec("insert into session_epochs (person, epoch) values ('per_bob', 9) on conflict (person) do update set epoch = 9").Error
		}); err != nil || status(bob) != 401 {
			t.Errorf("a token of an older epoch: %d, %v", status(bob), err)
		}
		if records := g.audited("session.ended"); len(records) != 1 || fmt.Sprint(records[0].Public["sessions"], records[0].Public["tokens"]) != "1 2" {
			t.Errorf("audited: %+v", records)
		}
	})
}

func sessionOf(t *testing.T, g *rig, p id.Person) id.Session {
	t.Helper()
	sessions, err := g.door.Sessions(context.Background(), p)
	if err != nil || len(sessions) != 1 {
		t.Fatalf("%v, %v", sessions, err)
	}
	return sessions[0].ID
}

func TestAdministratorsEndSessions(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t), nil)
	ann, bob := g.browser(), g.browser()
	ann.login("sub-ann", nil)
	bob.login("sub-bob", nil)
	if a := bob.do("DELETE", "/api/v1/me/sessions/"+string(sessionOf(t, g, "per_ann")), ""); a.status != 404 || ann.me() != 200 {
		t.Errorf("somebody else's session: %d, Ann %d", a.status, ann.me())
	}
	if a := ann.do("DELETE", "/api/v1/me/sessions/"+string(sessionOf(t, g, "per_ann")), ""); a.status != 204 || ann.me() != 401 {
		t.Errorf("own session: %d, Ann %d", a.status, ann.me())
	}
	ann.login("sub-ann", nil)
	if a := bob.do("DELETE", "/api/v1/people/per_ann/sessions", ""); a.status != 403 {
		t.Errorf("by a person: %d", a.status)
	}
	if a := g.browser().do("DELETE", "/api/v1/people/per_ann/sessions", "", "Authorization", admin); a.status != 204 || ann.me() != 401 || bob.me() != 200 {
		t.Errorf("by an administrator: %d, Ann %d, Bob %d", a.status, ann.me(), bob.me())
	}
	if a := ann.do("POST", "/auth/logout", "", "Sec-Fetch-Site", "cross-site"); a.status != 403 {
		t.Errorf("sign-out by a page of another origin: %d", a.status)
	}
}

func TestLastAdministratorStays(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		do := func(method, person string) reply {
			return g.browser().do(method, "/api/v1/admins/"+person, "", "Authorization", admin)
		}
		if a := do("DELETE", "per_ann"); a.status != 404 {
			t.Errorf("nobody yet: %d", a.status)
		}
		do("PUT", "per_ann")
		if a := do("DELETE", "per_ann"); a.status != 409 || a.code != "last_admin" {
			t.Errorf("the last: %d %s", a.status, a.body)
		}
		do("PUT", "per_bob")
		g.standing.set("per_bob", true)
		if a := do("DELETE", "per_ann"); a.status != 409 {
			t.Errorf("the last who has access: %d %s", a.status, a.body)
		}
		g.standing.set("per_bob", false)
		var wait sync.WaitGroup
		var mu sync.Mutex
		var got []int
		for _, person := range []string{"per_ann", "per_bob"} {
			wait.Go(func() {
				a := do("DELETE", person)
				mu.Lock()
				defer mu.Unlock()
				got = append(got, a.status)
			})
		}
		wait.Wait()
		if slices.Sort(got); fmt.Sprint(got) != "[204 409]" {
			t.Errorf("two go at once: %v", got)
		}
		if a := do("PUT", "per_nobody"); a.status != 404 {
			t.Errorf("nobody: %d", a.status)
		}
	})
}

func TestRoleIsReadAtEachRequest(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t), nil)
	do := func(method, path, body, auth string) reply {
		return g.browser().do(method, path, body, "Authorization", auth)
	}
	do("PUT", "/api/v1/admins/per_ann", "", admin)
	do("PUT", "/api/v1/admins/per_bob", "", admin)
	b := g.browser()
	b.login("sub-ann", nil)
	bot := "Bearer " + tokenIn(t, b.do("POST", "/api/v1/tokens", `{"name":"bot"}`)).Token
	plain := "Bearer " + tokenIn(t, b.do("POST", "/api/v1/me/tokens", `{"name":"plain"}`)).Token
	if a := do("GET", "/api/v1/admins", "", plain); a.status != 403 {
		t.Errorf("a token without the role, of an administrator: %d", a.status)
	}
	do("DELETE", "/api/v1/admins/per_ann", "", admin)
	if a := b.do("GET", "/api/v1/admins", ""); a.status != 403 {
		t.Errorf("session after the role was taken: %d", a.status)
	}
	if a := do("GET", "/api/v1/admins", "", bot); a.status != 401 {
		t.Errorf("token made in the role: %d", a.status)
	}
}

func TestNewRefusesClearly(t *testing.T) {
	for want, o := range map[string]session.Options{
		"public url":      {PublicURL: "chat.example.com"},
		"16 characters":   {PublicURL: "https://x", BootstrapToken: "short"},
		"needs a client":  {PublicURL: "https://x", Issuer: "https://idp"},
		"and a way to":    {PublicURL: "https://x", Issuer: "https://idp", ClientID: "c"},
		"http:// or http": {PublicURL: "ftp://x"},
	} {
		if _, err := session.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	g := newRig(t, dbtest.SQLite(t), func(o *session.Options) { o.Issuer = "" })
	w := httptest.NewRecorder()
	if g.door.Login(w, httptest.NewRequest("GET", "/auth/login", nil)); w.Code != 503 {
		t.Errorf("without an issuer: %d", w.Code)
	}
	if g.door.BootstrapToken != "" {
		t.Error("the bootstrap token itself is kept")
	}
}
