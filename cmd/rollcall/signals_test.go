package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/signals"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// transmitter is an identity provider that says what became of sessions and accounts.
type transmitter struct {
	*bench
	key    *ecdsa.PrivateKey
	srv    *httptest.Server
	person id.Person
	n      int

	mu     sync.Mutex
	sets   map[string]string // to be polled
	acks   []string
	errors map[string]string
}

const signalSubject = "subject-1"

func newTransmitter(t *testing.T, engine db.Engine) *transmitter {
	t.Helper()
	return transmitterTo(t, newBench(t, engine))
}

// transmitterTo is an identity provider of a server's people.
func transmitterTo(t *testing.T, b *bench) *transmitter {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &transmitter{bench: b, key: key, sets: map[string]string{}, errors: map[string]string{}}
	p.srv = httptest.NewServer(p)
	t.Cleanup(p.srv.Close)
	p.app.signals.Transmitters = []signals.Transmitter{{Name: "okta", Issuer: p.srv.URL, Poll: p.srv.URL + "/poll", PollToken: "poll-secret", Every: 20 * time.Millisecond}}
	p.hire(1)
	who, _ := p.bench.person("u1")
	p.person = id.Person(who)
	if err := p.app.db.Tx(t.Context(), func(tx *db.Tx) error {
		return tx.Exec("insert into session_identities (issuer, subject, person, created_at) values (?, ?, ?, 1)", p.srv.URL, signalSubject, p.person).Error
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *transmitter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/ssf-configuration":
		json.NewEncoder(w).Encode(map[string]string{"issuer": p.srv.URL, "jwks_uri": p.srv.URL + "/jwks"})
	case "/jwks":
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: "k", Algorithm: "ES256"}}})
	case "/poll":
		var in struct {
			Ack     []string                     `json:"ack"`
			SetErrs map[string]map[string]string `json:"setErrs"`
		}
		if r.Header.Get("Authorization") != "Bearer poll-secret" || json.NewDecoder(r.Body).Decode(&in) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		for _, jti := range in.Ack {
			delete(p.sets, jti)
			p.acks = append(p.acks, jti)
		}
		for jti, e := range in.SetErrs {
			delete(p.sets, jti)
			p.errors[jti] = e["err"]
		}
		json.NewEncoder(w).Encode(map[string]any{"sets": p.sets, "moreAvailable": false})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// sign makes a token of claims over the usual ones; nil takes one away.
func (p *transmitter) sign(typ string, claims map[string]any) string {
	p.tb.Helper()
	p.n++
	all := map[string]any{"iss": p.srv.URL, "aud": p.url, "jti": fmt.Sprint("jti-", p.n), "iat": time.Now().Unix()}
	for k, v := range claims {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	return p.signed(typ, all, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: "k"}})
}

func (p *transmitter) signed(typ string, claims map[string]any, key jose.SigningKey) string {
	p.tb.Helper()
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		p.tb.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		p.tb.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		p.tb.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		p.tb.Fatal(err)
	}
	return raw
}

const (
	caep = "https://schemas.openid.net/secevent/caep/event-type/"
	risc = "https://schemas.openid.net/secevent/risc/event-type/"
)

func (p *transmitter) bySubject() map[string]any {
	return map[string]any{"format": "iss_sub", "iss": p.srv.URL, "sub": signalSubject}
}

// event makes the claims of an event about the person.
func (p *transmitter) event(kind string, more ...any) map[string]any {
	out := map[string]any{"sub_id": p.bySubject(), "events": map[string]any{kind: map[string]any{"event_timestamp": time.Now().Unix()}}}
	for i := 0; i < len(more); i += 2 {
		out[more[i].(string)] = more[i+1]
	}
	return out
}

// push hands a token in, and answers the status and the error code.
func (p *transmitter) push(raw string) (int, string) {
	p.tb.Helper()
	return p.send("/auth/signals", "application/secevent+jwt", "", raw)
}

func (p *transmitter) send(path, kind, bearer, body string) (int, string) {
	p.tb.Helper()
	q, err := http.NewRequest("POST", p.url+path, strings.NewReader(body))
	if err != nil {
		p.tb.Fatal(err)
	}
	q.Header.Set("Content-Type", kind)
	if bearer != "" {
		q.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		p.tb.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.tb.Fatal(err)
	}
	var out struct{ Err, Code string }
	_ = json.Unmarshal(text, &out)
	return res.StatusCode, out.Err + out.Code
}

func (p *transmitter) is(status int, code string, wantStatus int, wantCode string) {
	p.tb.Helper()
	if status != wantStatus || code != wantCode {
		p.tb.Errorf("%d %q, want %d %q", status, code, wantStatus, wantCode)
	}
}

func (p *transmitter) lives(token string, want bool) {
	p.tb.Helper()
	q, err := http.NewRequest("GET", p.url+"/api/v1/me", nil)
	if err != nil {
		p.tb.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		p.tb.Fatal(err)
	}
	res.Body.Close()
	if (res.StatusCode == http.StatusOK) != want {
		p.tb.Errorf("a token answers %d, want %v", res.StatusCode, want)
	}
}

func (p *transmitter) frozen(want bool) {
	p.tb.Helper()
	if got := p.app.index.Frozen(p.person); got != want {
		p.tb.Errorf("frozen is %v", got)
	}
}

// What an identity provider says ends sessions and freezes accounts before it is acknowledged; what is not its word does nothing; what arrives twice, late or
// in another order does what the last word says.
func TestSignals(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			if testing.Short() && engine == db.Postgres {
				t.Skip("needs PostgreSQL")
			}
			p := newTransmitter(t, engine)
			t.Run("session", p.session)
			t.Run("account", p.account)
			t.Run("forged", p.forged)
			t.Run("revocation", p.revocation)
			t.Run("poll", p.polled)
		})
	}
}

func (p *transmitter) session(t *testing.T) {
	token := p.token(string(p.person))
	conn, _, err := websocket.Dial(t.Context(), strings.Replace(p.url, "http", "ws", 1)+"/api/v1/stream", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for err := error(nil); err == nil; {
			_, _, err = conn.Read(context.Background())
		}
	}()
	raw := p.sign("secevent+jwt", p.event(caep+"session-revoked"))
	status, code := p.push(raw)
	p.is(status, code, http.StatusAccepted, "")
	p.lives(token, false)
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the stream lives")
	}
	p.frozen(false)
	token = p.token(string(p.person))
	status, code = p.push(raw) // delivered again
	p.is(status, code, http.StatusAccepted, "")
	p.lives(token, true)

	older := p.event(caep+"session-revoked", "sub_id", nil, "events", map[string]any{caep + "session-revoked": map[string]any{"subject": p.bySubject()}})
	status, code = p.push(p.sign("secevent+jwt", older))
	p.is(status, code, http.StatusAccepted, "")
	p.lives(token, false)

	// one session of two
	for _, sid := range []string{"sid-1", "sid-2"} {
		if err := p.app.db.Tx(t.Context(), func(tx *db.Tx) error {
			return tx.Exec(`insert into sessions (id, token_hash, person, epoch, issuer, subject, sid, user_agent, created_at, last_seen_at, expires_at, end_cause)
				values (?, ?, ?, 0, ?, ?, ?, '', 1, 1, ?, '')`, "ses_"+sid, sid, p.person, p.srv.URL, signalSubject, sid, time.Now().Add(time.Hour).UnixMicro()).Error
		}); err != nil {
			t.Fatal(err)
		}
	}
	token = p.token(string(p.person))
	of := func(sid string) map[string]any {
		return p.event(caep+"session-revoked", "sub_id", map[string]any{"format": "complex", "user": p.bySubject(), "session": map[string]any{"format": "opaque", "id": sid}})
	}
	status, code = p.push(p.sign("secevent+jwt", of("sid-1")))
	p.is(status, code, http.StatusAccepted, "")
	p.lives(token, true)
	var live []string
	if err := p.app.db.Read(t.Context()).Raw("select sid from sessions where ended_at is null").Scan(&live).Error; err != nil || !slices.Equal(live, []string{"sid-2"}) {
		t.Errorf("sessions that live: %v, %v", live, err)
	}
	status, code = p.push(p.sign("secevent+jwt", of("never ours"))) // then it is the person who is meant
	p.is(status, code, http.StatusAccepted, "")
	p.lives(token, false)
}

func (p *transmitter) account(t *testing.T) {
	say := func(kind string, age time.Duration) {
		t.Helper()
		status, code := p.push(p.sign("secevent+jwt", p.event(risc+kind, "iat", time.Now().Add(-age).Unix())))
		p.is(status, code, http.StatusAccepted, "")
	}
	token := p.token(string(p.person))
	say("account-disabled", time.Minute)
	p.frozen(true)
	p.lives(token, false)
	say("account-enabled", time.Hour) // said before, and late
	p.frozen(true)
	say("account-enabled", 30*time.Second)
	p.frozen(false)
	say("account-disabled", 2*time.Hour) // late as well
	p.frozen(false)

	say("account-disabled", 20*time.Second)
	if _, err := p.app.people.Apply(t.Context(), directory.Cause{Actor: "somebody"}, directory.FreezePerson{Person: p.person}); err != nil {
		t.Fatal(err)
	}
	say("account-enabled", 10*time.Second)
	p.frozen(true) // by whom it was frozen besides
	lift := func() {
		t.Helper()
		freezes, err := p.app.people.Freezes(t.Context(), p.person)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range freezes {
			if f.LiftedAt.IsZero() {
				if _, err := p.app.people.Apply(t.Context(), directory.Cause{Actor: "somebody"}, directory.LiftFreeze{Freeze: f.ID}); err != nil {
					t.Fatal(err)
				}
			}
		}
		p.frozen(false)
	}
	lift()
	say("account-disabled", 5*time.Second)
	say("account-purged", 4*time.Second)
	say("account-enabled", 3*time.Second)
	p.frozen(true)
	lift()
	status, code := p.push(p.sign("secevent+jwt", p.event(risc+"account-disabled", "sub_id", map[string]any{"format": "email", "email": "nobody@example.com"})))
	p.is(status, code, http.StatusAccepted, "")
	p.frozen(false)
}

func (p *transmitter) forged(t *testing.T) {
	token := p.token(string(p.person))
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := p.event(caep + "session-revoked")
	all := map[string]any{"iss": p.srv.URL, "aud": p.url, "jti": "forged", "iat": time.Now().Unix()}
	for k, v := range good {
		all[k] = v
	}
	plain, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	public, err := p.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ raw, code string }{
		"no token":           {"hello", "invalid_request"},
		"nothing":            {"", "invalid_request"},
		"none":               {b64([]byte(`{"alg":"none","typ":"secevent+jwt"}`)) + "." + b64(plain) + ".", "invalid_request"},
		"HMAC of the key":    {p.signed("secevent+jwt", all, jose.SigningKey{Algorithm: jose.HS256, Key: public}), "invalid_request"},
		"another's key":      {p.signed("secevent+jwt", all, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: other, KeyID: "k"}}), "authentication_failed"},
		"no such key":        {p.signed("secevent+jwt", all, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: other, KeyID: "z"}}), "authentication_failed"},
		"another type":       {p.sign("JWT", good), "authentication_failed"},
		"another issuer":     {p.sign("secevent+jwt", p.event(caep+"session-revoked", "iss", "https://evil.example")), "invalid_issuer"},
		"another audience":   {p.sign("secevent+jwt", p.event(caep+"session-revoked", "aud", []string{"https://other.example"})), "invalid_audience"},
		"no id":              {p.sign("secevent+jwt", p.event(caep+"session-revoked", "jti", nil)), "authentication_failed"},
		"of tomorrow":        {p.sign("secevent+jwt", p.event(caep+"session-revoked", "iat", time.Now().Add(24*time.Hour).Unix())), "authentication_failed"},
		"nobody":             {p.sign("secevent+jwt", p.event(caep+"session-revoked", "sub_id", nil)), "invalid_request"},
		"a device":           {p.sign("secevent+jwt", p.event(caep+"session-revoked", "sub_id", map[string]any{"format": "jwt_id"})), "invalid_request"},
		"another's subject":  {p.sign("secevent+jwt", p.event(caep+"session-revoked", "sub_id", map[string]any{"format": "iss_sub", "iss": "https://idp.example", "sub": signalSubject})), "invalid_request"},
		"events of no shape": {p.sign("secevent+jwt", p.event(caep+"session-revoked", "events", map[string]any{caep + "session-revoked": 7})), "invalid_request"},
		"too large":          {strings.Repeat("a", 70<<10), "invalid_request"},
	} {
		if status, code := p.push(row.raw); status != http.StatusBadRequest || code != row.code {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	status, code := p.send("/auth/signals", "application/json", "", p.sign("secevent+jwt", good))
	p.is(status, code, http.StatusBadRequest, "invalid_request")
	status, code = p.push(p.sign("secevent+jwt", p.event("https://schemas.openid.net/secevent/ssf/event-type/verification"))) // nothing to do
	p.is(status, code, http.StatusAccepted, "")
	p.lives(token, true)
	p.frozen(false)
}

func (p *transmitter) revocation(t *testing.T) {
	token := p.token(string(p.person))
	body, err := json.Marshal(map[string]any{"sub_id": p.bySubject()})
	if err != nil {
		t.Fatal(err)
	}
	proof := func(more map[string]any) string {
		claims := map[string]any{"aud": p.url + signals.RevocationPath, "exp": time.Now().Add(time.Minute).Unix()}
		for k, v := range more {
			claims[k] = v
		}
		return p.sign("global-token-revocation+jwt", claims)
	}
	revoke := func(proof, body string) (int, string) {
		t.Helper()
		return p.send(signals.RevocationPath, "application/json", proof, body)
	}
	for _, bad := range []string{"", "x", proof(map[string]any{"aud": p.url}), proof(map[string]any{"exp": nil}), proof(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), p.app.cfg.BootstrapToken} {
		status, code := revoke(bad, string(body))
		p.is(status, code, http.StatusUnauthorized, "token_invalid")
	}
	for _, bad := range []string{"", "{}", `{"sub_id":{"format":"iss_sub","iss":"https://idp.example","sub":"x"}}`, `{"sub_id":{"format":"phone_number"}}`} {
		status, code := revoke(proof(nil), bad)
		p.is(status, code, http.StatusBadRequest, "invalid_request")
	}
	status, code := revoke(proof(nil), `{"sub_id":{"format":"opaque","id":"who"}}`)
	p.is(status, code, http.StatusNotFound, "person_not_found")
	p.lives(token, true)
	once := proof(nil)
	status, code = revoke(once, string(body))
	p.is(status, code, http.StatusNoContent, "")
	p.lives(token, false)
	token = p.token(string(p.person))
	status, code = revoke(once, string(body))
	p.is(status, code, http.StatusUnauthorized, "token_invalid")
	p.lives(token, true)
	status, code = revoke(proof(nil), `{"subject":{"format":"opaque","id":"`+signalSubject+`"}}`)
	p.is(status, code, http.StatusNoContent, "")
	p.lives(token, false)
}

func (p *transmitter) polled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.app.signals.Run(ctx) }()
	defer func() { cancel(); <-done }()
	offer := func(sets ...string) {
		t.Helper()
		p.mu.Lock()
		for i, raw := range sets {
			jti := fmt.Sprint("jti-", p.n-len(sets)+1+i)
			p.sets[jti] = raw
		}
		p.mu.Unlock()
		for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
			p.mu.Lock()
			left := len(p.sets)
			p.mu.Unlock()
			if left == 0 {
				return
			}
			if time.Since(began) > 20*time.Second {
				t.Fatalf("%d are never acknowledged", left)
			}
		}
	}
	at := func(ago time.Duration) any { return time.Now().Add(-ago).Unix() }
	offer(p.sign("secevent+jwt", p.event(risc+"account-enabled", "iat", at(2*time.Second))), p.sign("secevent+jwt", p.event(risc+"account-disabled", "iat", at(time.Second))))
	p.frozen(true)
	offer(p.sign("secevent+jwt", p.event(risc+"account-disabled", "aud", "https://other.example")), p.sign("secevent+jwt", p.event(risc+"account-enabled", "iat", at(-time.Second))))
	p.frozen(false)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.acks) != 3 || !slices.Equal(slices.Sorted(maps.Values(p.errors)), []string{"invalid_audience"}) {
		t.Errorf("acknowledged %v, refused %v", p.acks, p.errors)
	}
}

// A configuration that lets anybody speak for an identity provider is refused.
func TestSignalsConfiguration(t *testing.T) {
	var text bytes.Buffer
	for _, f := range signals.Faults([]signals.Transmitter{
		{Name: "okta", Issuer: "https://okta.example.com", Poll: "https://okta.example.com/poll", PollToken: "x"},
		{Name: "okta", Issuer: "https://okta.example.com"},
		{Name: "Bad Name", Issuer: "http://okta.example.com", JWKS: "ftp://x", PollToken: "x", Every: -time.Second},
		{Name: "local", Issuer: "http://127.0.0.1:1"},
	}) {
		fmt.Fprintln(&text, f.Key)
	}
	if got := strings.Join(strings.Fields(text.String()), " "); got != "[1].name [1].issuer [2].name [2].issuer [2].jwks [2].every [2].token" {
		t.Error(got)
	}
}
