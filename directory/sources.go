package directory

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

const sourceName = `^[a-z0-9][a-z0-9-]{0,39}$`

// SpeaksSCIM tells whether a token of the source opens SCIM: records of a feed and of LDAP have keys of their own.
func (s Source) SpeaksSCIM() bool { return s.Kind == KindSCIM || s.Kind == KindConsole }

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

// CheckSourceName tells why name cannot be that of a source: it stands in addresses and on command lines.
func CheckSourceName(name string) error {
	if !regexp.MustCompile(sourceName).MatchString(name) {
		return fmt.Errorf("%w: a source's name is 1 to 40 of a-z, 0-9 and -, and does not begin with -, unlike %q", ErrInvalid, name)
	}
	return nil
}

// CreateSource adds a source; its name is [a-z0-9-], 1 to 40 of them, else ErrInvalid; taken is ErrExists. ID is filled in where empty.
func (s *Store) CreateSource(ctx context.Context, cause Cause, source Source) (Source, error) {
	if err := CheckSourceName(source.Name); err != nil {
		return Source{}, err
	}
	switch source.Kind {
	case KindSCIM, KindLDAP, KindHRFeed, KindConsole, KindGuests:
	default:
		return Source{}, fmt.Errorf("%w: kind %q of source", ErrInvalid, source.Kind)
	}
	if err := checkCorrelate(source.Correlate); err != nil {
		return Source{}, err
	}
	if err := CheckAuthority(source.Authority); err != nil {
		return Source{}, err
	}
	source.Authority = normal(source.Authority)
	if source.ID == "" {
		source.ID = id.New[id.Source]()
	}
	source.CreatedAt = s.clock().Truncate(time.Microsecond)
	if source.Mode == "" {
		source.Mode = ModeLive
	}
	if source.Mode != ModeLive && source.Mode != ModeDryRun {
		return Source{}, fmt.Errorf("%w: a source begins live or with a dry run", ErrInvalid)
	}
	row := sourceRow{ID: source.ID, Name: source.Name, Kind: source.Kind, Priority: source.Priority, Correlate: db.JSON[[]string]{V: source.Correlate},
		Authority: db.JSON[[]string]{V: source.Authority}, CreatedAt: db.At(source.CreatedAt), Mode: source.Mode}
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Create(&row).Error; err != nil {
			if db.IsDuplicate(err) {
				return &ConflictError{Field: "name"}
			}
			return fmt.Errorf("write source: %w", err)
		}
		return audit.Append(tx, audit.Record{At: s.clock(), Actor: cause.actor(), Action: "source.created", Subject: string(source.ID), RequestID: string(cause.Request),
			Public: map[string]any{"name": source.Name, "kind": source.Kind, "priority": source.Priority, "correlate": source.Correlate, "authority": source.Authority, "mode": source.Mode}})
	})
	if err != nil {
		return Source{}, err
	}
	return source, nil
}
