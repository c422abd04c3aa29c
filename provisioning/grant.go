package provisioning

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Grant is a reason that no rule gave: somebody, or an engine on their behalf, gives or takes it. Person, group, Kind, Ref and Role name
// it; Take ends it, in whatever role where that is empty. Own joining has the role and the window that the group's eligibility says.
type Grant struct {
	Person      id.Person
	Group       id.Group
	Role        policies.Role
	Kind        Kind // KindGrant, KindApproval or KindJoin
	Ref         string
	From, Until time.Time // zero: open
	Take        bool
}

// Give gives and takes reasons, of at most 64 people, in one transaction with also, which writes rows of its own before, and answers what
// the audit log says of them. What stands already, or is gone, is left. A person whom the policy cannot judge, who has left, or whose group is archived gets nothing. A grant in a group with
// restricted channels to whoever asks for it is ErrOwnDoor. It returns when all of it is in force.
func (r *Reactor) Give(ctx context.Context, cause directory.Cause, grants []Grant, also func(tx *db.Tx) ([]audit.Record, error)) error {
	given := map[id.Person][]Grant{}
	var people []id.Person
	for _, g := range grants {
		given[g.Person] = append(given[g.Person], g)
		people = append(people, g.Person)
	}
	var result Result
	err := r.db.Tx(ctx, func(tx *db.Tx) error {
		run := &run{cause: cause, given: given}
		c, err := r.locked(tx, false)
		if err != nil {
			return err
		}
		var list []assessment
		if len(people) > 0 {
			if list, err = r.gather(tx, run, c, distinct(people), true); err != nil {
				return err
			}
		}
		var records []audit.Record
		if also != nil {
			if records, err = also(tx); err != nil {
				return err
			}
		}
		put := func() error {
			result, err = r.write(ctx, tx, run, c, list)
			return err
		}
		if slices.ContainsFunc(given[cause.Behind], func(g Grant) bool { return g.Kind == KindGrant && !g.Take }) {
			err = r.shut(tx, cause, people, put)
		} else { // own joining is as the policy admits it, an approval as somebody else gave it
			err = put()
		}
		if err != nil {
			return err
		}
		return audit.Append(tx, records...)
	})
	if err != nil {
		return err
	}
	return r.wait(ctx, result.Rev)
}

// untaken answers have without what is being taken: it keeps nothing away from the person any more.
func (run *run) untaken(person id.Person, have []Membership) []Membership {
	taken := slices.DeleteFunc(slices.Clone(run.given[person]), func(g Grant) bool { return !g.Take })
	if len(taken) == 0 {
		return have
	}
	out := slices.Clone(have)
	for i, m := range out {
		out[i].Reasons = slices.DeleteFunc(slices.Clone(m.Reasons), func(r Reason) bool {
			return slices.ContainsFunc(taken, func(g Grant) bool { return g.Group == m.Group && g.ends(r) })
		})
	}
	return out
}

// ends tells whether taking a grant ends a reason.
func (g Grant) ends(r Reason) bool {
	return r.Kind == g.Kind && r.Ref == g.Ref && (g.Role == "" || r.Role == g.Role)
}

// with answers the seats that a person ought to have once these grants are given and taken, and the groups of which the last is taken.
func (run *run) with(want []Seat, person id.Person, standing Standing) (out []Seat, revoked map[id.Group]bool) {
	grants := run.given[person]
	if len(grants) == 0 {
		return want, nil
	}
	revoked = map[id.Group]bool{}
	for _, g := range grants {
		reason := Reason{Kind: g.Kind, Ref: g.Ref, Role: g.Role, From: g.From, Until: g.Until}
		at := slices.IndexFunc(want, func(s Seat) bool { return s.Group == g.Group })
		same := func(o Reason) bool {
			return o.ground() == reason.ground() || g.Take && g.Role == "" && o.Kind == g.Kind && o.Ref == g.Ref
		}
		switch {
		case g.Take && at < 0: // nothing is left without it
			revoked[g.Group] = true
		case g.Take:
			want = slices.Clone(want)
			want[at].Reasons = slices.DeleteFunc(slices.Clone(want[at].Reasons), same)
			revoked[g.Group] = len(want[at].Reasons) == 0
		case g.Kind == KindJoin || standing.Terminated || standing.Merged || !standing.Live(g.Group):
		case at < 0:
			want = append(slices.Clone(want), Seat{Group: g.Group, Reasons: []Reason{reason}})
		case !slices.ContainsFunc(want[at].Reasons, same):
			want = slices.Clone(want)
			want[at].Reasons = append(slices.Clone(want[at].Reasons), reason)
		}
	}
	return want, revoked
}
