// Package httpapi owns how Rollcall speaks HTTP: routes as values with who may call them, callers, RFC 9457
// problems from one table of errors, request ids, limits and cursors.
// It guarantees that no handler runs before the route's Who was checked, that a permission for a part of the organisation opens no route that does
// not say it looks at that part, and that an error which is not in
// the table reaches the outside as "internal" only. Who holds what is package roles' matter.
package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// Bearer answers the token in a request's Authorization header (RFC 6750 section 2.1; the scheme in any case, RFC 9110 section 11.1), and nothing
// where there is none. One in an address or a body is never looked at.
func Bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// Caller is who makes a request, as proved by a session cookie or a bearer token. The zero Caller is nobody.
type Caller struct {
	Person  id.Person    // who it is; empty for an administrator's token that belongs to no person
	Maker   id.Person    // of a token that belongs to no person: who answers for it, where that is known
	Session id.Session   // the browser session, where there is one
	Token   id.Token     // the API token, where there is one
	Grants  roles.Grants // the roles of administrators
	Stepped bool         // may do what is dangerous now: by a second factor, or by a token made for it
}

// Known tells whether the caller proved to be somebody.
func (c Caller) Known() bool { return c.Person != "" || c.Admin() }

// Admin tells whether the caller holds any role of administrators.
func (c Caller) Admin() bool { return len(c.Grants) > 0 }

// Behind is the human being who acts, as far as that is known.
func (c Caller) Behind() id.Person {
	if c.Person != "" {
		return c.Person
	}
	return c.Maker
}

// Actor is the name under which the caller stands in the audit log.
func (c Caller) Actor() string {
	switch {
	case c.Person != "":
		return string(c.Person)
	case c.Token != "":
		return string(c.Token)
	case c.Session != "":
		return string(c.Session)
	}
	return "anonymous"
}

type contextKey int

const (
	callerKey contextKey = iota
	requestKey
	errorsKey
	urlKey
	scopeKey
	cameKey // the request as it came
)

// WithCaller answers a context that carries c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey, c)
}

// CallerFrom answers who makes the request of ctx.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey).(Caller)
	return c
}

// WithRequest answers a context that carries the request's id.
func WithRequest(ctx context.Context, r id.Request) context.Context {
	return context.WithValue(ctx, requestKey, r)
}

// RequestFrom answers the id of the request of ctx.
func RequestFrom(ctx context.Context) id.Request {
	r, _ := ctx.Value(requestKey).(id.Request)
	return r
}

// Who says who may call a route: one of these, or a permission of package roles.
type Who string

// Who may call.
const (
	Public  Who = "public"  // anybody; the handler checks what it must (probes, sign-in, signed hooks)
	Known   Who = "known"   // anybody who proved to be somebody: a person, or an administrator's token
	People  Who = "people"  // a signed-in person, for what is their own
	Admins  Who = "admins"  // an owner; for tests: a route of the table names the permission it needs
	Sources Who = "sources" // a directory source's token, checked by the handler (SCIM)
)

// permission answers the line of the permission that w names.
func (w Who) permission() (roles.Line, bool) {
	switch w {
	case Public, Known, People, Sources:
		return roles.Line{}, false
	case Admins:
		return roles.Line{}, true
	}
	return roles.Find(roles.Permission(w))
}

// allows tells whether c may call a route of w, which names no permission.
func (w Who) allows(c Caller) bool {
	switch w {
	case Public, Sources:
		return true
	case Known:
		return c.Known()
	case People:
		return c.Person != ""
	}
	return false
}

// Route is one line of the table of routes.
type Route struct {
	Method, Path string // Path as of net/http: "/api/v1/people/{id}"
	Who          Who
	Summary      string
	typed        func(huma.API, Route)
	plain        http.Handler
	limit        int64
	unrepeatable bool
	person       bool
	units        bool
	groups       bool
}

// OfPerson answers the route as one about the person whom {id} of its path names: who holds its permission for a part of the organisation
// reaches the people of that part, to everybody else nobody is there. Without it, Units or Groups such a caller is refused.
func (r Route) OfPerson() Route {
	r.person, r.units = true, true
	return r
}

// Units answers the route as one whose handler asks ScopeFrom, and answers nothing of people outside of these units.
func (r Route) Units() Route {
	r.units = true
	return r
}

// Groups answers the route as one whose handler asks ScopeFrom, and answers nothing beside these project groups.
func (r Route) Groups() Route {
	r.groups = true
	return r
}

// Scoped tells whether somebody may call the route who holds its permission for a part of the organisation, or for project groups.
func (r Route) Scoped() (units, groups bool) { return r.units, r.groups }

// Limit answers the route with another limit on the request's body than 1 MiB; a negative number means none.
func (r Route) Limit(bytes int64) Route {
	r.limit = bytes
	return r
}

// Unrepeatable answers the route without replay of its answer by Idempotency-Key: for answers that hold a secret, which
// must not be kept, and for handlers that know repetitions by themselves.
func (r Route) Unrepeatable() Route {
	r.unrepeatable = true
	return r
}

// Typed tells whether the route stands in the OpenAPI document.
func (r Route) Typed() bool { return r.typed != nil }

func (r Route) pattern() string { return strings.TrimSpace(r.Method + " " + r.Path) }

// maxBody is the limit on a request's body where the route names none.
const maxBody = 1 << 20

func (r Route) bodyLimit() int64 {
	if r.limit == 0 {
		return maxBody
	}
	return r.limit
}

// Op makes a route of a typed handler; its input and output are described in the OpenAPI document.
// The error fn returns is answered by the table of errors.
func Op[I, O any](method, path string, who Who, summary string, fn func(context.Context, *I) (*O, error)) Route {
	return Route{Method: method, Path: path, Who: who, Summary: summary, typed: func(api huma.API, r Route) {
		op := huma.Operation{Method: method, Path: path, Summary: summary, OperationID: operationID(method, path), Tags: []string{tag(path)},
			Security: security(who), Extensions: map[string]any{"x-who": string(who)},
			MaxBodyBytes: -1, BodyReadTimeout: -1} // both held by the guard, for plain routes too
		if limit := r.bodyLimit(); limit > 0 {
			op.MaxBodyBytes = limit + 1 // huma refuses a body that reaches its limit
		}
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := fn(ctx, in)
			if err != nil {
				return nil, problemOf(ctx, err)
			}
			return out, nil
		})
	}}
}

// Plain makes a route of an http.Handler: SCIM, the stream, sign-in, files. An empty method means every method.
func Plain(method, path string, who Who, summary string, h http.Handler) Route {
	return Route{Method: method, Path: path, Who: who, Summary: summary, plain: h}
}
