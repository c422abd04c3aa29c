package session

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// Admin is one role that a person has.
type Admin struct {
	Person    id.Person
	Role      roles.Role
	Unit      id.Unit // empty: the whole organisation
	GrantedBy string
	GrantedAt time.Time
}

// Admins lists who has which role.
func (d *Door) Admins(ctx context.Context) ([]Admin, error) {
	var rows []roleRow
	err := d.DB.Read(ctx).Raw("select * from session_roles order by granted_at, person, role, unit limit 1000").Scan(&rows).Error
	out := make([]Admin, len(rows))
	for i, r := range rows {
		out[i] = Admin{Person: r.Person, Role: r.Role, Unit: r.Unit, GrantedBy: r.GrantedBy, GrantedAt: r.GrantedAt.Time}
	}
	return out, err
}

// RolesOf answers the roles of person that count.
func (d *Door) RolesOf(ctx context.Context, person id.Person) (roles.Grants, error) {
	var held roles.Grants
	err := d.DB.Read(ctx).Raw("select role, unit from session_roles where person = ? order by role, unit", person).Scan(&held).Error
	return d.inForce(held), err
}

// AdminsTx answers who can make administrators, as tx sees it: without them nobody can help anybody in.
func (d *Door) AdminsTx(tx *db.Tx) ([]id.Person, error) {
	var rows []roleRow
	if err := tx.Raw("select * from session_roles where unit = '' order by person").Scan(&rows).Error; err != nil {
		return nil, err
	}
	var out []id.Person
	for _, r := range rows {
		if d.inForce(roles.Grants{{Role: r.Role}}).Holds(roles.AdminsWrite) {
			out = append(out, r.Person)
		}
	}
	return slices.Compact(out), nil
}

// HoldsTx tells whether person holds a permission for the whole organisation, as tx sees it.
func (d *Door) HoldsTx(tx *db.Tx, person id.Person, permission roles.Permission) (bool, error) {
	var held roles.Grants
	if err := tx.Raw("select role, unit from session_roles where person = ? and unit = ''", person).Scan(&held).Error; err != nil {
		return false, err
	}
	return d.inForce(held).Holds(permission), nil
}

// HoldersTx answers who has a role that counts for the whole organisation, as tx sees it.
func (d *Door) HoldersTx(tx *db.Tx, role roles.Role) ([]id.Person, error) {
	if len(d.inForce(roles.Grants{{Role: role}})) == 0 {
		return nil, nil
	}
	var out []id.Person
	err := tx.Raw("select person from session_roles where unit = '' and role = ? order by person", role).Scan(&out).Error
	return out, err
}

// checkGrant is ErrRole where there is no such role, or it cannot be limited to a unit.
func checkGrant(role roles.Role, unit id.Unit) error {
	switch {
	case !role.Known():
		return fmt.Errorf("%w: there is no role %q", ErrRole, role)
	case unit != "" && !role.Limitable():
		return fmt.Errorf("%w: %s is for the whole organisation", ErrRole, role)
	}
	return nil
}

// mayGrant holds who asks against what they want to give or take.
func mayGrant(by httpapi.Caller, person id.Person, role roles.Role) error {
	if by.Behind() == person {
		return ErrOwnRole
	}
	if role == roles.Owner {
		return mayComeTo(by, roles.Everything())
	}
	return nil
}

// mayComeTo holds who asks against grants that they would come to: nobody comes to more than they have.
func mayComeTo(by httpapi.Caller, grants roles.Grants) error {
	for _, g := range grants {
		if !by.Grants.Covers(g) {
			return ErrStronger
		}
	}
	return nil
}

// GrantAdmin gives person a role; a person who has it keeps it as it is. Nobody gives one to themselves, and only an owner makes an owner.
func (d *Door) GrantAdmin(ctx context.Context, by httpapi.Caller, person id.Person, grant roles.Grant) error {
	if err := checkGrant(grant.Role, grant.Unit); err != nil {
		return err
	}
	if err := mayGrant(by, person, grant.Role); err != nil {
		return err
	}
	if d.Standing.Frozen(person) {
		return ErrFrozen
	}
	return d.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := d.separate(tx, person, grant.Role); err != nil {
			return err
		}
		done := tx.Exec("insert into session_roles (person, role, unit, granted_by, granted_at) values (?, ?, ?, ?, ?) on conflict (person, role, unit) do nothing",
			person, grant.Role, grant.Unit, by.Actor(), db.At(d.Now()))
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error
		}
		return d.auditRole(tx, by, "admin.granted", person, grant)
	})
}

func (d *Door) auditRole(tx *db.Tx, by httpapi.Caller, action string, person id.Person, grants ...roles.Grant) error {
	var records []audit.Record
	for _, g := range grants {
		records = append(records, audit.Record{At: d.Now(), Actor: by.Actor(), Action: action, Subject: string(person),
			RequestID: string(httpapi.RequestFrom(tx.Statement.Context)), Public: map[string]any{"role": g.Role, "unit": g.Unit}})
	}
	return audit.Append(tx, records...)
}

// RevokeAdmin takes a role of person away, of the zero grant every one, and ends the administrators' tokens that lived by it. The last
// owner stays: ErrLastAdmin. ErrNotFound where person has no such role.
func (d *Door) RevokeAdmin(ctx context.Context, by httpapi.Caller, person id.Person, grant roles.Grant) error {
	return d.DB.Tx(ctx, func(tx *db.Tx) error {
		var rows []roleRow // locked at once, so that two who go cannot both be the last but one
		if err := tx.Raw("update session_roles set granted_at = granted_at returning *").Scan(&rows).Error; err != nil {
			return err
		}
		var gone, stay roles.Grants
		var others []roleRow
		for _, r := range rows {
			own := roles.Grant{Role: r.Role, Unit: r.Unit}
			switch {
			case r.Person != person:
				others = append(others, r)
			case grant == roles.Grant{} || grant == own:
				gone = append(gone, own)
			default:
				stay = append(stay, own)
			}
		}
		if len(gone) == 0 {
			return ErrNotFound
		}
		for _, g := range gone {
			if err := mayRevoke(by, g.Role, d.Separation); err != nil {
				return err
			}
			if d.needed(g.Role) && !slices.ContainsFunc(others, func(r roleRow) bool { return r.Role == g.Role && r.Unit == "" && !d.Standing.Frozen(r.Person) }) {
				return ErrLastAdmin
			}
			if err := tx.Exec("delete from session_roles where person = ? and role = ? and unit = ?", person, g.Role, g.Unit).Error; err != nil {
				return err
			}
		}
		if err := d.endUncovered(tx, person, stay); err != nil {
			return err
		}
		return d.auditRole(tx, by, "admin.revoked", person, gone...)
	})
}

// mayRevoke holds who asks against what they want to take: one may go by oneself.
func mayRevoke(by httpapi.Caller, role roles.Role, separation bool) error {
	if role == roles.Owner && !separation { // under the separation of powers it is a word without effect, and may go
		return mayComeTo(by, roles.Everything())
	}
	return nil
}

// needed tells whether somebody must have role.
func (d *Door) needed(role roles.Role) bool {
	if d.Separation {
		return slices.Contains(roles.Separate(), role)
	}
	return role == roles.Owner
}

// endUncovered ends the tokens for which person answers and whose role nothing that stays covers.
func (d *Door) endUncovered(tx *db.Tx, person id.Person, stay roles.Grants) error {
	var rows []tokenRow
	if err := tx.Raw("select * from session_tokens where ended_at is null and role <> '' and (person = ? or person = '' and created_by = ?)", person, person).Scan(&rows).Error; err != nil {
		return err
	}
	var ids []id.Token
	for _, t := range rows {
		if !stay.Covers(roles.Grant{Role: t.Role, Unit: t.Unit}) {
			ids = append(ids, t.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	ended, err := d.endTokens(tx, "role revoked", "id in ?", ids)
	if err != nil {
		return err
	}
	return d.spread(tx, idsOf(nil, ended))
}
