package directory

import (
	"encoding/json"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

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
	DiscloseAt      db.Instant
	MainEmail       string
	Planned         db.JSON[[]Planned]
	Claims          string
	Pushed          bool // its source asks for what it pushed, by what it says and in any order
}

func (recordRow) TableName() string { return "records" }

// recordColumns are those of a record without its raw form; recordContent those that a new content may change.
const recordColumns = "link, source_id, record_key, person_id, external_id, external_key, user_name, user_name_fold, user_name_key, active, " +
	"display_name, display_name_fold, given_name, family_name, title, department, division, organization, company, employee_number, " +
	"employee_type, cost_center, locale, time_zone, emails, phones, labels, unit_key, manager_key, start_at, end_at, leave_from, leave_until, " +
	"hash, version, created_at, updated_at, absent_since, deleted_at, set_aside_until, said_at, disclose_at, main_email, planned, claims, pushed"

// values are those of recordColumns, and the raw form.
func (r recordRow) values() []any {
	return []any{string(r.Link), string(r.SourceID), r.RecordKey, r.PersonID, r.ExternalID, r.ExternalKey, r.UserName, r.UserNameFold, r.UserNameKey, r.Active,
		r.DisplayName, r.DisplayNameFold, r.GivenName, r.FamilyName, r.Title, r.Department, r.Division, r.Organization, r.Company, r.EmployeeNumber,
		r.EmployeeType, r.CostCenter, r.Locale, r.TimeZone, r.Emails, r.Phones, r.Labels, r.UnitKey, r.ManagerKey, r.StartAt, r.EndAt, r.LeaveFrom, r.LeaveUntil,
		r.Hash, r.Version, r.CreatedAt, r.UpdatedAt, r.AbsentSince, r.DeletedAt, r.SetAsideUntil, r.SaidAt, r.DiscloseAt, r.MainEmail, r.Planned, r.Claims, r.Pushed, r.Raw}
}

func (r recordRow) record() Record {
	rec := Record{Link: r.Link, Source: r.SourceID, Key: r.RecordKey, Person: valueOf(r.PersonID), ExternalID: r.ExternalID, UserName: r.UserName, Claims: r.Claims,
		Active: r.Active, Attributes: Attributes{DisplayName: r.DisplayName, GivenName: r.GivenName, FamilyName: r.FamilyName, Title: r.Title,
			Department: r.Department, Division: r.Division, Organization: r.Organization, Company: r.Company, EmployeeNumber: r.EmployeeNumber,
			EmployeeType: r.EmployeeType, CostCenter: r.CostCenter, Locale: r.Locale, TimeZone: r.TimeZone, Emails: r.Emails.V,
			Phones: r.Phones.V, Labels: r.Labels.V},
		UnitKey: r.UnitKey, ManagerKey: r.ManagerKey, StartAt: r.StartAt.Time, EndAt: r.EndAt.Time, LeaveFrom: r.LeaveFrom.Time,
		LeaveUntil: r.LeaveUntil.Time, Planned: r.Planned.V, Version: r.Version, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
		AbsentSince: r.AbsentSince.Time, DeletedAt: r.DeletedAt.Time, SetAsideUntil: r.SetAsideUntil.Time, SaidAt: r.SaidAt.Time, DiscloseAt: r.DiscloseAt.Time}
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
		DeletedAt: db.At(rec.DeletedAt), SetAsideUntil: db.At(rec.SetAsideUntil), SaidAt: db.At(rec.SaidAt), DiscloseAt: db.At(rec.DiscloseAt),
		MainEmail: sortEmail(rec.Emails), Planned: db.JSON[[]Planned]{V: rec.Planned}, Claims: rec.Claims, Pushed: pushed}
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
