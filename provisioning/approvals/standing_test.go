package approvals_test

import (
	"fmt"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
)

// asking lets everybody ask for a place in the group in which two must agree.
func asking() string {
	return replace(policyText, `{join: 'person.title != "Auditor"', role`, `{ask: 'person.title != "Auditor"', role`)
}

// Who agreed and may not decide any more does not count, and counts again when they may.
func TestAgreementEndsWithItsGround(t *testing.T) {
	both(t, func(w *world) {
		for _, key := range []string{"bo", "sec", "other", "li"} {
			w.put(key, "")
		}
		w.policy(asking())
		sec, other := w.ids["sec"], w.ids["other"]
		w.admins["security"] = append(w.admins["security"], sec, other)
		r := w.ask(policies.ApproveJoin, "li", "audit", "", 0)
		w.ok(w.approve("sec", r))
		w.admins["security"] = w.admins["security"][1:]
		w.ok(w.approve("bo", r))
		w.want("one of two has lost the role", w.places("li"), "")
		w.put("bo", "active=false")
		w.is(w.approve("bo", r), approvals.ErrNotApprover)
		w.ok(w.approve("other", r))
		w.want("and the other one is gone", w.places("li"), "")
		w.put("bo", "")
		w.admins["security"] = append(w.admins["security"], sec)
		w.want("enough agreed: one of them confirms", w.waits("bo", "sec", "other"), "bo sec other")
		w.ok(w.approve("sec", r))
		w.want("granted", w.places("li"), "audit:participant")
	})
}

// Where fewer may decide than have to agree, administrators decide beside them; where that is not enough either, it is said when somebody asks.
func TestTooFewToAgree(t *testing.T) {
	both(t, func(w *world) {
		for _, key := range []string{"bo", "root", "li"} {
			w.put(key, "")
		}
		w.policy(asking())
		r := w.ask(policies.ApproveJoin, "li", "audit", "", 0)
		if r.Lacking != 1 {
			t.Errorf("asked: %d are lacking", r.Lacking)
		}
		w.ok(w.approve("bo", r))
		if list, lacking, err := w.e.Approvers(ctx, r); err != nil || lacking != 1 || fmt.Sprint(list) != fmt.Sprint([]any{w.ids["bo"]}) {
			t.Errorf("%v, %d lacking, %v", list, lacking, err)
		}
		w.admins["owner"] = append(w.admins["owner"], w.ids["root"])
		w.ok(w.e.Look(ctx))
		w.want("told", w.inbox("root"), "approval.waiting")
		w.want("waits for", w.waits("bo", "root"), "root")
		w.ok(w.approve("root", r))
		w.want("granted", w.places("li"), "audit:participant")
		w.put("wu", "")
		if r := w.ask(policies.ApproveJoin, "wu", "audit", "", 0); r.Lacking != 0 {
			t.Errorf("with an owner %d are lacking", r.Lacking)
		}
	})
}

// Who left and was hired anew is given nothing that they asked for before; who was away for a day is.
func TestRequestsEndWithADismissal(t *testing.T) {
	both(t, func(w *world) {
		w.policy(replace(policyText, "lapse_days: 3", "lapse_days: 60"))
		w.put("boss", "")
		w.put("li", "manager=boss")
		w.put("wu", "manager=boss")
		li, wu := w.ask(policies.ApproveJoin, "li", "club", "", 0), w.ask(policies.ApproveJoin, "wu", "club", "", 0)
		w.put("li", "manager=boss active=false")
		w.put("wu", "manager=boss active=false")
		w.pass(day)
		w.put("wu", "manager=boss")
		w.pass(20 * day)
		w.put("li", "manager=boss")
		w.ok(w.approve("boss", wu))
		w.want("away for a day", w.places("wu"), "club:participant")
		before := w.head()
		w.is(w.approve("boss", li), approvals.ErrGone)
		if after := w.head(); after != before {
			t.Errorf("it wrote: %v, %v", before, after)
		}
		w.want("hired anew", w.places("li"), "")
		_, err := w.e.Refuse(ctx, directory.Cause{Actor: "boss"}, w.ids["boss"], li.ID, "")
		w.ok(err)
		again := w.ask(policies.ApproveJoin, "li", "club", "", 0)
		w.ok(w.approve("boss", again))
		w.want("asked anew", w.places("li"), "club:participant")
	})
}

// Who gives up a place is given at once what a separation kept from them because of it.
func TestLeavingFreesWhatItKeptAway(t *testing.T) {
	both(t, func(w *world) {
		w.put("li", "")
		w.ok(w.g.Join(ctx, directory.Cause{}, w.ids["li"], w.group("audit")))
		w.put("li", "title=Head")
		w.want("kept apart", w.places("li"), "audit:participant")
		w.ok(w.g.Leave(ctx, directory.Cause{}, w.ids["li"], w.group("audit")))
		w.want("left", w.places("li"), "apollo:owner")
		before := w.head()
		_, err := w.r.ReconcileAll(ctx)
		w.ok(err)
		if after := w.head(); after != before {
			t.Errorf("a second run wrote: %v, %v", before, after)
		}
	})
}
