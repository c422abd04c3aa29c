package handover

import (
	"context"
	"fmt"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Accept has a person take what was offered to them: they answer for it from now on, whoever comes back. ErrNotFound where it is not theirs,
// ErrClosed where it is over.
func (e *Engine) Accept(ctx context.Context, person id.Person, step id.Handover) error {
	s, err := e.offered(ctx, person, step)
	if err != nil {
		return err
	}
	owned, err := e.kind(s.Kind)
	if err != nil {
		return err
	}
	s.State, s.ClosedAt, s.ClosedBy = Accepted, e.clock(), string(person)
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		if taker, ok := owned.(Taker); ok {
			if err := taker.Taken(tx, s.Thing, person); err != nil {
				return err
			}
		}
		if err := closeStep(tx, s); err != nil {
			return err
		}
		return audit.Append(tx, e.record(s, string(person)))
	})
}

// Refuse has a person not take what was offered to them: it goes to the next who can, or to the administrators. Errors are those of Accept.
func (e *Engine) Refuse(ctx context.Context, person id.Person, step id.Handover) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.offered(ctx, person, step)
	if err != nil {
		return err
	}
	owned, t, known, err := e.thing(ctx, s)
	if err != nil {
		return err
	}
	return e.advance(ctx, s.Kind, owned, t, s, Refused, string(person), known)
}

func (e *Engine) offered(ctx context.Context, person id.Person, step id.Handover) (Step, error) {
	s, err := e.Step(ctx, step)
	switch {
	case err != nil:
		return s, err
	case s.To != person:
		return s, fmt.Errorf("handover %s: %w", step, ErrNotFound)
	case s.State != Offered:
		return s, fmt.Errorf("handover %s: %w", step, ErrClosed)
	}
	return s, nil
}

// thing answers what a step is about, as it is now.
func (e *Engine) thing(ctx context.Context, s Step) (Owned, Thing, people, error) {
	owned, err := e.kind(s.Kind)
	if err != nil {
		return nil, Thing{}, nil, err
	}
	list, err := owned.Things(ctx, []string{s.Thing})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s %s: %w", s.Kind, s.Thing, ErrNotFound)
	}
	if err != nil {
		return nil, Thing{}, nil, err
	}
	known := people{}
	wanted := []id.Person{s.To, s.From}
	for _, o := range list[0].Owners {
		wanted = append(wanted, o.Person)
	}
	return owned, list[0], known, e.learn(ctx, known, wanted...)
}

// Assign has an administrator say who answers for a thing that waits, or is offered to somebody else; whom they name is asked as others are.
// ErrUnable where that person has no access or is from outside, provisioning.ErrOwnDoor where whoever says so names himself for a group with restricted channels.
func (e *Engine) Assign(ctx context.Context, by directory.Cause, step id.Handover, to id.Person) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.Step(ctx, step)
	if err != nil {
		return err
	}
	if !s.open() {
		return fmt.Errorf("handover %s: %w", step, ErrClosed)
	}
	owned, _, known, err := e.thing(ctx, s)
	if err != nil {
		return err
	}
	if err := e.learn(ctx, known, to); err != nil {
		return err
	}
	out, err := e.Outsiders(ctx, []id.Person{to})
	if err != nil {
		return err
	}
	if !Able(known[to]) || out[to] {
		return fmt.Errorf("person %s: %w", to, ErrUnable)
	}
	next := Step{ID: id.New[id.Handover](), Case: s.Case, Kind: s.Kind, Thing: s.Thing, From: s.From, To: to, Why: "admin", State: Offered, OpenedAt: e.clock()}
	return e.turn(ctx, owned, s, Ended, by, next)
}

// Prospect is one thing that somebody answers for, and what would become of it if they left now.
type Prospect struct {
	Kind  string
	Thing string
	Alone bool      // nobody else who can answers for it
	To    id.Person // of what they answer for alone: who would be asked; empty: the administrators
	Why   string
}

// Foresee answers what a person answers for, and to whom it would go. It writes nothing.
func (e *Engine) Foresee(ctx context.Context, person id.Person) ([]Prospect, error) {
	var out []Prospect
	for kind, owned := range e.Kinds {
		ids, err := owned.Of(ctx, []id.Person{person})
		if err != nil {
			return nil, err
		}
		if ids == nil {
			continue
		}
		things, err := owned.Things(ctx, ids)
		if err != nil {
			return nil, err
		}
		for _, t := range things {
			p := Prospect{Kind: kind, Thing: t.ID, Alone: true}
			known := people{}
			mine := false
			for _, o := range t.Owners {
				if err := e.learn(ctx, known, o.Person); err != nil {
					return nil, err
				}
				mine = mine || o.Person == person
				p.Alone = p.Alone && (o.Person == person || !known.owns(o.Person))
			}
			if !mine {
				continue
			}
			if p.Alone {
				if p.To, p.Why, err = e.heir(ctx, kind, t, person, nil, known); err != nil {
					return nil, err
				}
			}
			out = append(out, p)
		}
	}
	return out, nil
}
