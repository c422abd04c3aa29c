package approvals_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
)

// model says what the policy allows, from the facts alone.
type model struct {
	facts map[string]string
	open  bool // the policy lets Sales ask
	apart bool // the policy keeps apollo and audit apart
}

func (m *model) is(key, fact string) bool {
	return strings.Contains(" "+m.facts[key]+" ", " "+fact+" ")
}

func (m *model) able(key string) bool {
	return !m.is(key, "active=false") && !m.is(key, "leave=true")
}

// refuses says why an approval must not give a place in apollo; empty where it may.
func (m *model) refuses(w *world, asks, approver string) string {
	switch {
	case asks == approver:
		return "nobody approves what is for them"
	case !m.able(asks):
		return "who asks has no access"
	case !m.able(approver):
		return "who approves has no access"
	case !m.is(approver, "title=Head"):
		return "who approves owns nothing"
	case !m.open || !m.is(asks, "dept=Sales"):
		return "the policy does not let them ask"
	case m.apart && strings.Contains(w.places(asks), "audit:"):
		return "a separation forbids it"
	}
	return ""
}

// Nobody gets a role by an approval that the policy at that moment would refuse, whatever happened since it was asked for; a refused approval changes
// nothing; and what was given goes on without what gave it writing anything more.
func TestNoApprovalAgainstThePolicy(t *testing.T) {
	tried, cases := 0, 20
	if testing.Short() {
		cases = 6
	}
	names := []string{"ann", "bob", "cid", "dan"}
	rapid.Check(t, func(rt *rapid.T) {
		if tried++; tried > cases { // each one is a database
			return
		}
		w := newWorld(t, dbtest.SQLite(t))
		m := &model{facts: map[string]string{}, open: true, apart: true}
		put := func(name, facts string) {
			m.facts[name] = facts
			w.put(name, facts)
		}
		for i, name := range names {
			put(name, []string{"dept=Sales", "dept=Legal title=Head"}[i%2])
		}
		asked := map[string]approvals.Request{}
		for range rapid.IntRange(8, 30).Draw(rt, "steps") {
			who := rapid.SampledFrom(names).Draw(rt, "who")
			switch rapid.SampledFrom([]string{"put", "ask", "ask", "approve", "approve", "approve", "audit", "leave", "policy"}).Draw(rt, "what") {
			case "put":
				put(who, "dept="+rapid.SampledFrom([]string{"Sales", "Sales", "Legal"}).Draw(rt, "dept")+rapid.SampledFrom([]string{"", " title=Head"}).Draw(rt, "title")+
					rapid.SampledFrom([]string{"", "", " active=false", " leave=true"}).Draw(rt, "state"))
			case "ask":
				if r, err := w.try(policies.ApproveJoin, who, "apollo", "", 0); err == nil {
					asked[who] = r
					if !m.open || !m.is(who, "dept=Sales") {
						rt.Fatalf("%s could ask: %v", who, m.facts)
					}
				}
			case "approve":
				for _, asks := range names {
					r, is := asked[asks]
					if !is {
						continue
					}
					why, before, head := m.refuses(w, asks, who), w.places(asks), w.head()
					err := w.approve(who, r)
					if err == nil && why != "" {
						rt.Fatalf("%s approved for %s although %s: %v", who, asks, why, m.facts)
					}
					if err != nil && (w.places(asks) != before || w.head() != head) {
						rt.Fatalf("a refused approval wrote: %v", err)
					}
					if err == nil && !strings.Contains(w.places(asks), "apollo:") {
						rt.Fatalf("granted, and %s has %q", asks, w.places(asks))
					}
					if err == nil {
						delete(asked, asks)
					}
				}
			case "audit":
				if m.able(who) {
					_ = w.g.Join(ctx, directory.Cause{}, w.ids[who], id.Group(w.group("audit"))) // refused where it does not fit
				}
			case "leave":
				for _, g := range []string{"apollo", "audit"} {
					_ = w.g.Leave(ctx, directory.Cause{}, w.ids[who], w.group(g))
				}
			case "policy":
				m.open, m.apart = rapid.Bool().Draw(rt, "open"), rapid.Bool().Draw(rt, "apart")
				text := policyText
				if !m.open {
					text = replace(text, `, ask: 'person.department == "Sales"'`, "")
				}
				if !m.apart {
					text = text[:strings.Index(text, "separation:")]
				}
				w.policy(text)
			}
		}
		before := w.head()
		if _, err := w.r.ReconcileAll(ctx); err != nil {
			rt.Fatal(err)
		}
		if after := w.head(); before != after {
			rt.Fatalf("a second run wrote: %s", fmt.Sprint(before, after))
		}
	})
}
