package leaving

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// The kinds of notices about places in project groups, and about what the guard holds.
const (
	KindJoined     notices.Kind = "place.joined"      // to owners and managers: about person, object (the group)
	KindLeft       notices.Kind = "place.left"        // likewise
	KindJoinedMany notices.Kind = "place.joined_many" // likewise, of several people at once: about object
	KindLeftMany   notices.Kind = "place.left_many"
	KindGiven      notices.Kind = "place.given" // to who came in: about object
	KindTaken      notices.Kind = "place.taken" // to who is in it no more
	KindHeld       notices.Kind = "hold.opened" // to administrators: about hold and cause; it goes when the hold is closed
)

const (
	placesLinger = 500 * time.Millisecond // so that what belongs together is seen together
	oneByOne     = 3                      // more people than that in one group are one notice
)

// Places tells who came into a project group and who is in it no more, and that the guard holds something, as the policy says who hears of it.
// Of one place somebody hears once a day at most: whoever comes back before anybody read that they went was never gone, to the reader.
type Places struct {
	Directory *directory.Store
	// Tells answers who is told of what in a group, or of what is about none.
	Tells func(tx *db.Tx, group id.Group) (policies.Tell, error)
	// Owners answers who owns a group.
	Owners func(tx *db.Tx, group id.Group) ([]id.Person, error)
	// Admins answers who has a role of administrators for the whole organisation.
	Admins func(tx *db.Tx, role string) ([]id.Person, error)
	Now    func() time.Time // nil: time.Now
}

// turn is what became of one person's place.
type turn struct {
	person id.Person
	came   bool
	own    bool // they did it themselves
}

// Follower tells behind the events. It writes nothing where the policy has nobody told.
func (p *Places) Follower() feed.Follower {
	return feed.Follower{Name: "places", Linger: placesLinger, HandleTx: func(ctx context.Context, tx *db.Tx, events []feed.Event) error {
		now := time.Now().UTC()
		if p.Now != nil {
			now = p.Now().UTC()
		}
		turns, err := turned(events, now.Add(-notices.Day))
		if err != nil {
			return err
		}
		var list []notices.Notice
		for _, group := range slices.Sorted(maps.Keys(turns)) {
			more, err := p.group(ctx, tx, group, turns[group], now)
			if err != nil {
				return err
			}
			list = append(list, more...)
		}
		if err := notices.Tell(tx, list...); err != nil {
			return err
		}
		return p.holds(tx, events, now)
	}}
}

// turned answers what became of places by these events, by group in the order of the people; what came and went in them is nothing.
func turned(events []feed.Event, since time.Time) (map[id.Group][]turn, error) {
	type place struct {
		group  id.Group
		person id.Person
	}
	first, last := map[place]bool{}, map[place]turn{}
	for _, e := range events {
		came := e.Kind == provisioning.EventMembershipAdded
		if !came && e.Kind != provisioning.EventMembershipRemoved || e.At.Before(since) {
			continue
		}
		var m provisioning.MembershipEvent
		if err := json.Unmarshal(e.Data, &m); err != nil {
			return nil, fmt.Errorf("read event %d: %w", e.Seq, err)
		}
		at := place{m.Group, m.Person}
		if _, known := first[at]; !known {
			first[at] = came
		}
		last[at] = turn{m.Person, came, len(m.Reasons) > 0 && !slices.ContainsFunc(m.Reasons, func(r string) bool { return !strings.HasPrefix(r, string(provisioning.KindJoin)+" ") })}
	}
	out := map[id.Group][]turn{}
	for at, t := range last {
		if first[at] == t.came {
			out[at.group] = append(out[at.group], t)
		}
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b turn) int { return cmp.Compare(a.person, b.person) })
	}
	return out, nil
}

// group answers the notices about places in one group.
func (p *Places) group(ctx context.Context, tx *db.Tx, group id.Group, turns []turn, now time.Time) ([]notices.Notice, error) {
	rule, err := p.Tells(tx, group)
	if err != nil {
		return nil, err
	}
	of := func(came bool) []policies.Told {
		if came {
			return rule.Joined
		}
		return rule.Left
	}
	turns = slices.DeleteFunc(turns, func(t turn) bool { return len(of(t.came)) == 0 })
	if len(turns) == 0 {
		return nil, nil
	}
	owners, err := p.Owners(tx, group)
	if err != nil {
		return nil, err
	}
	managers, err := p.managers(ctx, tx, turns)
	if err != nil {
		return nil, err
	}
	var out []notices.Notice
	heard := map[id.Person][]turn{} // by who hears of others
	for _, t := range turns {
		var to []id.Person
		for _, word := range of(t.came) {
			switch word {
			case policies.ToldPerson:
				if !t.own {
					out = append(out, notice(t, t.person, group, now))
				}
			case policies.ToldOwners:
				to = append(to, owners...)
			case policies.ToldManager:
				to = append(to, managers[t.person])
			}
		}
		slices.Sort(to)
		for _, person := range slices.Compact(to) {
			if person != "" && person != t.person {
				heard[person] = append(heard[person], t)
			}
		}
	}
	for _, person := range slices.Sorted(maps.Keys(heard)) {
		out = append(out, others(heard[person], person, group, now)...)
	}
	return out, nil
}

// managers answers who is above each of these people, where that is somebody.
func (p *Places) managers(ctx context.Context, tx *db.Tx, turns []turn) (map[id.Person]id.Person, error) {
	people := make([]id.Person, len(turns))
	for i, t := range turns {
		people[i] = t.person
	}
	found, err := p.Directory.In(tx).PeopleByID(ctx, people)
	if err != nil {
		return nil, fmt.Errorf("read people: %w", err)
	}
	out := map[id.Person]id.Person{}
	for _, one := range found {
		out[one.ID] = one.Manager
	}
	return out, nil
}

// others answers what somebody hears of other people's places in a group: of a few each, of many one notice.
func others(turns []turn, to id.Person, group id.Group, now time.Time) []notices.Notice {
	var out []notices.Notice
	for _, came := range []bool{true, false} {
		some := slices.DeleteFunc(slices.Clone(turns), func(t turn) bool { return t.came != came })
		if len(some) > oneByOne {
			kind := KindLeftMany
			if came {
				kind = KindJoinedMany
			}
			out = append(out, notices.Notice{Person: to, Kind: kind, About: map[string]string{"object": string(group)}, Key: "places/" + string(group) + "/" + string(kind), Again: true, At: now})
			continue
		}
		for _, t := range some {
			out = append(out, notice(t, to, group, now))
		}
	}
	return out
}

// notice is what somebody hears of one place.
func notice(t turn, to id.Person, group id.Group, now time.Time) notices.Notice {
	n := notices.Notice{Person: to, Kind: KindLeft, Undoes: KindJoined, About: map[string]string{"person": string(t.person), "object": string(group)},
		Key: "place/" + string(group) + "/" + string(t.person), Again: true, At: now}
	switch {
	case to == t.person && t.came:
		n.Kind, n.Undoes = KindGiven, KindTaken
	case to == t.person:
		n.Kind, n.Undoes = KindTaken, KindGiven
	case t.came:
		n.Kind, n.Undoes = KindJoined, KindLeft
	}
	return n
}

// holds tells administrators that something is held, and takes it back when it is decided.
func (p *Places) holds(tx *db.Tx, events []feed.Event, now time.Time) error {
	for _, e := range events {
		key := "hold/" + e.Subject
		switch {
		case e.Kind == provisioning.EventHoldClosed:
			if err := notices.Withdraw(tx, key); err != nil {
				return err
			}
		case e.Kind == provisioning.EventHoldOpened && !e.At.Before(now.Add(-notices.Day)):
			var about struct {
				Cause string `json:"cause"`
			}
			if err := json.Unmarshal(e.Data, &about); err != nil {
				return fmt.Errorf("read event %d: %w", e.Seq, err)
			}
			rule, err := p.Tells(tx, "")
			if err != nil {
				return err
			}
			for _, role := range rule.Held {
				list, err := p.Admins(tx, role)
				if err != nil {
					return err
				}
				for _, person := range list {
					if err := notices.Tell(tx, notices.Notice{Person: person, Kind: KindHeld, About: map[string]string{"hold": e.Subject, "state": about.Cause}, Key: key, At: now}); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}
