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
	"github.com/rollcall-im/rollcall/internal/roles"
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
	if r.Header.Get("Authorization") != "" {
		token := httpapi.Bearer(r)
		if token == "" {
			return httpapi.Caller{}, ErrBadProof
		}
		return d.byToken(r.Context(), token)
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
	case c.Token == BootstrapToken && !d.Separation:
		return nil
	case c.Session != "":
		_, _, err = d.liveSession(ctx, "s.id", string(c.Session))
	case c.Token != "":
		_, _, err = d.liveToken(ctx, "t.id", string(c.Token))
	default:
		err = ErrBadProof
	}
	return err
}

func (d *Door) bySession(ctx context.Context, hash string) (httpapi.Caller, error) {
	s, grants, err := d.liveSession(ctx, "s.token_hash", hash)
	if err != nil {
		return httpapi.Caller{}, err
	}
	now := d.Now()
	if now.Sub(s.LastSeenAt.Time) > d.coarse(grants) {
		d.touch(ctx, "update sessions set last_seen_at = ? where id = ? and ended_at is null", db.At(now), s.ID)
	}
	stepped := s.Issuer == emergencyIssuer || !s.Enrolled && !d.conduct().StepUpRequired || !s.SteppedAt.IsZero() && now.Before(s.SteppedAt.Add(steppedFor))
	return httpapi.Caller{Person: s.Person, Session: s.ID, Grants: grants, Stepped: stepped}, nil
}

// coarse is how exactly it is noted when a session was seen: finer where administrators are signed out sooner.
func (d *Door) coarse(grants roles.Grants) time.Duration {
	if idle := d.conduct().AdminIdle; idle > 0 && len(grants) > 0 {
		return min(seen, idle/10)
	}
	return seen
}

// liveSession reads the session whose column is value with the roles of its person, and holds it against time, epoch and standing. column is ours.
func (d *Door) liveSession(ctx context.Context, column, value string) (sessionRow, roles.Grants, error) {
	var rows []sessionRow
	err := d.DB.Read(ctx).Raw(`select s.*, coalesce(e.epoch, 0) as current, f.person is not null as enrolled, coalesce(a.role, '') as held_role, coalesce(a.unit, '') as held_unit from sessions s
		left join session_epochs e on e.person = s.person
		left join session_factors f on f.person = s.person and f.confirmed_at is not null
		left join session_roles a on a.person = s.person where `+column+` = ?`, value).Scan(&rows).Error
	if err != nil {
		return sessionRow{}, nil, err
	}
	if len(rows) == 0 {
		return sessionRow{}, nil, ErrEnded
	}
	s, now := rows[0], d.Now()
	switch {
	case d.Standing.Frozen(s.Person): // first, so that a frozen person is told why
		return s, nil, ErrFrozen
	case !s.EndedAt.IsZero(), s.Epoch != s.Current, !now.Before(s.ExpiresAt.Time), now.Sub(s.LastSeenAt.Time) >= d.Idle:
		return s, nil, ErrEnded
	}
	var held roles.Grants
	for _, row := range rows {
		held = append(held, roles.Grant{Role: row.HeldRole, Unit: row.HeldUnit})
	}
	held = d.inForce(held)
	if s.Issuer == emergencyIssuer {
		held = d.emergencyGrants()
	}
	if idle := d.conduct().AdminIdle; idle > 0 && len(held) > 0 && now.Sub(s.LastSeenAt.Time) >= idle {
		return s, nil, ErrEnded
	}
	return s, held, d.stillTheirs(ctx, s)
}

func (d *Door) byToken(ctx context.Context, token string) (httpapi.Caller, error) {
	hash := hashed(token)
	if d.bootstrap != "" && (!d.Separation || d.restoring()) && subtle.ConstantTimeCompare([]byte(hash), []byte(d.bootstrap)) == 1 {
		return httpapi.Caller{Token: BootstrapToken, Grants: roles.Everything(), Stepped: true}, nil
	}
	if !wellFormed(token) {
		return httpapi.Caller{}, ErrBadProof
	}
	t, grants, err := d.liveToken(ctx, "t.token_hash", hash)
	if err != nil {
		return httpapi.Caller{}, err
	}
	if now := d.Now(); now.Sub(t.LastUsedAt.Time) > seen {
		d.touch(ctx, "update session_tokens set last_used_at = ? where id = ? and ended_at is null", db.At(now), t.ID)
	}
	return httpapi.Caller{Person: t.Person, Maker: t.maker(), Token: t.ID, Grants: grants, Stepped: t.Dangerous}, nil
}

// maker is who answers for a token that belongs to no person, where that is a person.
func (t tokenRow) maker() id.Person {
	if t.Person == "" && strings.HasPrefix(t.CreatedBy, personPrefix) {
		return id.Person(t.CreatedBy)
	}
	return ""
}

// personPrefix begins every id of a person.
const personPrefix = "per_"

// liveToken reads the token whose column is value, and what it may: no more than who answers for it has now. A token without a
// person falls with whoever made it.
func (d *Door) liveToken(ctx context.Context, column, value string) (tokenRow, roles.Grants, error) {
	var rows []tokenRow
	err := d.DB.Read(ctx).Raw(`select t.*, coalesce(e.epoch, 0) as current, coalesce(a.role, '') as held_role, coalesce(a.unit, '') as held_unit from session_tokens t
		left join session_epochs e on e.person = t.person
		left join session_roles a on t.role <> '' and a.person = case when t.person <> '' then t.person else t.created_by end where `+column+` = ?`, value).Scan(&rows).Error
	if err != nil {
		return tokenRow{}, nil, err
	}
	if len(rows) == 0 {
		return tokenRow{}, nil, ErrBadProof
	}
	t := rows[0]
	switch {
	case t.Person != "" && d.Standing.Frozen(t.Person), t.Person == "" && d.Standing.Frozen(id.Person(t.CreatedBy)):
		return t, nil, ErrFrozen
	case !t.EndedAt.IsZero(), t.Epoch != t.Current, !d.Now().Before(t.ExpiresAt.Time):
		return t, nil, ErrBadProof
	}
	var held roles.Grants
	for _, row := range rows {
		held = append(held, roles.Grant{Role: row.HeldRole, Unit: row.HeldUnit})
	}
	own := roles.Grant{Role: t.Role, Unit: t.Unit}
	if t.Person == "" && t.maker() == "" || d.inForce(held).Covers(own) {
		return t, d.inForce(roles.Grants{own}), nil
	}
	return t, nil, nil
}

// inForce answers those of grants that count.
func (d *Door) inForce(grants roles.Grants) roles.Grants {
	var out roles.Grants
	for _, g := range grants {
		if g.Role.Known() && (g.Role != roles.Owner || !d.Separation) {
			out = append(out, g)
		}
	}
	return out
}

// touch notes that a proof was used. That it cannot be noted now is no reason to refuse the request.
func (d *Door) touch(ctx context.Context, statement string, args ...any) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := d.DB.Tx(ctx, func(tx *db.Tx) error { return tx.Exec(statement, args...).Error }); err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "cannot note the use of a proof", "error", err)
	}
}
