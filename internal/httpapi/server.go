package httpapi

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Server turns a table of routes into one http.Handler.
type Server struct {
	Log *slog.Logger
	// Authenticate answers who makes a request; the zero Caller and no error where it carries no proof. An
	// error (a bad, ended or frozen proof) is answered 401.
	Authenticate func(*http.Request) (Caller, error)
	Errors       []Case
	Version      string
}

func operationID(method, path string) string {
	return strings.ToLower(method) + strings.NewReplacer("/api/v1", "", "/", "-", "{", "", "}", "").Replace(path)
}

// Handler mounts routes. It panics on two routes that collide, at start, as http.ServeMux does.
func (s *Server) Handler(routes []Route) http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Rollcall", s.Version)
	api := humago.New(mux, config)
	for _, r := range routes {
		if r.typed != nil {
			r.typed(api)
			continue
		}
		mux.Handle(strings.TrimSpace(r.Method+" "+r.Path), r.plain)
	}
	byPattern := map[string]Who{}
	for _, r := range routes {
		byPattern[strings.TrimSpace(r.Method+" "+r.Path)] = r.Who
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := WithRequest(r.Context(), id.New[id.Request]())
		_ = ctx
		mux.ServeHTTP(w, r)
	})
}
