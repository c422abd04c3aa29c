package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// Server turns a table of routes into one http.Handler.
type Server struct {
	Log *slog.Logger
	// Authenticate answers who makes a request; the zero Caller and no error where it carries no proof. An error
	// that wraps ErrUnauthenticated (a bad, ended or frozen proof) is answered 401, another one 503. It is
	// asked once per request; on Public routes its error makes the caller nobody, on Sources routes it is not asked.
	Authenticate func(*http.Request) (Caller, error)
	Errors       []Case
	Version      string

	// TrustedOrigins may make unsafe requests with a cookie from another origin than the listener's own: the
	// public URL, where a proxy changes the Host header.
	TrustedOrigins []string
	// Registry, where set, takes the figures of requests.
	Registry *prometheus.Registry
	// Replays, where set, gives Idempotency-Key its effect.
	Replays Replays

	// Owned answers the project groups that a person owns; nil: nobody owns any.
	Owned func(context.Context, id.Person) ([]id.Group, error)
	// Reach tells by its error whether caller, whose permission reaches scope, may do what the route does to a person: change tells
	// whether it changes anything. Nil: a scope reaches nobody, and everything everybody.
	Reach func(ctx context.Context, caller Caller, scope roles.Scope, person id.Person, change bool) error
	// Look, where set, notes that an administrator is about to be shown what a route shows. Its error keeps it from them.
	Look func(r *http.Request, route Route, caller Caller) error
	// Place, where set, tells whether r comes from where administrators may work.
	Place func(r *http.Request) bool
}

func operationID(method, path string) string {
	return strings.ToLower(method) + strings.NewReplacer("/api/v1", "", "/", "-", "{", "", "}", "").Replace(path)
}

// security tells in the OpenAPI document how a caller proves who it is.
func security(who Who) []map[string][]string {
	if who == Public {
		return []map[string][]string{}
	}
	return []map[string][]string{{"session": {}}, {"token": {}}}
}

// Handler mounts routes, /openapi.json and /docs. It panics on two routes that collide, at start, as
// http.ServeMux does. The route "/" answers what no other route does, but nothing below /api/.
func (s *Server) Handler(routes []Route) http.Handler {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	g := &guard{server: s, mux: mux, routes: map[string]Route{}, origins: s.crossOrigin(), metrics: newMetrics(s.Registry)}
	api := humago.New(g, s.config())
	docs := &documents{api: api}
	routes = append(slices.Clone(routes), docs.routes()...)
	for _, r := range routes {
		if _, ok := r.Who.permission(); !ok && !slices.Contains([]Who{Public, Known, People, Sources}, r.Who) {
			panic("httpapi: " + r.pattern() + ": " + string(r.Who) + " is no permission of package roles")
		}
		g.routes[r.pattern()] = r
		if r.Method == "" && r.plain != nil && strings.HasSuffix(r.Path, "/") {
			g.subtrees = append(g.subtrees, r)
		}
	}
	for _, r := range routes {
		if r.typed != nil {
			r.typed(api, r)
			continue
		}
		g.HandleFunc(r.pattern(), r.plain.ServeHTTP)
	}
	docs.finish(s, routes)
	return http.HandlerFunc(g.serve)
}

func (s *Server) config() huma.Config {
	config := huma.DefaultConfig("Rollcall", s.Version)
	config.CreateHooks = nil // no "$schema" in answers
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.Transformers = []huma.Transformer{translate}
	config.RejectUnknownQueryParameters = true
	config.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", (&namer{names: map[reflect.Type]string{}, taken: map[string]bool{}}).name)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: "rollcall", Description: "the browser session that /auth/login opens"},
		"token":   {Type: "http", Scheme: "bearer", Description: "an API token, rct_…; for directory sources rcs_…"},
	}
	return config
}

// crossOrigin refuses unsafe requests that a page of another origin makes a browser send.
func (s *Server) crossOrigin() *http.CrossOriginProtection {
	protection := http.NewCrossOriginProtection()
	for _, origin := range s.TrustedOrigins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			panic("httpapi: trusted origin: " + err.Error())
		}
	}
	return protection
}

// namer names schemas by package and type, so that two domains may each have their Person.
type namer struct {
	names map[reflect.Type]string
	taken map[string]bool
}

func (n *namer) name(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if name, ok := n.names[t]; ok {
		return name
	}
	name := huma.DefaultSchemaNamer(t, hint)
	if i := strings.LastIndex(t.PkgPath(), "/"); t.Name() != "" && i >= 0 {
		home := t.PkgPath()[i+1:]
		name = strings.ToUpper(home[:1]) + home[1:] + name
	}
	for base, i := name, 2; n.taken[name]; i++ {
		name = base + strconv.Itoa(i)
	}
	n.names[t], n.taken[name] = name, true
	return name
}

// Describe answers one line per route, sorted by path: method, path, who. It is the golden file of routes.
func Describe(routes []Route) string {
	lines := make([]string, 0, len(routes))
	for _, r := range routes {
		method, kind := r.Method, "plain"
		if method == "" {
			method = "*"
		}
		if r.Typed() {
			kind = "typed"
		}
		lines = append(lines, strings.Join([]string{r.Path, method, string(r.Who), kind}, "\t"))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
