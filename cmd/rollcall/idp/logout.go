package idp

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// endSession ends the browser's sign-in (OpenID Connect RP-Initiated Logout): the client is told over the back channel, then
// the browser is sent where the client wants it, within the client's own origin.
func (p *Provider) endSession(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookie); err == nil {
		p.end(r.Context(), c.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	to, err := url.Parse(r.FormValue("post_logout_redirect_uri"))
	home, homeErr := url.Parse(p.Client.RedirectURI)
	if err != nil || homeErr != nil || to.Host == "" || to.Scheme != home.Scheme || to.Host != home.Host {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	if state := r.FormValue("state"); state != "" {
		query := to.Query()
		query.Set("state", state)
		to.RawQuery = query.Encode()
	}
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

// endOne ends one sign-in from the page of sign-ins.
func (p *Provider) endOne(w http.ResponseWriter, r *http.Request) {
	p.end(r.Context(), r.PathValue("sid"))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// end forgets a sign-in and tells the client (OpenID Connect Back-Channel Logout section 2.5).
func (p *Provider) end(ctx context.Context, sid string) {
	p.mu.Lock()
	v, ok := p.sessions[sid]
	delete(p.sessions, sid)
	p.mu.Unlock()
	if !ok {
		return
	}
	if err := p.tell(ctx, v.sub, sid); err != nil {
		p.Log.Warn("the client was not told of a sign-out", "error", err)
	}
}

func (p *Provider) tell(ctx context.Context, sub, sid string) error {
	now := p.Now()
	token, err := p.sign("logout+jwt", map[string]any{"iss": p.Issuer, "aud": p.Client.ID, "sub": sub, "sid": sid, "jti": random(18), "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Client.LogoutURI, strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	began := time.Now()
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	p.note(Exchange{At: now, What: "logout", Who: sub, Method: http.MethodPost, Path: p.Client.LogoutURI, Request: "logout_token=…", Status: response.StatusCode, Took: time.Since(began)})
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the client answered %d", response.StatusCode)
	}
	return nil
}

// signedIn is one line of the page of sign-ins.
type signedIn struct {
	SID    string
	Person Person
	Began  time.Time
}

// home shows what is here and who is signed in.
func (p *Provider) home(w http.ResponseWriter, r *http.Request) {
	company := p.Company()
	p.mu.Lock()
	var lines []signedIn
	for sid, v := range p.sessions {
		i := slices.IndexFunc(company, func(q Person) bool { return q.Sub == v.sub })
		if i >= 0 {
			lines = append(lines, signedIn{SID: sid, Person: company[i], Began: v.began})
		}
	}
	p.mu.Unlock()
	slices.SortFunc(lines, func(a, b signedIn) int { return cmp.Or(b.Began.Compare(a.Began), strings.Compare(a.SID, b.SID)) })
	rollcall := ""
	if u, err := url.Parse(p.Client.RedirectURI); err == nil {
		rollcall = u.Scheme + "://" + u.Host + "/"
	}
	p.render(w, r, http.StatusOK, "home", map[string]any{"SignedIn": lines, "People": len(company), "Rollcall": rollcall})
}
