package provisioning

import (
	"slices"
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

// seatTuples answers the tuples of one membership: each role in its group within the window in which it is the strongest and,
// in each channel whose history begins with joining for one of them, since when the person has been there.
func seatTuples(m Membership, channels []Channel, now time.Time) []authz.Tuple {
	var out []authz.Tuple
	for _, s := range stays(m.Reasons, now) {
		out = append(out, authz.Tuple{User: userRef(m.Person), Relation: string(s.role), Object: groupRef(m.Group), From: s.from, Until: s.until})
	}
	for _, c := range channels {
		if slices.ContainsFunc(m.Reasons, func(r Reason) bool { return r.reaches(c) && joining(c, r.Role) }) {
			out = append(out, authz.Tuple{User: userRef(m.Person), Relation: "newcomer", Object: channelRef(c.ID), From: m.Since})
		}
		for _, r := range m.Reasons {
			if relation := relationOf(c.Access[r.Role]); r.Kind.narrow() && r.reaches(c) && relation != "" {
				out = append(out, authz.Tuple{User: userRef(m.Person), Relation: relation, Object: channelRef(c.ID), From: r.From, Until: r.Until})
			}
		}
	}
	return out
}

// seatNames answers the names of all tuples that a membership may ever have had by the reasons it has.
func seatNames(m Membership, channels []Channel) []authz.Tuple {
	roles := []policies.Role{m.Role}
	for _, r := range placewide(m.Reasons) {
		roles = append(roles, r.Role)
	}
	slices.Sort(roles)
	roles = slices.Compact(roles)
	var out []authz.Tuple
	for _, role := range roles {
		out = append(out, authz.Tuple{User: userRef(m.Person), Relation: string(role), Object: groupRef(m.Group)})
	}
	for _, c := range channels {
		if slices.ContainsFunc(roles, func(role policies.Role) bool { return joining(c, role) }) {
			out = append(out, authz.Tuple{User: userRef(m.Person), Relation: "newcomer", Object: channelRef(c.ID)})
		}
		for _, r := range m.Reasons {
			if relation := relationOf(c.Access[r.Role]); r.Kind.narrow() && r.reaches(c) && relation != "" {
				out = append(out, authz.Tuple{User: userRef(m.Person), Relation: relation, Object: channelRef(c.ID)})
			}
		}
	}
	return out
}

// reaches tells whether a reason has anything to do with a channel of its group.
func (r Reason) reaches(c Channel) bool { return !r.Kind.narrow() || r.Ref == c.Key }

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

// freezeTuples answers the tuples by which a freeze denies everything, or, of a leave during which people may read, everything
// else. One that is open already carries no beginning, so that no clock that is behind lets it start late.
func freezeTuples(f directory.Freeze, leave directory.LeaveRule, now time.Time) []authz.Tuple {
	object, relation := denial(f.Slot, leave)
	t := authz.Tuple{User: userRef(f.Person), Relation: "subject", Object: object, From: f.From, Until: f.Until}
	if !t.From.IsZero() && !t.From.After(now) {
		t.From = time.Time{}
	}
	return []authz.Tuple{{User: object + "#subject", Relation: relation, Object: organisation}, t}
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
