package approvals

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

// refJoin begins the reference of a place that was asked for.
const refJoin = "request/"

// Groups is what people do about project groups by themselves.
type Groups struct{ Reactor *provisioning.Reactor }

// Place is a project group as one person sees it who may do something about it.
type Place struct {
	provisioning.Admission
	Has       policies.Role // the person's role there; empty: none
	Own       bool          // they joined or asked for it, so that they can give it up
	Elevation bool          // a stronger role can be asked for
	Apart     bool          // a separation forbids joining and asking
}

// Of answers what a person may do about which groups, in the order of the policy; then those in which they are and can do something.
func (g Groups) Of(ctx context.Context, person id.Person) ([]Place, error) {
	var out []Place
	err := g.Reactor.Look(ctx, func(tx *db.Tx) error {
		who, err := g.Reactor.Candidate(tx, person)
		if err != nil {
			return err
		}
		list, err := who.Admissions()
		if err != nil {
			return err
		}
		listed := map[id.Group]bool{}
		for _, a := range list {
			p := Place{Admission: a}
			if err := g.fill(tx, who, &p); err != nil {
				return err
			}
			if p.Has == "" {
				apart, err := who.Apart(a.Group.ID, a.Role)
				if err != nil {
					return err
				}
				p.Apart = len(apart) > 0
			}
			listed[a.Group.ID] = true
			out = append(out, p)
		}
		for _, m := range who.Places {
			if listed[m.Group] {
				continue
			}
			p := Place{}
			if p.Group, err = who.Group(m.Group); errors.Is(err, provisioning.ErrNotFound) {
				continue
			}
			if err := g.fill(tx, who, &p); err != nil {
				return err
			}
			if p.Own || p.Elevation {
				out = append(out, p)
			}
		}
		return nil
	})
	return out, err
}

// fill says what the person has in the group of p, and may do about that.
func (g Groups) fill(tx *db.Tx, who provisioning.Candidate, p *Place) error {
	role, m := who.Place(p.Group.ID)
	p.Has, p.Own = role, len(own(m)) > 0
	if role == "" || role == policies.Vendor || role == policies.Owner {
		return nil
	}
	_, offered, err := g.Reactor.Decides(tx, p.Group.ID, policies.ApproveElevation)
	p.Elevation = offered
	return err
}

// own answers, as grants to be taken, the reasons that a person can give up.
func own(m provisioning.Membership) []provisioning.Grant {
	var out []provisioning.Grant
	for _, r := range m.Reasons {
		if r.Kind == provisioning.KindJoin || r.Kind == provisioning.KindApproval {
			out = append(out, provisioning.Grant{Person: m.Person, Group: m.Group, Kind: r.Kind, Ref: r.Ref, Role: r.Role, Take: true})
		}
	}
	return out
}

// Join has a person join a group that is open to them. It stands as long as that is so. Errors are ErrNotFound for a group that lets them do nothing,
// ErrNotOffered where they have to ask, ErrMember, ErrApart.
func (g Groups) Join(ctx context.Context, cause directory.Cause, person id.Person, group id.Group) error {
	grant := provisioning.Grant{Person: person, Group: group, Kind: provisioning.KindJoin, Ref: provisioning.RefJoin}
	return g.Reactor.Give(ctx, cause, []provisioning.Grant{grant}, func(tx *db.Tx) ([]audit.Record, error) {
		who, err := g.Reactor.Candidate(tx, person)
		if err != nil {
			return nil, err
		}
		a, err := admission(who, group)
		if err != nil {
			return nil, err
		}
		if !a.Join {
			return nil, fmt.Errorf("group %s: %w: joining it wants an approval", group, ErrNotOffered)
		}
		return nil, fits(who, group, a.Role)
	})
}

// admission answers what a candidate may do about a group; ErrNotFound where that is nothing, as of a group that there is not.
func admission(who provisioning.Candidate, group id.Group) (provisioning.Admission, error) {
	list, err := who.Admissions(group)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("group %s: %w", group, ErrNotFound)
	}
	if err != nil {
		return provisioning.Admission{}, err
	}
	return list[0], nil
}

// fits answers why somebody cannot have a role in a group beside what they have.
func fits(who provisioning.Candidate, group id.Group, role policies.Role) error {
	if has, _ := who.Place(group); has.Strength() >= role.Strength() {
		return fmt.Errorf("group %s: %w", group, ErrMember)
	}
	apart, err := who.Apart(group, role)
	if err == nil && len(apart) > 0 {
		err = fmt.Errorf("group %s: %w (%s)", group, ErrApart, apart[0].Separation)
	}
	return err
}

// Leave has a person give up what they joined or asked for in a group; what rules and others give stays. ErrNotOwn where that is all there is.
func (g Groups) Leave(ctx context.Context, cause directory.Cause, person id.Person, group id.Group) error {
	var takes []provisioning.Grant
	err := g.Reactor.Look(ctx, func(tx *db.Tx) error {
		who, err := g.Reactor.Candidate(tx, person)
		if err != nil {
			return err
		}
		has, m := who.Place(group)
		if takes = own(m); has == "" {
			return fmt.Errorf("group %s: %w", group, ErrNotFound)
		}
		return nil
	})
	if err == nil && len(takes) == 0 {
		err = fmt.Errorf("group %s: %w", group, ErrNotOwn)
	}
	if err != nil {
		return err
	}
	return g.Reactor.Give(ctx, cause, takes, nil)
}

// Joining is the kind of request by which somebody becomes a member who may not join by themselves.
type Joining struct{ Groups }

// Rule implements Kind: the owners decide where the policy says nothing.
func (j Joining) Rule(tx *db.Tx, r Request) (policies.Approval, error) {
	rule, said, err := j.rule(tx, r, policies.ApproveJoin)
	if err == nil && !said {
		rule = policies.Approval{By: []policies.Approver{{Kind: policies.ApproverOwners}}, People: 1, LapseDays: 7}
	}
	return rule, err
}

// rule answers what the policy says of requests of a kind about the group; ErrNotOffered where it has no such group.
func (g Groups) rule(tx *db.Tx, r Request, kind policies.ApprovalKind) (policies.Approval, bool, error) {
	rule, said, err := g.Reactor.Decides(tx, id.Group(r.Object), kind)
	if errors.Is(err, provisioning.ErrNotFound) {
		err = ErrNotOffered
	}
	return rule, said, err
}

// Check implements Kind.
func (j Joining) Check(tx *db.Tx, r *Request) error {
	who, err := j.Reactor.Candidate(tx, r.Subject)
	if err != nil {
		return err
	}
	a, err := admission(who, id.Group(r.Object))
	if err != nil {
		return err
	}
	if r.Role = a.Role; !a.Ask {
		return fmt.Errorf("group %s: %w: it can be joined without", r.Object, ErrNotOffered)
	}
	return fits(who, a.Group.ID, a.Role)
}

// Stand implements Kind.
func (g Groups) Stand(tx *db.Tx, r Request, word policies.ApproverKind) ([]id.Person, error) {
	if word != policies.ApproverOwners {
		return nil, nil
	}
	return g.Reactor.OwnersIn(tx, id.Group(r.Object))
}

// Grant implements Kind.
func (j Joining) Grant(ctx context.Context, cause directory.Cause, r Request, also func(*db.Tx) ([]audit.Record, error)) error {
	return j.give(ctx, cause, r, refJoin, also)
}

func (g Groups) give(ctx context.Context, cause directory.Cause, r Request, ref string, also func(*db.Tx) ([]audit.Record, error)) error {
	grant := provisioning.Grant{Person: r.Subject, Group: id.Group(r.Object), Role: r.Role, Kind: provisioning.KindApproval, Ref: ref + string(r.ID), Until: r.Until}
	return g.Reactor.Give(ctx, cause, []provisioning.Grant{grant}, also)
}

// liftedMost is for how many days a role is lifted at most where the policy does not say.
const liftedMost = 14

// Elevation is the kind of request by which a member has a stronger role for some time. It ends by itself, and with the place it stands on.
type Elevation struct{ Groups }

// Rule implements Kind: only where the policy says how such requests are decided can they be made.
func (l Elevation) Rule(tx *db.Tx, r Request) (policies.Approval, error) {
	rule, said, err := l.rule(tx, r, policies.ApproveElevation)
	if err == nil && !said {
		err = ErrNotOffered
	}
	if rule.MostDays == 0 {
		rule.MostDays = liftedMost
	}
	return rule, err
}

// Check implements Kind.
func (l Elevation) Check(tx *db.Tx, r *Request) error {
	who, err := l.Reactor.Candidate(tx, r.Subject)
	if err != nil {
		return err
	}
	has, _ := who.Place(id.Group(r.Object))
	switch {
	case has == "":
		return fmt.Errorf("group %s: %w", r.Object, ErrNotFound)
	case has == policies.Vendor:
		return fmt.Errorf("group %s: %w: people from outside stay what they are", r.Object, ErrNotOffered)
	case r.Role != policies.Owner && r.Role != policies.Participant:
		return fmt.Errorf("%w: a role is lifted to owner or participant", ErrInvalid)
	}
	return fits(who, id.Group(r.Object), r.Role)
}

// Grant implements Kind.
func (l Elevation) Grant(ctx context.Context, cause directory.Cause, r Request, also func(*db.Tx) ([]audit.Record, error)) error {
	return l.give(ctx, cause, r, provisioning.RefElevation, also)
}
