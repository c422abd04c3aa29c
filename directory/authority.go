package directory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// AuthorityEmployment is the authority over who works here: enabled or not, start, end and leave. It decides a person's status.
const AuthorityEmployment = "employment"

// authorityGroup is a name for some attributes in a source's authority.
type authorityGroup struct {
	name       string
	attributes []string
}

// authorityGroups are the names, in the order in which people read them.
func authorityGroups() []authorityGroup {
	return []authorityGroup{{AuthorityEmployment, nil}, {"org", []string{"unit", "department", "division", "organization", "company", "cost_center"}},
		{"job", []string{"title", "employee_number", "employee_type"}}, {"manager", nil}, {"name", []string{"display_name", "given_name", "family_name"}},
		{"login", []string{"user_name"}}, {"contact", []string{"email", "phones"}}, {"region", []string{"locale", "time_zone"}}, {"labels", nil}}
}

// AuthorityGroups answers every name of a group of attributes: together they are the authority over everything.
func AuthorityGroups() []string {
	groups := authorityGroups()
	out := make([]string, len(groups))
	for i, g := range groups {
		out[i] = g.name
	}
	return out
}

// CheckAuthority tells whether every name is a group of attributes, an attribute of a person or "label.<name>"; ErrInvalid.
func CheckAuthority(authority []string) error {
	for _, name := range authority {
		known := strings.HasPrefix(name, labelPrefix) && name != labelPrefix
		for _, g := range authorityGroups() {
			known = known || g.name == name || slices.Contains(g.attributes, name)
		}
		if !known {
			return fmt.Errorf("%w: no authority %q: it is one of %s, an attribute of a person, or %s<name>", ErrInvalid, name, strings.Join(AuthorityGroups(), ", "), labelPrefix)
		}
	}
	return nil
}

// Decides tells whether the source has authority over an attribute, as DiffPerson calls it; over "employment"; or over "label.<name>".
func (s Source) Decides(attribute string) bool {
	if s.Authority == nil {
		return true
	}
	for _, name := range s.Authority {
		if name == attribute || name == "labels" && strings.HasPrefix(attribute, labelPrefix) {
			return true
		}
		for _, g := range authorityGroups() {
			if g.name == name && slices.Contains(g.attributes, attribute) {
				return true
			}
		}
	}
	return false
}

// Advisory tells that the source neither enables nor freezes anybody whom a source with authority over employment knows.
func (s Source) Advisory() bool { return !s.Decides(AuthorityEmployment) }

// Advising is the authority over everything but employment.
func Advising() []string { return AuthorityGroups()[1:] }

// employed answers the records, tombstones too, whose word about the employment of a person counts: those of sources with
// authority over it, and the others only where no such source ever knew the person.
func employed(records []Record, sources map[id.Source]Source) []Record {
	advises := func(r Record) bool { return sources[r.Source].Advisory() }
	if !slices.ContainsFunc(records, advises) {
		return records
	}
	out := slices.DeleteFunc(slices.Clone(records), advises)
	if len(out) == 0 {
		return records
	}
	return out
}

// voices are the records of a person that assert attributes, as ranked orders them.
type voices struct {
	order   []Record
	sources map[id.Source]Source
}

// hear answers the voices of records in this order, with what each says at an instant.
func hear(order []Record, sources map[id.Source]Source, at time.Time) voices {
	v := voices{make([]Record, len(order)), sources}
	for i, r := range order {
		v.order[i] = r.EffectiveAt(at)
	}
	return v
}

// of answers the record whose word about an attribute counts: the first that says something, those of sources with authority
// over the attribute before all others. A source that says nothing takes nothing away: the next one speaks. nil: nobody does.
func (v voices) of(attribute string, says func(*Record) bool) *Record {
	var weaker *Record
	for i := range v.order {
		r := &v.order[i]
		if !says(r) {
			continue
		}
		if v.sources[r.Source].Decides(attribute) {
			return r
		}
		if weaker == nil {
			weaker = r
		}
	}
	return weaker
}

// textAttribute is an attribute of a person that is a text.
type textAttribute struct {
	name string
	from func(*Record) string
	to   func(*Person) *string
}

func textAttributes() []textAttribute {
	return []textAttribute{
		{"display_name", func(r *Record) string { return r.DisplayName }, func(p *Person) *string { return &p.DisplayName }},
		{"given_name", func(r *Record) string { return r.GivenName }, func(p *Person) *string { return &p.GivenName }},
		{"family_name", func(r *Record) string { return r.FamilyName }, func(p *Person) *string { return &p.FamilyName }},
		{"user_name", func(r *Record) string { return r.UserName }, func(p *Person) *string { return &p.UserName }},
		{"email", func(r *Record) string { return mainEmail(r.Emails) }, func(p *Person) *string { return &p.Email }},
		{"title", func(r *Record) string { return r.Title }, func(p *Person) *string { return &p.Title }},
		{"department", func(r *Record) string { return r.Department }, func(p *Person) *string { return &p.Department }},
		{"employee_number", func(r *Record) string { return r.EmployeeNumber }, func(p *Person) *string { return &p.EmployeeNumber }},
		{"employee_type", func(r *Record) string { return r.EmployeeType }, func(p *Person) *string { return &p.EmployeeType }},
		{"cost_center", func(r *Record) string { return r.CostCenter }, func(p *Person) *string { return &p.CostCenter }},
		{"division", func(r *Record) string { return r.Division }, func(p *Person) *string { return &p.Division }},
		{"organization", func(r *Record) string { return r.Organization }, func(p *Person) *string { return &p.Organization }},
		{"company", func(r *Record) string { return r.Company }, func(p *Person) *string { return &p.Company }},
		{"locale", func(r *Record) string { return r.Locale }, func(p *Person) *string { return &p.Locale }},
		{"time_zone", func(r *Record) string { return r.TimeZone }, func(p *Person) *string { return &p.TimeZone }},
	}
}

// phones answers the record whose telephone numbers count; nil where nobody says one.
func (v voices) phones() *Record {
	return v.of("phones", func(r *Record) bool { return len(r.Phones) > 0 })
}

// phonesOf answers the telephone numbers of somebody of whom these are the records. Nothing is decided by them, so that no row of the person holds them.
func phonesOf(records []Record, sources map[id.Source]Source, now time.Time) []Phone {
	if r := hear(ranked(records, sources, now), sources, now).phones(); r != nil {
		return r.Phones
	}
	return []Phone{}
}

// others calls found for the unit, the manager and each label that somebody asserts, with the record whose word counts.
func (v voices) others(found func(attribute string, r *Record)) {
	if r := v.of("unit", func(r *Record) bool { return r.UnitKey != "" }); r != nil {
		found("unit", r)
	}
	if r := v.of("manager", func(r *Record) bool { return r.ManagerKey != "" }); r != nil {
		found("manager", r)
	}
	labels := map[string]bool{}
	for i := range v.order {
		for name := range v.order[i].Labels {
			labels[name] = true
		}
	}
	for name := range labels {
		found(labelPrefix+name, v.of(labelPrefix+name, func(r *Record) bool { _, ok := r.Labels[name]; return ok }))
	}
}

// origins answers, per attribute that somebody asserts, the record whose word counts; of the employment the record of the leading one.
func origins(records []Record, sources map[id.Source]Source, now time.Time) map[string]id.Link {
	v := hear(ranked(records, sources, now), sources, now)
	out := map[string]id.Link{}
	for _, a := range textAttributes() {
		if r := v.of(a.name, func(r *Record) bool { return a.from(r) != "" }); r != nil {
			out[a.name] = r.Link
		}
	}
	if r := v.phones(); r != nil {
		out["phones"] = r.Link
	}
	v.others(func(attribute string, r *Record) { out[attribute] = r.Link })
	if list := employments(records, sources); len(list) > 0 {
		out[AuthorityEmployment] = list[0].records[0].Link
	}
	return out
}
