package directory

import (
	"encoding/json"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type runRow struct {
	ID        id.Run
	SourceID  id.Source
	Kind      string
	StartedAt db.Instant
	EndedAt   db.Instant
	OK        bool `gorm:"column:ok"`
	Error     string
	Counts    db.JSON[map[string]int]
	Findings  string
	Proof     string
}

func (runRow) TableName() string { return "source_runs" }

func (r runRow) run() Run {
	out := Run{ID: r.ID, Source: r.SourceID, Kind: r.Kind, StartedAt: r.StartedAt.Time, EndedAt: r.EndedAt.Time, OK: r.OK, Error: r.Error, Counts: r.Counts.V, Proof: r.Proof}
	if r.Findings != "" {
		out.Findings = json.RawMessage(r.Findings)
	}
	return out
}

func runRowOf(r Run) runRow {
	return runRow{ID: r.ID, SourceID: r.Source, Kind: r.Kind, StartedAt: db.At(r.StartedAt), EndedAt: db.At(r.EndedAt), OK: r.OK, Error: r.Error,
		Counts: db.JSON[map[string]int]{V: r.Counts}, Findings: string(r.Findings), Proof: r.Proof}
}

type settingRow struct {
	SourceID  id.Source
	Name      string
	Version   int
	Value     string
	CreatedAt db.Instant
	Actor     string
}

func (settingRow) TableName() string { return "source_settings" }
