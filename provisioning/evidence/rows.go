package evidence

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type fenceRow struct {
	FreezeID id.Freeze
	Rev      int64
	Person   id.Person
	At       db.Instant
	How      How
}

func (fenceRow) TableName() string { return "evidence_fences" }

type keyRow struct {
	ID        id.EvidenceKey
	Public    string
	Sealed    string
	MadeBy    string
	CreatedAt db.Instant
	RetiredAt db.Instant
}

func (keyRow) TableName() string { return "evidence_keys" }
