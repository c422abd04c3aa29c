package handover

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type stepRow struct {
	ID         id.Handover
	CaseID     id.Handover
	Kind       string
	Thing      string
	FromPerson id.Person
	ToPerson   id.Person
	Why        string
	State      State
	OpenedAt   db.Instant
	ClosedAt   db.Instant
	ClosedBy   string
}

func (stepRow) TableName() string { return "handovers" }

func (r stepRow) step() Step {
	return Step{ID: r.ID, Case: r.CaseID, Kind: r.Kind, Thing: r.Thing, From: r.FromPerson, To: r.ToPerson, Why: r.Why, State: r.State,
		OpenedAt: r.OpenedAt.Time, ClosedAt: r.ClosedAt.Time, ClosedBy: r.ClosedBy}
}

func rowOf(s Step) *stepRow {
	return &stepRow{ID: s.ID, CaseID: s.Case, Kind: s.Kind, Thing: s.Thing, FromPerson: s.From, ToPerson: s.To, Why: s.Why, State: s.State,
		OpenedAt: db.At(s.OpenedAt), ClosedAt: db.At(s.ClosedAt), ClosedBy: s.ClosedBy}
}
