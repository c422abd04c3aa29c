package provisioning

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/policies"
)

// rule finds a rule by its reference in the policy in force.
func (c *catalog) rule(ref string) (policies.Rule, bool) {
	if c.policy == nil {
		return policies.Rule{}, false
	}
	group, key, _ := strings.Cut(ref, "/")
	for _, g := range c.policy.Groups {
		for _, rule := range g.Rules {
			if g.Key == group && rule.Key == key {
				return rule, true
			}
		}
	}
	return policies.Rule{}, false
}

// factWord finds the words of the vocabulary in a rule, and the texts in quotes, so that those can be passed over.
const factWord = `"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\b(?:person\.labels|person\.[a-z_]+|unit\.[a-z]+|within|reports_to)\b`

// facts answers what the person is by every word of the vocabulary that a rule uses, each once.
func (x *explainer) facts(when string) []Line {
	s := x.catalog.subject(x.fact, x.above, x.now)
	var out []Line
	seen := map[string]bool{}
	for _, word := range regexp.MustCompile(factWord).FindAllString(when, -1) {
		if strings.HasPrefix(word, `"`) || strings.HasPrefix(word, "'") {
			continue // a text of the rule, not a word of the language
		}
		switch word {
		case "within":
			word = "unit.path"
		case "reports_to":
			word = "person.managers"
		}
		if seen[word] {
			continue
		}
		seen[word] = true
		if value, ok := vocabulary(s)[word]; ok {
			out = append(out, Line{Kind: "fact", Ref: word, Text: factText(word, value)})
		}
		if word == "unit.path" {
			out = append(out, x.successions(when)...)
		}
	}
	return out
}

// successions answers by which the person is in a unit that a rule calls by what it was: since when, and who declared it.
func (x *explainer) successions(when string) []Line {
	var out []Line
	type unitKey struct{ source, key string }
	seen := map[unitKey]bool{}
	said := func(word string) bool { return word != "" && strings.Contains(when, strconv.Quote(word)) }
	for _, path := range append([][]directory.UnitKey{x.fact.UnitPath}, x.fact.UnitPaths...) {
		for _, unit := range path {
			for _, was := range unit.Was {
				at := unitKey{string(was.Source), was.Key}
				named := said(was.Key) || said(was.Name) || slices.ContainsFunc(slices.Collect(maps.Values(was.Names)), said)
				if named && !seen[at] {
					seen[at] = true
					out = append(out, x.became(was)...)
				}
			}
		}
	}
	return out
}

// became says what became of a unit.
func (x *explainer) became(was directory.UnitKey) []Line {
	list, err := x.sources.Successions(x.ctx, was.Source)
	if err != nil {
		return nil // the rest of the explanation stands without it
	}
	var out []Line
	for _, s := range list {
		if s.Old == was.Key && !s.At.After(x.now) {
			out = append(out, Line{Kind: "succession", Ref: string(s.ID), Since: s.At, By: s.Actor, Text: becameText(s, x.actorName(s.Actor))})
		}
	}
	return out
}

// momentWord is an instant as a fact; empty where nobody said one.
func momentWord(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return momentText(t)
}

// vocabulary answers the facts of a subject by the names that rules use.
func vocabulary(s policies.Subject) map[string]string {
	labels := make([]string, 0, len(s.Labels))
	for k, v := range s.Labels {
		labels = append(labels, k+"="+v)
	}
	slices.Sort(labels)
	return map[string]string{
		"person.managers": strings.Join(s.Managers, ", "), "person.start": momentWord(s.Start), "person.end": momentWord(s.End),
		"person.id": s.ID, "person.display_name": s.DisplayName, "person.user_name": s.UserName, "person.email": s.Email, "person.title": s.Title,
		"person.department": s.Department, "person.division": s.Division, "person.organization": s.Organization, "person.company": s.Company,
		"person.employee_number": s.EmployeeNumber, "person.employee_type": s.EmployeeType, "person.cost_center": s.CostCenter, "person.locale": s.Locale,
		"person.time_zone": s.TimeZone, "person.manager": s.Manager, "person.groups": strings.Join(s.Groups, ", "), "person.labels": strings.Join(labels, ", "),
		"unit.key": s.UnitKey, "unit.name": s.UnitName, "unit.path": strings.Join(s.UnitPath, " / "),
	}
}
