// Package guests owns people from outside: the companies they work for, who answers for whom here, and into which channels each was let until when.
//
// It guarantees that a guest is a person of the directory like any other, whom a source of its own tells of, so that windows, freezes, reasons and evidence hold
// for guests as for everybody; that a guest sees the channels that somebody named and nothing else, until the earliest of what was asked, what the policy
// allows and the end of the contract; that limits hold for invitations at the same time; and that suspending a company, or all guests, is in force when the call
// returns and takes nothing that resuming does not give back. What is written is carried out by whoever looks next (settle): a node that dies leaves nothing half done.
//
// It never takes a guest for somebody who works here because of an address, lengthens a term that nobody asked to be longer, or lets a guest be given back by an undo.
//
// Locks in a transaction, in this order: guests_state, then what approvals lock, then rows of this package. None is held while the directory or memberships are written.
package guests

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
	"github.com/rollcall-im/rollcall/internal/seal"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of guests up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "guests", migrations) }

// The errors of this package.
var (
	// ErrNotFound says that there is no such company, guest or group, or that it is not the caller's.
	ErrNotFound = errors.New("no such company, guest or group")
	// ErrInvalid says that something is not as it has to be.
	ErrInvalid = errors.New("not valid")
	// ErrExists says that a company has that key.
	ErrExists = errors.New("a company has this key")
	// ErrNotSponsor says that somebody may not let people into a channel, or answer for them.
	ErrNotSponsor = errors.New("you may not let guests in here")
	// ErrDomain says that an address is of a domain that the company does not have.
	ErrDomain = errors.New("the company does not have this domain")
	// ErrEmployee says that an address is somebody's who works here.
	ErrEmployee = errors.New("this address belongs to somebody who works here: not a guest")
	// ErrLimit says that there are as many guests as there may be.
	ErrLimit = errors.New("there are as many guests as there may be")
	// ErrSuspended says that the company, or everybody from outside, is suspended.
	ErrSuspended = errors.New("suspended")
	// ErrOver says that a contract or a guest's time is over, or that an invitation is.
	ErrOver = errors.New("this is over")
	// ErrDrift says that what a batch would do is not any more what was shown.
	ErrDrift = errors.New("it would do something else now than what you were shown: look at it again")
)

// Cases is this package's part of the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{
		{Err: ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: ErrInvalid, Status: http.StatusUnprocessableEntity, Code: "invalid"},
		{Err: ErrExists, Status: http.StatusConflict, Code: "exists"},
		{Err: ErrNotSponsor, Status: http.StatusForbidden, Code: "not_sponsor"},
		{Err: ErrDomain, Status: http.StatusUnprocessableEntity, Code: "guest_domain"},
		{Err: ErrEmployee, Status: http.StatusUnprocessableEntity, Code: "guest_employee"},
		{Err: ErrLimit, Status: http.StatusConflict, Code: "guest_limit"},
		{Err: ErrSuspended, Status: http.StatusConflict, Code: "guests_suspended"},
		{Err: ErrOver, Status: http.StatusConflict, Code: "guest_over"},
		{Err: ErrPairing, Status: http.StatusUnprocessableEntity, Code: "guest_pairing"},
		{Err: ErrNoSeal, Status: http.StatusConflict, Code: "no_seal"},
		{Err: session.ErrNoProvider, Status: http.StatusNotFound, Code: "not_found"},
		{Err: ErrNoMail, Status: http.StatusConflict, Code: "no_mail"},
		{Err: ErrDrift, Status: http.StatusConflict, Code: "guest_drift"},
		{Err: provisioning.ErrNoGuests, Status: http.StatusUnprocessableEntity, Code: "no_guests"},
	}
}

// KindEnding is told to who answers for a guest whose time ends: about person, guest, company, at, days.
const KindEnding notices.Kind = "guest.ending"

// Company is an organisation whose people may be let in.
type Company struct {
	ID          id.Company
	Key         string
	Names       map[string]string // by language
	Domains     []string          // of e-mail addresses, exactly, as Domain answers them
	Owner       id.Person         // answers for it, and for its guests in place of a sponsor who cannot
	Documents   []string          // references: a contract's number, an address
	Most        int               // guests at a time; 0: what the policy says
	EndsAt      time.Time         // of the contract; zero: no end is known
	SuspendedAt time.Time
	CreatedAt   time.Time
	MadeBy      string
}

// Guest is somebody as one company knows them. Who works for two companies is two guests.
type Guest struct {
	ID          id.Guest
	Company     id.Company
	Email       string // or a number, as Address.Text
	Name        string
	Sponsor     id.Person // who works here and answers for the guest
	Person      id.Person // in the directory; empty while nobody was let in
	CreatedAt   time.Time
	SuspendedAt time.Time
	EndedAt     time.Time
	Places      []Place

	SuspendedFor Suspension // why, where SuspendedAt is set

	key              string    // who it is, in the company
	keeper           id.Person // who answers for the guest in the sponsor's place, by keeperRef
	keeperRef        string
	version, settled int64
}

// Place is one channel that a guest was let into.
type Place struct {
	Group   id.Group
	Channel string // key in the group
	Until   time.Time

	given bool // it was: where it is not there any more, others took it
}

// Until answers when the last place of a guest ends; zero where there is none.
func (g Guest) Until() time.Time {
	var last time.Time
	for _, p := range g.Places {
		if p.Until.After(last) {
			last = p.Until
		}
	}
	return last
}

// Runs tells whether the guest is let in at t, whatever keeps them out for a while.
func (g Guest) Runs(t time.Time) bool { return g.EndedAt.IsZero() && t.Before(g.Until()) }

// Bound says what set the end of a term: the earliest does.
type Bound string

// The bounds.
const (
	BoundAsked    Bound = "asked"
	BoundPolicy   Bound = "policy"
	BoundContract Bound = "contract"
	BoundApproval Bound = "approval"
)

// Invitation is that a guest is to be let into channels of a project group, or for longer.
type Invitation struct {
	ID         id.Invitation
	Guest      id.Guest
	Email      string // as the guest is to have it, and the name
	Name       string
	Group      id.Group
	Channels   []string
	Sponsor    id.Person
	AskedBy    string
	Unowned    bool // the sponsor need not own the group
	Reason     string
	AskedUntil time.Time
	Until      time.Time
	BoundBy    Bound
	State      string // Waiting, Granted, Withdrawn
	AskedAt    time.Time
	DecidedAt  time.Time
}

// The states of an invitation.
const (
	Waiting   = "waiting" // others have to agree
	Granted   = "granted"
	Withdrawn = "withdrawn" // refused, or overtaken by a suspension
)

// Engine lets guests in, and keeps what is in force as it is written. Its methods may be called at the same time, on several nodes.
type Engine struct {
	DB        *db.DB
	Directory *directory.Store
	Reactor   *provisioning.Reactor
	Asks      *approvals.Engine
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger
	PublicURL string        // where browsers come in, without a slash at the end
	Sessions  *session.Door // who is proved is given a session there
	Key       *seal.Key     // seals secrets of identity providers; nil: companies have none
	Mail      Mailer        // nil: nothing is sent, and links are passed on by who invited
	Texts     Texter        // nil: nobody is let in by a number
	// Sees answers whether somebody may read a channel now, and from when on; Messages reads one from an instant on, in the order of writing, and answers the first error of each.
	Sees     func(id.Person, id.Channel) (bool, time.Time)
	Messages func(ctx context.Context, channel id.Channel, from time.Time, each func(Message) error) error

	// Untaken answers the guests whose sponsor could not answer for them any more before an instant, and whom nobody took over since; nil: nobody asks.
	Untaken func(ctx context.Context, before time.Time) ([]string, error)
	// Seen answers when people were seen last; nil: nobody is idle.
	Seen func(ctx context.Context, people []id.Person) (map[id.Person]time.Time, error)

	posts bell // what Post listens to
	tends bell // what Run listens to
}

func (e *Engine) clock() time.Time {
	if e.Now != nil {
		return e.Now().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

func (e *Engine) record(cause directory.Cause, action, subject string, public map[string]any) audit.Record {
	actor := cause.Actor
	if actor == "" {
		actor = "system"
	}
	r := audit.Record{At: e.clock(), Actor: actor, Action: action, Subject: subject, RequestID: string(cause.Request), Public: public}
	if cause.Reason != "" {
		r.Personal = map[string]any{"reason": cause.Reason}
	}
	return r
}
