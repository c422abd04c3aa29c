package policies

import (
	"strings"
	"testing"
)

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
