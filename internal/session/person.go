package session

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Session is a browser session as it can be listed.
type Session struct {
	ID         id.Session
	Person     id.Person
	UserAgent  string
	CreatedAt  time.Time
	LastSeenAt time.Time // coarse
	ExpiresAt  time.Time
}

// Sessions lists the live sessions of person, newest first.
func (d *Door) Sessions(ctx context.Context, person id.Person) ([]Session, error) {
	now := d.Now()
	var rows []sessionRow
	err := d.DB.Read(ctx).Raw(`select s.* from sessions s left join session_epochs e on e.person = s.person
		where s.person = ? and s.ended_at is null and s.expires_at > ? and s.last_seen_at > ? and s.epoch = coalesce(e.epoch, 0)
		order by s.created_at desc, s.id desc limit 200`, person, db.At(now), db.At(now.Add(-d.Idle))).Scan(&rows).Error
	out := make([]Session, len(rows))
	for i, r := range rows {
		out[i] = Session{ID: r.ID, Person: r.Person, UserAgent: r.UserAgent, CreatedAt: r.CreatedAt.Time, LastSeenAt: r.LastSeenAt.Time, ExpiresAt: r.ExpiresAt.Time}
	}
	return out, err
}

// EndSession ends one session of person. ErrNotFound where there is no such live session.
func (d *Door) EndSession(ctx context.Context, by httpapi.Caller, person id.Person, session id.Session) error {
	return d.DB.Tx(ctx, func(tx *db.Tx) error {
		ended, err := d.endSessions(tx, "ended", "id = ? and person = ?", session, person)
		if err != nil {
			return err
		}
		if len(ended) == 0 {
			return ErrNotFound
		}
		return d.auditEnd(tx, by.Actor(), "ended", ended)
	})
}

// Identity is a subject of an identity provider that is a person here.
type Identity struct {
	Issuer    string
	Subject   string
	CreatedAt time.Time
}

// Identities lists the subjects of person.
func (d *Door) Identities(ctx context.Context, person id.Person) ([]Identity, error) {
	var rows []struct {
		Issuer, Subject string
		CreatedAt       db.Instant
	}
	err := d.DB.Read(ctx).Raw("select issuer, subject, created_at from session_identities where person = ?", person).Scan(&rows).Error
	out := make([]Identity, len(rows))
	for i, r := range rows {
		out[i] = Identity{Issuer: r.Issuer, Subject: r.Subject, CreatedAt: r.CreatedAt.Time}
	}
	return out, err
}

// Unlink forgets which subject person is and ends what person has: the next sign-in resolves anew. It is how an
// administrator lets a person whose account was made again at the identity provider come back.
func (d *Door) Unlink(ctx context.Context, by httpapi.Caller, person id.Person) error {
	return d.DB.Tx(ctx, func(tx *db.Tx) error {
		done := tx.Exec("delete from session_identities where person = ?", person)
		if done.Error != nil {
			return done.Error
		}
		if done.RowsAffected == 0 {
			return ErrNoIdentity
		}
		if err := d.EndPersonTx(tx, by.Actor(), "identity unlinked", person); err != nil {
			return err
		}
		return audit.Append(tx, audit.Record{At: d.Now(), Actor: by.Actor(), Action: "identity.unlinked", Subject: string(person), RequestID: string(httpapi.RequestFrom(ctx))})
	})
}

// ForgetTx forgets, in tx, who these people are at the identity provider: the next sign-in of such a subject resolves anew. Sessions and tokens stand.
func (d *Door) ForgetTx(tx *db.Tx, people ...id.Person) error {
	return tx.Exec("delete from session_identities where person in ?", people).Error
}
