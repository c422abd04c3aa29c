package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-im/rollcall/internal/httpapi"
)

func TestWhoIsCheckedFirst(t *testing.T) {
	b := newBench(t, nil)
	for _, c := range []struct {
		method, path, auth, body string
		status                   int
		code                     string
	}{
		{"POST", "/api/v1/things/x", "", `{`, 401, "unauthenticated"},
		{"POST", "/api/v1/things/x", "Bearer gone", `{`, 401, "unauthenticated"},
		{"POST", "/api/v1/things/x", "Bearer broken", `{}`, 503, "unavailable"},
		{"POST", "/api/v1/things/x", root, `{`, 403, "person_required"},
		{"PUT", "/api/v1/things/x", ann, `{`, 403, "admin_required"},
		{"PUT", "/api/v1/things/x", root, `{"name":"n"}`, 200, ""},
		{"POST", "/api/v1/things/x", ann, `{"name":"n"}`, 200, ""},
		{"POST", "/hooks/1", "Bearer gone", `x`, 200, ""},
		{"POST", "/scim/v2/Users", "Bearer gone", `x`, 200, ""},
		{"GET", "/scim/v2", "", "", 200, ""},
		{"GET", "/scim//v2//Users", "", "", 200, ""},
		{"GET", "/SCIM/V2/users", "", "", 200, ""},
		{"DELETE", "/scim/v2/../v2/Users", "", "", 200, ""},
		{"GET", "/scim/v2/../../api/v1/nothing", ann, "", 307, ""},
		{"GET", "/api/v1/nothing", ann, "", 404, "not_found"},
		{"DELETE", "/api/v1/things/x", ann, "", 405, "method_not_allowed"},
		{"GET", "/api/v1/echo", ann, "", 405, "method_not_allowed"},
		{"GET", "/some/page", "", "", 200, ""},
		{"POST", "/some/page", "", "", 404, "not_found"},
		{"GET", "/api/v1/known", root, "", 200, ""},
		{"GET", "/api/v1/known", ann, "", 200, ""},
		{"GET", "/api/v1/known", "", "", 401, "unauthenticated"},
	} {
		a := b.do(c.method, c.path, c.body, "Authorization", c.auth)
		if a.status != c.status || a.Code != c.code {
			t.Errorf("%s %s by %q: %d %q, want %d %q", c.method, c.path, c.auth, a.status, a.Code, c.status, c.code)
		}
		if strings.Contains(a.body, "10.1.2.3") {
			t.Errorf("an inner error reached the outside: %s", a.body)
		}
	}
	if n := b.count("thing"); n != 2 {
		t.Errorf("handler ran %d times, want 2", n)
	}
	before := b.count("authenticate")
	b.do("POST", "/api/v1/things/x", `{"name":"n"}`, "Authorization", ann)
	if n := b.count("authenticate") - before; n != 1 {
		t.Errorf("authenticated %d times for one request", n)
	}
	if got := b.do("DELETE", "/api/v1/things/x", "", "Authorization", ann).header.Get("Allow"); got != "POST, PUT" {
		t.Errorf("Allow: %q", got)
	}
}

func TestProblems(t *testing.T) {
	b := newBench(t, nil)
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"/api/v1/things/x", `{"name":`, 400, "invalid_request"},
		{"/api/v1/things/x", ``, 400, "invalid_request"},
		{"/api/v1/things/x", `{"name":""}`, 422, "invalid_request"},
		{"/api/v1/things/x", `{"name":"n","admin":true}`, 422, "invalid_request"},
		{"/api/v1/things/x?other=1", `{"name":"n"}`, 422, "invalid_request"},
		{"/api/v1/things/missing", `{"name":"n"}`, 404, "thing_missing"},
		{"/api/v1/things/secret", `{"name":"n"}`, 500, "internal"},
		{"/api/v1/things/panic", `{"name":"n"}`, 500, "internal"},
		{"/api/v1/things/x", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "too_large"},
		{"/api/v1/echo", strings.Repeat("x", 1<<20+1), 413, "too_large"},
		{"/api/v1/echo", strings.Repeat("x", 1<<20), 200, ""},
		{"/api/v1/wide", strings.Repeat("x", 3<<20), 200, ""},
	} {
		a := b.do("POST", c.path, c.body, "Authorization", ann, "Content-Type", "application/json")
		if a.status != c.status || a.Code != c.code {
			t.Errorf("%s %.40s: %d %q %s, want %d %q", c.path, c.body, a.status, a.Code, a.body, c.status, c.code)
		}
		if strings.Contains(a.body, "hunter2") || strings.Contains(a.body, "secret inside") {
			t.Errorf("%s: inner error reached the outside: %s", c.path, a.body)
		}
	}
	a := b.do("POST", "/api/v1/things/x", `{"name":"","admin":true}`, "Authorization", ann)
	if len(a.Problems) != 2 || !strings.HasPrefix(a.Problems[0], "body") {
		t.Errorf("lines: %q", a.Problems)
	}
	if b.do("POST", "/api/v1/things/x", `name=n`, "Authorization", ann, "Content-Type", "application/x-www-form-urlencoded").status != 415 {
		t.Error("a form was read as JSON")
	}
	b.log.wait(t, "hunter2")
}

func TestCrossOriginRequestsAreRefused(t *testing.T) {
	b := newBench(t, func(s *httpapi.Server) { s.TrustedOrigins = []string{"https://chat.example.com"} })
	const body = `{"name":"n"}`
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"another site", []string{"Cookie", "rollcall=ann", "Sec-Fetch-Site", "cross-site"}, 403},
		{"a subdomain", []string{"Cookie", "rollcall=ann", "Sec-Fetch-Site", "same-site"}, 403},
		{"old browser, another origin", []string{"Cookie", "rollcall=ann", "Origin", "https://evil.example"}, 403},
		{"a sandboxed frame", []string{"Cookie", "rollcall=ann", "Origin", "null"}, 403},
		{"our own page", []string{"Cookie", "rollcall=ann", "Sec-Fetch-Site", "same-origin"}, 200},
		{"our public address behind a proxy", []string{"Cookie", "rollcall=ann", "Origin", "https://chat.example.com"}, 200},
		{"no browser", []string{"Cookie", "rollcall=ann"}, 200},
		{"a bearer token, which no browser adds by itself", []string{"Authorization", ann, "Sec-Fetch-Site", "cross-site"}, 200},
	} {
		a := b.do("POST", "/api/v1/things/x", body, c.headers...)
		if a.status != c.status || a.status == 403 && a.Code != "cross_origin" {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
	if a := b.do("GET", "/api/v1/things", "", "Cookie", "rollcall=ann", "Sec-Fetch-Site", "cross-site"); a.status != 200 {
		t.Errorf("a reading request was refused: %d", a.status)
	}
}

func TestHeadersAndLog(t *testing.T) {
	registry := prometheus.NewRegistry()
	b := newBench(t, func(s *httpapi.Server) { s.Registry = registry })
	a := b.do("GET", "/api/v1/things?limit=3", "", "Authorization", ann)
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cache-Control": "no-store"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	b.do("POST", "/api/v1/echo?ticket=s3cret", "b0dy-secret", "Authorization", ann)
	b.do("BREW", "/api/v1/echo", "")
	log := b.log.wait(t, "method=BREW")
	for _, secret := range []string{"s3cret", "b0dy-secret", "limit=3"} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
	if !strings.Contains(log, "path=/api/v1/echo") || !strings.Contains(log, "status=200") || !strings.Contains(log, "request=req_") {
		t.Errorf("the request is not in the log: %s", log)
	}
	w := httptest.NewRecorder()
	httpapi.Metrics(registry).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`rollcall_http_requests_total{method="POST",route="POST /api/v1/echo",status="200"} 1`, `method="other",route="none",status="405"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("figures lack %s in\n%s", want, w.Body)
		}
	}
}

func TestPages(t *testing.T) {
	b := newBench(t, nil)
	a := b.do("GET", "/api/v1/things?limit=3", "", "Authorization", ann)
	var first httpapi.PageBody[string]
	if err := json.Unmarshal([]byte(a.body), &first); err != nil || len(first.Items) != 1 || first.Next == "" {
		t.Fatalf("first page: %s, %v", a.body, err)
	}
	if want := "</api/v1/things?cursor=" + first.Next + `&limit=3>; rel="next"`; a.header.Get("Link") != want {
		t.Errorf("Link: %s, want %s", a.header.Get("Link"), want)
	}
	a = b.do("GET", "/api/v1/things?cursor="+first.Next, "", "Authorization", ann)
	if strings.TrimSpace(a.body) != `{"items":[]}` || a.header.Get("Link") != "" {
		t.Errorf("last page: %s, Link %q", a.body, a.header.Get("Link"))
	}
	for _, cursor := range []string{"%00", "bm9wZQ", httpapi.Cursor("text"), httpapi.Cursor(map[string]int{"before": 1}), first.Next + "AA"} {
		if a := b.do("GET", "/api/v1/things?cursor="+cursor, "", "Authorization", ann); a.status != 400 || a.Code != "invalid_cursor" {
			t.Errorf("cursor %q: %d %s", cursor, a.status, a.body)
		}
	}
	if a := b.do("GET", "/api/v1/things?limit=201", "", "Authorization", ann); a.status != 422 {
		t.Errorf("limit 201: %d", a.status)
	}
}

func TestEntityTags(t *testing.T) {
	if got := httpapi.ETag(7); got != `"7"` {
		t.Errorf("tag: %s", got)
	}
	for header, want := range map[string]string{"": "[] true", "*": "[] true", `"7"`: "[7] false", `"7", "9"`: "[7 9] false", `W/"7"`: "[] false", `7`: "[] false", `"x"`: "[] false"} {
		got := httpapi.IfMatch(header)
		if text := fmt.Sprintf("%v %v", got, got == nil); text != want {
			t.Errorf("%q: %s, want %s", header, text, want)
		}
	}
}

func TestDocuments(t *testing.T) {
	b := newBench(t, nil)
	var spec struct {
		OpenAPI    string
		Paths      map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	a := b.do("GET", "/openapi.json", "")
	if err := json.Unmarshal([]byte(a.body), &spec); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(spec.OpenAPI, "3.1") || len(spec.Paths) != 2 || spec.Paths["/api/v1/things/{id}"]["put"] == nil {
		t.Errorf("document: %s %v", spec.OpenAPI, spec.Paths)
	}
	if strings.Contains(a.body, "ErrorModel") || !strings.Contains(a.body, "HttpapiProblem") || strings.Contains(a.body, "$schema") {
		t.Errorf("the document does not describe our problems: %s", a.body)
	}
	page := b.do("GET", "/docs", "")
	for _, want := range []string{"/api/v1/things/{id}", "/scim/v2/", "Make a thing", "admins", "name: string", "next?: string"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page.body, "//cdn") || strings.Contains(page.body, "<script") || strings.Contains(page.body, "src=") {
		t.Error("the page needs another host or a script")
	}
	if !strings.Contains(httpapi.Describe(b.routes()), "/api/v1/things/{id}\tPUT\tadmins\ttyped\n") {
		t.Errorf("routes: %s", httpapi.Describe(b.routes()))
	}
}
