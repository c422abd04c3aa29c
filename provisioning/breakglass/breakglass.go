// Package breakglass owns the reading of a channel by an administrator who has no place there: what somebody asked for and somebody else granted,
// for hours, and who is told of it.
//
// It guarantees that nothing is read before a second person agreed, after the time is over or was ended, or by who has lost the permission since;
// that every read is in the audit log before anything of it is answered; and that everybody who was in the channel, and everybody whose messages
// were read, is told after a delay. It gives no place in the channel, and never holds a message.
package breakglass

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of break-glass reading up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "break_glass", migrations) }

// The errors of this package.
var (
	// ErrNotFound says that nobody granted this to who asks.
	ErrNotFound = errors.New("no such reading was granted to you")
	// ErrOver says that the time is over, or was ended.
	ErrOver = errors.New("the time of this reading is over")
	// ErrNotHolder says that somebody has not, or not any more, a role that reads so.
	ErrNotHolder = errors.New("none of your roles may read so")
)

// Most is for how long a channel is read at most.
const Most = 4 * time.Hour

// KindRead is the notice to who was in a channel that was read so: about request, person (who read), object (the channel) and at.
const KindRead notices.Kind = "break_glass.read"

// Pass is a reading that was granted.
type Pass struct {
	Ask     id.Ask
	Person  id.Person
	Channel id.Channel
	Until   time.Time
	Reads   int
	EndedAt time.Time // zero: nobody ended it
	EndedBy string
}

// OpenAt tells whether it can be read by it at an instant.
func (p Pass) OpenAt(at time.Time) bool { return p.EndedAt.IsZero() && at.Before(p.Until) }

// Engine is a kind of request, and what comes of it. Its methods may be called at the same time, on several nodes.
type Engine struct {
	DB *db.DB
	// Decides answers what the policy says of such requests; false where it says nothing.
	Decides func(tx *db.Tx) (policies.Approval, bool, error)
	// Holders answers who has a role of administrators for the whole organisation.
	Holders func(tx *db.Tx, role roles.Role) ([]id.Person, error)
	// Audience answers who may view a channel now.
	Audience func(channel id.Channel) iter.Seq[id.Person]
	// Cut ends the answers to a person that are under way and whose ground is gone.
	Cut   func(person id.Person)
	Delay time.Duration    // until those concerned are told
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger
}

func (e *Engine) clock() time.Time {
	if e.Now != nil {
		return e.Now().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

// holding answers the roles that may ask, decide and read.
func holding() []roles.Role {
	return slices.DeleteFunc(roles.All(), func(r roles.Role) bool { return !r.Has(roles.BreakGlassRead) })
}

// holds is ErrNotHolder where person has none of those roles, as tx sees it.
func (e *Engine) holds(tx *db.Tx, person id.Person) error {
	for _, role := range holding() {
		list, err := e.Holders(tx, role)
		if err != nil || slices.Contains(list, person) {
			return err
		}
	}
	return ErrNotHolder
}

// Rule implements approvals.Kind: of those whom the policy names only administrators decide who could ask themselves; where there is none of them,
// all of these.
func (e *Engine) Rule(tx *db.Tx, _ approvals.Request) (policies.Approval, error) {
	rule, said, err := e.Decides(tx)
	if err != nil {
		return rule, err
	}
	if !said {
		rule = policies.Approval{People: 1, LapseDays: 1}
	}
	may := func(by policies.Approver) bool {
		return by.Kind == policies.ApproverAdmins && slices.Contains(holding(), roles.Role(by.Admins))
	}
	rule.By = slices.DeleteFunc(slices.Clone(rule.By), func(by policies.Approver) bool { return !may(by) })
	if len(rule.By) == 0 {
		for _, role := range holding() {
			rule.By = append(rule.By, policies.Approver{Kind: policies.ApproverAdmins, Admins: string(role)})
		}
	}
	return rule, nil
}

// Check implements approvals.Kind.
func (e *Engine) Check(tx *db.Tx, r *approvals.Request) error {
	switch {
	case r.Minutes < 1 || time.Duration(r.Minutes)*time.Minute > Most:
		return fmt.Errorf("%w: it is for 1 to %.0f minutes", approvals.ErrInvalid, Most.Minutes())
	case r.Requester != r.Subject || r.Requester == "":
		return fmt.Errorf("%w: it is asked for by who reads", approvals.ErrInvalid)
	}
	err := e.holds(tx, r.Requester)
	if errors.Is(err, ErrNotHolder) { // to who decides: it cannot be granted any more
		err = fmt.Errorf("%w: %w", approvals.ErrNotOffered, err)
	}
	return err
}

// Stand implements approvals.Kind: nobody stands behind a channel that is read so.
func (e *Engine) Stand(*db.Tx, approvals.Request, policies.ApproverKind) ([]id.Person, error) {
	return nil, nil
}

// Grant implements approvals.Kind.
func (e *Engine) Grant(ctx context.Context, _ directory.Cause, r approvals.Request, also func(*db.Tx) ([]audit.Record, error)) error {
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		records, err := also(tx)
		if err != nil {
			return err
		}
		if err := grant(tx, r); err != nil {
			return err
		}
		return audit.Append(tx, records...)
	})
}
