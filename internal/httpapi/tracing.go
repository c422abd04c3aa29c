package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// received begins the trace of a request. A stream, which is open for hours, and what only looks are none: they are no change.
func received(r *http.Request) (context.Context, trace.Span) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		if r.Header.Get("Traceparent") == "" || strings.Contains(r.Header.Get("Accept"), "text/event-stream") || r.Header.Get("Upgrade") != "" {
			return r.Context(), trace.Span{}
		}
	}
	return trace.Receive(r, method(r))
}

// method answers the method of a request where it is one that routes have: any other is what its caller made up.
func method(r *http.Request) string {
	if slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}, r.Method) {
		return r.Method
	}
	return "_OTHER"
}

// answered ends it. The name is the route's, never the address itself, which may hold what people typed.
func answered(step trace.Span, r *http.Request, status int, request id.Request) {
	route := r.Pattern
	if _, path, ok := strings.Cut(route, " "); ok {
		route = path
	}
	if route != "" {
		step.Name(method(r) + " " + route)
	}
	step.Set("http.request.method", method(r), "http.route", route, "http.response.status_code", status, "rollcall.request", request)
	if status >= http.StatusInternalServerError {
		step.Fail()
	}
	step.End(nil)
}
