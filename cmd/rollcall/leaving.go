package main

import (
	"context"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/provisioning/handover"
	"github.com/rollcall-im/rollcall/provisioning/leaving"
)

// Leave says what a leave of absence means here.
type Leave struct {
	Access  string `koanf:"access"`  // none, or read: people on leave may read and nothing else
	Overdue string `koanf:"overdue"` // returns: access is back at the date of return; stays: when the source takes the leave back
}

func (l Leave) check(bad func(key, format string, args ...any)) {
	if l.Access != "none" && l.Access != "read" {
		bad("leave.access", "%q is not one of none, read", l.Access)
	}
	if l.Overdue != "returns" && l.Overdue != "stays" {
		bad("leave.overdue", "%q is not one of returns, stays", l.Overdue)
	}
}

func (l Leave) rule() directory.LeaveRule {
	return directory.LeaveRule{ReadOnly: l.Access == "read", Stays: l.Overdue == "stays"}
}

// watchLeaving tells whoever ought to know that somebody's end comes or a leave is over.
func (a *app) watchLeaving(ctx context.Context) error {
	if err := a.people.RefreshLeaves(ctx); err != nil && ctx.Err() == nil {
		a.log.ErrorContext(ctx, "leaves were not written anew", "error", err)
	}
	watch := &leaving.Watch{DB: a.db, Directory: a.people, Log: a.log, Admins: a.administrators, ManagerFirst: a.cfg.Disclosure.Manager == "always", Levels: a.beforeEnd}
	return watch.Run(ctx)
}

// beforeEnd answers how many days before an end somebody is told.
func (a *app) beforeEnd(ctx context.Context) ([]int, error) {
	levels, err := a.access.BeforeEnd(ctx)
	if levels == nil {
		levels = leaving.Levels()
	}
	return levels, err
}

// places tells who came into a project group, who is in it no more, and what the guard holds.
func (a *app) places() *leaving.Places {
	return &leaving.Places{Directory: a.people, Tells: a.access.Tells, Owners: a.access.OwnersIn,
		Admins: func(tx *db.Tx, role string) ([]id.Person, error) { return a.door.HoldersTx(tx, roles.Role(role)) }}
}

// wireHandovers ties what people answer for to who answers for it next.
func (a *app) wireHandovers() {
	a.heirs = &handover.Engine{DB: a.db, Directory: a.people, Outsiders: a.access.Outsiders, Admins: a.administrators, Log: a.log,
		Kinds: map[string]handover.Owned{handover.KindGroup: handover.Groups{Reactor: a.access}}}
}

// administrators answers who is told of what waits for one: those who have a role for the whole organisation that deals with people.
func (a *app) administrators(ctx context.Context) ([]id.Person, error) {
	list, err := a.door.Admins(ctx)
	var out []id.Person
	for _, admin := range list {
		if admin.Unit == "" && (admin.Role == roles.Owner || admin.Role == roles.HR) && !slices.Contains(out, admin.Person) {
			out = append(out, admin.Person)
		}
	}
	return out, err
}
