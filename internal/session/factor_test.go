package session_test

import (
	"context"
	"encoding/base32"
	"encoding/json"
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
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/seal"
	"github.com/rollcall-im/rollcall/internal/session"
)

// RFC 6238 appendix B, SHA-1, cut to six digits.
func TestCodesByTime(t *testing.T) {
	secret := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := session.CodeAt(secret, time.Unix(at, 0)); got != want {
			t.Errorf("%d: %s, want %s", at, got, want)
		}
	}
}

func sealKey(t *testing.T) *seal.Key {
	t.Helper()
	text, _, err := seal.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// owners makes Ann and Bob owners, and answers a browser of each.
func owners(t *testing.T, g *rig) (ann, bob *browser) {
	t.Helper()
	for _, p := range []id.Person{"per_ann", "per_bob"} {
		if err := g.door.GrantAdmin(context.Background(), chief(), p, roles.Grant{Role: roles.Owner}); err != nil {
			t.Fatal(err)
		}
	}
	ann, bob = g.browser(), g.browser()
	ann.login("sub-ann", nil)
	bob.login("sub-bob", nil)
	return ann, bob
}

// enrol gives a browser's person a second factor and answers its secret and the recovery codes.
func enrol(t *testing.T, b *browser) (string, []string) {
	t.Helper()
	var made struct{ Secret, URI string }
	if a := b.do("POST", "/api/v1/me/factor", ""); a.status != 200 || json.Unmarshal([]byte(a.body), &made) != nil || !strings.HasPrefix(made.URI, "otpauth://totp/Rollcall") {
		t.Fatalf("enrol: %d %s", a.status, a.body)
	}
	var codes struct{ Recovery []string }
	a := b.do("POST", "/api/v1/me/factor/confirm", fmt.Sprintf(`{"code":%q}`, session.CodeAt(made.Secret, b.g.now())))
	if a.status != 200 || json.Unmarshal([]byte(a.body), &codes) != nil || len(codes.Recovery) != 10 {
		t.Fatalf("confirm: %d %s", a.status, a.body)
	}
	return made.Secret, codes.Recovery
}

func (b *browser) stepUp(code string) reply {
	b.g.t.Helper()
	return b.do("POST", "/api/v1/me/step-up", fmt.Sprintf(`{"code":%q}`, code))
}

// dangerous is a dangerous act that changes nothing.
func (b *browser) dangerous() reply {
	b.g.t.Helper()
	return b.do("DELETE", "/api/v1/admins/per_cid", "")
}

func TestStepUp(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, func(o *session.Options) { o.Key = sealKey(t) })
		ann, bob := owners(t, g)
		if a := ann.dangerous(); a.status != 404 {
			t.Errorf("nobody has a second factor: %d %s", a.status, a.body)
		}
		secret, recovery := enrol(t, ann)
		if a := ann.dangerous(); a.status != 404 {
			t.Errorf("enrolled just now: %d %s", a.status, a.body)
		}
		var kept string
		if err := d.Read(context.Background()).Raw("select secret from session_factors").Scan(&kept).Error; err != nil || !seal.Sealed(kept) || strings.Contains(kept, secret) {
			t.Errorf("kept as %q, %v", kept, err)
		}
		other := g.browser() // another session of hers
		other.login("sub-ann", nil)
		if a := other.dangerous(); a.status != 403 || a.code != "step_up_required" {
			t.Errorf("another session: %d %s", a.status, a.body)
		}
		if a := other.do("POST", "/api/v1/me/factor", ""); a.status != 403 || a.code != "step_up_required" {
			t.Errorf("a new factor without the old one: %d %s", a.status, a.body)
		}
		if a := other.stepUp(session.CodeAt(secret, g.now())); a.status != 403 || a.code != "code_refused" {
			t.Errorf("the same code again: %d %s", a.status, a.body)
		}
		g.later(30 * time.Second)
		fresh := session.CodeAt(secret, g.now())
		if a := other.stepUp(fresh); a.status != 200 {
			t.Errorf("a fresh code: %d %s", a.status, a.body)
		}
		if a := ann.stepUp(fresh); a.code != "code_refused" {
			t.Errorf("a code that another session used: %d %s", a.status, a.body)
		}
		if a := other.dangerous(); a.status != 404 {
			t.Errorf("after stepping up: %d %s", a.status, a.body)
		}
		g.later(10 * time.Minute)
		if a := other.dangerous(); a.code != "step_up_required" {
			t.Errorf("ten minutes later: %d %s", a.status, a.body)
		}
		if a := other.stepUp(session.CodeAt(secret, g.now().Add(-2*time.Minute))); a.code != "code_refused" {
			t.Errorf("an old code: %d %s", a.status, a.body)
		}
		if a := other.stepUp(strings.ToUpper(recovery[3])); a.status != 200 {
			t.Errorf("a recovery code: %d %s", a.status, a.body)
		}
		if a := ann.stepUp(recovery[3]); a.code != "code_refused" {
			t.Errorf("the same recovery code: %d %s", a.status, a.body)
		}
		if a := bob.stepUp(recovery[4]); a.code != "no_factor" {
			t.Errorf("somebody else's: %d %s", a.status, a.body)
		}
		token := "Bearer " + g.person("per_ann")
		if a := g.browser().do("POST", "/api/v1/me/step-up", `{"code":"123456"}`, "Authorization", token); a.code != "session_required" {
			t.Errorf("by a token: %d %s", a.status, a.body)
		}
		if a := ann.do("GET", "/api/v1/me/factor", ""); !strings.Contains(a.body, `"enrolled":true`) || !strings.Contains(a.body, `"recovery":9`) {
			t.Errorf("state: %s", a.body)
		}
		if strings.Contains(g.log.String(), secret) || strings.Contains(g.log.String(), recovery[0]) {
			t.Error("a secret is in the log")
		}
	})
}

// Wrong codes sent at once lock as those sent one after the other; another administrator helps, nobody themselves.
func TestFactorLocks(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, func(o *session.Options) { o.Key = sealKey(t) })
		ann, bob := owners(t, g)
		secret, _ := enrol(t, ann)
		g.later(time.Minute)
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() { ann.stepUp("000000") })
		}
		wait.Wait()
		var failures int
		if err := d.Read(context.Background()).Raw("select failures from session_factors").Scan(&failures).Error; err != nil || failures != 5 {
			t.Errorf("%d failures were counted, %v", failures, err)
		}
		if a := ann.stepUp(session.CodeAt(secret, g.now())); a.status != 403 || a.code != "factor_locked" {
			t.Errorf("the right code of who is locked: %d %s", a.status, a.body)
		}
		g.later(11 * time.Minute)
		if a := ann.do("POST", "/api/v1/admins/per_ann/unlock", ""); a.code != "step_up_required" {
			t.Errorf("unlock oneself: %d %s", a.status, a.body)
		}
		if err := g.door.Unlock(context.Background(), as("per_ann", roles.Grant{Role: roles.Owner}), "per_ann"); !errors.Is(err, session.ErrBySelf) {
			t.Errorf("unlock oneself: %v", err)
		}
		if a := bob.do("POST", "/api/v1/admins/per_ann/unlock", ""); a.status != 204 {
			t.Errorf("unlock: %d %s", a.status, a.body)
		}
		if a := ann.stepUp(session.CodeAt(secret, g.now())); a.status != 200 {
			t.Errorf("after the unlock: %d %s", a.status, a.body)
		}
		if a := bob.do("DELETE", "/api/v1/admins/per_ann/factor", ""); a.status != 204 {
			t.Errorf("forget: %d %s", a.status, a.body)
		}
		if a := ann.stepUp("123456"); a.code != "no_factor" {
			t.Errorf("after it was taken away: %d %s", a.status, a.body)
		}
		for _, action := range []string{"factor.enrolled", "factor.locked", "factor.unlocked", "factor.removed", "factor.proved"} {
			if got := len(g.audited(action)); got != 1 {
				t.Errorf("%s: %d audit records", action, got)
			}
		}
	})
}

func TestStepUpForEverybody(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t), func(o *session.Options) { o.StepUpRequired, o.Key = true, sealKey(t) })
	ann, _ := owners(t, g)
	if a := ann.dangerous(); a.code != "step_up_required" {
		t.Errorf("without a second factor: %d %s", a.status, a.body)
	}
	if a := ann.do("POST", "/api/v1/me/tokens", `{"name":"way round","admin":true,"dangerous":true}`); a.status != 400 {
		t.Errorf("a token is a way round: %d %s", a.status, a.body)
	}
	safe := "Bearer " + tokenIn(t, ann.do("POST", "/api/v1/me/tokens", `{"name":"safe","admin":true}`)).Token
	if a := g.browser().do("DELETE", "/api/v1/admins/per_cid", "", "Authorization", safe); a.code != "token_not_dangerous" {
		t.Errorf("a token without the right: %d %s", a.status, a.body)
	}
	enrol(t, ann)
	able := "Bearer " + tokenIn(t, ann.do("POST", "/api/v1/me/tokens", `{"name":"able","admin":true,"dangerous":true}`)).Token
	if a := g.browser().do("DELETE", "/api/v1/admins/per_cid", "", "Authorization", able); a.status != 404 {
		t.Errorf("a token with the right: %d %s", a.status, a.body)
	}
	bare := newRig(t, dbtest.SQLite(t), nil)
	ann, _ = owners(t, bare)
	if a := ann.do("POST", "/api/v1/me/factor", ""); a.status != 409 || a.code != "no_seal" {
		t.Errorf("nothing to seal with: %d %s", a.status, a.body)
	}
}

func TestAdministratorsIdleAndPlaces(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		var door *session.Door
		g := newRig(t, d, func(o *session.Options) {
			o.AdminIdle = 10 * time.Minute
			o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			o.AdminNetworks = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8::/32")}
		})
		door = g.door
		if err := door.GrantAdmin(context.Background(), chief(), "per_ann", roles.Grant{Role: roles.Owner}); err != nil {
			t.Fatal(err)
		}
		ann, bob := g.browser(), g.browser()
		ann.login("sub-ann", nil)
		bob.login("sub-bob", nil)
		for from, want := range map[string]int{"10.1.2.3": 200, "10.2.2.3": 403, "": 403, "10.1.2.3, 192.0.2.1": 403, "192.0.2.1, 10.1.2.3": 200, "2001:db8::1": 200, "::ffff:10.1.2.3": 200, "nonsense": 403} {
			if a := ann.do("GET", "/api/v1/admins", "", "X-Forwarded-For", from); a.status != want || want == 403 && a.code != "address_refused" {
				t.Errorf("from %q: %d %s, want %d", from, a.status, a.body, want)
			}
		}
		if a := ann.do("GET", "/api/v1/admins", "", "X-Forwarded-For", "10.1.2.3", "Forwarded", "for=192.0.2.1"); a.status != 200 {
			t.Errorf("the header that is not looked at: %d", a.status)
		}
		conduct := session.Conduct{Tries: session.Tries{Failures: 3, Quiet: time.Minute, Address: 100}, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			AdminNetworks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("127.0.0.0/8")}}
		for from, want := range map[string]int{"": 200, "10.1.2.3": 200, "192.0.2.1": 403, "unknown": 403, "10.1.2.3, unknown": 403} { // the proxy stands within
			if err := door.Change(conduct); err != nil {
				t.Fatal(err)
			}
			if a := ann.do("GET", "/api/v1/admins", "", "X-Forwarded-For", from); a.status != want {
				t.Errorf("through a proxy within, from %q: %d, want %d", from, a.status, want)
			}
		}
		conduct.Forwarded = true
		if err := door.Change(conduct); err != nil {
			t.Fatal(err)
		}
		for from, want := range map[string]int{"": 200, "for=10.1.2.3": 200, "for=10.1.2.3, for=192.0.2.1": 403, "for=192.0.2.1, for=10.1.2.3": 200, `for="x, for=192.0.2.1`: 403, "nonsense": 403, "for=unknown": 403, "proto=https": 403} {
			if a := ann.do("GET", "/api/v1/admins", "", "Forwarded", from, "X-Forwarded-For", "192.0.2.9"); a.status != want {
				t.Errorf("forwarded from %q: %d, want %d", from, a.status, want)
			}
		}
		conduct.AdminNetworks, conduct.Forwarded, conduct.AdminIdle = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8::/32")}, false, 10*time.Minute
		if err := door.Change(conduct); err != nil {
			t.Fatal(err)
		}
		if a := ann.do("GET", "/api/v1/admins", "", "X-Forwarded-For", "10.1.2.3", "Authorization", admin); a.status != 200 {
			t.Errorf("a token from within: %d", a.status)
		}
		if a := g.browser().do("GET", "/api/v1/admins", "", "Authorization", admin); a.status != 403 {
			t.Errorf("a token from outside: %d", a.status)
		}
		for range 4 {
			g.later(8 * time.Minute)
			if ann.me() != 200 {
				t.Fatal("used every eight minutes")
			}
		}
		g.later(10 * time.Minute)
		if ann.me() != 401 || bob.me() != 200 {
			t.Errorf("idle for ten minutes: the administrator %d, a person %d", ann.me(), bob.me())
		}
	})
}

func TestSeparation(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		g := newRig(t, d, nil)
		give := func(g *rig, p id.Person, r roles.Role) error {
			return g.door.GrantAdmin(ctx, chief(), p, roles.Grant{Role: r})
		}
		for p, r := range map[id.Person]roles.Role{"per_ann": roles.Security, "per_bob": roles.System, "per_old": roles.Owner} {
			if err := give(g, p, r); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.door.CheckSeparation(ctx); !errors.Is(err, session.ErrSeparation) || !strings.Contains(err.Error(), "auditor") {
			t.Errorf("nobody audits: %v", err)
		}
		for _, p := range []id.Person{"per_ann", "per_cid"} {
			if err := give(g, p, roles.Auditor); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.door.CheckSeparation(ctx); !errors.Is(err, session.ErrSeparation) || !strings.Contains(err.Error(), "per_ann") {
			t.Errorf("one holds two: %v", err)
		}
		if err := g.door.RevokeAdmin(ctx, chief(), "per_ann", roles.Grant{Role: roles.Auditor}); err != nil {
			t.Fatal(err)
		}
		g.standing.set("per_cid", true)
		if err := g.door.CheckSeparation(ctx); !errors.Is(err, session.ErrSeparation) {
			t.Errorf("the auditor cannot get in: %v", err)
		}
		g.standing.set("per_cid", false)
		if err := g.door.CheckSeparation(ctx); err != nil {
			t.Error(err)
		}
		apart := newRig(t, d, func(o *session.Options) { o.Separation = true })
		if a := apart.browser().do("GET", "/api/v1/me", "", "Authorization", admin); a.status != 401 {
			t.Errorf("the token of the configuration: %d %s", a.status, a.body)
		}
		if held, err := apart.door.RolesOf(ctx, "per_old"); err != nil || len(held) != 0 {
			t.Errorf("an owner of before has %v, %v", held, err)
		}
		for p, r := range map[id.Person]roles.Role{"per_bob": roles.Auditor, "per_ann": roles.System, "per_dan": roles.Owner} {
			if err := give(apart, p, r); !errors.Is(err, session.ErrSeparation) {
				t.Errorf("%s becomes %s: %v", p, r, err)
			}
		}
		if err := give(apart, "per_bob", roles.HR); err != nil {
			t.Error(err)
		}
		if err := apart.door.RevokeAdmin(ctx, chief(), "per_ann", roles.Grant{Role: roles.Security}); !errors.Is(err, session.ErrLastAdmin) {
			t.Errorf("the last security administrator: %v", err)
		}
		var wait sync.WaitGroup // two roles at once
		results := make([]error, 2)
		for i, r := range []roles.Role{roles.System, roles.Auditor} {
			wait.Go(func() { results[i] = give(apart, "per_eve", r) })
		}
		wait.Wait()
		if (results[0] == nil) == (results[1] == nil) {
			t.Errorf("two roles at once: %v", results)
		}
	})
}
