package provisioning_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// planOf plans a policy on behalf of a person.
func (w *world) planOf(author id.Person, text string) *provisioning.Plan {
	w.Helper()
	return w.planBy(string(author), text)
}

// An approval counts while whoever gave it may approve, and the plan stands while whoever made it may.
//
// holds: J36
func TestApprovalEndsWithTheRole(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText + fourEyes)
		ann, ben, cid := w.put("ann", "dept=Legal"), w.put("ben", "dept=Legal"), w.put("cid", "dept=Legal")
		w.putMany(5, "p", "dept=Sales")
		may := []id.Person{ann, ben, cid}
		w.r.MayApply = func(_ *db.Tx, p id.Person) (bool, error) { return slices.Contains(may, p), nil }
		less := strings.Replace(policyText, `person.department == "Sales"`, `person.department == "None"`, 1)
		p := w.planOf(ann, less)
		by := directory.Cause{Actor: string(ann)}
		refused := func(what string) {
			t.Helper()
			w.untouched(what, func() {
				if _, err := w.r.ApplyPlan(ctx, by, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		w.ok(w.r.ApprovePlan(ctx, directory.Cause{Actor: string(ben)}, ben, p.ID, p.Hash))
		may = []id.Person{ann, cid}
		refused("an approver whose role was taken")
		eyes, err := w.r.FourEyes(ctx, p)
		if w.ok(err); len(eyes.Given) != 1 || !eyes.Given[0].Lapsed || eyes.AuthorGone {
			t.Errorf("%+v", eyes)
		}
		w.ok(w.r.ApprovePlan(ctx, directory.Cause{Actor: string(cid)}, cid, p.ID, p.Hash))
		may = []id.Person{cid}
		refused("an author whose role was taken")
		may = []id.Person{ann, cid}
		w.put("cid", "dept=Legal active=false")
		p = w.planOf(ann, less)
		w.ok(w.r.ApprovePlan(ctx, directory.Cause{Actor: string(cid)}, cid, p.ID, p.Hash))
		refused("an approver who is kept out")
		may = []id.Person{ann, ben, cid}
		w.ok(w.r.ApprovePlan(ctx, directory.Cause{Actor: string(ben)}, ben, p.ID, p.Hash))
		_, err = w.r.ApplyPlan(ctx, by, p.ID, p.Hash, true)
		w.ok(err)
	})
}

// Who wants to loosen what holds back an administrator who is alone needs somebody else for that, by the limits in force.
func TestLooseningWantsFourEyes(t *testing.T) {
	both(t, func(w *world) {
		base := strings.Replace(policyText, "apiVersion: rollcall/v1\n", "apiVersion: rollcall/v1\nlimits: {four_eyes: {people: 2}}\nguard: {cleanup: {people: 5, percent: 1}, move: {people: 5, percent: 1}}\n", 1)
		w.policy(base)
		for what, c := range map[string]struct{ old, new, loosens string }{
			"more people":  {"four_eyes: {people: 2}", "four_eyes: {people: 200}", "limits.four_eyes"},
			"a percentage": {"four_eyes: {people: 2}", "four_eyes: {people: 2, percent: 50}", "limits.four_eyes"},
			"none at all":  {"limits: {four_eyes: {people: 2}}\n", "", "limits.four_eyes"},
			"the guard":    {"move: {people: 5,", "move: {people: 500,", "guard.move"},
			"its default":  {", move: {people: 5, percent: 1}", "", "guard.move"},
			"stricter":     {"four_eyes: {people: 2}", "four_eyes: {people: 1}", ""},
			"the same":     {"Apollo,", "Apollon,", ""},
		} {
			text := strings.Replace(base, c.old, c.new, 1)
			if text == base {
				t.Fatal(what)
			}
			p := w.planBy("alice", text)
			eyes, err := w.r.FourEyes(ctx, p)
			w.ok(err)
			if got := strings.Join(eyes.Loosens, " "); got != c.loosens || eyes.Needed != (c.loosens != "") {
				t.Errorf("%s: %+v", what, eyes)
			}
			if c.loosens == "" {
				continue
			}
			w.untouched(what, func() {
				if _, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
					t.Errorf("%s, alone: %v", what, err)
				}
			})
		}
		p := w.planBy("alice", strings.Replace(base, "four_eyes: {people: 2}", "four_eyes: {people: 200}", 1))
		w.ok(w.r.ApprovePlan(ctx, bob, "bob", p.ID, p.Hash))
		_, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true)
		w.ok(err)
	})
}

// A plan that widens the guard is judged by the guard that it finds.
func TestPlanDoesNotWidenItsOwnGuard(t *testing.T) {
	both(t, func(w *world) {
		w.putMany(20, "p", "dept=R&D")
		base := strings.Replace(policyText, "apiVersion: rollcall/v1\n", "apiVersion: rollcall/v1\nguard: {cleanup: {people: 3, percent: 1}, move: {people: 3, percent: 1}}\n", 1)
		w.policy(base)
		taking := strings.ReplaceAll(base, `"R&D"`, `"Nowhere"`)
		if taking == base {
			t.Fatal("the policy names no R&D")
		}
		for what, text := range map[string]string{"as it was": taking, "widened": strings.Replace(taking, "guard: {cleanup: {people: 3, percent: 1}", "guard: {cleanup: {people: 3000, percent: 100}", 1)} {
			p := w.planBy("alice", text)
			if !p.Verdict.Held() {
				t.Errorf("%s: %d changes, not held", what, p.Total)
			}
			if _, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, false); !errors.Is(err, provisioning.ErrHeld) {
				t.Errorf("%s, applied: %v", what, err)
			}
		}
	})
}

// That several decide together is not undone by one: whether or not plans want four eyes otherwise.
func TestFewerDecidingWantsFourEyes(t *testing.T) {
	both(t, func(w *world) {
		with := func(people int) string {
			return strings.Replace(policyText, "apiVersion: rollcall/v1\n", fmt.Sprintf("apiVersion: rollcall/v1\napprovals: {break_glass: {by: [{admins: security}], people: %d}}\n", people), 1)
		}
		w.policy(with(3))
		for what, text := range map[string]string{"fewer": with(2), "the default": policyText} {
			p := w.planBy("alice", text)
			eyes, err := w.r.FourEyes(ctx, p)
			if w.ok(err); !eyes.Needed || eyes.Loosens[0] != "approvals.break_glass.people" {
				t.Errorf("%s: %+v", what, eyes)
			}
			w.untouched(what, func() {
				if _, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
					t.Errorf("%s, alone: %v", what, err)
				}
			})
		}
		p := w.planBy("alice", with(4))
		_, err := w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true)
		w.ok(err)
		p = w.planBy("alice", policyText)
		w.ok(w.r.ApprovePlan(ctx, bob, "bob", p.ID, p.Hash))
		_, err = w.r.ApplyPlan(ctx, alice, p.ID, p.Hash, true)
		w.ok(err)
	})
}

const vaults = `apiVersion: rollcall/v1
groups:
  - key: vault
    name: Vault
    channels:
      - {key: general, name: General}
      - {key: safe, name: Safe, labels: [restricted], access: {collaborator: none}}
    rules:
      - {key: law, role: collaborator, when: person.department == "Legal"}
      - {key: leads, role: owner, when: person.title == "Head"}
    eligibility: {join: 'person.department == "R&D"', role: collaborator}
  - key: open
    name: Open
    channels: [{key: general, name: General}]
    rules:
      - {key: law, role: participant, when: person.department == "Legal"}
separation:
  - {key: outsiders, name: Outsiders, never: {when: 'person.employee_type == "vendor" || person.employee_type == ""', label: restricted}}
  - {key: apart, name: Apart, never_together: [vault/safe, open]}
approvals:
  elevation: {by: [{admins: security}]}
`

// What keeps somebody who writes policies from letting himself in is not undone by him alone, however few it is about.
func TestNobodyOpensAlone(t *testing.T) {
	both(t, func(w *world) {
		w.policy(vaults)
		ann := w.put("ann", "dept=Legal type=employee")
		for what, c := range map[string]struct{ old, new, loosens string }{
			"who decides":          {"{by: [{admins: security}]}", `{by: [{person: "ann"}]}`, "approvals.elevation.by"},
			"one more decides":     {"{by: [{admins: security}]}", `{by: [{admins: security}, {person: "ann"}]}`, "approvals.elevation.by"},
			"of one group":         {"    eligibility:", "    approvals: {elevation: {by: [owners]}}\n    eligibility:", "groups.vault.approvals.elevation.by"},
			"who lets in":          {"    eligibility:", "    approvals: {join: {by: [manager]}}\n    eligibility:", "groups.vault.approvals.join.by"},
			"a separation ends":    {"  - {key: apart, name: Apart, never_together: [vault/safe, open]}\n", "", "separation.apart"},
			"narrowed":             {` || person.employee_type == ""`, "", "separation.outsiders"},
			"of other people":      {`person.employee_type == ""`, `person.employee_type == "none"`, "separation.outsiders"},
			"the label":            {"labels: [restricted], ", "", "groups.vault.channels.safe.labels"},
			"more may join":        {`join: 'person.department == "R&D"'`, `join: 'person.department == "R&D" || person.department == "Legal"'`, "groups.vault.eligibility.join"},
			"and as more":          {"role: collaborator}", "role: participant}", "groups.vault.eligibility.join"},
			"who takes over":       {"    eligibility:", "    successors: [{person: ann}]\n    eligibility:", "groups.vault.successors"},
			"movers keep it":       {"labels: [restricted], ", "labels: [restricted], handover: {days: 365, role: participant}, ", "groups.vault.channels.safe.handover"},
			"a new restricted one": {"  - key: open\n", "  - key: cave\n    name: Cave\n    channels: [{key: deep, name: Deep, labels: [restricted]}]\n    eligibility: {join: 'true'}\n  - key: open\n", "groups.cave.eligibility.join"},
			"anybody may join":     {"    rules:\n      - {key: law, role: participant", "    eligibility: {join: 'true'}\n    rules:\n      - {key: law, role: participant", "groups.open.eligibility.join"},
			"fewer may join":       {`join: 'person.department == "R&D"'`, `join: 'person.title == "Head" && person.department == "R&D"'`, ""},
			"nobody may join":      {"    eligibility: {join: 'person.department == \"R&D\"', role: collaborator}\n", "", ""},
			"more kept apart":      {"never_together: [vault/safe, open]", "never_together: [vault/safe, open, vault/general]", ""},
			"of more people":       {` || person.employee_type == ""`, ` || person.employee_type == "" || person.title == "Guest"`, ""},
			"another key":          {"key: apart", "key: asunder", ""},
			"what nobody decided":  {"approvals:\n", "approvals:\n  plan: {by: [{admins: security}]}\n", ""},
		} {
			text := strings.Replace(vaults, c.old, c.new, 1)
			if text == vaults {
				t.Fatal(what)
			}
			p, err := w.r.PlanFor(ctx, []provisioning.File{{Name: "policy.yaml", Source: text}}, string(ann), ann)
			w.ok(err)
			eyes, err := w.r.FourEyes(ctx, p)
			w.ok(err)
			if got := strings.Join(eyes.Loosens, " "); got != c.loosens || eyes.Needed != (c.loosens != "") {
				t.Errorf("%s: %+v", what, eyes)
			}
			if c.loosens == "" {
				continue
			}
			w.untouched(what, func() {
				if _, err := w.r.ApplyPlan(ctx, directory.Cause{Actor: string(ann), Behind: ann}, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
					t.Errorf("%s, alone: %v", what, err)
				}
			})
		}
	})
}

// Whoever writes a plan does not let himself into a restricted channel by it, nor does whoever applies it; somebody else can.
func TestNobodyLetsThemselvesIn(t *testing.T) {
	both(t, func(w *world) {
		w.policy(strings.Replace(vaults, "  - {key: apart, name: Apart, never_together: [vault/safe, open]}\n", "", 1))
		ann, ben, cid := w.put("ann", "dept=Legal type=employee"), w.put("ben", "dept=Sales type=employee"), w.put("cid", "dept=Ops type=employee")
		base := strings.Replace(vaults, "  - {key: apart, name: Apart, never_together: [vault/safe, open]}\n", "", 1)
		as := func(p id.Person) directory.Cause { return directory.Cause{Actor: string(p), Behind: p} }
		plan := func(author id.Person, old, new string) *provisioning.Plan {
			t.Helper()
			text := strings.Replace(base, old, new, 1)
			if text == base {
				t.Fatal(old)
			}
			p, err := w.r.PlanFor(ctx, []provisioning.File{{Name: "policy.yaml", Source: text}}, string(author), author)
			w.ok(err)
			return p
		}
		alone := func(what string, p *provisioning.Plan, by id.Person) {
			t.Helper()
			w.untouched(what, func() {
				if _, err := w.r.ApplyPlan(ctx, as(by), p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
					t.Errorf("%s, alone: %v", what, err)
				}
			})
		}
		sales := []string{"{key: leads, role: owner,", `{key: sales, role: participant, when: person.department == "Sales"}` + "\n      - {key: leads, role: owner,"}
		for what, c := range map[string]struct {
			author   id.Person
			old, new string
			gives    string
		}{
			"a place":          {ben, sales[0], sales[1], "vault"},
			"by another rule":  {ben, `person.title == "Head"`, `person.title == "Head" || person.user_name == "ben"`, "vault"},
			"a stronger role":  {ann, "{key: law, role: collaborator,", "{key: law, role: participant,", "vault"},
			"the channel":      {ann, "access: {collaborator: none}", "access: {collaborator: read}", "vault"},
			"of others":        {ann, sales[0], sales[1], ""},
			"what is open":     {ben, `{key: law, role: participant, when: person.department == "Legal"}`, `{key: law, role: participant, when: person.department != ""}`, ""},
			"other words":      {ann, "{key: law, role: collaborator,", "{key: lawyers, role: collaborator,", ""},
			"what is nobody's": {"", sales[0], sales[1], ""},
		} {
			p := plan(c.author, c.old, c.new)
			eyes, err := w.r.FourEyes(ctx, p)
			w.ok(err)
			if got := strings.Join(eyes.Gives, " "); got != c.gives || eyes.Needed != (c.gives != "") {
				t.Errorf("%s: %+v", what, eyes)
			}
			if c.gives != "" {
				alone(what, p, c.author)
			}
		}
		// Out of the way of a separation that withholds the place: the rule of the place stays as it was.
		p := plan(ann, sales[0], sales[1])
		alone("whoever it lets in", p, ben)
		w.ok(w.r.ApprovePlan(ctx, as(ben), ben, p.ID, p.Hash))
		alone("by his own word", p, ben)
		p = plan(ben, sales[0], sales[1])
		alone("his own plan", p, ben)
		w.ok(w.r.ApprovePlan(ctx, as(cid), cid, p.ID, p.Hash))
		_, err := w.r.ApplyPlan(ctx, as(ben), p.ID, p.Hash, true)
		w.ok(err)
		w.want("ben", w.places(ben), "vault:participant")
	})
}
