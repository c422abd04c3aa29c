package directory

import (
	"encoding/json"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Status is where a person stands in working life; being frozen is apart from it. A person whose account is
// merely disabled keeps the status of their dates and is Frozen.
type Status string

// The statuses.
const (
	StatusPending    Status = "pending"    // the (next) start lies in the future
	StatusActive     Status = "active"     // works here, no end is known
	StatusLeave      Status = "leave"      // on leave now
	StatusNotice     Status = "notice"     // works here, the end is known
	StatusAnonymised Status = "anonymised" // has left, and was erased (ErasePerson)
	StatusTerminated Status = "terminated" // every record is deleted or ended
)

// Person is one human being: what all their records together assert, merged by the priority of the sources.
type Person struct {
	ID             id.Person
	DisplayName    string
	GivenName      string
	FamilyName     string
	UserName       string
	Email          string
	Title          string
	Department     string
	EmployeeNumber string
	EmployeeType   string
	CostCenter     string
	Division       string
	Organization   string
	Company        string
	Locale         string
	TimeZone       string
	Labels         map[string]string // free attributes by mapping
	Unit           id.Unit
	Manager        id.Person
	Status         Status // now
	Frozen         bool   // any freeze is open now
	// Groups holds, sorted, the directory groups the person is in, nested ones too: "<source name>/<display
	// name>", and "<source name>/<external id>" where the source gave one.
	Groups               []string
	Absent               bool // every live record is absent from its source, with proof
	EndsAt               time.Time
	MergedInto           id.Person // a human being said who this is; such a person has no record
	RehiredAt            time.Time // when a source hired anew whom it had dismissed long before; zero: never
	Version              int64
	CreatedAt, UpdatedAt time.Time
}

// FreezeCause says why a freeze exists.
type FreezeCause string

// The causes.
const (
	CauseDisabled FreezeCause = "disabled" // a source said active=false
	CauseDeleted  FreezeCause = "deleted"  // a source deleted the last record, or one that kept the person out
	CausePending  FreezeCause = "pending"  // not started yet
	CauseEnded    FreezeCause = "ended"    // the planned end
	CauseLeave    FreezeCause = "leave"    // on leave
	CauseSecurity FreezeCause = "security" // a human being said so in the console
	CauseVeto     FreezeCause = "veto"     // terminated at once; no source lifts it while it stands
	// CauseQuarantine is that a source made somebody who may be a person who is kept out; the decision of the work item lifts it.
	CauseQuarantine FreezeCause = "quarantine"
)

// Slots of the freezes that no source lifts. Those of sources are "<cause>.<source id>".
const (
	SlotSecurity   = "security"
	SlotEnded      = "ended.console"
	SlotVeto       = "veto" // of Terminate
	SlotQuarantine = "quarantine"

	signalSlot = "signal." // of FreezePerson with a Signal, which it is followed by
	guestsSlot = "guests." // of FreezePerson with Guests, likewise
)

// SlotOf answers the slot of the freezes that follow the signals of a transmitter.
func SlotOf(transmitter string) string { return signalSlot + transmitter }

// What keeps guests out: see FreezePerson.Guests.
const (
	GuestsOfCompany = "company" // their company is suspended
	GuestsAll       = "all"     // everybody from outside is
	GuestItself     = "self"    // this one is
	GuestsTerms     = "terms"   // this one has not accepted what every guest has to
)

// SlotOfGuests answers the slot of the freezes that keep guests out together: see FreezePerson.Guests.
func SlotOfGuests(which string) string { return guestsSlot + which }

// Freeze is one reason why a person has no access, within [From, Until); zero is an open end.
type Freeze struct {
	ID          id.Freeze
	Person      id.Person
	Slot        string // one standing freeze per person and slot
	Cause       FreezeCause
	Source      id.Source // empty for the console's
	From, Until time.Time
	Veto        bool  // no source and no undo lifts it
	Rev         int64 // the authz revision that put it in force
	CreatedAt   time.Time
	LiftedAt    time.Time
	Actor       string     // who set or undid it; empty for what a source says
	Request     id.Request // the call, or the run of a source, by which it came
	Reason      string     // as they gave it; personal
	// ContestedAt is, of a veto, since when a source says active all the same, and ContestedBy which.
	ContestedAt time.Time
	ContestedBy id.Source
}

// OpenAt tells whether the freeze denies at t.
func (f Freeze) OpenAt(t time.Time) bool {
	return f.LiftedAt.IsZero() && (f.From.IsZero() || !t.Before(f.From)) && (f.Until.IsZero() || t.Before(f.Until))
}

// Unit is a node of a source's organisation tree. Key never changes in the source.
type Unit struct {
	ID                   id.Unit
	Source               id.Source
	Key                  string
	ParentKey            string  // as the source says it
	Parent               id.Unit // empty at a root and while the parent is not known yet
	Name                 string
	Names                map[string]string // by language
	CreatedAt, UpdatedAt time.Time
}

// UnitKey names a unit on a path.
type UnitKey struct {
	ID     id.Unit
	Source id.Source
	Key    string
	Name   string
	Names  map[string]string
	Was    []UnitKey // units that this one succeeds, by a succession in force: rules may call it by their keys and names too
}

// SourceKind is how a source speaks.
type SourceKind string

// The kinds.
const (
	KindSCIM    SourceKind = "scim"
	KindLDAP    SourceKind = "ldap"
	KindHRFeed  SourceKind = "hrfeed"
	KindConsole SourceKind = "console"
	// KindGuests is the built-in source of people from outside whom somebody here let in (provisioning/guests): there is one at most, nothing else
	// writes to it, and rules give nothing to who has no other record.
	KindGuests SourceKind = "guests"
)

// Fields that a source may correlate by (Source.Correlate).
const (
	CorrelateEmployeeNumber = "employee_number"
	CorrelateExternalID     = "external_id"
)

// Source is a system that says who works here.
type Source struct {
	ID       id.Source
	Name     string // unique, [a-z0-9-]
	Kind     SourceKind
	Priority int // the lower wins, per attribute
	// Correlate lists the fields by which a new record of this source joins a person that another source knows.
	Correlate []string
	// Authority names what the source is the authority for: groups of attributes (AuthorityGroups), attributes, labels. Before its word about
	// these a source without that authority is not heard; about all else it fills in what nobody of authority says. nil: everything.
	Authority []string
	CreatedAt time.Time
	SyncedAt  time.Time // the last complete synchronisation
	Records   int       // it has, not deleted ones; 0 while it is not live
	Mode      Mode      // empty in CreateSource: ModeLive
	version   int64     // how often it was configured
}

// Scope is what a source token may do.
type Scope string

// The scopes.
const (
	ScopeRead  Scope = "read"  // look at what the source has
	ScopeWrite Scope = "write" // change it too
)

// SourceToken is a bearer token of a source, without its secret.
type SourceToken struct {
	ID         id.Token
	Source     id.Source
	Name       string
	Scope      Scope
	Temporary  bool // of a connection test
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt time.Time // exact to a minute
	RevokedAt  time.Time
}

// Affiliation is one employment or contract. Records of several sources may describe the same one; it is
// active only if every authoritative one of them is.
type Affiliation struct {
	ID         id.Affiliation
	Person     id.Person
	Link       id.Link   // the leading record: first by priority
	Links      []id.Link // all of them
	Unit       id.Unit
	Kind       string // employee, contractor, …: the employee type
	StartAt    time.Time
	EndAt      time.Time
	Active     bool // enabled by its records, whatever the dates
	LeaveFrom  time.Time
	LeaveUntil time.Time
	Department string
}

// Email is one address of a record.
type Email struct {
	Value   string `json:"value"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary,omitempty"`
	Display string `json:"display,omitempty"`
}

// Phone is one number of a record.
type Phone struct {
	Value   string `json:"value"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

// Attributes are what a record says about a person. Empty means not asserted.
type Attributes struct {
	DisplayName    string
	GivenName      string
	FamilyName     string
	Title          string
	Department     string
	Division       string
	Organization   string
	Company        string
	EmployeeNumber string
	EmployeeType   string
	CostCenter     string
	Locale         string
	TimeZone       string
	Emails         []Email
	Phones         []Phone
	Labels         map[string]string
}

// Record is what one source asserts about one person: the unit of writing.
type Record struct {
	Link       id.Link
	Source     id.Source
	Key        string // immutable id in the source: entryUUID; for SCIM it is the link
	ExternalID string // the source's opaque word
	UserName   string
	Claims     string // the userName that its entry shows and another record of the source has: who had it first keeps it, and a human being is asked
	Active     bool
	Attributes
	UnitKey               string // key of the unit in the same source; may be unknown yet
	ManagerKey            string // key of the manager's record in the same source; may be unknown yet
	StartAt, EndAt        time.Time
	LeaveFrom, LeaveUntil time.Time       // on leave within [LeaveFrom, LeaveUntil); both zero = no leave
	Planned               []Planned       // what will hold from an instant on, or does since; sorted by At
	Raw                   json.RawMessage // the whole SCIM resource or LDAP attributes
	Version               int64
	Person                id.Person
	CreatedAt, UpdatedAt  time.Time
	AbsentSince           time.Time
	DeletedAt             time.Time
	SaidAt                time.Time // when the source last said something new about the employment: that it is active, its dates, a leave
	// SetAsideUntil is until when a human being sets aside that the source says Active false, or deleted, of this record.
	SetAsideUntil time.Time
	DiscloseAt    time.Time // from when on what is to come of it may be told; zero: by the rule of disclosure
}

// GroupRecord is a group as a source knows it.
type GroupRecord struct {
	ID                   id.DirectoryGroup
	Source               id.Source
	Key                  string // immutable id in the source; for SCIM it is the id
	ExternalID           string
	DisplayName          string
	Version              int64
	Raw                  json.RawMessage
	CreatedAt, UpdatedAt time.Time
}

// Member is one member of a directory group. Value is the key of a record or of a group of the same source; where
// neither Link nor Group is set nobody of that key is known yet.
type Member struct {
	Value   string
	Link    id.Link
	Group   id.DirectoryGroup
	Person  id.Person
	Display string
}

// GroupRef names a directory group that a record is in.
type GroupRef struct {
	ID          id.DirectoryGroup
	DisplayName string
	Direct      bool
}

// Fact is everything about one person that decides access.
type Fact struct {
	Person       Person
	Records      []Record // without Raw; tombstones too
	Affiliations []Affiliation
	Freezes      []Freeze  // not lifted: open now, still to come, or past
	UnitPath     []UnitKey // from the person's unit up to the root
	// UnitPaths holds one path per active affiliation that has a unit, the leading one first; of those that run, where one does.
	UnitPaths [][]UnitKey
	// Ahead is what will hold from each instant on that is known, in order of time; empty for most people.
	Ahead []Fact
	At    time.Time // of one of Ahead: from when on
	Guest bool      // nobody but the source of guests knows the person
}

// Left tells whether somebody has left, erased or not.
func (s Status) Left() bool { return s == StatusTerminated || s == StatusAnonymised }
