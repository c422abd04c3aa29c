package reviews

import (
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

type reviewRow struct {
	ID        id.Review
	About     string
	Ref       string
	Reviewer  string
	Named     id.Person
	Silence   string
	MadeBy    string
	CreatedAt db.Instant
	Until     db.Instant
	EndsAt    db.Instant
	ClosedAt  db.Instant
}

func (reviewRow) TableName() string { return "reviews" }

func (r reviewRow) review() Review {
	return Review{ID: r.ID, About: r.About, Ref: r.Ref, Reviewer: r.Reviewer, Named: r.Named, Silence: r.Silence, MadeBy: r.MadeBy,
		CreatedAt: r.CreatedAt.Time, Until: r.Until.Time, EndsAt: r.EndsAt.Time, ClosedAt: r.ClosedAt.Time}
}

type lineRow struct {
	Review     id.Review
	Membership id.Membership
	Person     id.Person
	GroupID    id.Group
	Role       policies.Role
	Since      db.Instant
	Reasons    db.JSON[[]string]
	Grounds    db.JSON[[]ground]
	Reviewer   id.Person
	Decision   string
	Why        string
	DecidedBy  string
	DecidedAt  db.Instant
	Outcome    string
	OutcomeAt  db.Instant
}

// ground is a reason as a row keeps it.
type ground struct {
	Kind    provisioning.Kind `json:"kind"`
	Ref     string            `json:"ref,omitempty"`
	Role    policies.Role     `json:"role"`
	Version int64             `json:"version,omitempty"`
	Since   time.Time         `json:"since"`
	From    time.Time         `json:"from,omitzero"`
	Until   time.Time         `json:"until,omitzero"`
}

func (lineRow) TableName() string { return "review_lines" }

func (r lineRow) line() Line {
	grounds := make([]provisioning.Reason, len(r.Grounds.V))
	for i, g := range r.Grounds.V {
		grounds[i] = provisioning.Reason{Kind: g.Kind, Ref: g.Ref, Role: g.Role, Version: g.Version, CreatedAt: g.Since, From: g.From, Until: g.Until}
	}
	return Line{Review: r.Review, Membership: r.Membership, Person: r.Person, Group: r.GroupID, Role: r.Role, Since: r.Since.Time, Reasons: r.Reasons.V, Grounds: grounds,
		Reviewer: r.Reviewer, Decision: r.Decision, Why: r.Why, DecidedBy: r.DecidedBy, DecidedAt: r.DecidedAt.Time, Outcome: r.Outcome, OutcomeAt: r.OutcomeAt.Time}
}
