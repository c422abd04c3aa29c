package session

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// attempt is one sign-in under way. It is kept by the browser that began it, in a cookie that only /auth/callback of
// the same browser gives back: that binds the state to the browser.
type attempt struct {
	State, Nonce, Verifier, ReturnTo string
	Company                          string // whose identity provider it is; empty: the organisation's
	Began                            int64
}

const attemptFor = 10 * time.Minute

func (d *Door) attemptCookie() string {
	if d.secure {
		return "__Host-rollcall_login"
	}
	return "rollcall_login"
}

func (d *Door) setCookie(w http.ResponseWriter, name, value string, age time.Duration) {
	seconds := int(age / time.Second)
	if value == "" {
		seconds = -1
	}
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: d.secure, SameSite: http.SameSiteLaxMode})
}

// Login sends a browser to the identity provider: authorization code with PKCE (S256), state and nonce. The
// query's return_to is a path of ours to come back to, and company the company whose identity provider it is.
func (d *Door) Login(w http.ResponseWriter, r *http.Request) {
	company := r.URL.Query().Get("company")
	if company == "" && d.Issuer == "" && d.Passwords != nil { // the page asks for a password instead
		http.Redirect(w, r, "/signin?return="+url.QueryEscape(localPath(r.URL.Query().Get("return_to"))), http.StatusSeeOther)
		return
	}
	at, err := d.idpOf(r.Context(), company)
	var f *found
	if err == nil {
		f, err = d.discover(r.Context(), at)
	}
	if err != nil {
		d.refuse(w, r, refused{status: http.StatusServiceUnavailable, code: "idp_unavailable", err: err})
		return
	}
	a := attempt{Company: company, State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), ReturnTo: localPath(r.URL.Query().Get("return_to")), Began: d.Now().Unix()}
	raw, err := json.Marshal(a)
	if err != nil {
		httpapi.WriteError(w, r, err)
		return
	}
	d.setCookie(w, d.attemptCookie(), base64.RawURLEncoding.EncodeToString(raw), attemptFor)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, d.client(at, f).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), http.StatusSeeOther)
}

// localPath answers to where it is a path of ours, else "/": never an address of somebody else's.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || len(to) > 1024 || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.HasPrefix(to, "/auth/") || strings.ContainsFunc(to, func(c rune) bool { return c == '\\' || c < ' ' || c == 0x7f }) {
		return "/"
	}
	return to
}

// Callback takes the browser back from the identity provider, proves what it brings, and opens a session under a new
// secret. Every refusal leaves nothing behind but an audit record.
func (d *Door) Callback(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	a, err := d.attempt(r)
	d.setCookie(w, d.attemptCookie(), "", 0) // one use, whatever comes of it
	if err != nil {
		d.refuse(w, r, refused{status: http.StatusBadRequest, code: "login_state", err: err})
		return
	}
	claims, token, no := d.prove(r, a)
	if no != nil {
		d.refuse(w, r, *no)
		return
	}
	person, bind, no := d.identify(r.Context(), claims)
	if no != nil {
		d.refuse(w, r, *no)
		return
	}
	secret := random()
	once := func(tx *db.Tx) error {
		if err := d.use(tx, "nonce", claims.Issuer+" "+token.Nonce, token.Expiry); err != nil {
			return err
		}
		return bind(tx)
	}
	if no := d.open(r, person, claims, secret, once); no != nil {
		if errors.Is(no.err, ErrFrozen) && d.Turned != nil && d.Turned(w, r, person, claims) {
			return
		}
		d.refuse(w, r, *no)
		return
	}
	d.setCookie(w, d.cookieName(), secret, d.Absolute)
	http.Redirect(w, r, a.ReturnTo, http.StatusSeeOther)
}

func (d *Door) attempt(r *http.Request) (attempt, error) {
	var a attempt
	cookie, err := r.Cookie(d.attemptCookie())
	if err != nil {
		return a, errors.New("this browser began no sign-in")
	}
	raw, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err == nil {
		err = json.Unmarshal(raw, &a)
	}
	age := d.Now().Sub(time.Unix(a.Began, 0))
	state := r.URL.Query().Get("state")
	switch {
	case err != nil || a.State == "" || a.Nonce == "" || a.Verifier == "":
		return a, errors.New("the cookie of the sign-in cannot be read")
	case subtle.ConstantTimeCompare([]byte(state), []byte(a.State)) != 1:
		return a, errors.New("the state is not the one this browser began with")
	case a.Company != r.PathValue("company"):
		return a, errors.New("the answer came where another identity provider answers")
	case age < -time.Minute || age > attemptFor:
		return a, errors.New("the sign-in took too long")
	}
	a.ReturnTo = localPath(a.ReturnTo)
	return a, nil
}

// prove exchanges the code and verifies the ID token.
func (d *Door) prove(r *http.Request, a attempt) (Claims, *oidc.IDToken, *refused) {
	query := r.URL.Query()
	if code := query.Get("error"); code != "" {
		return Claims{}, nil, &refused{status: http.StatusForbidden, code: "idp_refused", err: fmt.Errorf("the identity provider answered %.100q", code)}
	}
	at, err := d.idpOf(r.Context(), a.Company)
	if err != nil {
		return Claims{}, nil, &refused{status: http.StatusServiceUnavailable, code: "idp_unavailable", err: err}
	}
	if iss := query.Get("iss"); iss != "" && iss != at.Issuer { // RFC 9207 section 2.4
		return Claims{}, nil, &refused{status: http.StatusBadRequest, code: "login_issuer", err: fmt.Errorf("the answer is of another issuer, %.100q", iss)}
	}
	f, err := d.discover(r.Context(), at)
	if err != nil {
		return Claims{}, nil, &refused{status: http.StatusServiceUnavailable, code: "idp_unavailable", err: err}
	}
	ctx := oidc.ClientContext(r.Context(), d.HTTPClient)
	tokens, err := d.client(at, f).Exchange(ctx, query.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		var answered *oauth2.RetrieveError
		if errors.As(err, &answered) && answered.Response != nil && answered.Response.StatusCode < 500 {
			return Claims{}, nil, &refused{status: http.StatusForbidden, code: "login_code", err: fmt.Errorf("the code was refused: %s", answered.ErrorCode)}
		}
		return Claims{}, nil, &refused{status: http.StatusBadGateway, code: "idp_unavailable", err: err}
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := d.verifier(at, f).Verify(ctx, raw)
	if err != nil {
		return Claims{}, nil, &refused{status: http.StatusForbidden, code: "id_token", err: err}
	}
	claims, err := claimsOf(at, token, a.Nonce)
	if err != nil {
		return Claims{}, nil, &refused{status: http.StatusForbidden, code: "id_token", err: err}
	}
	return claims, token, nil
}

func claimsOf(at idp, token *oidc.IDToken, nonce string) (Claims, error) {
	var c struct {
		SID               string `json:"sid"`
		AZP               string `json:"azp"`
		Name              string `json:"name"`
		Email             string `json:"email"`
		EmailVerified     any    `json:"email_verified"` // some providers send a string
		PreferredUsername string `json:"preferred_username"`
	}
	all := map[string]any{}
	if err := errors.Join(token.Claims(&c), token.Claims(&all)); err != nil {
		return Claims{}, err
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1:
		return Claims{}, errors.New("the nonce is not the one this browser began with")
	case token.Subject == "":
		return Claims{}, errors.New("the token names no subject")
	case c.AZP != "" && c.AZP != at.ClientID, len(token.Audience) > 1 && c.AZP == "": // OpenID Connect Core section 3.1.3.7
		return Claims{}, errors.New("the token was issued to another client")
	}
	return Claims{Issuer: token.Issuer, Subject: token.Subject, SID: c.SID, Name: c.Name, Email: c.Email,
		EmailVerified: c.EmailVerified == true || c.EmailVerified == "true", PreferredUsername: c.PreferredUsername, All: all, Company: at.company}, nil
}

// identify finds whose subject this is, as it was stored, or by Resolve at the first sign-in, and what keeps that it is. A subject of a company's identity provider is a guest of that company and nobody else.
func (d *Door) identify(ctx context.Context, c Claims) (person id.Person, bind func(*db.Tx) error, no *refused) {
	bind = func(tx *db.Tx) error { return d.Bind(tx, person, c) }
	var err error
	if c.Company != "" {
		person, bind, err = d.Companies.Guest(ctx, c.Company, c)
	} else if err = d.DB.Read(ctx).Raw("select person from session_identities where issuer = ? and subject = ?", c.Issuer, c.Subject).Scan(&person).Error; err == nil && person == "" {
		person, err = d.Resolve(ctx, c)
	}
	switch {
	case errors.Is(err, ErrNoPerson), err == nil && person == "":
		return "", nil, &refused{status: http.StatusForbidden, code: "person_unknown", err: ErrNoPerson, claims: c}
	case err != nil:
		return "", nil, &refused{status: http.StatusInternalServerError, code: "internal", err: err}
	}
	return person, bind, nil
}

// open writes the session, in one transaction with what first does and the audit record. The epoch is read before
// the standing is asked and compared under its lock: a revocation between the two is seen in either case.
func (d *Door) open(r *http.Request, person id.Person, c Claims, secret string, first func(*db.Tx) error) *refused {
	ctx := r.Context()
	before, err := d.epoch(ctx, person)
	if err != nil {
		return &refused{status: http.StatusInternalServerError, code: "internal", err: err}
	}
	if d.Standing.Frozen(person) {
		return &refused{status: http.StatusForbidden, code: "person_frozen", err: ErrFrozen, person: person, claims: c}
	}
	err = d.DB.Tx(ctx, func(tx *db.Tx) error {
		var former []ended[id.Session]
		if err := first(tx); err != nil {
			return err
		}
		if epoch, err := d.lockEpoch(tx, person); err != nil || epoch != before {
			return errors.Join(err, ErrFrozen)
		}
		if cookie, err := r.Cookie(d.cookieName()); err == nil { // whatever this browser was before, it is no more
			var err error
			if former, err = d.endSessions(tx, "signed in again", "token_hash = ?", hashed(cookie.Value)); err != nil {
				return err
			}
		}
		session, now := id.New[id.Session](), d.Now()
		if err := tx.Exec(`insert into sessions (id, token_hash, person, epoch, issuer, subject, sid, user_agent, created_at, last_seen_at, expires_at, end_cause)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')`, session, hashed(secret), person, before, c.Issuer, c.Subject, c.SID, cut(r.UserAgent()),
			db.At(now), db.At(now), db.At(now.Add(d.Absolute))).Error; err != nil {
			return err
		}
		if err := d.spread(tx, idsOf(former, nil)); err != nil {
			return err
		}
		return audit.Append(tx, audit.Record{At: now, Actor: string(person), Action: "session.opened", Subject: string(person),
			RequestID: string(httpapi.RequestFrom(ctx)), Public: map[string]any{"session": session, "issuer": c.Issuer}})
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errUsed):
		return &refused{status: http.StatusForbidden, code: "id_token", err: err, person: person, claims: c}
	case errors.Is(err, ErrFrozen):
		return &refused{status: http.StatusForbidden, code: "person_frozen", err: err, person: person, claims: c}
	case errors.Is(err, ErrOtherPerson):
		return &refused{status: http.StatusForbidden, code: "identity_conflict", err: err, person: person, claims: c}
	}
	return &refused{status: http.StatusInternalServerError, code: "internal", err: err}
}

var errUsed = errors.New("the token was used before")

// use takes value for good: a second use of it is errUsed. It may be forgotten after until.
func (d *Door) use(tx *db.Tx, kind, value string, until time.Time) error {
	done := tx.Exec("insert into session_used (kind, value, until) values (?, ?, ?) on conflict (kind, value) do nothing", kind, hashed(value), db.At(until.Add(time.Minute)))
	if done.Error == nil && done.RowsAffected == 0 {
		return errUsed
	}
	return done.Error
}

// Bind keeps that the subject is person. A person who is another subject already stays that one: two accounts with one
// e-mail address are two people until an administrator says otherwise.
func (d *Door) Bind(tx *db.Tx, person id.Person, c Claims) error {
	if err := tx.Exec("insert into session_identities (issuer, subject, person, created_at) values (?, ?, ?, ?) on conflict do nothing",
		c.Issuer, c.Subject, person, db.At(d.Now())).Error; err != nil {
		return err
	}
	var holder id.Person
	if err := tx.Raw("select person from session_identities where issuer = ? and subject = ?", c.Issuer, c.Subject).Scan(&holder).Error; err != nil {
		return err
	}
	if holder != person {
		return ErrOtherPerson
	}
	return nil
}

func cut(s string) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "")
	}
	return strings.ReplaceAll(s, "\x00", "") // PostgreSQL keeps no NUL
}
