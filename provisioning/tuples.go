package provisioning

import (
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

const organisation = "org:main"

func userRef(p id.Person) string     { return "user:" + string(p) }
func groupRef(g id.Group) string     { return "project:" + string(g) }
func channelRef(c id.Channel) string { return "channel:" + string(c) }
func freezeRef(slot string) string   { return "freeze:" + slot }

// relationOf answers the relation by which a channel knows those who may do access; "" for none.
func relationOf(access policies.Access) string {
	switch access {
	case policies.Manage:
		return "manager"
	case policies.Post:
		return "writer"
	case policies.Read:
		return "reader"
	}
	return ""
}

// span is the time within which reasons give a membership: open as soon as one of them is. A rule and a
// keep are open: a rule ends when it no longer matches, and what a keep protects goes through the guard again.
func span(reasons []Reason) (from, until time.Time) {
	for i, r := range reasons {
		if r.Kind == KindRule || r.Kind == KindKeep {
			return time.Time{}, time.Time{}
		}
		if i == 0 {
			from, until = r.From, r.Until
			continue
		}
		if from.IsZero() || r.From.IsZero() {
			from = time.Time{}
		} else if r.From.Before(from) {
			from = r.From
		}
		if until.IsZero() || r.Until.IsZero() {
			until = time.Time{}
		} else if r.Until.After(until) {
			until = r.Until
		}
	}
	return from, until
}

// seatTuples answers the tuples of one membership: the role in its group and, in each channel whose history
// begins with joining for that role, since when the person has been there.
func seatTuples(m Membership, channels []Channel) []authz.Tuple {
	from, until := span(m.Reasons)
	out := []authz.Tuple{{User: userRef(m.Person), Relation: string(m.Role), Object: groupRef(m.Group), From: from, Until: until}}
	for _, c := range channels {
		if joining(c, m.Role) {
			out = append(out, authz.Tuple{User: userRef(m.Person), Relation: "newcomer", Object: channelRef(c.ID), From: m.Since})
		}
	}
	return out
}

// joining tells whether role sees a channel's history from joining only. Outside people always do.
func joining(c Channel, role policies.Role) bool {
	return relationOf(c.Access[role]) != "" && (role == policies.Vendor || c.History == policies.JoiningHistory)
}

// channelTuples answers the tuples by which a project channel knows the roles of its group.
func channelTuples(c Channel) []authz.Tuple {
	out := []authz.Tuple{{User: organisation, Relation: "org", Object: channelRef(c.ID)}}
	for _, role := range policies.Roles() {
		if relation := relationOf(c.Access[role]); relation != "" {
			out = append(out, authz.Tuple{User: groupRef(c.Group) + "#" + string(role), Relation: relation, Object: channelRef(c.ID)})
		}
	}
	return out
}

// directTuples answers the tuples of a direct channel between people.
func directTuples(c id.Channel, people ...id.Person) []authz.Tuple {
	out := []authz.Tuple{{User: organisation, Relation: "org", Object: channelRef(c)}}
	for _, p := range people {
		out = append(out, authz.Tuple{User: userRef(p), Relation: "writer", Object: channelRef(c)})
	}
	return out
}

// freezeTuples answers the tuples by which a freeze denies everything. One that is open already carries no
// beginning, so that no clock that is behind lets it start late.
func freezeTuples(f directory.Freeze, now time.Time) []authz.Tuple {
	t := authz.Tuple{User: userRef(f.Person), Relation: "subject", Object: freezeRef(f.Slot), From: f.From, Until: f.Until}
	if !t.From.IsZero() && !t.From.After(now) {
		t.From = time.Time{}
	}
	return []authz.Tuple{{User: freezeRef(f.Slot) + "#subject", Relation: "frozen", Object: organisation}, t}
}

// turn answers the changes that make after stand where before stood.
func turn(before, after []authz.Tuple) []authz.Change {
	type name struct{ user, relation, object string }
	stays := make(map[name]bool, len(after))
	for _, t := range after {
		stays[name{t.User, t.Relation, t.Object}] = true
	}
	var out []authz.Change
	for _, t := range before {
		if !stays[name{t.User, t.Relation, t.Object}] {
			out = append(out, authz.Remove(t))
		}
	}
	for _, t := range after {
		out = append(out, authz.Put(t))
	}
	return out
}
