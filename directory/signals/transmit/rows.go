package transmit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// The events that are sent.
const (
	SessionRevoked  = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	AccountDisabled = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
	AccountEnabled  = "https://schemas.openid.net/secevent/risc/event-type/account-enabled"
	AccountPurged   = "https://schemas.openid.net/secevent/risc/event-type/account-purged"

	verification  = "https://schemas.openid.net/secevent/ssf/event-type/verification"
	streamUpdated = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated"
)

// Supported answers the events about people that a stream can be sent.
func Supported() []string {
	return []string{SessionRevoked, AccountDisabled, AccountEnabled, AccountPurged}
}

// receiverRow is a row of transmit_receivers.
type receiverRow struct {
	Name, Audience, Subject, Issuer, Source, Peer, Endpoints, TokenHash, MadeBy string
	CreatedAt                                                                   db.Instant
	Stream, Method, Endpoint, Sealed                                            string
	Requested                                                                   db.JSON[[]string] // nil: everything
	Description, Status, Reason                                                 string
	Begun, Seq, IssuedAt                                                        int64 // IssuedAt in seconds
	VerifiedAt                                                                  db.Instant
	Failures                                                                    int64
	Problem                                                                     string
	ProblemSince, RetryAt                                                       db.Instant
	Delivered                                                                   int64
	DeliveredAt                                                                 db.Instant
	Refused                                                                     int64
}

// TableName implements gorm's Tabler.
func (receiverRow) TableName() string { return "transmit_receivers" }

// sent answers the events about people that the stream is sent.
func (r receiverRow) sent() []string {
	if r.Requested.V == nil {
		return Supported()
	}
	return slices.DeleteFunc(Supported(), func(kind string) bool { return !slices.Contains(r.Requested.V, kind) })
}

func rows(q *gorm.DB, where string, args ...any) ([]receiverRow, error) {
	var out []receiverRow
	err := q.Raw("select * from transmit_receivers where "+where, args...).Scan(&out).Error
	return out, err
}

// lock answers the receiver of a stream, and keeps others from its queue until the end of tx. ErrStream.
func lock(tx *db.Tx, stream string) (receiverRow, error) {
	if err := tx.Exec("update transmit_receivers set seq = seq where stream = ? and stream <> ''", stream).Error; err != nil {
		return receiverRow{}, err
	}
	return one(tx.DB, ErrStream, "stream = ? and stream <> ''", stream)
}

func one(q *gorm.DB, none error, where string, args ...any) (receiverRow, error) {
	found, err := rows(q, where, args...)
	if err == nil && len(found) == 0 {
		err = none
	}
	if err != nil {
		return receiverRow{}, err
	}
	return found[0], nil
}

// queued is a row of transmit_queue.
type queued struct {
	Seq       int64
	JTI       string `gorm:"column:jti"`
	Person    id.Person
	Event     string
	Claims    string
	CreatedAt db.Instant
	Refusals  int64
}

// enqueue puts an event into the queue of a receiver, whose row is locked.
func (t *Transmitter) enqueue(tx *db.Tx, r *receiverRow, person id.Person, kind string, subject, event map[string]any) error {
	row, err := t.event(r, person, kind, subject, event)
	if err != nil {
		return err
	}
	return t.write(tx, *r, [][]any{row})
}

// event makes the row of an event. Its instant is never before that of an earlier one.
func (t *Transmitter) event(r *receiverRow, person id.Person, kind string, subject, event map[string]any) ([]any, error) {
	now := t.clock()
	r.Seq, r.IssuedAt = r.Seq+1, max(r.IssuedAt, now.Unix())
	jti := rand.Text()
	claims, err := json.Marshal(map[string]any{"iss": t.PublicURL, "jti": jti, "iat": r.IssuedAt, "aud": r.Audience, "sub_id": subject, "events": map[string]any{kind: event}})
	return []any{r.Stream, r.Seq, jti, string(person), kind, string(claims), db.At(now), 0}, err
}

// write puts rows of events into the queue of a receiver, whose row is locked.
func (t *Transmitter) write(tx *db.Tx, r receiverRow, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	if err := tx.Insert("transmit_queue", []string{"stream", "seq", "jti", "person", "event", "claims", "created_at", "refusals"}, rows); err != nil {
		return fmt.Errorf("write events for %s: %w", r.Name, err)
	}
	if err := tx.Exec("update transmit_receivers set seq = ?, issued_at = ? where name = ?", r.Seq, r.IssuedAt, r.Name).Error; err != nil {
		return err
	}
	tx.AfterCommit(t.Wake)
	return nil
}

// body answers what an event about somebody says besides whom. Why somebody has no access is nobody's business outside.
func body(kind string, at time.Time) map[string]any {
	switch kind {
	case SessionRevoked: // CAEP 1.0 section 3.1; the interoperability profile wants a reason
		return map[string]any{"event_timestamp": at.Unix(), "initiating_entity": "policy", "reason_admin": map[string]string{"en": "access ended"}}
	case AccountDisabled, AccountEnabled, AccountPurged:
		return map[string]any{"event_timestamp": at.Unix()}
	}
	return map[string]any{}
}

// The forms in which people are named (RFC 9493).
const (
	ByEmail      = "email"
	ByIssSub     = "iss_sub"     // as whom they signed in here
	ByID         = "opaque"      // the id they have here
	ByExternalID = "external_id" // as opaque: what a source calls them
)

// subject answers how a receiver knows somebody; nil: not at all.
func (t *Transmitter) subject(ctx context.Context, reader directory.Reader, r receiverRow, p directory.Person) (map[string]any, error) {
	switch r.Subject {
	case ByEmail:
		if p.Email != "" {
			return map[string]any{"format": "email", "email": p.Email}, nil
		}
	case ByIssSub:
		issuer := r.Issuer
		if issuer == "" {
			issuer = t.Issuer
		}
		sub, err := t.SubjectAt(ctx, issuer, p.ID)
		if err != nil || sub == "" {
			return nil, err
		}
		return map[string]any{"format": "iss_sub", "iss": issuer, "sub": sub}, nil
	case ByExternalID:
		records, err := reader.Records(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		slices.SortStableFunc(records, func(a, b directory.Record) int { return b.DeletedAt.Compare(a.DeletedAt) })
		slices.SortStableFunc(records, func(a, b directory.Record) int { return live(b) - live(a) })
		for _, record := range records {
			if string(record.Source) == r.Source && record.ExternalID != "" {
				return map[string]any{"format": "opaque", "id": record.ExternalID}, nil
			}
		}
	case ByID:
		return map[string]any{"format": "opaque", "id": string(p.ID)}, nil
	}
	return nil, nil
}

func live(r directory.Record) int {
	if r.DeletedAt.IsZero() {
		return 1
	}
	return 0
}

// waiting answers events that wait for a stream, in order: at most limit, of each person the first only, so that none overtakes an earlier one.
// A stream that is not enabled is told that, and nothing else.
func (t *Transmitter) waiting(ctx context.Context, r receiverRow, limit int) (out []queued, more bool, err error) {
	only := ""
	if r.Status != statusEnabled {
		only = " and event = '" + streamUpdated + "'"
	}
	var found []queued
	if err := t.DB.Read(ctx).Raw("select seq, jti, person, event, claims, created_at, refusals from transmit_queue where stream = ?"+only+" order by seq limit ?", r.Stream, limit+1).Scan(&found).Error; err != nil {
		return nil, false, fmt.Errorf("read events for %s: %w", r.Name, err)
	}
	seen := map[id.Person]bool{}
	for _, q := range found {
		if len(out) == limit || q.Person != "" && seen[q.Person] {
			more = true
			continue
		}
		seen[q.Person] = true
		out = append(out, q)
	}
	return out, more, nil
}
