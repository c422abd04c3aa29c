package demo

import (
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/policies"
)

func TestCompany(t *testing.T) {
	for _, n := range []int{1, 200, 2000} {
		people := People(n)
		if len(people) != max(n, 24) {
			t.Fatalf("%d people of %d", len(people), n)
		}
		numbers, handles, units := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for i, e := range people {
			if i > 0 && !numbers[e.Manager] {
				t.Errorf("%s: manager %q does not come before", e.Number, e.Manager)
			}
			if numbers[e.Number] || handles[e.UserName] {
				t.Errorf("%s %s stands twice", e.Number, e.UserName)
			}
			if strings.ContainsFunc(e.UserName, func(r rune) bool { return r > 'z' }) || strings.HasPrefix(e.UserName, ".") {
				t.Errorf("user name %q", e.UserName)
			}
			numbers[e.Number], handles[e.UserName], units[e.Department] = true, true, true
		}
		if len(units) != 12 {
			t.Errorf("%d units", len(units))
		}
	}
}

// The demo's rules, as written, give every group of the demo somebody.
func TestPolicyFitsCompany(t *testing.T) {
	p, err := policies.Parse(policies.File{Name: "policy.yaml", Source: string(Policy())})
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]int{}
	for _, e := range People(200) {
		judged, err := p.Evaluate(policies.Subject{Title: e.Title, Department: e.Department, Division: e.Division, EmployeeType: e.Type, UnitPath: []string{e.Department}})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range judged.Wanted {
			members[w.Group]++
		}
	}
	for _, g := range p.Groups {
		if members[g.Key] < 10 {
			t.Errorf("group %s has %d members", g.Key, members[g.Key])
		}
	}
}
