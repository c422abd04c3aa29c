package hrfeed

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

// attribute answers where a record keeps a field of one text; nil for others.
func attribute(r *directory.Record, field string) *string {
	switch field {
	case fNumber:
		return &r.EmployeeNumber
	case fExternal:
		return &r.ExternalID
	case fUserName:
		return &r.UserName
	case fDisplay:
		return &r.DisplayName
	case fGiven:
		return &r.GivenName
	case fFamily:
		return &r.FamilyName
	case fZone:
		return &r.TimeZone
	case fLocale:
		return &r.Locale
	}
	return planned(r, field)
}

// planned answers where a record keeps a field that may be planned.
func planned(r *directory.Record, field string) *string {
	switch field {
	case fTitle:
		return &r.Title
	case fDepartment:
		return &r.Department
	case fDivision:
		return &r.Division
	case fOrganization:
		return &r.Organization
	case fCompany:
		return &r.Company
	case fCostCenter:
		return &r.CostCenter
	case fType:
		return &r.EmployeeType
	case fUnit:
		return &r.UnitKey
	case fManager:
		return &r.ManagerKey
	}
	return nil
}

// value answers what a record has of a field.
func value(r directory.Record, field string) string {
	if label, ok := strings.CutPrefix(field, labelPrefix); ok {
		return r.Labels[label]
	}
	switch at := attribute(&r, field); {
	case at != nil:
		return *at
	case field == fEmail && len(r.Emails) > 0:
		return r.Emails[0].Value
	case phoneType(field) != "":
		if i := slices.IndexFunc(r.Phones, func(p directory.Phone) bool { return p.Type == phoneType(field) }); i >= 0 {
			return r.Phones[i].Value
		}
	}
	return ""
}

// put gives a record a field.
func put(r *directory.Record, field, value string) {
	if label, ok := strings.CutPrefix(field, labelPrefix); ok {
		r.Labels = maps.Clone(r.Labels)
		if r.Labels == nil {
			r.Labels = map[string]string{}
		}
		if r.Labels[label] = value; value == "" {
			delete(r.Labels, label)
		}
		if len(r.Labels) == 0 {
			r.Labels = nil
		}
		return
	}
	switch at := attribute(r, field); {
	case at != nil:
		*at = value
	case field == fEmail:
		r.Emails = nil
		if value != "" {
			r.Emails = []directory.Email{{Value: value, Type: "work", Primary: true}}
		}
	case phoneType(field) != "":
		r.Phones = slices.DeleteFunc(slices.Clone(r.Phones), func(p directory.Phone) bool { return p.Type == phoneType(field) || p.Value == value })
		if value != "" {
			r.Phones = append(r.Phones, directory.Phone{Value: value, Type: phoneType(field)})
		}
		slices.SortFunc(r.Phones, func(a, b directory.Phone) int { return strings.Compare(b.Type, a.Type) }) // the same whatever the order of the columns
		for i := range r.Phones {
			r.Phones[i].Primary = i == 0
		}
		if len(r.Phones) == 0 {
			r.Phones = nil
		}
	}
}

// phoneType answers which number of a record a field is; empty for others.
func phoneType(field string) string {
	return map[string]string{fPhone: "work", fMobile: "mobile"}[field]
}

// texts answers the attributes that a row gives somebody: the unit by its path too, and nobody as their own manager.
func (e *editor) texts(p *person, in intent) []assign {
	var out []assign
	unitSaid := false
	for _, a := range in.texts {
		switch {
		case a.field == fUnitName:
			continue
		case a.field == fUnit:
			unitSaid = a.value != ""
			if !unitSaid && in.pathSaid {
				continue
			}
		case a.field == fManager && a.value == p.key:
			e.note(in, "own_manager", "nobody is their own manager; the manager was left as it was")
			continue
		case a.field == e.m.key():
			continue
		}
		out = append(out, a)
	}
	if in.pathSaid && !unitSaid {
		out = append(out, assign{fUnit, pathKey(in.path)})
	}
	return append(out, assign{e.m.key(), p.key})
}

// pathKey is the key of a unit that a file names by its path only.
func pathKey(path []string) string { return strings.Join(path, "/") }

// set gives somebody what a row says, from now on.
func (e *editor) set(p *person, in intent) {
	for _, a := range e.texts(p, in) {
		put(&p.rec, a.field, a.value)
	}
}

// plan notes what a row says for an instant to come. Only what differs from how somebody will be until then is planned, so that
// the same row again plans the same.
func (e *editor) plan(p *person, in intent, at time.Time) *problem {
	before := p.rec.EffectiveAt(at.Add(-time.Microsecond))
	set := map[string]string{}
	i := slices.IndexFunc(p.rec.Planned, func(s directory.Planned) bool { return s.At.Equal(at) })
	if i >= 0 {
		maps.Copy(set, p.rec.Planned[i].Set)
	}
	for _, a := range e.texts(p, in) {
		_, label := strings.CutPrefix(a.field, labelPrefix)
		if !label && planned(&directory.Record{}, a.field) == nil {
			if a.value != value(p.rec, a.field) {
				e.note(in, "not_planned", "%s cannot be planned for a day to come; it was left as it is", a.field)
			}
			continue
		}
		if delete(set, a.field); a.value != value(before, a.field) {
			set[a.field] = a.value
		}
	}
	steps := slices.Clone(p.rec.Planned)
	if i >= 0 {
		steps = slices.Delete(steps, i, i+1)
	}
	if len(set) > 0 {
		step := directory.Planned{At: at, Set: set, DiscloseAt: in.disclose.begin(e.zoneOf(p.rec, in))}
		if !in.disclose.said && i >= 0 {
			step.DiscloseAt = p.rec.Planned[i].DiscloseAt
		}
		steps = append(steps, step)
		slices.SortFunc(steps, func(a, b directory.Planned) int { return a.At.Compare(b.At) })
	}
	if p.rec.Planned = steps; len(steps) == 0 {
		p.rec.Planned = nil
	}
	return nil
}
