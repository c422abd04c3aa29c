package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// AdminBody is one role that somebody has.
type AdminBody struct {
	Person      id.Person  `json:"person"`
	DisplayName string     `json:"display_name"`
	Role        roles.Role `json:"role"`
	Unit        id.Unit    `json:"unit,omitempty" doc:"for which the role is, with all below it; absent: the whole organisation"`
	UnitName    string     `json:"unit_name,omitempty"`
	GrantedBy   string     `json:"granted_by"`
	GrantedAt   time.Time  `json:"granted_at"`
}

// ListAdmins lists who has which role.
func (a *API) ListAdmins(ctx context.Context, _ *struct{}) (*httpapi.Page[AdminBody], error) {
	admins, err := a.Door.Admins(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]AdminBody, len(admins))
	for i, v := range admins {
		items[i] = AdminBody{Person: v.Person, Role: v.Role, Unit: v.Unit, GrantedBy: v.GrantedBy, GrantedAt: v.GrantedAt.UTC()}
		profile, err := a.Profile(ctx, v.Person)
		if err != nil && !errors.Is(err, ErrNoPerson) {
			return nil, err
		}
		items[i].DisplayName = profile.DisplayName
		if v.Unit != "" && a.Unit != nil {
			if items[i].UnitName, err = a.Unit(ctx, v.Unit); err != nil && !errors.Is(err, ErrNoUnit) {
				return nil, err
			}
		}
	}
	return httpapi.NewPage(ctx, items, ""), nil
}

// GrantInput names a person and the role to give.
type GrantInput struct {
	ID   id.Person `path:"id"`
	Body *GrantBody
}

// GrantBody may be left out.
type GrantBody struct {
	Role roles.Role `json:"role,omitempty" enum:"owner,system,security,hr,helpdesk,auditor" doc:"owner where it is absent"`
	Unit id.Unit    `json:"unit,omitempty" doc:"hr and helpdesk: for this unit with all below it only"`
}

// GrantAdmin gives a person a role.
func (a *API) GrantAdmin(ctx context.Context, in *GrantInput) (*struct{}, error) {
	if _, err := a.Profile(ctx, in.ID); err != nil {
		return nil, err
	}
	grant := roles.Grant{Role: roles.Owner}
	if in.Body != nil {
		grant.Unit = in.Body.Unit
		if in.Body.Role != "" {
			grant.Role = in.Body.Role
		}
	}
	if err := a.unit(ctx, grant.Unit); err != nil {
		return nil, err
	}
	return nil, grantable(a.Door.GrantAdmin(ctx, httpapi.CallerFrom(ctx), in.ID, grant))
}

// unit is ErrNoUnit where unit is named and there is none.
func (a *API) unit(ctx context.Context, unit id.Unit) error {
	if unit == "" || a.Unit == nil {
		return nil
	}
	_, err := a.Unit(ctx, unit)
	return err
}

// RevokeInput names a person and the role to take.
type RevokeInput struct {
	ID   id.Person  `path:"id"`
	Role roles.Role `query:"role" enum:"owner,system,security,hr,helpdesk,auditor" doc:"absent: every role"`
	Unit id.Unit    `query:"unit" doc:"the unit it was given for"`
}

// RevokeAdmin takes a role from a person, or all; the last owner keeps it.
func (a *API) RevokeAdmin(ctx context.Context, in *RevokeInput) (*struct{}, error) {
	if in.Role == "" && in.Unit != "" {
		return nil, ErrRole
	}
	return nil, a.Door.RevokeAdmin(ctx, httpapi.CallerFrom(ctx), in.ID, roles.Grant{Role: in.Role, Unit: in.Unit})
}

// RoleLine is one role and what it holds.
type RoleLine struct {
	Role        roles.Role         `json:"role"`
	Limitable   bool               `json:"limitable" doc:"can be given for a unit"`
	Permissions []roles.Permission `json:"permissions" nullable:"false"`
	Dangerous   []roles.Permission `json:"dangerous" nullable:"false" doc:"those of them that want a second factor"`
}

// ListRoles answers the roles there are.
func (a *API) ListRoles(ctx context.Context, _ *struct{}) (*httpapi.Page[RoleLine], error) {
	var items []RoleLine
	for _, role := range roles.All() {
		line := RoleLine{Role: role, Limitable: role.Limitable(), Permissions: role.Permissions(), Dangerous: []roles.Permission{}}
		for _, l := range roles.Table() {
			if l.Dangerous && l.Held(role) {
				line.Dangerous = append(line.Dangerous, l.Permission)
			}
		}
		items = append(items, line)
	}
	return httpapi.NewPage(ctx, items, ""), nil
}

// grantable answers 409 where it is not the caller but the subject of the request that is frozen.
func grantable(err error) error {
	if errors.Is(err, ErrFrozen) {
		return httpapi.NewProblem(http.StatusConflict, "person_frozen", "this person has no access now")
	}
	return err
}
