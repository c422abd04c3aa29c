package trial

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/scim"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

type noAccess struct{}

func (noAccess) Revoke(*db.Tx, []directory.FreezeChange) (int64, error) { return 0, nil }
func (noAccess) Settle(context.Context, directory.Cause, []id.Person, int64) error {
	return nil
}

// world is a SCIM service provider behind a proxy that can be made to spoil things.
type world struct {
	store  *directory.Store
	db     *db.DB
	source directory.Source
	api    *API
	server *httptest.Server
}

func start(t *testing.T, d *db.DB, proxy func(http.Handler) http.Handler) *world {
	t.Helper()
	ctx := context.Background()
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate} {
		if err := migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	w := &world{db: d, store: directory.New(d, feed.New(d, "test", log), log)}
	w.store.Access = noAccess{}
	h, err := scim.New(scim.Options{Store: w.store, Log: log, Missing: scim.AuditMissing(d, log)})
	if err != nil {
		t.Fatal(err)
	}
	var front http.Handler = h
	if proxy != nil {
		front = proxy(h)
	}
	mux := http.NewServeMux()
	mux.Handle("/scim/v2/", front)
	w.server = httptest.NewServer(mux)
	t.Cleanup(w.server.Close)
	if w.source, err = w.store.CreateSource(ctx, directory.Cause{}, directory.Source{Name: "entra", Kind: directory.KindSCIM}); err != nil {
		t.Fatal(err)
	}
	w.api = &API{Store: w.store, PublicURL: w.server.URL}
	return w
}

func (w *world) test(t *testing.T) Report {
	t.Helper()
	out, err := w.api.Test(context.Background(), &TestInput{ID: w.source.ID})
	if err != nil {
		t.Fatal(err)
	}
	return out.Body
}

func (r Report) step(name string) Step {
	for _, s := range r.Steps {
		if s.Name == name {
			return s
		}
	}
	return Step{}
}

// A connection that works passes every step, leaves no token, no person and no line of missing resources, and tells no secret.
func TestGoodConnection(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		var secret string
		w := start(t, d, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if a := r.Header.Get("Authorization"); a != "" {
					secret = strings.TrimPrefix(a, "Bearer ")
				}
				h.ServeHTTP(rw, r)
			})
		})
		r := w.test(t)
		if !r.OK || len(r.Steps) != 10 || !strings.Contains(r.Text, "10 of 10 steps passed") || !strings.Contains(r.Text, "GET /ServiceProviderConfig") {
			t.Errorf("%+v\n%s", r, r.Text)
		}
		if secret == "" || strings.Contains(r.Text, secret) || strings.Contains(r.Text, "rcs_") {
			t.Errorf("the secret %q\n%s", secret, r.Text)
		}
		var left int
		if err := d.Read(context.Background()).Raw(`select (select count(*) from source_tokens) + (select count(*) from persons) + (select count(*) from records)
			+ (select count(*) from audit_records where action = 'scim.missing')`).Scan(&left).Error; err != nil || left != 0 {
			t.Errorf("%d rows are left, %v", left, err)
		}
		lines, err := audit.List(context.Background(), d, audit.Filter{Action: "token.issued"})
		if err != nil || len(lines) != 1 || lines[0].Public["temporary"] != true {
			t.Errorf("%+v, %v", lines, err)
		}
	})
}

// What usually stands between a client and the server is found and named.
func TestSpoiltConnections(t *testing.T) {
	for name, c := range map[string]struct {
		proxy func(http.Handler) http.Handler
		step  string
		says  string
	}{
		"the token is taken away": {func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { r.Header.Del("Authorization"); h.ServeHTTP(w, r) })
		}, "configuration", "did not arrive"},
		"a token is added": {func(h http.Handler) http.Handler {
			var known string
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if known == "" {
					known = r.Header.Get("Authorization")
				}
				r.Header.Set("Authorization", known)
				h.ServeHTTP(w, r)
			})
		}, "no_token", "adds an Authorization"},
		"another installation": {func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Header.Set("Authorization", "Bearer rcs_other")
				h.ServeHTTP(w, r)
			})
		}, "configuration", "Another installation"},
		"a redirect": {func(http.Handler) http.Handler {
			return http.RedirectHandler("https://login.example/sso?state=secret", http.StatusFound)
		}, "configuration", "do not follow"},
		"PATCH is refused": {func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPatch {
					http.Error(w, "no", http.StatusForbidden)
					return
				}
				h.ServeHTTP(w, r)
			})
		}, "patch", "refuses PATCH"},
		"a login page": {func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				io.WriteString(w, "<html>")
			})
		}, "configuration", "A web page"},
		"the path is changed": {func(http.Handler) http.Handler { return http.NotFoundHandler() }, "configuration", "Something else answers"},
		"no upstream": {func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		}, "groups", "does not reach this server"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, dbtest.Open(t, dbtest.DSN(t, db.SQLite)), c.proxy)
			r := w.test(t)
			s := r.step(c.step)
			if r.OK || s.OK || !strings.Contains(s.Hint["en"], c.says) || s.Hint["zh"] == "" || strings.Contains(r.Text, "state=secret") {
				t.Errorf("%+v\n%s", s, r.Text)
			}
		})
	}
}

func TestNoAnswer(t *testing.T) {
	w := start(t, dbtest.Open(t, dbtest.DSN(t, db.SQLite)), nil)
	for address, says := range map[string]string{"http://127.0.0.1:1": "refused", strings.Replace(w.server.URL, "http:", "https:", 1): "not TLS", "http://no-such-host.invalid": "resolve"} {
		w.api.PublicURL = address
		r := w.test(t)
		if len(r.Steps) != 2 || r.OK || !strings.Contains(r.Steps[1].Got, says) || r.Steps[1].Hint["zh"] == "" {
			t.Errorf("%s: %+v", address, r.Steps)
		}
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	w.api.PublicURL = secure.URL
	if r := w.test(t); !strings.Contains(r.Steps[1].Got, "unknown authority") {
		t.Errorf("%+v", r.Steps)
	}
	if s := address("http://im.corp.example", ""); s.OK || s.Hint["en"] == "" {
		t.Errorf("%+v", s)
	}
	if s := address("https://im.corp.example", "https://chat.corp.example"); !s.OK || !strings.Contains(s.Hint["zh"], "https://chat.corp.example") {
		t.Errorf("%+v", s)
	}
	if s := address("https://im.corp.example", "https://im.corp.example"); !s.OK || s.Hint != nil {
		t.Errorf("%+v", s)
	}
}

// The findings of a directory become steps, in both languages; an error of it fails the test.
func TestLDAPSteps(t *testing.T) {
	w := start(t, dbtest.Open(t, dbtest.DSN(t, db.SQLite)), nil)
	source, err := w.store.CreateSource(context.Background(), directory.Cause{}, directory.Source{Name: "corp", Kind: directory.KindLDAP})
	if err != nil {
		t.Fatal(err)
	}
	var broken error
	w.source = source
	w.api.LDAP = func(id.Source) (func(context.Context) (ldap.Capabilities, []ldap.Finding, error), string) {
		return func(context.Context) (ldap.Capabilities, []ldap.Finding, error) {
			if broken != nil {
				return ldap.Capabilities{}, []ldap.Finding{{Severity: ldap.Error, Code: "login", Text: "login refused"}}, broken
			}
			return ldap.Capabilities{Vendor: "openldap", TLS: "TLS 1.3", IDAttribute: "entryUUID", Latency: time.Millisecond, Sample: map[ldap.Class]int{ldap.ClassPerson: 3}},
				[]ldap.Finding{{Severity: ldap.Info, Code: "no_group", Text: "no entry was found"}, {Severity: ldap.Warning, Code: "new_code", Text: "something"}}, nil
		}, "ldaps://dc.corp.example"
	}
	if r := w.test(t); !r.OK || len(r.Steps) != 4 || r.Target != "ldaps://dc.corp.example" || r.step("no_group").Hint["zh"] != "没有找到任何组。" || r.step("new_code").Hint["zh"] != "something" {
		t.Errorf("%+v", r)
	}
	broken = errors.New("no")
	if r := w.test(t); r.OK || len(r.Steps) != 2 || r.step("login").OK || strings.Contains(r.Text, "nothing to say") || !strings.Contains(r.Text, "FAILED  login\n") {
		t.Errorf("%+v", r)
	}
	w.api.LDAP = func(id.Source) (func(context.Context) (ldap.Capabilities, []ldap.Finding, error), string) {
		return nil, ""
	}
	if _, err := w.api.Test(context.Background(), &TestInput{ID: source.ID}); err == nil {
		t.Error("a source that is not configured is tested")
	}
}
