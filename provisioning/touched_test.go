package provisioning_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

// touchedConditions are about everything by which people can be found, and some by which they cannot.
func touchedConditions() []string {
	return []string{`person.department == "R&D"`, `person.department in ["Sales", "R&D"]`, `person.title == "Head" && person.department == "Sales"`, `person.title.startsWith("He")`,
		`within("lab")`, `within("Werk \"A\"")`, `unit.key == "hall"`, `"hr/pilots" in person.groups`, `"hr/all" in person.groups || person.title == "Head"`, `reports_to("k0")`,
		`reports_to("p1@corp.example") && person.title != "Head"`, `person.labels["site"] == "<x>"`, `person.labels.site == "y" && after(person.start)`, `person.user_name == "p2@corp.example"`,
		`person.manager != ""`, `person.department == ""`, `person.employee_type == "vendor" && !within("lab")`}
}

// touchedPolicy draws a policy of some groups.
func touchedPolicy(t *rapid.T) string {
	var b strings.Builder
	b.WriteString("apiVersion: rollcall/v1\nguard: {move: {people: 1000}, cleanup: {people: 1000}, absence: {people: 1000}}\ngroups:\n")
	for _, group := range []string{"one", "two", "three", "four"} {
		if group != "one" && rapid.IntRange(0, 4).Draw(t, "without "+group) == 0 {
			continue
		}
		fmt.Fprintf(&b, "  - key: %s\n    name: {en: G, zh: 组}\n    channels: [{key: c, name: {en: C, zh: 道}}]\n", group)
		if group == "one" || rapid.Bool().Draw(t, "open") {
			fmt.Fprintf(&b, "    eligibility:\n      role: participant\n      join: %q\n", rapid.SampledFrom(touchedConditions()).Draw(t, "join"))
		}
		b.WriteString("    rules:\n")
		for i := range rapid.IntRange(1, 3).Draw(t, "rules") {
			fmt.Fprintf(&b, "      - {key: r%d, role: %s, when: %q}\n", i, rapid.SampledFrom([]string{"owner", "participant"}).Draw(t, "role"),
				rapid.SampledFrom(touchedConditions()).Draw(t, "when"))
		}
	}
	return b.String()
}

// draw gives one of the people other facts.
func (w *world) draw(t *rapid.T, i int) directory.Change {
	r := w.record(fmt.Sprint("p", i), "")
	r.UserName = fmt.Sprintf("p%d@corp.example", i)
	of := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	r.Department, r.Title, r.EmployeeType = of("department", "R&D", "Sales", ""), of("title", "Head", "Hand", ""), of("type", "vendor", "")
	r.UnitKey, r.EmployeeNumber = of("unit", "lab", "hall", "desk", ""), fmt.Sprint("k", i)
	r.Labels = map[string]string{"site": of("site", "<x>", "y")}
	r.Active = rapid.IntRange(0, 9).Draw(t, "active") > 0
	if i > 0 {
		r.ManagerKey = fmt.Sprint("p", rapid.IntRange(0, i-1).Draw(t, "manager"))
	}
	switch rapid.IntRange(0, 14).Draw(t, "time") {
	case 0:
		r.StartAt = w.clock().Add(48 * time.Hour)
	case 1:
		r.EndAt = w.clock().Add(72 * time.Hour)
	case 2:
		r.Planned = []directory.Planned{{At: w.clock().Add(24 * time.Hour), Set: map[string]string{"department": "R&D"}}}
	}
	return directory.PutRecord{Record: r}
}

// Whatever the policy was and becomes, whoever people are, and whatever was not followed yet: looking only at those whom an edit touches finds the changes that looking
// at everybody finds.
func TestTouchedFindsAll(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.apply(directory.PutUnit{Unit: directory.Unit{Source: w.source.ID, Key: "hall", Name: `Werk "A"`}},
			directory.PutUnit{Unit: directory.Unit{Source: w.source.ID, Key: "lab", Name: "Lab"}, ParentKey: "hall"},
			directory.PutUnit{Unit: directory.Unit{Source: w.source.ID, Key: "desk", Name: "Desk", Names: map[string]string{"zh": "lab"}}})
		const people = 24
		round, few := 0, 0
		rapid.Check(t, func(t *rapid.T) {
			if round++; round > rounds(20) { // one world, which each draw changes
				return
			}
			for i := range people {
				if round == 1 || rapid.IntRange(0, 3).Draw(t, "change") == 0 {
					w.apply(w.draw(t, i))
				}
			}
			members := map[string][]string{"pilots": {}, "all": {"pilots"}}
			for i := range people {
				if rapid.IntRange(0, 4).Draw(t, "in group") == 0 {
					members[rapid.SampledFrom([]string{"pilots", "all"}).Draw(t, "group")] = append(members["pilots"], fmt.Sprint("p", i))
				}
			}
			for _, key := range []string{"pilots", "all"} {
				w.apply(directory.PutGroup{Group: directory.GroupRecord{Source: w.source.ID, Key: key, DisplayName: key}, Members: members[key]})
				w.pass(time.Second)
			}
			before := touchedPolicy(t)
			w.policy(before)
			list, err := w.people.AllPeople(ctx)
			w.ok(err)
			grant := provisioning.Grant{Person: rapid.SampledFrom(list).Draw(t, "to"), Group: w.channel("one", "c").Group, Role: policies.Participant, Kind: provisioning.KindGrant, Ref: fmt.Sprint(round)}
			if rapid.Bool().Draw(t, "for a while") {
				grant.From, grant.Until = w.clock().Add(2*time.Hour), w.clock().Add(20*time.Hour)
			}
			w.ok(w.r.Give(ctx, directory.Cause{Actor: "tester"}, []provisioning.Grant{grant}, nil))
			grant.Kind, grant.Ref, grant.From, grant.Until = provisioning.KindJoin, provisioning.RefJoin, time.Time{}, time.Time{}
			for range 4 {
				grant.Person = rapid.SampledFrom(list).Draw(t, "who joins")
				w.ok(w.r.Give(ctx, directory.Cause{Actor: "tester"}, []provisioning.Grant{grant}, nil))
			}
			behind := w.head()
			w.people.Access = unsettled{w.r}
			for range rapid.IntRange(0, 2).Draw(t, "late") {
				w.apply(w.draw(t, rapid.IntRange(0, people-1).Draw(t, "who")))
			}
			w.people.Access = w.r
			w.pass(time.Second + time.Duration(rapid.IntRange(0, 30).Draw(t, "hours"))*time.Hour) // what is held twice is held at two instants
			after := edited(t, before)
			looked, diff, err := w.r.TouchedDiffers(ctx, []provisioning.File{{Name: "p.yaml", Source: after}}, behind)
			w.ok(err)
			if diff != "" {
				t.Fatalf("of %s\nto %s\nlooking at %d: (-all +some)\n%s", before, after, looked, diff)
			}
			if looked >= 0 {
				few++
			}
		})
		t.Logf("%d of %d times only some were looked at", few, min(round, 20))
		if few == 0 {
			t.Error("everybody was looked at each time")
		}
	})
}

// unsettled leaves to the follower what is to be settled.
type unsettled struct{ *provisioning.Reactor }

func (unsettled) Settle(context.Context, directory.Cause, []id.Person, int64) error { return nil }

// edited changes one or two conditions of a policy.
func edited(t *rapid.T, policy string) string {
	lines := strings.Split(policy, "\n")
	var conditions []int
	for i, line := range lines {
		if strings.Contains(line, "when: ") || strings.Contains(line, "join: ") {
			conditions = append(conditions, i)
		}
	}
	for range rapid.IntRange(1, 2).Draw(t, "edits") {
		i := rapid.SampledFrom(conditions).Draw(t, "which")
		condition := rapid.SampledFrom(touchedConditions()).Draw(t, "condition")
		if head, _, is := strings.Cut(lines[i], "join: "); is {
			lines[i] = fmt.Sprintf("%sjoin: %q", head, condition)
		} else {
			head, _, _ = strings.Cut(lines[i], "when: ")
			lines[i] = fmt.Sprintf("%swhen: %q}", head, condition)
		}
	}
	return strings.Join(lines, "\n")
}
