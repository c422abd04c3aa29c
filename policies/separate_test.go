package policies

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const apart = `apiVersion: rollcall/v1
groups:
  - {key: buyers, name: B, channels: [{key: offers, name: O, labels: [secret]}]}
  - {key: auditors, name: A, channels: [{key: findings, name: F, access: {vendor: read}}]}
  - {key: lab, name: L, channels: [{key: open, name: O}, {key: closed, name: C, labels: [secret], access: {collaborator: none}}]}
separation:
  - {key: apart, name: Apart, never_together: [buyers, auditors]}
  - {key: lab-closed, name: Lab, never_together: [lab/closed, auditors]}
  - {key: inside, name: Inside, never: {when: 'person.employee_type != "employee"', label: secret}}
`

func wants(text string) []Wanted {
	var out []Wanted
	for _, one := range strings.Fields(text) {
		group, role, _ := strings.Cut(one, ":")
		out = append(out, Wanted{Group: group, Role: Role(role), Rule: "r"})
	}
	return out
}

func placesOf(list []Wanted) string {
	var out []string
	for _, w := range list {
		out = append(out, w.Group+":"+string(w.Role))
	}
	return strings.Join(out, " ")
}

func withheldOf(list []Withheld) string {
	var out []string
	for _, w := range list {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s/%s %s", w.Group, w.Separation, strings.Join(w.Against, ","))))
	}
	return strings.Join(out, "; ")
}

func TestSeparate(t *testing.T) {
	p, err := parse(apart)
	if err != nil {
		t.Fatal(err)
	}
	employee, guest := Subject{EmployeeType: "employee"}, Subject{EmployeeType: "guest"}
	for name, c := range map[string]struct {
		s                                        Subject
		standing, wanted, want, withheld, barred string
	}{
		"nothing against it":        {employee, "", "buyers:owner lab:participant", "buyers:owner lab:participant", "", ""},
		"two rules":                 {employee, "", "buyers:owner auditors:participant", "", "buyers/apart auditors; auditors/apart buyers", ""},
		"a grant stands":            {employee, "buyers:owner", "auditors:participant", "", "auditors/apart buyers", ""},
		"both stand":                {employee, "buyers:owner auditors:owner", "", "", "", "buyers/apart auditors; auditors/apart buyers"},
		"one stands, by a rule too": {employee, "buyers:owner", "buyers:participant auditors:participant", "buyers:participant", "auditors/apart buyers", ""},
		"a channel":                 {employee, "", "lab:participant auditors:vendor", "", "lab/lab-closed auditors; auditors/lab-closed lab/closed", ""},
		"not that channel":          {employee, "", "lab:collaborator auditors:participant", "lab:collaborator auditors:participant", "", ""},
		"an outsider":               {guest, "", "lab:participant lab:collaborator", "lab:collaborator", "lab/inside", ""},
		"an outsider's grant":       {guest, "buyers:participant", "auditors:participant", "auditors:participant", "", "buyers/inside"},
	} {
		got := p.Separate(c.s, wants(c.standing), wants(c.wanted))
		if placesOf(got.Wanted) != c.want || withheldOf(got.Withheld) != c.withheld || withheldOf(got.Barred) != c.barred {
			t.Errorf("%s: %q, withheld %q, barred %q", name, placesOf(got.Wanted), withheldOf(got.Withheld), withheldOf(got.Barred))
		}
	}
}

// Nobody is ever in two places that must not be together; the order of places does not matter; what is left is left the second time.
func TestSeparateProperties(t *testing.T) {
	p, err := parse(apart)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []Wanted {
			return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Wanted {
				return Wanted{rapid.SampledFrom([]string{"buyers", "auditors", "lab"}).Draw(t, "group"), rapid.SampledFrom(Roles()).Draw(t, "role"), "r", ""}
			}), 0, 5).Draw(t, name)
		}
		s := Subject{EmployeeType: rapid.SampledFrom([]string{"employee", "guest"}).Draw(t, "type")}
		standing, wanted := draw("standing"), draw("wanted")
		got := p.Separate(s, standing, wanted)
		var stays []Wanted
		for _, w := range standing {
			if !slices.ContainsFunc(got.Barred, func(b Withheld) bool { return b.Wanted == w }) {
				stays = append(stays, w)
			}
		}
		all := append(slices.Clone(stays), got.Wanted...)
		for _, sep := range p.Separation {
			var in []string
			for _, side := range sep.NeverTogether {
				if slices.ContainsFunc(all, func(w Wanted) bool { return p.isIn(w, side) }) {
					in = append(in, side.String())
				}
			}
			if len(in) > 1 {
				t.Fatalf("together in %v: %v", in, all)
			}
			if sep.Never != nil && s.EmployeeType != "employee" && slices.ContainsFunc(all, func(w Wanted) bool { return p.seesLabel(w, sep.Never.Label) }) {
				t.Fatalf("%s sees %v", s.EmployeeType, all)
			}
		}
		again := p.Separate(s, stays, wanted)
		if placesOf(again.Wanted) != placesOf(got.Wanted) || len(again.Barred) > 0 {
			t.Fatalf("the second time %v, %v barred", again.Wanted, again.Barred)
		}
		slices.Reverse(standing)
		slices.Reverse(wanted)
		turned := p.Separate(s, standing, wanted)
		slices.Reverse(turned.Wanted)
		if placesOf(turned.Wanted) != placesOf(got.Wanted) || len(turned.Barred) != len(got.Barred) {
			t.Fatalf("in the other order %v, not %v", turned.Wanted, got.Wanted)
		}
	})
}
