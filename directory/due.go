package directory

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// dueRow is when somebody is looked at next.
type dueRow struct {
	person id.Person
	at     db.Instant
}

// due notes the instants that have passed since a person was last looked at: what the records planned for them is in
// force since each of them, and is written now. It answers the next one.
func (w *work) due(s *subject) time.Time {
	list := boundaries(s.records, s.standing)
	if last := s.old.DueAt.Time; !s.fresh && !last.IsZero() && !last.After(w.now) {
		var noted boundary
		for _, b := range list {
			if b.at.Before(last) || b.at.After(w.now) || b == noted {
				continue
			}
			noted = b
			w.note("person.effective", string(s.id), nil, map[string]any{"what": b.what, "effective_at": moment(b.at), "applied_at": moment(w.now)})
		}
		w.differs(s.id, "status")
	}
	return next(append(list, w.consoleBoundaries(s)...), w.now)
}

// consoleBoundaries answers the instants of the freezes that this call sets.
func (w *work) consoleBoundaries(s *subject) []boundary {
	var set []Freeze
	for _, op := range w.console {
		if op.person != s.id {
			continue
		}
		switch c := op.change.(type) {
		case FreezePerson:
			set = append(set, Freeze{Slot: SlotSecurity, Until: micro(c.Until)})
		case EndPerson:
			set = append(set, Freeze{Slot: SlotEnded, From: micro(c.At)})
		case Terminate:
			set = append(set, w.vetoOf(c))
		}
	}
	return boundaries(nil, set)
}

// duePart is how many people one step of Catch looks at.
const duePart = 200

// wakeMost is how long WatchInstants sleeps at most: another node may have written a nearer instant.
const wakeMost = time.Second

// CatchInstants writes what has come into force by itself since people were last looked at: attributes, events, and
// in the audit log when it was in force and when it was written. Nobody's access waits for it. It answers how many people
// were due and when the next is; several nodes may do it at once.
func (s *Store) CatchInstants(ctx context.Context) (people int, next time.Time, err error) {
	if err := s.settleDue(ctx); err != nil {
		return people, next, err
	}
	for {
		var due []id.Person
		if err := s.db.Read(ctx).Raw("select id from persons where due_at is not null and due_at <= ? order by due_at, id limit ?", s.clock().UnixMicro(), duePart).Scan(&due).Error; err != nil {
			return people, next, fmt.Errorf("read due people: %w", err)
		}
		if len(due) == 0 {
			break
		}
		applied, err := s.Apply(ctx, Cause{}, RefreshPeople{People: due})
		if err != nil {
			return people, next, fmt.Errorf("write what came into force: %w", err)
		}
		if people += len(due); applied.Noop { // another node was faster, or the clock was set back
			break
		}
	}
	var first db.Instant
	err = s.db.Read(ctx).Raw("select min(due_at) from persons where due_at is not null").Row().Scan(&first)
	if err != nil {
		return people, next, fmt.Errorf("read due people: %w", err)
	}
	return people, first.Time, nil
}

// WatchInstants has CatchInstants run at each instant until ctx ends. A person who cannot be written holds the others up until
// that is mended, and nobody's access.
func (s *Store) WatchInstants(ctx context.Context) error {
	for {
		people, next, err := s.CatchInstants(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			s.log.ErrorContext(ctx, "what came into force was not written", "error", err)
		case people > 0:
			s.log.InfoContext(ctx, "written what came into force", slog.Int("people", people))
		}
		wait := wakeMost
		if left := next.Sub(s.clock()); err == nil && !next.IsZero() {
			wait = min(max(left, time.Millisecond), wakeMost)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
