// Package hrfeed owns what a personnel department hands in: files (CSV, .xlsx, JSON) that say who works here and from when
// on, taken from a folder, a request or a signed hook.
//
// It guarantees that a row which is wrong is told with its line and stops nothing else; that nothing is guessed (lost
// zeros, dates that may be read in two ways); that whoever a file does not name is missed only where the file says that it
// is full and every row of it could be read; that a file is taken once; and that a file taken again writes nothing. It
// writes people through directory.Store.Apply alone.
//
// It never takes an address or a name for who somebody is, never runs a formula, and logs no value of a file.
package hrfeed

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the feed's tables up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "hrfeed", migrations) }

// What can go wrong with a whole file; rows that are wrong stand in the Report.
var (
	ErrUndeclared  = errors.New("the file does not say whether it is full or a delta")
	ErrUnreadable  = errors.New("the file cannot be read")
	ErrTooLarge    = errors.New("the file is too large")
	ErrTruncated   = errors.New("the file is not whole")
	ErrImplausible = errors.New("the file cannot be a full one of this source")
	ErrMapping     = errors.New("mapping")
	ErrKind        = errors.New("the source is not an HR feed")
	ErrSignature   = errors.New("the signature is not valid")
	ErrReplayed    = errors.New("a message of this id was taken before")
)

// Bounds on what a file may hold.
const (
	MaxFile    = 64 << 20 // bytes of a file in the folder
	maxPosted  = 32 << 20 // of one that is posted
	maxHook    = 8 << 20  // of a signed message
	maxRows    = 500_000
	maxColumns = 256
	maxCells   = 8_000_000
	maxCell    = 8 << 10   // bytes
	maxUnpack  = 128 << 20 // bytes of all parts of a workbook that are read
	maxStrings = 64 << 20  // bytes of its texts
	maxPart    = 16 << 20  // bytes of a part that is read as a whole
	maxRun     = 1 << 20   // bytes of a part without a tag
	maxTold    = 1000      // rows and people that a report lists one by one
)

// Kind is what a file declares to be.
type Kind string

// The kinds.
const (
	Full  Kind = "full"  // whoever is not in it is not here any more
	Delta Kind = "delta" // it says only what it names
)

// File is what was handed in.
type File struct {
	Name     string // as it was called; may be empty
	Data     []byte
	Kind     Kind   // as declared beside the file; empty: its name or its content says so
	Encoding string // of a CSV file: "utf-8", "utf-16", "gb18030"; empty: found out
	Origin   string // "folder", "post" or "hook"
}

// Severity of a finding is told by where it stands: Refused rows had no effect, Notes did.

// Finding is what is wrong with, or worth knowing of, one row.
type Finding struct {
	Line   int    `json:"line,omitempty" doc:"of the file; of a workbook its row"`
	Row    int    `json:"row,omitempty" doc:"of JSON: the first of rows is 1"`
	Column string `json:"column,omitempty"`
	Key    string `json:"key,omitempty" doc:"employee number"`
	Code   string `json:"code" doc:"stable, machine-readable"`
	Text   string `json:"text"`
	Value  string `json:"value,omitempty" doc:"as it stands in the file"`
}

// Diff is what becomes of one person.
type Diff struct {
	Line    int      `json:"line,omitempty"`
	Row     int      `json:"row,omitempty" doc:"of JSON"`
	Key     string   `json:"key"`
	Name    string   `json:"name"`
	Outcome string   `json:"outcome" doc:"new, changed, ended, deleted, absent or back"`
	Fields  []Change `json:"fields,omitempty"`
	back    bool     // an earlier full file missed them
}

// Change is one attribute that differs.
type Change struct {
	Field  string `json:"field"`
	Before any    `json:"before"`
	Now    any    `json:"now"`
}

// Loss is a membership that ends, or in Report.Gains begins, by what a file says.
type Loss struct {
	Person string    `json:"person"`
	Name   string    `json:"name"`
	Group  string    `json:"group"`
	Role   string    `json:"role"`
	At     time.Time `json:"at,omitzero" doc:"when, where that lies ahead"`
}

// Counts says what became of the rows and the people.
type Counts struct {
	Rows      int `json:"rows" doc:"that hold something"`
	Refused   int `json:"refused" doc:"rows"`
	People    int `json:"people" doc:"that readable rows name"`
	New       int `json:"new"`
	Changed   int `json:"changed"`
	Ended     int `json:"ended" doc:"at once"`
	Deleted   int `json:"deleted"`
	Unchanged int `json:"unchanged"`
	Absent    int `json:"absent" doc:"newly missed by a full file"`
	Units     int `json:"units" doc:"that are new or have another name"`
}

// written counts the people and units that differ now.
func (c Counts) written() int {
	return c.New + c.Changed + c.Ended + c.Deleted + c.Absent + c.Units
}

// Report is what one file did, or in a preview would do. It holds personal data: it is for whoever handed the file in.
type Report struct {
	Run      string           `json:"run"`
	Source   string           `json:"source"`
	File     string           `json:"file,omitempty"`
	SHA256   string           `json:"sha256"`
	Kind     Kind             `json:"kind,omitempty"`
	Format   string           `json:"format,omitempty" doc:"csv, xlsx or json, with the encoding"`
	Preview  bool             `json:"preview" doc:"nothing was written"`
	Again    time.Time        `json:"taken_before,omitzero" doc:"when the same file was taken before; then nothing was done now"`
	Mode     string           `json:"mode" doc:"dry_run: stored, and nothing follows until the source goes live"`
	At       time.Time        `json:"at"`
	Seconds  float64          `json:"seconds"`
	Counts   Counts           `json:"counts"`
	Refused  []Finding        `json:"refused" nullable:"false" doc:"rows that had no effect, the first 1000"`
	Notes    []Finding        `json:"notes" nullable:"false"`
	Unknown  []string         `json:"unknown_columns" nullable:"false"`
	People   []Diff           `json:"people" nullable:"false" doc:"what differs, the first 1000 people"`
	Losses   []Loss           `json:"losses,omitempty" doc:"of a preview: memberships that would end"`
	Gains    []Loss           `json:"gains,omitempty" doc:"of a preview: memberships that would begin"`
	Held     []directory.Held `json:"held,omitempty" doc:"what the guard holds of it, or of a preview would hold"`
	Error    string           `json:"error,omitempty" doc:"why the whole file was refused"`
	Complete bool             `json:"complete" doc:"whoever a full file does not name is missing"`
	quiet    int              // of those that are changed: of whom nothing is but what may lie ahead
}

func (r *Report) refuse(f Finding) {
	r.Counts.Refused++
	if len(r.Refused) < maxTold {
		r.Refused = append(r.Refused, f)
	}
}

// inOrder puts what was found as it stands in the file: some of it is found only when the rows of a person come together.
func (r *Report) inOrder() {
	for _, list := range [][]Finding{r.Refused, r.Notes} {
		slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Row, b.Row)) })
	}
}

func (r *Report) note(f Finding) {
	if len(r.Notes) < maxTold {
		r.Notes = append(r.Notes, f)
	}
}

func (r *Report) tell(d Diff) {
	if len(r.People) < maxTold {
		r.People = append(r.People, d)
	}
}
