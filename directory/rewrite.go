package directory

import (
	"database/sql/driver"
	"maps"
	"slices"

	"github.com/rollcall-im/rollcall/internal/id"
)

// recordChange is a record before and after.
type recordChange struct{ before, after recordRow }

// values answers the columns that differ: an index whose columns stay is not written. Of a renamed record the unique names were let go
// before, and are written in any case.
func (c recordChange) values(renamed bool) (columns []string, args []any) {
	before, after := recordValues(c.before), recordValues(c.after)
	for _, column := range slices.Sorted(maps.Keys(after)) {
		if !sameValue(before[column], after[column]) || renamed && (column == "user_name_key" || column == "external_key") {
			columns, args = append(columns, column), append(args, after[column])
		}
	}
	return columns, args
}

// sameValue tells whether two values of a column are stored alike.
func sameValue(a, b any) bool {
	switch a := a.(type) {
	case *string:
		b := b.(*string)
		return a == b || a != nil && b != nil && *a == *b
	case *id.Person:
		b := b.(*id.Person)
		return a == b || a != nil && b != nil && *a == *b
	case driver.Valuer:
		before, err := a.Value()
		after, other := b.(driver.Valuer).Value()
		return err == nil && other == nil && before == after
	}
	return a == b
}

// recordValues are the columns of a record that a change may write.
func recordValues(r recordRow) map[string]any {
	return map[string]any{"person_id": r.PersonID, "external_id": r.ExternalID, "external_key": r.ExternalKey, "user_name": r.UserName,
		"user_name_fold": r.UserNameFold, "user_name_key": r.UserNameKey, "active": r.Active, "display_name": r.DisplayName,
		"display_name_fold": r.DisplayNameFold, "given_name": r.GivenName, "family_name": r.FamilyName, "title": r.Title,
		"department": r.Department, "division": r.Division, "organization": r.Organization, "company": r.Company,
		"employee_number": r.EmployeeNumber, "employee_type": r.EmployeeType, "cost_center": r.CostCenter, "locale": r.Locale,
		"time_zone": r.TimeZone, "emails": r.Emails, "phones": r.Phones, "labels": r.Labels, "unit_key": r.UnitKey, "manager_key": r.ManagerKey,
		"start_at": r.StartAt, "end_at": r.EndAt, "leave_from": r.LeaveFrom, "leave_until": r.LeaveUntil, "raw": r.Raw, "hash": r.Hash,
		"version": r.Version, "updated_at": r.UpdatedAt, "absent_since": r.AbsentSince, "deleted_at": r.DeletedAt,
		"set_aside_until": r.SetAsideUntil, "said_at": r.SaidAt, "disclose_at": r.DiscloseAt, "main_email": r.MainEmail, "planned": r.Planned, "claims": r.Claims}
}
