package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// guard stands before every handler: it implements humago.Mux, so that typed routes pass it too, before huma
// reads a byte of the body. A pattern that is not in the table of routes is refused.
type guard struct {
	server   *Server
	mux      *http.ServeMux
	routes   map[string]Route
	subtrees []Route // those of every method
	origins  *http.CrossOriginProtection
	metrics  *metrics
}

// HandleFunc mounts h behind the checks of the route that has this pattern.
func (g *guard) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	route, ok := g.routes[pattern]
	if !ok {
		panic("httpapi: " + pattern + " is not in the table of routes")
	}
	admit := func(w http.ResponseWriter, r *http.Request) { g.admit(w, r, route, h) }
	if route.Path == "/" && route.Method != "" { // "GET /" would collide with "/scim/v2/" of any method
		g.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			if r.Method != route.Method && (r.Method != http.MethodHead || route.Method != http.MethodGet) {
				g.unmatched(w, r)
				return
			}
			admit(w, r)
		})
		return
	}
	g.mux.HandleFunc(pattern, admit)
}

// ServeHTTP implements humago.Mux.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.serve(w, r) }

// serve is the outermost handler: request id, headers, log, figures, panics.
func (g *guard) serve(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	request := id.New[id.Request]()
	ctx, step := received(r)
	ctx = context.WithValue(ctx, errorsKey, g.server)
	ctx = context.WithValue(ctx, urlKey, r.URL)
	ctx = context.WithValue(ctx, cameKey, r)
	r = r.WithContext(WithRequest(ctx, request))
	rec := &recorder{ResponseWriter: w}
	h := rec.Header()
	h.Set("X-Request-Id", string(request))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'") // a handler of HTML sets its own
	defer func() {
		if cause := recover(); cause != nil {
			if cause == http.ErrAbortHandler {
				panic(cause)
			}
			g.server.Log.ErrorContext(ctx, "handler panicked", "request", request, "panic", PanicText(cause), "stack", stack())
			if !rec.written() {
				WriteError(rec, r, NewProblem(http.StatusInternalServerError, "internal", "the server could not complete the request"))
			}
		}
		g.metrics.observe(r, rec.code(), time.Since(began))
		answered(step, r, rec.code(), request)
		g.server.Log.Log(ctx, level(r.Method, rec.code()), "request", "request", request, "method", r.Method, "path", loggedPath(r.URL.Path), "status", rec.code(),
			"bytes", rec.bytes, "duration", time.Since(began))
	}()
	if route, ok := g.subtree(r); ok {
		r.Pattern = route.pattern()
		g.admit(rec, r, route, route.plain.ServeHTTP)
		return
	}
	if _, pattern := g.mux.Handler(r); pattern == "" || catchAll(pattern) && strings.HasPrefix(r.URL.Path, "/api/") {
		g.unmatched(rec, r)
		return
	}
	g.mux.ServeHTTP(rec, r)
}

// subtree answers the route that takes every method on a whole subtree, where r is for it, its root included. The mux would
// redirect what it does not find clean, by a page that no client of such a protocol reads, and tell letters apart by case.
func (g *guard) subtree(r *http.Request) (Route, bool) {
	clean := path.Clean("/"+r.URL.Path) + "/"
	for _, route := range g.subtrees {
		if len(clean) >= len(route.Path) && strings.EqualFold(clean[:len(route.Path)], route.Path) {
			return route, true
		}
	}
	return Route{}, false
}

// level keeps reading requests out of an operator's sight unless they fail.
func level(method string, status int) slog.Level {
	if status < 500 && (method == http.MethodGet || method == http.MethodHead) {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

func catchAll(pattern string) bool { return pattern == "/" || strings.HasSuffix(pattern, " /") }

// unmatched answers 405 where another method has a route, else 404.
func (g *guard) unmatched(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := g.mux.Handler(probe); pattern != "" && !catchAll(pattern) {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 && !slices.Contains(allowed, r.Method) {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		WriteError(w, r, NewProblem(http.StatusMethodNotAllowed, "method_not_allowed", "this address does not answer "+r.Method))
		return
	}
	WriteError(w, r, NewProblem(http.StatusNotFound, "not_found", "there is nothing at this address"))
}

// admit checks who calls before anything of the route runs.
func (g *guard) admit(w http.ResponseWriter, r *http.Request, route Route, h http.HandlerFunc) {
	if r.Header.Get("Authorization") == "" { // a bearer token is no ambient proof: only what cookies prove can be forged
		if err := g.origins.Check(r); err != nil {
			WriteError(w, r, NewProblem(http.StatusForbidden, "cross_origin", "refused: a page of another origin made this request"))
			return
		}
	}
	caller, err := g.caller(r, route.Who)
	if err != nil {
		WriteError(w, r, err)
		return
	}
	scope, err := g.server.entitle(r, route, caller)
	if err != nil {
		WriteError(w, r, err)
		return
	}
	r = r.WithContext(context.WithValue(WithCaller(r.Context(), caller), scopeKey, scope))
	limitBody(w, r, route)
	if strings.HasPrefix(r.URL.Path, "/api/") {
		w.Header().Set("Cache-Control", "no-store")
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" && r.Method == http.MethodPost && g.server.Replays != nil && !route.unrepeatable &&
		route.Who != Public && route.Who != Known && route.Who != Sources {
		g.once(w, r, key, h)
		return
	}
	h(w, r)
}

func (g *guard) caller(r *http.Request, who Who) (Caller, error) {
	if g.server.Authenticate == nil || who == Sources {
		return Caller{}, nil
	}
	if who == Public && r.Header.Get("Authorization") == "" && r.Header.Get("Cookie") == "" {
		return Caller{}, nil
	}
	caller, err := g.server.Authenticate(r)
	var p *Problem
	switch {
	case err == nil:
		return caller, nil
	case who == Public:
		return Caller{}, nil
	case errors.Is(err, ErrUnauthenticated), errors.As(err, &p):
		return Caller{}, err
	}
	g.server.Log.ErrorContext(r.Context(), "cannot tell who calls", "request", RequestFrom(r.Context()), "error", err)
	return Caller{}, NewProblem(http.StatusServiceUnavailable, "unavailable", "the server cannot tell now who you are; try again")
}

// limitBody bounds the size of the body and the time its sender may take. The deadline ends with the body: left
// on the connection it would cancel the context of a handler that works longer.
func limitBody(w http.ResponseWriter, r *http.Request, route Route) {
	limit := route.bodyLimit()
	if limit < 0 || r.Body == nil || r.Body == http.NoBody {
		return
	}
	if route.Typed() {
		limit += 2 // huma answers 413 by itself, one byte earlier
	}
	r.Body = &timedBody{ReadCloser: http.MaxBytesReader(w, r.Body, limit), control: http.NewResponseController(w), allow: 30*time.Second + time.Duration(limit>>16)*time.Second}
}
