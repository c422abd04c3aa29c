package erasure

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type holdRow struct {
	ID       id.LegalHold
	Person   id.Person
	Reason   string
	MadeBy   string
	Since    db.Instant
	LiftBy   id.Person
	LiftedBy string
	LiftedAt db.Instant
}

func (r holdRow) hold() Hold {
	return Hold{ID: r.ID, Person: r.Person, Reason: r.Reason, MadeBy: r.MadeBy, Since: r.Since.Time, LiftBy: r.LiftBy}
}

type erasureRow struct {
	ID          id.Erasure
	Person      id.Person
	AskedBy     id.Person
	AskedAt     db.Instant
	LapsesAt    db.Instant
	ConfirmedBy id.Person
	DoneAt      db.Instant
	Erased      db.JSON[map[string]int64]
}

func (r erasureRow) request() Request {
	return Request{ID: r.ID, Person: r.Person, AskedBy: r.AskedBy, AskedAt: r.AskedAt.Time, LapsesAt: r.LapsesAt.Time, ConfirmedBy: r.ConfirmedBy,
		DoneAt: r.DoneAt.Time, Erased: r.Erased.V}
}
