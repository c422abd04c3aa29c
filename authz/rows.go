package authz

import (
	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
)

// handle is anything that can be queried.
type handle = *gorm.DB

// tupleRow is a row of authz_tuples.
type tupleRow struct {
	UserRef    string
	Relation   string
	Object     string
	ValidFrom  db.Instant
	ValidUntil db.Instant
}

func (tupleRow) TableName() string { return "authz_tuples" }

func rowOf(t Tuple) tupleRow {
	return tupleRow{t.User, t.Relation, t.Object, db.At(t.From), db.At(t.Until)}
}

func (r tupleRow) tuple() Tuple {
	return Tuple{User: r.UserRef, Relation: r.Relation, Object: r.Object, From: r.ValidFrom.Time, Until: r.ValidUntil.Time}
}

// logRow is a row of authz_log: change n of revision seq.
type logRow struct {
	Seq        int64
	N          int
	Op         string
	UserRef    string
	Relation   string
	Object     string
	ValidFrom  db.Instant
	ValidUntil db.Instant
	At         db.Instant
	Trace      string
}

func (logRow) TableName() string { return "authz_log" }

const (
	opWrite  = "write"
	opDelete = "delete"
	opEnd    = "end" // of a proof, in authz_endings
)

func (r logRow) change() Change {
	return Change{Delete: r.Op == opDelete, Tuple: tupleRow{r.UserRef, r.Relation, r.Object, r.ValidFrom, r.ValidUntil}.tuple()}
}

// engineRow is the one row of authz_engine.
type engineRow struct {
	AppliedSeq int64
	StoreID    string
	ModelID    string
	ModelHash  string
	Holder     string
	LeaseUntil int64

	ChangesToken string // up to where OpenFGA's list of changes was looked through
	SweepAt      int64
	ModelSeen    string // the newest authorization model that was looked at
}

func (engineRow) TableName() string { return "authz_engine" }
