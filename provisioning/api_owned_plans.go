package provisioning

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// OwnedPlan is what an owner of project groups is shown of a plan that is not in force: what it would do to these groups at once.
type OwnedPlan struct {
	ID        id.Plan     `json:"id"`
	CreatedAt time.Time   `json:"created_at"`
	Author    PersonRef   `json:"author" doc:"who made it; no name where it was no person"`
	At        time.Time   `json:"at,omitzero" doc:"when it is to be applied, where that is known"`
	Groups    []OwnedPart `json:"groups" nullable:"false"`
}

// OwnedPart is what a plan would do to one project group of the caller.
type OwnedPart struct {
	Group   id.Group `json:"group"`
	Key     string   `json:"key"`
	People  int      `json:"people"`
	Added   int      `json:"added"`
	Removed int      `json:"removed"`
	Changed int      `json:"changed" doc:"who would have another role, see other channels, or be there for another reason"`
}

// OwnedPlansOutput answers plans, the newest first.
type OwnedPlansOutput struct {
	Body struct {
		Items []OwnedPlan `json:"items" nullable:"false"`
	}
}

// ownedPlansMost bounds how many open plans are looked at.
const ownedPlansMost = 50

// ownedKeys answers the groups that the caller owns, by their keys.
func (a *API) ownedKeys(ctx context.Context) (map[string]id.Group, error) {
	owned, err := a.Reactor.OwnedGroups(ctx, httpapi.CallerFrom(ctx).Person)
	if err != nil {
		return nil, err
	}
	out := map[string]id.Group{}
	for _, group := range owned {
		g, err := a.Reactor.Group(ctx, group)
		if err != nil {
			return nil, err
		}
		out[g.Key] = g.ID
	}
	return out, nil
}

// OwnedPlans answers GET /api/v1/me/plans: the plans that would change who is in a project group of the caller. Nothing of what is to come of
// people is among it, whoever the caller is.
func (a *API) OwnedPlans(ctx context.Context, _ *struct{}) (*OwnedPlansOutput, error) {
	out := &OwnedPlansOutput{}
	out.Body.Items = []OwnedPlan{}
	owned, err := a.ownedKeys(ctx)
	if err != nil || len(owned) == 0 {
		return out, err
	}
	list, err := a.Reactor.Plans(ctx, "open", "", ownedPlansMost)
	if err != nil {
		return nil, err
	}
	var authors []id.Person
	for _, item := range list {
		if item.present == nil {
			continue
		}
		one := OwnedPlan{ID: item.ID, CreatedAt: item.CreatedAt, Author: PersonRef{ID: id.Person(item.Author)}}
		if item.Schedule != nil && item.Schedule.State == ScheduleWaiting {
			one.At = item.Schedule.At
		}
		for _, t := range item.present.Groups {
			if group, own := owned[t.Name]; own && t.People > 0 {
				one.Groups = append(one.Groups, OwnedPart{group, t.Name, t.People, t.Added, t.Removed, t.Changed})
			}
		}
		if len(one.Groups) > 0 {
			authors, out.Body.Items = append(authors, one.Author.ID), append(out.Body.Items, one)
		}
	}
	names, err := a.names(ctx, authors)
	for i, one := range out.Body.Items {
		out.Body.Items[i].Author.DisplayName = names[one.Author.ID]
	}
	return out, err
}

// OwnedChangesInput names a plan, one of the caller's groups, and a page.
type OwnedChangesInput struct {
	ID    id.Plan  `path:"id"`
	Group id.Group `query:"group" required:"true" doc:"one that the caller owns"`
	httpapi.Paging
}

// OwnedChange is what a plan would do to somebody in a group of the caller.
type OwnedChange struct {
	Person PersonRef `json:"person"`
	Op     Op        `json:"op"`
	Before string    `json:"before,omitempty" doc:"the role now"`
	Role   string    `json:"role" doc:"the role then, or the one that is lost"`
	Ground Ground    `json:"ground" doc:"what of the policy changes it"`
	Gains  []string  `json:"gains" nullable:"false" doc:"keys of channels that the person sees then"`
	Loses  []string  `json:"loses" nullable:"false"`
}

// OwnedChanges answers GET /api/v1/me/plans/{id}: whom it would bring into a group of the caller, take out of it or give another role.
// ErrNotFound for a group of somebody else's and for a plan that is in force.
func (a *API) OwnedChanges(ctx context.Context, in *OwnedChangesInput) (*httpapi.Page[OwnedChange], error) {
	first := 0
	if _, err := httpapi.DecodeCursor(in.Cursor, &first); err != nil {
		return nil, err
	}
	owned, err := a.ownedKeys(ctx)
	if err != nil {
		return nil, err
	}
	key := ""
	for k, group := range owned {
		if group == in.Group {
			key = k
		}
	}
	if key == "" {
		return nil, fmt.Errorf("group %s: %w", in.Group, ErrNotFound)
	}
	p, err := a.Reactor.Plan(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if p.Applied || p.present == nil || !slices.ContainsFunc(p.present.Groups, func(t Tally) bool { return t.Name == key }) {
		return nil, fmt.Errorf("plan %s: %w", in.ID, ErrNotFound)
	}
	page, err := a.planOutput(ctx, p, PlanQuery{Group: key, First: first, Limit: in.Limit, AtOnce: true})
	if err != nil {
		return nil, err
	}
	items := []OwnedChange{}
	for _, c := range page.Body.Changes {
		items = append(items, OwnedChange{Person: PersonRef{c.Person, c.PersonName}, Op: c.Op, Before: string(c.Before), Role: string(c.Role), Ground: c.Ground, Gains: c.Gains, Loses: c.Loses})
	}
	return httpapi.NewPage(ctx, items, page.Body.Next), nil
}
