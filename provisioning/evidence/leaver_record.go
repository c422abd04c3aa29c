package evidence

import (
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/handover"
)

// Leaver is the record of one leaving of one person.
type Leaver struct {
	Person      Subject             `json:"person"`
	Leaving     Leaving             `json:"leaving"`
	Freezes     []Freeze            `json:"freezes"`
	Sessions    []Ended             `json:"sessions"`
	Tokens      []Ended             `json:"tokens"`
	Memberships []Place             `json:"memberships"`
	Handover    []Step              `json:"handover"`
	Accessed    *Accessed           `json:"accessed,omitempty"` // after an end that was entered late
	Undone      []Act               `json:"undone"`
	Acts        []Act               `json:"acts"` // what the audit log says, in its order; each is cited
	Limits      []string            `json:"limits"`
	Names       Names               `json:"names"` // what the people and groups it names are called
	subjects    map[string]struct{} // whose records of the audit log belong to it
}

// Subject is who left.
type Subject struct {
	ID             id.Person `json:"id"`
	DisplayName    string    `json:"display_name"`
	UserName       string    `json:"user_name,omitempty"`
	EmployeeNumber string    `json:"employee_number,omitempty"`
}

// The instants that a source's own instant is taken from.
const (
	SaidEnd       = "end_date"     // the end of the employment
	SaidEffective = "effective_at" // since when an immediate termination holds
	SaidStart     = "start_date"   // the first day
	SaidCall      = "call"         // none was said: when the call, or the run of the source, arrived
)

// Leaving is how somebody left.
type Leaving struct {
	Cause      directory.FreezeCause `json:"cause"`
	Source     SourceRef             `json:"source,omitzero"` // none: the console
	Actor      string                `json:"actor,omitempty"`
	Request    id.Request            `json:"request,omitempty"`
	SourceAt   time.Time             `json:"source_at"`           // the instant that the source named
	SourceSaid string                `json:"source_said"`         // where that is from
	ArrivedAt  time.Time             `json:"arrived_at"`          // the call, to the millisecond
	RecordedAt time.Time             `json:"recorded_at"`         // its transaction
	FencedAt   time.Time             `json:"fenced_at,omitzero"`  // in force everywhere
	FencedBy   How                   `json:"fenced_by,omitempty"` // how that is known
	DelayUS    int64                 `json:"delay_us"`            // from the later of source_at and arrived_at to fenced_at, in microseconds
	LateUS     int64                 `json:"late_us"`             // by how much the call came after source_at
	OverAt     time.Time             `json:"over_at,omitzero"`    // since when the person had access again
	Veto       bool                  `json:"veto"`
}

// SourceRef names a source.
type SourceRef struct {
	ID   id.Source            `json:"id"`
	Name string               `json:"name"`
	Kind directory.SourceKind `json:"kind"`
}

// Freeze is one reason why the person had no access.
type Freeze struct {
	ID          id.Freeze             `json:"id"`
	Cause       directory.FreezeCause `json:"cause"`
	Source      id.Source             `json:"source,omitempty"`
	Actor       string                `json:"actor,omitempty"`
	Request     id.Request            `json:"request,omitempty"`
	Veto        bool                  `json:"veto"`
	CreatedAt   time.Time             `json:"created_at"`
	From        time.Time             `json:"from,omitzero"`
	Until       time.Time             `json:"until,omitzero"`
	LiftedAt    time.Time             `json:"lifted_at,omitzero"`
	Revision    int64                 `json:"revision"`
	FencedAt    time.Time             `json:"fenced_at,omitzero"`
	FencedBy    How                   `json:"fenced_by,omitempty"`
	ContestedAt time.Time             `json:"contested_at,omitzero"` // since when a source says active although it is a veto
	ContestedBy id.Source             `json:"contested_by,omitempty"`
}

// Ended is a session or a token that ended.
type Ended struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	LastAt    time.Time `json:"last_at,omitzero"` // to the minute
	EndedAt   time.Time `json:"ended_at"`
	Cause     string    `json:"cause"`
}

// Place is a membership that the person had when they left.
type Place struct {
	ID        id.Membership     `json:"id"`
	Group     string            `json:"group"` // its key
	Names     map[string]string `json:"names"`
	Role      string            `json:"role"`
	Since     time.Time         `json:"since"`
	EndedAt   time.Time         `json:"ended_at,omitzero"`
	Cause     string            `json:"cause,omitempty"`
	Suspended bool              `json:"suspended"` // it stands, behind the freeze
	Hold      id.Hold           `json:"hold,omitempty"`
}

// Step is one step of the succession of a thing that the person answered for.
type Step struct {
	ID       id.Handover    `json:"id"`
	Kind     string         `json:"kind"`
	Thing    string         `json:"thing"`
	To       id.Person      `json:"to,omitempty"`
	Why      string         `json:"why,omitempty"`
	State    handover.State `json:"state"`
	OpenedAt time.Time      `json:"opened_at"`
	ClosedAt time.Time      `json:"closed_at,omitzero"`
	ClosedBy string         `json:"closed_by,omitempty"`
}

// Accessed is what was open to a person between an end and the call that told of it.
type Accessed struct {
	Since    time.Time         `json:"since"`
	Channels []AccessedChannel `json:"channels"`
	Uses     []AccessedUse     `json:"uses"` // sessions and tokens
	Acts     []Act             `json:"acts"` // of the person
}

// AccessedChannel is one channel that was open.
type AccessedChannel struct {
	ID       id.Channel        `json:"id"`
	Names    map[string]string `json:"names"`
	Group    string            `json:"group,omitempty"`
	Role     string            `json:"role"`
	Until    time.Time         `json:"until,omitzero"`
	ReadAt   time.Time         `json:"read_at,omitzero"`
	Messages int               `json:"messages"`
	LastAt   time.Time         `json:"last_message_at,omitzero"`
}

// AccessedUse is a session or a token that was used.
type AccessedUse struct {
	ID     string    `json:"id"`
	LastAt time.Time `json:"last_at"`
}

// Act is one record of the audit log.
type Act struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Action  string    `json:"action"`
	Subject string    `json:"subject"`
	Request string    `json:"request,omitempty"`
}

func actOf(r audit.Record) Act {
	return Act{Seq: r.Seq, At: r.At, Actor: r.Actor, Action: r.Action, Subject: r.Subject, Request: r.RequestID}
}
