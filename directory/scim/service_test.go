package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// access is a directory.Access that remembers what it was told. A settle can be held up.
type access struct {
	mu      sync.Mutex
	rev     int64
	freezes []directory.FreezeChange
	settled []int64
	waiting int           // calls of Settle so far
	gate    chan struct{} // where set, Settle waits for it
}

func (a *access) Revoke(_ *db.Tx, freezes []directory.FreezeChange) (int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rev++
	a.freezes = append(a.freezes, freezes...)
	return a.rev, nil
}

func (a *access) Settle(ctx context.Context, _ directory.Cause, _ []id.Person, rev int64) error {
	a.mu.Lock()
	gate := a.gate
	a.waiting++
	a.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settled = append(a.settled, rev)
	return nil
}

func (a *access) hold(gate chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gate = gate
}

func (a *access) settles() []int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]int64(nil), a.settled...)
}

func (a *access) entered() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waiting
}

// service is a service provider over a real store, with one source.
type service struct {
	t      testing.TB
	db     *db.DB
	store  *directory.Store
	access *access
	h      *Handler
	source directory.Source
	secret string
	token  id.Token
	log    *bytes.Buffer
}

func start(t testing.TB, d *db.DB, change ...func(*Options)) *service {
	t.Helper()
	ctx := context.Background()
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate} {
		if err := migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	s := &service{t: t, db: d, access: &access{}, log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(io.MultiWriter(s.log), nil))
	s.store = directory.New(d, feed.New(d, "test", log), log)
	s.store.Access = s.access
	o := Options{Store: s.store, Log: log, PublicURL: "https://rollcall.example", Rate: 100000}
	for _, c := range change {
		c(&o)
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.h = h
	s.source, s.secret, s.token = s.newSource("entra")
	return s
}

func (s *service) newSource(name string) (directory.Source, string, id.Token) {
	s.t.Helper()
	ctx := context.Background()
	source, err := s.store.CreateSource(ctx, directory.Cause{}, directory.Source{Name: name, Kind: directory.KindSCIM})
	if err != nil {
		s.t.Fatal(err)
	}
	secret, token, err := s.store.IssueSourceToken(ctx, directory.Cause{}, source.ID, "test", time.Time{})
	if err != nil {
		s.t.Fatal(err)
	}
	return source, secret, token.ID
}

// reply is an answer of the service provider.
type reply struct {
	status int
	header http.Header
	raw    string
	body   resource
}

// encodePath encodes what a test writes plainly in a query.
func encodePath(path string) string {
	at, raw, ok := strings.Cut(path, "?")
	if !ok {
		return path
	}
	var b strings.Builder
	for _, c := range []byte(raw) {
		if c <= ' ' || c == '"' || c >= 0x7f || c == '\\' || c == '[' || c == ']' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return at + "?" + b.String()
}

func (s *service) do(method, path, body string, headers ...string) reply {
	s.t.Helper()
	return s.as(s.secret, method, path, body, headers...)
}

func (s *service) as(secret, method, path, body string, headers ...string) reply {
	s.t.Helper()
	r := httptest.NewRequest(method, Root+encodePath(path), strings.NewReader(body))
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	return s.send(r)
}

func (s *service) send(r *http.Request) reply {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	out := reply{status: w.Code, header: w.Header(), raw: w.Body.String()}
	if out.raw != "" {
		if kind := w.Header().Get("Content-Type"); kind != "application/scim+json" {
			s.t.Errorf("%s %s: content type %q", r.Method, r.URL, kind)
		}
		object, err := decodeAnswer(w.Body.Bytes())
		if err != nil {
			s.t.Errorf("%s %s: the answer is not JSON: %s", r.Method, r.URL, out.raw)
		}
		out.body = object
	}
	if out.status >= 500 && out.status != http.StatusNotImplemented {
		s.t.Errorf("%s %s: answered %d %s\n%s", r.Method, r.URL, out.status, out.raw, s.log)
	}
	return out
}

func (r reply) id() string { return text(r.body, "id") }

func (s *service) want(status int, r reply) reply {
	s.t.Helper()
	if r.status != status {
		s.t.Fatalf("want %d, got %d %s\n%s", status, r.status, r.raw, s.log)
	}
	return r
}

// wantError holds an answer to being a SCIM error (RFC 7644 section 3.12).
func (s *service) wantError(status int, scimType string, r reply) {
	s.t.Helper()
	s.want(status, r)
	if text(r.body, "scimType") != scimType || text(r.body, "status") != fmt.Sprint(status) || !strings.Contains(r.raw, "urn:ietf:params:scim:api:messages:2.0:Error") {
		s.t.Fatalf("want error %d %s, got %s", status, scimType, r.raw)
	}
}

func (s *service) user(body string) reply {
	s.t.Helper()
	return s.want(http.StatusCreated, s.do(http.MethodPost, "/Users", `{"schemas":["`+userURN+`"],`+body+`}`))
}

func (s *service) group(body string) reply {
	s.t.Helper()
	return s.want(http.StatusCreated, s.do(http.MethodPost, "/Groups", `{"schemas":["`+groupURN+`"],`+body+`}`))
}

func patch(operations string) string {
	return `{"schemas":["` + patchURN + `"],"Operations":[` + operations + `]}`
}

func (s *service) total(path, filter string) string {
	s.t.Helper()
	r := s.want(http.StatusOK, s.do(http.MethodGet, path+"?filter="+url.QueryEscape(filter), ""))
	n, _ := r.body["totalResults"].(json.Number)
	return n.String()
}

func (s *service) members(group string) map[string]bool {
	s.t.Helper()
	out := map[string]bool{}
	for _, m := range elements(s.want(http.StatusOK, s.do(http.MethodGet, "/Groups/"+group, "")).body, "members") {
		out[text(m, "value")] = true
	}
	return out
}

// audits counts the audit records of an action.
func (s *service) audits(action string) int {
	s.t.Helper()
	var n int
	if err := s.db.Read(context.Background()).Raw("select count(*) from audit_records where action = ?", action).Scan(&n).Error; err != nil {
		s.t.Fatal(err)
	}
	return n
}
