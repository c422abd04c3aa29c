// Package erasure takes away for ever who somebody was who has left: after a preview, by two administrators, and never under a legal hold.
//
// It guarantees that everything goes in one transaction or nothing does, that the id, the memberships and the messages stay, and that what is
// needed to know somebody again is kept as keyed hashes alone. It decides no access.
package erasure

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of erasures and legal holds up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "erasure", migrations) }

// The errors of this package.
var (
	ErrHeld     = errors.New("a legal hold keeps what is known of this person")
	ErrOthers   = errors.New("a legal hold on somebody else keeps word for word what names this person")
	ErrRetained = errors.New("the time for which what is known of this person is kept is not over")
	ErrNotAsked = errors.New("nobody asked for this person to be erased, or too long ago")
	ErrSame     = errors.New("another administrator than the one who asked has to agree")
	ErrNobody   = errors.New("this wants an administrator who is a person")
	ErrNoHold   = errors.New("there is no legal hold on this person")
	ErrReason   = errors.New("a legal hold needs its reason")
	ErrAlone    = errors.New("the policy says who agrees to this: who asked for it asks them")
)

// Cases is this package's part of the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{
		{Err: ErrHeld, Status: http.StatusConflict, Code: "legal_hold"},
		{Err: ErrOthers, Status: http.StatusConflict, Code: "legal_hold_of_another"},
		{Err: ErrRetained, Status: http.StatusConflict, Code: "retained"},
		{Err: ErrNotAsked, Status: http.StatusConflict, Code: "not_asked"},
		{Err: ErrSame, Status: http.StatusForbidden, Code: "same_person"},
		{Err: ErrNobody, Status: http.StatusForbidden, Code: "nobody"},
		{Err: ErrNoHold, Status: http.StatusNotFound, Code: "no_legal_hold"},
		{Err: ErrReason, Status: http.StatusUnprocessableEntity, Code: "reason_missing"},
		{Err: ErrAlone, Status: http.StatusConflict, Code: "needs_approval"},
		{Err: directory.ErrHere, Status: http.StatusConflict, Code: "still_here"},
		{Err: directory.ErrErased, Status: http.StatusConflict, Code: "erased"},
	}
}

// lapse is how long a request waits for a second administrator.
const lapse = 14 * 24 * time.Hour

// Part erases what one package keeps of somebody, and answers how much that was.
type Part struct {
	Kind  string
	Erase func(tx *db.Tx, e directory.Erased) (int64, error)
	Count func(ctx context.Context, e directory.Erased) (int64, error) // for a preview, while others write; nil: Erase is tried
	// Naming answers how much of what is kept of these others it would erase; nil: nothing.
	Naming func(tx *db.Tx, e directory.Erased, others []id.Person) (int64, error)
	// Others is Naming for a preview, of a Part with Count; others are ids of all that is theirs.
	Others func(ctx context.Context, e directory.Erased, others []string) (bool, error)
	// OthersIn is Others in the moment of erasing.
	OthersIn func(tx *db.Tx, e directory.Erased, others []string) (bool, error)
}

// Engine erases. Its fields are set once.
type Engine struct {
	DB        *db.DB
	Directory *directory.Store
	Parts     []Part
	Before    func(context.Context) error // has others write what they still hold; nil: nothing
	After     time.Duration               // how long what is known is kept after somebody left
	Messages  bool                        // one of Parts empties what they wrote
	Asks      *approvals.Engine           // has others agree: Retention is its kind
	Permits   func(tx *db.Tx, person id.Person, permission roles.Permission) (bool, error)
	Decides   func(tx *db.Tx) (policies.Approval, bool, error) // what the policy says of who agrees; false where it says nothing
	Now       func() time.Time                                 // nil: time.Now
	Log       *slog.Logger
}

// Request is that somebody is to be erased, or was.
type Request struct {
	ID          id.Erasure
	Person      id.Person
	AskedBy     id.Person
	AskedAt     time.Time
	LapsesAt    time.Time
	ConfirmedBy id.Person
	DoneAt      time.Time
	Erased      map[string]int64
}

func (e *Engine) clock() time.Time {
	if e.Now != nil {
		return e.Now().UTC()
	}
	return time.Now().UTC()
}

// About answers whom an erasure or a legal hold is about; empty where there is no such thing.
func (e *Engine) About(ctx context.Context, object string) (person id.Person, err error) {
	if err := e.DB.Read(ctx).Raw("select person from erasures where id = ? union select person from legal_holds where id = ?", object, object).Scan(&person).Error; err != nil {
		return "", fmt.Errorf("read erasures: %w", err)
	}
	return person, nil
}

// about answers the erasures and legal holds of people: what is said where others are asked about them is about these people, in whatever words.
func about(tx *db.Tx, people []id.Person) (out []string, err error) {
	if err := tx.Raw("select id from erasures where person in ? union select id from legal_holds where person in ?", people, people).Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("read erasures: %w", err)
	}
	return out, nil
}

// Preview answers how much would be erased, by kind, and writes nothing.
func (e *Engine) Preview(ctx context.Context, cause directory.Cause, person id.Person) (map[string]int64, error) {
	if err := e.ripe(ctx, person); err != nil {
		return nil, err
	}
	counts, whom := map[string]int64{}, directory.Erased{}
	var others []string
	before := func(tx *db.Tx, of directory.Erased) (err error) {
		if of.About, err = about(tx, of.People); err == nil {
			others, err = e.free(ctx, tx, of)
		}
		return err
	}
	_, err := e.Directory.Try(ctx, cause, func(*db.Tx) error { return nil }, directory.ErasePerson{Person: person, Before: before, Also: func(tx *db.Tx, of directory.Erased) (map[string]int64, error) {
		var err error
		if of.About, err = about(tx, of.People); err != nil {
			return nil, err
		}
		whom = of
		counts, err = e.parts(tx, of, func(p Part) bool { return p.Count == nil })
		return counts, err
	}})
	if err != nil || whom.Person == "" {
		return counts, inner(err)
	}
	for _, part := range e.Parts {
		if part.Count == nil {
			continue
		}
		if part.Others != nil && len(others) > 0 {
			if keeps, err := part.Others(ctx, whom, others); err != nil || keeps {
				return nil, cmp.Or(err, ErrOthers)
			}
		}
		n, err := part.Count(ctx, whom)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", part.Kind, err)
		}
		if n > 0 {
			counts[part.Kind] += n
		}
	}
	return counts, nil
}

// inner takes the place of a change off an error: there is one change.
func inner(err error) error {
	var change *directory.ChangeError
	if errors.As(err, &change) {
		return change.Err
	}
	return err
}

// ripe refuses whom nobody may erase yet.
func (e *Engine) ripe(ctx context.Context, person id.Person) error {
	p, err := e.Directory.Person(ctx, person)
	if err != nil || p.Status == directory.StatusAnonymised {
		return err
	}
	if p.Status != directory.StatusTerminated {
		return directory.ErrHere
	}
	standing, err := e.Directory.StandingFreezes(ctx, []id.Person{person})
	if err != nil {
		return err
	}
	var left time.Time
	for _, f := range standing[person] {
		if f.Cause != directory.CauseDeleted && f.Cause != directory.CauseEnded || !f.OpenAt(e.clock()) {
			continue
		}
		at := f.CreatedAt
		if f.From.After(at) {
			at = f.From
		}
		if at.After(left) {
			left = at
		}
	}
	if until := left.Add(e.After); e.clock().Before(until) {
		return fmt.Errorf("%w: until %s", ErrRetained, until.Format(time.RFC3339))
	}
	return nil
}

func (e *Engine) parts(tx *db.Tx, of directory.Erased, which func(Part) bool) (map[string]int64, error) {
	counts := maps.Clone(of.Counts)
	for _, part := range e.Parts {
		if !which(part) {
			continue
		}
		n, err := part.Erase(tx, of)
		if err != nil {
			return nil, fmt.Errorf("erase %s: %w", part.Kind, err)
		}
		counts[part.Kind] += n
	}
	named, args := tx.Contains("reason", of.Words)
	said := tx.Exec("update legal_holds set reason = '' where reason <> '' and lifted_at is not null and (person in ? or "+named+")", append([]any{of.People}, args...)...)
	counts["legal_holds"] = said.RowsAffected
	maps.DeleteFunc(counts, func(_ string, n int64) bool { return n == 0 })
	return counts, said.Error
}

// Ask asks for somebody to be erased; another administrator has to agree (Confirm). Asking again while it waits, or once it is done, is no change.
func (e *Engine) Ask(ctx context.Context, cause directory.Cause, by, person id.Person) (Request, error) {
	if by == "" {
		return Request{}, ErrNobody
	}
	if err := e.ripe(ctx, person); err != nil {
		return Request{}, err
	}
	now := e.clock()
	var out Request
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := lock(tx, person); err != nil {
			return err
		}
		var err error
		if out, err = done(tx, person); err == nil || !errors.Is(err, ErrNotAsked) {
			return err
		}
		if err := held(tx, person); err != nil {
			return err
		}
		if out, err = open(tx, person, now); err == nil || !errors.Is(err, ErrNotAsked) {
			return err
		}
		if err := tx.Exec("update erasures set closed_at = ? where person = ? and closed_at is null", db.At(now), person).Error; err != nil {
			return err
		}
		out = Request{ID: id.New[id.Erasure](), Person: person, AskedBy: by, AskedAt: now, LapsesAt: now.Add(lapse)}
		if err := tx.Exec("insert into erasures (id, person, asked_by, asked_at, lapses_at, confirmed_by, erased) values (?, ?, ?, ?, ?, '', '{}')",
			out.ID, person, by, db.At(now), db.At(out.LapsesAt)).Error; err != nil {
			return fmt.Errorf("write erasure: %w", err)
		}
		return audit.Append(tx, audit.Record{At: now, Actor: actor(cause), Action: "erasure.requested", Subject: string(person), RequestID: string(cause.Request),
			Public: map[string]any{"erasure": string(out.ID)}})
	})
	return out, err
}

// Withdraw takes a request back. Where none waits it is no change.
func (e *Engine) Withdraw(ctx context.Context, cause directory.Cause, person id.Person) error {
	return e.DB.Tx(ctx, func(tx *db.Tx) error { return e.withdraw(tx, cause, person) })
}

func (e *Engine) withdraw(tx *db.Tx, cause directory.Cause, person id.Person) error {
	var waits []string
	if err := tx.Raw("update erasures set closed_at = ? where person = ? and closed_at is null returning id", db.At(e.clock()), person).Scan(&waits).Error; err != nil || len(waits) == 0 {
		return err
	}
	for _, erasure := range waits {
		if err := e.Asks.CloseAbout(tx, policies.ApproveRetention, erasure); err != nil {
			return err
		}
	}
	return audit.Append(tx, audit.Record{At: e.clock(), Actor: actor(cause), Action: "erasure.withdrawn", Subject: string(person), RequestID: string(cause.Request)})
}

// Confirm erases whom another administrator asked to erase, for ever, or agrees to that where several have to: then what is answered still waits. It may be made again
// where it was cut off: what is done is not done twice.
func (e *Engine) Confirm(ctx context.Context, cause directory.Cause, by, person id.Person) (Request, error) {
	if by == "" {
		return Request{}, ErrNobody
	}
	last, err := e.Last(ctx, person)
	switch {
	case err != nil:
		return Request{}, err
	case last != nil && !last.DoneAt.IsZero():
		return *last, e.scrub(ctx)
	case last != nil && last.AskedBy != by:
		if agreed, err := e.agree(ctx, cause, by, string(last.ID)); err != nil {
			return Request{}, inner(err)
		} else if agreed {
			if last, err = e.Last(ctx, person); err != nil || last == nil {
				return Request{}, cmp.Or(err, ErrNotAsked)
			}
			return *last, nil
		}
	}
	return e.erase(ctx, cause, by, person, "", nil)
}

// erase does what Confirm says, where ask is empty by the second administrator alone, else by agreement to what ask names; also notes that, in the same transaction.
func (e *Engine) erase(ctx context.Context, cause directory.Cause, by, person id.Person, ask id.Erasure, also func(*db.Tx) ([]audit.Record, error)) (Request, error) {
	if err := e.ripe(ctx, person); err != nil {
		return Request{}, err
	}
	if e.Before != nil {
		if err := e.Before(ctx); err != nil {
			return Request{}, err
		}
	}
	var out Request
	before := func(tx *db.Tx, of directory.Erased) error {
		if err := errors.Join(lock(tx, holdsLock), lock(tx, person)); err != nil {
			return err
		}
		var others []string
		var err error
		if of.About, err = about(tx, of.People); err == nil {
			others, err = e.free(ctx, tx, of)
		}
		for _, part := range e.Parts {
			if err != nil || part.OthersIn == nil || len(others) == 0 {
				continue
			}
			var keeps bool
			if keeps, err = part.OthersIn(tx, of, others); keeps {
				err = ErrOthers
			}
		}
		return err
	}
	_, err := e.Directory.Apply(ctx, cause, directory.ErasePerson{Person: person, Before: before, Also: func(tx *db.Tx, of directory.Erased) (map[string]int64, error) {
		var err error
		if out, err = open(tx, person, e.clock()); err != nil {
			return nil, err
		}
		if out.AskedBy == by {
			return nil, ErrSame
		}
		if ask != "" && out.ID != ask {
			return nil, ErrNotAsked
		}
		note := also
		if note == nil {
			note = e.alone(string(out.ID))
		}
		records, err := note(tx)
		if err == nil {
			err = audit.Append(tx, records...) // before the log forgets what names them
		}
		if err == nil {
			of.About, err = about(tx, of.People)
		}
		if err != nil {
			return nil, err
		}
		if out.Erased, err = e.parts(tx, of, func(Part) bool { return true }); err != nil {
			return nil, err
		}
		out.ConfirmedBy, out.DoneAt = by, e.clock()
		return out.Erased, tx.Exec("update erasures set confirmed_by = ?, done_at = ?, closed_at = ?, erased = ? where id = ?", by, db.At(out.DoneAt), db.At(out.DoneAt),
			db.JSON[map[string]int64]{V: out.Erased}, out.ID).Error
	}})
	if err != nil {
		return Request{}, inner(err)
	}
	if err := e.scrub(ctx); err != nil {
		e.Log.WarnContext(ctx, "what was erased is still in the files: it is tried again", "error", err)
	}
	return out, nil
}
