package evidence

import (
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// The kinds of rows of a report.
const (
	Joiner   = "joiner"
	Mover    = "mover"
	LeaverOf = "leaver"
	Returned = "returned" // who had left has access again
)

// The exceptions of a row.
const (
	Held        = "held"        // the guard held what would have followed
	Vetoed      = "vetoed"      // no source lifts it
	Contested   = "contested"   // a source says active although
	Overdue     = "overdue"     // it was in force later after the source's word than is tolerated
	EnteredLate = "late"        // the source's instant lay before the call
	Undone      = "undone"      // it was taken back since
	Unnoted     = "unnoted"     // when it was in force was not noted
	Quarantined = "quarantined" // a joiner who may be somebody who is kept out
)

// Row is one joiner, mover or leaver.
type Row struct {
	Kind       string     `json:"kind"`
	Seq        int64      `json:"seq"` // of the record of the audit log that it begins with
	Person     id.Person  `json:"person"`
	Name       string     `json:"name"`
	Number     string     `json:"employee_number"`
	Source     string     `json:"source"` // its name; empty: the console, or the clock
	Request    id.Request `json:"request,omitempty"`
	What       []string   `json:"what,omitempty"` // of a mover: what changed; of a leaver: the cause
	SourceAt   time.Time  `json:"source_at"`
	SourceSaid string     `json:"source_said"`
	ArrivedAt  time.Time  `json:"arrived_at"`
	InForceAt  time.Time  `json:"in_force_at,omitzero"`
	DelayUS    int64      `json:"delay_us"` // from the later of source_at and arrived_at to in_force_at
	LateUS     int64      `json:"late_us"`
	Gained     int        `json:"gained"` // memberships
	Lost       int        `json:"lost"`
	Exceptions []string   `json:"exceptions"`

	recorded time.Time
	source   id.Source
	freeze   id.Freeze
	pending  bool // who had not come yet
}

func (r *Row) except(what string) {
	if !slices.Contains(r.Exceptions, what) {
		r.Exceptions = append(r.Exceptions, what)
	}
}

// Query says of what a report is wanted.
type Query struct {
	From, Until time.Time
	Kinds       []string // nil: all
	Only        bool     // only rows with an exception
	Overdue     time.Duration
	Scope       roles.Scope
}

// Tally counts what a report holds.
type Tally struct {
	Rows       int            `json:"rows"`
	Kinds      map[string]int `json:"kinds"`
	Exceptions map[string]int `json:"exceptions"`
	WorstUS    int64          `json:"worst_delay_us"`
}

// complete works out what follows from what is known of a row.
func (r *Row) complete(f directory.Freeze, fence fenceRow, tolerated time.Duration) {
	if r.SourceAt.IsZero() {
		r.SourceAt, r.SourceSaid = r.ArrivedAt, SaidCall
	}
	if r.InForceAt.IsZero() && r.Kind != LeaverOf {
		r.InForceAt = r.recorded
	}
	if r.Kind == LeaverOf {
		r.InForceAt = later(r.InForceAt, fence.At.Time)
		if r.InForceAt.IsZero() {
			r.except(Unnoted)
		}
		if !f.ContestedAt.IsZero() {
			r.except(Contested)
		}
		if !f.LiftedAt.IsZero() {
			r.except(Undone)
		}
	}
	if r.LateUS = max(r.ArrivedAt.Sub(r.SourceAt).Microseconds(), 0); r.SourceSaid != SaidCall && r.LateUS > 0 {
		r.except(EnteredLate)
	}
	if !r.InForceAt.IsZero() {
		r.DelayUS = max(r.InForceAt.Sub(later(r.SourceAt, r.ArrivedAt)).Microseconds(), 0)
	}
	if r.DelayUS > tolerated.Microseconds() {
		r.except(Overdue)
	}
	slices.Sort(r.Exceptions)
}
