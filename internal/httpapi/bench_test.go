package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/roles"
)

var errMissing = errors.New("no such thing")

type thingInput struct {
	ID   string `path:"id"`
	Body struct {
		Name  string `json:"name" minLength:"1"`
		Count int    `json:"count,omitempty"`
	}
}

type thingOutput struct {
	Body struct {
		Name    string `json:"name"`
		Actor   string `json:"actor"`
		Request string `json:"request"`
	}
}

type listInput struct {
	httpapi.Paging
}

// logged is a log that may be read while it is written.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// wait answers the log once it holds want; a request is logged right after it was answered.
func (l *logged) wait(t *testing.T, want string) string {
	t.Helper()
	for range 200 {
		if s := l.String(); strings.Contains(s, want) {
			return s
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%s is not in the log: %s", want, l)
	return l.String()
}

type bench struct {
	t     *testing.T
	log   *logged
	calls map[string]int
	mu    sync.Mutex
	srv   *httptest.Server
}

func (b *bench) called(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[name]++
}

func (b *bench) count(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[name]
}

// newBench serves one route of each kind; the bearer tokens are "ann" (a person), "root" (an admin's token without a
// person), "gone" (a bad proof) and "broken" (the database is away).
func newBench(t *testing.T, change func(*httpapi.Server)) *bench {
	b := &bench{t: t, log: &logged{}, calls: map[string]int{}}
	s := &httpapi.Server{Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "1.2.3", Errors: []httpapi.Case{{Err: errMissing, Status: 404, Code: "thing_missing"}}}
	s.Authenticate = func(r *http.Request) (httpapi.Caller, error) {
		b.called("authenticate")
		proof := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if c, err := r.Cookie("rollcall"); proof == "" && err == nil {
			proof = c.Value
		}
		switch proof {
		case "":
			return httpapi.Caller{}, nil
		case "ann":
			return httpapi.Caller{Person: "per_ann"}, nil
		case "root":
			return httpapi.Caller{Token: "tok_root", Grants: roles.Everything(), Stepped: true}, nil
		case "broken":
			return httpapi.Caller{}, errors.New("dial tcp 10.1.2.3: connection refused")
		}
		return httpapi.Caller{}, fmt.Errorf("token has ended: %w", httpapi.ErrUnauthenticated)
	}
	if change != nil {
		change(s)
	}
	b.srv = httptest.NewServer(s.Handler(b.routes()))
	t.Cleanup(b.srv.Close)
	return b
}

func (b *bench) routes() []httpapi.Route {
	thing := func(ctx context.Context, in *thingInput) (*thingOutput, error) {
		b.called("thing")
		switch in.ID {
		case "missing":
			return nil, fmt.Errorf("look up %s: %w", in.ID, errMissing)
		case "secret":
			return nil, errors.New("password is hunter2")
		case "panic":
			panic("secret inside")
		}
		out := &thingOutput{}
		out.Body.Name, out.Body.Actor, out.Body.Request = in.Body.Name, httpapi.CallerFrom(ctx).Actor(), string(httpapi.RequestFrom(ctx))
		return out, nil
	}
	list := func(ctx context.Context, in *listInput) (*httpapi.Page[string], error) {
		var at struct {
			After int `json:"after"`
		}
		if _, err := httpapi.DecodeCursor(in.Cursor, &at); err != nil {
			return nil, err
		}
		if at.After == 0 {
			return httpapi.NewPage(ctx, []string{"a"}, httpapi.Cursor(map[string]int{"after": 1})), nil
		}
		return httpapi.NewPage[string](ctx, nil, ""), nil
	}
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.called("echo")
		body, err := io.ReadAll(r.Body)
		if err != nil {
			httpapi.WriteError(w, r, httpapi.NewProblem(413, "too_large", ""))
			return
		}
		fmt.Fprintf(w, "%d", len(body))
	})
	return []httpapi.Route{
		httpapi.Op("POST", "/api/v1/things/{id}", httpapi.People, "Make a thing", thing),
		httpapi.Op("PUT", "/api/v1/things/{id}", httpapi.Admins, "Make a thing as an admin", thing),
		httpapi.Op("GET", "/api/v1/things", httpapi.People, "List things", list),
		httpapi.Plain("POST", "/api/v1/echo", httpapi.People, "Echo", echo),
		httpapi.Plain("POST", "/api/v1/wide", httpapi.People, "Echo of much", echo).Limit(4 << 20),
		httpapi.Plain("", "/scim/v2/", httpapi.Sources, "SCIM", echo),
		httpapi.Plain("GET", "/api/v1/known", httpapi.Known, "Anybody known", echo),
		httpapi.Plain("POST", "/hooks/{id}", httpapi.Public, "Hook", echo),
		httpapi.Plain("GET", "/", httpapi.Public, "The page", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") })),
	}
}

type answer struct {
	status int
	header http.Header
	body   string
	httpapi.Problem
}

func (b *bench) do(method, path, body string, headers ...string) answer {
	b.t.Helper()
	r, err := http.NewRequest(method, b.srv.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	a := answer{status: res.StatusCode, header: res.Header, body: string(raw)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") {
		if err := json.Unmarshal(raw, &a.Problem); err != nil {
			b.t.Fatalf("%s %s: problem is no JSON: %s", method, path, raw)
		}
		if a.Problem.Status != a.status || string(a.Request) != res.Header.Get("X-Request-Id") {
			b.t.Errorf("%s %s: status %d, request %q in %s", method, path, a.status, res.Header.Get("X-Request-Id"), raw)
		}
	}
	return a
}

const ann, root = "Bearer ann", "Bearer root"
