package hrfeed

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type fileRow struct {
	ID       id.Run
	SourceID id.Source
	Sha256   string
	Name     string
	Kind     Kind
	Origin   string
	At       db.Instant
	Micros   int64
	Applied  bool
	Error    string
	Counts   db.JSON[Counts]
	Findings db.JSON[[]Finding]
}

func (fileRow) TableName() string { return "hr_files" }

func (r fileRow) taken() Taken {
	return Taken{Run: r.ID, Name: r.Name, SHA256: r.Sha256, Kind: r.Kind, Origin: r.Origin, At: r.At.Time, Seconds: float64(r.Micros) / 1e6, Applied: r.Applied, Error: r.Error,
		Counts: r.Counts.V, Findings: r.Findings.V}
}
