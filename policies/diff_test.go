package policies

import (
	"strings"
	"testing"
)

// A difference says whether it lets more happen or less, of restricted channels and of others.
func TestDifferenceSaysItsEffect(t *testing.T) {
	const text = `apiVersion: rollcall/v1
groups:
  - key: apollo
    name: Apollo
    channels:
      - {key: general, name: General, handover: {days: 14, role: collaborator}}
    rules:
      - {key: rnd, role: participant, when: 'person.department == "R&D" && person.title == "Engineer"'}
    successors: [manager]
    eligibility: {join: 'person.department == "R&D"', role: collaborator}
  - {key: sales, name: Sales, channels: [{key: general, name: General}]}
separation:
  - {key: apart, name: Apart, never_together: [apollo, sales]}
approvals:
  plan: {by: [{admins: owner}]}
guard: {move: {people: 50}}
limits: {four_eyes: {people: 10}}
`
	before, err := Parse(File{Name: "p.yaml", Source: text})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, said string }{
		{"days: 14", "days: 30", "channel apollo/general handover loosens"},
		{"days: 14", "days: 7", "channel apollo/general handover tightens"},
		{"role: collaborator}}", "role: participant}}", "channel apollo/general handover loosens"},
		{", handover: {days: 14, role: collaborator}", "", "channel apollo/general handover tightens"},
		{` && person.title == "Engineer"`, "", "rule apollo/rnd when loosens"},
		{`person.title == "Engineer"'`, `person.title == "Engineer" && person.company == "X"'`, "rule apollo/rnd when tightens"},
		{`person.title == "Engineer"'`, `person.title == "Head"'`, "rule apollo/rnd when both"},
		{"[manager]", "[manager, {person: \"1\"}]", "group apollo successors loosens"},
		{`{join: 'person.department == "R&D"', role: collaborator}`, `{join: 'person.department == "R&D" && person.title == "Head"', role: collaborator}`, "group apollo eligibility tightens"},
		{`{join: 'person.department == "R&D"', role: collaborator}`, `{join: 'person.department == "R&D"', role: participant}`, "group apollo eligibility loosens"},
		{"    eligibility: {join: 'person.department == \"R&D\"', role: collaborator}\n", "", "group apollo eligibility tightens"},
		{"eligibility: {join:", "eligibility: {ask: 'true', join:", "group apollo eligibility loosens"},
		{"[apollo, sales]", "[apollo/general, sales]", "separation apart never_together both"},
		{"separation:\n  - {key: apart, name: Apart, never_together: [apollo, sales]}\n", "", "separation apart name ; separation apart never_together loosens"},
		{"{by: [{admins: owner}]}", "{by: [{admins: owner}, {admins: security}]}", "approval plan by loosens"},
		{"{move: {people: 50}}", "{move: {people: 5}}", "guard guard move tightens"},
		{"{four_eyes: {people: 10}}", "{four_eyes: {people: 20}}", "limits limits four_eyes loosens"},
		{"limits: {four_eyes: {people: 10}}\n", "", "limits limits four_eyes loosens"},
		{"key: general, name: General, handover", "key: general, name: All, handover", "channel apollo/general name "},
	} {
		changed := strings.Replace(text, c.old, c.new, 1)
		after, err := Parse(File{Name: "p.yaml", Source: changed})
		if err != nil || changed == text {
			t.Fatal(c, err)
		}
		var said []string
		for _, d := range Diff(before, after) {
			for _, f := range d.Fields {
				said = append(said, d.Kind+" "+d.Name+" "+f.Field+" "+string(f.Effect))
			}
		}
		if got := strings.Join(said, "; "); got != c.said {
			t.Errorf("%s to %s: %s, want %s", c.old, c.new, got, c.said)
		}
	}
}

// What a difference says can be put into a policy file as it stands.
func TestDifferenceIsWrittenAsThePolicy(t *testing.T) {
	const text = `apiVersion: rollcall/v1
groups:
  - key: apollo
    name: {en: 'Apollo: all', zh: 阿波罗}
    channels:
      - {key: general, name: General, labels: [restricted, x], access: {collaborator: none}}
    successors: [manager, {member: participant}, {person: "1001"}]
    eligibility: {join: 'person.department == "R&D"', role: collaborator}
    approvals: {join: {by: [owners, {admins: security}, {person: "1002"}], people: 2, lapse_days: 3}}
  - {key: sales, name: Sales, channels: [{key: general, name: General}]}
separation:
  - {key: apart, name: Apart, never_together: [apollo/general, sales]}
  - {key: out, name: Out, never: {when: 'person.title == "Guest"', label: restricted}}
approvals:
  plan: {by: [{admins: owner}], people: 2}
`
	p, err := Parse(File{Name: "p.yaml", Source: text})
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, d := range Diff(nil, p) {
		for _, f := range d.Fields {
			said[d.Kind+" "+d.Name+" "+f.Field] = Words(f.After)
		}
	}
	for what, want := range map[string]string{
		"group apollo name":               "{en: 'Apollo: all', zh: 阿波罗}",
		"group apollo successors":         "[manager, {member: participant}, {person: 1001}]",
		"group apollo approvals":          "{join: {by: [owners, {admins: security}, {person: 1002}], lapse_days: 3, people: 2}}",
		"group apollo eligibility":        "{join: 'person.department == \"R&D\"', role: collaborator}",
		"channel apollo/general labels":   "[restricted, x]",
		"separation apart never_together": "[apollo/general, sales]",
		"separation out never":            "{label: restricted, when: 'person.title == \"Guest\"'}",
		"approval plan by":                "[{admins: owner}]",
		"approval plan people":            "2",
	} {
		if said[what] != want {
			t.Errorf("%s: %s, want %s", what, said[what], want)
		}
	}
	// And back: a file of these words says the same.
	again := strings.NewReplacer(
		"[manager, {member: participant}, {person: \"1001\"}]", said["group apollo successors"],
		"{join: {by: [owners, {admins: security}, {person: \"1002\"}], people: 2, lapse_days: 3}}", said["group apollo approvals"],
		`{join: 'person.department == "R&D"', role: collaborator}`, said["group apollo eligibility"],
		"[apollo/general, sales]", said["separation apart never_together"]).Replace(text)
	q, err := Parse(File{Name: "q.yaml", Source: again})
	if err != nil {
		t.Fatal(err)
	}
	if d := Diff(p, q); len(d) > 0 {
		t.Errorf("%+v", d)
	}
}
