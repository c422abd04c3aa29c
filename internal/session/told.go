package session

import (
	"context"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// PersonAt answers who signed in as a subject of an issuer; empty: nobody did.
func (d *Door) PersonAt(ctx context.Context, issuer, subject string) (id.Person, error) {
	var person id.Person
	err := d.DB.Read(ctx).Raw("select person from session_identities where issuer = ? and subject = ?", issuer, subject).Scan(&person).Error
	return person, err
}

// SubjectAt answers as whom of an issuer a person signed in here, the latest where there are several; empty: as nobody.
func (d *Door) SubjectAt(ctx context.Context, issuer string, person id.Person) (string, error) {
	var subject string
	err := d.DB.Read(ctx).Raw("select subject from session_identities where issuer = ? and person = ? order by created_at desc, subject limit 1", issuer, person).Scan(&subject).Error
	return subject, err
}

// EndAt ends the sessions that began as sid of an issuer, on every node when it returns, and answers how many.
func (d *Door) EndAt(ctx context.Context, issuer, sid, actor, cause string) (n int, err error) {
	if sid == "" {
		return 0, nil
	}
	err = d.DB.Tx(ctx, func(tx *db.Tx) error {
		gone, err := d.endSessions(tx, cause, "issuer = ? and sid = ?", issuer, sid)
		if err != nil {
			return err
		}
		n = len(gone)
		return d.auditEnd(tx, actor, cause, gone)
	})
	return n, err
}
