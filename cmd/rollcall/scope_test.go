package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// ask answers the status and the body of a request, without what differs between any two: ids of requests.
func (b *bench) ask(method, path, token, body string) (int, string) {
	b.tb.Helper()
	request, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.tb.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.tb.Fatal(err)
	}
	var fields map[string]any
	if json.Unmarshal(text, &fields) == nil {
		delete(fields, "request_id")
		text, _ = json.Marshal(fields)
	}
	return answer.StatusCode, string(text)
}

// Nobody sees or edits what lies outside of their role's unit or group: on every route that lets such callers in, by real ids of what is
// outside. A route that says it looks at scopes wants a case here.
func TestScopes(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			dbtest.DSN(t, engine)
			s := newBench(t, engine)
			s.leads()
			w := scopeWorld{s: s, t: t}
			w.build()
			for _, r := range s.app.routes() {
				units, groups := r.Scoped()
				if units && strings.HasPrefix(r.Path, "/api/v1/people/{id}") {
					w.ofPerson(r.Method, strings.TrimPrefix(r.Path, "/api/v1/people/{id}"))
				} else if (units || groups) && w.covered()[r.Method+" "+r.Path] == nil {
					t.Errorf("%s %s looks at scopes and has no case here", r.Method, r.Path)
				}
			}
			for route, check := range w.covered() {
				t.Run(route, func(*testing.T) { check() })
			}
			w.moved()
		})
	}
}

// scopeWorld is a company with two places: hr and helpdesk of Shanghai, an owner of the group lab.
type scopeWorld struct {
	s                                 *bench
	t                                 *testing.T
	inside, outside, outsideLink      string
	hr, desk, lead                    string
	hrPerson, leadPerson              string
	lab, other, labChannel, otherRoom string
}

func (w *scopeWorld) build() {
	s := w.s
	s.hireIn(1, "Shanghai", "")
	w.outsideLink = s.hireIn(2, "Beijing/R&D", "")
	s.hireIn(3, "Shanghai/R&D", "Lead")
	s.hireIn(4, "Beijing", "")
	s.hireIn(5, "Beijing", "")
	s.hireIn(6, "Shanghai", "Boss")
	w.inside, _ = s.person("u1")
	w.outside, _ = s.person("u2")
	w.leadPerson, w.lead = s.person("u3")
	s.owner(w.leadPerson)
	w.hrPerson, _ = s.person("u4")
	w.hr = s.admin(w.hrPerson, roles.Grant{Role: roles.HR, Unit: s.unit("Shanghai")}, true)
	desk, _ := s.person("u5")
	w.desk = s.admin(desk, roles.Grant{Role: roles.Helpdesk, Unit: s.unit("Shanghai")}, true)
	for _, item := range s.call("GET", "/api/v1/groups", s.app.cfg.BootstrapToken, "")["items"].([]any) {
		g := item.(map[string]any)
		channel := g["channels"].([]any)[0].(map[string]any)["id"].(string)
		if g["key"] == "lab" {
			w.lab, w.labChannel = g["id"].(string), channel
		} else {
			w.other, w.otherRoom = g["id"].(string), channel
		}
	}
}

const nobodyAtAll = "per_00000000000000000000000000"

// ofPerson tries a route on somebody outside: it answers as for somebody who is not.
func (w *scopeWorld) ofPerson(method, rest string) {
	w.t.Helper()
	body := ""
	if method == "POST" {
		body = `{"freeze":"frz_x"}`
		if !strings.HasSuffix(rest, "freeze") || rest == "/freeze" {
			body = `{}`
		}
	}
	let := 0
	for _, token := range []string{w.hr, w.desk} {
		status, text := w.s.ask(method, "/api/v1/people/"+w.outside+rest, token, body)
		missing, none := w.s.ask(method, "/api/v1/people/"+nobodyAtAll+rest, token, body)
		if status != missing || strings.ReplaceAll(text, w.outside, "X") != strings.ReplaceAll(none, nobodyAtAll, "X") || status != 404 && status != 403 {
			w.t.Errorf("%s people/outside%s: %d %s; people/nobody: %d %s", method, rest, status, text, missing, none)
		}
		if status == 404 {
			let++
		}
	}
	if let == 0 && rest != "/tokens" {
		w.t.Errorf("%s people/…%s: neither role gets as far as to look for the person", method, rest)
	}
	if rest == "/evidence" { // of who has not left there is none, and that is said of those within alone
		w.expect(w.hr, "/api/v1/people/"+w.inside+rest, 404, []string{"no_leaving"}, nil)
	} else if rest == "/erasure" { // who has not left is not erased, and helpdesk has no business with it
		w.expect(w.hr, "/api/v1/people/"+w.inside+rest, 409, []string{"still_here"}, nil)
	} else if method == "GET" {
		if status, text := w.s.ask(method, "/api/v1/people/"+w.inside+rest, w.desk, ""); status != 200 {
			w.t.Errorf("GET people/inside%s: %d %s", rest, status, text)
		}
	}
}

func (w *scopeWorld) expect(token, path string, status int, has, lacks []string) {
	w.t.Helper()
	got, text := w.s.ask("GET", path, token, "")
	if got != status {
		w.t.Errorf("%s: %d %s, want %d", path, got, text, status)
	}
	for _, word := range has {
		if !strings.Contains(text, word) {
			w.t.Errorf("%s lacks %s: %s", path, word, text)
		}
	}
	for _, word := range lacks {
		if strings.Contains(text, word) {
			w.t.Errorf("%s shows %s: %s", path, word, text)
		}
	}
}

func (w *scopeWorld) covered() map[string]func() {
	return map[string]func(){
		"GET /api/v1/people": func() {
			w.expect(w.hr, "/api/v1/people", 200, []string{w.inside, w.leadPerson}, []string{w.outside, w.hrPerson, "Beijing"})
			w.expect(w.hr, "/api/v1/people?limit=2", 200, []string{`"next"`}, []string{w.outside})
			w.expect(w.hr, "/api/v1/people?q=u2", 200, []string{`"items":[]`}, []string{`"next"`})
			w.expect(w.hr, "/api/v1/people?unit="+string(w.s.unit("Beijing")), 200, []string{`"items":[]`}, []string{`"next"`})
			w.expect(w.lead, "/api/v1/people", 403, []string{"admin_required"}, nil)
		},
		"GET /api/v1/units": func() {
			w.expect(w.hr, "/api/v1/units", 200, []string{"Shanghai", "R\\u0026D"}, []string{"Beijing"})
		},
		"GET /api/v1/evidence/period": func() {
			all := "/api/v1/evidence/period?kind=joiner&from=" + url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339)) + "&to=" + url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339))
			w.expect(w.hr, all, 200, []string{w.inside, w.leadPerson}, []string{w.outside})
			w.expect(w.desk, all, 403, nil, []string{w.inside})
		},
		"GET /api/v1/groups": func() {
			w.expect(w.lead, "/api/v1/groups", 200, []string{w.lab}, []string{w.other})
			w.expect(w.hr, "/api/v1/groups", 403, []string{"permission_required"}, nil)
		},
		"GET /api/v1/memberships": func() {
			w.expect(w.lead, "/api/v1/memberships?group="+w.lab, 200, []string{w.leadPerson, w.outside}, []string{w.inside}) // whoever is in the group is
			w.expect(w.lead, "/api/v1/memberships?group="+w.other, 404, nil, []string{w.inside})
			w.expect(w.lead, "/api/v1/memberships?group=grp_none", 404, nil, nil)
		},
		"GET /api/v1/access/channels/{id}/audience": func() {
			w.expect(w.lead, "/api/v1/access/channels/"+w.labChannel+"/audience", 200, []string{w.leadPerson}, nil)
			w.expect(w.lead, "/api/v1/access/channels/"+w.otherRoom+"/audience", 404, nil, []string{w.inside})
			w.expect(w.lead, "/api/v1/access/channels/chn_none/audience", 404, nil, nil)
		},
		"GET /api/v1/access/explain": func() {
			at := func(person, channel string) string {
				return "/api/v1/access/explain?person=" + person + "&channel=" + channel
			}
			w.expect(w.lead, at(w.leadPerson, w.labChannel), 200, nil, nil)
			w.expect(w.lead, at(w.outside, w.labChannel), 200, nil, nil)
			w.expect(w.lead, at(w.inside, w.labChannel), 404, nil, []string{"Shanghai"}) // in no group of theirs
			w.expect(w.lead, at(w.leadPerson, w.otherRoom), 404, nil, nil)
			w.expect(w.lead, at(nobodyAtAll, w.labChannel), 404, nil, nil)
			w.expect(w.hr, at(w.inside, w.otherRoom), 200, nil, nil)
			w.expect(w.hr, at(w.outside, w.otherRoom), 404, nil, []string{"Beijing"})
		},
	}
}

// moved looks that scope, role and owning are what they are now: at the next request.
func (w *scopeWorld) moved() {
	s := w.s
	status := func(token, path string) int { n, _ := s.ask("GET", path, token, ""); return n }
	if n := status(w.hr, "/api/v1/people/"+w.outside); n != 404 {
		w.t.Errorf("before the move: %d", n)
	}
	s.call("PATCH", "/scim/v2/Users/"+w.outsideLink, s.scim, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"organization":"Shanghai","department":"R&D"}}}]}`)
	if n := status(w.hr, "/api/v1/people/"+w.outside); n != 200 {
		w.t.Errorf("after the move: %d", n)
	}
	// Acting on an administrator wants more than seeing them.
	boss, _ := s.person("u6")
	s.admin(boss, roles.Grant{Role: roles.Auditor}, false)
	if n, text := s.ask("POST", "/api/v1/people/"+boss+"/freeze", w.hr, `{}`); n != 403 || !strings.Contains(text, `"administrator"`) {
		w.t.Errorf("HR froze an administrator: %d %s", n, text)
	}
	everywhere, _ := s.person("u5")
	hr := s.admin(everywhere, roles.Grant{Role: roles.HR}, true)
	if n, text := s.ask("POST", "/api/v1/people/"+boss+"/records/lnk_x/split", hr, `{"dry_run":true}`); n != 403 || !strings.Contains(text, `"administrator"`) {
		w.t.Errorf("HR says who an administrator is: %d %s", n, text)
	}
	if n, text := s.ask("POST", "/api/v1/people/"+w.inside+"/records/lnk_x/split", hr, `{"dry_run":true}`); n != 404 {
		w.t.Errorf("HR splits: %d %s", n, text)
	}
	if n := status(w.hr, "/api/v1/people/"+boss); n != 200 {
		w.t.Errorf("HR does not see an administrator: %d", n)
	}
	if n, text := s.ask("POST", "/api/v1/people/"+w.inside+"/freeze", w.hr, `{}`); n != 200 {
		w.t.Errorf("HR freezes: %d %s", n, text)
	}
	if n, text := s.ask("DELETE", "/api/v1/admins/"+w.hrPerson, s.app.cfg.BootstrapToken, ""); n != 204 {
		w.t.Fatalf("revoke: %d %s", n, text)
	}
	if n := status(w.hr, "/api/v1/people"); n != 401 { // the token lived by the role
		w.t.Errorf("a role that was taken: %d", n)
	}
}
