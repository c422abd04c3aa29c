package directory

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type successionRow struct {
	ID          id.Succession
	SourceID    id.Source
	Kind        SuccessionKind
	OldKey      string
	OldUnit     id.Unit
	OldName     string
	OldNames    db.JSON[map[string]string]
	NewKey      string
	EffectiveAt db.Instant
	CreatedAt   db.Instant
	SettledAt   db.Instant
	Actor       string
}

func (successionRow) TableName() string { return "unit_successions" }

func (r successionRow) succession() Succession {
	return Succession{ID: r.ID, Source: r.SourceID, Kind: r.Kind, Old: r.OldKey, New: r.NewKey, OldUnit: r.OldUnit, OldName: r.OldName, OldNames: r.OldNames.V,
		At: r.EffectiveAt.Time, CreatedAt: r.CreatedAt.Time, SettledAt: r.SettledAt.Time, Actor: r.Actor}
}
