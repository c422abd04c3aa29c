package idp_test

import (
	"context"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/cmd/rollcall/idp"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/scim"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/session"
)

// settled is a directory.Access for which everything is in force at once.
type settled struct{}

func (settled) Revoke(*db.Tx, []directory.FreezeChange) (int64, error)            { return 0, nil }
func (settled) Settle(context.Context, directory.Cause, []id.Person, int64) error { return nil }

// standing asks the directory itself.
type standing struct{ store *directory.Store }

func (s standing) Frozen(p id.Person) bool {
	if p == "" {
		return false
	}
	person, err := s.store.Person(context.Background(), p)
	return err != nil || person.Frozen
}

// world is a Rollcall with its directory, SCIM and sign-in, and the demo's provider, over real HTTP.
type world struct {
	t     *testing.T
	store *directory.Store
	door  *session.Door
	api   *httptest.Server
	idp   *httptest.Server
	p     *idp.Provider
	token string
}

func company() []idp.Person {
	return []idp.Person{
		{Sub: "E1", UserName: "chen.jing", Email: "chen.jing@demo.example", DisplayName: "陈静", FamilyName: "陈", GivenName: "静", Title: "研发总监", Department: "R&D", Organization: "Demo", EmployeeNumber: "E1", Locale: "zh-CN", Groups: []string{"Leads", "Everybody"}},
		{Sub: "E2", UserName: "anna.meyer", Email: "anna@demo.example", DisplayName: `Anna "><img src=x> Meyer`, FamilyName: "Meyer", GivenName: "Anna", Title: "Engineer", Department: "R&D", EmployeeNumber: "E2", Manager: "E1", Groups: []string{"Everybody"}},
		{Sub: "E3", UserName: "li.lei", Email: "li.lei@demo.example", DisplayName: "李雷", Title: "Engineer", Department: "Sales", EmployeeNumber: "E3", Manager: "E2", Groups: []string{"Everybody"}},
		{Sub: "E4", UserName: "a.circle", DisplayName: "A Circle", Department: "Sales", Manager: "E5"},
		{Sub: "E5", UserName: "b.circle", DisplayName: "B Circle", Department: "Sales", Manager: "E4"},
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, d := context.Background(), dbtest.SQLite(t)
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate, session.Migrate} {
		if err := migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	w := &world{t: t, store: directory.New(d, feed.New(d, "test", log), log)}
	w.store.Access = settled{}
	source, err := w.store.CreateSource(ctx, directory.Cause{Actor: "system"}, directory.Source{Name: "hr", Kind: directory.KindSCIM, Priority: 10})
	if err != nil {
		t.Fatal(err)
	}
	if w.token, _, err = w.store.IssueSourceToken(ctx, directory.Cause{Actor: "system"}, source.ID, "test", time.Time{}); err != nil {
		t.Fatal(err)
	}
	provision, err := scim.New(scim.Options{Store: w.store, Rate: 10000})
	if err != nil {
		t.Fatal(err)
	}
	var api, provider http.Handler
	w.api = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { api.ServeHTTP(rw, r) }))
	w.idp = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { provider.ServeHTTP(rw, r) }))
	t.Cleanup(w.api.Close)
	t.Cleanup(w.idp.Close)
	w.door, err = session.New(session.Options{DB: d, Standing: standing{w.store}, PublicURL: w.api.URL, Issuer: w.idp.URL, ClientID: "rollcall", ClientSecret: "a secret/with+signs",
		Resolve: func(ctx context.Context, c session.Claims) (id.Person, error) {
			page, err := w.store.FindRecords(ctx, directory.RecordQuery{Source: source.ID, Limit: 2, Where: directory.Compare{Column: directory.ColExternalID, Op: directory.Eq, Value: c.Subject}})
			if err != nil || len(page.Records) != 1 {
				return "", session.ErrNoPerson
			}
			return page.Records[0].Person, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	me := &session.API{Door: w.door, Profile: func(ctx context.Context, p id.Person) (session.Profile, error) {
		person, err := w.store.Person(ctx, p)
		return session.Profile{ID: p, DisplayName: person.DisplayName, Department: person.Department}, err
	}}
	api = (&httpapi.Server{Authenticate: w.door.Authenticate, Errors: session.Cases()}).Handler([]httpapi.Route{
		httpapi.Plain("", "/scim/v2/", httpapi.Sources, "SCIM", provision),
		httpapi.Plain("GET", "/auth/login", httpapi.Public, "Sign in", http.HandlerFunc(w.door.Login)),
		httpapi.Plain("GET", "/auth/callback", httpapi.Public, "Back", http.HandlerFunc(w.door.Callback)),
		httpapi.Plain("POST", "/auth/logout", httpapi.Public, "Sign out", http.HandlerFunc(w.door.Logout)),
		httpapi.Plain("POST", "/auth/backchannel-logout", httpapi.Public, "Told to sign out", http.HandlerFunc(w.door.BackchannelLogout)),
		httpapi.Op("GET", "/api/v1/me", httpapi.Known, "Me", me.Me),
		httpapi.Plain("GET", "/", httpapi.Public, "The page", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "the web app") })),
	})
	w.p, err = idp.New(idp.Options{Issuer: w.idp.URL, Client: idp.Client{ID: "rollcall", Secret: "a secret/with+signs", RedirectURI: w.api.URL + "/auth/callback"},
		SCIMURL: w.api.URL + "/scim/v2", SCIMToken: w.token, People: company()})
	if err != nil {
		t.Fatal(err)
	}
	provider = w.p
	return w
}

func (w *world) push() map[string]string {
	w.t.Helper()
	ids, err := (&idp.SCIM{URL: w.api.URL + "/scim/v2", Token: w.token}).Push(context.Background(), w.p.Company(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return ids
}

type browser struct {
	*http.Client
	w *world
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{Client: &http.Client{Jar: jar}, w: w}
}

func (b *browser) get(address string) (int, string) {
	b.w.t.Helper()
	res, err := b.Get(address)
	return b.read(res, err)
}

func (b *browser) read(res *http.Response, err error) (int, string) {
	b.w.t.Helper()
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func (b *browser) post(address string, form url.Values) (int, string) {
	b.w.t.Helper()
	res, err := b.PostForm(address, form)
	return b.read(res, err)
}

// hidden reads the hidden fields of the last form of a page.
func hidden(page string) url.Values {
	fields := url.Values{}
	page = page[strings.LastIndex(page, "<form"):]
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(page, -1) {
		fields.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return fields
}

// login goes through the provider's pages as sub.
func (b *browser) login(sub string) (int, string) {
	b.w.t.Helper()
	status, page := b.get(b.w.api.URL + "/auth/login?return_to=/home")
	if status != 200 || !strings.Contains(page, "<form") {
		b.w.t.Fatalf("sign-in page: %d %s", status, page)
	}
	form := hidden(page)
	form.Set("sub", sub)
	return b.post(b.w.idp.URL+"/authorize", form)
}

func (b *browser) me() (int, string) {
	b.w.t.Helper()
	return b.get(b.w.api.URL + "/api/v1/me")
}
