package session

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// sessionRow is a row of sessions and what is joined to it: the person's current epoch and role.
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
	Current    int64
	Admin      bool
}

// tokenRow is a row of session_tokens; Holds tells whether its person is an administrator now.
type tokenRow struct {
	ID         id.Token
	Person     id.Person
	Epoch      int64
	Admin      bool
	Name       string
	CreatedBy  string
	CreatedAt  db.Instant
	LastUsedAt db.Instant
	ExpiresAt  db.Instant
	EndedAt    db.Instant
	EndCause   string
	Current    int64
	Holds      bool
}

// triesRow is how often a value failed, of session_tries.
type triesRow struct {
	Kind     string
	Value    string
	Failures int
	LastAt   db.Instant
}
