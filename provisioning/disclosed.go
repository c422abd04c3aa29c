package provisioning

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// What is to come of people stands in memberships and plans, written ahead. Whoever may not see it is shown what there would be if no
// source had said it: the rules are asked again of what the directory's door lets through.

// disclosed answers these memberships as somebody with this sight may know them: places that begin by what is not disclosed are left out, and
// nothing ends by it. Of each person all places in the groups that matter are to be among them, or none of the others by separation.
func (r *Reactor) disclosed(ctx context.Context, sight directory.Sight, list []Membership) ([]Membership, error) {
	now := r.clock()
	if sight.Full() {
		return list, nil
	}
	list, err := r.original(ctx, list)
	if err != nil {
		return nil, err
	}
	var people []id.Person
	for _, m := range list {
		if slices.ContainsFunc(m.Reasons, func(x Reason) bool { return x.later(now) }) {
			people = append(people, m.Person)
		}
	}
	if len(people) == 0 {
		return list, nil
	}
	given := map[id.Person][]Match{}
	begins := map[id.Person]time.Time{}
	err = r.look(ctx, func(tx *db.Tx, c *catalog) error {
		seen := r.directory.In(tx).As(sight)
		have, err := loadMemberships(tx.DB, distinct(people))
		if err != nil {
			return err
		}
		facts, err := seen.Facts(tx, distinct(people), false)
		if err != nil {
			return fmt.Errorf("read facts: %w", err)
		}
		above, err := headsOf(seen, tx, c, facts)
		if err != nil {
			return err
		}
		for _, f := range facts {
			p := f.Person.ID
			given[p], begins[p], _, _ = c.foreseen(f, above, have[p], c.joined(have[p], now), now, momentsMost) // a rule that fails shows nothing to come
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]Membership, 0, len(list))
	for _, m := range list {
		var reasons []Reason
		for _, x := range m.Reasons {
			if x.evaluated() && x.later(now) {
				var known bool
				if x, known = x.told(m.Group, given[m.Person], begins[m.Person], now); !known {
					continue
				}
			}
			reasons = append(reasons, x)
		}
		reasons = slices.DeleteFunc(reasons, func(x Reason) bool { // a handover period of a move that is to come
			return x.Kind == KindHandover && x.From.After(now) && !slices.ContainsFunc(reasons, func(o Reason) bool { return o.evaluated() && o.Until.Equal(x.From) })
		})
		if len(reasons) == 0 && len(m.Reasons) > 0 {
			continue
		}
		if m.Reasons = reasons; len(reasons) > 0 {
			m.Role = roleAt(reasons, now)
		}
		out = append(out, m)
	}
	return out, nil
}

// original answers memberships whose reasons by rules are what they were before they were written anew with another window: that they were
// says that something is planned.
func (r *Reactor) original(ctx context.Context, list []Membership) ([]Membership, error) {
	out := slices.Clone(list)
	for part := range slices.Chunk(out, chunkMost) {
		places := make([]id.Membership, len(part))
		for i, m := range part {
			places[i] = m.ID
		}
		var rows []reasonRow
		if err := r.db.Read(ctx).Raw("select * from reasons where membership in ? and kind in (?, ?) and ended_at is not null order by created_at desc", places, KindRule, KindJoin).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read reasons: %w", err)
		}
		for i := range part {
			part[i].Reasons = slices.Clone(part[i].Reasons)
			for j := range part[i].Reasons {
				now := &part[i].Reasons[j]
				for _, row := range rows {
					was := row.reason()
					if row.Membership == part[i].ID && now.evaluated() && was.ground() == now.ground() && was.Version == now.Version && row.EndedAt.Equal(now.CreatedAt) {
						now.ID, now.CreatedAt = was.ID, was.CreatedAt
					}
				}
			}
		}
	}
	return out, nil
}

// evaluated tells whether the policy gives a reason anew at every instant, and with it a window: a rule, or own joining that is admitted.
func (r Reason) evaluated() bool { return r.Kind == KindRule || r.Kind == KindJoin }

// later tells whether a reason that is evaluated begins or ends after now.
func (r Reason) later(now time.Time) bool {
	return r.evaluated() && (r.From.After(now) || r.Until.After(now)) || r.Kind == KindHandover && r.From.After(now)
}

// told answers a reason that is evaluated with the window in which matches give it; false where they do not and it has not begun.
func (r Reason) told(group id.Group, matches []Match, begins, now time.Time) (Reason, bool) {
	at := slices.IndexFunc(matches, func(m Match) bool { return m.Kind == r.Kind && m.Group == group && m.Ref == r.Ref && m.Role == r.Role })
	if at < 0 {
		r.Until = time.Time{}
		return r, !r.From.After(now)
	}
	if r.Until = matches[at].Until; r.From.After(now) {
		if r.From = matches[at].From; begins.After(r.From) {
			r.From = begins
		}
	}
	return r, true
}

// disclosedEntries is disclosed for the audience of a group or a channel.
func (r *Reactor) disclosedEntries(ctx context.Context, sight directory.Sight, list []AudienceEntry) ([]AudienceEntry, error) {
	places := make([]Membership, len(list))
	for i, e := range list {
		places[i] = e.Membership
	}
	told, err := r.disclosed(ctx, sight, places)
	if err != nil {
		return nil, err
	}
	out := make([]AudienceEntry, 0, len(told))
	for _, e := range list {
		if at := slices.IndexFunc(told, func(m Membership) bool { return m.ID == e.Membership.ID && m.Person == e.Membership.Person }); at >= 0 {
			e.Membership = told[at]
			e.Held = e.Held && (sight.Full() || !stands(e.Membership.Reasons, r.clock()))
			out = append(out, e)
		}
	}
	return out, nil
}

// disclosedViews is disclosed for the places of a person. A place that is held only for what is to come is not said to be held.
func (r *Reactor) disclosedViews(ctx context.Context, sight directory.Sight, list []MembershipView) ([]MembershipView, error) {
	places := make([]Membership, len(list))
	for i, v := range list {
		places[i] = v.Membership
	}
	told, err := r.disclosed(ctx, sight, places)
	if err != nil {
		return nil, err
	}
	out := make([]MembershipView, 0, len(told))
	for _, v := range list {
		if at := slices.IndexFunc(told, func(m Membership) bool { return m.ID == v.ID }); at >= 0 {
			v.Membership = told[at]
			v.Held = v.Held && (sight.Full() || !stands(v.Reasons, r.clock()))
			out = append(out, v)
		}
	}
	return out, nil
}

// stands tells whether a rule gives a place now.
func stands(reasons []Reason, now time.Time) bool {
	return slices.ContainsFunc(reasons, func(x Reason) bool { return x.Kind == KindRule && x.openAt(now) })
}

// untold takes from reasons when those of rules end, where that is to come.
func untold(reasons []Reason, now time.Time) []Reason {
	out := slices.Clone(reasons)
	for i, r := range out {
		if r.evaluated() && r.Until.After(now) {
			out[i].Until = time.Time{}
		}
	}
	return out
}

// mayLookAhead refuses to whoever may not see what is to come (of person, or where there is none of everybody) to ask about an instant
// that lies ahead: the answer would say it.
func (a *API) mayLookAhead(ctx context.Context, at time.Time, person id.Person) error {
	sight := directory.SightOf(ctx)
	if sight.Full() || !at.After(a.Reactor.clock()) {
		return nil
	}
	if person != "" && len(sight.Future.Units) > 0 && a.Directory.Reaches(ctx, sight.Future, person) == nil {
		return nil
	}
	return httpapi.NewProblem(http.StatusForbidden, "permission_required", "to ask about an instant to come wants the permission future.read")
}

// atOnce answers a plan whose counts say nothing of what is to come of people. Of a plan made before these were counted apart they are empty.
func (p *Plan) atOnce() *Plan {
	out, now := *p, p.present
	if now == nil {
		now = &presentPart{}
	}
	out.summary, out.together, out.Groups, out.Grounds = now.Summary, now.Together, now.Groups, now.Grounds
	return &out
}

// atOnce takes from a line of a preview what is to come of its person.
func atOnce(f directory.StageFact, line PreviewLine, steps []step, now time.Time) (PreviewLine, []step) {
	line.Memberships = slices.DeleteFunc(line.Memberships, func(c PlannedChange) bool { return !c.At.IsZero() })
	line.Freezes = slices.DeleteFunc(line.Freezes, func(e FreezeEffect) bool { return e.From.After(now) })
	for i, e := range line.Freezes {
		if e.Until.After(now) {
			line.Freezes[i].Until = time.Time{}
		}
	}
	line.Kinds = []string{}
	line.kinds(f)
	return line, slices.DeleteFunc(slices.Clone(steps), func(s step) bool { return !s.at().IsZero() })
}

// present takes from a hold what is announced for an instant to come: its people have a reason for their place until then.
func (r *Reactor) present(ctx context.Context, h Hold) (Hold, error) {
	now := r.clock()
	var people []id.Person
	for _, x := range h.Removals {
		people = append(people, x.Person)
	}
	ahead := map[id.Membership]bool{}
	for part := range slices.Chunk(distinct(people), chunkMost) {
		found, err := loadMemberships(r.db.Read(ctx), part)
		if err != nil {
			return h, err
		}
		for _, list := range found {
			for _, m := range list {
				ahead[m.ID] = stands(m.Reasons, now)
			}
		}
	}
	before := len(h.Removals)
	h.Removals = slices.DeleteFunc(slices.Clone(h.Removals), func(x HeldRemoval) bool { return ahead[x.Membership] })
	h.announced = before > 0 && len(h.Removals) == 0
	return h, nil
}
