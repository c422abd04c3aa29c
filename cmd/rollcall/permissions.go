package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
)

// The permissions, as the table of routes names them.
const (
	peopleRead        = httpapi.Who(roles.PeopleRead)
	peopleFreeze      = httpapi.Who(roles.PeopleFreeze)
	peopleOffboard    = httpapi.Who(roles.PeopleOffboard)
	peopleRestore     = httpapi.Who(roles.PeopleRestore)
	peopleLink        = httpapi.Who(roles.PeopleLink)
	peopleImpersonate = httpapi.Who(roles.PeopleImpersonate)
	sessionsRead      = httpapi.Who(roles.SessionsRead)
	sessionsEnd       = httpapi.Who(roles.SessionsEnd)
	identitiesRead    = httpapi.Who(roles.IdentitiesRead)
	identitiesUnlink  = httpapi.Who(roles.IdentitiesUnlink)
	membershipsRead   = httpapi.Who(roles.MembershipsRead)
	groupsRead        = httpapi.Who(roles.GroupsRead)
	accessExplain     = httpapi.Who(roles.AccessExplain)
	sourcesRead       = httpapi.Who(roles.SourcesRead)
	sourcesWrite      = httpapi.Who(roles.SourcesWrite)
	sourcesTraffic    = httpapi.Who(roles.SourcesTraffic)
	sourcesTokens     = httpapi.Who(roles.SourcesTokens)
	sourcesLive       = httpapi.Who(roles.SourcesLive)
	policiesRead      = httpapi.Who(roles.PoliciesRead)
	policiesPlan      = httpapi.Who(roles.PoliciesPlan)
	policiesApply     = httpapi.Who(roles.PoliciesApply)
	plansRead         = httpapi.Who(roles.PlansRead)
	holdsRead         = httpapi.Who(roles.HoldsRead)
	holdsDecide       = httpapi.Who(roles.HoldsDecide)
	runsUndo          = httpapi.Who(roles.RunsUndo)
	auditRead         = httpapi.Who(roles.AuditRead)
	adminsRead        = httpapi.Who(roles.AdminsRead)
	adminsWrite       = httpapi.Who(roles.AdminsWrite)
	tokensRead        = httpapi.Who(roles.TokensRead)
	tokensWrite       = httpapi.Who(roles.TokensWrite)
	metricsRead       = httpapi.Who(roles.MetricsRead)
	reviewsRead       = httpapi.Who(roles.ReviewsRead)
	reviewsWrite      = httpapi.Who(roles.ReviewsWrite)
	evidenceRead      = httpapi.Who(roles.EvidenceRead)
	evidenceKeysMake  = httpapi.Who(roles.EvidenceKeys)
	peopleErase       = httpapi.Who(roles.PeopleErase)
	restoreOpen       = httpapi.Who(roles.RestoreOpen)
	legalHoldsRead    = httpapi.Who(roles.LegalHoldsRead)
	legalHoldsWrite   = httpapi.Who(roles.LegalHoldsWrite)
	drillsRead        = httpapi.Who(roles.DrillsRead)
	drillsHold        = httpapi.Who(roles.DrillsHold)
	signalsRead       = httpapi.Who(roles.SignalsRead)
	signalsWrite      = httpapi.Who(roles.SignalsWrite)
	requestsRead      = httpapi.Who(roles.RequestsRead)
	breakGlassRead    = httpapi.Who(roles.BreakGlassRead)
	breakGlassEnd     = httpapi.Who(roles.BreakGlassEnd)
	guestsRead        = httpapi.Who(roles.GuestsRead)
	guestsWrite       = httpapi.Who(roles.GuestsWrite)
	guestsClose       = httpapi.Who(roles.GuestsClose)
)

// reach is ErrNotFound where a person lies outside of what the caller's role is for, and refuses to let anybody change something about an
// administrator who could not make one.
func (a *app) reach(ctx context.Context, caller httpapi.Caller, scope roles.Scope, person id.Person, change bool) error {
	if err := a.people.Reaches(ctx, scope, person); err != nil {
		return err
	}
	if !change || caller.Person == person || caller.Grants.Holds(roles.AdminsWrite) {
		return nil
	}
	held, err := a.door.RolesOf(ctx, person)
	if err == nil && len(held) > 0 {
		err = httpapi.NewProblem(http.StatusForbidden, "administrator", "this person is an administrator: only who makes administrators may do that")
	}
	return err
}

func (a *app) unitName(ctx context.Context, unit id.Unit) (string, error) {
	name, err := a.people.UnitName(ctx, unit)
	if errors.Is(err, directory.ErrNotFound) {
		err = session.ErrNoUnit
	}
	return name, err
}
