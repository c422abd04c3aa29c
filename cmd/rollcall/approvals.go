package main

import (
	"context"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
	"github.com/rollcall-im/rollcall/provisioning/erasure"
)

// wireApprovals ties what people may ask for to who decides it.
func (a *app) wireApprovals() {
	a.wireBreakGlass()
	acts := approvals.Acts{Reactor: a.access, Holds: a.door.HoldsTx}
	groups := approvals.Groups{Reactor: a.access}
	a.asks = &approvals.Engine{DB: a.db, Directory: a.people, Outsiders: a.access.OutsidersIn, Log: a.log,
		Admins: func(tx *db.Tx, role string) ([]id.Person, error) { return a.door.HoldersTx(tx, roles.Role(role)) },
		Kinds: map[policies.ApprovalKind]approvals.Kind{
			policies.ApproveJoin:       approvals.Joining{Groups: groups},
			policies.ApproveElevation:  approvals.Elevation{Groups: groups},
			policies.ApproveBreakGlass: a.glass,
			policies.ApprovePlan:       approvals.Planning{Acts: acts},
			policies.ApproveRelease:    approvals.Releasing{Acts: acts},
		}}
	a.access.DayZone = func(rec directory.Record) string {
		if a.hr == nil {
			return ""
		}
		return a.hr.DayZone(rec)
	}
	a.access.PlanDeciders = func(tx *db.Tx, plan id.Plan, behind id.Person) ([]id.Person, error) {
		return a.asks.Deciders(tx, approvals.Request{Kind: policies.ApprovePlan, Requester: behind, Subject: behind, Object: string(plan)})
	}
}

// agree decides the request that waits for a plan to be approved.
func (a *app) agree(ctx context.Context, cause directory.Cause, approver id.Person, plan id.Plan) (bool, error) {
	return a.asks.ApproveAbout(ctx, cause, approver, policies.ApprovePlan, string(plan))
}

// guarded answers the permission without which nobody asks for, or agrees to, what administrators do.
func guarded(kind policies.ApprovalKind, object string) roles.Permission {
	switch kind {
	case policies.ApproveBreakGlass:
		return roles.BreakGlassRead
	case policies.ApprovePlan:
		return roles.PoliciesApply
	case policies.ApproveRelease:
		return roles.HoldsDecide
	case policies.ApproveRetention:
		return erasure.Wants(object)
	}
	return ""
}
