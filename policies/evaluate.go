package policies

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Wanted is one reason by which a person belongs into a group: the rule that says so.
type Wanted struct {
	Group   string // key
	Role    Role
	Rule    string // key, unique within the group
	Channel string // key, where it is a place in that channel alone
}

// Judgement is what a policy says about one person at one instant.
type Judgement struct {
	Wanted []Wanted  // in the order of the policy
	Next   time.Time // before this instant the same facts give the same; zero: always
	Failed []Failure // rules that could not be judged: they give nothing
}

// Failure is that something of a policy could not be judged for somebody.
type Failure struct {
	Group string // key; empty of a separation
	Rule  string // key; empty of an eligibility
	At    string // file:line:column of the condition
	Err   error  // names what it is of, and where
}

// failures answers one error for all of list; nil where it is empty.
func failures(list []Failure) error {
	errs := make([]error, len(list))
	for i, f := range list {
		errs[i] = f.Err
	}
	return errors.Join(errs...)
}

// Evaluate answers every reason the policy gives s. A rule that asks for a label the person does not have gives
// nothing. A rule that costs too much or meets a value of the wrong kind is an error that names it, and gives nothing; the
// judgement holds for all others. A guest is given nothing. Only rules of which s has an anchor are looked at.
func (p *Policy) Evaluate(s Subject) (Judgement, error) {
	return p.judge(&s, p.index.candidates(&s), true)
}

// EvaluateAll is Evaluate by having CEL look at every rule: the measure of it.
func (p *Policy) EvaluateAll(s Subject) (Judgement, error) {
	all := make([]int, len(p.index.rules))
	for i := range all {
		all[i] = i
	}
	return p.judge(&s, all, false)
}

func (p *Policy) judge(s *Subject, candidates []int, plainly bool) (Judgement, error) {
	var out Judgement
	if s.Guest {
		return out, nil
	}
	v := view{language: p.language, subject: s, plainly: plainly}
	for _, i := range candidates {
		at := p.index.rules[i]
		g := &p.Groups[at.group]
		rule := &g.Rules[at.rule]
		holds, err := v.holds(rule.condition)
		if err != nil {
			out.Failed = append(out.Failed, Failure{g.Key, rule.Key, rule.condition.at, fmt.Errorf("%s: rule %s/%s: %w", rule.condition.at, g.Key, rule.Key, err)})
		}
		if holds {
			out.Wanted = append(out.Wanted, Wanted{Group: g.Key, Role: rule.Role, Rule: rule.Key})
		}
	}
	out.Next = v.next()
	return out, failures(out.Failed)
}

// Admission is what somebody may do about a group by themselves.
type Admission struct {
	Group     string // key
	Role      Role   // that they get
	Join, Ask bool
}

// Admits answers what s may do by themselves about these groups, or about all where none is named; groups of which that is nothing are left out. The
// instant is as Judgement.Next. What cannot be judged admits nobody, and is among the failures.
func (p *Policy) Admits(s Subject, groups ...string) ([]Admission, time.Time, []Failure) {
	v := view{language: p.language, subject: &s, plainly: true}
	var out []Admission
	var failed []Failure
	if s.Guest {
		return nil, time.Time{}, nil
	}
	for i := range p.Groups {
		g := &p.Groups[i]
		if g.Eligibility.Role == "" || len(groups) > 0 && !slices.Contains(groups, g.Key) {
			continue
		}
		a := Admission{Group: g.Key, Role: g.Eligibility.Role}
		for _, c := range []struct {
			holds *bool
			when  condition
		}{{&a.Join, g.Eligibility.join}, {&a.Ask, g.Eligibility.ask}} {
			var err error
			if *c.holds, err = v.holds(c.when); err != nil {
				*c.holds = false
				failed = append(failed, Failure{Group: g.Key, At: c.when.at, Err: fmt.Errorf("%s: eligibility of %s: %w", c.when.at, g.Key, err)})
			}
		}
		if a.Join || a.Ask {
			out = append(out, a)
		}
	}
	return out, v.next(), failed
}

// Decides answers how requests of a kind about a group are decided: what the group says, else the policy; false where neither says anything.
func (p *Policy) Decides(group string, kind ApprovalKind) (Approval, bool) {
	if g := p.Group(group); g != nil {
		if a, said := g.Approvals[kind]; said {
			return a, true
		}
	}
	a, said := p.Approvals[kind]
	return a, said
}

// Tells answers who is told of what in a group, or of what is about none.
func (p *Policy) Tells(group string) Tell {
	out := Tell{Handover: []Told{ToldPerson, ToldOwners}, Held: []string{"owner", "security"}}
	if p == nil {
		return out
	}
	said := []Tell{p.Notifications.Tell}
	if g := p.Group(group); g != nil {
		said = append(said, g.Notifications.Tell)
	}
	for _, t := range said {
		for _, one := range []struct{ to, from *[]Told }{{&out.Joined, &t.Joined}, {&out.Left, &t.Left}, {&out.Handover, &t.Handover}} {
			if *one.from != nil {
				*one.to = *one.from
			}
		}
		if t.Held != nil {
			out.Held = t.Held
		}
	}
	return out
}

// Group answers the group of that key; nil where there is none.
func (p *Policy) Group(key string) *Group {
	i, ok := p.index.groups[key]
	if !ok {
		return nil
	}
	return &p.Groups[i]
}

// Uses names the attributes of people that the policy asks for; "unit" where it asks for that in any way.
func (p *Policy) Uses() map[string]bool {
	out := map[string]bool{}
	p.Guests.sponsor.uses(out)
	for _, g := range p.Groups {
		for _, r := range g.Rules {
			r.uses(out)
		}
		g.Eligibility.join.uses(out)
		g.Eligibility.ask.uses(out)
	}
	for _, s := range p.Separation {
		if s.Never != nil {
			s.Never.uses(out)
		}
	}
	return out
}

// Asks names, of what Uses does, what the rules of one group ask for.
func (p *Policy) Asks(group string) map[string]bool {
	out := map[string]bool{}
	if g := p.Group(group); g != nil {
		for _, r := range g.Rules {
			r.uses(out)
		}
	}
	return out
}

// uses adds the attributes that c asks for.
func (c condition) uses(out map[string]bool) {
	reads := c.Reads()
	for _, name := range reads.Attributes {
		name, _, _ = strings.Cut(name, ".")
		out[name] = true
		if name == "affiliations" {
			out["unit"], out["department"], out["company"], out["employee_type"] = true, true, true, true
		}
		if name == "person" { // all of it
			for _, field := range vocabulary(reflect.TypeFor[person]()) {
				out[field] = true
			}
			out["unit"] = true
		}
		if name == "managers" || name == "person" {
			out["manager"] = true
		}
	}
	out["time"] = out["time"] || reads.Time
}

// index finds the rules that can be true for somebody.
type index struct {
	rules      []place
	everybody  []int            // of the rules: those without a bound
	anchored   map[Anchor][]int // the others
	attributes []string         // of the anchors
	groups     map[string]int   // by key
}

type place struct{ group, rule int }

func (p *Policy) makeIndex() {
	p.index = index{anchored: map[Anchor][]int{}, groups: map[string]int{}}
	for i, g := range p.Groups {
		p.index.groups[g.Key] = i
		for j, r := range g.Rules {
			n := len(p.index.rules)
			p.index.rules = append(p.index.rules, place{i, j})
			anchors, bounded := r.Anchors()
			if !bounded {
				p.index.everybody = append(p.index.everybody, n)
				continue
			}
			for _, a := range anchors {
				if !slices.Contains(p.index.attributes, a.Attribute) {
					p.index.attributes = append(p.index.attributes, a.Attribute)
				}
				p.index.anchored[a] = append(p.index.anchored[a], n)
			}
		}
	}
}

// candidates answers, in their order, the rules that can be true for s.
func (x *index) candidates(s *Subject) []int {
	out := slices.Clone(x.everybody)
	for _, name := range x.attributes {
		for _, v := range s.values(name) {
			out = append(out, x.anchored[Anchor{name, v}]...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
