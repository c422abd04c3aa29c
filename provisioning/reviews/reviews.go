// Package reviews owns access reviews: who is asked whether somebody still needs a place, what they said, what silence means, and what
// became of each place.
//
// It guarantees that the population is that of the review's beginning; that nobody decides about themselves; that a decision to keep
// has a reason; that silence is answered by the clock and not by somebody's presence; and that a place is taken through the same guard as any
// other. A place that a rule gives is not taken, because the rule would give it again: it is a finding for who answers for the policy.
package reviews

import (
	"context"
	"embed"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/evidence"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of reviews up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "reviews", migrations) }

// The errors of this package.
var (
	// ErrNotFound says that there is no such review or line, or that it is not the caller's.
	ErrNotFound = errors.New("no such review")
	// ErrInvalid says that a review cannot be begun so.
	ErrInvalid = errors.New("review is not valid")
	// ErrClosed says that the line was answered by the clock, or the review is over.
	ErrClosed = errors.New("this review is over")
	// ErrOwn says that somebody was to decide about themselves.
	ErrOwn = errors.New("nobody decides about themselves")
	// ErrWhy says that a place is kept without a reason.
	ErrWhy = errors.New("a place is kept with a reason")
)

// Cases is this package's part of the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{
		{Err: ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: ErrInvalid, Status: http.StatusUnprocessableEntity, Code: "invalid_review"},
		{Err: ErrClosed, Status: http.StatusConflict, Code: "review_closed"},
		{Err: ErrOwn, Status: http.StatusForbidden, Code: "own_line"},
		{Err: ErrWhy, Status: http.StatusUnprocessableEntity, Code: "reason_missing"},
	}
}

// The kinds of notices of this package.
const (
	KindAsked    notices.Kind = "review.asked"    // to a reviewer: about review, until
	KindReminder notices.Kind = "review.reminder" // to a reviewer who did not answer everything: about review, until
	KindWaiting  notices.Kind = "review.waiting"  // to administrators: lines that nobody else can decide
	KindFinding  notices.Kind = "review.finding"  // to administrators: a rule gives what a reviewer would take
)

// What a review is of.
const (
	OfGroup   = "group"   // a project group, by id
	OfChannel = "channel" // who sees a channel, by id
	OfReason  = "reason"  // a kind of reason: grant, join, approval, keep
	OfOutside = "outside" // everybody from outside
)

// Who reviews.
const (
	ByOwner   = "owner"   // of the project group
	ByManager = "manager" // of the person
	ByPerson  = "person"  // somebody named
)

// Decisions and outcomes.
const (
	Keep    = "keep"
	Remove  = "remove"
	Kept    = "kept"
	Removed = "removed"
	Finding = "finding" // a rule gives the place
	Held    = "held"    // the guard holds the removal
	Gone    = "gone"    // the place had ended before
)

// Review is one access review.
type Review struct {
	ID        id.Review
	About     string
	Ref       string
	Reviewer  string
	Named     id.Person
	Silence   string // what no answer means: Remove or Keep
	MadeBy    string
	CreatedAt time.Time
	Until     time.Time // when reviewers are to have answered
	EndsAt    time.Time // when silence is an answer, and everything takes effect
	ClosedAt  time.Time
}

// Line is one place under review, as it was at the beginning.
type Line struct {
	Review     id.Review
	Membership id.Membership
	Person     id.Person
	Group      id.Group
	Role       policies.Role
	Since      time.Time
	Reasons    []string
	Grounds    []provisioning.Reason // the same with since when; none of a review that began before they were kept
	Reviewer   id.Person             // empty: the administrators
	Decision   string                // empty: none yet
	Why        string
	DecidedBy  string // "silence" where nobody did
	DecidedAt  time.Time
	Outcome    string
	OutcomeAt  time.Time
}

// LeastTime is how long reviewers have at least: nobody is stripped of a place because a reviewer had not looked for an hour.
const LeastTime = 24 * time.Hour

// The bounds of a review: within how many days it ends, and how long LeastTime may be made.
const (
	MostDays  = 400
	MostLeast = 90 * 24 * time.Hour
)

// Engine runs reviews. Its methods may be called at the same time.
type Engine struct {
	DB        *db.DB
	Directory *directory.Store
	Reactor   *provisioning.Reactor
	// Admins answers who is told of what nobody else can decide.
	Admins   func(ctx context.Context) ([]id.Person, error)
	Evidence *evidence.Store
	// Names answers what ids are called, by language; "" stands for every language. Nil: nobody knows.
	Names func(ctx context.Context, ids []string) (map[string]map[string]string, error)
	// Least is how long reviewers have at least before silence is an answer; zero: LeastTime.
	Least time.Duration
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger
}

func (e *Engine) clock() time.Time {
	if e.Now != nil {
		return e.Now().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

func (r Review) populace() provisioning.Populace {
	switch r.About {
	case OfGroup:
		return provisioning.Populace{Group: id.Group(r.Ref)}
	case OfChannel:
		return provisioning.Populace{Channel: id.Channel(r.Ref)}
	case OfReason:
		return provisioning.Populace{Kind: provisioning.Kind(r.Ref)}
	}
	return provisioning.Populace{Role: policies.Vendor}
}

func (r Review) record(at time.Time, actor, action string, public map[string]any) audit.Record {
	return audit.Record{At: at, Actor: actor, Action: action, Subject: string(r.ID), Public: public}
}

func (r Review) notice(kind notices.Kind, to id.Person, key string, at time.Time) notices.Notice {
	return notices.Notice{Person: to, Kind: kind, Key: string(kind) + "/" + string(r.ID) + key, At: at,
		About: map[string]string{"review": string(r.ID), "until": r.Until.Format(time.RFC3339), "ends": r.EndsAt.Format(time.RFC3339)}}
}
