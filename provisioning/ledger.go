package provisioning

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

const (
	planPart = 1000 // changes of one stored part
	planPage = 2000 // changes that a plan is answered with
)

// ledger takes the changes of a plan as they are found, counts them, and makes of them what is stored and what the plan is known by. Of the
// changes themselves it keeps no more than the first page, and the rest small.
type ledger struct {
	before, after *catalog
	was, will     map[string]policies.Rule
	now           time.Time
	otherwise     Ground // of what nothing about the policy causes; none: the facts

	body    planBody
	page    []PlannedChange
	sum     hash.Hash
	last    id.Person
	loser   id.Person
	lowered id.Person
	groups  map[string]*tally
	grounds map[Ground]*tally
	sights  map[sightName]bool

	early []PlannedChange // of those who were looked at one by one, and come in between
	keep  bool
	part  []byte // JSON of the part at hand
	in    int    // changes in it
	parts []string

	present *ledger // counts what is at once

	earlier map[id.Person]bool // who lost by plans before, see since
	known   string             // the last of these plans
	losses  []loss             // of this one

	given map[id.Person][]string // of those who are watched: keys of groups with restricted channels that it gives them
}

type tally struct {
	Tally
	last id.Person
}

type sightName struct {
	group         string
	before, after policies.Role
}

// newLedger makes a ledger that tells what it gives to each of watch; see watch.
func newLedger(keep bool, watch ...id.Person) *ledger {
	given := map[id.Person][]string{}
	for _, p := range watch {
		if p != "" {
			given[p] = nil
		}
	}
	return &ledger{given: given, keep: keep, sum: sha256.New(), groups: map[string]*tally{}, grounds: map[Ground]*tally{}, sights: map[sightName]bool{}, page: []PlannedChange{}}
}

// conflict notes what is kept from somebody.
func (l *ledger) conflict(list []Conflict) {
	if len(l.body.Conflicts) < planPage {
		l.body.Conflicts = append(l.body.Conflicts, list...)
	}
}

// begin says between which states the plan leads.
func (l *ledger) begin(before, after *catalog, shapes []ShapeChange) {
	l.before, l.after, l.present = before, after, newLedger(false)
	l.was, l.will = rulesOf(before.policy), rulesOf(after.policy)
	l.body.Shapes = shapes
	for _, s := range shapes {
		if s.Channel == "" {
			l.body.Summary.Groups++
		} else {
			l.body.Summary.Channels++
		}
	}
	l.sum.Write(mustJSON(shapes))
}

// rulesOf answers the rules of a policy by their references.
func rulesOf(p *policies.Policy) map[string]policies.Rule {
	out := map[string]policies.Rule{}
	if p == nil {
		return out
	}
	for _, g := range p.Groups {
		for _, rule := range g.Rules {
			out[ruleRef(g.Key, rule.Key)] = rule
		}
	}
	return out
}

// ground answers what about the policy causes a step.
func (l *ledger) ground(s step) Ground {
	switch {
	case !l.after.live(s.Group):
		return GroundGroupGone
	case !l.before.live(s.Group):
		return GroundGroupNew
	}
	found := cmp.Or(l.otherwise, GroundFacts)
	if l.dropsHandover(s) {
		found = GroundRuleChanged
	}
	for _, r := range s.End {
		will, stays := l.will[r.Ref]
		was := l.was[r.Ref]
		if r.Kind == KindRule && !stays {
			return GroundRuleGone
		} else if r.Kind == KindRule && (will.When != was.When || will.Role != was.Role) {
			found = GroundRuleChanged
		}
	}
	if slices.ContainsFunc(append(slices.Clone(s.End), s.Add...), func(r Reason) bool { return r.Kind == KindJoin }) && l.before.joinable(s.Group) != l.after.joinable(s.Group) {
		return GroundRuleChanged
	}
	for _, r := range s.Add {
		was, stood := l.was[r.Ref]
		will := l.will[r.Ref]
		if r.Kind == KindRule && !stood {
			return GroundRuleNew
		} else if r.Kind == KindRule && (will.When != was.When || will.Role != was.Role) {
			found = GroundRuleChanged
		}
	}
	return found
}

// dropsHandover tells whether a step ends what stood by handover periods of channels that have none any more.
func (l *ledger) dropsHandover(s step) bool {
	return slices.ContainsFunc(s.End, func(r Reason) bool {
		has := func(h handovers) bool { return h.channel.Key == r.Ref }
		return r.Kind == KindHandover && slices.ContainsFunc(l.before.handover[s.Group], has) && !slices.ContainsFunc(l.after.handover[s.Group], has)
	})
}

// take notes the changes of one person; see scan for the order.
func (l *ledger) take(person id.Person, list []PlannedChange, plain bool) error {
	if !plain {
		l.early = append(l.early, list...)
		return nil
	}
	for len(l.early) > 0 && l.early[0].Person < person {
		if err := l.write(l.early[0]); err != nil {
			return err
		}
		l.early = l.early[1:]
	}
	for _, c := range list {
		if err := l.write(c); err != nil {
			return err
		}
	}
	return nil
}

func (l *ledger) write(c PlannedChange) error {
	text := mustJSON(c)
	l.sum.Write(text)
	if l.body.Total++; len(l.page) < planPage {
		l.page = append(l.page, c)
	}
	l.count(c)
	if c.atOnce() && l.present != nil {
		l.present.body.Total++
		l.present.count(c)
	}
	if !l.keep {
		return nil
	}
	l.part = append(append(l.part, ","...), text...)
	if l.in++; l.in == planPart {
		return l.close()
	}
	return nil
}

func (l *ledger) close() error {
	if l.in == 0 {
		return nil
	}
	l.part[0] = '['
	text, err := squeeze(append(l.part, ']'))
	if err != nil {
		return fmt.Errorf("store plan: %w", err)
	}
	l.parts, l.part, l.in = append(l.parts, text), l.part[:0], 0
	return nil
}

// count counts a change in every way.
func (l *ledger) count(c PlannedChange) {
	s := &l.body.Summary
	if c.Person != l.last {
		l.last = c.Person
		s.People++
	}
	if l.groups[c.Group] == nil {
		l.groups[c.Group] = &tally{Tally: Tally{Name: c.Group}}
	}
	if l.grounds[c.Ground] == nil {
		l.grounds[c.Ground] = &tally{Tally: Tally{Name: string(c.Ground)}}
	}
	of := []*tally{l.groups[c.Group], l.grounds[c.Ground]}
	for _, t := range of {
		if t.last != c.Person {
			t.last = c.Person
			t.People++
		}
	}
	for _, t := range of {
		switch c.Op {
		case OpAdd:
			t.Added++
		case OpRemove:
			t.Removed++
		default:
			t.Changed++
		}
	}
	switch c.Op {
	case OpAdd:
		s.Added++
	case OpRemove:
		s.Removed++
	default:
		s.Changed++
	}
	if c.loses() && c.Person != l.loser {
		l.loser = c.Person
		if s.Losing++; !l.earlier[c.Person] {
			l.body.Together++
		}
	}
	if c.loses() && l.present != nil {
		l.losses = append(l.losses, loss{c.Person, l.after.byKey[c.Group], c.Op != OpRemove})
	}
	if c.lowers() && c.Person != l.lowered {
		l.lowered = c.Person
		s.Lowered++
	}
	if c.Op == OpAdd || c.Op == OpRemove || c.Op == OpRole {
		l.sights[c.sight()] = true
	}
}

// sight names what a change does to what somebody sees.
func (c PlannedChange) sight() sightName {
	switch c.Op {
	case OpAdd:
		return sightName{c.Group, "", c.Role}
	case OpRemove:
		return sightName{c.Group, c.Role, ""}
	case OpRole:
		return sightName{c.Group, c.Before, c.Role}
	}
	return sightName{}
}

// end completes the ledger.
func (l *ledger) end() error {
	for _, c := range l.early {
		if err := l.write(c); err != nil {
			return err
		}
	}
	l.early = nil
	if err := l.close(); err != nil {
		return err
	}
	if l.present != nil {
		l.present.tallies()
		now := l.present.body
		now.Summary.Groups, now.Summary.Channels = l.body.Summary.Groups, l.body.Summary.Channels
		l.body.Present = &presentPart{Total: now.Total, Summary: now.Summary, Groups: now.Groups, Grounds: now.Grounds, Together: now.Together}
	}
	l.body.Digest = hex.EncodeToString(l.sum.Sum(nil))
	l.tallies()
	for name := range l.sights {
		had, has := l.before.sights(name.group, name.before), l.after.sights(name.group, name.after)
		l.body.Sights = append(l.body.Sights, Sight{Group: name.group, Before: name.before, After: name.after, Gains: without(has, had), Loses: without(had, has)})
	}
	slices.SortFunc(l.body.Sights, func(a, b Sight) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Before, b.Before), cmp.Compare(a.After, b.After))
	})
	return nil
}

// tallies lists what was counted.
func (l *ledger) tallies() {
	for _, name := range slices.Sorted(maps.Keys(l.groups)) {
		l.body.Groups = append(l.body.Groups, l.groups[name].Tally)
	}
	for _, name := range slices.Sorted(maps.Keys(l.grounds)) {
		l.body.Grounds = append(l.body.Grounds, l.grounds[name].Tally)
	}
}

// sights answers the keys of the channels of a group that role may see.
func (c *catalog) sights(group string, role policies.Role) []string {
	var out []string
	for _, channel := range c.channels[c.byKey[group]] {
		if relationOf(channel.Access[role]) != "" {
			out = append(out, channel.Key)
		}
	}
	return out
}

// plan answers what the ledger says, without what makes it one of the stored.
func (l *ledger) plan(b Basis) *Plan {
	return &Plan{Basis: b, Shapes: l.body.Shapes, Total: l.body.Total, Changes: l.page, Groups: l.body.Groups, Grounds: l.body.Grounds, Sights: l.body.Sights, Conflicts: l.body.Conflicts, Unknown: l.body.Unknown, Words: l.body.Words,
		Verdict: l.body.Verdict, Units: l.body.Units, summary: l.body.Summary, together: l.body.Together, loosens: l.body.Loosens, opens: l.body.Opens, gives: l.body.Gives, digest: l.body.Digest, present: l.body.Present, undoes: l.body.Undoes}
}

func (l *ledger) store(tx *db.Tx, plan id.Plan) error {
	rows := make([][]any, len(l.parts))
	for i, text := range l.parts {
		rows[i] = []any{plan, i, text}
	}
	return tx.Insert("plan_changes", []string{"plan", "n", "body"}, rows)
}
