package provisioning

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Foresee answers what reconciling these people would do to their memberships, now and at the instants that are known, on the state that tx
// sees. It writes nothing; what the guard would hold is among it.
func (r *Reactor) Foresee(tx *db.Tx, people []id.Person) ([]PlannedChange, error) {
	c, err := r.catalogIn(tx.DB)
	if err != nil {
		return nil, err
	}
	list, err := r.gather(tx, &run{}, c, distinct(people), false)
	if err != nil {
		return nil, err
	}
	var out []PlannedChange
	for _, a := range list {
		for _, s := range a.steps {
			out = append(out, s.foreseen(a.person, c.key(s.Group))...)
		}
	}
	slices.SortFunc(out, func(a, b PlannedChange) int {
		return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.Group, b.Group), a.At.Compare(b.At))
	})
	return out, nil
}

// foreseen says a step as whoever reads a preview means it: what a membership gets that is planned, a beginning or an end, stands there
// with its instant.
func (s step) foreseen(person id.Person, group string) []PlannedChange {
	p := PlannedChange{Person: person, Group: group, Op: s.Op, Role: s.Role, Cause: s.cause, Reasons: reasonTexts(s.Add), At: s.Begins}
	before, ends := closes(s.Before.Reasons), closes(standing(s))
	switch s.Op {
	case OpRemove: // one that has not begun is lost when it would have
		p.Role, p.Reasons, p.At = s.Before.Role, reasonTexts(s.End), s.Before.Begins
		return []PlannedChange{p}
	case OpRole:
		p.Before = s.Before.Role
	case OpReasons:
		if kept := periods(s.Add); len(kept) > 0 { // what stays after a move, which comes now or when it is planned to
			p.Op, p.Role, p.Before, p.Cause, p.Reasons, p.At = OpRole, strongest(kept), s.Before.Role, CausePlanned, reasonTexts(kept), closes(placewide(standing(s)))
			break
		}
		if !s.Begins.IsZero() && !s.Begins.Equal(s.Before.Begins) {
			p.Op = OpAdd
		} else if p.At = (time.Time{}); !ends.IsZero() && !ends.Equal(before) {
			p.Op, p.Role, p.Cause, p.Reasons, p.At = OpRemove, s.Before.Role, CausePlanned, reasonTexts(s.End), ends
			return []PlannedChange{p}
		}
	}
	if ends.IsZero() || ends.Equal(before) {
		return []PlannedChange{p}
	}
	over := PlannedChange{Person: person, Group: group, Op: OpRemove, Role: s.Role, Cause: CausePlanned, Reasons: reasonTexts(s.Add), At: ends}
	return []PlannedChange{p, over}
}

// FormerGrant is a reason that was given by hand and is over.
type FormerGrant struct {
	Group   Group
	Role    policies.Role
	Kind    Kind
	Ref     string
	From    time.Time
	Until   time.Time // when it ended
	Present bool      // the person is in the group again, for another reason
}

// FormerGrants answers what was given to a person by hand and has ended, the last first, at most 200. A rehire does not bring it back (J26):
// it is for a human being to give again.
func (r *Reactor) FormerGrants(ctx context.Context, person id.Person) ([]FormerGrant, error) {
	var rows []struct {
		Role               policies.Role
		Kind               Kind
		Ref                string
		CreatedAt, EndedAt db.Instant
		GroupID            id.Group
	}
	q := r.db.Read(ctx)
	if err := q.Raw(`select r.role, r.kind, r.ref, r.created_at, r.ended_at, m.group_id from reasons r join memberships m on m.id = r.membership
		where m.person = ? and r.ended_at is not null and r.kind in ('grant', 'approval', 'join')
		and not (r.kind = 'join' and exists (select 1 from reasons s where s.membership = r.membership and s.kind = 'join' and s.created_at = r.ended_at)) order by r.ended_at desc, r.id desc limit 200`, person).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read reasons: %w", err)
	}
	have, err := loadMemberships(q, []id.Person{person})
	if err != nil {
		return nil, err
	}
	present := map[id.Group]bool{}
	for _, m := range have[person] {
		present[m.Group] = true
	}
	out := make([]FormerGrant, len(rows))
	for i, row := range rows {
		g, err := r.Group(ctx, row.GroupID)
		if err != nil {
			return nil, err
		}
		out[i] = FormerGrant{Group: g, Role: row.Role, Kind: row.Kind, Ref: row.Ref, From: row.CreatedAt.Time, Until: row.EndedAt.Time, Present: present[row.GroupID]}
	}
	return out, nil
}
