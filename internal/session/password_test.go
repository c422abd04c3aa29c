package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/session"
)

const (
	goodPW = "good-canary-4411"
	badPW  = "bad-canary-9922"
)

// company is a directory of two accounts, ann with two names. It counts what was sent to it.
type company struct {
	mu     sync.Mutex
	down   error
	says   error // of a right password
	split  bool  // ann's account is bob's now
	proofs map[string]int
	finds  int
}

func (c *company) Account(_ context.Context, login string) (session.Account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finds++
	if c.down != nil {
		return session.Account{}, c.down
	}
	key := map[string]string{"ann": "k-ann", "ann@corp.example": "k-ann", "bob": "k-bob", "new": "k-new"}[strings.ToLower(login)]
	if key == "" {
		return session.Account{}, session.ErrNoAccount
	}
	return session.Account{Source: "src_corp", Key: key, Place: "uid=" + login}, nil
}

func (c *company) Prove(_ context.Context, a session.Account, password string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proofs[a.Key]++
	if a.Key == "" || password != goodPW {
		return session.ErrPassword
	}
	return c.says
}

func (c *company) Person(_ context.Context, a session.Account) (id.Person, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	person := map[string]id.Person{"k-ann": "per_ann", "k-bob": "per_bob"}[a.Key]
	if a.Key == "k-ann" && c.split {
		person = "per_bob"
	}
	if person == "" {
		return "", session.ErrNoPerson
	}
	return person, nil
}

func (c *company) Accounts(_ context.Context, person id.Person) ([]session.Account, error) {
	key := map[id.Person]string{"per_ann": "k-ann", "per_bob": "k-bob"}[person]
	if key == "" {
		return nil, nil
	}
	return []session.Account{{Source: "src_corp", Key: key}}, nil
}

func (c *company) set(down, says error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down, c.says = down, says
}

func (c *company) sent(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proofs[key]
}

func withPasswords(t *testing.T, fn func(t *testing.T, g *rig, c *company)) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		c := &company{proofs: map[string]int{}}
		g := newRig(t, d, func(o *session.Options) { o.Passwords = c })
		fn(t, g, c)
		for _, word := range []string{goodPW, badPW, "ann@", "k-ann"} {
			if strings.Contains(g.log.String(), word) {
				t.Errorf("the log holds %q:\n%s", word, g.log.String())
			}
		}
		for _, record := range g.audited("") {
			if text := fmt.Sprintf("%+v", record); strings.Contains(text, goodPW) || strings.Contains(text, badPW) {
				t.Errorf("the audit log holds a password: %s", text)
			}
			if text := fmt.Sprintf("%v", record.Public); strings.Contains(text, "ann") {
				t.Errorf("the public part of the audit log names somebody: %s", text)
			}
		}
	})
}

func (b *browser) password(login, password string, headers ...string) reply {
	b.g.t.Helper()
	return b.do("POST", "/auth/password", fmt.Sprintf(`{"login":%q,"password":%q,"return_to":"/chat/x"}`, login, password), append([]string{"Content-Type", "application/json"}, headers...)...)
}

func TestPasswordSignIn(t *testing.T) {
	withPasswords(t, func(t *testing.T, g *rig, c *company) {
		b := g.browser()
		if a := b.do("GET", "/auth/methods", ""); a.body != `{"oidc":true,"password":true}`+"\n" {
			t.Errorf("methods: %s", a.body)
		}
		if a := b.password("Ann@corp.example", goodPW); a.status != 200 || !strings.Contains(a.body, `"location":"/chat/x"`) || b.me() != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		first := b.cookie("rollcall")
		if a := b.password("ann", goodPW); a.status != 200 || b.cookie("rollcall") == first || g.sessions() != 1 {
			t.Errorf("signed in again: %d, %d sessions", a.status, g.sessions())
		}
		opened := g.audited("session.opened")
		if len(opened) != 2 || opened[0].Actor != "per_ann" {
			t.Errorf("audit: %+v", opened)
		}
		if a := b.do("POST", "/auth/logout", ""); !strings.Contains(a.body, `"location":"/"`) || b.me() != 401 {
			t.Errorf("sign-out leads to the identity provider: %s", a.body)
		}
		// The freeze ends it like any other, and nobody frozen comes in.
		b.password("ann", goodPW)
		g.standing.set("per_ann", true)
		g.door.Revoked(0, []id.Person{"per_ann"}, nil)
		if a := b.do("GET", "/api/v1/me", ""); a.status != 401 || g.sessions() != 0 {
			t.Errorf("frozen: %d, %d sessions", a.status, g.sessions())
		}
		if a := b.password("ann", goodPW); a.status != 403 || a.code != "person_frozen" || g.sessions() != 0 {
			t.Errorf("frozen: %d %s", a.status, a.body)
		}
		if a := b.password("ann", badPW); a.code != "password_refused" {
			t.Errorf("that ann is frozen is told without a password: %s", a.body)
		}
		if a := b.password("new", goodPW); a.status != 403 || a.code != "person_unknown" {
			t.Errorf("not in the directory yet: %d %s", a.status, a.body)
		}
	})
}

// An account that was joined to the wrong person and is split off takes its session along: nobody goes on as somebody else.
func TestPasswordSessionFollowsTheRecord(t *testing.T) {
	withPasswords(t, func(t *testing.T, g *rig, c *company) {
		b := g.browser()
		if b.password("ann", goodPW); b.me() != 200 {
			t.Fatal("not signed in")
		}
		c.mu.Lock()
		c.split = true
		c.mu.Unlock()
		if a := b.do("GET", "/api/v1/me", ""); a.status != 401 || a.code != "session_ended" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if b.password("ann", goodPW); !strings.Contains(b.do("GET", "/api/v1/me", "").body, "per_bob") {
			t.Error("the next sign-in is not of whose it is now")
		}
	})
}

// A revocation between the right password and the session wins.
func TestPasswordSignInBesideAFreeze(t *testing.T) {
	withPasswords(t, func(t *testing.T, g *rig, _ *company) {
		g.standing.onAsk(func(p id.Person) {
			g.standing.onAsk(nil)
			if err := g.door.EndPerson(context.Background(), p, "system", "frozen"); err != nil {
				t.Error(err)
			}
		})
		if a := g.browser().password("ann", goodPW); a.code != "person_frozen" || g.sessions() != 0 {
			t.Errorf("%d %s, %d sessions", a.status, a.body, g.sessions())
		}
	})
}

// Whether there is such an account is told by nothing: not by status, text or time, and not by what is counted.
func TestPasswordTellsNothing(t *testing.T) {
	withPasswords(t, func(t *testing.T, g *rig, c *company) {
		b := g.browser()
		strip := func(a reply) string {
			at := strings.Index(a.body, `"request_id"`)
			return fmt.Sprint(a.status, a.code, a.body[:max(at, 0)], a.header.Get("Set-Cookie"))
		}
		want := ""
		for _, login := range []string{"ann", "nobody", `*)(uid=*))(|(uid=*`, "new"} {
			began := time.Now()
			a := b.password(login, badPW)
			if took := time.Since(began); took < 400*time.Millisecond || took > 1500*time.Millisecond {
				t.Errorf("%s: answered after %v", login, took)
			}
			if want == "" {
				want = strip(a)
			}
			if a.status != 403 || a.code != "password_refused" || strip(a) != want {
				t.Errorf("%s: %s, want %s", login, strip(a), want)
			}
		}
		if c.sent("") != 2 {
			t.Errorf("the two who are not there cost %d proofs", c.sent(""))
		}
		for _, login := range []string{"ann", "nobody"} {
			b.password(login, badPW)
			b.password(login, badPW)
			if a := b.password(login, goodPW); a.status != 429 || a.code != "too_many_tries" || a.header.Get("Retry-After") == "" {
				t.Errorf("%s: the fourth: %d %s", login, a.status, a.body)
			}
		}
		refusals := g.audited("session.refused")
		if len(refusals) != 8 {
			t.Errorf("%d refusals are in the audit log", len(refusals))
		}
		for _, r := range refusals {
			if r.Actor != "anonymous" || r.Cause != "password_refused" || (r.Public["issuer"] == "ldap:src_corp") != (r.Personal["login"] == "ann" || r.Personal["login"] == "new") ||
				r.Subject != "" && r.Personal["login"] != "ann" {
				t.Errorf("%+v", r)
			}
		}
	})
}

// Three failures of an account go to the directory, by whatever name, node and at whatever pace, until it was quiet for half an hour.
func TestPasswordGuessesAreCounted(t *testing.T) {
	withPasswords(t, func(t *testing.T, g *rig, c *company) {
		other, err := session.New(session.Options{DB: g.db, Standing: g.standing, PublicURL: g.srv.URL, Passwords: c, Now: g.now})
		if err != nil {
			t.Fatal(err)
		}
		second := newRig(t, g.db, func(o *session.Options) { *o = other.Options })
		var wait sync.WaitGroup
		for i := range 16 {
			b := []*rig{g, second}[i%2].browser()
			login := []string{"ann", "ANN ", " ann@corp.example", "Ann"}[i%4]
			wait.Go(func() { b.password(login, badPW) })
		}
		wait.Wait()
		if n := c.sent("k-ann"); n != 3 {
			t.Fatalf("%d guesses were sent", n)
		}
		g.later(29 * time.Minute)
		if a := g.browser().password("ann", goodPW); a.status != 429 || c.sent("k-ann") != 3 {
			t.Errorf("before the pause is over: %d %s", a.status, a.body)
		}
		if a := g.browser().password("ann@corp.example", goodPW); a.status == 200 || c.sent("k-ann") != 3 {
			t.Errorf("by another name: %d %s", a.status, a.body)
		}
		if a := g.browser().password("bob", goodPW); a.status != 200 {
			t.Errorf("somebody else: %d %s", a.status, a.body)
		}
		g.later(2 * time.Minute)
		second.later(31 * time.Minute)
		if a := g.browser().password("ann", badPW); a.code != "password_refused" || c.sent("k-ann") != 4 {
			t.Errorf("after the pause: %d %s", a.status, a.body)
		}
		// Slow guesses are a row too: each within the pause of the one before.
		g.later(20 * time.Minute)
		g.browser().password("ann", badPW)
		g.later(20 * time.Minute)
		g.browser().password("ann", badPW)
		g.later(20 * time.Minute)
		if a := g.browser().password("ann", badPW); a.status != 429 || c.sent("k-ann") != 6 {
			t.Errorf("slow guesses: %d %s, %d sent", a.status, a.body, c.sent("k-ann"))
		}
		// A right password ends a row.
		g.later(31 * time.Minute)
		for range 2 {
			g.browser().password("ann", badPW)
			g.browser().password("ann", badPW)
			if a := g.browser().password("ann", goodPW); a.status != 200 {
				t.Errorf("right after two wrong: %d %s", a.status, a.body)
			}
		}
	})
}

// One address tries many names: after a hundred it is refused, and those behind another proxy's address are not.
func TestPasswordGuessesOfOneAddress(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		c := &company{proofs: map[string]int{}}
		g := newRig(t, d, func(o *session.Options) {
			o.Passwords, o.Tries.Address, o.Proxies = c, 4, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		})
		for i := range 4 {
			if a := g.browser().password(fmt.Sprintf("x%d", i), badPW, "X-Forwarded-For", "198.51.100.9, 2001:db8::1:2"); a.code != "password_refused" {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		finds := c.finds
		if a := g.browser().password("ann", goodPW, "X-Forwarded-For", "198.51.100.77, 2001:db8::9:9"); a.status != 429 || c.finds != finds {
			t.Errorf("the same network: %d %s", a.status, a.body)
		}
		if a := g.browser().password("ann", goodPW, "X-Forwarded-For", "2001:db8::9:9, 198.51.100.77"); a.status != 200 {
			t.Errorf("another address: %d %s", a.status, a.body)
		}
		g.later(8 * time.Minute) // one of four in thirty minutes
		if a := g.browser().password("ann", goodPW, "X-Forwarded-For", "2001:db8::9:9"); a.status != 200 {
			t.Errorf("later: %d %s", a.status, a.body)
		}
	})
}

func TestPasswordRequestsThatAreNone(t *testing.T) {
	withPasswords(t, func(t *testing.T, g *rig, c *company) {
		b := g.browser()
		for _, row := range []struct {
			body, kind, site string
			status           int
			code             string
		}{
			{`{"login":"ann","password":""}`, "application/json", "", 400, "password_missing"},
			{`{"login":"ann"}`, "application/json", "", 400, "password_missing"},
			{`{"login":" ","password":"` + goodPW + `"}`, "application/json", "", 400, "password_missing"},
			{`{"login":"an\u0000n","password":"` + goodPW + `"}`, "application/json", "", 400, "invalid_request"},
			{`{"login":"` + strings.Repeat("a", 300) + `","password":"` + goodPW + `"}`, "application/json", "", 400, "invalid_request"},
			{`{"login":"ann","password":"` + goodPW, "application/json", "", 400, "invalid_request"},
			{`{"login":"ann","password":["` + goodPW + `"]}`, "application/json", "", 400, "invalid_request"},
			{`{"user_name":"ann","password":"` + goodPW + `"}`, "application/json", "", 400, "invalid_request"},
			{`login=ann&password=` + goodPW, "application/x-www-form-urlencoded", "", 415, "unsupported_media_type"},
			{`{"login":"ann","password":"` + goodPW + `"}`, "text/plain", "", 415, "unsupported_media_type"},
			{`{"login":"ann","password":"` + goodPW + `"}`, "application/json", "cross-site", 403, "cross_origin"},
			{`{"login":"ann","password":"` + goodPW + `"}`, "application/json", "same-site", 403, "cross_origin"},
		} {
			headers := []string{"Content-Type", row.kind}
			if row.site != "" {
				headers = append(headers, "Sec-Fetch-Site", row.site)
			}
			if a := b.do("POST", "/auth/password", row.body, headers...); a.status != row.status || a.code != row.code || strings.Contains(a.body, goodPW) {
				t.Errorf("%.60s: %d %s", row.body, a.status, a.body)
			}
		}
		if a := b.do("POST", "/auth/password", `{"user_name":"ann","password":"`+goodPW+`"}`, "Content-Type", "application/json"); !strings.Contains(a.body, "user_name is no field of this") {
			t.Errorf("an unknown field is not named: %s", a.body)
		}
		if c.finds != 0 || g.sessions() != 0 {
			t.Errorf("%d were looked up, %d sessions", c.finds, g.sessions())
		}
		for _, to := range []string{"https://evil.example/", "//evil.example", "/auth/logout", `/\evil`} {
			if a := b.do("POST", "/auth/password", fmt.Sprintf(`{"login":"ann","password":%q,"return_to":%q}`, goodPW, to), "Content-Type", "application/json"); !strings.Contains(a.body, `"location":"/"`) {
				t.Errorf("%s: %s", to, a.body)
			}
		}
	})
}

func TestPasswordWithoutADirectory(t *testing.T) {
	withPasswords(t, func(t *testing.T, g *rig, c *company) {
		b := g.browser()
		c.set(errors.New("ldap server cannot be reached"), nil)
		for range 5 { // no password was sent: nothing is counted
			if a := b.password("ann", goodPW); a.status != 503 || a.code != "directory_unavailable" {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		c.set(nil, nil)
		if a := b.password("ann", goodPW); a.status != 200 {
			t.Errorf("back: %d %s", a.status, a.body)
		}
		for _, row := range []struct {
			err  error
			code string
		}{{session.ErrExpired, "password_expired"}, {session.ErrMustChange, "password_must_change"}, {session.ErrDisabled, "account_disabled"}} {
			c.set(nil, row.err)
			if a := g.browser().password("ann", goodPW); a.status != 403 || a.code != row.code {
				t.Errorf("%v: %d %s", row.err, a.status, a.body)
			}
			if a := g.browser().password("ann", badPW); a.code != "password_refused" {
				t.Errorf("%v is told without the password: %s", row.err, a.body)
			}
		}
	})
}
