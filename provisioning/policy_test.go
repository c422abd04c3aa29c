package provisioning_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

func files(text string) []provisioning.File {
	return []provisioning.File{{Name: "policy.yaml", Source: text}}
}

func (w *world) plan(text string) *provisioning.Plan {
	w.Helper()
	p, err := w.r.PlanPolicy(ctx, files(text), "tester")
	w.ok(err)
	return p
}

// changed answers policyText with each old replaced by the next new.
func changed(w *world, pairs ...string) string {
	text := policyText
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			w.Fatalf("the policy does not hold %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// A plan says exactly what applying it does, and writes nothing but itself.
func TestPlanIsExact(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		people := w.putMany(3, "p", "dept=R&D")
		w.putMany(2, "q", "dept=Sales")
		next := changed(w, `person.department == "Sales"`, `(person.department == "Sales" || person.department == "R&D")`, "key: heads, role: owner, when: person.department == \"R&D\" &&", "key: heads, role: owner, when: person.user_name == \"p000\" ||")
		before := w.content()
		p := w.plan(next)
		for table, rows := range w.content() {
			if rows != before[table] && table != "plans" && table != "plan_changes" {
				w.Errorf("planning wrote to %s", table)
			}
		}
		var said []string
		for _, c := range p.Changes {
			said = append(said, fmt.Sprintf("%v %s %s %s", c.Person == people[0], c.Group, c.Op, c.Role))
		}
		slices.Sort(said)
		w.want("changes", strings.Join(said, ", "), "false sales add participant, false sales add participant, true apollo role owner, true sales add participant")
		if s := p.Summary(); s.People != 3 || s.Added != 3 || s.Changed != 1 || s.Removed != 0 {
			w.Errorf("summary %+v", s)
		}
		result, err := w.r.ApplyPlan(ctx, directory.Cause{Actor: "tester"}, p.ID, p.Hash, false)
		w.ok(err)
		if result.Written != len(p.Changes) {
			w.Errorf("wrote %d of %d", result.Written, len(p.Changes))
		}
		w.want("sees", w.sees(people[0]), "apollo/general apollo/leads sales/general everybody/news")
		if again := w.plan(next); !again.Empty() {
			w.Errorf("a second plan: %+v", again.Changes)
		}
		if _, err := w.r.ApplyPlan(ctx, directory.Cause{}, p.ID, p.Hash, false); !errors.Is(err, provisioning.ErrClosed) {
			w.Errorf("applied twice: %v", err)
		}
	})
}

// A plan that no longer says what it would do is refused, and nothing is written. One that still does is not.
func TestDrift(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		w.putMany(3, "p", "dept=R&D")
		next := changed(w, `"Sales"`, `"R&D"`)
		p := w.plan(next)
		if _, err := w.r.ApplyPlan(ctx, directory.Cause{}, p.ID, "0000", false); !errors.Is(err, provisioning.ErrHash) {
			w.Errorf("another hash: %v", err)
		}
		w.put("new", "dept=R&D")
		w.untouched("a drifted plan", func() {
			if _, err := w.r.ApplyPlan(ctx, directory.Cause{}, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrDrift) {
				w.Errorf("drift of people: %v", err)
			}
		})
		q := w.plan(next)
		w.put("other", "dept=Legal") // changes nothing that the plan speaks of
		_, err := w.r.ApplyPlan(ctx, directory.Cause{}, q.ID, q.Hash, false)
		w.ok(err)
		if _, err := w.r.ApplyPlan(ctx, directory.Cause{}, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrDrift) {
			w.Errorf("drift of the policy: %v", err)
		}
		if _, err := w.r.ApplyPlan(ctx, directory.Cause{}, "pln_none", "", true); !errors.Is(err, provisioning.ErrNotFound) {
			w.Errorf("no plan: %v", err)
		}
	})
}

// A plan that takes from too many, or empties a group, wants a confirmation; then it is carried out whole.
func TestHeldPlan(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		people := w.putMany(13, "p", "dept=R&D")
		next := changed(w, `when: person.department == "R&D"}`, `when: person.user_name == "p000"}`)
		p := w.plan(next)
		if !p.Verdict.Held() {
			w.Fatalf("not held: %+v", p.Verdict)
		}
		w.untouched("a held plan", func() {
			var held *provisioning.HeldError
			if _, err := w.r.ApplyPlan(ctx, directory.Cause{}, p.ID, p.Hash, false); !errors.As(err, &held) || held.Plan != p.ID || !errors.Is(err, provisioning.ErrHeld) {
				w.Errorf("error %v", err)
			}
		})
		result, err := w.r.ApplyPlan(ctx, directory.Cause{Actor: "tester"}, p.ID, p.Hash, true)
		w.ok(err)
		if result.Written != 12 || result.Held != 0 {
			w.Errorf("result %+v", result)
		}
		w.want("kept", w.places(people[0]), "apollo:participant everybody:participant")
		w.want("removed", w.places(people[12])+" "+w.sees(people[12]), "everybody:participant everybody/news")
		w.put("p000", "dept=Sales")
		w.want("a confirmed plan does not use up the day's limit", w.places(people[0]), "apollo:participant everybody:participant sales:participant")
	})
}

// Groups and channels come, change, go and come back with the policy, and with them what they give; keys keep ids.
func TestGroupsAndChannelsFollowThePolicy(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		p, v := w.put("ada", "dept=R&D"), w.put("vera", "dept=R&D type=vendor")
		general, news := w.channel("apollo", "general"), w.channel("everybody", "news")
		w.want("at first", w.sees(v), "apollo/general everybody/news")

		w.policy(changed(w, "participant: read, vendor: read", "participant: post, vendor: none", "{key: leads,", "{key: chiefs,"))
		w.want("vendor after", w.sees(v), "apollo/general")
		if ok, _ := w.index.Allow(p, news.ID, authz.Post); !ok {
			w.Error("post was given and is not there")
		}
		groups := policyText[:strings.Index(policyText, "  - key: apollo")] + policyText[strings.Index(policyText, "  - key: sales"):]
		plan := w.plan(groups)
		archived := 0
		for _, s := range plan.Shapes {
			if s.Op == "archive" {
				archived++
			}
		}
		if archived != 3 { // the group and its two channels
			w.Errorf("shapes %+v", plan.Shapes)
		}
		w.policy(groups)
		w.want("without apollo", w.places(p)+" "+w.sees(p), "everybody:participant everybody/news")
		c, err := w.r.Channel(ctx, general.ID)
		w.ok(err)
		if c.ArchivedAt.IsZero() {
			w.Error("the channel is not archived")
		}
		w.policy(policyText)
		if again := w.channel("apollo", "general"); again.ID != general.ID || !again.ArchivedAt.IsZero() {
			w.Errorf("another channel: %+v", again)
		}
		w.want("back", w.sees(p), "apollo/general everybody/news")
	})
}

// A channel that opens its history from joining only never shows more in between.
func TestHistoryFromJoining(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		p, v := w.put("ada", "dept=R&D"), w.put("vera", "type=vendor")
		general := w.channel("apollo", "general")
		if _, from := w.index.Allow(p, general.ID, authz.View); !from.IsZero() {
			w.Errorf("full history begins at %v", from)
		}
		w.policy(changed(w, "{key: general, name: {en: General, zh: 综合}}", "{key: general, name: {en: General, zh: 综合}, default_history: joining}", "participant: read, vendor: read", "vendor: none"))
		if ok, from := w.index.Allow(p, general.ID, authz.View); !ok || from.IsZero() {
			w.Errorf("history from joining: %v %v", ok, from)
		}
		w.policy(policyText)
		if _, from := w.index.Allow(p, general.ID, authz.View); !from.IsZero() {
			w.Errorf("back to full: %v", from)
		}
		if ok, from := w.index.Allow(v, w.channel("everybody", "news").ID, authz.View); !ok || from.IsZero() {
			w.Errorf("a vendor who is let in again sees from joining: %v %v", ok, from)
		}
	})
}

// A file that cannot be accepted changes nothing and says where.
func TestBadPolicy(t *testing.T) {
	w := newWorld(t, sqlite(t))
	w.policy(policyText)
	w.put("ada", "dept=R&D")
	w.untouched("bad policies", func() {
		var syntax *policies.SyntaxError
		_, err := w.r.PlanPolicy(ctx, files(changed(w, "person.title", "person.rank")), "tester")
		if !errors.Is(err, provisioning.ErrPolicy) || !errors.As(err, &syntax) || syntax.File != "policy.yaml" || syntax.Line == 0 {
			w.Errorf("unknown attribute: %v", err)
		}
		if _, err := w.r.PlanPolicy(ctx, nil, "tester"); !errors.Is(err, provisioning.ErrPolicy) {
			w.Errorf("no file: %v", err)
		}
		twice := append(files(policyText), files(policyText)...)
		if _, err := w.r.PlanPolicy(ctx, twice, "tester"); !errors.Is(err, provisioning.ErrPolicy) {
			w.Errorf("a group twice: %v", err)
		}
	})
}

// An application that ends after the policy came into force is finished by whoever comes next, with what the plan
// confirmed, and only that.
func TestInterruptedApplication(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		people := w.putMany(13, "p", "dept=R&D")
		p := w.plan(changed(w, `when: person.department == "R&D"}`, `when: person.user_name == "p000"}`))
		w.ok(w.r.Enact(ctx, p))
		w.want("in between", w.places(people[5]), "apollo:participant everybody:participant")
		w.ok(w.r.Tend(ctx))
		w.want("finished", w.places(people[5]), "everybody:participant")
		if h := w.holds(""); len(h) != 0 {
			w.Errorf("held: %+v", h)
		}
		w.untouched("once more", func() { w.ok(w.r.Tend(ctx)) })
	})
}

// A plan says what the policy names and nobody knows, with its place; what is known, also by a former name, is not among it.
func TestPlanSaysWhatNobodyKnows(t *testing.T) {
	both(t, func(w *world) {
		w.units("shanghai", "platform")
		w.put("ann", "dept=R&D")
		p := w.plan(`apiVersion: rollcall/v1
groups:
  - key: apollo
    name: Apollo
    channels: [{key: general, name: General}]
    successors: [manager, {person: ANN}, {person: bnn}]
    rules:
      - {key: a, role: participant, when: within("shanghai")}
      - {key: b, role: participant, when: within("shanghia")}
      - {key: c, role: participant, when: '"okta/Leads" in person.groups || reports_to("ann")'}
approvals:
  join: {by: [{person: "nobody"}]}
`)
		var got []string
		for _, u := range p.Unknown {
			got = append(got, u.Text)
		}
		w.want("unknown", strings.Join(got, "\n"), `policy.yaml:6:51: nobody has the employee number or user name "bnn", so nobody succeeds by it
policy.yaml:9:50: no unit has the key or the name "shanghia" (did you mean "shanghai"?)
policy.yaml:10:44: no source has the group "okta/Leads"
policy.yaml:12:24: nobody has the employee number or user name "nobody", so nobody decides by it`)
		again, err := w.r.Plan(ctx, p.ID)
		if w.ok(err); len(again.Unknown) != len(p.Unknown) {
			t.Errorf("kept: %+v", again.Unknown)
		}
	})
}

// Whatever attribute a rule reads: where it changes between the plan and its application the plan drifts, as soon as the fact is written.
func TestDriftOfEveryFact(t *testing.T) {
	facts := map[string]func(r *directory.Record, v string){
		"department": func(r *directory.Record, v string) { r.Department = v }, "division": func(r *directory.Record, v string) { r.Division = v },
		"organization": func(r *directory.Record, v string) { r.Organization = v }, "company": func(r *directory.Record, v string) { r.Company = v },
		"cost_center": func(r *directory.Record, v string) { r.CostCenter = v }, "employee_type": func(r *directory.Record, v string) { r.EmployeeType = v },
		"title": func(r *directory.Record, v string) { r.Title = v }, "employee_number": func(r *directory.Record, v string) { r.EmployeeNumber = v },
		"locale": func(r *directory.Record, v string) { r.Locale = v },
	}
	both(t, func(w *world) {
		w.policy(policyText)
		w.putMany(20, "p", "dept=Legal")
		for name, set := range facts {
			for _, coming := range []bool{false, true} {
				record := w.record("one-"+name, "dept=Legal")
				if set(&record, "aa"); coming {
					set(&record, "bb")
				}
				person := w.apply(directory.PutRecord{Record: record}).Records[0].Person
				p := w.plan(strings.Replace(policyText, `when: person.department == "Sales"`, `when: person.department == "Sales" || person.`+name+` == "aa"`, 1))
				set(&record, "bb")
				if coming {
					set(&record, "aa")
				}
				w.apply(directory.PutRecord{Record: record})
				w.untouched(name, func() {
					if _, err := w.r.ApplyPlan(ctx, directory.Cause{}, p.ID, p.Hash, true); !errors.Is(err, provisioning.ErrDrift) {
						t.Errorf("%s of %s, coming %v: %v", name, person, coming, err)
					}
				})
			}
		}
	})
}
