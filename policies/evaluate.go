package policies

import (
	"fmt"
	"strings"
)

// Subject is the facts about one person that rules may use.
type Subject struct {
	ID, DisplayName, UserName, Email, Title, Department, Division, Organization, Company string
	EmployeeNumber, EmployeeType, CostCenter, Locale, TimeZone, Manager                  string
	Groups                                                                               []string // "<source>/<group>"
	Labels                                                                               map[string]string
	UnitKey, UnitName                                                                    string
	UnitPath                                                                             []string // keys and names from the person's unit up to the root
}

// Wanted is one reason by which a person belongs into a group: the rule that says so.
type Wanted struct {
	Group string // key
	Role  Role
	Rule  string // key, unique within the group
}

// Evaluate answers every reason the policy gives s, in the order of the policy. A rule that asks for a label
// the person does not have gives nothing. A rule that costs too much or meets a value of the wrong kind is an
// error that names it; then nothing may be concluded about s.
func (p *Policy) Evaluate(s Subject) ([]Wanted, error) {
	facts := map[string]any{
		"person": &person{ID: s.ID, DisplayName: s.DisplayName, UserName: s.UserName, Email: s.Email, Title: s.Title, Department: s.Department,
			Division: s.Division, Organization: s.Organization, Company: s.Company, EmployeeNumber: s.EmployeeNumber, EmployeeType: s.EmployeeType,
			CostCenter: s.CostCenter, Locale: s.Locale, TimeZone: s.TimeZone, Manager: s.Manager, Groups: s.Groups, Labels: s.Labels},
		"unit": &unit{Key: s.UnitKey, Name: s.UnitName, Path: s.UnitPath},
	}
	var out []Wanted
	for i := range p.Groups {
		g := &p.Groups[i]
		for j := range g.Rules {
			rule := &g.Rules[j]
			value, _, err := rule.program.Eval(facts)
			if err != nil {
				if strings.Contains(err.Error(), "no such key") {
					continue
				}
				if strings.Contains(err.Error(), "cost limit exceeded") {
					err = ErrCost
				}
				return nil, fmt.Errorf("rule %s/%s: %w", g.Key, rule.Key, err)
			}
			if value.Value() == true {
				out = append(out, Wanted{Group: g.Key, Role: rule.Role, Rule: rule.Key})
			}
		}
	}
	return out, nil
}
