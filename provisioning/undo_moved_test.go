package provisioning_test

import (
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/provisioning"
)

// Who was dismissed by mistake is as before once that is undone: they work here, their places rest on what the rules say, and a move that
// comes after takes what it takes, at once. What no rule gives any more is kept until they move.
//
// holds: J22
func TestMoveAfterAnUndo(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText + teamText)
		w.putMany(20, "p", "dept=R&D")
		p := w.put("ada", "dept=R&D")
		w.apply(directory.PutGroup{Group: directory.GroupRecord{Source: w.source.ID, Key: "team", DisplayName: "team"}, Members: []string{"ada"}})
		w.delete("ada")
		_, err := w.r.RestorePerson(ctx, admin, p, w.freezeOf(p).ID)
		w.ok(err)
		w.want("restored", w.places(p), "apollo:participant everybody:participant team:collaborator")
		if is, err := w.people.Person(ctx, p); err != nil || is.Status != directory.StatusActive || !is.EndsAt.IsZero() {
			t.Errorf("they are %s until %s, %v", is.Status, is.EndsAt, err)
		}
		kept := func() (groups string) {
			list, err := w.r.MembershipsOf(ctx, p)
			w.ok(err)
			for _, m := range list {
				for _, r := range m.Reasons {
					if r.Kind == provisioning.KindKeep {
						groups += m.Of.Key
					}
				}
			}
			return groups
		}
		w.want("kept without a rule", kept(), "team")
		w.untouched("looking again", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err); w.ok(w.r.Tend(ctx)) })
		w.put("ada", "dept=Sales")
		w.want("moved, in the group again", w.places(p)+" "+kept(), "everybody:participant sales:participant team:collaborator ")
	})
}

// What the undo of a run keeps, a place or a role, lasts while the source says what it said then, and ends with the next move.
func TestMoveAfterTheUndoOfARun(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.putMany(40, "p", "dept=R&D")
		moved, demoted := w.put("moved", "dept=R&D"), w.put("demoted", "dept=R&D title=Head")
		w.by("run_2", directory.PutRecord{Record: w.record("moved", "dept=Sales")}, directory.PutRecord{Record: w.record("demoted", "dept=R&D")})
		_, err := w.r.UndoRun(ctx, admin, "run_2")
		w.ok(err)
		w.want("moved", w.places(moved), "apollo:participant everybody:participant sales:participant")
		w.want("demoted", w.places(demoted), "apollo:owner everybody:participant")
		again := w.record("moved", "dept=Sales")
		again.Locale = "en"
		w.apply(directory.PutRecord{Record: again})
		w.want("the same said again", w.places(moved), "apollo:participant everybody:participant sales:participant")
		w.put("moved", "dept=Legal")
		w.want("moved on", w.places(moved), "everybody:participant")
		w.put("moved", "dept=R&D")
		w.put("moved", "dept=Legal")
		w.want("and once more", w.places(moved), "everybody:participant")
		w.put("demoted", "dept=R&D title=Clerk")
		w.want("another job", w.places(demoted), "apollo:participant everybody:participant")
	})
}
