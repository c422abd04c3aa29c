package directory

import (
	"encoding/json"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Field is one difference: what it is called and what it was and became.
type Field struct {
	Name        string
	Before, Now any
}

type attribute struct {
	name  string
	value any
}

// Diff answers what differs in the content of two records, in a fixed order. It does not look at ids, versions and the row's own instants.
func Diff(before, now Record) []Field { return diff(recordFields(before), recordFields(now)) }

// DiffPerson answers what differs between two states of a person, but for version, instants, groups and what depends on the clock.
func DiffPerson(before, now Person) []Field { return diff(personFields(before), personFields(now)) }

func diff(before, now []attribute) []Field {
	var out []Field
	for i, b := range before {
		if !same(b.value, now[i].value) {
			if out == nil {
				out = make([]Field, 0, len(before)-i)
			}
			out = append(out, Field{Name: b.name, Before: b.value, Now: now[i].value})
		}
	}
	return out
}

// same tells whether two values read alike. Most are texts: they are compared as they are.
func same(a, b any) bool {
	switch a := a.(type) {
	case nil:
		if b == nil {
			return true
		}
	case string:
		if b, ok := b.(string); ok {
			return a == b
		}
	case bool:
		if b, ok := b.(bool); ok {
			return a == b
		}
	case id.Unit, id.Person:
		return a == b
	}
	return text(a) == text(b)
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

func recordFields(r Record) []attribute {
	return []attribute{{"external_id", r.ExternalID}, {"user_name", r.UserName}, {"claims", r.Claims}, {"active", r.Active}, {"display_name", r.DisplayName},
		{"given_name", r.GivenName}, {"family_name", r.FamilyName}, {"title", r.Title}, {"department", r.Department}, {"division", r.Division},
		{"organization", r.Organization}, {"company", r.Company}, {"employee_number", r.EmployeeNumber}, {"employee_type", r.EmployeeType},
		{"cost_center", r.CostCenter}, {"locale", r.Locale}, {"time_zone", r.TimeZone}, {"emails", orNil(r.Emails)}, {"phones", orNil(r.Phones)},
		{"labels", labels(r.Labels)}, {"unit", r.UnitKey}, {"manager", r.ManagerKey}, {"start_at", moment(r.StartAt)}, {"end_at", moment(r.EndAt)},
		{"leave_from", moment(r.LeaveFrom)}, {"leave_until", moment(r.LeaveUntil)}, {"disclose_at", moment(r.DiscloseAt)}, {"planned", orNil(r.Planned)}, {"raw", raw(r.Raw)}}
}

func personFields(p Person) []attribute {
	return []attribute{{"display_name", p.DisplayName}, {"given_name", p.GivenName}, {"family_name", p.FamilyName}, {"user_name", p.UserName},
		{"email", p.Email}, {"title", p.Title}, {"department", p.Department}, {"employee_number", p.EmployeeNumber}, {"employee_type", p.EmployeeType},
		{"cost_center", p.CostCenter}, {"division", p.Division}, {"organization", p.Organization}, {"company", p.Company}, {"locale", p.Locale},
		{"time_zone", p.TimeZone}, {"labels", labels(p.Labels)}, {"unit", p.Unit}, {"manager", p.Manager}, {"absent", p.Absent}}
}

func orNil[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

func labels(m map[string]string) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}

func raw(r json.RawMessage) any {
	if len(r) == 0 {
		return nil
	}
	return r
}

func fieldNames(fields []Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// lasting tells whether a field's values may stand in the permanent half of the audit log: they are no personal data.
func lasting(field string) bool {
	switch field {
	case "active", "start_at", "end_at", "leave_from", "leave_until", "unit", "manager", "absent":
		return true
	}
	return false
}

// auditHalves splits differences: names and dates for ever, personal values erasable. Of the raw form it tells what the fields do not.
func auditHalves(fields []Field) (forever, personal map[string]any) {
	forever, personal = map[string]any{}, make(map[string]any, len(fields))
	names := fieldNames(fields)
	for _, f := range fields {
		switch {
		case f.Name == "raw":
			for _, r := range rawFields(f.Before, f.Now, fields) {
				names = append(names, r.Name)
				personal[r.Name] = []any{r.Before, r.Now}
			}
		case lasting(f.Name):
			forever[f.Name] = []any{f.Before, f.Now}
		default:
			personal[f.Name] = []any{f.Before, f.Now}
		}
	}
	forever["fields"] = names
	return forever, personal
}
