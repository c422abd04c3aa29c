package session

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// BootstrapToken is the id under which the bootstrap token acts.
const BootstrapToken = id.Token("tok_bootstrap")

// seen is how coarse "last seen" and "last used" are: they cost one write in this time.
const seen = 5 * time.Minute

func (d *Door) cookieName() string {
	if d.secure {
		return "__Host-rollcall" // no subdomain can set or overwrite it
	}
	return "rollcall"
}

// Authenticate answers who makes r: by Authorization: Bearer where that header is there, else by the session cookie,
// else nobody. A token in an address or a body is never looked at. The error of a bad, ended or frozen proof
// wraps httpapi.ErrUnauthenticated. Nothing is cached.
func (d *Door) Authenticate(r *http.Request) (httpapi.Caller, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") { // RFC 9110 section 11.1: schemes are case-insensitive
			return httpapi.Caller{}, ErrBadProof
		}
		return d.byToken(r.Context(), strings.TrimSpace(token))
	}
	cookie, err := r.Cookie(d.cookieName())
	if err != nil || cookie.Value == "" {
		return httpapi.Caller{}, nil
	}
	return d.bySession(r.Context(), hashed(cookie.Value))
}

// Alive tells by its error whether c's proof still holds: for connections that outlive a request.
func (d *Door) Alive(ctx context.Context, c httpapi.Caller) error {
	var err error
	switch {
	case c.Token == BootstrapToken:
		return nil
	case c.Session != "":
		_, err = d.liveSession(ctx, "s.id", string(c.Session))
	case c.Token != "":
		_, err = d.liveToken(ctx, "t.id", string(c.Token))
	default:
		err = ErrBadProof
	}
	return err
}

func (d *Door) bySession(ctx context.Context, hash string) (httpapi.Caller, error) {
	s, err := d.liveSession(ctx, "s.token_hash", hash)
	if err != nil {
		return httpapi.Caller{}, err
	}
	if now := d.Now(); now.Sub(s.LastSeenAt.Time) > seen {
		d.touch(ctx, "update sessions set last_seen_at = ? where id = ? and ended_at is null", db.At(now), s.ID)
	}
	return httpapi.Caller{Person: s.Person, Session: s.ID, Admin: s.Admin}, nil
}

// liveSession reads the session whose column is value, and holds it against time, epoch and standing. column is ours.
func (d *Door) liveSession(ctx context.Context, column, value string) (sessionRow, error) {
	var rows []sessionRow
	err := d.DB.Read(ctx).Raw(`select s.*, coalesce(e.epoch, 0) as current, a.person is not null as admin from sessions s
		left join session_epochs e on e.person = s.person
		left join session_admins a on a.person = s.person where `+column+` = ?`, value).Scan(&rows).Error
	if err != nil {
		return sessionRow{}, err
	}
	if len(rows) == 0 {
		return sessionRow{}, ErrEnded
	}
	s, now := rows[0], d.Now()
	switch {
	case d.Standing.Frozen(s.Person): // first, so that a frozen person is told why
		return s, ErrFrozen
	case !s.EndedAt.IsZero(), s.Epoch != s.Current, !now.Before(s.ExpiresAt.Time), now.Sub(s.LastSeenAt.Time) >= d.Idle:
		return s, ErrEnded
	}
	return s, d.stillTheirs(ctx, s)
}

func (d *Door) byToken(ctx context.Context, token string) (httpapi.Caller, error) {
	hash := hashed(token)
	if d.bootstrap != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(d.bootstrap)) == 1 {
		return httpapi.Caller{Token: BootstrapToken, Admin: true}, nil
	}
	if !wellFormed(token) {
		return httpapi.Caller{}, ErrBadProof
	}
	t, err := d.liveToken(ctx, "t.token_hash", hash)
	if err != nil {
		return httpapi.Caller{}, err
	}
	if now := d.Now(); now.Sub(t.LastUsedAt.Time) > seen {
		d.touch(ctx, "update session_tokens set last_used_at = ? where id = ? and ended_at is null", db.At(now), t.ID)
	}
	return httpapi.Caller{Person: t.Person, Token: t.ID, Admin: t.Admin && (t.Person == "" || t.Holds)}, nil
}

// liveToken reads the token whose column is value. A token without a person falls with whoever made it.
func (d *Door) liveToken(ctx context.Context, column, value string) (tokenRow, error) {
	var rows []tokenRow
	err := d.DB.Read(ctx).Raw(`select t.*, coalesce(e.epoch, 0) as current, a.person is not null as holds from session_tokens t
		left join session_epochs e on e.person = t.person
		left join session_admins a on a.person = t.person where `+column+` = ?`, value).Scan(&rows).Error
	if err != nil {
		return tokenRow{}, err
	}
	if len(rows) == 0 {
		return tokenRow{}, ErrBadProof
	}
	t := rows[0]
	switch {
	case t.Person != "" && d.Standing.Frozen(t.Person), t.Person == "" && d.Standing.Frozen(id.Person(t.CreatedBy)):
		return t, ErrFrozen
	case !t.EndedAt.IsZero(), t.Epoch != t.Current, !d.Now().Before(t.ExpiresAt.Time):
		return t, ErrBadProof
	}
	return t, nil
}

// touch notes that a proof was used. That it cannot be noted now is no reason to refuse the request.
func (d *Door) touch(ctx context.Context, statement string, args ...any) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := d.DB.Tx(ctx, func(tx *db.Tx) error { return tx.Exec(statement, args...).Error }); err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "cannot note the use of a proof", "error", err)
	}
}
