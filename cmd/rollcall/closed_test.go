package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/backup"
	"github.com/rollcall-im/rollcall/internal/db"
)

// While the database is closed no route answers anybody but the bearer of the bootstrap token; sources are let in once the revocations were
// replayed, and nobody else then.
func TestClosedIsClosed(t *testing.T) {
	s := newBench(t, db.SQLite)
	callers := matrixCallers(t, s)
	handler := s.app.behindRestore(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	closed := func(method, path string, with func(*http.Request)) bool {
		r := httptest.NewRequest(method, strings.NewReplacer("{id}", "x", "{link}", "x", "{version}", "1", "{source}", "x", "{name}", "x").Replace(path), nil)
		with(r)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code == http.StatusServiceUnavailable && strings.Contains(w.Body.String(), "restored_closed")
	}
	for _, replayed := range []bool{false, true} {
		state := backup.State{RestoredAt: time.Now()}
		if replayed {
			state.ReplayedAt = time.Now()
		}
		s.app.restored.Store(&state)
		for _, route := range s.app.routes() {
			method := route.Method
			if method == "" {
				method = "POST"
			}
			for _, c := range callers {
				by := func(r *http.Request) {
					if c.token != "" {
						r.Header.Set("Authorization", "Bearer "+c.token)
					}
				}
				probe := route.Path == "/healthz" || route.Path == "/readyz"
				source := strings.HasPrefix(route.Path, "/scim/") || strings.HasPrefix(route.Path, "/hooks/")
				if want := !probe && c.name != "first" && (!source || !replayed); closed(method, route.Path, by) != want {
					t.Errorf("%s %s by %s, replayed %v: closed is not %v", method, route.Path, c.name, replayed, want)
				}
			}
		}
		for _, path := range []string{"/scim/../api/v1/me", "/SCIM/v2/Users", "/hooks/../", "//scim/v2/Users", "/scimitar", "/"} {
			source := strings.Contains(strings.ToLower(path), "scim/v2")
			if want := !source || !replayed; closed("GET", path, func(*http.Request) {}) != want {
				t.Errorf("%s, replayed %v: closed is not %v", path, replayed, want)
			}
		}
		if !closed("GET", "/api/v1/me", func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+s.app.cfg.BootstrapToken)
			r.Header.Set("Cookie", "rollcall=x")
		}) {
			t.Error("a browser gets in")
		}
	}
	s.app.restored.Store(nil)
	if closed("GET", "/api/v1/me", func(*http.Request) {}) {
		t.Error("closed although it is open")
	}
}
