package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// OwnedGroups answers the project groups that the policy has and that person owns now, by a reason that is in force.
func (r *Reactor) OwnedGroups(ctx context.Context, person id.Person) ([]id.Group, error) {
	c, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	found, err := loadMemberships(r.db.Read(ctx), []id.Person{person})
	if err != nil {
		return nil, err
	}
	var out []id.Group
	now := r.clock()
	for _, m := range found[person] {
		if c.live(m.Group) && anyOpen(m.Reasons, now) && roleAt(m.Reasons, now) == policies.Owner {
			out = append(out, m.Group)
		}
	}
	slices.Sort(out)
	return out, nil
}

// reachChannel is ErrNotFound where channel lies outside of the caller's scope, as for one that there is not.
func (a *API) reachChannel(ctx context.Context, channel id.Channel) error {
	scope := httpapi.ScopeFrom(ctx)
	if scope.All {
		return nil
	}
	c, err := a.Reactor.Channel(ctx, channel)
	if err == nil && (c.Kind != KindProject || !scope.Group(c.Group)) {
		err = fmt.Errorf("channel %s: %w", channel, ErrNotFound)
	}
	return err
}

// reachPlace is ErrNotFound where a person in a channel lies outside of the caller's scope: neither is the person of their units, nor the
// channel of a group of theirs in which the person has a place.
func (a *API) reachPlace(ctx context.Context, person id.Person, channel id.Channel) error {
	scope := httpapi.ScopeFrom(ctx)
	err := a.Directory.Reaches(ctx, scope, person)
	if err == nil || !errors.Is(err, directory.ErrNotFound) || len(scope.Groups) == 0 {
		return err
	}
	c, wrong := a.Reactor.Channel(ctx, channel)
	if wrong != nil && !errors.Is(wrong, ErrNotFound) {
		return wrong
	}
	if wrong != nil || c.Kind != KindProject || !scope.Group(c.Group) {
		return err
	}
	found, wrong := loadMemberships(a.Reactor.db.Read(ctx), []id.Person{person})
	if wrong != nil {
		return wrong
	}
	places := slices.DeleteFunc(found[person], func(m Membership) bool { return m.Group != c.Group })
	told, wrong := a.Reactor.disclosed(ctx, directory.SightOf(ctx), places)
	if wrong != nil {
		return wrong
	}
	if len(told) > 0 {
		return nil
	}
	return err
}
