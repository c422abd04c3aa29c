package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Four eyes count what is taken. What is given is nobody's loss, but for one thing: nobody lets himself into a group with restricted channels alone. That is one rule, of doors, for all
// that an administrator does: a plan is looked at by watch before it is applied, whatever else gives by shut while it is written.

// ErrOwnDoor says that somebody would give himself a place, or more to see, in a group with restricted channels.
var ErrOwnDoor = errors.New("nobody lets himself into a group with restricted channels: another administrator has to do this")

// doors answers the keys of the groups with restricted channels in which somebody who has have under before would have more with then under after: a place, a stronger role or a longer one, or more
// to see or do in such a channel, at now or at any instant to come.
func doors(before, after *catalog, have, then []Membership, now time.Time) []string {
	had, has := reasonsIn(have), reasonsIn(then)
	var out []string
	for g, reasons := range has {
		shut := before.restricted(g)
		maps.Copy(shut, after.restricted(g))
		if len(shut) == 0 {
			continue
		}
		for _, t := range instants(now, had[g], reasons) {
			s := compareRights(before.shows(g, had[g], t), after.shows(g, reasons, t))
			sees := slices.ContainsFunc(slices.Concat(s.gained, s.raised), func(channel string) bool { return shut[channel] })
			if sees || placeRole(reasons, t).Strength() > placeRole(had[g], t).Strength() {
				out = append(out, after.key(g))
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

func reasonsIn(list []Membership) map[id.Group][]Reason {
	out := make(map[id.Group][]Reason, len(list))
	for _, m := range list {
		out[m.Group] = slices.Concat(out[m.Group], m.Reasons)
	}
	return out
}

// instants answers now and each instant to come at which one of these reasons begins or ends.
func instants(now time.Time, lists ...[]Reason) []time.Time {
	out := []time.Time{now}
	for _, r := range slices.Concat(lists...) {
		for _, t := range []time.Time{r.From, r.Until} {
			if t.After(now) {
				out = append(out, t)
			}
		}
	}
	return out
}

// restricted answers the keys of the restricted channels of a group.
func (c *catalog) restricted(g id.Group) map[string]bool {
	out := map[string]bool{}
	for _, channel := range c.channels[g] {
		if policies.IsRestricted(channel.Labels) {
			out[channel.Key] = true
		}
	}
	return out
}

// watch notes what a plan gives to those who are watched, whoever else it concerns, at all of their instants to come. Of whom there are more of these than can be looked at it gives everything. The
// first policy of all opens nothing.
func (r *Reactor) watch(tx *db.Tx, l *ledger) error {
	if len(l.given) == 0 || l.before.policy == nil {
		return nil
	}
	people := slices.Sorted(maps.Keys(l.given))
	list, err := r.gather(tx, &run{watched: true}, l.after, people, false)
	if err != nil {
		return err
	}
	have, err := loadMemberships(tx.DB, people)
	if err != nil {
		return err
	}
	for _, a := range list {
		if l.given[a.person] = doors(l.before, l.after, have[a.person], a.then(have[a.person]), l.now); a.beyond {
			l.given[a.person] = l.after.shutGroups()
		}
	}
	return nil
}

// then answers what the person has of have after the steps.
func (a assessment) then(have []Membership) []Membership {
	out := slices.Clone(have)
	for _, s := range a.steps {
		out = slices.DeleteFunc(out, func(m Membership) bool { return m.Group == s.Group && m.ID == s.Before.ID })
		if s.Op != OpRemove {
			out = append(out, Membership{Group: s.Group, Reasons: standing(s)})
		}
	}
	return out
}

// shutGroups answers the keys of the groups with restricted channels.
func (c *catalog) shutGroups() []string {
	var out []string
	for g := range c.groups {
		if len(c.restricted(g)) > 0 {
			out = append(out, c.key(g))
		}
	}
	slices.Sort(out)
	return out
}

// asOf brings a plan that is being applied up to what was looked at again: what other plans took meanwhile, and what it gives to whom.
func (p *Plan) asOf(l *ledger, cause directory.Cause) {
	p.together, p.gives = l.body.Together, l.given[p.Behind]
	if cause.Behind != p.Behind && len(l.given[cause.Behind]) > 0 {
		p.applier = cause.Behind
	}
}

// shut does in tx what gives people something, or gives it back, and is ErrOwnDoor where whoever asks for it would get that himself. What the guard holds of them counts as taken.
func (r *Reactor) shut(tx *db.Tx, cause directory.Cause, people []id.Person, do func() error) error {
	me := cause.Behind
	if me == "" || !slices.Contains(people, me) {
		return do()
	}
	c, _, err := r.lockPeople(tx, distinct(people))
	if err != nil {
		return err
	}
	had, err := unheld(tx.DB, me)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	has, err := unheld(tx.DB, me)
	if err != nil {
		return err
	}
	if opened := doors(c, c, had, has, r.clock()); len(opened) > 0 {
		return fmt.Errorf("it gives %s, who asks for it, a place, or more to see, in %s, with restricted channels: %w", me, strings.Join(opened, ", "), ErrOwnDoor)
	}
	return nil
}

// unheld answers what a person has that nobody asks to be taken.
func unheld(q reader, person id.Person) ([]Membership, error) {
	people := []id.Person{person}
	have, err := loadMemberships(q, people)
	if err != nil {
		return nil, err
	}
	held, err := loadHeld(q, people)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(have[person], func(m Membership) bool { _, waits := held[m.ID]; return waits }), nil
}

// tried says that something went well, and is taken back.
var errTried = errors.New("tried")

// try does what is to be done in parts first for whoever asks for it alone, where that is one of people, and takes it back: so that nothing is done of what shut refuses.
func (r *Reactor) try(ctx context.Context, cause directory.Cause, people []id.Person, do func(tx *db.Tx, me []id.Person) error) error {
	if cause.Behind == "" || !slices.Contains(people, cause.Behind) {
		return nil
	}
	me := []id.Person{cause.Behind}
	err := r.db.Tx(ctx, func(tx *db.Tx) error {
		if err := r.shut(tx, cause, me, func() error { return do(tx, me) }); err != nil {
			return err
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		return nil
	}
	return err
}
