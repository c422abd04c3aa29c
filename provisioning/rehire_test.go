package provisioning_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// grant gives a person a place by hand.
func (w *world) grant(p id.Person, group string) {
	w.Helper()
	groups, err := w.r.Groups(ctx)
	w.ok(err)
	for _, g := range groups {
		if g.Key != group {
			continue
		}
		now := w.clock().UnixMicro()
		w.ok(w.db.Tx(ctx, func(tx *db.Tx) error {
			var have []id.Membership
			if err := tx.Raw("select id from memberships where person = ? and group_id = ? and ended_at is null", p, g.ID).Scan(&have).Error; err != nil || len(have) == 0 {
				return fmt.Errorf("the person needs a place by a rule first: %v", err)
			}
			return tx.Exec("insert into reasons (id, membership, kind, ref, role, policy_version, created_at) values (?, ?, 'grant', 'boss', 'participant', 0, ?)",
				id.New[id.Reason](), have[0], now).Error
		}))
	}
}

// Who was dismissed for long and is made anew begins anew: what was given by hand is listed, not given back. A rename keeps it.
//
// holds: J26
func TestRehireKeepsNoGrants(t *testing.T) {
	both(t, func(w *world) {
		push, err := w.people.CreateSource(ctx, directory.Cause{}, directory.Source{Name: "okta", Kind: directory.KindSCIM})
		w.ok(err)
		w.policy(policyText)
		record := w.record("zhang", "dept=R&D")
		record.Source, record.Key, record.ExternalID = push.ID, "", "A001"
		made := w.apply(directory.CreateRecord{Record: record}).Records[0]
		w.grant(made.Person, "apollo")
		off := directory.EditRecord{Source: push.ID, Link: made.Link, Edit: func(r *directory.Record) error { r.Active = false; return nil }}
		record.Department = "Sales"

		w.apply(off)
		w.pass(time.Minute)
		w.apply(directory.CreateRecord{Record: record})
		w.want("after a rename", w.places(made.Person), "apollo:participant everybody:participant sales:participant")

		w.apply(off)
		w.pass(180 * 24 * time.Hour)
		w.apply(directory.CreateRecord{Record: record})
		w.want("after a rehire", w.places(made.Person), "everybody:participant sales:participant")
		w.want("sees", w.sees(made.Person), "sales/general everybody/news")
		former, err := w.r.FormerGrants(ctx, made.Person)
		w.ok(err)
		if len(former) != 1 || former[0].Group.Key != "apollo" || former[0].Present || former[0].Kind == "" || former[0].Role == "" || former[0].Until.IsZero() {
			t.Errorf("former grants: %+v", former)
		}
	})
}

// Linking moves nobody's place silently: it is foreseen exactly, the one who goes loses all without the guard, the one who stays has what rules say.
//
// holds: J27
func TestLinking(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		old, again := w.put("old", "dept=R&D"), w.put("again", "dept=Sales title=Head")
		w.apply(directory.DeleteRecord{Source: w.source.ID, Key: "old"})
		merge := directory.MergePeople{Keep: old, Gone: again}
		var foreseen []provisioning.PlannedChange
		w.untouched("looking ahead", func() {
			_, err := w.people.Try(ctx, directory.Cause{Actor: "tester"}, func(tx *db.Tx) (err error) {
				foreseen, err = w.r.Foresee(tx, []id.Person{old, again})
				return err
			}, merge)
			w.ok(err)
		})
		text := map[id.Person]string{}
		for _, c := range foreseen {
			text[c.Person] += fmt.Sprintf("%s %s %s;", c.Op, c.Group, c.Cause)
		}
		w.want("foreseen of who stays", text[old], "add everybody join;add sales join;")
		w.want("foreseen of who goes", text[again], "remove everybody merge;remove sales merge;")
		w.apply(merge)
		w.want("who stays", w.places(old), "everybody:participant sales:participant")
		w.want("who stays sees", w.sees(old), "sales/general everybody/news")
		w.want("who goes", w.places(again), "")
		w.want("who goes sees", w.sees(again), "")
		w.want("held", fmt.Sprint(len(w.holds("open"))), "0")
		w.apply(directory.SplitRecord{Person: old, Link: w.facts(old)[0]})
		w.want("split off again", w.places(again), "everybody:participant sales:participant")
		w.want("who has left", w.places(old), "")
	})
}

// facts answers the live records of a person.
func (w *world) facts(p id.Person) []id.Link {
	w.Helper()
	records, err := w.people.Records(ctx, p)
	w.ok(err)
	var out []id.Link
	for _, r := range records {
		if r.DeletedAt.IsZero() {
			out = append(out, r.Link)
		}
	}
	return out
}
