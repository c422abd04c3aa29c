package policies

import (
	"fmt"
	"strings"
	"testing"
)

// What a policy names stands where it is written, also what a template is given.
func TestMentions(t *testing.T) {
	p, err := Parse(File{Name: "a.yaml", Source: `apiVersion: rollcall/v1
templates:
  - key: team
    parameters: [{key: unit}, {key: leads, type: list}]
    channels: [{key: general, name: General}]
    rules:
      - {key: team, role: participant, when: 'within(${unit})'}
      - {key: leads, role: owner, when: 'person.manager in ${leads} || person.title == "x"'}
groups:
  - {key: apollo, name: Apollo, template: team, with: {unit: rnd, leads: ["1001", "1002"]}}
  - key: sales
    name: Sales
    channels: [{key: general, name: General}]
    successors: [{person: "7"}]
    rules:
      - key: a
        role: participant
        when: |
          person.title == "Head" &&
            (within("sales") || "okta/Sales" in person.groups)
      - {key: b, role: owner, when: 'person.affiliations.exists(a, a.unit == "s2" || "s3" in a.path) || unit.key in ["s4"] || reports_to("8")'}
approvals:
  elevation: {by: [{person: zhang.wei}]}
`})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range p.Mentions() {
		got = append(got, fmt.Sprintf("%s %s %d:%d", m.Kind, m.Value, m.Line, m.Column))
	}
	want := `unit rnd 7:54, person 1001 8:60, person 1002 8:60, successor 7 14:27, unit sales 20:21, group okta/Sales 20:33, unit s2 21:78, unit s3 21:86, unit s4 21:118, person 8 21:138, approver zhang.wei 23:29`
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("\n%s\nwant\n%s", text, want)
	}
}

// A hint names what was meant, in words of the language, and nothing where it does not know.
func TestHints(t *testing.T) {
	condition := func(when string) string {
		return "apiVersion: rollcall/v1\ngroups:\n  - key: a\n    name: A\n    channels: [{key: c, name: C}]\n    rules:\n      - {key: r, role: owner, when: '" + when + "'}\n"
	}
	for _, c := range []struct{ source, want string }{
		{condition(`within(3)`), `within wants the key or the name of a unit, as in within("shanghai")`},
		{condition(`reports_to(1001)`), `reports_to wants an employee number`},
		{condition(`within(person.groups)`), `a text is looked for in a list of texts`},
		{condition(`days("3") > days(2)`), `(days wants a whole number, as in days(90))`},
		{condition(`after(person.title)`), `(after and before want an instant`},
		{condition(`person.affiliations.exists(a, before(a.form))`), `(did you mean "from"?)`},
		{condition(`person.affiliations.exists(a, before(a.fro))`), `(did you mean "from"?)`},
		{condition(`person.form == ""`), `(known: id, display_name`},
		{condition(`unit.nam == ""`), `(did you mean "name"?)`},
		{condition(`person.departmnet == ""`), `(did you mean "department"?)`},
		{"apiVersion: rollcall/v1\ngroups:\n  - {key: a, name: A, template: t}\n", `3:33: no template has the key "t"`},
		{"apiVersion: rollcall/v1\nguard: {mvoe: {people: 1}}\n", `(did you mean "move"?)`},
		{"apiVersion: rollcall/v1\napprovals: {elevation: {by: [{admins: scurity}]}}\n", `(did you mean "security"?)`},
		{"apiVersion: rollcall/v1\napprovals: {elevation: {by: [boss]}}\n", `"boss" is not one of owners, manager, sponsor`},
	} {
		_, err := Parse(File{Name: "p.yaml", Source: c.source})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "known: )") {
			t.Errorf("%s\n%v\nwant %s", c.source, err, c.want)
		}
	}
}
