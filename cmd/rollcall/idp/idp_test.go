package idp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/cmd/rollcall/idp"
	"github.com/rollcall-im/rollcall/directory"
)

func TestPushAndSignIn(t *testing.T) {
	w := newWorld(t)
	ids := w.push()
	if len(ids) != 5 {
		t.Fatalf("pushed %v", ids)
	}
	ctx := context.Background()
	people, err := w.store.People(ctx, directory.Query{Limit: 50})
	if err != nil || len(people.People) != 5 {
		t.Fatalf("%d people, %v", len(people.People), err)
	}
	byName := map[string]directory.Person{}
	for _, p := range people.People {
		full, err := w.store.Person(ctx, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		byName[p.UserName] = full
	}
	if byName["li.lei"].Manager != byName["anna.meyer"].ID || byName["anna.meyer"].Manager != byName["chen.jing"].ID || byName["chen.jing"].Department != "R&D" {
		t.Errorf("managers: %+v", byName)
	}
	if groups := byName["chen.jing"].Groups; !slices.Contains(groups, "hr/Leads") || len(groups) != 2 {
		t.Errorf("groups: %v", groups)
	}
	if again := w.push(); fmt.Sprint(again) != fmt.Sprint(ids) {
		t.Errorf("a second push: %v, first %v", again, ids)
	}
	b := w.browser()
	if status, page := b.login("E1"); status != 200 || page != "the web app" {
		t.Fatalf("signed in: %d %s", status, page)
	}
	if status, body := b.me(); status != 200 || !strings.Contains(body, "陈静") {
		t.Errorf("me: %d %s", status, body)
	}
	if _, page := b.get(w.idp.URL + "/"); !strings.Contains(page, "陈静") {
		t.Error("the sign-in is not on the provider's page")
	}
	b.get(w.idp.URL + "/logout?post_logout_redirect_uri=" + url.QueryEscape(w.api.URL+"/"))
	if status, _ := b.me(); status != 401 {
		t.Errorf("after the provider's own sign-out: %d", status)
	}
}

func TestSignOutAtRollcallEndsBoth(t *testing.T) {
	w := newWorld(t)
	w.push()
	b := w.browser()
	b.login("E3")
	status, page := b.post(w.api.URL+"/auth/logout", nil)
	if status != 200 || page != "the web app" { // by way of the provider, and back
		t.Errorf("signed out: %d %s", status, page)
	}
	if status, _ := b.me(); status != 401 {
		t.Errorf("session: %d", status)
	}
	if _, page := b.get(w.idp.URL + "/"); strings.Contains(page, "/end\"") {
		t.Error("the provider still has the sign-in")
	}
}

func TestBackchannelFromThePage(t *testing.T) {
	w := newWorld(t)
	w.push()
	one, two := w.browser(), w.browser()
	one.login("E1")
	two.login("E3")
	_, page := two.get(w.idp.URL + "/")
	forms := regexp.MustCompile(`action="(/sessions/[^"]+/end)"`).FindAllStringSubmatch(page, -1)
	if len(forms) != 2 {
		t.Fatalf("%d sign-ins on the page", len(forms))
	}
	two.post(w.idp.URL+forms[1][1], nil) // the older one: E1
	a, _ := one.me()
	c, _ := two.me()
	if a != 401 || c != 200 {
		t.Errorf("ended one of two: %d, the other %d", a, c)
	}
}

// The whole life at HR, each step as one real SCIM request, and what it does to sign-in.
//
// holds: J41
func TestHireMoveLeaveRehire(t *testing.T) {
	w := newWorld(t)
	w.push()
	hr := w.browser()
	last := func() idp.Exchange { return w.p.Exchanges()[0] }
	status, page := hr.post(w.idp.URL+"/hr/hire", url.Values{"display_name": {"韩梅梅"}, "family_name": {"韩"}, "given_name": {"梅梅"}, "user_name": {"han.meimei"}, "email": {"han@demo.example"},
		"department": {"R&D"}, "title": {"工程师"}, "manager": {"陈静 · E1"}})
	if status != 200 || last().Status != 201 || !strings.Contains(page, "POST /scim/v2/Users") || !strings.Contains(page, " ms</span>") || !strings.Contains(page, "韩梅梅") {
		t.Fatalf("hired: %d, %+v", status, last())
	}
	if strings.Contains(page, w.token) {
		t.Error("the page shows the token")
	}
	var hired struct {
		ExternalID string
		Enterprise struct{ Manager struct{ Value string } } `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
	}
	if err := json.Unmarshal([]byte(last().Answer), &hired); err != nil || hired.Enterprise.Manager.Value == "" {
		t.Fatalf("answer: %v %s", err, last().Answer)
	}
	sub := hired.ExternalID
	b := w.browser()
	b.login(sub)
	if status, body := b.me(); status != 200 || !strings.Contains(body, "韩梅梅") || !strings.Contains(body, `"department":"R`) {
		t.Fatalf("the new person: %d %s", status, body)
	}
	at := w.idp.URL + "/hr/people/" + sub
	if _, page := hr.post(at+"/move", url.Values{"department": {"Sales"}, "title": {"工程师"}, "manager": {""}}); last().Status != 200 || strings.Contains(last().Request, `"title"`) || !strings.Contains(page, "PATCH") {
		t.Errorf("moved: %+v", last())
	}
	if _, body := b.me(); !strings.Contains(body, `"department":"Sales"`) {
		t.Errorf("after the move: %s", body)
	}
	if hr.post(at+"/leave", nil); last().Status != 200 || !strings.Contains(last().Request, `"value": false`) {
		t.Errorf("left: %+v", last())
	}
	if status, _ := b.me(); status != 401 {
		t.Errorf("session after leaving: %d", status)
	}
	late := w.browser()
	if status, page := late.login(sub); status != 403 || !strings.Contains(page, "person_frozen") {
		t.Errorf("the provider lets them in, Rollcall must not: %d %s", status, page)
	}
	for _, how := range []string{"post", "patch"} {
		if hr.post(at+"/rehire", url.Values{"how": {how}}); !last().OK() {
			t.Errorf("rehired by %s: %+v", how, last())
		}
		back := w.browser()
		back.login(sub)
		if status, body := back.me(); status != 200 {
			t.Errorf("rehired by %s: %d %s", how, status, body)
		}
		hr.post(at+"/leave", nil)
	}
	people, err := w.store.People(context.Background(), directory.Query{Limit: 50})
	if err != nil || len(people.People) != 6 {
		t.Errorf("%d people at the end, want 6: one person came, left and came back, %v", len(people.People), err)
	}
	// Started again over the same database, HR knows what it said before.
	again, err := idp.New(idp.Options{Issuer: w.idp.URL, Client: w.p.Client, SCIMURL: w.api.URL + "/scim/v2", SCIMToken: w.token, People: company()})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Recover(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i, want := range w.p.Company() {
		got := again.Company()[i]
		if got.Sub != want.Sub || got.Left != want.Left || got.Department != want.Department || got.Manager != want.Manager || got.Email != want.Email {
			t.Errorf("recovered %+v, want %+v", got, want)
		}
	}
}

func TestHRSaysWhatWentWrong(t *testing.T) {
	w := newWorld(t)
	w.push()
	hr := w.browser()
	for path, form := range map[string]url.Values{"/hr/hire": {"display_name": {"X"}}, "/hr/people/E1/move": {"manager": {"nobody"}}, "/hr/people/E1/fly": {}, "/hr/people/E99/leave": {}} {
		if status, _ := hr.post(w.idp.URL+path, form); status != 400 && status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
	hr.post(w.idp.URL+"/hr/hire", url.Values{"display_name": {"X"}, "user_name": {"LI.LEI"}}) // taken, in other letters
	if e := w.p.Exchanges()[0]; e.Status != 409 || len(w.p.Company()) != 5 {
		t.Errorf("a user name twice: %+v, %d people", e, len(w.p.Company()))
	}
	w.api.Close()
	if _, page := hr.post(w.idp.URL+"/hr/people/E1/leave", nil); !strings.Contains(page, "no answer") {
		t.Error("Rollcall is away, and the page does not say so")
	}
	if p := w.p.Company()[0]; p.Left {
		t.Error("HR took for done what Rollcall never heard")
	}
	request, _ := http.NewRequest("POST", w.idp.URL+"/hr/people/E1/leave", nil)
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	if status, _ := hr.read(hr.Do(request)); status != 403 {
		t.Errorf("another origin lets people go: %d", status)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for _, path := range []string{"/", "/hr", "/hr?q=anna+r%26d", "/hr?state=left", "/hr?page=7", "/hr/people/E2", "/hr?lang=zh", "/hr/people/E1"} {
		status, page := b.get(w.idp.URL + path)
		if status != 200 || strings.Contains(page, "<img") || strings.Contains(page, "<script") || strings.Contains(page, "https://") {
			t.Errorf("%s: %d %s", path, status, page)
		}
		if path == "/hr?q=anna+r%26d" && (!strings.Contains(page, "Anna") || strings.Contains(page, "/hr/people/E3")) {
			t.Error("search")
		}
		if strings.HasSuffix(path, "zh") && !strings.Contains(page, "办理入职") {
			t.Error("no Chinese")
		}
	}
	if _, page := b.get(w.idp.URL + "/hr"); !strings.Contains(page, "办理入职") {
		t.Error("the language is forgotten")
	}
	if status, body := b.get(w.idp.URL + "/style.css"); status != 200 || !strings.Contains(body, "prefers-color-scheme") {
		t.Errorf("style: %d", status)
	}
}

func TestProtocolRefusals(t *testing.T) {
	w := newWorld(t)
	good := url.Values{"client_id": {"rollcall"}, "redirect_uri": {w.api.URL + "/auth/callback"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"},
		"code_challenge_method": {"S256"}, "code_challenge": {strings.Repeat("a", 43)}, "sub": {"E1"}}
	with := func(name, value string) url.Values {
		q := url.Values{}
		for k, v := range good {
			q[k] = v
		}
		q.Set(name, value)
		return q
	}
	b := w.browser()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for name, c := range map[string]struct {
		form  url.Values
		where string
	}{
		"another address": {with("redirect_uri", "https://evil.example/"), ""}, "another client": {with("client_id", "x"), ""}, "nobody": {with("sub", "E99"), ""},
		"plain challenge": {with("code_challenge_method", "plain"), "error=invalid_request"}, "no openid": {with("scope", "email"), "error=invalid_scope"},
		"token at once": {with("response_type", "token"), "error=unsupported_response_type"}, "good": {good, "code="},
	} {
		res, err := b.PostForm(w.idp.URL+"/authorize", c.form)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		to := res.Header.Get("Location")
		if c.where == "" && (res.StatusCode != 400 || to != "") || c.where != "" && (!strings.HasPrefix(to, w.api.URL) || !strings.Contains(to, c.where) || !strings.Contains(to, "state=s")) {
			t.Errorf("%s: %d to %q", name, res.StatusCode, to)
		}
	}
	if res, _ := b.Get(w.idp.URL + "/authorize?prompt=none&" + good.Encode()); !strings.Contains(res.Header.Get("Location"), "code=") { // the cookie of "good"
		t.Errorf("prompt=none: %s", res.Header.Get("Location"))
	}
	if res, _ := w.browser().Get(w.idp.URL + "/userinfo"); res.StatusCode != 401 {
		t.Errorf("userinfo: %d", res.StatusCode)
	}
	w.codes(t, b, with)
}

// codes holds the token endpoint: one use, the right client, the right verifier.
func (w *world) codes(t *testing.T, b *browser, with func(name, value string) url.Values) {
	t.Helper()
	token := func(form url.Values, secret string) (int, string) {
		request, _ := http.NewRequest("POST", w.idp.URL+"/token", strings.NewReader(form.Encode()))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.SetBasicAuth("rollcall", url.QueryEscape(secret))
		return b.read(http.DefaultClient.Do(request))
	}
	code := func() string {
		res, err := b.PostForm(w.idp.URL+"/authorize", with("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		to, _ := url.Parse(res.Header.Get("Location"))
		return to.Query().Get("code")
	}
	form := func(code, verifier string) url.Values {
		return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {w.api.URL + "/auth/callback"}, "code_verifier": {verifier}}
	}
	const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
	const secret = "a secret/with+signs"
	c := code()
	if status, _ := token(form(c, verifier), "wrong"); status != 401 {
		t.Errorf("another secret: %d", status)
	}
	if status, body := token(form(c, verifier), secret); status != 200 || !strings.Contains(body, "id_token") {
		t.Errorf("the right one: %d %s", status, body)
	}
	if status, body := token(form(c, verifier), secret); status != 400 || !strings.Contains(body, "invalid_grant") {
		t.Errorf("the code again: %d %s", status, body)
	}
	if status, _ := token(form(code(), "other"), secret); status != 400 {
		t.Errorf("another verifier: %d", status)
	}
}
