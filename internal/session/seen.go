package session

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Use is a session or a token of a person that was used since an instant, whether or not it has ended.
type Use struct {
	Session   id.Session // empty: it is a token
	Token     id.Token
	CreatedAt time.Time
	LastAt    time.Time // coarse
	EndedAt   time.Time
}

// Used answers a person's sessions and tokens that were used since an instant, the last used first, at most 200 of each.
func (d *Door) Used(ctx context.Context, person id.Person, since time.Time) ([]Use, error) {
	type row struct {
		ID                         string
		CreatedAt, LastAt, EndedAt db.Instant
	}
	var sessions, tokens []row
	if err := d.DB.Read(ctx).Raw(`select id, created_at, last_seen_at as last_at, ended_at from sessions
		where person = ? and last_seen_at >= ? order by last_seen_at desc limit 200`, person, db.At(since)).Scan(&sessions).Error; err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	if err := d.DB.Read(ctx).Raw(`select id, created_at, last_used_at as last_at, ended_at from session_tokens
		where (person = ? or person = '' and created_by = ?) and last_used_at >= ? order by last_used_at desc limit 200`, person, person, db.At(since)).Scan(&tokens).Error; err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	var out []Use
	for _, r := range sessions {
		out = append(out, Use{Session: id.Session(r.ID), CreatedAt: r.CreatedAt.Time, LastAt: r.LastAt.Time, EndedAt: r.EndedAt.Time})
	}
	for _, r := range tokens {
		out = append(out, Use{Token: id.Token(r.ID), CreatedAt: r.CreatedAt.Time, LastAt: r.LastAt.Time, EndedAt: r.EndedAt.Time})
	}
	return out, nil
}

// LastSeen answers when people last used a session or a token of theirs, coarsely. Who never did, or long ago, is not there.
func (d *Door) LastSeen(ctx context.Context, people []id.Person) (map[id.Person]time.Time, error) {
	out := map[id.Person]time.Time{}
	for some := range slices.Chunk(people, 500) {
		var rows []struct {
			Person id.Person
			At     db.Instant
		}
		some = db.Pad(some)
		if err := d.DB.Read(ctx).Raw(`select person, max(at) as at from (select person, last_seen_at as at from sessions where person in ?
			union all select person, last_used_at from session_tokens where person in ? and last_used_at is not null) used group by person`, some, some).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read sessions: %w", err)
		}
		for _, r := range rows {
			out[r.Person] = r.At.Time
		}
	}
	return out, nil
}

// Ending is a session or a token that ended, and why.
type Ending struct {
	Session   id.Session // empty: it is a token
	Token     id.Token
	CreatedAt time.Time
	LastAt    time.Time // coarse
	EndedAt   time.Time
	Cause     string
}

// EndedSince answers a person's sessions and tokens that ended at an instant or later, the first ended first, at most 500 of each. What
// ended long ago is forgotten.
func (d *Door) EndedSince(ctx context.Context, person id.Person, since time.Time) ([]Ending, error) {
	type row struct {
		ID                         string
		CreatedAt, LastAt, EndedAt db.Instant
		EndCause                   string
	}
	var sessions, tokens []row
	if err := d.DB.Read(ctx).Raw(`select id, created_at, last_seen_at as last_at, ended_at, end_cause from sessions
		where person = ? and ended_at >= ? order by ended_at, id limit 500`, person, db.At(since)).Scan(&sessions).Error; err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	if err := d.DB.Read(ctx).Raw(`select id, created_at, last_used_at as last_at, ended_at, end_cause from session_tokens
		where (person = ? or person = '' and created_by = ?) and ended_at >= ? order by ended_at, id limit 500`, person, person, db.At(since)).Scan(&tokens).Error; err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	var out []Ending
	for _, r := range sessions {
		out = append(out, Ending{Session: id.Session(r.ID), CreatedAt: r.CreatedAt.Time, LastAt: r.LastAt.Time, EndedAt: r.EndedAt.Time, Cause: r.EndCause})
	}
	for _, r := range tokens {
		out = append(out, Ending{Token: id.Token(r.ID), CreatedAt: r.CreatedAt.Time, LastAt: r.LastAt.Time, EndedAt: r.EndedAt.Time, Cause: r.EndCause})
	}
	return out, nil
}
