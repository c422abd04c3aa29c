package handover

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

// KindGroup is a project group with its channels: whoever is its owner answers for it.
const KindGroup = "group"

// membersMost is how many members are looked at for one who can.
const membersMost = 200

// Groups makes project groups an Owned.
type Groups struct{ Reactor *provisioning.Reactor }

// Things implements Owned.
func (g Groups) Things(ctx context.Context, ids []string) ([]Thing, error) {
	var groups []id.Group
	if ids != nil {
		groups = []id.Group{}
	}
	for _, one := range ids {
		groups = append(groups, id.Group(one))
	}
	list, err := g.Reactor.Ownerships(ctx, groups)
	out := make([]Thing, len(list))
	for i, o := range list {
		out[i] = Thing{ID: string(o.Group.ID), Restricted: o.Restricted, Former: o.Former, Successors: o.Successors, Members: func(ctx context.Context, role policies.Role) ([]id.Person, error) {
			return g.Reactor.MembersSince(ctx, o.Group.ID, role, membersMost)
		}}
		for _, owner := range o.Owners {
			s := Stand{Person: owner.Person, Otherwise: owner.Ruled}
			for _, ref := range owner.Grants {
				if strings.HasPrefix(ref, "handover/") {
					s.Refs = append(s.Refs, ref)
				} else {
					s.Otherwise = true
				}
			}
			out[i].Owners = append(out[i].Owners, s)
		}
	}
	return out, err
}

// Of implements Owned.
func (g Groups) Of(ctx context.Context, people []id.Person) ([]string, error) {
	groups, err := g.Reactor.OwnedBy(ctx, people)
	out := make([]string, len(groups))
	for i, one := range groups {
		out[i] = string(one)
	}
	return out, err
}

// Move implements Owned: it is a grant of the role of owner.
func (g Groups) Move(ctx context.Context, cause directory.Cause, c Change, also func(*db.Tx) ([]audit.Record, error)) error {
	var grants []provisioning.Grant
	for _, one := range []provisioning.Grant{{Person: c.To, Ref: c.ToRef}, {Person: c.From, Ref: c.FromRef, Take: true}} {
		if one.Person != "" {
			one.Group, one.Role, one.Kind = id.Group(c.Thing), policies.Owner, provisioning.KindGrant
			grants = append(grants, one)
		}
	}
	return g.Reactor.Give(ctx, cause, grants, also)
}

// Suspend implements Owned: a group goes on without an owner while it waits for one.
func (g Groups) Suspend(ctx context.Context, cause directory.Cause, _ string, also func(*db.Tx) ([]audit.Record, error)) error {
	return g.Reactor.Give(ctx, cause, nil, also)
}

// Touched answers the groups whose owners an event may change.
func (g Groups) Touched(e feed.Event) (groups []string, all bool) {
	if e.Kind == provisioning.EventPolicyApplied {
		return nil, true
	}
	var m provisioning.MembershipEvent
	if !strings.HasPrefix(e.Kind, "membership.") || json.Unmarshal(e.Data, &m) != nil || !slices.Contains([]policies.Role{m.Role, m.Before}, policies.Owner) {
		return nil, false
	}
	return []string{string(m.Group)}, false
}
