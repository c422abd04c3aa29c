package directory

import (
	"encoding/json"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// handle runs statements: outside a transaction or inside one.
type handle = *gorm.DB

type sourceRow struct {
	ID           id.Source
	Name         string
	Kind         SourceKind
	Priority     int
	Correlate    db.JSON[[]string]
	Authority    db.JSON[[]string]
	Cursor       string
	LiveRecords  int64
	CreatedAt    db.Instant
	SyncedAt     db.Instant
	Mode         Mode
	StageVersion int64
	// ConfigVersion counts the changes of priority and authority. RefreshFrom is up to whom people were merged anew since the last; nil: all.
	ConfigVersion int64
	RefreshFrom   *id.Person
}

func (sourceRow) TableName() string { return "sources" }

func (r sourceRow) source() Source {
	return Source{ID: r.ID, Name: r.Name, Kind: r.Kind, Priority: r.Priority, Correlate: r.Correlate.V, Authority: r.Authority.V,
		CreatedAt: r.CreatedAt.Time, SyncedAt: r.SyncedAt.Time, Records: int(r.LiveRecords), Mode: r.Mode, version: r.ConfigVersion}
}

type tokenRow struct {
	ID         id.Token
	SourceID   id.Source
	Name       string
	Hash       string
	Scope      Scope
	Temporary  bool
	CreatedAt  db.Instant
	ExpiresAt  db.Instant
	LastUsedAt db.Instant
	RevokedAt  db.Instant
}

func (tokenRow) TableName() string { return "source_tokens" }

func (r tokenRow) token() SourceToken {
	return SourceToken{ID: r.ID, Source: r.SourceID, Name: r.Name, Scope: r.Scope, Temporary: r.Temporary, CreatedAt: r.CreatedAt.Time,
		ExpiresAt: r.ExpiresAt.Time, LastUsedAt: r.LastUsedAt.Time, RevokedAt: r.RevokedAt.Time}
}

// personRow is a person as merged; attributes holds what no query looks at.
type personRow struct {
	ID          id.Person
	DisplayName string
	UserName    string
	Email       string
	UnitID      id.Unit
	ManagerID   id.Person
	Attributes  db.JSON[personAttributes]
	Search      string
	SortKey     string
	Gone        bool
	Absent      bool
	MergedInto  id.Person
	RehiredAt   db.Instant
	ErasedAt    db.Instant
	DueAt       db.Instant // the next known instant at which something changes by itself
	Version     int64
	CreatedAt   db.Instant
	UpdatedAt   db.Instant
}

func (personRow) TableName() string { return "persons" }

type personAttributes struct {
	GivenName      string            `json:"given_name,omitempty"`
	FamilyName     string            `json:"family_name,omitempty"`
	Title          string            `json:"title,omitempty"`
	Department     string            `json:"department,omitempty"`
	EmployeeNumber string            `json:"employee_number,omitempty"`
	EmployeeType   string            `json:"employee_type,omitempty"`
	CostCenter     string            `json:"cost_center,omitempty"`
	Division       string            `json:"division,omitempty"`
	Organization   string            `json:"organization,omitempty"`
	Company        string            `json:"company,omitempty"`
	Locale         string            `json:"locale,omitempty"`
	TimeZone       string            `json:"time_zone,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
}

// person answers the row without what depends on freezes and groups.
func (r personRow) person() Person {
	a := r.Attributes.V
	return Person{ID: r.ID, DisplayName: r.DisplayName, GivenName: a.GivenName, FamilyName: a.FamilyName, UserName: r.UserName, Email: r.Email,
		Title: a.Title, Department: a.Department, EmployeeNumber: a.EmployeeNumber, EmployeeType: a.EmployeeType, CostCenter: a.CostCenter,
		Division: a.Division, Organization: a.Organization, Company: a.Company, Locale: a.Locale, TimeZone: a.TimeZone, Labels: a.Labels,
		Unit: r.UnitID, Manager: r.ManagerID, Absent: r.Absent, MergedInto: r.MergedInto, RehiredAt: r.RehiredAt.Time, Version: r.Version,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time}
}

func personRowOf(p Person, gone bool, due time.Time) personRow {
	return personRow{ID: p.ID, DisplayName: p.DisplayName, UserName: p.UserName, Email: p.Email, UnitID: p.Unit, ManagerID: p.Manager,
		Attributes: db.JSON[personAttributes]{V: personAttributes{GivenName: p.GivenName, FamilyName: p.FamilyName, Title: p.Title, Department: p.Department,
			EmployeeNumber: p.EmployeeNumber, EmployeeType: p.EmployeeType, CostCenter: p.CostCenter, Division: p.Division,
			Organization: p.Organization, Company: p.Company, Locale: p.Locale, TimeZone: p.TimeZone, Labels: p.Labels}},
		Search: searchText(p), SortKey: fold(p.DisplayName), Gone: gone, Absent: p.Absent, MergedInto: p.MergedInto, RehiredAt: db.At(p.RehiredAt), DueAt: db.At(due),
		Version: p.Version, CreatedAt: db.At(p.CreatedAt), UpdatedAt: db.At(p.UpdatedAt)}
}

const personColumns = "id, display_name, user_name, email, unit_id, manager_id, attributes, search, sort_key, gone, absent, merged_into, rehired_at, due_at, " +
	"version, created_at, updated_at"

func (r personRow) values() []any {
	return []any{string(r.ID), r.DisplayName, r.UserName, r.Email, string(r.UnitID), string(r.ManagerID), r.Attributes, r.Search, r.SortKey, r.Gone, r.Absent,
		string(r.MergedInto), r.RehiredAt, r.DueAt, r.Version, r.CreatedAt, r.UpdatedAt}
}

type unitRow struct {
	ID        id.Unit
	SourceID  id.Source
	UnitKey   string
	ParentKey string
	Name      string
	Names     db.JSON[map[string]string]
	CreatedAt db.Instant
	UpdatedAt db.Instant
}

func (unitRow) TableName() string { return "units" }

func (r unitRow) unit() Unit {
	return Unit{ID: r.ID, Source: r.SourceID, Key: r.UnitKey, ParentKey: r.ParentKey, Name: r.Name, Names: r.Names.V,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time}
}

type groupRow struct {
	ID              id.DirectoryGroup
	SourceID        id.Source
	GroupKey        string
	ExternalID      string
	ExternalKey     *string
	DisplayName     string
	DisplayNameFold string
	DisplayNameKey  *string
	Raw             string
	Version         int64
	CreatedAt       db.Instant
	UpdatedAt       db.Instant
}

func (groupRow) TableName() string { return "directory_groups" }

const groupColumns = "id, source_id, group_key, external_id, external_key, display_name, display_name_fold, display_name_key, version, created_at, updated_at"

func (r groupRow) group() GroupRecord {
	g := GroupRecord{ID: r.ID, Source: r.SourceID, Key: r.GroupKey, ExternalID: r.ExternalID, DisplayName: r.DisplayName, Version: r.Version,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time}
	if r.Raw != "" {
		g.Raw = json.RawMessage(r.Raw)
	}
	return g
}

// groupRowOf makes the row of g. pushed groups own their name and externalId in the source.
func groupRowOf(g GroupRecord, pushed bool) groupRow {
	row := groupRow{ID: g.ID, SourceID: g.Source, GroupKey: g.Key, ExternalID: g.ExternalID, DisplayName: g.DisplayName,
		DisplayNameFold: fold(g.DisplayName), Raw: string(g.Raw), Version: g.Version, CreatedAt: db.At(g.CreatedAt), UpdatedAt: db.At(g.UpdatedAt)}
	if pushed {
		row.ExternalKey, row.DisplayNameKey = keyOf(g.ExternalID), keyOf(row.DisplayNameFold)
	}
	return row
}

type freezeRow struct {
	ID          id.Freeze
	PersonID    id.Person
	Slot        string
	Cause       FreezeCause
	SourceID    id.Source
	FromAt      db.Instant
	UntilAt     db.Instant
	Veto        bool
	Rev         int64
	CreatedAt   db.Instant
	LiftedAt    db.Instant
	Actor       string
	Reason      string
	ContestedAt db.Instant
	ContestedBy id.Source
	Request     id.Request
}

func (freezeRow) TableName() string { return "freezes" }

func (r freezeRow) freeze() Freeze {
	return Freeze{ID: r.ID, Person: r.PersonID, Slot: r.Slot, Cause: r.Cause, Source: r.SourceID, From: r.FromAt.Time, Until: r.UntilAt.Time,
		Veto: r.Veto, Rev: r.Rev, CreatedAt: r.CreatedAt.Time, LiftedAt: r.LiftedAt.Time, Actor: r.Actor, Reason: r.Reason, Request: r.Request,
		ContestedAt: r.ContestedAt.Time, ContestedBy: r.ContestedBy}
}

func freezeRowOf(f Freeze) freezeRow {
	return freezeRow{ID: f.ID, PersonID: f.Person, Slot: f.Slot, Cause: f.Cause, SourceID: f.Source, FromAt: db.At(f.From), UntilAt: db.At(f.Until),
		Veto: f.Veto, Rev: f.Rev, CreatedAt: db.At(f.CreatedAt), LiftedAt: db.At(f.LiftedAt), Actor: f.Actor, Reason: f.Reason,
		ContestedAt: db.At(f.ContestedAt), ContestedBy: f.ContestedBy, Request: f.Request}
}

type workItemRow struct {
	ID        id.WorkItem
	Kind      WorkItemKind
	Newer     id.Person
	Older     id.Person
	SourceID  id.Source
	Link      id.Link
	Hint      Hint
	Hints     db.JSON[[]Hint]
	State     WorkItemState
	Kept      id.Person
	Moved     db.JSON[[]id.Link]
	CreatedAt db.Instant
	ClosedAt  db.Instant
	ClosedBy  string
}

func (workItemRow) TableName() string { return "work_items" }

func (r workItemRow) item() WorkItem {
	return WorkItem{ID: r.ID, Kind: r.Kind, Newer: r.Newer, Older: r.Older, Source: r.SourceID, Link: r.Link, Hint: r.Hint, Hints: r.Hints.V,
		State: r.State, Kept: r.Kept, Moved: r.Moved.V, CreatedAt: r.CreatedAt.Time, ClosedAt: r.ClosedAt.Time, ClosedBy: r.ClosedBy}
}
