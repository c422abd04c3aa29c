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
	"github.com/rollcall-im/rollcall/internal/id"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Every route with every kind of caller: who is let in. "plain" is a
// token of a person who is administrator, made without the role; "token" an administrators' token; "first" the one of the configuration. The golden file is the whole permission matrix; a route
// that is added without a line in it turns this red.
func TestMatrix(t *testing.T) {
	s := newBench(t, db.SQLite)
	s.hire(1)
	s.hire(2)
	_, person := s.person("u1")
	boss, plain := s.person("u2")
	if err := s.app.door.GrantAdmin(t.Context(), httpapi.Caller{Admin: true}, id.Person(boss)); err != nil {
		t.Fatal(err)
	}
	admin := s.call("POST", "/api/v1/tokens", s.app.cfg.BootstrapToken, `{"name":"matrix"}`)["token"].(string)
	callers := []struct{ name, token string }{
		{"nobody", ""}, {"person", person}, {"plain", plain}, {"token", admin}, {"first", s.app.cfg.BootstrapToken}, {"source", s.scim}, {"forged", "rct_" + strings.Repeat("0", 59)},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %-50s %-8s", "route", "for")
	for _, c := range callers {
		fmt.Fprintf(&b, " %-8s", c.name)
	}
	b.WriteString("\n")
	for _, r := range s.app.routes() {
		method := r.Method
		if method == "" {
			method = "GET"
		}
		path := strings.NewReplacer("{id}", "x", "{token}", "x", "{link}", "x", "{request}", "x", "{version}", "1").Replace(r.Path)
		if path == "/scim/v2/" {
			path += "Users"
		}
		fmt.Fprintf(&b, "%-52s %-8s", r.Method+" "+r.Path, r.Who)
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
