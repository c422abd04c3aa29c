package policies

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const projects = `apiVersion: rollcall/v1
templates:
  - key: project
    parameters:
      - key: unit
        description: {en: the unit that works on it, zh: 负责的部门}
      - {key: leads, type: list, default: []}
      - {key: days, default: "14"}
    description: {en: "Everything about ${name}", zh: "关于${name}的一切"}
    channels:
      - key: general
        name: {en: "${name}", zh: "${name}"}
      - key: ops
        name: {en: "${name} operations", zh: "${name}运维"}
        labels: [restricted]
        handover: {days: "${days}", role: collaborator}
    rules:
      - {key: team, role: participant, when: "within(${unit})"}
      - key: leads
        role: owner
        when: |
          person.employee_number in ${leads}
            || ("project/" + ${key}) in person.groups
    eligibility:
      ask: person.employee_type == "employee"
      role: collaborator
    successors: [manager, {member: participant}, {person: "1001"}]
groups:
  - key: apollo
    name: {en: Apollo, zh: 阿波罗}
    template: project
    with: {unit: rnd "x", leads: ["1001", "1002"]}
    rules:
      - {key: site, role: collaborator, when: 'person.labels.site == "shanghai"'}
separation:
  - key: no-vendors
    name: {en: No vendors in restricted channels, zh: 受限频道不对外}
    never: {role: vendor, label: restricted}
approvals:
  join: {by: [owners, {admins: security}], people: 2, most_days: 90}
notifications: {default: mentions, floor: none, ceiling: all, before_end_days: [14, 7, 1]}
limits: {four_eyes: {people: 300}}
`

const writtenOut = `apiVersion: rollcall/v1
groups:
  - key: apollo
    name: {en: Apollo, zh: 阿波罗}
    description: {en: Everything about Apollo, zh: 关于阿波罗的一切}
    channels:
      - {key: general, name: {en: Apollo, zh: 阿波罗}}
      - {key: ops, name: {en: Apollo operations, zh: 阿波罗运维}, labels: [restricted], handover: {days: 14}}
    rules:
      - {key: team, role: participant, when: 'within("rnd \"x\"")'}
      - key: leads
        role: owner
        when: |
          person.employee_number in ["1001", "1002"]
            || ("project/" + "apollo") in person.groups
      - {key: site, role: collaborator, when: 'person.labels.site == "shanghai"'}
    eligibility: {ask: person.employee_type == "employee", role: collaborator}
    successors: [manager, {member: participant}, {person: "1001"}]
separation: [{key: no-vendors, name: {en: No vendors in restricted channels, zh: 受限频道不对外}, never: {role: vendor, label: restricted}}]
approvals: {join: {by: [owners, {admins: security}], people: 2, lapse_days: 7, most_days: 90}}
notifications: {default: mentions, floor: none, ceiling: all, before_end_days: [14, 7, 1]}
limits: {four_eyes: {people: 300}}
`

// A template means what writing it out means, for texts, names, lists and conditions.
func TestTemplate(t *testing.T) {
	short, err := parse(projects)
	if err != nil {
		t.Fatal(err)
	}
	long, err := parse(writtenOut)
	if err != nil {
		t.Fatal(err)
	}
	plain := cmp.Options{cmpopts.IgnoreUnexported(Policy{}, Guests{}, Rule{}, Eligibility{}, Never{}), cmpopts.IgnoreFields(Group{}, "Template")}
	if diff := cmp.Diff(long, short, plain); diff != "" || short.Hash() != long.Hash() {
		t.Error("-written out, +by template", diff)
	}
	for _, s := range []Subject{{}, {UnitPath: []string{`rnd "x"`}}, {EmployeeNumber: "1002"}, {Groups: []string{"project/apollo"}}, {Labels: map[string]string{"site": "shanghai"}}} {
		a, err := short.Evaluate(s)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := long.Evaluate(s)
		if diff := cmp.Diff(b, a); diff != "" {
			t.Errorf("%+v: %s", s, diff)
		}
	}
	// Mistakes are told where the template stands, and of which group.
	in := func(old, new string) string { return strings.Replace(projects, old, new, 1) }
	for name, c := range map[string]struct{ src, want string }{
		"no value":       {in(`unit: rnd "x", `, ""), `p.yaml:31:15: parameter "unit" of template "project" has no value (with: {unit: …})`},
		"no parameter":   {in("with: {unit:", "with: {unti: x, unit:"), `p.yaml:32:12: template "project" has no parameter "unti" (did you mean "unit"?)`},
		"no template":    {in("template: project", "template: projekt"), `p.yaml:31:15: no template has the key "projekt" (did you mean "project"?)`},
		"unknown in CEL": {in("within(${unit})", "within(${unot})"), `p.yaml:18:54: undeclared parameter 'unot' (did you mean "unit"?)`},
		"in quotes":      {in(`("project/" + ${key})`, `"project/${key}"`), `p.yaml:23:16: a parameter stands within quotes (a parameter is a text of its own: ${key} + "/leads")`},
		"of the kind":    {in("in ${leads}", "== ${leads}"), `p.yaml:22:34: found no matching overload for '_==_' applied to '(string, list(string))' (the two sides are of different kinds: a text, a list, an instant or a number)`},
		"later column":   {in("within(${unit})", "within(${unit}) && person.grups == []"), `p.yaml:18:72: undefined field 'grups' (did you mean "groups"?)`},
		"value of":       {in(`leads: ["1001", "1002"]}`, `days: "0"}`), `p.yaml:16:26: wants a whole number from 1 to 365 (in group "apollo")`},
		"twice":          {in("key: site, role: collaborator", "key: team, role: collaborator"), `p.yaml:34:9: rule "team" stands twice in its group (template "project" may have one, too)`},
	} {
		if _, err := parse(c.src); err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", name, err, c.want)
		}
	}
}

// Time comes in by after and before alone, and an evaluation says until when it holds.
func TestTime(t *testing.T) {
	p, err := parse(`apiVersion: rollcall/v1
groups:
  - key: a
    name: A
    channels: []
    rules:
      - {key: new, role: participant, when: 'before(person.start + days(90))'}
      - {key: campaign, role: collaborator, when: 'after(date("2026-04-01")) && before(date("2026-05-01"))'}
      - {key: old, role: owner, when: 'person.start < date("2020-01-01") && person.end > date("2030-01-01")'}
      - {key: side, role: vendor, when: 'person.affiliations.exists(a, a.company == "Acme" && a.until > date("2026-06-01"))'}
`)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	day := func(s string) time.Time {
		at, err := time.ParseInLocation(time.DateOnly, s, zone)
		if err != nil {
			t.Fatal(err)
		}
		return at.UTC()
	}
	for _, c := range []struct {
		s    Subject
		want string
		next time.Time
	}{
		{Subject{Now: day("2026-01-01"), Start: day("2026-03-01")}, "new", day("2026-04-01")},
		{Subject{Now: day("2026-04-01"), Start: day("2026-03-01")}, "new campaign", day("2026-05-01")},
		{Subject{Now: day("2026-05-01"), Start: day("2026-03-01")}, "new", day("2026-05-30")},
		{Subject{Now: day("2026-05-30"), Start: day("2026-03-01")}, "", time.Time{}},
		{Subject{Now: day("2026-06-01")}, "old", time.Time{}},
		{Subject{Now: day("2026-06-01"), Affiliations: []Affiliation{{Company: "Acme"}}, End: day("2026-07-01")}, "side", time.Time{}},
	} {
		c.s.Zone = zone
		got, err := p.Evaluate(c.s)
		if err != nil {
			t.Fatal(err)
		}
		var rules []string
		for _, w := range got.Wanted {
			rules = append(rules, w.Rule)
		}
		if strings.Join(rules, " ") != c.want || !got.Next.Equal(c.next) {
			t.Errorf("%s: %v until %s, want %s until %s", c.s.Now, rules, got.Next, c.want, c.next)
		}
	}
}

// What a condition depends on is said in full, and what bounds it, with the values of parameters.
func TestReads(t *testing.T) {
	for when, want := range map[string]struct{ reads, anchors string }{
		`person.department == "R&D" && within("rnd")`:                    {"department unit.path", "unit.path=rnd"},
		`person.labels.site == "x" || person.labels["floor"] == "2"`:     {"labels.floor labels.site", "labels.site=x labels.floor=2"},
		`person.employee_number in ["1", "2"] && person.title != "Head"`: {"employee_number title", "employee_number=1 employee_number=2"},
		`reports_to("7")`: {"managers", "managers=7"},
		`"hr/x" in person.groups && after(person.start)`: {"groups start time", "groups=hr/x"},
		`!within("rnd")`:                                                         {"unit.path", "-"},
		`person.labels.exists(l, l == "x")`:                                      {"labels", "-"},
		`person.affiliations.exists(a, a.company == "x")`:                        {"affiliations", "-"},
		`[person].exists(p, p.title == "x")`:                                     {"person", "-"},
		`person.title == "x" || person.title.startsWith("y")`:                    {"title", "-"},
		`person.title.startsWith("y") && (within("a") || unit.key == "b")`:       {"title unit.key unit.path", "unit.path=a unit.key=b"},
		`person.labels.all(l, person.labels[l] == "x") && person.company == "c"`: {"company labels", "company=c"},
	} {
		p, err := parse("apiVersion: rollcall/v1\ngroups:\n  - key: a\n    name: A\n    rules:\n      - key: r\n        role: owner\n        when: |\n          " + when + "\n")
		if err != nil {
			t.Error(err)
			continue
		}
		rule := p.Groups[0].Rules[0]
		reads := strings.Join(rule.Reads().Attributes, " ")
		if rule.Reads().Time {
			reads += " time"
		}
		list, bounded := rule.Anchors()
		var anchors []string
		for _, a := range list {
			anchors = append(anchors, a.Attribute+"="+a.Value)
		}
		if !bounded {
			anchors = []string{"-"}
		}
		if reads != want.reads || strings.Join(anchors, " ") != want.anchors {
			t.Errorf("%s: reads %q, anchors %q", when, reads, anchors)
		}
	}
	p, err := parse(fmt.Sprintf(inGroup, `rules: [{key: r, role: owner, when: '[person].exists(p, p.title == "x")'}]`))
	if err != nil || !p.Uses()["department"] || !p.Uses()["manager"] || !p.Uses()["unit"] {
		t.Errorf("a person as a whole: %v, %v", p.Uses(), err)
	}
}

// What cannot be judged says which condition of which file it is.
func TestFailuresSayWhere(t *testing.T) {
	p, err := Parse(File{Name: "a.yaml", Source: `apiVersion: rollcall/v1
groups:
  - key: a
    name: A
    channels: [{key: c, name: C, labels: [closed]}]
    rules:
      - {key: numbers, role: participant, when: 'int(person.cost_center) > 100'}
    eligibility: {join: 'int(person.cost_center) > 1'}
separation:
  - {key: s, name: S, never: {when: 'int(person.cost_center) > 2', label: closed}}
`})
	if err != nil {
		t.Fatal(err)
	}
	if p.Idle() != nil {
		t.Error(p.Idle())
	}
	s := Subject{CostCenter: "X-1"}
	judged, err := p.Evaluate(s)
	if err == nil || len(judged.Failed) != 1 || judged.Failed[0].At != "a.yaml:7:49" || !strings.HasPrefix(err.Error(), "a.yaml:7:49: rule a/numbers: ") {
		t.Errorf("%v, %+v", err, judged.Failed)
	}
	if _, _, failed := p.Admits(s); len(failed) != 1 || failed[0].At != "a.yaml:8:25" {
		t.Errorf("%+v", failed)
	}
	if got := p.Separate(s, nil, []Wanted{{"a", Participant, "numbers", ""}}); len(got.Failed) != 1 || got.Failed[0].At != "a.yaml:10:37" {
		t.Errorf("%+v", got.Failed)
	}
}
