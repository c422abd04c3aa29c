package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
)

// chief is who may everything, as the token of the configuration does.
func chief() httpapi.Caller {
	return httpapi.Caller{Token: session.BootstrapToken, Grants: roles.Everything(), Stepped: true}
}

func as(person id.Person, grants ...roles.Grant) httpapi.Caller {
	return httpapi.Caller{Person: person, Grants: grants, Stepped: true}
}

func TestRoles(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		ctx := context.Background()
		owner, security := roles.Grant{Role: roles.Owner}, roles.Grant{Role: roles.Security}
		grant := func(by httpapi.Caller, person id.Person, what roles.Grant, want error) {
			t.Helper()
			if err := g.door.GrantAdmin(ctx, by, person, what); !errors.Is(err, want) {
				t.Errorf("grant %v to %s: %v, want %v", what, person, err, want)
			}
		}
		revoke := func(by httpapi.Caller, person id.Person, what roles.Grant, want error) {
			t.Helper()
			if err := g.door.RevokeAdmin(ctx, by, person, what); !errors.Is(err, want) {
				t.Errorf("revoke %v of %s: %v, want %v", what, person, err, want)
			}
		}
		grant(chief(), "per_ann", owner, nil)
		grant(chief(), "per_ann", owner, nil) // no change
		grant(chief(), "per_bob", roles.Grant{Role: "king"}, session.ErrRole)
		grant(chief(), "per_bob", roles.Grant{Role: roles.GroupOwner}, session.ErrRole)
		grant(chief(), "per_bob", roles.Grant{Role: roles.Auditor, Unit: "unt_1"}, session.ErrRole)
		grant(as("per_ann", owner), "per_ann", security, session.ErrOwnRole)
		grant(httpapi.Caller{Token: "tok_x", Maker: "per_ann", Grants: roles.Everything()}, "per_ann", security, session.ErrOwnRole)
		grant(as("per_bob", security), "per_cid", owner, session.ErrStronger)
		grant(as("per_bob", security), "per_cid", roles.Grant{Role: roles.HR, Unit: "unt_1"}, nil)
		revoke(as("per_bob", security), "per_ann", owner, session.ErrStronger)
		revoke(chief(), "per_ann", owner, session.ErrLastAdmin)
		revoke(chief(), "per_ann", roles.Grant{}, session.ErrLastAdmin)
		revoke(chief(), "per_bob", security, session.ErrNotFound)
		grant(chief(), "per_bob", owner, nil)
		g.standing.set("per_bob", true)
		revoke(chief(), "per_ann", owner, session.ErrLastAdmin) // the other one cannot get in
		g.standing.set("per_bob", false)
		revoke(as("per_ann", owner), "per_ann", owner, nil)
		if held, err := g.door.RolesOf(ctx, "per_cid"); err != nil || len(held) != 1 || held[0] != (roles.Grant{Role: roles.HR, Unit: "unt_1"}) {
			t.Errorf("roles: %v, %v", held, err)
		}
		if err := d.Tx(ctx, func(tx *db.Tx) error {
			able, err := g.door.AdminsTx(tx)
			if err == nil && (len(able) != 1 || able[0] != "per_bob") {
				t.Errorf("who makes administrators: %v", able)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		if granted, revoked := g.audited("admin.granted"), g.audited("admin.revoked"); len(granted) != 3 || len(revoked) != 1 || granted[1].Public["unit"] != "unt_1" {
			t.Errorf("audited: %+v, %+v", granted, revoked)
		}
	})
}

// A token may no more than who answers for it, at each use; it is no way around a role.
func TestTokensOfRoles(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		ctx := context.Background()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		part := roles.Grant{Role: roles.HR, Unit: "unt_1"}
		must(g.door.GrantAdmin(ctx, chief(), "per_bob", roles.Grant{Role: roles.Owner}))
		must(g.door.GrantAdmin(ctx, chief(), "per_ann", roles.Grant{Role: roles.Owner}))
		must(g.door.GrantAdmin(ctx, chief(), "per_ann", part))
		b := g.browser()
		b.login("sub-ann", nil)
		token := func(path, body string) string {
			t.Helper()
			return "Bearer " + tokenIn(t, b.do("POST", path, body)).Token
		}
		own := token("/api/v1/me/tokens", `{"name":"own","admin":true}`)
		mine := token("/api/v1/me/tokens", `{"name":"hr","role":"hr","unit":"unt_1"}`)
		bot := token("/api/v1/tokens", `{"name":"bot","role":"auditor"}`)
		me := func(auth string) string { return g.browser().do("GET", "/api/v1/me", "", "Authorization", auth).body }
		for auth, want := range map[string]string{own: `"role":"owner"`, mine: `"roles":[{"role":"hr","unit":"unt_1"}]`, bot: `"roles":[{"role":"auditor"}]`} {
			if got := me(auth); !strings.Contains(got, want) {
				t.Errorf("before: %s lacks %s", got, want)
			}
		}
		if a := g.browser().do("POST", "/api/v1/me/tokens", `{"name":"more","role":"owner"}`, "Authorization", mine); a.status != 400 {
			t.Errorf("a stronger token by a token: %d %s", a.status, a.body)
		}
		if a := g.browser().do("POST", "/api/v1/me/tokens", `{"name":"more","role":"hr","unit":"unt_2"}`, "Authorization", mine); a.status != 400 {
			t.Errorf("a wider token by a token: %d %s", a.status, a.body)
		}
		if a := g.browser().do("POST", "/api/v1/me/tokens", `{"name":"more","role":"hr","unit":"unt_1","dangerous":true}`, "Authorization", mine); a.status != 400 {
			t.Errorf("a more dangerous token by a token: %d %s", a.status, a.body)
		}
		must(g.door.RevokeAdmin(ctx, chief(), "per_ann", roles.Grant{Role: roles.Owner}))
		status := func(auth string) int { return g.browser().do("GET", "/api/v1/me", "", "Authorization", auth).status }
		if status(own) != 401 || status(bot) != 401 || status(mine) != 200 {
			t.Errorf("after: own %d, bot %d, hr %d", status(own), status(bot), status(mine))
		}
		// Even where the end of a token was missed, its role is not more than what its person has.
		must(d.Tx(ctx, func(tx *db.Tx) error { return tx.Exec("update session_tokens set ended_at = null").Error }))
		for _, auth := range []string{own, bot} {
			if got := me(auth); strings.Contains(got, `"role"`) {
				t.Errorf("a role lives on in a token: %s", got)
			}
		}
	})
}

// Whoever was administrator before there were roles is an owner, and their tokens work on.
func TestAdministratorsBecomeOwners(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		g := newRig(t, d, nil)
		ctx := context.Background()
		if err := g.door.GrantAdmin(ctx, chief(), "per_ann", roles.Grant{Role: roles.Owner}); err != nil {
			t.Fatal(err)
		}
		b := g.browser()
		b.login("sub-ann", nil)
		before := "Bearer " + tokenIn(t, b.do("POST", "/api/v1/me/tokens", `{"name":"old","admin":true}`)).Token
		pool, err := d.Pool()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := session.MigrationOf("00003_roles.sql")
		if err != nil {
			t.Fatal(err)
		}
		up, down, _ := strings.Cut(raw, "-- +goose Down")
		for _, part := range []string{down, up} {
			for _, statement := range strings.Split(part, ";") {
				if _, err := pool.Exec(statement); err != nil && strings.TrimSpace(statement) != "" {
					t.Fatalf("%s: %v", statement, err)
				}
			}
		}
		if a := g.browser().do("DELETE", "/api/v1/tokens/tok_x", "", "Authorization", before); a.status != 404 {
			t.Errorf("an administrator's token of before: %d %s", a.status, a.body)
		}
		if held, err := g.door.RolesOf(ctx, "per_ann"); err != nil || len(held) != 1 || held[0] != (roles.Grant{Role: roles.Owner}) {
			t.Errorf("an administrator of before: %v, %v", held, err)
		}
	})
}
