// Package httpapi owns how Rollcall speaks HTTP: routes as values with who may call them, callers, RFC 9457
// problems from one table of errors, request ids, limits and cursors.
// It guarantees that no handler runs before the route's Who was checked, and that an error which is not in
// the table reaches the outside as "internal" only. It decides no permission beyond Who.
package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Caller is who makes a request, as proved by a session cookie or a bearer token. The zero Caller is nobody.
type Caller struct {
	Person  id.Person  // who it is; empty for an administrator's token that belongs to no person
	Session id.Session // the browser session, where there is one
	Token   id.Token   // the API token, where there is one
	Admin   bool       // holds the administrator role
}

// Known tells whether the caller proved to be somebody.
func (c Caller) Known() bool { return c.Person != "" || c.Admin }

// Actor is the name under which the caller stands in the audit log.
func (c Caller) Actor() string {
	switch {
	case c.Person != "":
		return string(c.Person)
	case c.Token != "":
		return string(c.Token)
	}
	return "anonymous"
}

type contextKey int

const (
	callerKey contextKey = iota
	requestKey
	errorsKey
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

// Who says who may call a route.
type Who string

// Who may call.
const (
	Public  Who = "public"  // anybody; the handler checks what it must (probes, sign-in, signed hooks)
	People  Who = "people"  // a signed-in person, for what is their own
	Admins  Who = "admins"  // the administrator role
	Sources Who = "sources" // a directory source's token, checked by the handler (SCIM)
)

// Allows tells whether c may call a route of w.
func (w Who) Allows(c Caller) bool {
	switch w {
	case Public, Sources:
		return true
	case People:
		return c.Person != ""
	case Admins:
		return c.Admin
	}
	return false
}

// Route is one line of the table of routes.
type Route struct {
	Method, Path string // Path as of net/http: "/api/v1/people/{id}"
	Who          Who
	Summary      string
	typed        func(huma.API)
	plain        http.Handler
}

// Op makes a route of a typed handler; its input and output are described in the OpenAPI document.
// The error fn returns is answered by the table of errors.
func Op[I, O any](method, path string, who Who, summary string, fn func(context.Context, *I) (*O, error)) Route {
	return Route{Method: method, Path: path, Who: who, Summary: summary, typed: func(api huma.API) {
		huma.Register(api, huma.Operation{Method: method, Path: path, Summary: summary, OperationID: operationID(method, path), Tags: []string{string(who)}},
			func(ctx context.Context, in *I) (*O, error) {
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

// Case is one line of the table of errors: what errors.Is finds Err is answered with Status and the stable Code.
// The answer's detail is the error's own text.
type Case struct {
	Err    error
	Status int
	Code   string
}

// Problem is an RFC 9457 answer. It is an error, so that handlers can return one for what has no sentinel.
type Problem struct {
	Type     string     `json:"type,omitempty"`
	Title    string     `json:"title"`
	Status   int        `json:"status"`
	Code     string     `json:"code" doc:"stable, machine-readable"`
	Detail   string     `json:"detail,omitempty"`
	Request  id.Request `json:"request_id,omitempty"`
	Problems []string   `json:"problems,omitempty" doc:"one line per invalid field"`
}

// NewProblem makes a problem; detail is shown to the caller.
func NewProblem(status int, code, detail string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func problemOf(ctx context.Context, err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		copied := *p
		copied.Request = RequestFrom(ctx)
		return &copied
	}
	s, _ := ctx.Value(errorsKey).(*Server)
	if s != nil {
		for _, c := range s.Errors {
			if errors.Is(err, c.Err) {
				p = NewProblem(c.Status, c.Code, err.Error())
				p.Request = RequestFrom(ctx)
				return p
			}
		}
		s.Log.ErrorContext(ctx, "request failed", "request", RequestFrom(ctx), "error", err)
	}
	p = NewProblem(http.StatusInternalServerError, "internal", "the server could not complete the request")
	p.Request = RequestFrom(ctx)
	return p
}
