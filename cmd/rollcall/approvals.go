package main

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
)

// wireApprovals ties what people may ask for to who decides it.
func (a *app) wireApprovals() {
	a.wireBreakGlass()
	groups := approvals.Groups{Reactor: a.access}
	a.asks = &approvals.Engine{DB: a.db, Directory: a.people, Outsiders: a.access.OutsidersIn, Log: a.log,
		Admins: func(tx *db.Tx, role string) ([]id.Person, error) { return a.door.HoldersTx(tx, roles.Role(role)) },
		Kinds: map[policies.ApprovalKind]approvals.Kind{
			policies.ApproveJoin:       approvals.Joining{Groups: groups},
			policies.ApproveElevation:  approvals.Elevation{Groups: groups},
			policies.ApproveBreakGlass: a.glass,
		}}
}
