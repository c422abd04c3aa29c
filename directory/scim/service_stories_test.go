package scim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

func (s *service) record(link string) directory.Record {
	s.t.Helper()
	record, err := s.store.Record(context.Background(), s.source.ID, id.Link(link))
	if err != nil {
		s.t.Fatal(err)
	}
	return record
}

func (s *service) person(link string) directory.Person {
	s.t.Helper()
	p, err := s.store.Person(context.Background(), s.record(link).Person)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// open answers the causes of the freezes that stand now for a person.
func (s *service) open(person id.Person) []directory.FreezeCause {
	s.t.Helper()
	freezes, err := s.store.Freezes(context.Background(), person)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []directory.FreezeCause
	for _, f := range freezes {
		if f.OpenAt(time.Now()) {
			out = append(out, f.Cause)
		}
	}
	return out
}

// Each shape of offboarding answers only after the barrier, and does so again when it is repeated; a client that
// hangs up does not stop it.
//
// holds: J15
// holds: J16
// holds: attack scim-09
func TestOffboardingWaitsForTheBarrier(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		shapes := []struct {
			name, method, body string
			status, repeated   int
		}{
			{"PATCH without a path", http.MethodPatch, patch(`{"op":"replace","value":{"active":false}}`), 200, 200},
			{"PATCH with a path", http.MethodPatch, patch(`{"op":"replace","path":"active","value":false}`), 200, 200},
			{"PATCH with a text", http.MethodPatch, patch(`{"op":"Replace","path":"active","value":"False"}`), 200, 200},
			{"PUT", http.MethodPut, `{"schemas":["` + userURN + `"],"userName":"u3","active":false}`, 200, 200},
			{"DELETE", http.MethodDelete, "", 204, 404},
		}
		for i, shape := range shapes {
			link := s.user(fmt.Sprintf(`"userName":"u%d","active":true`, i)).id()
			person := s.record(link).Person
			for round, want := range []int{shape.status, shape.repeated} {
				frozen, settled := s.audits("person.frozen"), len(s.access.settles())
				gate, waiting := make(chan struct{}), s.access.entered()
				s.access.hold(gate)
				answered := make(chan reply, 1)
				go func() { answered <- s.do(shape.method, "/Users/"+link, shape.body) }()
				for s.access.entered() == waiting { // until the call stands before the barrier
					if len(answered) > 0 {
						break
					}
					time.Sleep(time.Millisecond)
				}
				select {
				case r := <-answered:
					t.Fatalf("%s, round %d: answered %d %s before the barrier", shape.name, round, r.status, r.raw)
				case <-time.After(20 * time.Millisecond):
				}
				if got := s.open(person); len(got) != 1 {
					t.Errorf("%s: freezes %v while the call waits", shape.name, got)
				}
				close(gate)
				s.want(want, <-answered)
				s.access.hold(nil)
				if got := s.access.settles(); len(got) == settled || got[len(got)-1] == 0 {
					t.Errorf("%s, round %d: waited for %v", shape.name, round, got[settled:])
				}
				if got := s.audits("person.frozen") - frozen; got != 1-round {
					t.Errorf("%s, round %d: %d audit records of the freeze", shape.name, round, got)
				}
			}
		}
	})
}

func TestHangingUpDoesNotStopAnOffboarding(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	link := s.user(`"userName":"u"`).id()
	gate := make(chan struct{})
	s.access.hold(gate)
	ctx, hangUp := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodPatch, Root+"/Users/"+link, strings.NewReader(patch(`{"op":"replace","path":"active","value":false}`)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.secret)
	answered := make(chan struct{})
	before := len(s.access.settles())
	waiting := s.access.entered()
	go func() { s.h.ServeHTTP(&sink{header: http.Header{}}, r); close(answered) }()
	for s.access.entered() == waiting {
		time.Sleep(time.Millisecond)
	}
	hangUp()
	close(gate)
	<-answered
	if got := s.access.settles(); len(got) <= before || got[before] == 0 {
		t.Fatalf("waited for %v", got)
	}
}

// holds: attack scim-01
func TestExternalIDNeverNamesSomebodyElse(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		admin := s.user(`"userName":"admin","externalId":"hr-1","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"1"}`).id()
		before := s.person(admin)
		other, secret, _ := s.newSource("okta")
		r := s.want(201, s.as(secret, http.MethodPost, "/Users", `{"schemas":["`+userURN+`"],"userName":"admin","externalId":"1","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"1"}}`))
		record, err := s.store.Record(context.Background(), other.ID, id.Link(r.id()))
		if err != nil || record.Person == before.ID {
			t.Fatalf("the newcomer is %s, the admin %s, %v", record.Person, before.ID, err)
		}
		if after := s.person(admin); after.Version != before.Version {
			t.Errorf("the admin changed: %+v", after)
		}
		if s.want(201, s.do(http.MethodPost, "/Users", `{"schemas":["`+userURN+`"],"userName":"x","externalId":"`+admin+`"}`)).id() == admin {
			t.Error("an externalId that looks like an id became it")
		}
	})
}

// holds: attack scim-02
// holds: attack scim-03
func TestActiveUnsaidIsUnchanged(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		for _, active := range []bool{true, false} {
			link := s.user(fmt.Sprintf(`"userName":"u-%v","active":%v`, active, active)).id()
			for _, r := range []reply{
				s.want(200, s.do(http.MethodPatch, "/Users/"+link, patch(`{"op":"replace","path":"title","value":"a"}`))),
				s.want(200, s.do(http.MethodPatch, "/Users/"+link, patch(`{"op":"replace","value":{"title":"b","active":null}}`))),
				s.want(200, s.do(http.MethodPatch, "/Users/"+link, patch(`{"op":"remove","path":"active"}`))),
				s.want(200, s.do(http.MethodPut, "/Users/"+link, fmt.Sprintf(`{"schemas":["%s"],"userName":"u-%v","active":null}`, userURN, active))),
			} {
				if r.body["active"] != active {
					t.Errorf("active became %v", r.body["active"])
				}
			}
			s.wantError(400, "invalidValue", s.do(http.MethodPatch, "/Users/"+link, patch(`{"op":"replace","path":"title","value":"z"},{"op":"replace","path":"active","value":"banana"}`)))
			if got := s.record(link); got.Title != "" || got.Active != active {
				t.Errorf("a refused PATCH left %+v", got)
			}
		}
	})
}

// A deactivation and a POST under another name is one person, and so is a rehire; somebody who gets a former
// colleague's user name and address is not.
//
// holds: J14
// holds: J26
// holds: J28
func TestWhoComesBack(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		off := patch(`{"op":"replace","path":"active","value":false}`)
		old := s.user(`"userName":"wei.zhang","externalId":"e1","emails":[{"value":"zhang.wei@example.cn"}]`).id()
		person := s.record(old).Person
		group := s.group(`"displayName":"g","members":[{"value":"` + old + `"}]`).id()
		s.want(200, s.do(http.MethodPatch, "/Users/"+old, off))
		if !s.members(group)[old] {
			t.Error("the membership of an inactive user is gone")
		}
		renamed := s.user(`"userName":"w.zhang","externalId":"e1","active":true`).id()
		if renamed != old || s.record(renamed).Person != person || len(s.open(person)) != 0 {
			t.Errorf("renamed: %s %s, frozen %v", renamed, s.record(renamed).Person, s.open(person))
		}
		s.wantError(409, "uniqueness", s.do(http.MethodPost, "/Users", `{"schemas":["`+userURN+`"],"userName":"third","externalId":"e1"}`))
		s.want(204, s.do(http.MethodDelete, "/Users/"+old, ""))
		successor := s.user(`"userName":"w.zhang","externalId":"e2","emails":[{"value":"zhang.wei@example.cn"}]`).id()
		if s.record(successor).Person == person || s.members(group)[successor] {
			t.Error("a new colleague inherited from their predecessor")
		}
		rehired := s.user(`"userName":"wei.zhang","externalId":"e1"`).id()
		if rehired == old || s.record(rehired).Person != person || len(s.open(person)) != 0 {
			t.Errorf("rehired: %s is %s, want %s, frozen %v", rehired, s.record(rehired).Person, person, s.open(person))
		}
		if s.members(group)[rehired] {
			t.Error("a re-created user inherited a membership")
		}
		number := s.user(`"userName":"again","externalId":"e9","emails":[{"value":"zhang.wei@example.cn"}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"2"}`).id()
		if p := s.record(number).Person; p == person || p == s.record(successor).Person {
			t.Error("merged by e-mail")
		}
	})
}

// holds: J05
func TestManagerComesLater(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		report := func(name, manager string) string {
			return s.user(`"userName":"` + name + `","` + enterpriseURN + `":{"manager":{"value":"` + manager + `"}}`).id()
		}
		byExternal, byName := report("r1", "hr-9"), report("r2", "boss@example.cn")
		if s.person(byExternal).Manager != "" {
			t.Error("a manager out of nowhere")
		}
		boss := s.user(`"userName":"boss@example.cn","externalId":"hr-9"`).id()
		later := report("r3", "hr-9")
		for _, link := range []string{byExternal, byName, later} {
			if got := s.person(link).Manager; got != s.record(boss).Person {
				t.Errorf("%s: manager %q", link, got)
			}
		}
		r := s.do(http.MethodGet, "/Users/"+byName, "")
		manager := r.body[enterpriseURN].(map[string]any)["manager"].(map[string]any)
		if manager["value"] != "boss@example.cn" || manager["$ref"] != "https://rollcall.example"+Root+"/Users/"+boss {
			t.Errorf("manager is answered as %v", manager)
		}
		s.want(200, s.do(http.MethodPatch, "/Users/"+boss, patch(`{"op":"replace","path":"userName","value":"renamed"}`)))
		s.want(200, s.do(http.MethodPatch, "/Users/"+byName, patch(`{"op":"replace","path":"title","value":"t"}`)))
		if got := s.person(byName).Manager; got != s.record(boss).Person {
			t.Error("a manager who was renamed is lost")
		}
		s.want(200, s.do(http.MethodPatch, "/Users/"+byName, patch(`{"op":"replace","path":"`+enterpriseURN+`:manager","value":{"value":""}}`)))
		if s.person(byName).Manager != "" {
			t.Error("a removed manager stays")
		}
	})
}

// Whatever the order of the requests, the group ends with the same members.
//
// holds: J06
func TestMembersInAnyOrder(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		round := 0
		permute([]int{0, 1, 2, 3}, func(order []int) {
			round++
			group := s.group(fmt.Sprintf(`"displayName":"g%d"`, round)).id()
			a, b := fmt.Sprintf("ext-a-%d", round), fmt.Sprintf("ext-b-%d", round)
			links := map[string]string{}
			for _, step := range order {
				switch step {
				case 0, 1:
					name := []string{a, b}[step]
					links[name] = s.user(`"userName":"` + name + `","externalId":"` + name + `"`).id()
				case 2:
					s.want(204, s.do(http.MethodPatch, "/Groups/"+group, patch(`{"op":"Add","path":"members","value":[{"value":"`+a+`"},{"value":"nobody"}]}`)))
				case 3:
					s.want(204, s.do(http.MethodPatch, "/Groups/"+group, patch(`{"op":"Add","path":"members","value":[{"value":"`+b+`"}]},{"op":"remove","path":"members[value eq \"gone\"]"}`)))
				}
			}
			got := s.members(group)
			if len(got) != 3 || !got[links[a]] || !got[links[b]] || !got["nobody"] {
				t.Errorf("order %v: members %v, want %v", order, got, links)
			}
			s.want(204, s.do(http.MethodPatch, "/Groups/"+group, patch(`{"op":"Remove","path":"members","value":[{"value":"`+a+`"},{"value":"`+links[b]+`"}]}`)))
			if got := s.members(group); len(got) != 1 || !got["nobody"] {
				t.Errorf("order %v: after the removal %v", order, got)
			}
		})
	})
}

func permute(list []int, fn func([]int)) {
	var walk func(int)
	walk = func(i int) {
		if i == len(list) {
			fn(list)
			return
		}
		for j := i; j < len(list); j++ {
			list[i], list[j] = list[j], list[i]
			walk(i + 1)
			list[i], list[j] = list[j], list[i]
		}
	}
	walk(0)
}

// Of a third of the company deactivated at once, each is frozen before its own answer, and nothing else is touched
// (the half of J35 and of attack scim-08 that is not the guard's).
func TestBurstOfDeactivations(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		var links, members []string
		for i := range 30 {
			link := s.user(fmt.Sprintf(`"userName":"u%d"`, i)).id()
			links, members = append(links, link), append(members, `{"value":"`+link+`"}`)
		}
		group := s.group(`"displayName":"all","members":[` + strings.Join(members, ",") + `]`).id()
		for _, link := range links[:9] {
			s.want(200, s.do(http.MethodPatch, "/Users/"+link, patch(`{"op":"replace","path":"active","value":false}`)))
			if got := s.open(s.record(link).Person); len(got) != 1 || got[0] != directory.CauseDisabled {
				t.Fatalf("%s: freezes %v at the answer", link, got)
			}
		}
		if n := len(s.members(group)); n != 30 {
			t.Errorf("the group has %d members left", n)
		}
		for _, link := range links[:9] {
			s.want(200, s.do(http.MethodPatch, "/Users/"+link, patch(`{"op":"replace","path":"active","value":true}`)))
			if got := s.open(s.record(link).Person); len(got) != 0 {
				t.Errorf("%s: still frozen by %v", link, got)
			}
		}
	})
}

// An empty list is the only way to say "nobody"; what cannot be read is never taken for it (the half of attack
// scim-10 that is not the guard's).
func TestGroupIsNotWipedByAccident(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	a := s.user(`"userName":"a"`).id()
	group := s.group(`"displayName":"g","members":[{"value":"` + a + `"}]`).id()
	for _, operation := range []string{`{"op":"replace","path":"members","value":[{"value":""}]}`, `{"op":"replace","path":"members","value":[{"display":"x"}]}`,
		`{"op":"remove","path":"members","value":[{"value":null}]}`} {
		s.wantError(400, "invalidValue", s.do(http.MethodPatch, "/Groups/"+group, patch(operation)))
	}
	s.wantError(400, "invalidValue", s.do(http.MethodPut, "/Groups/"+group, `{"schemas":["`+groupURN+`"],"displayName":"g","members":[{"display":"x"}]}`))
	s.want(204, s.do(http.MethodPatch, "/Groups/"+group, patch(`{"op":"remove","path":"members","value":[]}`)))
	s.want(200, s.do(http.MethodPut, "/Groups/"+group, `{"schemas":["`+groupURN+`"],"displayName":"g2"}`))
	s.want(204, s.do(http.MethodPatch, "/Groups/"+group, patch(`{"op":"add","path":"members","value":[]}`)))
	if !s.members(group)[a] {
		t.Fatal("the member is gone")
	}
	before := s.audits("group.changed")
	s.want(204, s.do(http.MethodPatch, "/Groups/"+group, patch(`{"op":"replace","path":"members","value":[]}`)))
	s.want(204, s.do(http.MethodPatch, "/Groups/"+group, patch(`{"op":"replace","path":"members","value":[]}`)))
	if n := len(s.members(group)); n != 0 {
		t.Errorf("%d members stay", n)
	}
	if n := s.audits("group.changed") - before; n != 1 {
		t.Errorf("%d audit records", n)
	}
}

// holds: attack scim-11
func TestCycles(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		a, b := s.user(`"userName":"a"`).id(), s.user(`"userName":"b"`).id()
		for _, pair := range [][2]string{{a, b}, {b, a}, {a, a}} {
			s.want(200, s.do(http.MethodPatch, "/Users/"+pair[0], patch(`{"op":"add","path":"`+enterpriseURN+`:manager","value":"`+pair[1]+`"}`)))
		}
		outer := s.group(`"displayName":"outer","members":[{"value":"` + a + `"}]`).id()
		inner := s.group(`"displayName":"inner","members":[{"value":"` + outer + `"}]`).id()
		s.want(204, s.do(http.MethodPatch, "/Groups/"+outer, patch(`{"op":"add","path":"members","value":[{"value":"`+inner+`"},{"value":"`+outer+`"}]}`)))
		if got := s.members(outer); !got[outer] || !got[inner] || !got[a] {
			t.Errorf("members %v", got)
		}
		if n := len(elements(s.want(200, s.do(http.MethodGet, "/Users/"+a, "")).body, "groups")); n != 2 {
			t.Errorf("%d groups", n)
		}
		for _, warning := range []string{"managers form a cycle", "group is a member of itself"} {
			if n := strings.Count(s.log.String(), warning); n != 2 {
				t.Errorf("%q is warned of %d times", warning, n)
			}
		}
	})
}

// Dates are days where the person lives.
func TestEmploymentDates(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	future := func(days int) string { return time.Now().AddDate(0, 0, days).Format(time.DateOnly) }
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	link := s.user(`"userName":"u","timezone":"Asia/Shanghai","` + EmploymentURN + `":{"startDate":"` + future(5) + `","endDate":"` + future(9) + `"}`).id()
	got := s.record(link)
	day := func(days int) time.Time {
		at, err := time.ParseInLocation(time.DateOnly, future(days), shanghai)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	if !got.StartAt.Equal(day(5)) || !got.EndAt.Equal(day(10)) {
		t.Errorf("from %v until %v", got.StartAt.In(shanghai), got.EndAt.In(shanghai))
	}
	if p := s.person(link); p.Status != directory.StatusPending || !p.Frozen {
		t.Errorf("status %s, frozen %v", p.Status, p.Frozen)
	}
	s.want(200, s.do(http.MethodPatch, "/Users/"+link, patch(`{"op":"replace","path":"timezone","value":"Nowhere/Land"}`)))
	if got := s.record(link); got.StartAt.Format("15:04") != "00:00" {
		t.Errorf("an unknown zone starts at %v", got.StartAt)
	}
	s.want(200, s.do(http.MethodPatch, "/Users/"+link, patch(`{"op":"remove","path":"`+EmploymentURN+`"}`)))
	if got := s.record(link); !got.StartAt.IsZero() || !got.EndAt.IsZero() {
		t.Errorf("removed dates stay: %v %v", got.StartAt, got.EndAt)
	}
}

// What no schema knows is kept, named in the audit, and answered to nobody.
func TestUnknownAttributes(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	r := s.user(`"userName":"u","badge":"7","urn:x:custom":{"floor":"3"},"` + enterpriseURN + `":{"desk":"12"}`)
	if strings.Contains(r.raw, "badge") || strings.Contains(r.raw, "custom") || strings.Contains(r.raw, "desk") {
		t.Errorf("answered: %s", r.raw)
	}
	s.want(200, s.do(http.MethodPatch, "/Users/"+r.id(), patch(`{"op":"replace","path":"urn:x:custom:floor","value":"4"},{"op":"add","value":{"colour":"red"}}`)))
	var raw resource
	if err := json.Unmarshal(s.record(r.id()).Raw, &raw); err != nil {
		t.Fatal(err)
	}
	if raw["badge"] != "7" || raw["colour"] != "red" || text(raw, "urn:x:custom", "floor") != "4" || raw[enterpriseURN+":desk"] != "12" || raw["password"] != nil {
		t.Errorf("kept %v", raw)
	}
}
