// Package approvals owns what people ask for and others decide: requests, who may decide them, and what was said.
//
// It guarantees that who may decide follows from the facts and the policy at that moment, never from those when it was asked; that nobody decides
// what they asked for or what is for them; that a decision and what it gives are one transaction, in which everything is checked again; and that a
// request lapses by the clock, whether or not anything runs. It never gives anything itself: kinds do, which other packages bring.
package approvals

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of approvals up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "approvals", migrations) }

// The errors of this package.
var (
	// ErrNotFound says that there is no such request, or nothing of the kind, for who asks.
	ErrNotFound = errors.New("no such request")
	// ErrNotOffered says that nobody may ask for this, or that this person may not.
	ErrNotOffered = errors.New("this is not yours to ask for")
	// ErrAsked says that the same was asked for and waits.
	ErrAsked = errors.New("this was asked for and waits to be decided")
	// ErrMany says that too many requests of one person wait.
	ErrMany = errors.New("too many of your requests wait to be decided")
	// ErrClosed says that a request was decided, withdrawn or has lapsed, or that this person has said what they have to say.
	ErrClosed = errors.New("this request is closed")
	// ErrNotApprover says that somebody may not decide a request.
	ErrNotApprover = errors.New("this request is not yours to decide")
	// ErrGone says that what a request was about, or whom it was for, is not there any more.
	ErrGone = errors.New("what was asked for cannot be given any more")
	// ErrApart says that a separation of the policy forbids what was asked for.
	ErrApart = errors.New("a separation of the policy forbids this")
	// ErrMember says that the person has that role, or a stronger one.
	ErrMember = errors.New("this place is there already")
	// ErrNotOwn says that a place was not joined or asked for, so that it cannot be given up.
	ErrNotOwn = errors.New("this place is given by a rule or by somebody else")
	// ErrInvalid says that a request lacks what it needs.
	ErrInvalid = errors.New("request is not valid")
)

// The kinds of notices of this package. They are about request, kind, person (whom it is for) and object.
const (
	KindWaiting notices.Kind = "approval.waiting" // to who may decide
	KindGranted notices.Kind = "approval.granted" // to who asked
	KindRefused notices.Kind = "approval.refused"
	KindLapsed  notices.Kind = "approval.lapsed"
)

// State is what became of a request.
type State string

// The states.
const (
	Waiting   State = "waiting"
	Granted   State = "granted"
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
	Lapsed    State = "lapsed" // nobody decided it in time
)

// Request is something that somebody asked for.
type Request struct {
	ID        id.Ask
	Kind      policies.ApprovalKind
	Requester id.Person
	Subject   id.Person     // whom it is for
	Object    string        // id of what it is about
	Role      policies.Role // that is asked for, where the kind has roles
	Days      int           // for how long, from the decision on; 0: as long as the policy lets
	Minutes   int           // for how long, where that is less than days; 0: it is not
	AskedFor  time.Time     // until when, where that is an instant; zero: it is not
	Reason    string
	State     State
	AskedAt   time.Time
	LapsesAt  time.Time
	DecidedAt time.Time
	Until     time.Time // of a granted one: when what was given ends; zero: no end
	Decisions []Decision
	Lacking   int // of one that waits and was looked at: how many people too few may decide it
}

// Decision is what one approver said.
type Decision struct {
	Approver id.Person
	Agrees   bool
	Comment  string
	At       time.Time
}

// at answers the request as it is at now: what nobody decided in time has lapsed.
func (r Request) at(now time.Time) Request {
	if r.State == Waiting && !now.Before(r.LapsesAt) {
		r.State, r.DecidedAt = Lapsed, r.LapsesAt
	}
	return r
}

// Kind is one kind of request. A package that has something to ask for gives one to the Engine. Rule, Check and Stand are asked on the state that tx
// sees, and only read.
type Kind interface {
	// Rule answers how a request is decided; ErrNotOffered where the policy lets nobody ask.
	Rule(tx *db.Tx, r Request) (policies.Approval, error)
	// Check says why a request cannot be granted now, and nil where it can; it fills in the role where the kind knows it. It is asked when
	// somebody asks, and again in the transaction that grants.
	Check(tx *db.Tx, r *Request) error
	// Stand answers who stands behind a word of the rule: the owners, or the sponsor, of what the request is about.
	Stand(tx *db.Tx, r Request, word policies.ApproverKind) ([]id.Person, error)
	// Grant makes it so until r.Until, in one transaction with also, which writes its rows before and answers records of the audit log.
	Grant(ctx context.Context, cause directory.Cause, r Request, also func(*db.Tx) ([]audit.Record, error)) error
}

// Act is a Kind of request for something that administrators do: only who could do it decides, and it is over with what it is about.
type Act interface {
	Kind
	// May tells whether somebody may do what is asked for.
	May(tx *db.Tx, r Request, person id.Person) (bool, error)
	// Over tells whether there is nothing to be decided any more about what the request is about.
	Over(tx *db.Tx, r Request) (bool, error)
}

// Engine takes requests and decides them. Its methods may be called at the same time, on several nodes.
type Engine struct {
	DB        *db.DB
	Directory *directory.Store
	// Outsiders answers which of these people are from outside: they decide nothing.
	Outsiders func(tx *db.Tx, people []id.Person) (map[id.Person]bool, error)
	// Admins answers who has a role of administrators for the whole organisation.
	Admins func(tx *db.Tx, role string) ([]id.Person, error)
	Kinds  map[policies.ApprovalKind]Kind
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger
}

func (e *Engine) clock() time.Time {
	if e.Now != nil {
		return e.Now().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

func (e *Engine) kind(name policies.ApprovalKind) (Kind, error) {
	k, ok := e.Kinds[name]
	if !ok {
		return nil, fmt.Errorf("requests of kind %q: %w", name, ErrNotOffered)
	}
	return k, nil
}

// record is a line of the audit log about a request. What people wrote is the part that can be erased.
func (e *Engine) record(cause directory.Cause, r Request, action, actor, text string) audit.Record {
	public := map[string]any{"kind": string(r.Kind), "requester": string(r.Requester), "subject": string(r.Subject), "object": r.Object}
	if r.Role != "" {
		public["role"] = string(r.Role)
	}
	if !r.Until.IsZero() {
		public["until"] = r.Until.Format(time.RFC3339Nano)
	}
	out := audit.Record{At: e.clock(), Actor: actor, Action: action, Subject: string(r.ID), RequestID: string(cause.Request), Public: public}
	if text != "" {
		out.Personal = map[string]any{"text": text}
	}
	return out
}

func (r Request) notice(kind notices.Kind, to id.Person, key string, at time.Time) notices.Notice {
	about := map[string]string{"request": string(r.ID), "kind": string(r.Kind), "person": string(r.Subject), "object": r.Object}
	if r.Role != "" {
		about["role"] = string(r.Role)
	}
	return notices.Notice{Person: to, Kind: kind, About: about, Key: "approval/" + string(r.ID) + "/" + key, At: at}
}
