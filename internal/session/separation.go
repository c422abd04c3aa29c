package session

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// CheckSeparation is ErrSeparation where the separation of powers cannot be in force: somebody holds two of the three roles, or nobody who
// can get in holds one.
func (d *Door) CheckSeparation(ctx context.Context) error {
	admins, err := d.Admins(ctx)
	if err != nil {
		return err
	}
	holder, filled := map[id.Person]roles.Role{}, map[roles.Role]bool{}
	for _, a := range admins {
		if !slices.Contains(roles.Separate(), a.Role) {
			continue
		}
		if other := holder[a.Person]; other != "" {
			return fmt.Errorf("%w: %s holds %s and %s", ErrSeparation, a.Person, other, a.Role)
		}
		holder[a.Person] = a.Role
		filled[a.Role] = filled[a.Role] || !d.Standing.Frozen(a.Person)
	}
	for _, role := range roles.Separate() {
		if !filled[role] {
			return fmt.Errorf("%w: nobody who can get in has the role %s; give it before (rollcall admin grant)", ErrSeparation, role)
		}
	}
	return nil
}

// separate is ErrSeparation where person may not have role beside what they have. The epoch's lock keeps two grants apart.
func (d *Door) separate(tx *db.Tx, person id.Person, role roles.Role) error {
	if !d.Separation {
		return nil
	}
	if role == roles.Owner {
		return fmt.Errorf("%w: there is no owner", ErrSeparation)
	}
	if !slices.Contains(roles.Separate(), role) {
		return nil
	}
	if _, err := d.lockEpoch(tx, person); err != nil {
		return err
	}
	var others []roles.Role
	if err := tx.Raw("select role from session_roles where person = ? and role in ? and role <> ?", person, roles.Separate(), role).Scan(&others).Error; err != nil {
		return err
	}
	if len(others) > 0 {
		return fmt.Errorf("%w: this person has the role %s", ErrSeparation, others[0])
	}
	return nil
}
