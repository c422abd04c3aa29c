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
		CreatedAt: r.CreatedAt.Time, SyncedAt: r.SyncedAt.Time, Mode: r.Mode, version: r.ConfigVersion}
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

type recordRow struct {
	Link            id.Link
	SourceID        id.Source
	RecordKey       string
	PersonID        *id.Person // nil: staged, see Mode
	ExternalID      string
	ExternalKey     *string
	UserName        string
	UserNameFold    string
	UserNameKey     *string
	Active          bool
	DisplayName     string
	DisplayNameFold string
	GivenName       string
	FamilyName      string
	Title           string
	Department      string
	Division        string
	Organization    string
	Company         string
	EmployeeNumber  string
	EmployeeType    string
	CostCenter      string
	Locale          string
	TimeZone        string
	Emails          db.JSON[[]Email]
	Phones          db.JSON[[]Phone]
	Labels          db.JSON[map[string]string]
	UnitKey         string
	ManagerKey      string
	StartAt         db.Instant
	EndAt           db.Instant
	LeaveFrom       db.Instant
	LeaveUntil      db.Instant
	Raw             string
	Hash            string
	Version         int64
	CreatedAt       db.Instant
	UpdatedAt       db.Instant
	AbsentSince     db.Instant
	DeletedAt       db.Instant
	SetAsideUntil   db.Instant
	SaidAt          db.Instant
	MainEmail       string
	Planned         db.JSON[[]Planned]
}

func (recordRow) TableName() string { return "records" }

// recordColumns are those of a record without its raw form; recordContent those that a new content may change.
const recordColumns = "link, source_id, record_key, person_id, external_id, external_key, user_name, user_name_fold, user_name_key, active, " +
	"display_name, display_name_fold, given_name, family_name, title, department, division, organization, company, employee_number, " +
	"employee_type, cost_center, locale, time_zone, emails, phones, labels, unit_key, manager_key, start_at, end_at, leave_from, leave_until, " +
	"hash, version, created_at, updated_at, absent_since, deleted_at, set_aside_until, said_at, main_email, planned"

// values are those of recordColumns, and the raw form.
func (r recordRow) values() []any {
	return []any{string(r.Link), string(r.SourceID), r.RecordKey, r.PersonID, r.ExternalID, r.ExternalKey, r.UserName, r.UserNameFold, r.UserNameKey, r.Active,
		r.DisplayName, r.DisplayNameFold, r.GivenName, r.FamilyName, r.Title, r.Department, r.Division, r.Organization, r.Company, r.EmployeeNumber,
		r.EmployeeType, r.CostCenter, r.Locale, r.TimeZone, r.Emails, r.Phones, r.Labels, r.UnitKey, r.ManagerKey, r.StartAt, r.EndAt, r.LeaveFrom, r.LeaveUntil,
		r.Hash, r.Version, r.CreatedAt, r.UpdatedAt, r.AbsentSince, r.DeletedAt, r.SetAsideUntil, r.SaidAt, r.MainEmail, r.Planned, r.Raw}
}

func (r recordRow) record() Record {
	rec := Record{Link: r.Link, Source: r.SourceID, Key: r.RecordKey, Person: valueOf(r.PersonID), ExternalID: r.ExternalID, UserName: r.UserName,
		Active: r.Active, Attributes: Attributes{DisplayName: r.DisplayName, GivenName: r.GivenName, FamilyName: r.FamilyName, Title: r.Title,
			Department: r.Department, Division: r.Division, Organization: r.Organization, Company: r.Company, EmployeeNumber: r.EmployeeNumber,
			EmployeeType: r.EmployeeType, CostCenter: r.CostCenter, Locale: r.Locale, TimeZone: r.TimeZone, Emails: r.Emails.V,
			Phones: r.Phones.V, Labels: r.Labels.V},
		UnitKey: r.UnitKey, ManagerKey: r.ManagerKey, StartAt: r.StartAt.Time, EndAt: r.EndAt.Time, LeaveFrom: r.LeaveFrom.Time,
		LeaveUntil: r.LeaveUntil.Time, Planned: r.Planned.V, Version: r.Version, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
		AbsentSince: r.AbsentSince.Time, DeletedAt: r.DeletedAt.Time, SetAsideUntil: r.SetAsideUntil.Time, SaidAt: r.SaidAt.Time}
	if r.Raw != "" {
		rec.Raw = json.RawMessage(r.Raw)
	}
	return rec
}

// recordRowOf makes the row of rec. pushed records own their externalId: no other live one of the source may have it.
func recordRowOf(rec Record, hash string, pushed bool) recordRow {
	row := recordRow{Link: rec.Link, SourceID: rec.Source, RecordKey: rec.Key, PersonID: keyOf(rec.Person), ExternalID: rec.ExternalID,
		UserName: rec.UserName, UserNameFold: fold(rec.UserName), Active: rec.Active, DisplayName: rec.DisplayName,
		DisplayNameFold: head(fold(rec.DisplayName)), GivenName: rec.GivenName, FamilyName: rec.FamilyName, Title: rec.Title,
		Department: rec.Department, Division: rec.Division, Organization: rec.Organization, Company: rec.Company,
		EmployeeNumber: rec.EmployeeNumber, EmployeeType: rec.EmployeeType, CostCenter: rec.CostCenter, Locale: rec.Locale,
		TimeZone: rec.TimeZone, Emails: db.JSON[[]Email]{V: rec.Emails}, Phones: db.JSON[[]Phone]{V: rec.Phones},
		Labels: db.JSON[map[string]string]{V: rec.Labels}, UnitKey: rec.UnitKey, ManagerKey: rec.ManagerKey, StartAt: db.At(rec.StartAt),
		EndAt: db.At(rec.EndAt), LeaveFrom: db.At(rec.LeaveFrom), LeaveUntil: db.At(rec.LeaveUntil), Raw: string(rec.Raw), Hash: hash,
		Version: rec.Version, CreatedAt: db.At(rec.CreatedAt), UpdatedAt: db.At(rec.UpdatedAt), AbsentSince: db.At(rec.AbsentSince),
		DeletedAt: db.At(rec.DeletedAt), SetAsideUntil: db.At(rec.SetAsideUntil), SaidAt: db.At(rec.SaidAt),
		MainEmail: sortEmail(rec.Emails), Planned: db.JSON[[]Planned]{V: rec.Planned}}
	if rec.DeletedAt.IsZero() {
		row.UserNameKey = keyOf(row.UserNameFold)
		if pushed {
			row.ExternalKey = keyOf(rec.ExternalID)
		}
	}
	return row
}

// sortEmail answers the address by which lists are sorted: the primary one, else the first, even where it is empty.
func sortEmail(emails []Email) string {
	for _, e := range emails {
		if e.Primary {
			return head(fold(e.Value))
		}
	}
	if len(emails) == 0 {
		return ""
	}
	return head(fold(emails[0].Value))
}

// keyOf answers what a unique column or a foreign key holds: nothing where there is no value.
func keyOf[T ~string](value T) *T {
	if value == "" {
		return nil
	}
	return &value
}

// valueOf turns keyOf round.
func valueOf[T ~string](key *T) T {
	if key == nil {
		return ""
	}
	return *key
}

// contactRow is one e-mail or phone of a record, for queries. Kind is ColEmail or ColPhone.
type contactRow struct {
	Link      id.Link
	Kind      Column
	Ord       int
	ValueFold string
	TypeFold  string
	IsPrimary bool
}

func (contactRow) TableName() string { return "record_contacts" }

const contactColumns = "link, kind, ord, value_fold, type_fold, is_primary"

func (r contactRow) values() []any {
	return []any{string(r.Link), string(r.Kind), r.Ord, r.ValueFold, r.TypeFold, r.IsPrimary}
}

func contactRowsOf(rec Record) []contactRow {
	var rows []contactRow
	for i, e := range rec.Emails {
		rows = append(rows, contactRow{Link: rec.Link, Kind: ColEmail, Ord: i, ValueFold: head(fold(e.Value)), TypeFold: fold(e.Type), IsPrimary: e.Primary})
	}
	for i, p := range rec.Phones {
		rows = append(rows, contactRow{Link: rec.Link, Kind: ColPhone, Ord: i, ValueFold: head(fold(p.Value)), TypeFold: fold(p.Type), IsPrimary: p.Primary})
	}
	return rows
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
