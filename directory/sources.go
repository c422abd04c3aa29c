package directory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

const sourceName = `^[a-z0-9][a-z0-9-]{0,39}$`

// Sources answers all sources by priority, then name.
func (r Reader) Sources(ctx context.Context) ([]Source, error) {
	var rows []sourceRow
	if err := r.from(ctx).Order("priority, name").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	out := make([]Source, len(rows))
	for i, row := range rows {
		out[i] = row.source()
	}
	return out, nil
}

func (r Reader) sourceMap(ctx context.Context) (map[id.Source]Source, error) {
	list, err := r.Sources(ctx)
	if err != nil {
		return nil, err
	}
	out := map[id.Source]Source{}
	for _, s := range list {
		out[s.ID] = s
	}
	return out, nil
}

// SourceByID answers one source; ErrNotFound.
func (r Reader) SourceByID(ctx context.Context, source id.Source) (Source, error) {
	return r.oneSource(ctx, func(s Source) bool { return s.ID == source }, string(source))
}

// SourceByName answers one source; ErrNotFound.
func (r Reader) SourceByName(ctx context.Context, name string) (Source, error) {
	return r.oneSource(ctx, func(s Source) bool { return s.Name == name }, name)
}

func (r Reader) oneSource(ctx context.Context, is func(Source) bool, name string) (Source, error) {
	list, err := r.Sources(ctx)
	if err != nil {
		return Source{}, err
	}
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i], nil
	}
	return Source{}, fmt.Errorf("source %q: %w", name, ErrNotFound)
}

// Cursor answers what PutCursor stored last; empty where nothing.
func (r Reader) Cursor(ctx context.Context, source id.Source) (string, error) {
	var cursor string
	if err := r.from(ctx).Raw("select cursor from sources where id = ?", source).Scan(&cursor).Error; err != nil {
		return "", fmt.Errorf("read cursor: %w", err)
	}
	return cursor, nil
}

// CreateSource adds a source; its name is [a-z0-9-], 1 to 40 of them, else ErrInvalid; taken is ErrExists. ID is filled in where empty.
func (s *Store) CreateSource(ctx context.Context, cause Cause, source Source) (Source, error) {
	if !regexp.MustCompile(sourceName).MatchString(source.Name) {
		return Source{}, fmt.Errorf("%w: a source's name is 1 to 40 of a-z, 0-9 and -", ErrInvalid)
	}
	switch source.Kind {
	case KindSCIM, KindLDAP, KindHRFeed, KindConsole:
	default:
		return Source{}, fmt.Errorf("%w: kind %q of source", ErrInvalid, source.Kind)
	}
	for _, by := range source.Correlate {
		if by != CorrelateEmployeeNumber && by != CorrelateExternalID {
			return Source{}, fmt.Errorf("%w: people are never correlated by %q", ErrInvalid, by)
		}
	}
	if source.ID == "" {
		source.ID = id.New[id.Source]()
	}
	source.CreatedAt = s.clock().Truncate(time.Microsecond)
	row := sourceRow{ID: source.ID, Name: source.Name, Kind: source.Kind, Priority: source.Priority, Correlate: db.JSON[[]string]{V: source.Correlate},
		Advisory: source.Advisory, CreatedAt: db.At(source.CreatedAt)}
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Create(&row).Error; err != nil {
			if db.IsDuplicate(err) {
				return &ConflictError{Field: "name"}
			}
			return fmt.Errorf("write source: %w", err)
		}
		return audit.Append(tx, audit.Record{At: s.clock(), Actor: cause.actor(), Action: "source.created", Subject: string(source.ID), RequestID: string(cause.Request),
			Public: map[string]any{"name": source.Name, "kind": source.Kind, "priority": source.Priority, "correlate": source.Correlate, "advisory": source.Advisory}})
	})
	if err != nil {
		return Source{}, err
	}
	return source, nil
}

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

func (t SourceToken) live(now time.Time) bool {
	return t.RevokedAt.IsZero() && (t.ExpiresAt.IsZero() || t.ExpiresAt.After(now))
}

// SourceTokens answers a source's tokens, newest first.
func (r Reader) SourceTokens(ctx context.Context, source id.Source) ([]SourceToken, error) {
	var rows []tokenRow
	if err := r.from(ctx).Where("source_id = ?", source).Order("created_at desc, id desc").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read source tokens: %w", err)
	}
	out := make([]SourceToken, len(rows))
	for i, row := range rows {
		out[i] = row.token()
	}
	return out, nil
}

// IssueSourceToken makes a bearer token; the secret is answered once and kept only as a hash. A third live one is ErrTokens. A zero
// expiry never ends.
func (s *Store) IssueSourceToken(ctx context.Context, cause Cause, source id.Source, name string, expires time.Time) (secret string, token SourceToken, err error) {
	now := s.clock().Truncate(time.Microsecond)
	if !expires.IsZero() && !expires.After(now) {
		return "", SourceToken{}, fmt.Errorf("%w: the token would be over already", ErrInvalid)
	}
	if err := storable("name", name); err != nil {
		return "", SourceToken{}, err
	}
	secret = newSecret()
	row := tokenRow{ID: id.New[id.Token](), SourceID: source, Name: name, Hash: hashOf(secret), CreatedAt: db.At(now), ExpiresAt: db.At(expires)}
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		var sources []sourceRow
		if err := tx.ForUpdate().Where("id = ?", source).Find(&sources).Error; err != nil {
			return fmt.Errorf("read source: %w", err)
		}
		if len(sources) == 0 {
			return fmt.Errorf("source %q: %w", source, ErrNotFound)
		}
		tokens, err := s.In(tx).SourceTokens(ctx, source)
		if err != nil {
			return err
		}
		live := slices.DeleteFunc(tokens, func(t SourceToken) bool { return !t.live(now) })
		if len(live) >= liveTokens {
			return ErrTokens
		}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write source token: %w", err)
		}
		return audit.Append(tx, audit.Record{At: now, Actor: cause.actor(), Action: "token.issued", Subject: string(row.ID), RequestID: string(cause.Request),
			Public: map[string]any{"source": source, "expires_at": moment(expires)}})
	})
	if err != nil {
		return "", SourceToken{}, err
	}
	return secret, row.token(), nil
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

// CheckSourceToken answers whose token secret is; everything else is ErrToken. That the last use is noted never fails the check.
func (s *Store) CheckSourceToken(ctx context.Context, secret string) (Source, id.Token, error) {
	if !wellFormed(secret) {
		return Source{}, "", ErrToken
	}
	var rows []tokenRow
	if err := s.db.Read(ctx).Where("hash = ?", hashOf(secret)).Find(&rows).Error; err != nil {
		return Source{}, "", fmt.Errorf("read source token: %w", err)
	}
	now := s.clock()
	if len(rows) == 0 || !rows[0].token().live(now) {
		return Source{}, "", ErrToken
	}
	source, err := s.SourceByID(ctx, rows[0].SourceID)
	if err != nil {
		return Source{}, "", err
	}
	if used := rows[0].LastUsedAt; used.IsZero() || now.Sub(used.Time) >= usedGrain {
		if err := s.db.Tx(ctx, func(tx *db.Tx) error {
			return tx.Exec("update source_tokens set last_used_at = ? where id = ?", now.UnixMicro(), rows[0].ID).Error
		}); err != nil {
			s.log.WarnContext(ctx, "last use of a source token not noted", "token", rows[0].ID, "error", err)
		}
	}
	return source, rows[0].ID, nil
}
