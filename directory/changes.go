package directory

import (
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Cause says who makes a change, on whose behalf and why.
type Cause struct {
	Source  id.Source
	Actor   string    // id of a person or token; empty: the token, the source, else "system"
	Behind  id.Person // the human being who acts, where that is known
	Token   id.Token
	Request id.Request
	Reason  string   // personal: it stands in the erasable half of the audit record
	Ignored []string // names of attributes the source sent and nobody understood
	DryRun  bool     // compute, answer, write nothing
}

// Change is one thing to write. Only this package defines changes.
type Change interface{ change() }

// PutRecord creates or replaces the record of (Source, Key), and clears its absence or its tombstone.
// Content that stands already writes nothing. A userName that another live record of the source has is ErrExists.
type PutRecord struct{ Record Record }

// CreateRecord is a SCIM POST. It is ErrExists where a live record of the source has the userName (Unicode folded)
// or an active one the externalId. A live but inactive record of the same externalId is enabled again with the new content
// (same link, same person); a deleted one gives its person to a new link.
type CreateRecord struct{ Record Record }

// EditRecord reads a record under its lock, lets Edit change it and writes what changed. IfVersion nil means any
// version, else ErrVersion unless it holds the present one. Edit may be called more than once, on fresh copies.
// Link, Source, Key, Person, Version and the instants of the row cannot be edited. By Key a deleted record is ErrNotFound too.
type EditRecord struct {
	Source    id.Source
	Link      id.Link
	Key       string // in place of Link
	IfVersion []int64
	Edit      func(*Record) error
	Aside     bool // it is no sign of the record's presence: an absent one stays so
}

// DeleteRecord leaves a tombstone; with the person's last live record it freezes the person. By Link an unknown or already
// deleted record is ErrNotFound (after the standing freeze was waited for); by Key it is no change.
type DeleteRecord struct {
	Source    id.Source
	Link      id.Link
	Key       string
	IfVersion []int64
}

// MarkAbsent notes that a complete reading of the source did not contain these keys. Proof says how completeness is known;
// empty is ErrProof. It freezes nobody and changes no status or version. Keys that are unknown, deleted or marked already are skipped.
type MarkAbsent struct {
	Source id.Source
	Keys   []string
	Proof  string
}

// LinkRecord gives a record to another person, as a human being decided.
type LinkRecord struct {
	Source id.Source
	Link   id.Link
	Person id.Person // empty: a new person
}

// MergePeople gives all records of Gone, tombstones too, to Keep: a human being decided that they are one. Gone is nobody then
// (Person.MergedInto), and what the console said about them holds for Keep. Made before it is no change; where they were told
// apart, or one of them was merged into somebody, it is ErrDecided.
type MergePeople struct {
	Keep, Gone id.Person
	Anyway     bool // although they were told apart before
}

// SeparatePeople notes that the two people of a work item are two, for good.
type SeparatePeople struct{ Item id.WorkItem }

// SplitRecord takes a record from its person and gives it to whom it belonged before MergePeople, or to a person of its own. It is
// ErrInvalid for the only record of a person.
type SplitRecord struct {
	Person id.Person
	Link   id.Link
}

// RefreshPeople merges these people again from their records, as of now: after a planned instant has passed.
type RefreshPeople struct{ People []id.Person }

// PutUnit creates or replaces the unit of (Source, Key). A parent that is not known yet is filled in when it arrives;
// one that is below the unit is ErrCycle.
type PutUnit struct {
	Unit      Unit
	ParentKey string
}

// RemoveUnit removes a unit; people and units that name it keep the key as a pending reference. Unknown is no change.
type RemoveUnit struct {
	Source id.Source
	Key    string
}

// CreateGroup is a SCIM POST: ErrExists on a displayName or externalId that the source has already. An empty Key becomes the new id.
type CreateGroup struct {
	Group   GroupRecord
	Members []string // values; unknown ones stay pending
}

// PutGroup creates or replaces the group of (Source, Key). Members nil leaves the members as they are; else they become exactly these.
type PutGroup struct {
	Group   GroupRecord
	Members []string
}

// EditGroup changes a group under its lock: first Edit (may be nil), then Replace (nil: not), Remove, Add. Members are rows, so
// parallel edits lose nothing. See EditRecord for IfVersion and Edit.
type EditGroup struct {
	Source    id.Source
	Group     id.DirectoryGroup
	Key       string // in place of Group
	IfVersion []int64
	Edit      func(*GroupRecord) error
	Add       []string
	Remove    []string
	Replace   *[]string
}

// DeleteGroup deletes a group with its member rows. By Group an unknown one is ErrNotFound, by Key it is no change.
type DeleteGroup struct {
	Source    id.Source
	Group     id.DirectoryGroup
	Key       string
	IfVersion []int64
}

// FreezePerson freezes from now on until Until (zero: until lifted). Cause is CauseSecurity. Where one stands already it is
// only ever made stronger: a later end, a veto. One call holds at most one of FreezePerson, LiftFreeze, EndPerson per person.
type FreezePerson struct {
	Person id.Person
	Cause  FreezeCause // empty: CauseSecurity
	Veto   bool
	Until  time.Time
	Signal string // the transmitter whose signal it follows: a freeze of its own, beside the console's; empty: the console's
	// Guests says what keeps guests out (GuestsOfCompany, …): a freeze of its own likewise, which nothing but LiftFreeze with Guests lifts.
	Guests string
}

func (c FreezePerson) slot() string {
	if c.Guests != "" {
		return SlotOfGuests(c.Guests)
	}
	if c.Signal != "" {
		return SlotOf(c.Signal)
	}
	return SlotSecurity
}

// LiftFreeze lifts one freeze of the console. One of a source is ErrSourceFreeze, one that keeps guests out ErrGuestFreeze unless Guests
// says that what kept them out is over; one lifted before is no change.
type LiftFreeze struct {
	Freeze id.Freeze
	Guests bool
}

// UndoFreeze gives back, until Until, the access that a freeze took by which a source disabled or deleted somebody, although the source
// still says so: what its records say is set aside until then, and the freeze applies again at Until by itself. What the source says
// anew ends it at once; saying the same again does not. No other freeze is lifted. A freeze that does not stand any more is no
// change; one of another cause is ErrNotUndone.
type UndoFreeze struct {
	Freeze id.Freeze
	Until  time.Time
}

// EndPerson plans, moves or (zero At) withdraws the end of a person's time here, apart from what sources say.
type EndPerson struct {
	Person id.Person
	At     time.Time
}

// PutCursor stores how far a source has been read, in the transaction of what was read.
type PutCursor struct {
	Source id.Source
	Value  string
}

// SyncDone notes a complete synchronisation and emits "source.synced".
type SyncDone struct {
	Source id.Source
	Run    id.Run
	Proof  string
	Counts map[string]int
}

func (PutRecord) change()     {}
func (CreateRecord) change()  {}
func (EditRecord) change()    {}
func (DeleteRecord) change()  {}
func (MarkAbsent) change()    {}
func (LinkRecord) change()    {}
func (RefreshPeople) change() {}
func (PutUnit) change()       {}
func (RemoveUnit) change()    {}
func (CreateGroup) change()   {}
func (PutGroup) change()      {}
func (EditGroup) change()     {}
func (DeleteGroup) change()   {}
func (FreezePerson) change()  {}
func (LiftFreeze) change()    {}
func (UndoFreeze) change()    {}
func (EndPerson) change()     {}
func (PutCursor) change()     {}
func (SyncDone) change()      {}

// Outcome says what one change did.
type Outcome string

// The outcomes.
const (
	Unchanged Outcome = "unchanged"
	Created   Outcome = "created"
	Updated   Outcome = "updated"
	Enabled   Outcome = "enabled" // an inactive or deleted record came back
	Deleted   Outcome = "deleted"
)

// Changed is one person whom a call changed.
type Changed struct {
	Person  id.Person
	Created bool
	Fields  []string // names of what differs, as DiffPerson; and "status", "affiliations", "freezes", "groups", "unit_path"
}

// Applied is what a call did. Outcomes, Records, Groups, Resources and Freezes have one entry per change, the zero value where it is of another kind.
type Applied struct {
	Seq       int64 // of the last feed event; 0 where none
	Rev       int64 // the authz revision of the freezes; 0 where none
	Changed   []Changed
	Outcomes  []Outcome
	Records   []Record
	Groups    []GroupRecord
	Resources []Resource
	Freezes   []Freeze
	Noop      bool // nothing was written
}
