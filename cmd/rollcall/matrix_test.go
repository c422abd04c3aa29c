package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/roles"
)

var update = flag.Bool("update", false, "write the golden files anew")

// matrixCallers is a caller of every kind: "plain" is a token of an owner, made without the role; "safe" one made without the right to
// dangerous acts; "hr@" and "desk@" have their roles for a unit; "group" owns a project group; "first" is the token of the configuration.
func matrixCallers(t *testing.T, s *bench) []matrixCaller {
	t.Helper()
	s.leads()
	out := []matrixCaller{{"nobody", ""}}
	add := func(name, title string, grant *roles.Grant, dangerous bool) string {
		n := len(out)
		s.hireIn(n, "sh/lab", title)
		who, token := s.person(fmt.Sprintf("u%d", n))
		if grant != nil {
			carrying := s.admin(who, *grant, dangerous)
			if name != "plain" {
				token = carrying
			}
		}
		out = append(out, matrixCaller{name, token})
		return who
	}
	add("person", "", nil, false)
	add("plain", "", &roles.Grant{Role: roles.Owner}, false)
	add("safe", "", &roles.Grant{Role: roles.Owner}, false)
	for _, role := range roles.All() {
		add(string(role), "", &roles.Grant{Role: role}, true)
	}
	unit := s.unit("sh")
	add("hr@", "", &roles.Grant{Role: roles.HR, Unit: unit}, true)
	add("desk@", "", &roles.Grant{Role: roles.Helpdesk, Unit: unit}, true)
	s.owner(add("group", "Lead", nil, false))
	token := s.call("POST", "/api/v1/tokens", s.app.cfg.BootstrapToken, `{"name":"matrix","dangerous":true}`)["token"].(string)
	return append(out, matrixCaller{"token", token}, matrixCaller{"first", s.app.cfg.BootstrapToken}, matrixCaller{"source", s.scim},
		matrixCaller{"forged", "rct_" + strings.Repeat("0", 59)})
}

type matrixCaller struct{ name, token string }

// Every route with every kind of caller: who is let in. The golden file is the whole permission matrix; a route that is added without a
// line in it turns this red.
func TestMatrix(t *testing.T) {
	s := newBench(t, db.SQLite)
	callers := matrixCallers(t, s)
	var b strings.Builder
	fmt.Fprintf(&b, "# %-50s %-18s", "route", "for")
	for _, c := range callers {
		fmt.Fprintf(&b, " %-8s", c.name)
	}
	b.WriteString("\n")
	for _, r := range s.app.routes() {
		if r.Who == httpapi.Admins {
			t.Errorf("%s %s names no permission of package roles", r.Method, r.Path)
		}
		method := r.Method
		if method == "" {
			method = "GET"
		}
		path := strings.NewReplacer("{id}", "x", "{token}", "x", "{link}", "x", "{request}", "x", "{version}", "1").Replace(r.Path)
		if path == "/scim/v2/" {
			path += "Users"
		}
		fmt.Fprintf(&b, "%-52s %-18s", r.Method+" "+r.Path, r.Who)
		for _, c := range callers {
			request, err := http.NewRequest(method, s.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.token != "" {
				request.Header.Set("Authorization", "Bearer "+c.token)
			}
			if strings.HasPrefix(path, "/auth/") || strings.HasSuffix(path, "/sync") { // nothing is configured for them here
				fmt.Fprintf(&b, " %-8s", "-")
				continue
			}
			answer, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(request)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			verdict := "in"
			if answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden {
				verdict = fmt.Sprint(answer.StatusCode)
			}
			fmt.Fprintf(&b, " %-8s", verdict)
			if answer.StatusCode >= 500 {
				t.Errorf("%s %s as %s: %d", method, path, c.name, answer.StatusCode)
			}
		}
		b.WriteString("\n")
	}
	const golden = "testdata/matrix.golden"
	got := strings.ReplaceAll(b.String(), " \n", "\n")
	for strings.Contains(got, " \n") {
		got = strings.ReplaceAll(got, " \n", "\n")
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the matrix is another one (go test ./cmd/rollcall -run TestMatrix -update writes it anew):\n%s", got)
	}
}
