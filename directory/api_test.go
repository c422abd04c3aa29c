package directory_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/roles"
)

func (w *world) serve() *httptest.Server {
	api := &directory.API{Store: w.Store}
	op := httpapi.Admins
	server := &httpapi.Server{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Version: "test",
		Authenticate: func(*http.Request) (httpapi.Caller, error) {
			return httpapi.Caller{Token: "tok_admin", Grants: roles.Everything(), Stepped: true}, nil
		},
		Errors: []httpapi.Case{{Err: directory.ErrNotFound, Status: 404, Code: "not_found"}, {Err: directory.ErrSourceFreeze, Status: 409, Code: "source_freeze"},
			{Err: directory.ErrTokens, Status: 409, Code: "too_many_tokens"}, {Err: directory.ErrExists, Status: 409, Code: "exists"}, {Err: directory.ErrInvalid, Status: 422, Code: "invalid"}}}
	s := httptest.NewServer(server.Handler([]httpapi.Route{
		httpapi.Op("GET", "/api/v1/people", op, "people", api.ListPeople),
		httpapi.Op("GET", "/api/v1/people/{id}", op, "person", api.GetPerson),
		httpapi.Op("POST", "/api/v1/people/{id}/freeze", op, "freeze", api.Freeze),
		httpapi.Op("POST", "/api/v1/people/{id}/unfreeze", op, "unfreeze", api.Unfreeze),
		httpapi.Op("GET", "/api/v1/units", op, "units", api.ListUnits),
		httpapi.Op("GET", "/api/v1/sources", op, "sources", api.ListSources),
		httpapi.Op("GET", "/api/v1/sources/{id}", op, "source", api.GetSource),
		httpapi.Op("POST", "/api/v1/sources", op, "create a source", api.CreateSource),
		httpapi.Op("POST", "/api/v1/sources/{id}/tokens", op, "issue a token", api.IssueToken).Unrepeatable(),
		httpapi.Op("DELETE", "/api/v1/sources/{id}/tokens/{token}", op, "revoke a token", api.RevokeToken),
		httpapi.Op("GET", "/api/v1/directory-groups", op, "groups", api.ListDirectoryGroups),
		httpapi.Op("GET", "/api/v1/directory-groups/{id}/members", op, "members", api.ListMembers),
	}))
	w.Cleanup(s.Close)
	return s
}

func (w *world) call(s *httptest.Server, method, path, body string, status int) map[string]any {
	w.Helper()
	req, err := http.NewRequestWithContext(w.ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := s.Client().Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		w.Fatalf("%s %s: %d %s, %v", method, path, res.StatusCode, text, err)
	}
	out := map[string]any{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &out); err != nil {
			w.Fatalf("%s: %v", text, err)
		}
	}
	return out
}

func items(m map[string]any) []any {
	list, _ := m["items"].([]any)
	return list
}

func TestAPI(t *testing.T) {
	run(t, func(w *world) {
		s := w.serve()
		boss := w.put("boss", func(r *directory.Record) { r.DisplayName = "Boss" })
		p := w.put("li", func(r *directory.Record) { r.DisplayName, r.UnitKey, r.ManagerKey = "李娜", "rnd", "boss" })
		w.apply(directory.PutUnit{Unit: directory.Unit{Source: w.ldap, Key: "rnd", Name: "R&D", Names: map[string]string{"zh": "研发"}}},
			directory.PutGroup{Group: directory.GroupRecord{Source: w.ldap, Key: "g", DisplayName: "G"}, Members: []string{"li", "unknown"}})

		got := items(w.call(s, "GET", "/api/v1/people?q=%E6%9D%8E", "", 200))
		if len(got) != 1 {
			t.Fatalf("%v", got)
		}
		li := got[0].(map[string]any)
		if li["display_name"] != "李娜" || li["manager"].(map[string]any)["display_name"] != "Boss" || li["unit"].(map[string]any)["names"].(map[string]any)["zh"] != "研发" ||
			li["status"] != "active" || li["frozen"] != false || li["groups"].([]any)[0] != "corp/G" {
			t.Errorf("%v", li)
		}
		page := w.call(s, "GET", "/api/v1/people?limit=1", "", 200)
		rest := w.call(s, "GET", "/api/v1/people?limit=1&cursor="+page["next"].(string), "", 200)
		if len(items(rest)) != 1 || rest["next"] != nil {
			t.Errorf("%v", rest)
		}
		w.call(s, "GET", "/api/v1/people?cursor=x", "", 422)
		w.call(s, "GET", "/api/v1/people/per_none", "", 404)

		frozen := w.call(s, "POST", "/api/v1/people/"+string(p.Person)+"/freeze", `{"reason":"lost laptop","veto":true}`, 200)
		if frozen["open"] != true || frozen["veto"] != true || frozen["slot"] != "security" {
			t.Errorf("%v", frozen)
		}
		one := w.call(s, "GET", "/api/v1/people/"+string(p.Person), "", 200)
		if one["frozen"] != true || len(one["freezes"].([]any)) != 1 || one["records"].([]any)[0].(map[string]any)["source"].(map[string]any)["kind"] != "ldap" || len(one["affiliations"].([]any)) != 1 {
			t.Errorf("%v", one)
		}
		unfreeze := `{"freeze":"` + frozen["id"].(string) + `"}`
		w.call(s, "POST", "/api/v1/people/"+string(boss.Person)+"/unfreeze", unfreeze, 404) // of somebody else
		w.call(s, "POST", "/api/v1/people/"+string(p.Person)+"/unfreeze", unfreeze, 200)
		records, err := audit.List(w.ctx, w.db, audit.Filter{Action: "person.frozen"})
		if err != nil || len(records) != 1 || records[0].Actor != "tok_admin" || records[0].Personal["reason"] != "lost laptop" {
			t.Errorf("%+v, %v", records, err)
		}
		w.put("li", active(false))
		one = w.call(s, "GET", "/api/v1/people/"+string(p.Person), "", 200)
		ours := one["freezes"].([]any)[0].(map[string]any)["id"].(string)
		w.call(s, "POST", "/api/v1/people/"+string(p.Person)+"/unfreeze", `{"freeze":"`+ours+`"}`, 409)
		if one = w.call(s, "GET", "/api/v1/people/"+string(boss.Person), "", 200); one["absent"] != false || one["absent_since"] != nil {
			t.Errorf("shown: %v", one)
		}
		w.apply(directory.MarkAbsent{Source: w.ldap, Keys: []string{"boss"}, Proof: "SyncDone"})
		if one = w.call(s, "GET", "/api/v1/people/"+string(boss.Person), "", 200); one["absent"] != true || one["absent_since"] == nil ||
			one["absent_since"] != one["records"].([]any)[0].(map[string]any)["absent_since"] || one["status"] != "active" {
			t.Errorf("missed: %v", one)
		}

		if u := items(w.call(s, "GET", "/api/v1/units", "", 200)); len(u) != 1 || u[0].(map[string]any)["key"] != "rnd" {
			t.Errorf("%v", u)
		}
		groups := items(w.call(s, "GET", "/api/v1/directory-groups?q=g&limit=1", "", 200))
		if len(groups) != 1 || groups[0].(map[string]any)["members"] != 2.0 {
			t.Fatalf("%v", groups)
		}
		path := "/api/v1/directory-groups/" + groups[0].(map[string]any)["id"].(string) + "/members?limit=1"
		first := w.call(s, "GET", path, "", 200)
		second := w.call(s, "GET", path+"&cursor="+first["next"].(string), "", 200)
		if items(first)[0].(map[string]any)["person"] != string(p.Person) || items(second)[0].(map[string]any)["pending"] != true || second["next"] != nil {
			t.Errorf("%v %v", first, second)
		}
		w.call(s, "GET", "/api/v1/directory-groups/dgr_none/members", "", 404)
	})
}

func TestSourceAPI(t *testing.T) {
	run(t, func(w *world) {
		s := w.serve()
		made := w.call(s, "POST", "/api/v1/sources", `{"name":"okta","kind":"scim","priority":5,"correlate":["employee_number"]}`, 200)
		path := "/api/v1/sources/" + made["id"].(string) + "/tokens"
		token := w.call(s, "POST", path, `{"name":"prod"}`, 200)
		if source, _, err := w.CheckSourceToken(w.ctx, token["secret"].(string)); err != nil || source.Name != "okta" || source.Correlate[0] != "employee_number" {
			t.Errorf("%+v, %v", source, err)
		}
		w.call(s, "POST", path, `{}`, 200)
		w.call(s, "POST", path, `{}`, 409)
		w.call(s, "DELETE", path+"/"+token["id"].(string), "", 204)
		w.call(s, "POST", "/api/v1/sources", `{"name":"okta","kind":"scim"}`, 409)
		w.call(s, "POST", "/api/v1/sources", `{"name":"Okta!","kind":"scim"}`, 422)
		w.post("zhang.wei", func(r *directory.Record) { r.ManagerKey = "boss" })
		w.apply(directory.CreateGroup{Group: directory.GroupRecord{Source: w.scim, DisplayName: "g"}, Members: []string{"nobody"}})
		counts := w.call(s, "GET", "/api/v1/sources/"+string(w.scim), "", 200)["counts"].(map[string]any)
		for name, want := range map[string]float64{"records": 1, "active": 1, "groups": 1, "units": 0, "pending_members": 1, "pending_managers": 1, "pending_units": 0} {
			if counts[name] != want {
				t.Errorf("%s: %v, want %v", name, counts[name], want)
			}
		}
		w.call(s, "GET", "/api/v1/sources/src_none", "", 404)
		all := items(w.call(s, "GET", "/api/v1/sources", "", 200))
		if len(all) != 3 || len(all[0].(map[string]any)["tokens"].([]any)) != 2 || strings.Contains(all[0].(map[string]any)["name"].(string), "rcs_") {
			t.Errorf("%v", all)
		}
	})
}
