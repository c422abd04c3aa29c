package guests

import (
	"context"
	"encoding/json"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Follower ends the guest in whom an administrator has found somebody who works here: their places are the rules' from then on.
func (e *Engine) Follower() feed.Follower {
	return feed.Follower{Name: "guests", Handle: func(ctx context.Context, events []feed.Event) error {
		var people []id.Person
		for _, event := range events {
			if event.Kind != "person.merged" {
				continue
			}
			var data struct{ Into id.Person }
			if err := json.Unmarshal(event.Data, &data); err != nil {
				return err
			}
			people = append(people, id.Person(event.Subject), data.Into)
		}
		return e.joined(ctx, people)
	}}
}

// joined ends the guests among these people whom a source knows as somebody who works here.
func (e *Engine) joined(ctx context.Context, people []id.Person) error {
	list, err := e.goingBy(ctx, people)
	if err != nil || len(list) == 0 {
		return err
	}
	facts, err := e.factsOf(ctx, list)
	if err != nil {
		return err
	}
	for _, g := range list {
		if !facts[g.Person].Guest {
			if err := e.End(ctx, directory.Cause{Actor: "system", Reason: "works here now"}, g.ID); err != nil {
				return err
			}
		}
	}
	return nil
}
