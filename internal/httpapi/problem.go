package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-im/rollcall/internal/id"
)

// ErrUnauthenticated is what an error of Server.Authenticate wraps where the proof itself is bad.
var ErrUnauthenticated = errors.New("not signed in")

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

// problemOf finds the answer to err: a Problem in its chain, else the first line of the table of errors that
// matches, else "internal", with the error itself in the log only.
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
	}
	if errors.Is(err, ErrUnauthenticated) {
		p = NewProblem(http.StatusUnauthorized, "unauthenticated", err.Error())
		p.Request = RequestFrom(ctx)
		return p
	}
	if s != nil && ctx.Err() == nil { // nobody waits for the answer to a request that was given up
		level := slog.LevelError
		if errors.Is(err, context.Canceled) {
			level = slog.LevelDebug // the caller is gone, or lost the right to the answer
		}
		s.Log.Log(ctx, level, "request failed", "request", RequestFrom(ctx), "error", err)
	}
	p = NewProblem(http.StatusInternalServerError, "internal", "the server could not complete the request")
	p.Request = RequestFrom(ctx)
	return p
}

// WriteError answers err as problem+json, by the table of errors. For plain handlers.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(r.Context(), err)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Del("ETag")
	if p.Status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="rollcall"`) // RFC 9110 section 11.6.1
	}
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

// codeOf names what huma itself refuses before a handler runs.
func codeOf(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "invalid_request"
	case http.StatusNotAcceptable:
		return "not_acceptable"
	case http.StatusRequestTimeout:
		return "request_timeout"
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusUnsupportedMediaType:
		return "unsupported_media_type"
	}
	return "internal"
}

// translate is the transformer that turns huma's own errors into a Problem.
func translate(ctx huma.Context, _ string, body any) (any, error) {
	m, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	code := codeOf(m.Status)
	p := NewProblem(m.Status, code, m.Detail)
	p.Request = RequestFrom(ctx.Context())
	for _, e := range m.Errors {
		if e == nil {
			continue
		}
		line := e.Message
		if e.Location != "" {
			line = e.Location + ": " + line
		}
		p.Problems = append(p.Problems, line)
	}
	if code == "internal" { // what could not be read or written is no business of the outside
		p.Detail, p.Problems = "the server could not complete the request", nil
	}
	slices.Sort(p.Problems) // huma walks maps
	return p, nil
}

// tag is the heading under which an operation stands in the documents.
func tag(path string) string {
	rest := strings.TrimPrefix(path, "/api/v1/")
	first, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	return first
}

func problemType() reflect.Type { return reflect.TypeFor[Problem]() }
