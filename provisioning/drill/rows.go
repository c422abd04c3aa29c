package drill

import (
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type drillRow struct {
	ID        id.Drill
	Actor     string
	StartedAt db.Instant
	EndedAt   db.Instant
	Running   int
	Channel   id.Channel
	Leaver    id.Person
	Witness   id.Person
	Verdict   string
	Took      int64 // microseconds
	Result    db.JSON[findings]
}

func (drillRow) TableName() string { return "drills" }

// findings are what a drill saw, as they are stored.
type findings struct {
	Before int       `json:"before"`
	After  int       `json:"after"`
	Nodes  []Finding `json:"nodes"`
	Fault  string    `json:"fault,omitempty"`
}

func (r drillRow) drill() Drill {
	f := r.Result.V
	return Drill{ID: r.ID, Actor: r.Actor, StartedAt: r.StartedAt.Time, EndedAt: r.EndedAt.Time, Verdict: Verdict(r.Verdict), Took: time.Duration(r.Took) * time.Microsecond,
		Before: f.Before, After: f.After, Nodes: f.Nodes, Fault: f.Fault}
}

func (r drillRow) cast() Cast { return Cast{Channel: r.Channel, Leaver: r.Leaver, Witness: r.Witness} }
