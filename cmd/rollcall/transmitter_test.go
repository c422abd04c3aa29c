package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/signals"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/seal"
)

// toldEar is a receiver of signals of its own: it believes a token only by the keys that the transmitter's configuration names.
type toldEar struct {
	tb       testing.TB
	issuer   string
	audience string
	srv      *httptest.Server
	keys     *oidc.RemoteKeySet

	mu    sync.Mutex
	code  int    // that it answers; 0: it takes
	err   string // with 400
	heard []string
	jtis  map[string]string // by jti the token as it was when it came first
	tries map[string]int
	state string // of the last verification
	again bool   // the same token may come twice: a node was killed before it could note what was answered
}

func newToldEar(tb testing.TB, issuer, audience string) *toldEar {
	tb.Helper()
	e := &toldEar{tb: tb, issuer: issuer, audience: audience, jtis: map[string]string{}, tries: map[string]int{}}
	res, err := http.Get(issuer + "/.well-known/ssf-configuration")
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	var doc map[string]any
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		tb.Fatal(err)
	}
	if doc["issuer"] != issuer || doc["spec_version"] != "1_0" || doc["configuration_endpoint"] != issuer+"/ssf/stream" || doc["default_subjects"] != "ALL" ||
		fmt.Sprint(doc["delivery_methods_supported"]) != "[urn:ietf:rfc:8935 urn:ietf:rfc:8936]" {
		tb.Fatalf("configuration: %v", doc)
	}
	e.keys = oidc.NewRemoteKeySet(context.Background(), doc["jwks_uri"].(string))
	e.srv = httptest.NewServer(e)
	tb.Cleanup(e.srv.Close)
	return e
}

func (e *toldEar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Type") != "application/secevent+jwt" || r.Header.Get("Authorization") != "Bearer siem-secret" {
		e.tb.Errorf("%s %s: %v", r.Method, r.Header, err)
	}
	e.mu.Lock()
	code, text := e.code, e.err
	if code == 0 {
		code = http.StatusAccepted
		e.take(string(raw))
	} else {
		e.tries[e.event(string(raw))]++
	}
	e.mu.Unlock()
	w.WriteHeader(code)
	if text != "" {
		fmt.Fprintf(w, `{"err":%q,"description":"no"}`, text)
	}
}

type heardSet struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
	Subject  map[string]string
	SubID    map[string]string         `json:"sub_id"`
	Events   map[string]map[string]any `json:"events"`
}

// event verifies a token, and answers what it says: the event and whom.
func (e *toldEar) event(raw string) string {
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType] != "secevent+jwt" {
		e.tb.Errorf("no security event token: %v %.60s", err, raw)
		return ""
	}
	payload, err := e.keys.VerifySignature(context.Background(), raw)
	if err != nil {
		e.tb.Errorf("signature: %v", err)
		return ""
	}
	var c heardSet
	if err := json.Unmarshal(payload, &c); err != nil || c.Issuer != e.issuer || c.Audience != e.audience || c.ID == "" || c.Expiry != 0 || len(c.Events) != 1 ||
		time.Since(time.Unix(c.IssuedAt, 0)) > time.Minute || time.Until(time.Unix(c.IssuedAt, 0)) > time.Second {
		e.tb.Errorf("%v: %s", err, payload)
		return ""
	}
	if first := e.jtis[c.ID]; first != "" && first != raw {
		e.tb.Errorf("another token of the same jti:\n%s\n%s", first, raw)
	}
	e.jtis[c.ID] = raw
	for kind, said := range c.Events {
		if state, _ := said["state"].(string); state != "" {
			e.state = state
		}
		if kind == caep+"session-revoked" && said["reason_admin"] == nil {
			e.tb.Errorf("no reason_admin: %s", payload)
		}
		name := kind[strings.LastIndexByte(kind, '/')+1:]
		if status, _ := said["status"].(string); status != "" {
			name += "=" + status
		}
		return name + " " + c.SubID["email"] + c.SubID["id"]
	}
	return ""
}

func (e *toldEar) take(raw string) {
	before := len(e.jtis)
	if said := e.event(raw); len(e.jtis) > before || e.tries[said] > 0 {
		e.heard = append(e.heard, said)
		delete(e.tries, said)
	} else if !e.again {
		e.tb.Errorf("told twice: %s", said)
	}
}

// hears waits until it heard this since the last call, and answers when nothing else came.
func (e *toldEar) hears(want ...string) {
	e.tb.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		e.mu.Lock()
		got := slices.Clone(e.heard)
		e.mu.Unlock()
		if len(got) >= len(want) || time.Since(began) > 20*time.Second {
			if !slices.Equal(got, want) {
				e.tb.Fatalf("heard %q, want %q", got, want)
			}
			e.mu.Lock()
			e.heard = e.heard[len(want):]
			e.mu.Unlock()
			return
		}
	}
}

func (e *toldEar) answers(code int, err string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.code, e.err = code, err
}

// telling is a server that tells two receivers: siem is pushed to and knows people by their e-mail address, desk polls and knows them by their id here.
type telling struct {
	*bench
	siem, desk *toldEar
	token      string // of desk
	poll       string // where it polls
	acks       []string
}

// newKey makes an identity by which secrets are sealed.
func newKey(t testing.TB) *seal.Key {
	t.Helper()
	file, _, err := seal.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newTelling(t *testing.T, engine db.Engine) *telling {
	t.Helper()
	key := newKey(t)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	b := newBenchOf(t, engine, log, func(cfg *Config) {
		cfg.key = key
		cfg.Signals = []signals.Transmitter{{Name: "okta", Issuer: "https://okta.example.com"}}
	})
	b.app.telling.FirstRetry = 10 * time.Millisecond
	b.app.erasure.After = 0
	return &telling{bench: b, siem: newToldEar(t, b.url, "siem"), desk: newToldEar(t, b.url, "desk")}
}

func (p *telling) admin(method, path, body string) map[string]any {
	p.tb.Helper()
	return p.call(method, "/api/v1/transmitter"+path, p.app.cfg.BootstrapToken, body)
}

// as makes a request of a receiver, and answers the status too.
func (p *telling) as(token, method, path, body string, want int) map[string]any {
	p.tb.Helper()
	q, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.tb.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	q.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		p.tb.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		p.tb.Fatalf("%s %s %s: %d %s, want %d", method, path, body, res.StatusCode, text, want)
	}
	out := map[string]any{}
	if len(text) > 0 && text[0] == '{' {
		if err := json.Unmarshal(text, &out); err != nil {
			p.tb.Fatal(err)
		}
	}
	return out
}

// polls has desk poll once, and take what it is given.
func (p *telling) polls(more string) (n int) {
	p.tb.Helper()
	acks, _ := json.Marshal(p.acks)
	out := p.as(p.token, "POST", p.poll, fmt.Sprintf(`{"returnImmediately":true,"ack":%s%s}`, acks, more), http.StatusOK)
	p.acks = []string{}
	for jti, raw := range out["sets"].(map[string]any) {
		p.desk.mu.Lock()
		p.desk.take(raw.(string))
		if p.desk.jtis[jti] != raw {
			p.tb.Errorf("%s is another token", jti)
		}
		p.desk.mu.Unlock()
		p.acks = append(p.acks, jti)
		n++
	}
	return n
}

// deskHears polls until desk heard this.
func (p *telling) deskHears(want ...string) {
	p.tb.Helper()
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		p.polls("")
		p.desk.mu.Lock()
		n := len(p.desk.heard)
		p.desk.mu.Unlock()
		if n >= len(want) {
			break
		}
	}
	p.polls("")
	p.desk.hears(want...)
}

// quiet waits until everything that happened so far has been looked at.
func (p *telling) quiet() {
	p.tb.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		head, err := p.app.feed.Head(p.tb.Context())
		at, more := p.app.feed.Position(p.tb.Context(), "transmitter")
		var behind int
		last := p.app.db.Read(p.tb.Context()).Raw("select count(*) from transmit_told where behind > 0").Scan(&behind).Error
		if err != nil || more != nil || last != nil {
			p.tb.Fatal(err, more, last)
		}
		if at == head && behind == 0 {
			return
		}
		if time.Since(began) > 20*time.Second {
			p.tb.Fatalf("at %d of %d, %d people behind", at, head, behind)
		}
	}
}

func (p *telling) hireMailed(name string, active bool) (link string, who id.Person) {
	p.tb.Helper()
	link = p.call("POST", "/scim/v2/Users", p.scim, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"%s","externalId":"X-%s","active":%v,"displayName":"%s",
		"emails":[{"value":"%s@example.com","primary":true}]}`, name, name, active, name, name))["id"].(string)
	items := p.call("GET", "/api/v1/people?q="+name, p.app.cfg.BootstrapToken, "")["items"].([]any)
	return link, id.Person(items[0].(map[string]any)["id"].(string))
}

func (p *telling) apply(changes ...directory.Change) {
	p.tb.Helper()
	if _, err := p.app.people.Apply(p.tb.Context(), directory.Cause{Actor: "somebody"}, changes...); err != nil {
		p.tb.Fatal(err)
	}
}

// lift lifts the freeze of somebody that stands.
func (p *telling) lift(who id.Person) {
	p.tb.Helper()
	freezes, err := p.app.people.Freezes(p.tb.Context(), who)
	if err != nil || !freezes[0].LiftedAt.IsZero() {
		p.tb.Fatal(freezes, err)
	}
	p.apply(directory.LiftFreeze{Freeze: freezes[0].ID})
}

// Whoever is told of offboardings is told each once, in order, when it is in force, by push and by poll, and believes it by the keys that the transmitter names.
func TestTransmitter(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			if testing.Short() && engine == db.Postgres {
				t.Skip("needs PostgreSQL")
			}
			p := newTelling(t, engine)
			old, _ := p.hireMailed("old", false) // before anybody is told anything
			for _, one := range []struct {
				name string
				run  func(*testing.T, string)
			}{{"begun", p.begun}, {"changes", p.changes}, {"ahead", p.ahead}, {"down", p.down}, {"refused", p.refused}, {"streams", p.streams}, {"loop", p.loop}, {"erased", p.erasedToo}, {"keys", p.rotated}} {
				t.Run(one.name, func(t *testing.T) {
					p.tb, p.siem.tb, p.desk.tb, p.bench.tb = t, t, t, t
					one.run(t, old)
				})
			}
		})
	}
}

func (p *telling) begun(t *testing.T, old string) {
	made := p.admin("POST", "/receivers", fmt.Sprintf(`{"name":"siem","audience":"siem","method":"push","endpoint":"%s/in","authorization":"Bearer siem-secret"}`, p.siem.srv.URL))
	if !strings.HasPrefix(made["token"].(string), "ssf_") {
		t.Error(made)
	}
	p.token = p.admin("POST", "/receivers", `{"name":"desk","audience":"desk","subject":"opaque","peer":"okta"}`)["token"].(string)
	stream := p.as(p.token, "POST", "/ssf/stream", `{"description":"of the desk"}`, http.StatusCreated)
	p.poll = strings.TrimPrefix(stream["delivery"].(map[string]any)["endpoint_url"].(string), p.url)
	p.as(p.token, "POST", "/ssf/stream", `{}`, http.StatusConflict)
	p.admin("POST", "/receivers/siem/verify", "")
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		p.siem.mu.Lock()
		n := len(p.siem.heard)
		p.siem.mu.Unlock()
		if n > 0 {
			break
		}
	}
	p.siem.mu.Lock()
	if len(p.siem.heard) != 1 || !strings.HasPrefix(p.siem.heard[0], "verification ") {
		t.Fatalf("heard %q", p.siem.heard)
	}
	p.siem.heard = nil
	p.siem.mu.Unlock()
	p.quiet()
	p.siem.hears() // whoever was out before is no news, nor is who comes
	p.call("PATCH", "/scim/v2/Users/"+old, p.scim, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"title":"Clerk"}}]}`)
	p.hireMailed("never", false)
	p.quiet()
	p.siem.hears()
	p.deskHears()
}

func (p *telling) changes(t *testing.T, old string) {
	link, who := p.hireMailed("ann", true)
	mail := " ann@example.com"
	id := " " + string(who)
	p.setActive(link, false)
	p.siem.hears("account-disabled" + mail)
	p.deskHears("account-disabled" + id)
	p.apply(directory.FreezePerson{Person: who}) // another reason is no other state
	p.setActive(link, true)
	p.quiet()
	p.siem.hears()
	p.lift(who)
	p.siem.hears("account-enabled" + mail)
	p.deskHears("account-enabled" + id)
	p.call("DELETE", "/api/v1/people/"+string(who)+"/sessions", p.app.cfg.BootstrapToken, "")
	p.siem.hears("session-revoked" + mail)
	p.deskHears("session-revoked" + id)
	p.apply(directory.Terminate{Person: who})
	p.siem.hears("account-disabled" + mail)
	p.deskHears("account-disabled" + id)
	p.call("DELETE", "/api/v1/people/"+string(who)+"/sessions", p.app.cfg.BootstrapToken, "") // they have none
	p.setActive(old, true)
	p.siem.hears("account-enabled old@example.com")
	p.quiet()
	p.siem.hears()
	p.polls("")
	p.polls("")
	p.desk.mu.Lock()
	p.desk.heard = nil
	p.desk.mu.Unlock()
}

// What is to come is told when it has come.
func (p *telling) ahead(t *testing.T, _ string) {
	_, who := p.hireMailed("bea", true)
	at := time.Now().Add(1500 * time.Millisecond)
	p.apply(directory.EndPerson{Person: who, At: at})
	p.quiet()
	p.siem.hears()
	p.siem.hears("account-disabled bea@example.com")
	if now := time.Now(); now.Before(at) {
		t.Errorf("told %v ahead", at.Sub(now))
	}
	p.deskHears("account-disabled " + string(who))
}

// A receiver that is down is told everything when it is up again, in order; meanwhile others are told.
func (p *telling) down(t *testing.T, _ string) {
	link, who := p.hireMailed("cid", true)
	p.siem.answers(http.StatusServiceUnavailable, "")
	p.setActive(link, false)
	p.deskHears("account-disabled " + string(who))
	p.setActive(link, true)
	p.deskHears("account-enabled " + string(who))
	p.setActive(link, false)
	p.deskHears("account-disabled " + string(who))
	p.siem.hears()
	item := p.admin("GET", "", "")["items"].([]any)[1].(map[string]any)
	if item["name"] != "siem" || item["waiting"].(float64) != 3 || item["failures"].(float64) == 0 || item["problem"] != "it answers 503" {
		t.Errorf("siem stands as %v", item)
	}
	p.siem.answers(0, "")
	p.siem.hears("account-disabled cid@example.com", "account-enabled cid@example.com", "account-disabled cid@example.com")
}

// A token that is refused for what it is makes room for the next; one that is refused for what the stream is waits.
func (p *telling) refused(t *testing.T, _ string) {
	one, _ := p.hireMailed("dan", true)
	two, _ := p.hireMailed("eve", true)
	p.siem.answers(http.StatusBadRequest, "invalid_request")
	p.setActive(one, false)
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if item := p.admin("GET", "", "")["items"].([]any)[1].(map[string]any); item["refused"].(float64) == 1 {
			break
		} else if time.Since(began) > 20*time.Second {
			t.Fatal(item)
		}
	}
	p.siem.answers(http.StatusBadRequest, "invalid_audience")
	p.setActive(two, false)
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if item := p.admin("GET", "", "")["items"].([]any)[1].(map[string]any); item["failures"].(float64) > 9 {
			break
		} else if time.Since(began) > 30*time.Second {
			t.Fatal(item)
		}
	}
	p.siem.answers(0, "")
	p.siem.hears("account-disabled eve@example.com")
	p.quiet()
	p.polls("")
	p.polls("")
	p.desk.mu.Lock()
	defer p.desk.mu.Unlock()
	p.desk.heard = nil
}

// What a receiver may do by its own token, and what it may not.
func (p *telling) streams(t *testing.T, _ string) {
	id := strings.TrimPrefix(p.poll, "/ssf/poll/")
	for _, bad := range []string{"", "x", "ssf_", p.token + "x", p.app.cfg.BootstrapToken} {
		p.as(bad, "GET", "/ssf/stream", "", http.StatusUnauthorized)
		p.as(bad, "POST", p.poll, "{}", http.StatusUnauthorized)
		p.as(bad, "POST", "/ssf/status", `{"stream_id":"`+id+`","status":"disabled"}`, http.StatusUnauthorized)
	}
	other := p.admin("POST", "/receivers/siem/token", "")["token"].(string)
	p.as(other, "POST", p.poll, "{}", http.StatusNotFound)
	p.as(other, "GET", "/ssf/stream?stream_id="+id, "", http.StatusNotFound)
	p.as(other, "DELETE", "/ssf/stream?stream_id="+id, "", http.StatusNotFound)
	p.as(p.token, "POST", "/ssf/stream", `{`, http.StatusBadRequest)

	if got := p.as(p.token, "GET", "/ssf/stream?stream_id="+id, "", http.StatusOK); got["description"] != "of the desk" || got["aud"] != "desk" || got["iss"] != p.url {
		t.Error(got)
	}
	got := p.as(p.token, "PATCH", "/ssf/stream", `{"stream_id":"`+id+`","events_requested":["`+risc+`account-disabled","urn:other"],"aud":"desk"}`, http.StatusOK)
	if fmt.Sprint(got["events_delivered"]) != "["+risc+"account-disabled]" || got["description"] != "of the desk" {
		t.Error(got)
	}
	p.as(p.token, "PATCH", "/ssf/stream", `{"stream_id":"`+id+`","aud":"siem"}`, http.StatusBadRequest)
	p.as(p.token, "PATCH", "/ssf/stream", `{"stream_id":"`+id+`","events_requested":["urn:other"]}`, http.StatusBadRequest)
	p.as(p.token, "PATCH", "/ssf/stream", `{"stream_id":"`+id+`","delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://169.254.169.254/x"}}`, http.StatusBadRequest)
	p.admin("PATCH", "/receivers/desk", `{"endpoints":"https://desk.example.com/in"}`)
	for _, bad := range []string{"https://desk.example.com/inside", "https://desk.example.com/in/../out", "https://desk.example.com.evil.example/in", "http://desk.example.com/in", "https://x@desk.example.com/in"} {
		p.as(p.token, "PATCH", "/ssf/stream", `{"stream_id":"`+id+`","delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"`+bad+`"}}`, http.StatusBadRequest)
	}
	got = p.as(p.token, "PUT", "/ssf/stream", `{"stream_id":"`+id+`","delivery":{"method":"urn:ietf:rfc:8936"}}`, http.StatusOK)
	if got["description"] != nil || len(got["events_delivered"].([]any)) != 4 {
		t.Error(got)
	}

	p.as(p.token, "POST", "/ssf/verify", `{"stream_id":"`+id+`","state":"s-1"}`, http.StatusNoContent)
	p.as(p.token, "POST", "/ssf/verify", `{"stream_id":"`+id+`","state":"s-2"}`, http.StatusTooManyRequests)
	p.deskHears("verification " + id)
	if p.desk.state != "s-1" {
		t.Errorf("state %q", p.desk.state)
	}

	link, who := p.hireMailed("fay", true)
	p.as(p.token, "POST", "/ssf/status", `{"stream_id":"`+id+`","status":"paused","reason":"night"}`, http.StatusOK)
	if got := p.as(p.token, "GET", "/ssf/status?stream_id="+id, "", http.StatusOK); got["status"] != "paused" || got["reason"] != "night" {
		t.Error(got)
	}
	p.setActive(link, false)
	p.siem.hears("account-disabled fay@example.com")
	p.quiet()
	if n := p.polls(""); n != 0 {
		t.Errorf("%d while it is paused", n)
	}
	p.as(p.token, "POST", "/ssf/status", `{"stream_id":"`+id+`","status":"enabled"}`, http.StatusOK)
	p.deskHears("account-disabled " + string(who))

	p.admin("PATCH", "/receivers/desk", `{"status":"disabled","reason":"contract ended"}`)
	p.setActive(link, true)
	p.siem.hears("account-enabled fay@example.com")
	p.quiet()
	p.deskHears("stream-updated=disabled " + id)
	p.admin("PATCH", "/receivers/desk", `{"status":"enabled"}`)
	p.deskHears("stream-updated=enabled " + id)
	if n := p.polls(""); n != 0 {
		t.Errorf("%d of while it was disabled", n)
	}

	// one that waits for something is answered when it comes
	done := make(chan map[string]any, 1)
	began := time.Now()
	go func() { done <- p.as(p.token, "POST", p.poll, `{}`, http.StatusOK) }()
	time.Sleep(100 * time.Millisecond)
	p.setActive(link, false)
	if sets := (<-done)["sets"].(map[string]any); len(sets) != 1 || time.Since(began) > 10*time.Second {
		t.Errorf("%d after %v", len(sets), time.Since(began))
	}
	// and the same comes again until it is acknowledged, one of a person at a time; what the receiver refuses is gone
	p.setActive(link, true)
	p.quiet()
	p.polls("")
	jti := p.acks[0]
	p.acks = []string{}
	out := p.as(p.token, "POST", p.poll, `{"returnImmediately":true}`, http.StatusOK)
	if sets := out["sets"].(map[string]any); len(sets) != 1 || sets[jti] == nil || out["moreAvailable"] != true {
		t.Errorf("%v", out)
	}
	p.desk.hears("account-disabled " + string(who))
	p.as(p.token, "POST", p.poll, `{"maxEvents":0,"setErrs":{"`+jti+`":{"err":"invalid_request","description":"x"}}}`, http.StatusOK)
	p.deskHears("account-enabled " + string(who))
	p.siem.hears("account-disabled fay@example.com", "account-enabled fay@example.com")
}

// What a peer said itself is not said back to it.
func (p *telling) loop(t *testing.T, _ string) {
	_, who := p.hireMailed("gus", true)
	p.apply(directory.FreezePerson{Person: who, Signal: "okta"})
	p.siem.hears("account-disabled gus@example.com")
	if err := p.app.door.EndPerson(t.Context(), who, "idp:okta", "session-revoked"); err != nil {
		t.Fatal(err)
	}
	p.lift(who)
	p.siem.hears("account-enabled gus@example.com")
	if err := p.app.door.EndPerson(t.Context(), who, "idp:okta", "session-revoked"); err != nil {
		t.Fatal(err)
	}
	p.siem.hears("session-revoked gus@example.com")
	p.quiet()
	p.deskHears()
}

// An account that is erased is told to be, by the name it had.
func (p *telling) erasedToo(t *testing.T, _ string) {
	link, who := p.hireMailed("hal", true)
	p.call("DELETE", "/scim/v2/Users/"+link, p.scim, "")
	p.siem.hears("account-disabled hal@example.com")
	p.deskHears("account-disabled " + string(who))
	cause := directory.Cause{Actor: "per_one"}
	if _, err := p.app.erasure.Ask(t.Context(), cause, "per_one", who); err != nil {
		t.Fatal(err)
	}
	if _, err := p.app.erasure.Preview(t.Context(), cause, who); err != nil {
		t.Fatal(err)
	}
	p.siem.answers(http.StatusServiceUnavailable, "")
	if _, err := p.app.erasure.Confirm(t.Context(), directory.Cause{Actor: "per_two"}, "per_two", who); err != nil {
		t.Fatal(err)
	}
	p.quiet()
	p.siem.answers(0, "")
	p.siem.hears("account-purged hal@example.com")
	p.deskHears("account-purged " + string(who))
	left := 1
	for began := time.Now(); left > 0 && time.Since(began) < 10*time.Second; time.Sleep(5 * time.Millisecond) { // until what was answered is noted
		if err := p.app.db.Read(t.Context()).Raw("select count(*) from transmit_queue where claims like '%hal@%'").Scan(&left).Error; err != nil {
			t.Fatal(err)
		}
	}
	if left != 0 {
		t.Errorf("%d left", left)
	}
}

// A new key is announced before it signs, and what it signs is believed; at once, where the former one is lost.
func (p *telling) rotated(t *testing.T, _ string) {
	keys := func() []any { return p.admin("GET", "", "")["keys"].([]any) }
	link, who := p.hireMailed("ida", true)
	p.admin("POST", "/keys", `{}`)
	if all := keys(); len(all) != 2 {
		t.Fatalf("keys: %v", all)
	}
	p.setActive(link, false)
	p.siem.hears("account-disabled ida@example.com")
	p.deskHears("account-disabled " + string(who))
	p.admin("POST", "/keys", `{"at_once":true}`)
	if all := keys(); len(all) != 1 {
		t.Fatalf("keys: %v", all)
	}
	p.setActive(link, true)
	p.siem.hears("account-enabled ida@example.com")
	p.deskHears("account-enabled " + string(who))
	p.admin("DELETE", "/receivers/siem", "")
	p.admin("DELETE", "/receivers/desk", "")
	p.as(p.token, "GET", "/ssf/stream", "", http.StatusUnauthorized)
	var rows int
	if err := p.app.db.Read(t.Context()).Raw("select (select count(*) from transmit_told) + (select count(*) from transmit_queue) + (select count(*) from transmit_receivers)").Scan(&rows).Error; err != nil || rows != 0 {
		t.Errorf("%d rows left, %v", rows, err)
	}
}

// Three nodes tell everything once, whichever the change came to; where one is killed another goes on, and what comes twice is the same token.
func TestTransmitterOnThreeNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three nodes")
	}
	file, _, err := seal.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	identity := filepath.Join(t.TempDir(), "identity.txt")
	if err := os.WriteFile(identity, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var to atomic.Pointer[url.URL]
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to.Load()) }})
	defer front.Close()
	t.Setenv("ROLLCALL_SECRETS_IDENTITY_FILE", identity)
	t.Setenv("ROLLCALL_PUBLIC_URL", front.URL)
	dsn := dbtest.DSN(t, db.Postgres)
	c := newTrioOn(t, dsn, 2*time.Second)
	reach := func(n *crash) {
		t.Helper()
		at, err := url.Parse(n.url)
		if err != nil {
			t.Fatal(err)
		}
		to.Store(at)
	}
	reach(c.nodes[1])
	e := newToldEar(t, front.URL, "siem")
	e.again = true
	c.nodes[2].must("POST", "/api/v1/transmitter/receivers", crashToken, fmt.Sprintf(`{"name":"siem","audience":"siem","subject":"external_id","source":"hr","method":"push","endpoint":"%s/in","authorization":"Bearer siem-secret"}`, e.srv.URL))
	var links []string
	for i := range 12 {
		link, _ := c.hire(c.nodes[i%3], fmt.Sprint("p", i))
		links = append(links, link)
	}
	out := func(n *crash, link string) {
		n.must("PATCH", "/scim/v2/Users/"+link, n.secret, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`)
	}
	told := func(many int) {
		t.Helper()
		for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			e.mu.Lock()
			n := len(e.heard)
			e.mu.Unlock()
			if n >= many {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("%d of %d are told", n, many)
			}
		}
	}
	for i, link := range links[:6] {
		out(c.nodes[i%3], link)
	}
	told(6)
	teller := slices.IndexFunc([]string{"n0", "n1", "n2"}, func(node string) bool { return strings.Contains(holderOf(t, dsn, "lease telling"), node) })
	if teller < 0 {
		t.Fatalf("%q tells", holderOf(t, dsn, "lease telling"))
	}
	other := c.nodes[(teller+1)%3]
	reach(other)
	for i, link := range links[6:] {
		if i == 3 {
			c.nodes[teller].stop(os.Kill)
		}
		out(other, link)
	}
	told(12)
	time.Sleep(time.Second)
	e.mu.Lock()
	defer e.mu.Unlock()
	slices.Sort(e.heard)
	var want []string
	for i := range 12 {
		want = append(want, fmt.Sprint("account-disabled E-p", i))
	}
	slices.Sort(want)
	if !slices.Equal(e.heard, want) {
		t.Errorf("heard %q", e.heard)
	}
	if now := holderOf(t, dsn, "lease telling"); strings.Contains(now, fmt.Sprint("n", teller)) {
		t.Errorf("%s tells", now)
	}
}

// holderOf answers which node holds a lease.
func holderOf(t *testing.T, dsn, lease string) (holder string) {
	t.Helper()
	d, err := db.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Read(t.Context()).Raw("select holder from feed_cursors where name = ?", lease).Scan(&holder).Error; err != nil {
		t.Fatal(err)
	}
	return holder
}
