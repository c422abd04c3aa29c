package guests

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/handover"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// KindGuest is a guest, as a thing that somebody answers for.
const KindGuest = "guest"

const (
	unsponsoredFor = 14 * 24 * time.Hour // how long a guest goes on whom nobody has taken over since the sponsor left
	idleFor        = 30 * 24 * time.Hour // how long one goes on who is not seen
)

// The notices to who answers for a guest: about person, guest, company, and at.
const (
	KindIdle        notices.Kind = "guest.idle"        // kept out, because they were not seen for long
	KindUnsponsored notices.Kind = "guest.unsponsored" // kept out, because nobody took them over
	KindAsks        notices.Kind = "guest.asks"        // they ask to stay longer
)

// Suspension is why one guest alone is kept out.
type Suspension string

// The suspensions.
const (
	ByAdmin     Suspension = ""            // an administrator said so: only one lets them in again
	Idle        Suspension = "idle"        // who answers for them lets them in again
	Unsponsored Suspension = "unsponsored" // whoever takes them over does
)

// Sponsored makes guests things that somebody answers for: the sponsor, and whoever it was offered to while they cannot. The manager is asked, and then the administrators; until then the owner of the company
// answers. Who accepts is the sponsor from then on.
type Sponsored struct{ Engine *Engine }

// Things implements handover.Owned.
func (s Sponsored) Things(ctx context.Context, ids []string) ([]handover.Thing, error) {
	list, err := s.Engine.sponsored(ctx, ids)
	out := make([]handover.Thing, len(list))
	for i, g := range list {
		out[i] = handover.Thing{ID: string(g.ID), Former: g.Sponsor, Owners: []handover.Stand{{Person: g.Sponsor, Otherwise: true}}, Successors: []policies.Successor{{Kind: policies.SuccessorManager}}}
		if g.keeper != "" {
			out[i].Owners = append(out[i].Owners, handover.Stand{Person: g.keeper, Refs: []string{g.keeperRef}})
		}
	}
	return out, err
}

// Of implements handover.Owned.
func (s Sponsored) Of(ctx context.Context, people []id.Person) ([]string, error) {
	return s.Engine.sponsoredBy(ctx, people)
}

// Move implements handover.Owned.
func (s Sponsored) Move(ctx context.Context, _ directory.Cause, c handover.Change, also func(*db.Tx) ([]audit.Record, error)) error {
	return s.Engine.DB.Tx(ctx, func(tx *db.Tx) error {
		if c.From != "" {
			if err := tx.Exec("update guests set keeper = '', keeper_ref = '' where id = ? and keeper_ref = ?", c.Thing, c.FromRef).Error; err != nil {
				return fmt.Errorf("write guest: %w", err)
			}
		}
		if c.To != "" {
			if err := tx.Exec("update guests set keeper = ?, keeper_ref = ? where id = ?", c.To, c.ToRef, c.Thing).Error; err != nil {
				return fmt.Errorf("write guest: %w", err)
			}
		}
		return and(tx, also)
	})
}

// Suspend implements handover.Owned: a guest goes on for unsponsoredFor.
func (s Sponsored) Suspend(ctx context.Context, _ directory.Cause, _ string, also func(*db.Tx) ([]audit.Record, error)) error {
	return s.Engine.DB.Tx(ctx, func(tx *db.Tx) error { return and(tx, also) })
}

func and(tx *db.Tx, also func(*db.Tx) ([]audit.Record, error)) error {
	if also == nil {
		return nil
	}
	records, err := also(tx)
	if err != nil {
		return err
	}
	return audit.Append(tx, records...)
}

// Taken implements handover.Taker.
func (s Sponsored) Taken(tx *db.Tx, thing string, by id.Person) error {
	if _, err := lock(tx); err != nil {
		return err
	}
	if err := tx.Exec("update guests set sponsor = ?, keeper = '', keeper_ref = '' where id = ?", by, thing).Error; err != nil {
		return fmt.Errorf("write guest: %w", err)
	}
	back := tx.Exec("update guests set suspended_at = null, suspended_for = '', awake_at = ? where id = ? and suspended_for = ?", db.At(s.Engine.clock()), thing, Unsponsored)
	if back.Error != nil {
		return fmt.Errorf("write guest: %w", back.Error)
	}
	if back.RowsAffected > 0 {
		tx.AfterCommit(s.Engine.tends.ring)
	}
	return nil
}

// unsponsored keeps out whom nobody has taken over for unsponsoredFor since who answered for them left. A sponsor who is on leave, or whom a source misses, has not left.
func (e *Engine) unsponsored(ctx context.Context) error {
	if e.Untaken == nil {
		return nil
	}
	things, err := e.Untaken(ctx, e.clock().Add(-unsponsoredFor))
	if err != nil || len(things) == 0 {
		return err
	}
	list, err := e.sponsored(ctx, things)
	if err != nil {
		return err
	}
	for _, g := range list {
		p, err := e.Directory.Person(ctx, g.Sponsor)
		if err != nil {
			return err
		}
		if !g.SuspendedAt.IsZero() || p.Status == directory.StatusLeave || p.Absent || handover.Able(p) {
			continue
		}
		if err := e.rest(ctx, g, Unsponsored, KindUnsponsored); err != nil {
			return err
		}
	}
	return nil
}

// idle keeps out whom nobody has seen for idleFor since they were let in last. While something else keeps them out nobody could.
func (e *Engine) idle(ctx context.Context) error {
	if e.Seen == nil {
		return nil
	}
	since := e.clock().Add(-idleFor)
	list, err := e.dozing(ctx, since)
	if err != nil || len(list) == 0 {
		return err
	}
	seen, err := e.Seen(ctx, peopleOf(list))
	if err != nil {
		return err
	}
	for _, g := range list {
		if seen[g.Person].After(since) {
			continue
		}
		if err := e.rest(ctx, g, Idle, KindIdle); err != nil {
			return err
		}
	}
	return nil
}

// rest keeps one out, and tells who answers for them.
func (e *Engine) rest(ctx context.Context, g Guest, why Suspension, kind notices.Kind) error {
	to, err := e.answersFor(ctx, g)
	if err != nil {
		return err
	}
	return e.suspendGuest(ctx, directory.Cause{}, g.ID, false, why, func(tx *db.Tx) error { return e.tell(tx, to.ID, kind, g) })
}

func (e *Engine) tell(tx *db.Tx, to id.Person, kind notices.Kind, g Guest) error {
	c, err := company(tx.DB, string(g.Company))
	if err != nil {
		return err
	}
	return notices.Tell(tx, notices.Notice{Person: to, Kind: kind, Key: string(kind) + "/" + string(g.ID), Again: true, At: e.clock(),
		About: map[string]string{"person": string(g.Person), "guest": string(g.ID), "company": c.Key, "at": g.Until().Format(time.RFC3339)}})
}

// Wake lets a guest in again who was kept out because they were not seen for long; what else keeps them out stays. ErrNotSponsor where an administrator keeps them out, ErrOver.
func (e *Engine) Wake(ctx context.Context, cause directory.Cause, guest id.Guest) error {
	g, err := e.Guest(ctx, guest)
	switch {
	case err != nil:
		return err
	case !g.Runs(e.clock()):
		return fmt.Errorf("guest %s: %w: invite them again", guest, ErrOver)
	case !g.SuspendedAt.IsZero() && g.SuspendedFor != Idle:
		return fmt.Errorf("guest %s was suspended by an administrator, or has nobody who answers for them: %w", guest, ErrNotSponsor)
	}
	return e.suspendGuest(ctx, cause, guest, true, Idle, nil)
}

// AskToStay tells who answers for the guest whom a person is that they ask to stay longer, once a day. It lengthens nothing. ErrNotFound for who is no guest whose time runs.
func (e *Engine) AskToStay(ctx context.Context, person id.Person) error {
	g, to, err := e.Stay(ctx, person)
	if err != nil {
		return err
	}
	return e.DB.Tx(ctx, func(tx *db.Tx) error { return e.tell(tx, to.ID, KindAsks, g) })
}

// Stay answers the guest whom a person is, and who answers for them; ErrNotFound.
func (e *Engine) Stay(ctx context.Context, person id.Person) (Guest, directory.Person, error) {
	g, err := e.guestOf(ctx, person)
	if err != nil {
		return Guest{}, directory.Person{}, err
	}
	to, err := e.answersFor(ctx, g)
	return g, to, err
}
