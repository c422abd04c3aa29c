package provisioning_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

const together = `apiVersion: rollcall/v1
groups:
  - key: buyers
    name: Buyers
    channels: [{key: offers, name: Offers}]
    rules: [{key: dept, role: participant, when: 'person.department == "R&D"'}]
  - key: auditors
    name: Auditors
    channels: [{key: findings, name: Findings}]
    rules: [{key: title, role: participant, when: 'person.title == "Head"'}]
`

const keptApart = together + `separation:
  - {key: apart, name: {en: Buyers do not audit, zh: 采购不审计}, never_together: [buyers, auditors]}
`

// What is kept apart is given to nobody: the plan says of whom, the explanation why; it is back when that is no more.
func TestSeparation(t *testing.T) {
	both(t, func(w *world) {
		w.policy(together)
		both := w.put("li", "dept=R&D title=Head")
		one := w.put("wu", "dept=R&D")
		w.want("before", w.sees(both), "buyers/offers auditors/findings")
		p, err := w.r.PlanPolicy(ctx, []provisioning.File{{Name: "policy.yaml", Source: keptApart}}, "tester")
		w.ok(err)
		if len(p.Conflicts) != 2 || p.Conflicts[0].Person != both || p.Conflicts[0].Separation != "apart" || p.Conflicts[0].Against[0] != "auditors" || len(p.Changes) != 2 {
			t.Errorf("%+v, %+v", p.Conflicts, p.Changes)
		}
		stored, err := w.r.Plan(ctx, p.ID)
		w.ok(err)
		if len(stored.Conflicts) != 2 {
			t.Errorf("stored %+v", stored.Conflicts)
		}
		_, err = w.r.ApplyPlan(ctx, directory.Cause{Actor: "tester"}, p.ID, p.Hash, true)
		w.ok(err)
		w.want("kept apart", w.sees(both), "")
		w.want("the other", w.sees(one), "buyers/offers")
		e, err := w.r.Explain(ctx, both, w.channel("buyers", "offers").ID)
		w.ok(err)
		if len(e.Missing) == 0 || e.Missing[0].Kind != "separation" || !strings.Contains(e.Missing[0].Text.EN, "buyers and auditors exclude each other") || !strings.Contains(e.Missing[0].Text.ZH, "互斥") {
			t.Errorf("%+v", e.Missing)
		}
		said := func(e provisioning.Explanation, text string) bool {
			return slices.ContainsFunc(e.Missing, func(l provisioning.Line) bool { return strings.Contains(l.Text.EN, text) })
		}
		if !said(e, "auditors, is not given either: auditors/title") || !said(e, "Rule buyers/dept is met") || said(e, "is not met") {
			t.Errorf("%+v", e.Missing)
		}
		w.untouched("a second run", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err) })
		w.put("li", "dept=R&D")
		w.want("no longer a head", w.sees(both), "buyers/offers")
		w.put("wu", "dept=R&D title=Head")
		w.want("a head now", w.sees(one), "")
		w.policy(together)
		w.want("no separation", w.sees(one), "buyers/offers auditors/findings")
	})
}

// Why a place is kept from somebody names the rule that would give it, and by what they have the other one.
func TestSeparationIsExplained(t *testing.T) {
	both(t, func(w *world) {
		w.policy(together)
		p := w.put("li", "dept=R&D")
		w.grant(p, "buyers")
		w.policy(keptApart)
		w.put("li", "dept=R&D title=Head")
		w.want("what somebody gave stays", w.sees(p), "buyers/offers")
		e, err := w.r.Explain(ctx, p, w.channel("auditors", "findings").ID)
		w.ok(err)
		var text []string
		for _, l := range e.Missing {
			text = append(text, l.Text.EN)
			if l.Text.ZH == "" {
				t.Errorf("%+v", l)
			}
		}
		all := strings.Join(text, "\n")
		for _, want := range []string{`Kept apart by "Buyers do not audit": auditors and buyers exclude each other`, "The other place, buyers: ", "Rule auditors/title is met"} {
			if !strings.Contains(all, want) {
				t.Errorf("%q is not among\n%s", want, all)
			}
		}
	})
}

// A label that no channel has forbids nothing: who proposes it is told where and what was meant; what is in force is read all the same.
func TestIdleLabel(t *testing.T) {
	w := newWorld(t, sqlite(t))
	text := strings.Replace(together, "channels: [{key: offers, name: Offers}]", "channels: [{key: offers, name: Offers, labels: [secret]}]", 1) +
		"separation:\n  - {key: out, name: {en: Not outside, zh: 不对外}, never: {role: vendor, label: secrte}}\n"
	file := []provisioning.File{{Name: "p.yaml", Source: text}}
	_, err := w.r.Propose(ctx, provisioning.Proposal{Files: file}, "tester")
	var at *policies.SyntaxError
	if !errors.Is(err, provisioning.ErrPolicy) || !errors.As(err, &at) || at.Line != 12 || !strings.Contains(at.Hint, `"secret"`) {
		t.Errorf("%v, %+v", err, at)
	}
	w.policy(text)
	_, err = w.r.CompareFiles(ctx, 0, file)
	w.ok(err)
	_, err = w.r.Propose(ctx, provisioning.Proposal{Files: []provisioning.File{{Name: "p.yaml", Source: strings.Replace(text, "secrte", "secret", 1)}}}, "tester")
	w.ok(err)
}
