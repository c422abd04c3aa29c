package approvals

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

type requestRow struct {
	ID        id.Ask
	Kind      policies.ApprovalKind
	Requester id.Person
	Subject   id.Person
	Object    string
	Role      policies.Role
	Days      int
	Reason    string
	State     State
	AskedAt   db.Instant
	LapsesAt  db.Instant
	DecidedAt db.Instant
	Until     db.Instant

	AskedUntil db.Instant
	Minutes    int
}

func (requestRow) TableName() string { return "approval_requests" }

func (r requestRow) request() Request {
	return Request{ID: r.ID, Kind: r.Kind, Requester: r.Requester, Subject: r.Subject, Object: r.Object, Role: r.Role, Days: r.Days, Minutes: r.Minutes, Reason: r.Reason, State: r.State,
		AskedAt: r.AskedAt.Time, LapsesAt: r.LapsesAt.Time, DecidedAt: r.DecidedAt.Time, Until: r.Until.Time, AskedFor: r.AskedUntil.Time}
}

type decisionRow struct {
	Request  id.Ask
	Approver id.Person
	Agrees   bool
	Comment  string
	At       db.Instant
}

func (decisionRow) TableName() string { return "approval_decisions" }

type toldRow struct {
	Request id.Ask
	Person  id.Person
}

func (toldRow) TableName() string { return "approval_told" }
