package provisioning_test

import (
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
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
		w.untouched("a second run", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err) })
		w.put("li", "dept=R&D")
		w.want("no longer a head", w.sees(both), "buyers/offers")
		w.put("wu", "dept=R&D title=Head")
		w.want("a head now", w.sees(one), "")
		w.policy(together)
		w.want("no separation", w.sees(one), "buyers/offers auditors/findings")
	})
}
