package session

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// sessionRow is a row of sessions and what is joined to it: the person's current epoch and roles.
type sessionRow struct {
	ID         id.Session
	Person     id.Person
	Epoch      int64
	Issuer     string
	Subject    string
	SID        string `gorm:"column:sid"`
	UserAgent  string
	CreatedAt  db.Instant
	LastSeenAt db.Instant
	ExpiresAt  db.Instant
	EndedAt    db.Instant
	EndCause   string
	SteppedAt  db.Instant
	Current    int64
	Enrolled   bool
	HeldRole   roles.Role // one row for each role
	HeldUnit   id.Unit
}

// tokenRow is a row of session_tokens and what is joined to it: the current epoch, and the roles of who answers for it.
type tokenRow struct {
	ID         id.Token
	Person     id.Person
	Epoch      int64
	Role       roles.Role
	Unit       id.Unit
	Dangerous  bool
	Name       string
	CreatedBy  string
	CreatedAt  db.Instant
	LastUsedAt db.Instant
	ExpiresAt  db.Instant
	EndedAt    db.Instant
	EndCause   string
	Current    int64
	HeldRole   roles.Role
	HeldUnit   id.Unit
}

// roleRow is a row of session_roles.
type roleRow struct {
	Person    id.Person
	Role      roles.Role
	Unit      id.Unit
	GrantedBy string
	GrantedAt db.Instant
}

// factorRow is a row of session_factors.
type factorRow struct {
	Person      id.Person
	Secret      string
	CreatedAt   db.Instant
	ConfirmedAt db.Instant
	LastStep    int64
	Failures    int
	LockedAt    db.Instant
}

// emergencyRow is the row of session_emergency; Half is which of the two was shown last, 0 none.
type emergencyRow struct {
	ID         int
	FirstHash  string
	SecondHash string
	SealedBy   string
	SealedAt   db.Instant
	Half       int
	HalfAt     db.Instant
	UsedAt     db.Instant
}

// triesRow is how often a value failed, of session_tries.
type triesRow struct {
	Kind     string
	Value    string
	Failures int
	LastAt   db.Instant
	Account  string // of a login name: whose it was when it failed last
}
