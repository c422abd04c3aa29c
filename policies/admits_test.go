package policies

import (
	"testing"
	"time"
)

const openGroups = `apiVersion: rollcall/v1
groups:
  - key: club
    name: Club
    channels: [{key: general, name: General}]
    rules: []
    eligibility: {join: 'person.department == "R&D"', ask: 'person.department == "Sales"', role: collaborator}
    approvals:
      join: {by: [manager], people: 2}
  - key: trial
    name: Trial
    channels: [{key: general, name: General}]
    rules: []
    eligibility: {join: 'before(date("2026-10-11"))'}
  - key: closed
    name: Closed
    channels: [{key: general, name: General}]
    rules: []
approvals:
  join: {by: [owners]}
  elevation: {by: [{admins: security}], most_days: 3}
`

func TestAdmits(t *testing.T) {
	p, err := Parse(File{Name: "policy.yaml", Source: openGroups})
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2026, 10, 11, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		department string
		now        time.Time
		groups     []string
		want       []Admission
		next       time.Time
	}{
		{"R&D", end.Add(-time.Hour), nil, []Admission{{"club", Collaborator, true, false}, {"trial", Participant, true, false}}, end},
		{"Sales", end, nil, []Admission{{"club", Collaborator, false, true}}, time.Time{}},
		{"Legal", end, nil, nil, time.Time{}},
		{"R&D", end.Add(-time.Hour), []string{"club", "closed", "nowhere"}, []Admission{{"club", Collaborator, true, false}}, time.Time{}},
	} {
		got, next, err := p.Admits(Subject{Department: c.department, Now: c.now}, c.groups...)
		if err != nil || len(got) != len(c.want) || !next.Equal(c.next) {
			t.Fatalf("%s at %s: %+v until %s, %v", c.department, c.now, got, next, err)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s at %s: %+v, want %+v", c.department, c.now, got[i], c.want[i])
			}
		}
	}
}

// What a group says goes before the policy; what nobody says is not decided.
func TestDecides(t *testing.T) {
	p, err := Parse(File{Name: "policy.yaml", Source: openGroups})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		group string
		kind  ApprovalKind
		by    ApproverKind
		most  int
	}{{"club", ApproveJoin, ApproverManager, 0}, {"trial", ApproveJoin, ApproverOwners, 0}, {"club", ApproveElevation, ApproverAdmins, 3}, {"", ApproveBreakGlass, "", 0}} {
		a, said := p.Decides(c.group, c.kind)
		if said != (c.by != "") || said && (a.By[0].Kind != c.by || a.MostDays != c.most || a.LapseDays != 7) {
			t.Errorf("%s of %q: %+v, %v", c.kind, c.group, a, said)
		}
	}
}
