package httpapi

import (
	"context"
	"net/http"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// ScopeFrom answers how far the caller of ctx may go by the permission that their route needs: everything outside of requests.
func ScopeFrom(ctx context.Context) roles.Scope {
	scope, ok := ctx.Value(scopeKey).(roles.Scope)
	if !ok {
		return roles.Scope{All: true}
	}
	return scope
}

// entitle answers how far caller may go on route, or a Problem.
func (s *Server) entitle(r *http.Request, route Route, caller Caller) (roles.Scope, error) {
	line, ok := route.Who.permission()
	if !ok {
		if route.Who.allows(caller) {
			return roles.Scope{}, nil
		}
		if !caller.Known() {
			return roles.Scope{}, errNobody()
		}
		return roles.Scope{}, NewProblem(http.StatusForbidden, "person_required", "this address is for people; the token belongs to no person")
	}
	scope, err := s.scope(r.Context(), route, caller, line)
	if err != nil || !scope.All && len(scope.Units) == 0 { // as the owner of a group: no administrator
		return scope, err
	}
	if err := s.mayAct(r, caller, line); err != nil {
		return roles.Scope{}, err
	}
	if route.person && s.Reach != nil {
		change := r.Method != http.MethodGet && r.Method != http.MethodHead
		if err := s.Reach(r.Context(), caller, scope, id.Person(r.PathValue("id")), change); err != nil {
			return scope, err
		}
	}
	if s.Look != nil {
		return scope, s.Look(r, route, caller)
	}
	return scope, nil
}

// scope answers what of the caller's permission the route can look after.
func (s *Server) scope(ctx context.Context, route Route, caller Caller, line roles.Line) (roles.Scope, error) {
	if !caller.Known() {
		return roles.Scope{}, errNobody()
	}
	scope := caller.Grants.Scope(line.Permission)
	if route.Who == Admins {
		scope = roles.Scope{All: caller.Grants.Covers(roles.Grant{Role: roles.Owner})}
	}
	if scope.All {
		return scope, nil
	}
	partly := len(scope.Units) > 0
	if !route.units || route.person && s.Reach == nil {
		scope.Units = nil
	}
	if route.groups && line.Held(roles.GroupOwner) && caller.Person != "" && s.Owned != nil {
		owned, err := s.Owned(ctx, caller.Person)
		if err != nil {
			return roles.Scope{}, err
		}
		scope.Groups = owned
	}
	switch {
	case !scope.Empty():
		return scope, nil
	case partly:
		return scope, NewProblem(http.StatusForbidden, "whole_required", "this address wants "+string(line.Permission)+" for the whole organisation; you have it for a part")
	case !caller.Admin():
		return scope, NewProblem(http.StatusForbidden, "admin_required", "this address is for administrators")
	}
	return scope, NewProblem(http.StatusForbidden, "permission_required", "none of your roles has the permission "+string(route.Who))
}

// mayAct holds what administrators do against where they are and what they proved.
func (s *Server) mayAct(r *http.Request, caller Caller, line roles.Line) error {
	if s.Place != nil && !s.Place(r) {
		return NewProblem(http.StatusForbidden, "address_refused", "administrators do not work from this address")
	}
	if !line.Dangerous || caller.Stepped {
		return nil
	}
	if caller.Token != "" {
		return NewProblem(http.StatusForbidden, "token_not_dangerous", "this token was made without the right to dangerous acts")
	}
	return NewProblem(http.StatusForbidden, "step_up_required", "prove your second factor first; it holds for ten minutes")
}

// Require tells by a Problem whether the caller of the request of ctx may do, for the whole organisation, what p is for: for handlers of routes
// that are open to others too.
func Require(ctx context.Context, p roles.Permission) error {
	line, ok := roles.Find(p)
	s, found := ctx.Value(errorsKey).(*Server)
	r, came := ctx.Value(cameKey).(*http.Request)
	if !ok || !found || !came {
		return NewProblem(http.StatusForbidden, "permission_required", "nobody has the permission "+string(p))
	}
	caller := CallerFrom(ctx)
	if _, err := s.scope(ctx, Route{Who: Who(p)}, caller, line); err != nil {
		return err
	}
	return s.mayAct(r, caller, line)
}

func errNobody() *Problem {
	return NewProblem(http.StatusUnauthorized, "unauthenticated", "sign in, or send an API token as Authorization: Bearer")
}
