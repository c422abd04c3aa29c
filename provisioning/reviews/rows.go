package reviews

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
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
	Reviewer   id.Person
	Decision   string
	Why        string
	DecidedBy  string
	DecidedAt  db.Instant
	Outcome    string
	OutcomeAt  db.Instant
}

func (lineRow) TableName() string { return "review_lines" }

func (r lineRow) line() Line {
	return Line{Review: r.Review, Membership: r.Membership, Person: r.Person, Group: r.GroupID, Role: r.Role, Since: r.Since.Time, Reasons: r.Reasons.V,
		Reviewer: r.Reviewer, Decision: r.Decision, Why: r.Why, DecidedBy: r.DecidedBy, DecidedAt: r.DecidedAt.Time, Outcome: r.Outcome, OutcomeAt: r.OutcomeAt.Time}
}
