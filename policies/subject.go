package policies

import (
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types/ref"
)

// Subject is the facts about one person that rules may use, and the present.
type Subject struct {
	ID, DisplayName, UserName, Email, Title, Department, Division, Organization, Company string
	EmployeeNumber, EmployeeType, CostCenter, Locale, TimeZone, Manager                  string
	Managers                                                                             []string // id, user name and employee number of each manager up to the top
	Groups                                                                               []string // "<source>/<group>"
	Labels                                                                               map[string]string
	UnitKey, UnitName                                                                    string
	UnitPath                                                                             []string // keys and names from the person's unit up to the root
	Affiliations                                                                         []Affiliation
	Start, End                                                                           time.Time      // of the employment; zero: nobody said
	Zone                                                                                 *time.Location // where the person is; nil: UTC
	Now                                                                                  time.Time
	Guest                                                                                bool // let in from outside: neither rules nor own joining give anything
}

// Affiliation is one employment or contract of a subject.
type Affiliation struct {
	Unit                      string   // key
	UnitPath                  []string // keys and names up to the root
	Department, Company, Type string
	From, Until               time.Time // zero: nobody said
}

// said answers t, or the first instant of year where nobody said one.
func said(t time.Time, year int) time.Time {
	if t.IsZero() {
		return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t
}

// facts is what one evaluation sees. It satisfies cel.Activation and serves many conditions, one after the other.
type facts struct {
	person, unit ref.Val
	clock        *clock
	bound        map[string]any
}

// ResolveName answers the value of a variable.
func (f *facts) ResolveName(name string) (any, bool) {
	switch name {
	case "person":
		return f.person, true
	case "unit":
		return f.unit, true
	case clockName:
		return f.clock, true
	}
	v, ok := f.bound[name]
	return v, ok
}

// Parent implements cel.Activation.
func (f *facts) Parent() cel.Activation { return nil }

func (l *language) facts(s *Subject) *facts {
	p := &person{ID: s.ID, DisplayName: s.DisplayName, UserName: s.UserName, Email: s.Email, Title: s.Title, Department: s.Department,
		Division: s.Division, Organization: s.Organization, Company: s.Company, EmployeeNumber: s.EmployeeNumber, EmployeeType: s.EmployeeType,
		CostCenter: s.CostCenter, Locale: s.Locale, TimeZone: s.TimeZone, Manager: s.Manager, Managers: s.Managers, Groups: s.Groups, Labels: s.Labels,
		Start: said(s.Start, noStart), End: said(s.End, noEnd)}
	for _, a := range s.Affiliations {
		p.Affiliations = append(p.Affiliations, affiliation{Unit: a.Unit, Path: a.UnitPath, Department: a.Department, Company: a.Company, Type: a.Type,
			From: said(a.From, noStart), Until: said(a.Until, noEnd)})
	}
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	adapter := l.env.CELTypeAdapter()
	return &facts{person: adapter.NativeToValue(p), unit: adapter.NativeToValue(&unit{Key: s.UnitKey, Name: s.UnitName, Path: s.UnitPath}),
		clock: &clock{now: s.Now, zone: zone}}
}

// view is one subject before conditions, one after the other. What only CEL can tell needs facts, which are made when the first asks.
type view struct {
	language *language
	subject  *Subject
	plainly  bool // plain conditions without CEL
	facts    *facts
}

// holds tells whether a condition is true. One that asks for a label the person does not have is not.
func (v *view) holds(c condition) (bool, error) {
	if c.program == nil {
		return false, nil
	}
	if v.plainly && c.program.plain != nil {
		return c.program.plain(v.subject, c.bound) == yes, nil
	}
	if v.facts == nil {
		v.facts = v.language.facts(v.subject)
	}
	v.facts.bound = c.bound
	value, _, err := c.program.eval.Eval(v.facts)
	if err != nil {
		if strings.Contains(err.Error(), "no such key") {
			return false, nil
		}
		if strings.Contains(err.Error(), "cost limit exceeded") {
			err = ErrCost
		}
		return false, err
	}
	return value.Value() == true, nil
}

// next is the first instant of which a condition so far had to say that it has not come; zero: none. A plain one asks for no instant.
func (v *view) next() time.Time {
	if v.facts == nil {
		return time.Time{}
	}
	return v.facts.clock.next
}

// single tells whether an attribute is one text, which values answers.
func single(name string) bool {
	_, is := (&Subject{}).text(name)
	return is || strings.HasPrefix(name, "labels.")
}

// values answers what of an attribute an anchor can meet.
func (s *Subject) values(name string) []string {
	if label, ok := strings.CutPrefix(name, "labels."); ok {
		if v, has := s.Labels[label]; has {
			return []string{v}
		}
		return nil
	}
	switch name {
	case "unit.path":
		return s.UnitPath
	case "groups":
		return s.Groups
	case "managers":
		return s.Managers
	}
	text, _ := s.text(name)
	return []string{text}
}

// text answers an attribute that is one text; is tells whether it is one.
func (s *Subject) text(name string) (text string, is bool) {
	switch name {
	case "id":
		return s.ID, true
	case "display_name":
		return s.DisplayName, true
	case "user_name":
		return s.UserName, true
	case "email":
		return s.Email, true
	case "title":
		return s.Title, true
	case "department":
		return s.Department, true
	case "division":
		return s.Division, true
	case "organization":
		return s.Organization, true
	case "company":
		return s.Company, true
	case "employee_number":
		return s.EmployeeNumber, true
	case "employee_type":
		return s.EmployeeType, true
	case "cost_center":
		return s.CostCenter, true
	case "locale":
		return s.Locale, true
	case "time_zone":
		return s.TimeZone, true
	case "manager":
		return s.Manager, true
	case "unit.key":
		return s.UnitKey, true
	case "unit.name":
		return s.UnitName, true
	}
	return "", false
}
