package directory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// A source token is "rcs_", 43 characters of base64url for 256 random bits, 6 for the CRC-32 of what stands before: a scanner for leaked
// secrets recognises it, and a mistyped one costs no query.
const (
	tokenPrefix = "rcs_"
	liveTokens  = 2 // the old and the new one, while a client is moved
	usedGrain   = time.Minute
)

func newSecret() string {
	var random [32]byte
	rand.Read(random[:])
	body := tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	return body + checksum(body)
}

func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	return base64.RawURLEncoding.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// wellFormed tells whether secret can be a token at all.
func wellFormed(secret string) bool {
	const body = len(tokenPrefix) + 43
	return len(secret) == body+6 && strings.HasPrefix(secret, tokenPrefix) && checksum(secret[:body]) == secret[body:]
}

// Live tells whether the token is taken at now: neither revoked nor expired.
func (t SourceToken) Live(now time.Time) bool {
	return t.RevokedAt.IsZero() && (t.ExpiresAt.IsZero() || t.ExpiresAt.After(now))
}

// SourceTokens answers a source's tokens, newest first, without those of connection tests.
func (r Reader) SourceTokens(ctx context.Context, source id.Source) ([]SourceToken, error) {
	var rows []tokenRow
	if err := r.from(ctx).Where("source_id = ? and temporary = ?", source, false).Order("created_at desc, id desc").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read source tokens: %w", err)
	}
	out := make([]SourceToken, len(rows))
	for i, row := range rows {
		out[i] = row.token()
	}
	return out, nil
}

// NewToken describes a token to issue. A zero ExpiresAt never ends; an empty Scope is ScopeWrite.
type NewToken struct {
	Name      string
	Scope     Scope
	ExpiresAt time.Time
}

// IssueSourceToken is IssueToken for a token that may write.
func (s *Store) IssueSourceToken(ctx context.Context, cause Cause, source id.Source, name string, expires time.Time) (secret string, token SourceToken, err error) {
	return s.IssueToken(ctx, cause, source, NewToken{Name: name, ExpiresAt: expires})
}

// IssueToken makes a bearer token; the secret is answered once and kept only as a hash. A third live one is ErrTokens.
func (s *Store) IssueToken(ctx context.Context, cause Cause, source id.Source, wanted NewToken) (secret string, token SourceToken, err error) {
	if err := storable("name", wanted.Name); err != nil {
		return "", SourceToken{}, err
	}
	if wanted.Scope == "" {
		wanted.Scope = ScopeWrite
	}
	if wanted.Scope != ScopeRead && wanted.Scope != ScopeWrite {
		return "", SourceToken{}, fmt.Errorf("%w: a token may read or write, not %q", ErrInvalid, wanted.Scope)
	}
	return s.issue(ctx, cause, tokenRow{SourceID: source, Name: wanted.Name, Scope: wanted.Scope, ExpiresAt: db.At(wanted.ExpiresAt)})
}

// testTime is how long the token of a connection test lives.
const testTime = time.Minute

// IssueTestToken makes a token for testing the connection of a source: it lives a minute, is not counted among the two
// and stands in no list. Those of earlier tests are deleted.
func (s *Store) IssueTestToken(ctx context.Context, cause Cause, source id.Source) (secret string, token SourceToken, err error) {
	return s.issue(ctx, cause, tokenRow{SourceID: source, Name: "connection test", Scope: ScopeWrite, Temporary: true, ExpiresAt: db.At(s.clock().Add(testTime))})
}

// DropTestToken deletes a token of IssueTestToken; another one, or none, is no change.
func (s *Store) DropTestToken(ctx context.Context, token id.Token) error {
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Exec("delete from source_tokens where id = ? and temporary = ?", token, true).Error; err != nil {
			return fmt.Errorf("delete source token: %w", err)
		}
		return nil
	})
}

func (s *Store) issue(ctx context.Context, cause Cause, row tokenRow) (secret string, token SourceToken, err error) {
	now := s.clock().Truncate(time.Microsecond)
	if !row.ExpiresAt.IsZero() && !row.ExpiresAt.After(now) {
		return "", SourceToken{}, fmt.Errorf("%w: the token would be over already", ErrInvalid)
	}
	secret = newSecret()
	row.ID, row.Hash, row.CreatedAt = id.New[id.Token](), hashOf(secret), db.At(now)
	note := map[string]any{"source": row.SourceID, "scope": row.Scope, "expires_at": moment(row.ExpiresAt.Time)}
	if row.Temporary {
		note["temporary"] = true
	}
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		var sources []sourceRow
		if err := tx.ForUpdate().Where("id = ?", row.SourceID).Find(&sources).Error; err != nil {
			return fmt.Errorf("read source: %w", err)
		}
		if len(sources) == 0 {
			return fmt.Errorf("source %q: %w", row.SourceID, ErrNotFound)
		}
		if err := s.room(ctx, tx, row, now); err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write source token: %w", err)
		}
		return audit.Append(tx, audit.Record{At: now, Actor: cause.actor(), Action: "token.issued", Subject: string(row.ID), RequestID: string(cause.Request), Public: note})
	})
	if err != nil {
		return "", SourceToken{}, err
	}
	return secret, row.token(), nil
}

// room tells whether a source may have one more token; a temporary one always, and those that are over make room for it.
func (s *Store) room(ctx context.Context, tx *db.Tx, row tokenRow, now time.Time) error {
	if row.Temporary {
		if err := tx.Exec("delete from source_tokens where temporary = ? and expires_at < ?", true, now.UnixMicro()).Error; err != nil {
			return fmt.Errorf("delete source tokens: %w", err)
		}
		return nil
	}
	tokens, err := s.In(tx).SourceTokens(ctx, row.SourceID)
	if err != nil {
		return err
	}
	if live := slices.DeleteFunc(tokens, func(t SourceToken) bool { return !t.Live(now) }); len(live) >= liveTokens {
		return ErrTokens
	}
	return nil
}

// RevokeSourceToken ends a token at once; one ended already is no change.
func (s *Store) RevokeSourceToken(ctx context.Context, cause Cause, source id.Source, token id.Token) error {
	now := s.clock().Truncate(time.Microsecond)
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		var rows []tokenRow
		if err := tx.ForUpdate().Where("id = ? and source_id = ?", token, source).Find(&rows).Error; err != nil {
			return fmt.Errorf("read source token: %w", err)
		}
		if len(rows) == 0 {
			return fmt.Errorf("token %s: %w", token, ErrNotFound)
		}
		if !rows[0].RevokedAt.IsZero() {
			return nil
		}
		if err := tx.Exec("update source_tokens set revoked_at = ? where id = ?", now.UnixMicro(), token).Error; err != nil {
			return fmt.Errorf("write source token: %w", err)
		}
		return audit.Append(tx, audit.Record{At: now, Actor: cause.actor(), Action: "token.revoked", Subject: string(token), RequestID: string(cause.Request),
			Public: map[string]any{"source": source}})
	})
}

// CheckSourceToken answers whose token secret is; everything else is ErrToken. Where the token is known but over, source and
// token are answered beside ErrToken. That the last use is noted never fails the check.
func (s *Store) CheckSourceToken(ctx context.Context, secret string) (Source, SourceToken, error) {
	if !wellFormed(secret) {
		return Source{}, SourceToken{}, ErrToken
	}
	var rows []tokenRow
	if err := s.db.Read(ctx).Where("hash = ?", hashOf(secret)).Find(&rows).Error; err != nil {
		return Source{}, SourceToken{}, fmt.Errorf("read source token: %w", err)
	}
	if len(rows) == 0 {
		return Source{}, SourceToken{}, ErrToken
	}
	now, token := s.clock(), rows[0].token()
	source, err := s.SourceByID(ctx, token.Source)
	if err != nil {
		return Source{}, SourceToken{}, err
	}
	if !token.Live(now) {
		return source, token, ErrToken
	}
	if used := token.LastUsedAt; used.IsZero() || now.Sub(used) >= usedGrain {
		if err := s.db.Tx(ctx, func(tx *db.Tx) error {
			return tx.Exec("update source_tokens set last_used_at = ? where id = ?", now.UnixMicro(), token.ID).Error
		}); err != nil {
			s.log.WarnContext(ctx, "last use of a source token not noted", "token", token.ID, "error", err)
		}
	}
	return source, token, nil
}
