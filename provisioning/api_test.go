package provisioning_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/provisioning"
)

// site serves the routes of this package to an administrator.
func (w *world) site(check func(context.Context, id.Person, id.Channel, string) (bool, error)) func(method, path string, body any) (int, map[string]any) {
	a := &provisioning.API{Reactor: w.r, Directory: w.people, Index: w.index, Check: check}
	server := &httpapi.Server{Errors: append(provisioning.Cases(), httpapi.Case{Err: directory.ErrNotFound, Status: 404, Code: "not_found"}, httpapi.Case{Err: directory.ErrLive, Status: 409, Code: "live"},
		httpapi.Case{Err: directory.ErrInvalid, Status: 422, Code: "invalid"}),
		Authenticate: func(*http.Request) (httpapi.Caller, error) {
			return httpapi.Caller{Token: "tok_root", Grants: roles.Everything(), Stepped: true}, nil
		}}
	handler := server.Handler([]httpapi.Route{
		httpapi.Op("GET", "/api/v1/people/{id}/memberships", httpapi.Admins, "memberships", a.PersonMemberships),
		httpapi.Op("GET", "/api/v1/people/{id}/unjudged", httpapi.Admins, "unjudged", a.PersonUnjudged),
		httpapi.Op("GET", "/api/v1/unjudged", httpapi.Admins, "unjudged", a.ListUnjudged),
		httpapi.Op("GET", "/api/v1/groups", httpapi.Admins, "groups", a.ListGroups),
		httpapi.Op("GET", "/api/v1/memberships", httpapi.Admins, "members", a.ListMemberships),
		httpapi.Op("GET", "/api/v1/access/explain", httpapi.Admins, "explain", a.Explain),
		httpapi.Op("GET", "/api/v1/access/channels/{id}/audience", httpapi.Admins, "audience", a.ChannelAudience),
		httpapi.Op("GET", "/api/v1/policies", httpapi.Admins, "policies", a.ListPolicies),
		httpapi.Op("GET", "/api/v1/policies/{version}", httpapi.Admins, "policy", a.GetPolicy),
		httpapi.Op("POST", "/api/v1/plans", httpapi.Admins, "plan", a.CreatePlan),
		httpapi.Op("GET", "/api/v1/plans/{id}", httpapi.Admins, "plan", a.GetPlan),
		httpapi.Op("POST", "/api/v1/plans/{id}/apply", httpapi.Admins, "apply", a.ApplyPlan),
		httpapi.Op("GET", "/api/v1/sources/{id}/preview", httpapi.Admins, "preview", a.PreviewSource),
		httpapi.Op("POST", "/api/v1/sources/{id}/live", httpapi.Admins, "go live", a.GoLive),
		httpapi.Op("GET", "/api/v1/holds", httpapi.Admins, "holds", a.ListHolds),
		httpapi.Op("GET", "/api/v1/holds/{id}", httpapi.Admins, "hold", a.GetHold),
		httpapi.Op("POST", "/api/v1/holds/{id}/release", httpapi.Admins, "release", a.ReleaseHold),
		httpapi.Op("POST", "/api/v1/holds/{id}/reject", httpapi.Admins, "reject", a.RejectHold),
	})
	return func(method, path string, body any) (int, map[string]any) {
		w.Helper()
		var text bytes.Buffer
		if body != nil {
			w.ok(json.NewEncoder(&text).Encode(body))
		}
		request := httptest.NewRequest(method, "http://rollcall.test"+path, &text)
		request.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		var out map[string]any
		if err := json.Unmarshal(answer.Body.Bytes(), &out); err != nil {
			w.Fatalf("%s %s: %d %s", method, path, answer.Code, answer.Body)
		}
		return answer.Code, out
	}
}

type file struct {
	Name   string `json:"name"`
	Source string `json:"source"`
}

func plans(text string) map[string]any {
	return map[string]any{"files": []file{{"policy.yaml", text}}}
}

// An administrator plans, applies, looks at who is where, and decides a hold, over HTTP.
func TestAPI(t *testing.T) {
	both(t, func(w *world) {
		do := w.site(nil)
		people := w.putMany(13, "p", "dept=R&D")

		code, plan := do("POST", "/api/v1/plans", plans(policyText))
		if code != 200 || plan["summary"].(map[string]any)["added"] != 26.0 || len(plan["changes"].([]any)) != 26 || plan["changes"].([]any)[0].(map[string]any)["person_name"] == "" {
			w.Fatalf("plan: %d %v", code, plan)
		}
		if code, out := do("GET", "/api/v1/plans/"+plan["id"].(string)+"?limit=20", nil); code != 200 || len(out["changes"].([]any)) != 20 || out["next"] == "" {
			w.Errorf("a page of the plan: %d %v", code, out)
		}
		if code, out := do("POST", "/api/v1/plans/"+plan["id"].(string)+"/apply", map[string]any{"hash": plan["hash"]}); code != 200 || out["written"] != 26.0 {
			w.Fatalf("apply: %d %v", code, out)
		}
		code, out := do("GET", "/api/v1/people/"+string(people[0])+"/memberships", nil)
		if code != 200 || len(out["items"].([]any)) != 2 {
			w.Errorf("memberships: %d %v", code, out)
		}
		code, out = do("GET", "/api/v1/groups?limit=3", nil)
		if code != 200 || len(out["items"].([]any)) != 3 || out["next"] == nil || out["items"].([]any)[0].(map[string]any)["members"] != 13.0 {
			w.Errorf("groups: %d %v", code, out)
		}
		general := w.channel("apollo", "general")
		seen := 0
		for path := "/api/v1/access/channels/" + string(general.ID) + "/audience?limit=5"; path != ""; {
			code, out := do("GET", path, nil)
			if code != 200 {
				w.Fatalf("audience: %d %v", code, out)
			}
			seen += len(out["items"].([]any))
			path = ""
			if next, ok := out["next"].(string); ok {
				path = "/api/v1/access/channels/" + string(general.ID) + "/audience?limit=5&cursor=" + next
			}
		}
		if seen != 13 {
			w.Errorf("%d in the audience", seen)
		}
		if code, out := do("GET", "/api/v1/memberships?group="+string(general.Group), nil); code != 200 || len(out["items"].([]any)) != 13 {
			w.Errorf("members: %d %v", code, out)
		}
		if code, out := do("GET", "/api/v1/policies?limit=5", nil); code != 200 || out["items"].([]any)[0].(map[string]any)["in_force"] != true {
			w.Errorf("policies: %d %v", code, out)
		}
		if code, out := do("GET", "/api/v1/policies/1", nil); code != 200 || !strings.Contains(out["source"].([]any)[0].(map[string]any)["source"].(string), "apollo") {
			w.Errorf("policy: %d %v", code, out)
		}

		keys := make([]string, 13)
		for i := range keys {
			keys[i] = fmt.Sprintf("p%03d", i)
		}
		w.absent(keys...)
		code, out = do("GET", "/api/v1/holds?state=open&limit=100", nil)
		item := out["items"].([]any)[0].(map[string]any)
		if code != 200 || item["count"] != 13.0 || item["people"].([]any)[0].(map[string]any)["display_name"] == "" || item["reason"] == "" {
			w.Errorf("holds: %d %v", code, out)
		}
		if code, out := do("GET", "/api/v1/holds/"+item["id"].(string), nil); code != 200 || len(out["removals"].([]any)) != 26 {
			w.Errorf("hold: %d %v", code, out)
		}
		for _, hold := range w.holds(provisioning.HoldOpen) {
			if code, out := do("POST", "/api/v1/holds/"+string(hold.ID)+"/release", map[string]any{}); code != 200 {
				w.Errorf("release: %d %v", code, out)
			}
			if code, out := do("POST", "/api/v1/holds/"+string(hold.ID)+"/reject", nil); code != 409 || out["code"] != "closed" {
				w.Errorf("decided twice: %d %v", code, out)
			}
		}

	})
}

// Bad input is answered with what is wrong, a status and a stable code.
func TestAPIProblems(t *testing.T) {
	both(t, func(w *world) {
		do := w.site(nil)
		w.policy(policyText)
		w.putMany(13, "p", "dept=R&D")
		_, held := do("POST", "/api/v1/plans", plans(strings.ReplaceAll(policyText, `"R&D"`, `"Nobody"`)))
		if v := held["verdict"].(map[string]any); v["held"] != true || len(v["reasons"].([]any)) == 0 {
			w.Errorf("verdict %v", v)
		}
		path := "/api/v1/plans/" + held["id"].(string) + "/apply"
		for what, c := range map[string]struct {
			method, path string
			body         any
			status       int
			code         string
		}{
			"a rule that does not compile": {"POST", "/api/v1/plans", plans(strings.ReplaceAll(policyText, "person.title", "person.rank")), 422, "policy_invalid"},
			"a held plan":                  {"POST", path, map[string]any{"hash": held["hash"]}, 409, "held"},
			"another hash":                 {"POST", path, map[string]any{"hash": "00", "confirm": true}, 409, "plan_hash"},
			"no such plan":                 {"GET", "/api/v1/plans/pln_x", nil, 404, "not_found"},
			"no such hold":                 {"GET", "/api/v1/holds/hld_x", nil, 404, "not_found"},
			"no such channel":              {"GET", "/api/v1/access/channels/chn_x/audience", nil, 404, "not_found"},
			"no such person":               {"GET", "/api/v1/people/per_x/memberships", nil, 404, "not_found"},
			"no such group":                {"GET", "/api/v1/memberships?group=grp_x", nil, 404, "not_found"},
			"no such version":              {"GET", "/api/v1/policies/9", nil, 404, "not_found"},
			"explain nobody":               {"GET", "/api/v1/access/explain?person=per_x&channel=" + string(w.channel("apollo", "general").ID), nil, 404, "not_found"},
			"a cursor of one's own":        {"GET", "/api/v1/groups?cursor=x", nil, 400, "invalid_cursor"},
		} {
			code, out := do(c.method, c.path, c.body)
			if code != c.status || out["code"] != c.code {
				w.Errorf("%s: %d %v, want %d %s", what, code, out, c.status, c.code)
			}
			if c.code == "held" && len(out["problems"].([]any)) == 0 || c.code == "policy_invalid" && !strings.Contains(out["detail"].(string), "policy.yaml:10:") {
				w.Errorf("%s: %v", what, out)
			}
		}
	})
}

// An explanation goes from the rule over the facts and the reason to the tuples, or says what is missing, and stands
// beside what the relations decide.
func TestExplain(t *testing.T) {
	both(t, func(w *world) {
		openfga := errors.New("behind")
		do := w.site(func(context.Context, id.Person, id.Channel, string) (bool, error) { return true, openfga })
		w.policy(policyText)
		p, q := w.put("ada", "dept=R&D"), w.put("bob", "dept=Sales")
		general, leads := w.channel("apollo", "general"), w.channel("apollo", "leads")
		ask := func(person id.Person, channel id.Channel) map[string]any {
			code, out := do("GET", "/api/v1/access/explain?"+url.Values{"person": {string(person)}, "channel": {string(channel)}}.Encode(), nil)
			if code != 200 {
				w.Fatalf("%d %v", code, out)
			}
			return out
		}
		kinds := func(list any) string {
			var out []string
			for _, line := range list.([]any) {
				l := line.(map[string]any)
				text := l["text"].(map[string]any)
				if text["en"] == "" || text["zh"] == "" {
					w.Errorf("no text: %v", l)
				}
				out = append(out, l["kind"].(string))
			}
			return strings.Join(out, " ")
		}
		seen := ask(p, general.ID)
		if seen["allowed"] != true || seen["index"] != true || seen["openfga"] != nil || seen["since"] == nil {
			w.Errorf("%v", seen)
		}
		w.want("path", kinds(seen["path"]), "rule fact reason tuple tuple")
		fact := seen["path"].([]any)[1].(map[string]any)["text"].(map[string]any)["en"]
		w.want("fact", fact.(string), `person.department is "R&D"`)
		if by := seen["path"].([]any)[2].(map[string]any)["by"]; by != "tester" {
			w.Errorf("by %v", by)
		}

		unseen := ask(q, general.ID)
		w.want("missing", kinds(unseen["missing"]), "rule fact rule fact fact")
		w.want("a role without access", kinds(ask(p, leads.ID)["missing"]), "role")
		w.put("ada", "dept=R&D active=false")
		frozen := ask(p, general.ID)
		if frozen["allowed"] != false || frozen["index"] != false || kinds(frozen["path"]) != "rule fact reason tuple tuple" {
			w.Errorf("frozen: %v", frozen)
		}
		w.want("frozen", kinds(frozen["missing"]), "freeze tuple")
		if by := frozen["missing"].([]any)[0].(map[string]any)["by"]; by != "hr" {
			w.Errorf("frozen by %v", by)
		}
		w.apply(directory.DeleteRecord{Source: w.source.ID, Key: "bob"})
		if m := kinds(ask(q, w.channel("sales", "general").ID)["missing"]); !strings.HasSuffix(m, "person") {
			w.Errorf("left: %s", m)
		}
		dm, err := w.r.DirectChannel(ctx, directory.Cause{}, w.put("cleo", ""), w.put("dora", ""))
		w.ok(err)
		w.want("not one's own", kinds(ask(p, dm.ID)["missing"]), "channel freeze tuple")
		openfga = nil
		if out := ask(w.put("cleo", ""), dm.ID); out["allowed"] != true || out["openfga"] != true {
			w.Errorf("direct: %v", out)
		}
	})
}

// Who sees a channel now is one answer, asked with an instant or without: nobody whose place a freeze stops, or has yet to begin. These are members of the group.
func TestAudienceIsWhoSees(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		do := w.site(nil)
		w.putMany(7, "p", "dept=R&D")
		w.put("p001", "dept=R&D active=false")
		w.put("p004", "dept=R&D start=48h")
		general := w.channel("apollo", "general")
		list := func(path string) (out []string) {
			w.Helper()
			for path != "" {
				_, page := do("GET", path+"&limit=2", nil)
				for _, item := range page["items"].([]any) {
					e := item.(map[string]any)
					text := e["person"].(map[string]any)["display_name"].(string)
					if e["suspended"] == true {
						text += "!"
					}
					out = append(out, text)
				}
				next, more := page["next"].(string)
				if before, _, _ := strings.Cut(path, "&cursor="); more {
					path = before + "&cursor=" + next
				} else {
					path = ""
				}
			}
			slices.Sort(out)
			return out
		}
		audience := "/api/v1/access/channels/" + string(general.ID) + "/audience?at="
		now := strings.Join(list(audience), " ")
		w.want("now", now, "P000 P002 P003 P005 P006")
		w.want("at this instant", strings.Join(list(audience+url.QueryEscape(w.clock().Format(time.RFC3339Nano))), " "), now)
		w.want("members", strings.Join(list("/api/v1/memberships?group="+string(general.Group)), " "), "P000 P001! P002 P003 P004! P005 P006")
	})
}
