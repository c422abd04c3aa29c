package trial

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	scimRoot = "/scim/v2"
	agent    = "Rollcall-Connection-Test/1"
	stepTime = 10 * time.Second
	maxRead  = 1 << 20
)

// probe is one request a client makes.
type probe struct {
	name, method, path, body string
	anonymous                bool // without the token
	expected                 string
	judge                    func(answer) bool
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   struct {
		Schemas      []string
		TotalResults *int
		Detail       string
	}
	scim bool // it speaks SCIM
	html bool
}

func (a answer) refused() bool { // by the service provider itself
	return a.scim && a.status >= 400 && a.status < 500 && a.status != 401 && a.status != 403 && a.status != 405 && a.status != 429
}

// probes are the first requests of a client. A person that nobody is cannot be changed and one without a name cannot be
// made: the writes at the end leave nothing behind.
func probes() []probe {
	nobody := "/Users?filter=" + url.QueryEscape(`userName eq "`+rand.Text()+`"`)
	found := func(a answer) bool { return a.scim && a.status == 200 && a.body.TotalResults != nil }
	refused := func(a answer) bool { return a.refused() }
	const patch = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}`
	const user = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]}`
	return []probe{
		{name: "configuration", method: "GET", path: "/ServiceProviderConfig", expected: "200, a ServiceProviderConfig", judge: func(a answer) bool {
			return a.scim && a.status == 200 && slices.ContainsFunc(a.body.Schemas, func(s string) bool { return strings.HasSuffix(s, ":ServiceProviderConfig") })
		}},
		{name: "schemas", method: "GET", path: "/Schemas", expected: "200, a list of schemas", judge: func(a answer) bool { return found(a) && *a.body.TotalResults > 0 }},
		{name: "unknown_user", method: "GET", path: nobody, expected: "200, an empty list", judge: func(a answer) bool { return found(a) && *a.body.TotalResults == 0 }},
		{name: "groups", method: "GET", path: "/Groups?count=1", expected: "200, a list", judge: found},
		{name: "no_token", method: "GET", path: "/Users?count=1", anonymous: true, expected: "401 without a token", judge: func(a answer) bool { return a.status == 401 }},
		{name: "post", method: "POST", path: "/Users", body: user, expected: "400 from the service provider: POST arrives", judge: refused},
		{name: "put", method: "PUT", path: "/Users/connection-test", body: user, expected: "400 or 404 from the service provider: PUT arrives", judge: refused},
		{name: "patch", method: "PATCH", path: "/Users/connection-test", body: patch, expected: "404 from the service provider: PATCH arrives", judge: refused},
		{name: "delete", method: "DELETE", path: "/Users/connection-test", expected: "404 from the service provider: DELETE arrives", judge: refused},
	}
}

// trySCIM makes the requests of a client at the public address with a token. origin is where the administrator has the console
// open, if that is known. It stops where nothing answers at all.
func (a *API) trySCIM(ctx context.Context, origin, token string) []Step {
	public := a.PublicURL
	base := strings.TrimRight(public, "/") + scimRoot
	steps := []Step{address(public, origin)}
	transport := &http.Transport{Proxy: nil, TLSHandshakeTimeout: stepTime, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	if a.Roots != nil {
		transport.TLSClientConfig.RootCAs = a.Roots()
	}
	client := &http.Client{Transport: transport, Timeout: stepTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for i, p := range probes() {
		step := Step{Name: p.name, Request: p.method + " " + p.path, Expected: p.expected}
		began := time.Now()
		a, err := p.ask(ctx, client, base, token)
		step.Millis = float64(time.Since(began).Microseconds()) / 1000
		if err != nil {
			step.Got, step.Hint = unreachable(err)
			steps = append(steps, step)
			if i == 0 {
				break
			}
			continue
		}
		step.Status, step.Got, step.OK = a.status, a.String(), p.judge(a)
		if !step.OK {
			step.Hint = advice(a, p)
		}
		steps = append(steps, step)
	}
	return steps
}

func (p probe) ask(ctx context.Context, client *http.Client, base, token string) (answer, error) {
	var body io.Reader
	if p.body != "" {
		body = strings.NewReader(p.body)
	}
	r, err := http.NewRequestWithContext(ctx, p.method, base+p.path, body)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("User-Agent", agent)
	r.Header.Set("Accept", "application/scim+json")
	if p.body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	if !p.anonymous {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	got, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	a := answer{status: got.StatusCode, header: got.Header}
	text, err := io.ReadAll(io.LimitReader(got.Body, maxRead))
	if err != nil {
		return answer{}, err
	}
	kind := strings.ToLower(got.Header.Get("Content-Type"))
	a.html = strings.HasPrefix(kind, "text/html")
	a.scim = strings.HasPrefix(kind, "application/scim+json") && json.NewDecoder(bytes.NewReader(text)).Decode(&a.body) == nil
	return a, nil
}

// String says what an answer was, and nothing of its content but a refusal's text.
func (a answer) String() string {
	text := fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	switch {
	case a.scim && a.body.TotalResults != nil:
		text += fmt.Sprintf(", a list of %d", *a.body.TotalResults)
	case a.scim && a.body.Detail != "":
		text += ", SCIM: " + a.body.Detail
	case a.scim:
		text += ", SCIM"
	case a.html:
		text += ", a web page"
	case a.header.Get("Content-Type") != "":
		text += ", " + a.header.Get("Content-Type")
	}
	if at, err := url.Parse(a.header.Get("Location")); err == nil && a.status >= 300 && a.status < 400 {
		text += ", to " + (&url.URL{Scheme: at.Scheme, Host: at.Host, Path: at.Path}).String()
	}
	return text
}

// address looks at the public address itself.
func address(public, origin string) Step {
	s := Step{Name: "address", Expected: "an https address that the identity provider reaches", Got: public}
	u, err := url.Parse(public)
	if err != nil || u.Host == "" {
		s.Hint = hint("public_url is no address.", "public_url 不是有效地址。")
		return s
	}
	s.OK = true
	ip, err := netip.ParseAddr(u.Hostname())
	here := u.Hostname() == "localhost" || err == nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast())
	elsewhere := ""
	if o, err := url.Parse(origin); err == nil && o.Host != "" && (o.Host != u.Host || o.Scheme != u.Scheme) {
		elsewhere = o.Scheme + "://" + o.Host
	}
	switch {
	case elsewhere != "":
		s.Hint = hint("You have the console open at "+elsewhere+". If identity providers use that address too, set public_url to it.",
			"您当前通过 "+elsewhere+" 打开控制台。如果身份提供商也使用该地址，请将 public_url 改为该地址。")
	case here:
		s.Hint = hint("This address is reached from this machine or network only: a cloud identity provider cannot reach it, and this test went no further than here.",
			"该地址仅在本机或本地网络可达：云端身份提供商无法访问，本次测试也没有经过外部网络。")
	case u.Scheme != "https":
		s.OK = false
		s.Hint = hint("The token travels unencrypted, and Entra ID and Okta refuse http. Put TLS in front and set public_url to https.",
			"令牌未加密传输，且 Entra ID 与 Okta 拒绝 http。请在前端启用 TLS，并将 public_url 设为 https。")
	}
	return s
}
