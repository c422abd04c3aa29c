package idp

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	codeFor  = time.Minute
	tokenFor = 10 * time.Minute
	visitFor = 12 * time.Hour
	cookie   = "idp_session"
)

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer":                                         p.Issuer,
		"authorization_endpoint":                         p.Issuer + "/authorize",
		"token_endpoint":                                 p.Issuer + "/token",
		"userinfo_endpoint":                              p.Issuer + "/userinfo",
		"jwks_uri":                                       p.Issuer + "/jwks",
		"end_session_endpoint":                           p.Issuer + "/logout",
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{"authorization_code"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"ES256"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_basic", "client_secret_post"},
		"code_challenge_methods_supported":               []string{"S256"},
		"scopes_supported":                               []string{"openid", "profile", "email"},
		"claims_supported":                               []string{"sub", "sid", "name", "given_name", "family_name", "preferred_username", "email", "email_verified", "locale"},
		"authorization_response_iss_parameter_supported": true, // RFC 9207
		"backchannel_logout_supported":                   true,
		"backchannel_logout_session_supported":           true,
	})
}

func (p *Provider) jwks(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: p.keyID, Algorithm: string(jose.ES256), Use: "sig"}}})
}

func (p *Provider) sign(kind string, claims map[string]any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key},
		&jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"kid": p.keyID, "typ": kind}})
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(raw)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// request checks an authorization request. Where the client or its address is not known the browser is not sent
// anywhere (RFC 6749 section 4.1.2.1); other errors go back to the client.
func (p *Provider) request(w http.ResponseWriter, r *http.Request, q url.Values) bool {
	if q.Get("client_id") != p.Client.ID || q.Get("redirect_uri") != p.Client.RedirectURI {
		p.fail(w, r, http.StatusBadRequest, "This client, or the address it wants people sent to, is not known here.", "未知的客户端或回调地址。")
		return false
	}
	code := ""
	switch {
	case q.Get("response_type") != "code":
		code = "unsupported_response_type"
	case !slices.Contains(strings.Fields(q.Get("scope")), "openid"):
		code = "invalid_scope"
	case q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43: // RFC 7636 section 4.2
		code = "invalid_request"
	}
	if code != "" {
		p.back(w, r, q, url.Values{"error": {code}})
		return false
	}
	return true
}

// back sends the browser to the client.
func (p *Provider) back(w http.ResponseWriter, r *http.Request, q, with url.Values) {
	to, err := url.Parse(p.Client.RedirectURI)
	if err != nil {
		p.fail(w, r, http.StatusInternalServerError, "The client's address cannot be read.", "无法解析客户端地址。")
		return
	}
	query := to.Query()
	maps.Copy(query, with)
	query.Set("iss", p.Issuer)
	if q.Has("state") {
		query.Set("state", q.Get("state"))
	}
	to.RawQuery = query.Encode()
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

// authorize shows the list of people to sign in as.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if !p.request(w, r, q) {
		return
	}
	current, signedIn := p.visitor(r)
	if q.Get("prompt") == "none" { // OpenID Connect Core section 3.1.2.1
		if !signedIn {
			p.back(w, r, q, url.Values{"error": {"login_required"}})
			return
		}
		p.grant(w, r, q, current.Sub)
		return
	}
	search := q.Get("q")
	q.Del("q")
	found, more := find(p.Company(), search, "", 60)
	p.render(w, r, http.StatusOK, "authorize", map[string]any{"Query": search, "Request": q, "People": found, "More": more, "Current": current, "SignedIn": signedIn})
}

// chosen takes the person that was chosen.
func (p *Provider) chosen(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil {
		p.fail(w, r, http.StatusBadRequest, "The form cannot be read.", "无法读取表单。")
		return
	}
	if !p.request(w, r, r.PostForm) {
		return
	}
	if _, ok := p.person(r.PostForm.Get("sub")); !ok {
		p.fail(w, r, http.StatusBadRequest, "There is no such person here.", "此处没有这个人。")
		return
	}
	p.grant(w, r, r.PostForm, r.PostForm.Get("sub"))
}

// grant remembers the browser's sign-in and sends a code to the client.
func (p *Provider) grant(w http.ResponseWriter, r *http.Request, q url.Values, sub string) {
	sid, code, now := random(18), random(24), p.Now()
	p.mu.Lock()
	for key, g := range p.codes {
		if now.After(g.until) {
			delete(p.codes, key)
		}
	}
	for key, v := range p.sessions {
		if now.Sub(v.began) > visitFor {
			delete(p.sessions, key)
		}
	}
	p.sessions[sid] = visit{sub: sub, began: now}
	p.codes[code] = grant{sub: sub, sid: sid, nonce: q.Get("nonce"), challenge: q.Get("code_challenge"), redirect: q.Get("redirect_uri"), scope: q.Get("scope"), until: now.Add(codeFor)}
	p.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: sid, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(visitFor / time.Second)})
	p.back(w, r, q, url.Values{"code": {code}})
}

func (p *Provider) visitor(r *http.Request) (Person, bool) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return Person{}, false
	}
	p.mu.Lock()
	v, ok := p.sessions[c.Value]
	p.mu.Unlock()
	if !ok {
		return Person{}, false
	}
	return p.person(v.sub)
}

// token exchanges a code (RFC 6749 section 4.1.3, RFC 7636 section 4.6). The client is proved first: a request of
// somebody else does not use up the code.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	refuse := func(status int, code string) { answer(w, status, map[string]string{"error": code}) }
	if err := r.ParseForm(); err != nil {
		refuse(http.StatusBadRequest, "invalid_request")
		return
	}
	if !p.proved(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="demo identity provider"`)
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	}
	if r.PostForm.Get("grant_type") != "authorization_code" {
		refuse(http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	p.mu.Lock()
	g, ok := p.codes[r.PostForm.Get("code")]
	delete(p.codes, r.PostForm.Get("code")) // one use, whatever comes of it
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	if !ok || p.Now().After(g.until) || g.redirect != r.PostForm.Get("redirect_uri") || subtle.ConstantTimeCompare([]byte(challenge), []byte(g.challenge)) != 1 {
		refuse(http.StatusBadRequest, "invalid_grant")
		return
	}
	idToken, err := p.idToken(g)
	if err != nil {
		p.Log.Error("cannot sign an id token", "error", err)
		refuse(http.StatusInternalServerError, "server_error")
		return
	}
	access := random(24)
	g.until = p.Now().Add(tokenFor)
	p.mu.Lock()
	for key, old := range p.access {
		if p.Now().After(old.until) {
			delete(p.access, key)
		}
	}
	p.access[access] = g
	p.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": int(tokenFor / time.Second), "id_token": idToken, "scope": g.scope})
}

func (p *Provider) proved(r *http.Request) bool {
	name, secret, basic := r.BasicAuth()
	if basic { // RFC 6749 section 2.3.1: both are form-encoded
		var errs [2]error
		name, errs[0] = url.QueryUnescape(name)
		secret, errs[1] = url.QueryUnescape(secret)
		if errs[0] != nil || errs[1] != nil {
			return false
		}
	} else {
		name, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	return name == p.Client.ID && subtle.ConstantTimeCompare([]byte(secret), []byte(p.Client.Secret)) == 1
}

func (p *Provider) idToken(g grant) (string, error) {
	now := p.Now()
	claims := p.claims(g)
	maps.Copy(claims, map[string]any{"iss": p.Issuer, "aud": p.Client.ID, "azp": p.Client.ID, "sid": g.sid, "iat": now.Unix(), "auth_time": now.Unix(), "exp": now.Add(tokenFor).Unix()})
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	return p.sign("JWT", claims)
}

// claims is what the scopes of g let be said of its person.
func (p *Provider) claims(g grant) map[string]any {
	claims := map[string]any{"sub": g.sub}
	q, ok := p.person(g.sub)
	if !ok {
		return claims
	}
	scopes := strings.Fields(g.scope)
	if slices.Contains(scopes, "profile") {
		maps.Copy(claims, map[string]any{"name": q.DisplayName, "given_name": q.GivenName, "family_name": q.FamilyName, "preferred_username": q.UserName, "locale": q.Locale})
	}
	if slices.Contains(scopes, "email") {
		maps.Copy(claims, map[string]any{"email": q.Email, "email_verified": true})
	}
	return claims
}

func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	p.mu.Lock()
	g, ok := p.access[token]
	p.mu.Unlock()
	if !ok || p.Now().After(g.until) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_token"})
		return
	}
	answer(w, http.StatusOK, p.claims(g))
}
