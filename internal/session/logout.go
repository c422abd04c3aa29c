package session

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Logout ends the browser's session and sends it to the identity provider's own logout, where there is one. It is
// a POST, which other origins cannot make. A client that accepts JSON is told the address instead.
func (d *Door) Logout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	issuer := d.Issuer
	if cookie, err := r.Cookie(d.cookieName()); err == nil {
		if s, _, err := d.liveSession(r.Context(), "s.token_hash", hashed(cookie.Value)); err == nil {
			issuer = s.Issuer
		}
		err := d.DB.Tx(r.Context(), func(tx *db.Tx) error {
			ended, err := d.endSessions(tx, "signed out", "token_hash = ?", hashed(cookie.Value))
			if err != nil {
				return err
			}
			return d.auditEnd(tx, "", "signed out", ended)
		})
		if err != nil {
			httpapi.WriteError(w, r, err)
			return
		}
	}
	d.setCookie(w, d.cookieName(), "", 0)
	target := "/"
	if f, err := d.discover(r.Context(), d.home()); err == nil && f.endSession != "" && issuer == d.Issuer { // OpenID Connect RP-Initiated Logout section 2
		if u, err := url.Parse(f.endSession); err == nil {
			query := u.Query()
			query.Set("client_id", d.ClientID)
			query.Set("post_logout_redirect_uri", d.PublicURL+"/")
			u.RawQuery = query.Encode()
			target = u.String()
		}
	}
	if strings.Contains(r.Header.Get("Accept"), "json") {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"location": target})
		return
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// auditEnd notes the end of sessions, one record for each; actor is the session's person where it is empty.
func (d *Door) auditEnd(tx *db.Tx, actor, cause string, sessions []ended[id.Session]) error {
	if err := d.spread(tx, idsOf(sessions, nil)); err != nil {
		return err
	}
	records := make([]audit.Record, len(sessions))
	for i, s := range sessions {
		by := actor
		if by == "" {
			by = string(s.Person)
		}
		records[i] = audit.Record{At: d.Now(), Actor: by, Action: "session.ended", Subject: string(s.Person), Cause: cause,
			RequestID: string(httpapi.RequestFrom(tx.Statement.Context)), Public: map[string]any{"session": s.ID}}
	}
	return audit.Append(tx, records...)
}

var errLogoutToken = errors.New("logout token refused")

// BackchannelLogout ends the sessions that the identity provider names in a logout token (OpenID Connect Back-Channel
// Logout 1.0): 200 where it did, 400 where the token is not good. A token is taken once.
func (d *Door) BackchannelLogout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store") // section 2.8
	f, err := d.discover(r.Context(), d.home())
	if err != nil {
		httpapi.WriteError(w, r, httpapi.NewProblem(http.StatusServiceUnavailable, "idp_unavailable", "the identity provider's keys cannot be read now"))
		return
	}
	raw := r.PostFormValue("logout_token")
	token, err := d.verifier(d.home(), f).VerifyLogout(oidc.ClientContext(r.Context(), d.HTTPClient), raw)
	if err == nil {
		err = d.formOf(raw, token)
	}
	if err == nil {
		err = d.endNamed(r, token)
	}
	switch {
	case err == nil:
		w.WriteHeader(http.StatusOK)
	case errors.Is(err, errInternal):
		httpapi.WriteError(w, r, err)
	default:
		d.auditRefusal(r, refused{code: "logout_token"})
		d.Log.InfoContext(r.Context(), "logout token refused", "request", httpapi.RequestFrom(r.Context()), "error", err)
		httpapi.WriteError(w, r, httpapi.NewProblem(http.StatusBadRequest, "invalid_logout_token", "the logout token is not good"))
	}
}

var errInternal = errors.New("cannot end sessions")

// formOf checks what the library leaves open: the token's explicit type, and that the event is an object.
func (d *Door) formOf(raw string, token *oidc.LogoutToken) error {
	var body struct {
		Events map[string]map[string]any `json:"events"`
	}
	if err := token.Claims(&body); err != nil {
		return errLogoutToken
	}
	if event, ok := body.Events["http://schemas.openid.net/event/backchannel-logout"]; !ok || event == nil {
		return errLogoutToken
	}
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA})
	if err != nil || len(signed.Signatures) != 1 {
		return errLogoutToken
	}
	kind, _ := signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string)
	if !d.AnyLogoutType && !strings.EqualFold(strings.TrimPrefix(strings.ToLower(kind), "application/"), "logout+jwt") { // section 2.4: keeps ID tokens out
		return errLogoutToken
	}
	return nil
}

func (d *Door) endNamed(r *http.Request, token *oidc.LogoutToken) error {
	where, args := "issuer = ?", []any{token.Issuer}
	if token.SessionID != "" {
		where, args = where+" and sid = ?", append(args, token.SessionID)
	}
	if token.Subject != "" {
		where, args = where+" and subject = ?", append(args, token.Subject)
	}
	err := d.DB.Tx(r.Context(), func(tx *db.Tx) error {
		if token.SessionID != "" { // a session that was never ours is another client's
			var known int64
			if err := tx.Raw("select count(*) from sessions where "+where, args...).Scan(&known).Error; err != nil {
				return errors.Join(errInternal, err)
			}
			if known == 0 {
				return errLogoutToken
			}
		}
		if err := d.use(tx, "logout", token.Issuer+" "+token.TokenID, token.Expiry); errors.Is(err, errUsed) {
			return errLogoutToken
		} else if err != nil {
			return errors.Join(errInternal, err)
		}
		ended, err := d.endSessions(tx, "signed out at the identity provider", where, args...)
		if err == nil {
			err = d.auditEnd(tx, "", "signed out at the identity provider", ended)
		}
		if err != nil {
			return errors.Join(errInternal, err)
		}
		return nil
	})
	return err
}
