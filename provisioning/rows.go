package provisioning

import (
	"context"
	"embed"
	"strings"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of provisioning up to date.
func Migrate(ctx context.Context, d *db.DB) error {
	return d.Migrate(ctx, "provisioning", migrations)
}

// reader is anything that can be queried: a transaction or the read pool.
type reader = *gorm.DB

type versionRow struct {
	Version   int64
	Hash      string
	Files     db.JSON[[]File]
	Author    string
	Plan      id.Plan
	AppliedAt db.Instant
}

func (versionRow) TableName() string { return "policy_versions" }

type stateRow struct {
	ID               int
	Version, Settled int64
}

func (stateRow) TableName() string { return "policy_state" }

type planRow struct {
	ID        id.Plan
	Hash      string
	Basis     db.JSON[Basis]
	Body      db.JSON[planBody]
	Files     db.JSON[[]File]
	Author    string
	Behind    id.Person
	State     string
	CreatedAt db.Instant
	AppliedAt db.Instant
}

func (planRow) TableName() string { return "plans" }

type planPartRow struct {
	Plan id.Plan
	N    int
	Body string
}

func (planPartRow) TableName() string { return "plan_changes" }

type planApprovalRow struct {
	Plan     id.Plan
	Approver id.Person
	At       db.Instant
}

func (planApprovalRow) TableName() string { return "plan_approvals" }

type groupRow struct {
	ID         id.Group
	Key        string
	Names      db.JSON[map[string]string]
	CreatedAt  db.Instant
	ArchivedAt db.Instant
}

func (groupRow) TableName() string { return "project_groups" }

type channelRow struct {
	ID         id.Channel
	Kind       string
	GroupID    *id.Group
	Key        string
	Names      db.JSON[map[string]string]
	Labels     db.JSON[[]string]
	Access     db.JSON[map[policies.Role]policies.Access]
	History    string
	CreatedAt  db.Instant
	ArchivedAt db.Instant
}

func (channelRow) TableName() string { return "channels" }

type channelPersonRow struct {
	Channel  id.Channel
	Person   id.Person
	JoinedAt db.Instant
}

func (channelPersonRow) TableName() string { return "channel_people" }

type membershipRow struct {
	ID       id.Membership
	Person   id.Person
	GroupID  id.Group
	Role     policies.Role
	Since    db.Instant
	EndedAt  db.Instant
	EndCause string
	EndedBy  id.Request
	BeginsAt db.Instant
}

func (membershipRow) TableName() string { return "memberships" }

type reasonRow struct {
	ID            id.Reason
	Membership    id.Membership
	Kind          Kind
	Ref           string
	Role          policies.Role
	PolicyVersion int64
	StartsAt      db.Instant
	Until         db.Instant
	CreatedAt     db.Instant
	EndedAt       db.Instant
	EndedBy       id.Request
	Placed        string // of a keep: a digest of where the person worked when it was given
}

func (reasonRow) TableName() string { return "reasons" }

// refGuest begins the ref of a guest's reason in a row, whose kind says handover there: a node of a version that knows no guests takes it for a handover period of no channel that there is, and
// gives nothing by it.
const refGuest = "guest/"

// stored answers the kind and the ref of a reason as a row has them.
func (r Reason) stored() (Kind, string) {
	if r.Kind == KindGuest {
		return KindHandover, refGuest + r.Ref
	}
	return r.Kind, r.Ref
}

func (r reasonRow) reason() Reason {
	if key, guest := strings.CutPrefix(r.Ref, refGuest); guest && r.Kind == KindHandover {
		r.Kind, r.Ref = KindGuest, key
	}
	return Reason{ID: r.ID, Kind: r.Kind, Ref: r.Ref, Role: r.Role, Version: r.PolicyVersion, From: r.StartsAt.Time, Until: r.Until.Time, CreatedAt: r.CreatedAt.Time, placed: r.Placed}
}

type holdRow struct {
	ID        id.Hold
	Cause     Cause
	Source    id.Source
	GroupID   id.Group
	Scope     string // Breach.scope
	Breach    db.JSON[Breach]
	State     string
	CreatedAt db.Instant
	ClosedAt  db.Instant
	ClosedBy  string
}

func (holdRow) TableName() string { return "holds" }

type heldRow struct {
	Hold       id.Hold
	Membership id.Membership
	Person     id.Person
	GroupID    id.Group
	Cause      Cause
	CreatedAt  db.Instant
	EndedAt    db.Instant
	AskedBy    id.Request
	ReleasedBy string
	NowCause   Cause // what asks for the removal now, where it is not what it was held for; see HeldRemoval.Now
	NowSource  id.Source
	NowAt      db.Instant
}

func (heldRow) TableName() string { return "held_removals" }

type heldFreezeRow struct {
	FreezeID id.Freeze
	Hold     id.Hold
	Person   id.Person
	Cause    directory.FreezeCause
	At       db.Instant
	EndedAt  db.Instant
	Outcome  string
}

func (heldFreezeRow) TableName() string { return "hold_freezes" }

type removalRow struct {
	Membership id.Membership
	Person     id.Person
	GroupID    id.Group
	Cause      Cause
	Source     id.Source
	At         db.Instant
}

func (removalRow) TableName() string { return "removals" }

type guardRow struct{ ID int }

func (guardRow) TableName() string { return "guard_state" }

type fenceRow struct {
	Person   id.Person
	Slot     string
	FreezeID id.Freeze
	At       db.Instant
}

func (fenceRow) TableName() string { return "fences" }

type failureRow struct {
	Person   id.Person
	Error    string
	Since    db.Instant
	Attempts int
	Rules    string // that could not be judged, with commas; empty where the person could not be reconciled at all
}

func (failureRow) TableName() string { return "failures" }

type foreseenRow struct {
	Source  id.Source
	Run     id.Request
	Verdict db.JSON[Verdict]
	At      db.Instant
}

func (foreseenRow) TableName() string { return "foreseen" }

type planReasonRow struct {
	Plan    id.Plan
	Reason  string
	Version int64 // that it goes back to; 0: none
}

func (planReasonRow) TableName() string { return "plan_reasons" }

// tables lists one row of every table, for the test that holds them against the migrations.
func tables() []any {
	return []any{versionRow{}, stateRow{}, planRow{}, planPartRow{}, planApprovalRow{}, scheduleRow{}, groupRow{}, channelRow{}, channelPersonRow{}, membershipRow{}, reasonRow{},
		holdRow{}, heldRow{}, heldFreezeRow{}, removalRow{}, guardRow{}, fenceRow{}, failureRow{}, goLiveRow{}, foreseenRow{}, planReasonRow{}, takenRow{}}
}
