package main

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// directoryAPI is the directory's HTTP side with what it asks of others: what becomes of memberships, who is administrator.
func (a *app) directoryAPI() *directory.API {
	return &directory.API{Store: a.people, PublicURL: a.cfg.PublicURL, Configured: a.cfg.configured(), Foresee: a.foresee, Health: a.health, Naming: a.namingRules, Scoped: a.scopedRoles, PlanUnits: a.planUnits,
		Admins: func(ctx context.Context) ([]id.Person, error) {
			admins, err := a.door.Admins(ctx)
			var out []id.Person
			for _, one := range admins {
				out = append(out, one.Person)
			}
			return slices.Compact(slices.Sorted(slices.Values(out))), err
		},
	}
}

// foresee answers, on the state that tx sees, what becomes of the memberships of these people.
func (a *app) foresee(tx *db.Tx, people []id.Person) ([]directory.MembershipChange, error) {
	changes, err := a.access.Foresee(tx, people)
	out := make([]directory.MembershipChange, len(changes))
	for i, c := range changes {
		out[i] = directory.MembershipChange{Person: c.Person, Group: c.Group, Op: string(c.Op), Role: string(c.Role), FromRole: string(c.Before),
			Cause: string(c.Cause), Reasons: c.Reasons, At: c.At}
	}
	return out, err
}

// mergedFollower lets the account of a person who was merged into another sign in as that one: the subject is looked for anew. Who stays keeps the
// subject they had, unless they had no access before: then theirs was the account of their time before.
func (a *app) mergedFollower() feed.Follower {
	return feed.Follower{Name: "merged", Linger: 20 * time.Millisecond, Closes: true, HandleTx: func(_ context.Context, tx *db.Tx, events []feed.Event) error {
		var gone, people []id.Person
		for _, e := range events {
			if e.Kind != "person.merged" {
				continue
			}
			var data struct {
				Into id.Person
				Idle bool
			}
			if err := json.Unmarshal(e.Data, &data); err != nil {
				return err
			}
			gone, people = append(gone, id.Person(e.Subject)), append(people, id.Person(e.Subject))
			if data.Idle {
				people = append(people, data.Into)
			}
		}
		if len(people) == 0 {
			return nil
		}
		if err := a.door.ForgetTx(tx, people...); err != nil {
			return err
		}
		return a.door.EndPersonTx(tx, "system", "merged", gone...)
	}}
}
