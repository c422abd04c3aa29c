package scim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// client provisions as identity providers do: it creates, and where it is answered that the thing is there, it looks it
// up and changes it. Any of its calls may be made again because the answer was lost.
type client struct {
	*service
	t      *rapid.T
	secret string
}

func (c client) send(want string, method, path, body string) reply {
	c.t.Helper()
	r := c.as(c.secret, method, path, body)
	if !strings.Contains(want, fmt.Sprint(r.status)) {
		c.t.Fatalf("%s %s %s: %d %s", method, path, body, r.status, r.raw)
	}
	return r
}

// find answers the id of the one resource that a filter finds.
func (c client) find(endpoint, filter string) string {
	c.t.Helper()
	list := elements(c.send("200", "GET", endpoint+"?filter="+url.QueryEscape(filter), "").body, "Resources")
	if len(list) > 1 {
		c.t.Fatalf("%s finds %d", filter, len(list))
	}
	if len(list) == 0 {
		return ""
	}
	return text(list[0], "id")
}

// user creates a user or finds it, and answers its id.
func (c client) user(name string, more string) string {
	c.t.Helper()
	r := c.send("201 409", "POST", "/Users", fmt.Sprintf(`{"schemas":["%s"],"userName":"%s","externalId":"E-%s","active":true%s}`, userURN, name, name, more))
	if r.status == 201 {
		return r.id()
	}
	link := c.find("/Users", `externalId eq "E-`+name+`"`)
	c.send("200", "PATCH", "/Users/"+link, patch(`{"op":"Replace","path":"active","value":"True"}`+pathless(more)))
	return link
}

// pathless makes the members of a POST an operation.
func pathless(more string) string {
	if more == "" {
		return ""
	}
	return `,{"op":"replace","value":{` + strings.TrimPrefix(more, ",") + `}}`
}

// group creates a group with a member or finds it and adds the member, in one of the dialects.
func (c client) group(name, member string, dialect int) {
	c.t.Helper()
	at := c.find("/Groups", `displayName eq "`+name+`"`)
	if at == "" {
		members := ""
		if member != "" {
			members = `,"members":[{"value":"` + member + `"}]`
		}
		if r := c.send("201 409", "POST", "/Groups", fmt.Sprintf(`{"schemas":["%s"],"displayName":"%s"%s}`, groupURN, name, members)); r.status == 201 {
			return
		}
	}
	if member == "" {
		c.send("204", "PATCH", "/Groups/"+at, patch(`{"op":"replace","path":"displayName","value":"`+name+`"}`))
		return
	}
	c.send("204", "PATCH", "/Groups/"+at, patch(fmt.Sprintf([]string{
		`{"op":"add","path":"members","value":[{"value":"%s"}]}`,
		`{"op":"Add","path":"members","value":[{"value":"%s","display":"x"}]}`,
		`{"op":"add","value":{"members":[{"value":"%s"}]}}`,
		`{"op":"add","path":"members","value":{"value":"%s"}}`,
		`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Group:members","value":["%s"]}`,
		`{"op":"remove","path":"members","value":[{"value":"nobody"}]},{"op":"add","path":"members","value":[{"value":"%s"}]}`,
	}[dialect], member)))
}

func (c client) reference(name string, by int) string {
	switch by {
	case 0:
		return "E-" + name
	case 1:
		return c.user(name, "")
	}
	return strings.ToUpper(name[:1]) + name[1:] // the user name; its letters do not count
}

const enterpriseManager = `,"` + enterpriseURN + `":{"manager":{"value":"%s"}}`

// steps are the calls of a joiner's provisioning: the joiner, the manager, a colleague, their groups, a group in a
// group, later changes. How each names the others is drawn.
func steps(t *rapid.T) []func(client) {
	by := func(label string, n int) int { return rapid.IntRange(0, n-1).Draw(t, label) }
	managerBy, colleagueBy, dialects := by("manager by", 3), by("colleague's manager by", 3), rapid.SliceOfN(rapid.IntRange(0, 5), 4, 4).Draw(t, "dialects")
	memberBy := rapid.SliceOfN(rapid.IntRange(0, 1), 4, 4).Draw(t, "member by")
	asObject, put := rapid.Bool().Draw(t, "manager in POST"), rapid.Bool().Draw(t, "PUT")
	return []func(client){
		func(c client) {
			if asObject {
				c.user("joiner", fmt.Sprintf(enterpriseManager, c.reference("boss", managerBy)))
				return
			}
			c.send("200", "PATCH", "/Users/"+c.user("joiner", ""), patch(`{"op":"add","path":"`+enterpriseURN+`:manager","value":"`+c.reference("boss", managerBy)+`"}`))
		},
		func(c client) { c.user("boss", "") },
		func(c client) { c.user("mate", fmt.Sprintf(enterpriseManager, c.reference("boss", colleagueBy))) },
		func(c client) { c.user("boss", fmt.Sprintf(enterpriseManager, c.reference("boss", managerBy))) }, // their own manager
		func(c client) { c.group("team", "", 0) },
		func(c client) { c.group("team", c.reference("joiner", memberBy[0]), dialects[0]) },
		func(c client) { c.group("team", c.reference("mate", memberBy[1]), dialects[1]) },
		func(c client) { c.group("all", c.reference("joiner", memberBy[2]), dialects[2]) },
		func(c client) { c.group("all", c.reference("boss", memberBy[3]), dialects[3]) },
		func(c client) {
			link := c.user("joiner", "")
			if put {
				r := c.send("200", "GET", "/Users/"+link, "")
				r.body["title"] = "engineer"
				c.send("200", "PUT", "/Users/"+link, mustJSON(c.t, r.body))
				return
			}
			c.send("200", "PATCH", "/Users/"+link, patch(`{"op":"replace","value":{"title":"engineer"}}`))
		},
	}
}

// picture is all that a source's people and groups are, by names.
func (c client) picture(source id.Source) string {
	ctx := context.Background()
	names := map[string]string{}
	persons := map[id.Person]string{}
	var lines []string
	users := elements(c.send("200", "GET", "/Users?count=200", "").body, "Resources")
	for _, u := range users {
		names[text(u, "id")] = text(u, "userName")
		person, err := c.store.Record(ctx, source, id.Link(text(u, "id")))
		if err != nil {
			c.t.Fatal(err)
		}
		persons[person.Person] = text(u, "userName")
	}
	for _, u := range users {
		record, err := c.store.Record(ctx, source, id.Link(text(u, "id")))
		if err != nil {
			c.t.Fatal(err)
		}
		person, err := c.store.Person(ctx, record.Person)
		if err != nil {
			c.t.Fatal(err)
		}
		var in []string
		for _, g := range elements(u, "groups") {
			in = append(in, text(g, "display")+" "+text(g, "type"))
		}
		slices.Sort(in)
		ref := text(u, enterpriseURN, "manager", "$ref")
		lines = append(lines, fmt.Sprint(text(u, "userName"), " ", text(u, "externalId"), " ", u["active"], " ", text(u, "title"), " manager ",
			names[record.ManagerKey], " ", names[ref[strings.LastIndexByte(ref, '/')+1:]], " ", persons[person.Manager], " in ", in))
	}
	for _, g := range elements(c.send("200", "GET", "/Groups?count=200", "").body, "Resources") {
		var members []string
		for _, m := range elements(g, "members") {
			name := names[text(m, "value")]
			if name == "" {
				name = "? " + text(m, "value")
			}
			members = append(members, name+" "+text(m, "type"))
		}
		slices.Sort(members)
		lines = append(lines, fmt.Sprint(text(g, "displayName"), " of ", members))
	}
	slices.Sort(lines)
	return fmt.Sprintln(len(persons), "people") + strings.Join(lines, "\n")
}

const provisioned = `3 people
all of [boss User joiner User]
boss E-boss true  manager boss boss boss in [all direct]
joiner E-joiner true engineer manager boss boss boss in [all direct team direct]
mate E-mate true  manager boss boss boss in [team direct]
team of [joiner User mate User]`

// In whatever order the calls of a joiner's provisioning come, and however often, they end in one state; and once more
// they write nothing.
//
// holds: J05
// holds: J06
func TestProvisioningInAnyOrder(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s, n := start(t, d), 0
		checks := map[db.Engine]int{db.SQLite: 25, db.Postgres: 10}[d.Engine]
		rapid.Check(t, func(rt *rapid.T) {
			if n++; n > checks {
				return
			}
			source, secret, _ := s.newSource(fmt.Sprint("s", n))
			c := client{s, rt, secret}
			calls := steps(rt)
			all := make([]int, len(calls))
			for i := range all {
				all[i] = i
			}
			order := rapid.Permutation(all).Draw(rt, "order")
			for _, i := range order {
				calls[i](c)
				for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(rt, "again") {
					calls[i](c)
				}
			}
			for _, i := range rapid.SliceOfN(rapid.SampledFrom(all), 0, 4).Draw(rt, "once more") {
				calls[i](c)
			}
			if got := c.picture(source.ID); got != provisioned {
				rt.Fatalf("order %v ends as\n%s\nwant\n%s", order, got, provisioned)
			}
			before := s.written()
			for _, i := range order {
				calls[i](c)
			}
			if after := s.written(); after != before {
				rt.Fatalf("order %v: the second run wrote %d audit records: %s", order, after-before, s.leaves(before))
			}
		})
	})
}

func mustJSON(t *rapid.T, v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// leaves answers what was audited after the first n records.
func (s *service) leaves(n int) (out []string) {
	s.t.Helper()
	if err := s.db.Read(context.Background()).Raw("select action || ' ' || leaf from audit_records where seq > ? order by seq", n).Scan(&out).Error; err != nil {
		s.t.Fatal(err)
	}
	return out
}

// written counts all audit records.
func (s *service) written() int {
	s.t.Helper()
	var n int
	if err := s.db.Read(context.Background()).Raw("select size from audit_tree").Scan(&n).Error; err != nil {
		s.t.Fatal(err)
	}
	return n
}
