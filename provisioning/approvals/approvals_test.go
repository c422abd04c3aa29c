package approvals_test

import (
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
)

const day = 24 * time.Hour

// Own joining stands as long as the group admits the person, and no longer; leaving ends what was joined and nothing else.
func TestOwnJoining(t *testing.T) {
	both(t, func(w *world) {
		w.put("li", "dept=R&D")
		me := w.ids["li"]
		join := func(group string) error { return w.g.Join(ctx, directory.Cause{Actor: string(me)}, me, w.group(group)) }
		w.ok(join("apollo"))
		w.want("joined", w.places("li"), "apollo:participant")
		if !w.sees("li", "apollo") {
			t.Error("joined, and sees nothing")
		}
		w.is(join("apollo"), approvals.ErrMember)
		w.is(join("audit"), approvals.ErrApart)
		w.is(join("club"), approvals.ErrNotOffered)
		before := w.head()
		_, err := w.r.ReconcileAll(ctx)
		w.ok(err)
		if after := w.head(); after != before {
			t.Errorf("a second run wrote: %v, %v", before, after)
		}
		w.put("li", "dept=Legal")
		w.want("moved away", w.places("li"), "")
		w.put("li", "dept=R&D")
		w.want("and back: over is over", w.places("li"), "")
		w.is(join("apollo"), nil)
		w.put("li", "dept=Staff")
		w.want("a rule gives less", w.places("li"), "apollo:collaborator")
		w.is(w.g.Leave(ctx, directory.Cause{}, me, w.group("apollo")), approvals.ErrNotOwn)
		w.put("li", "dept=R&D")
		w.ok(join("apollo"))
		w.ok(w.g.Leave(ctx, directory.Cause{}, me, w.group("apollo")))
		w.want("left", w.places("li"), "")
		w.is(w.g.Leave(ctx, directory.Cause{}, me, w.group("apollo")), approvals.ErrNotFound)
		w.ok(join("audit"))
		w.is(join("apollo"), approvals.ErrApart)
	})
}

// An eligibility that ends at an instant ends the access at that instant, with nobody running.
func TestJoiningEndsByTheClock(t *testing.T) {
	both(t, func(w *world) {
		w.put("li", "")
		w.ok(w.g.Join(ctx, directory.Cause{}, w.ids["li"], w.group("trial")))
		end := time.Date(2026, 10, 11, 0, 0, 0, 0, time.UTC)
		w.pass(end.Sub(w.clock()) - time.Microsecond)
		if !w.sees("li", "trial") {
			t.Error("over too early")
		}
		w.pass(time.Microsecond)
		if w.sees("li", "trial") {
			t.Error("not over at the instant")
		}
		w.is(w.g.Join(ctx, directory.Cause{}, w.ids["li"], w.group("trial")), approvals.ErrNotFound)
		w.ok(w.r.Tend(ctx))
		w.want("swept", w.places("li"), "")
	})
}

// Another eligibility in the policy ends what was joined by the old one, by plan.
func TestJoiningFollowsThePolicy(t *testing.T) {
	both(t, func(w *world) {
		w.put("li", "dept=R&D")
		w.ok(w.g.Join(ctx, directory.Cause{}, w.ids["li"], w.group("apollo")))
		w.policy(replace(policyText, `join: 'person.department == "R&D"', ask: 'person.department == "Sales"', role: participant`, `join: 'person.department == "R&D"', role: collaborator`))
		w.want("another role", w.places("li"), "apollo:collaborator")
		w.policy(replace(policyText, `join: 'person.department == "R&D"', ask`, `ask`))
		w.want("nobody joins any more", w.places("li"), "")
	})
}

// holds: J11
func TestAManagerChanges(t *testing.T) {
	both(t, func(w *world) {
		w.put("old", "")
		w.put("new", "")
		w.put("li", "dept=R&D manager=old")
		r := w.ask(policies.ApproveJoin, "li", "club", "", 0)
		w.want("waits for", w.waits("old", "new", "li"), "old")
		w.want("told", w.inbox("old"), "approval.waiting")
		w.put("li", "dept=R&D manager=new")
		w.want("waits for, at once", w.waits("old", "new", "li"), "new")
		w.ok(w.e.Look(ctx))
		w.want("taken back", w.inbox("old"), "")
		w.want("told", w.inbox("new"), "approval.waiting")
		before := w.head()
		w.ok(w.e.Look(ctx))
		w.is(w.approve("old", r), approvals.ErrNotApprover)
		w.is(w.approve("li", r), approvals.ErrNotApprover)
		if after := w.head(); after != before {
			t.Errorf("refused and looked at again, it wrote: %v, %v", before, after)
		}
		w.ok(w.approve("new", r))
		w.want("granted", w.places("li"), "club:participant")
		w.want("told", w.inbox("li"), "approval.granted")
		w.want("closed", w.inbox("new"), "")
		w.is(w.approve("new", r), approvals.ErrClosed)
		w.pass(30*day - time.Microsecond)
		if !w.sees("li", "club") {
			t.Error("over too early")
		}
		w.pass(time.Microsecond)
		if w.sees("li", "club") {
			t.Error("still there after what the policy gives at most")
		}
	})
}

// Whoever cannot decide gives way to the next: who is on leave or has left to who is above, the last to administrators. Nobody decides their own.
func TestDeputies(t *testing.T) {
	both(t, func(w *world) {
		w.put("top", "")
		w.put("boss", "manager=top")
		w.put("li", "manager=boss")
		w.put("admin", "")
		w.admins["owner"] = append(w.admins["owner"], w.ids["admin"], w.ids["top"])
		r := w.ask(policies.ApproveJoin, "li", "club", "", 0)
		w.put("boss", "manager=top leave=true")
		w.want("on leave", w.waits("boss", "top", "admin"), "top")
		w.put("top", "active=false")
		w.want("left", w.waits("boss", "top", "admin"), "admin")
		w.is(w.approve("boss", r), approvals.ErrNotApprover)
		w.put("boss", "manager=top")
		w.want("back", w.waits("boss", "top", "admin"), "boss")
		w.ask(policies.ApproveJoin, "admin", "club", "", 0)
		w.want("nobody decides their own", w.waits("admin", "top"), "")
	})
}

func TestLapseWithdrawRefuse(t *testing.T) {
	both(t, func(w *world) {
		w.put("boss", "")
		w.put("li", "manager=boss")
		r := w.ask(policies.ApproveJoin, "li", "club", "", 0)
		_, err := w.try(policies.ApproveJoin, "li", "club", "", 0)
		w.is(err, approvals.ErrAsked)
		w.pass(3 * day) // nothing runs
		w.want("lapsed", w.waits("boss"), "")
		w.is(w.approve("boss", r), approvals.ErrClosed)
		again := w.ask(policies.ApproveJoin, "li", "club", "", 0)
		w.want("told", w.inbox("li"), "approval.lapsed")
		w.is(w.e.Withdraw(ctx, directory.Cause{}, w.ids["boss"], again.ID), approvals.ErrNotFound)
		w.ok(w.e.Withdraw(ctx, directory.Cause{}, w.ids["li"], again.ID))
		w.is(w.approve("boss", again), approvals.ErrClosed)
		third := w.ask(policies.ApproveJoin, "li", "club", "", 0)
		_, err = w.e.Refuse(ctx, directory.Cause{}, w.ids["li"], third.ID, "")
		w.is(err, approvals.ErrNotApprover)
		_, err = w.e.Refuse(ctx, directory.Cause{}, w.ids["boss"], third.ID, "not now")
		w.ok(err)
		w.is(w.approve("boss", third), approvals.ErrClosed)
		w.want("nothing", w.places("li"), "")
		w.pass(3 * day)
		w.ask(policies.ApproveJoin, "li", "club", "", 0)
		w.pass(3 * day)
		w.ok(w.e.Look(ctx))
		list, err := w.e.Requests(ctx, approvals.Query{State: approvals.Lapsed, Limit: 10})
		w.ok(err)
		if len(list) != 2 {
			t.Errorf("%d lapsed", len(list))
		}
	})
}

// A lifted role ends by the clock, and with the place that it stands on.
func TestElevation(t *testing.T) {
	both(t, func(w *world) {
		w.put("head", "title=Head")
		w.put("li", "dept=Staff")
		w.put("wu", "dept=Staff")
		w.put("zhao", "")
		_, err := w.try(policies.ApproveElevation, "zhao", "apollo", policies.Owner, 0)
		w.is(err, approvals.ErrNotFound)
		_, err = w.try(policies.ApproveElevation, "li", "club", policies.Owner, 0)
		w.is(err, approvals.ErrNotOffered)
		r := w.ask(policies.ApproveElevation, "li", "apollo", policies.Owner, 90)
		w.ok(w.approve("head", r))
		w.want("lifted", w.places("li"), "apollo:owner")
		w.pass(7*day - time.Microsecond)
		if d, _ := w.index.Allow(w.ids["li"], w.channel("apollo"), "manage"); !d {
			t.Error("over too early")
		}
		w.pass(time.Microsecond)
		if d, _ := w.index.Allow(w.ids["li"], w.channel("apollo"), "manage"); d {
			t.Error("still lifted after what the policy gives at most")
		}
		if !w.sees("li", "apollo") {
			t.Error("the place is gone with the role")
		}
		w.ok(w.r.Tend(ctx))
		w.want("swept", w.places("li"), "apollo:collaborator")
		r = w.ask(policies.ApproveElevation, "wu", "apollo", policies.Participant, 2)
		w.ok(w.approve("head", r))
		w.want("lifted", w.places("wu"), "apollo:participant")
		w.put("wu", "dept=Legal")
		w.want("what it stood on is gone", w.places("wu"), "")
	})
}

// What was true when somebody asked is not what counts.
func TestFactsChangeBeforeTheDecision(t *testing.T) {
	both(t, func(w *world) {
		w.put("head", "title=Head")
		ask := func(key string) approvals.Request {
			w.put(key, "dept=Sales")
			return w.ask(policies.ApproveJoin, key, "apollo", "", 0)
		}
		moved, left, audits, both, fine := ask("moved"), ask("left"), ask("audits"), ask("twice"), ask("fine")
		w.put("moved", "dept=Legal")
		w.put("left", "dept=Sales active=false")
		w.ok(w.g.Join(ctx, directory.Cause{}, w.ids["audits"], w.group("audit")))
		w.put("twice", "dept=Staff")
		before := w.head()
		w.is(w.approve("head", moved), approvals.ErrGone)
		w.is(w.approve("head", left), approvals.ErrGone)
		w.is(w.approve("head", audits), approvals.ErrApart)
		w.is(w.approve("head", both), approvals.ErrGone)
		if after := w.head(); after != before {
			t.Errorf("it wrote: %v, %v", before, after)
		}
		w.ok(w.approve("head", fine))
		late := ask("late")
		w.policy(replace(policyText, "key: apollo", "key: artemis", "[apollo,", "[artemis,"))
		w.is(w.approve("head", late), approvals.ErrGone)
	})
}

// Two must agree; the same one does not count twice, and of two at the same time each counts once.
func TestTwoMustAgreeAndRaces(t *testing.T) {
	both(t, func(w *world) {
		w.put("bo", "")
		w.put("sec", "")
		w.put("other", "")
		w.admins["security"] = append(w.admins["security"], w.ids["sec"], w.ids["other"])
		w.policy(replace(policyText, `{join: 'person.title != "Auditor"', role`, `{ask: 'person.title != "Auditor"', role`))
		w.put("li", "")
		r := w.ask(policies.ApproveJoin, "li", "audit", "", 0)
		w.ok(w.approve("bo", r))
		w.want("one of two", w.places("li"), "")
		w.is(w.approve("bo", r), approvals.ErrClosed)
		w.want("it has been said", w.waits("bo", "sec", "other"), "sec other")
		var wait sync.WaitGroup
		errs := make([]error, 2)
		for i, who := range []string{"sec", "other"} {
			wait.Go(func() { errs[i] = w.approve(who, r) })
		}
		wait.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("%v", errs)
		}
		for _, err := range errs {
			if err != nil {
				w.is(err, approvals.ErrClosed)
			}
		}
		w.want("granted", w.places("li"), "audit:participant")
	})
}

// Who moved away and hands one channel over may join the whole group.
func TestJoiningWhileHandingOver(t *testing.T) {
	both(t, func(w *world) {
		w.policy(replace(policyText, "- {key: general, name: {en: General, zh: 综合}}\n    rules:\n      - {key: heads", "- {key: general, name: {en: General, zh: 综合}, handover: {days: 14, role: participant}}\n    rules:\n      - {key: heads",
			"{key: staff, role: collaborator", "{key: staff, role: participant"))
		w.put("li", "dept=Staff")
		w.put("li", "dept=R&D")
		if !w.sees("li", "apollo") {
			t.Fatal("nothing is handed over: the test says nothing")
		}
		_, err := w.try(policies.ApproveElevation, "li", "apollo", policies.Owner, 0)
		w.is(err, approvals.ErrNotFound)
		w.ok(w.g.Join(ctx, directory.Cause{}, w.ids["li"], w.group("apollo")))
		w.want("joined", w.places("li"), "apollo:participant")
		w.ok(w.g.Leave(ctx, directory.Cause{}, w.ids["li"], w.group("apollo")))
	})
}
