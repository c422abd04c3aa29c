package provisioning_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

func as(p id.Person) directory.Cause { return directory.Cause{Actor: string(p), Behind: p} }

// A door that opens after any number of other instants is a door.
func TestNobodyOpensLateAlone(t *testing.T) {
	both(t, func(w *world) {
		base := strings.Replace(vaults, "  - {key: apart, name: Apart, never_together: [vault/safe, open]}\n", "", 1)
		w.policy(base)
		ben := w.put("ben", "dept=Sales type=employee")
		opens := func(instants int) string {
			at := func(i int) string { return w.clock().Add(time.Duration(i+1) * time.Hour).UTC().Format(time.RFC3339) }
			var list []string
			for i := range instants {
				list = append(list, strconv.Quote(at(i)))
			}
			rules, n := "", 0
			for part := range slices.Chunk(list, 300) {
				n++
				rules += fmt.Sprintf("      - key: many%d\n        role: participant\n        when: '[%s].all(t, after(timestamp(t)) && person.department == \"Sales\")'\n", n, strings.Join(part, ", "))
			}
			text := strings.Replace(base, "      - {key: law, role: participant,", rules+"      - {key: law, role: participant,", 1)
			return strings.Replace(text, "      - {key: leads, role: owner,", fmt.Sprintf("      - {key: late, role: participant, when: 'after(timestamp(\"%s\")) && person.department == \"Sales\"'}\n      - {key: leads, role: owner,", at(instants)), 1)
		}
		for _, instants := range []int{1, 47, 48, 120, 1100} {
			p, err := w.r.PlanFor(ctx, []provisioning.File{{Name: "policy.yaml", Source: opens(instants)}}, string(ben), ben)
			w.ok(err)
			eyes, err := w.r.FourEyes(ctx, p)
			w.ok(err)
			if got := strings.Join(eyes.Gives, " "); got != "vault" || !eyes.Needed {
				t.Errorf("after %d instants: %+v", instants, eyes)
			}
			w.untouched("alone", func() {
				if _, err := w.r.ApplyPlan(ctx, as(ben), p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrApproval) {
					t.Errorf("after %d instants, alone: %v", instants, err)
				}
			})
		}
	})
}

// Nobody gets by an undo, by a hold or as a successor what a plan would not give him alone; somebody else does it for him.
func TestNobodyUndoesForThemselves(t *testing.T) {
	both(t, func(w *world) {
		w.policy(strings.Replace(vaults, "apiVersion: rollcall/v1\n", "apiVersion: rollcall/v1\nguard: {move: {people: 1, percent: 1}, group: {people: 1000}, cleanup: {people: 1, percent: 1}}\n", 1))
		var law []id.Person
		for _, name := range []string{"ann", "bea", "cem", "dov"} {
			law = append(law, w.put(name, "dept=Legal type=employee"))
		}
		ann, cid := law[0], w.put("cid", "dept=Ops type=employee")
		before := w.places(ann)
		refused := func(what string, act func() error) {
			t.Helper()
			w.untouched(what, func() {
				if err := act(); !errors.Is(err, provisioning.ErrOwnDoor) {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		move := func(run string, to string) {
			t.Helper()
			var changes []directory.Change
			for _, name := range []string{"ann", "bea", "cem", "dov"} {
				changes = append(changes, directory.PutRecord{Record: w.record(name, "dept="+to+" type=employee")})
			}
			w.by(run, changes...)
			_, err := w.r.Reconcile(ctx, directory.Cause{Request: id.Request(run)}, law)
			w.ok(err)
		}
		move("run_1", "Nowhere")
		held := w.holds(provisioning.HoldOpen)
		if len(held) != 1 {
			t.Fatalf("%d holds", len(held))
		}
		hold := held[0].ID
		w.want("held", w.places(ann), "open:participant! vault:collaborator!")
		refused("keeping", func() error { _, err := w.r.Reject(ctx, as(ann), hold); return err })
		refused("restoring", func() error { _, err := w.r.Restore(ctx, as(ann), hold, nil); return err })
		refused("undoing what waits", func() error { _, err := w.r.UndoRun(ctx, as(ann), "run_1"); return err })
		_, err := w.r.Release(ctx, as(ann), hold) // takes, and gives nobody anything
		w.ok(err)
		w.want("released", w.places(ann), "")
		refused("restoring what went", func() error { _, err := w.r.Restore(ctx, as(ann), hold, nil); return err })
		refused("undoing what went", func() error { _, err := w.r.UndoRun(ctx, as(ann), "run_1"); return err })
		_, err = w.r.UndoRun(ctx, as(cid), "run_1")
		w.ok(err)
		w.want("by somebody else", w.places(ann), before)
		// Whoever has it back already may ask for it again.
		if _, err = w.r.UndoRun(ctx, as(ann), "run_1"); err != nil && !errors.Is(err, provisioning.ErrNotFound) {
			t.Errorf("again: %v", err)
		}

		grant := provisioning.Grant{Person: cid, Role: policies.Owner, Kind: provisioning.KindGrant, Ref: "handover/1"}
		groups, err := w.r.Groups(ctx)
		w.ok(err)
		for _, g := range groups {
			if grant.Group = g.ID; g.Key == "vault" {
				refused("naming himself", func() error { return w.r.Give(ctx, as(cid), []provisioning.Grant{grant}, noRecords) })
				w.ok(w.r.Give(ctx, as(ann), []provisioning.Grant{grant}, noRecords))
			} else {
				w.ok(w.r.Give(ctx, as(cid), []provisioning.Grant{grant}, noRecords))
			}
		}
	})
}

// What gives one channel for itself is counted beside the place in the group: a guest's channel, too.
func TestNobodyOpensAGuestsDoorAlone(t *testing.T) {
	const base = `apiVersion: rollcall/v1
groups:
  - key: vault
    name: Vault
    channels:
      - {key: general, name: General}
      - {key: safe, name: Safe, labels: [restricted], access: {participant: read, collaborator: none, vendor: none}}
    rules:
      - {key: law, role: participant, when: person.department == "Legal"}
      - {key: ops, role: collaborator, when: person.department == "Ops"}
`
	both(t, func(w *world) {
		w.policy(base)
		people := map[string]id.Person{"ann": w.put("ann", "dept=Legal type=employee"), "ben": w.put("ben", "dept=Ops type=employee"), "cid": w.put("cid", "dept=None type=employee")}
		groups, err := w.r.Groups(ctx)
		w.ok(err)
		for _, p := range people {
			w.ok(w.r.Give(ctx, as(""), []provisioning.Grant{{Person: p, Group: groups[0].ID, Role: policies.Vendor, Kind: provisioning.KindGuest, Ref: "safe", Until: w.clock().Add(time.Hour)}}, noRecords))
		}
		for what, c := range map[string]struct{ old, new, gives string }{
			"sees nothing": {"vendor: none", "vendor: none, owner: post", ""},
			"writes":       {"vendor: none", "vendor: post", "vault"},
			"reads":        {"vendor: none", "vendor: read", "vault"}, // ann does already
			"from joining": {"participant: read, collaborator: none, vendor: none}", "participant: post, collaborator: post, vendor: post}, default_history: joining", "vault"},
		} {
			for name, p := range people {
				plan, err := w.r.PlanFor(ctx, []provisioning.File{{Name: "policy.yaml", Source: strings.Replace(base, c.old, c.new, 1)}}, string(p), p)
				w.ok(err)
				eyes, err := w.r.FourEyes(ctx, plan)
				w.ok(err)
				want := c.gives
				if what == "reads" && name == "ann" {
					want = ""
				}
				if got := strings.Join(eyes.Gives, " "); got != want || eyes.Needed != (want != "") {
					t.Errorf("%s, for %s: %+v", what, name, eyes)
				}
			}
		}
	})
}

func noRecords(*db.Tx) ([]audit.Record, error) { return nil, nil }

// A refusal says everything that somebody else has to look at, and an explanation by whom a version was applied, by name.
func TestRefusalSaysAll(t *testing.T) {
	both(t, func(w *world) {
		base := strings.Replace(vaults, "  - {key: apart, name: Apart, never_together: [vault/safe, open]}\n", "", 1)
		w.policy(base)
		ann, ben := w.put("ann", "dept=Legal type=employee"), w.put("ben", "dept=Ops type=employee")
		text := strings.Replace(base, "{key: law, role: collaborator,", "{key: law, role: participant,", 1)
		text = strings.Replace(text, `join: 'person.department == "R&D"'`, "join: 'true'", 1)
		p, err := w.r.PlanFor(ctx, []provisioning.File{{Name: "policy.yaml", Source: text}}, string(ann), ann)
		w.ok(err)
		_, err = w.r.ApplyPlan(ctx, as(ann), p.ID, p.Hash, true)
		if err == nil || !strings.Contains(err.Error(), "in vault, with restricted channels; loosens groups.vault.eligibility.join") {
			t.Errorf("refused: %v", err)
		}
		w.ok(w.r.ApprovePlan(ctx, as(ben), ben, p.ID, p.Hash))
		_, err = w.r.ApplyPlan(ctx, as(ann), p.ID, p.Hash, true)
		w.ok(err)
		why, err := w.r.Explain(ctx, ann, w.channel("vault", "general").ID)
		w.ok(err)
		by, name, said := "", "", ""
		for _, line := range why.Path {
			if line.Kind == "reason" {
				by, name, said = line.By, line.ByName, line.Text.EN
			}
		}
		if by != string(ann) || name == "" || !strings.Contains(said, "version 2 was applied by "+name) {
			t.Errorf("by %s, %s: %s", by, name, said)
		}
	})
}
