package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// Token is an API token as it can be listed: everything but the secret.
type Token struct {
	ID         id.Token
	Person     id.Person  // empty: an administrator's token that belongs to no person
	Role       roles.Role // empty: none
	Unit       id.Unit    // for which the role is; empty: the whole organisation
	Dangerous  bool       // may do what wants a second factor of people
	Name       string
	CreatedBy  string
	CreatedAt  time.Time
	LastUsedAt time.Time // coarse; zero: never
	ExpiresAt  time.Time
	EndedAt    time.Time
	EndCause   string
}

// NewToken says what token to make.
type NewToken struct {
	Person    id.Person
	Role      roles.Role
	Unit      id.Unit
	Dangerous bool
	Name      string
	Expires   time.Duration // 0: 90 days; at most 366 days
}

const (
	defaultExpiry = 90 * 24 * time.Hour
	maxExpiry     = 366 * 24 * time.Hour
	maxTokens     = 50 // live ones of one person
)

// CreateToken makes a token and answers its secret, which cannot be read again. by is who asks; a token with a role
// needs a caller who has it. Where by or the token's person lost access since by was authenticated,
// there is no token: ErrFrozen or ErrEnded.
func (d *Door) CreateToken(ctx context.Context, by httpapi.Caller, n NewToken) (string, Token, error) {
	n.Name = strings.TrimSpace(n.Name)
	if n.Expires == 0 {
		n.Expires = defaultExpiry
	}
	switch {
	case n.Name == "" || utf8.RuneCountInString(n.Name) > 100 || !utf8.ValidString(n.Name) || strings.ContainsRune(n.Name, 0):
		return "", Token{}, fmt.Errorf("%w: a token's name has 1 to 100 characters", ErrBadRequest)
	case n.Expires < 0 || n.Expires > maxExpiry:
		return "", Token{}, fmt.Errorf("%w: a token lives 366 days at most", ErrBadRequest)
	case n.Person == "" && n.Role == "", n.Role != "" && !by.Grants.Covers(roles.Grant{Role: n.Role, Unit: n.Unit}):
		return "", Token{}, fmt.Errorf("%w: only an administrator makes an administrator's token, and no stronger one", ErrBadRequest)
	case by.Session != "" && by.Person == "":
		return "", Token{}, fmt.Errorf("%w: the emergency account makes no tokens, which would outlive it", ErrBadRequest)
	case n.Dangerous && !by.Stepped:
		return "", Token{}, fmt.Errorf("%w: prove your second factor before you make a token for dangerous acts", ErrBadRequest)
	}
	if err := checkGrant(n.Role, n.Unit); n.Role != "" && err != nil {
		return "", Token{}, err
	}
	before, err := d.epoch(ctx, n.Person)
	if err != nil {
		return "", Token{}, err
	}
	if n.Person != "" && d.Standing.Frozen(n.Person) {
		return "", Token{}, ErrFrozen
	}
	secret, now := newToken(), d.Now()
	t := Token{ID: id.New[id.Token](), Person: n.Person, Role: n.Role, Unit: n.Unit, Dangerous: n.Dangerous, Name: n.Name, CreatedBy: cmp.Or(string(by.Behind()), by.Actor()), CreatedAt: now, ExpiresAt: now.Add(n.Expires)}
	err = d.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := d.stillValid(tx, by); err != nil {
			return err
		}
		if n.Person != "" {
			if epoch, err := d.lockEpoch(tx, n.Person); err != nil || epoch != before {
				return errors.Join(err, ErrFrozen)
			}
			var live int64
			if err := tx.Raw("select count(*) from session_tokens where person = ? and ended_at is null and expires_at > ?", n.Person, db.At(now)).Scan(&live).Error; err != nil {
				return err
			}
			if live >= maxTokens {
				return ErrTooMany
			}
		}
		if err := tx.Exec(`insert into session_tokens (id, token_hash, person, epoch, role, unit, dangerous, name, created_by, created_at, expires_at, end_cause)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')`, t.ID, hashed(secret), t.Person, before, t.Role, t.Unit, t.Dangerous, t.Name, t.CreatedBy, db.At(t.CreatedAt), db.At(t.ExpiresAt)).Error; err != nil {
			return err
		}
		return audit.Append(tx, audit.Record{At: now, Actor: by.Actor(), Action: "token.created", Subject: string(t.ID), RequestID: string(httpapi.RequestFrom(ctx)),
			Public: map[string]any{"person": t.Person, "role": t.Role, "unit": t.Unit, "dangerous": t.Dangerous, "expires_at": t.ExpiresAt.UTC().Format(time.RFC3339)}})
	})
	if err != nil {
		return "", Token{}, err
	}
	return secret, t, nil
}

// stillValid holds the caller against the database once more, under the lock of its epoch: a request that began before
// its person's access ended must not leave a proof behind.
func (d *Door) stillValid(tx *db.Tx, by httpapi.Caller) error {
	if by.Token == BootstrapToken {
		return nil
	}
	if by.Person != "" {
		if _, err := d.lockEpoch(tx, by.Person); err != nil {
			return err
		}
	}
	var live int64
	var err error
	switch {
	case by.Session != "":
		err = tx.Raw("select count(*) from sessions where id = ? and ended_at is null", by.Session).Scan(&live).Error
	case by.Token != "":
		err = tx.Raw("select count(*) from session_tokens where id = ? and ended_at is null", by.Token).Scan(&live).Error
	}
	if err == nil && live == 0 {
		err = ErrEnded
	}
	return err
}

// Tokens lists the tokens of person, newest first; the empty person lists those of administrators that belong to no
// person. Ended ones are listed for 30 days.
func (d *Door) Tokens(ctx context.Context, person id.Person) ([]Token, error) {
	var rows []tokenRow
	err := d.DB.Read(ctx).Raw("select * from session_tokens where person = ? order by created_at desc, id desc limit 200", person).Scan(&rows).Error
	out := make([]Token, len(rows))
	for i, r := range rows {
		out[i] = Token{ID: r.ID, Person: r.Person, Role: r.Role, Unit: r.Unit, Dangerous: r.Dangerous, Name: r.Name, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.Time,
			LastUsedAt: r.LastUsedAt.Time, ExpiresAt: r.ExpiresAt.Time, EndedAt: r.EndedAt.Time, EndCause: r.EndCause}
	}
	return out, err
}

// RevokeToken ends one token of person (empty: of no person). ErrNotFound where there is no such live token.
func (d *Door) RevokeToken(ctx context.Context, by httpapi.Caller, person id.Person, token id.Token) error {
	return d.DB.Tx(ctx, func(tx *db.Tx) error {
		ended, err := d.endTokens(tx, "revoked", "id = ? and person = ?", token, person)
		if err != nil {
			return err
		}
		if len(ended) == 0 {
			return ErrNotFound
		}
		if err := d.spread(tx, idsOf(nil, ended)); err != nil {
			return err
		}
		return audit.Append(tx, audit.Record{At: d.Now(), Actor: by.Actor(), Action: "token.revoked", Subject: string(token),
			RequestID: string(httpapi.RequestFrom(ctx)), Public: map[string]any{"person": person}})
	})
}
