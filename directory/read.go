package directory

import (
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Query chooses people; zero fields choose all.
type Query struct {
	Text   string // in names, userName, e-mail, title, department, employee number; words are all wanted
	Status Status
	Frozen *bool
	// Contested chooses those of whom a source says active although a veto stands.
	Contested bool
	Unit      id.Unit   // this unit and all below
	Within    []id.Unit // and of these units or below one of them; nil: everywhere
	Group     id.DirectoryGroup
	Limit     int    // at most 200, 0: 50
	Cursor    string // Page.Next of the page before
}

// PeoplePage is one page of people, by display name.
type PeoplePage struct {
	People []Person
	Next   string // empty at the end
}

// RecordQuery chooses live records of one source.
type RecordQuery struct {
	Source     id.Source
	Where      Where  // nil: all
	Sort       Column // empty: order of creation
	Descending bool
	Offset     int
	Limit      int     // 0 or less: only the total
	After      id.Link // in order of creation: only later ones (cursor paging)
	NoTotal    bool    // leave Total 0 and save its query
	NoRaw      bool    // leave Raw empty
	Pushed     bool    // the source is one that pushes: its lists have indexes of their own. Of another source nothing is found
}

// RecordPage is what RecordQuery found; Total counts what is on other pages too, without regard to After.
type RecordPage struct {
	Total   int
	Records []Record
}

// GroupQuery chooses groups of one source; see RecordQuery.
type GroupQuery struct {
	Source     id.Source // empty: of all sources that are no dry run
	Staged     bool      // where Source is empty: of dry runs too
	Where      Where     // over ColID, ColExternalID, ColDisplayName, ColMember, ColCreated, ColModified
	Sort       Column
	Descending bool
	Offset     int
	Limit      int
	After      id.DirectoryGroup
	NoTotal    bool
	NoRaw      bool
}

// GroupPage is what GroupQuery found.
type GroupPage struct {
	Total  int
	Groups []GroupRecord
}

// ResourceQuery chooses resources of a type from configuration, of one source; see RecordQuery.
type ResourceQuery struct {
	Source     id.Source
	Type       string
	Where      Where // over ColID, ColExternalID, ColCreated, ColModified and raw columns
	Sort       Column
	Descending bool
	Offset     int
	Limit      int
	NoTotal    bool
}

// ResourcePage is what ResourceQuery found.
type ResourcePage struct {
	Total     int
	Resources []Resource
}

// MemberQuery chooses members of a group, in the order of their values.
type MemberQuery struct {
	Value   string // only this one
	After   string // only those of greater value (cursor paging)
	Offset  int
	Limit   int  // 0 or less: only the total
	NoTotal bool // spares the counting
}

// MemberPage is what MemberQuery found.
type MemberPage struct {
	Total   int
	Members []Member
}

// RecordKey names a record of a source, for comparing inventories.
type RecordKey struct {
	Key         string
	Link        id.Link
	Person      id.Person
	AbsentSince time.Time
	DeletedAt   time.Time
	Withdrawn   bool // deleted before the employment began
}
