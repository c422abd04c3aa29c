package handover

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// toucher is an Owned that knows events about its things beside those about people.
type toucher interface {
	Touched(e feed.Event) (things []string, all bool)
}

const (
	linger = 500 * time.Millisecond // behind the changes, so that what belongs together is seen together
	every  = 5 * time.Minute        // how often everything is looked at anyway
)

// Follower looks at what the people whom an event is about answer for.
func (e *Engine) Follower() feed.Follower {
	return feed.Follower{Name: "handover", Linger: linger, Handle: func(ctx context.Context, events []feed.Event) error {
		var people []id.Person
		for _, event := range events {
			if strings.HasPrefix(event.Kind, "person.") {
				people = append(people, id.Person(event.Subject))
			}
		}
		slices.Sort(people)
		people = slices.Compact(people)
		for kind, owned := range e.Kinds {
			var things []string
			all := false
			if t, ok := owned.(toucher); ok {
				for _, event := range events {
					some, every := t.Touched(event)
					things, all = append(things, some...), all || every
				}
			}
			if all {
				if err := e.Look(ctx, kind, nil); err != nil {
					return err
				}
				continue
			}
			mine, err := e.touched(ctx, kind, owned, people)
			if err != nil {
				return err
			}
			things = append(things, mine...)
			slices.Sort(things)
			if things = slices.Compact(things); len(things) == 0 {
				continue
			}
			if err := e.Look(ctx, kind, things); err != nil {
				return err
			}
		}
		return nil
	}}
}

// touched answers the things for which people answer, or which are offered to them or came from them.
func (e *Engine) touched(ctx context.Context, kind string, owned Owned, people []id.Person) ([]string, error) {
	if len(people) == 0 {
		return nil, nil
	}
	things, err := owned.Of(ctx, people)
	if err != nil {
		return nil, err
	}
	steps, err := e.query(ctx, "kind = ? and closed_at is null and (to_person in ? or from_person in ?)", kind, people, people)
	for _, s := range steps {
		things = append(things, s.Thing)
	}
	return things, err
}

// Run looks at everything at the start and every few minutes until ctx ends: a successor who has come back is an event of nobody's thing.
func (e *Engine) Run(ctx context.Context) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		for kind := range e.Kinds {
			if err := e.Look(ctx, kind, nil); err != nil && ctx.Err() == nil {
				e.Log.ErrorContext(ctx, "looking for successors", "kind", kind, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
