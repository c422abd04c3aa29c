package session_test

import (
	"context"
	"errors"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
)

// An administrator forgets the wrong passwords of a person, by whatever name they were given, and of nobody else.
func TestForgiveTries(t *testing.T) {
	withPasswords(t, func(t *testing.T, g *rig, c *company) {
		b := g.browser()
		for _, login := range []string{"ann", "ann@corp.example", "bob"} {
			for range 3 {
				b.password(login, badPW)
			}
		}
		shut := func(login string) bool { return b.password(login, goodPW).status != 200 }
		if !shut("ann") || !shut("ann@corp.example") || !shut("bob") {
			t.Fatal("wrong passwords are not counted")
		}
		owner := as("per_root", roles.Grant{Role: roles.Owner})
		if _, err := g.door.ForgiveTries(t.Context(), as("per_ann", roles.Grant{Role: roles.Owner}), "per_ann"); !errors.Is(err, session.ErrBySelf) {
			t.Errorf("for themselves: %v", err)
		}
		n, err := g.door.ForgiveTries(t.Context(), owner, "per_ann")
		if err != nil || n == 0 {
			t.Fatalf("%d, %v", n, err)
		}
		if shut("ann") || shut("ann@corp.example") || !shut("bob") {
			t.Error("not forgotten, or of somebody else, too")
		}
		if n, err := g.door.ForgiveTries(t.Context(), owner, "per_ann"); err != nil || n != 0 {
			t.Errorf("again: %d, %v", n, err)
		}
		if list := g.audited("password.unlocked"); len(list) != 1 || list[0].Subject != "per_ann" {
			t.Errorf("audit: %+v", list)
		}
	})
}

// Of nobody nothing can be forgotten; and who was linked anew is found by the key they have now.
func TestForgiveWhoHasAnotherKey(t *testing.T) {
	withPasswords(t, func(t *testing.T, g *rig, c *company) {
		b := g.browser()
		for range 3 {
			b.password("ann", badPW)
		}
		move := func(was, now string) {
			t.Helper()
			if err := g.door.DB.Tx(t.Context(), func(tx *db.Tx) error { return session.MoveTries(tx, "src_corp", map[string]string{was: now}) }); err != nil {
				t.Fatal(err)
			}
		}
		owner := as("per_root", roles.Grant{Role: roles.Owner})
		move("k-ann", "k-old")
		if n, err := g.door.ForgiveTries(t.Context(), owner, "per_ann"); err != nil || n != 0 {
			t.Fatalf("of another key: %d, %v", n, err)
		}
		move("k-old", "k-ann")
		if n, err := g.door.ForgiveTries(t.Context(), owner, "per_ann"); err != nil || n == 0 {
			t.Errorf("%d, %v", n, err)
		}
		if b.password("ann", goodPW).status != 200 {
			t.Error("not forgotten")
		}
		api := &session.API{Door: g.door, Profile: func(context.Context, id.Person) (session.Profile, error) {
			return session.Profile{}, session.ErrNoPerson
		}}
		if _, err := api.ForgiveTries(t.Context(), &session.PersonInput{ID: "per_none"}); !errors.Is(err, session.ErrNobody) {
			t.Errorf("of nobody: %v", err)
		}
	})
}
