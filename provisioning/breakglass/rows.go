package breakglass

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type passRow struct {
	Ask     id.Ask
	Person  id.Person
	Channel id.Channel
	Until   db.Instant
	Reads   int
	EndedAt db.Instant
	EndedBy string
}

func (passRow) TableName() string { return "break_glass" }

func (r passRow) pass() Pass {
	return Pass{Ask: r.Ask, Person: r.Person, Channel: r.Channel, Until: r.Until.Time, Reads: r.Reads, EndedAt: r.EndedAt.Time, EndedBy: r.EndedBy}
}

type toldRow struct {
	Ask    id.Ask
	Person id.Person
	ReadAt db.Instant
	DueAt  db.Instant
	ToldAt db.Instant
}

func (toldRow) TableName() string { return "break_glass_told" }
