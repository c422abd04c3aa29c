package policies

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// separation reads one separation rule; what it names must exist, which is looked at when all is read.
func (p *parser) separation(r *reader, n *yaml.Node) error {
	s := Separation{}
	err := r.mapping(n, fields{
		"key":  func(n *yaml.Node) error { return r.key(n, &s.Key) },
		"name": func(n *yaml.Node) error { return r.names(n, &s.Names) },
		"never_together": func(n *yaml.Node) error {
			return r.sequence(n, func(n *yaml.Node) error {
				var text string
				if err := r.text(n, &text); err != nil {
					return err
				}
				at := Place{}
				at.Group, at.Channel, _ = strings.Cut(text, "/")
				if slices.Contains(s.NeverTogether, at) {
					return r.at(n, fmt.Sprintf("%q stands twice", text), "")
				}
				s.NeverTogether = append(s.NeverTogether, at)
				p.late = append(p.late, func() error { return p.exists(r, n, at) })
				return nil
			})
		},
		"never": func(n *yaml.Node) error { s.Never = &Never{}; return p.never(r, n, s.Never) },
	})
	switch {
	case err != nil:
		return err
	case s.Key == "":
		return r.at(n, "separation has no key", "")
	case s.Names == nil:
		return r.at(n, fmt.Sprintf("separation %q has no name", s.Key), "name: {en: Buyers are not auditors, zh: 采购不审计}")
	case (s.NeverTogether == nil) == (s.Never == nil):
		return r.at(n, fmt.Sprintf("separation %q wants one of never_together and never", s.Key), "never_together: [buyers, auditors]")
	case s.Never == nil && len(s.NeverTogether) < 2:
		return r.at(n, "never_together wants two groups or more", "never_together: [buyers, auditors]")
	}
	if err := p.claim(r, n, fmt.Sprintf("separation %q", s.Key)); err != nil {
		return err
	}
	p.policy.Separation = append(p.policy.Separation, s)
	return nil
}

func (p *parser) never(r *reader, n *yaml.Node, to *Never) error {
	err := r.mapping(n, fields{
		"role": func(n *yaml.Node) error { return r.role(n, &to.Role) },
		"when": func(n *yaml.Node) error { return r.condition(n, &to.When, &to.condition) },
		"label": func(n *yaml.Node) error {
			p.late = append(p.late, func() error { return p.labelled(r, n, to.Label) })
			return r.key(n, &to.Label)
		},
	})
	switch {
	case err != nil:
		return err
	case to.Label == "":
		return r.at(n, "never has no label", "never: {role: vendor, label: restricted}")
	case (to.Role == "") == (to.When == ""):
		return r.at(n, "never wants one of role and when", "never: {role: vendor, label: restricted}")
	}
	return nil
}

// labelled notes where no channel has a label.
func (p *parser) labelled(r *reader, n *yaml.Node, label string) error {
	var known []string
	for _, g := range p.policy.Groups {
		for _, c := range g.Channels {
			known = append(known, c.Labels...)
		}
	}
	if slices.Sort(known); !slices.Contains(known, label) {
		p.policy.idle = append(p.policy.idle, r.at(n, fmt.Sprintf("no channel has the label %q: this forbids nothing", label), nearest(label, slices.Compact(known))))
	}
	return nil
}

// exists checks that a place is one of the policy.
func (p *parser) exists(r *reader, n *yaml.Node, at Place) error {
	g := p.policy.Group(at.Group)
	if g == nil {
		var known []string
		for _, g := range p.policy.Groups {
			known = append(known, g.Key)
		}
		return r.at(n, fmt.Sprintf("no group has the key %q", at.Group), nearest(at.Group, known))
	}
	if at.Channel == "" || slices.ContainsFunc(g.Channels, func(c Channel) bool { return c.Key == at.Channel }) {
		return nil
	}
	var known []string
	for _, c := range g.Channels {
		known = append(known, c.Key)
	}
	return r.at(n, fmt.Sprintf("group %q has no channel %q", at.Group, at.Channel), nearest(at.Channel, known))
}

// groupApprovals are the kinds of requests that are about one group.
func groupApprovals() []ApprovalKind {
	return []ApprovalKind{ApproveJoin, ApproveGuest, ApproveElevation, ApproveFile}
}

func (r *reader) approvals(n *yaml.Node, to *map[ApprovalKind]Approval, kinds []ApprovalKind) error {
	*to = map[ApprovalKind]Approval{}
	known := fields{}
	for _, kind := range kinds {
		known[string(kind)] = func(n *yaml.Node) error {
			a, err := r.approval(n)
			(*to)[kind] = a
			return err
		}
	}
	return r.mapping(n, known)
}

func (r *reader) approval(n *yaml.Node) (Approval, error) {
	a := Approval{People: 1, LapseDays: 7}
	err := r.mapping(n, fields{
		"by":         func(n *yaml.Node) error { return r.sequence(n, func(n *yaml.Node) error { return r.approver(n, &a) }) },
		"people":     func(n *yaml.Node) error { return r.number(n, &a.People, 1, 5) },
		"lapse_days": func(n *yaml.Node) error { return r.number(n, &a.LapseDays, 1, 90) },
		"most_days":  func(n *yaml.Node) error { return r.number(n, &a.MostDays, 1, 3650) },
	})
	if err == nil && len(a.By) == 0 {
		err = r.at(n, "approval says nobody who decides", "by: [owners]")
	}
	return a, err
}

// adminRoles are the roles of administrators who may decide.
func adminRoles() []string { return []string{"owner", "security", "hr", "helpdesk", "auditor"} }

// approver reads "owners", "manager", "sponsor", {admins: security} or {person: "1001"}.
func (r *reader) approver(n *yaml.Node, a *Approval) error {
	by := Approver{}
	var err error
	if n.Kind == yaml.ScalarNode {
		var word string
		err = r.oneOf(n, &word, string(ApproverOwners), string(ApproverManager), string(ApproverSponsor))
		by.Kind = ApproverKind(word)
	} else {
		err = r.mapping(n, fields{
			"admins": func(n *yaml.Node) error { by.Kind = ApproverAdmins; return r.oneOf(n, &by.Admins, adminRoles()...) },
			"person": func(n *yaml.Node) error {
				by.Kind = ApproverPerson
				err := r.text(n, &by.Person)
				r.mention(MentionApprover, by.Person, n.Line, n.Column)
				return err
			},
		})
		if err == nil && (by.Kind == "" || by.Admins != "" && by.Person != "") {
			return r.at(n, "an approver is one of owners, manager, sponsor, {admins: ROLE}, {person: NUMBER}", "")
		}
	}
	if err == nil && slices.Contains(a.By, by) {
		return r.at(n, "approver stands twice", "")
	}
	a.By = append(a.By, by)
	return err
}

// where in the policy something stands.
type where int

const (
	ofPolicy where = iota
	ofGroup
	ofChannel
)

func (r *reader) notifications(n *yaml.Node, to *Notifications, in where) error {
	*to = Notifications{}
	order := []string{string(NotifyNone), string(NotifyMentions), string(NotifyAll)}
	level := func(to *Level) func(*yaml.Node) error {
		return func(n *yaml.Node) error {
			var word string
			err := r.oneOf(n, &word, order...)
			*to = Level(word)
			return err
		}
	}
	known := fields{"default": level(&to.Default), "floor": level(&to.Floor), "ceiling": level(&to.Ceiling)}
	if in != ofChannel {
		known["tell"] = func(n *yaml.Node) error { return r.tell(n, &to.Tell, in) }
	}
	if in == ofPolicy {
		known["before_end_days"] = func(n *yaml.Node) error {
			to.BeforeEndDays = []int{} // where none stands, nobody is told
			return r.sequence(n, func(n *yaml.Node) error {
				var days int
				err := r.number(n, &days, 1, 90)
				if err == nil && len(to.BeforeEndDays) > 0 && days >= to.BeforeEndDays[len(to.BeforeEndDays)-1] {
					return r.at(n, "days go down", "before_end_days: [14, 7, 1]")
				}
				to.BeforeEndDays = append(to.BeforeEndDays, days)
				return err
			})
		}
	}
	if err := r.mapping(n, known); err != nil {
		return err
	}
	rank := func(l, otherwise Level) int {
		if l == "" {
			l = otherwise
		}
		return slices.Index(order, string(l))
	}
	least, most := rank(to.Floor, NotifyNone), rank(to.Ceiling, NotifyAll)
	if least > most {
		return r.at(n, "floor is above ceiling", "none is less than mentions, that less than all")
	}
	if to.Default != "" && (rank(to.Default, "") < least || rank(to.Default, "") > most) {
		return r.at(n, "default is not between floor and ceiling", "none is less than mentions, that less than all")
	}
	return nil
}

// tell reads who is told of what.
func (r *reader) tell(n *yaml.Node, to *Tell, in where) error {
	people := func(to *[]Told) func(*yaml.Node) error {
		return func(n *yaml.Node) error {
			return each(r, n, to, string(ToldPerson), string(ToldOwners), string(ToldManager))
		}
	}
	known := fields{"joined": people(&to.Joined), "left": people(&to.Left), "handover": people(&to.Handover)}
	if in == ofPolicy {
		known["held"] = func(n *yaml.Node) error { return each(r, n, &to.Held, "owner", "security") }
	}
	return r.mapping(n, known)
}

// each reads a list of words of which each may stand once; an empty one is no nil.
func each[W ~string](r *reader, n *yaml.Node, to *[]W, allowed ...string) error {
	*to = []W{}
	return r.sequence(n, func(n *yaml.Node) error {
		var word string
		if err := r.oneOf(n, &word, allowed...); err != nil {
			return err
		}
		if slices.Contains(*to, W(word)) {
			return r.at(n, fmt.Sprintf("%q stands twice", word), "each once")
		}
		*to = append(*to, W(word))
		return nil
	})
}

func (r *reader) limits(n *yaml.Node, to *Limits) error {
	return r.mapping(n, fields{"four_eyes": func(n *yaml.Node) error { return r.limit(n, &to.FourEyes) }})
}

func (r *reader) guard(n *yaml.Node, to *Guard) error {
	return r.mapping(n, fields{
		"absence":   func(n *yaml.Node) error { return r.limit(n, &to.Absence) },
		"cleanup":   func(n *yaml.Node) error { return r.limit(n, &to.Cleanup) },
		"move":      func(n *yaml.Node) error { return r.limit(n, &to.Move) },
		"attribute": func(n *yaml.Node) error { return r.limit(n, &to.Attribute) },
		"cleared":   func(n *yaml.Node) error { return r.limit(n, &to.Cleared) },
		"unit":      func(n *yaml.Node) error { return r.limit(n, &to.Unit) },
		"group":     func(n *yaml.Node) error { return r.limit(n, &to.Group) },
	})
}

func (r *reader) limit(n *yaml.Node, to *Limit) error {
	return r.mapping(n, fields{
		"people": func(n *yaml.Node) error { return r.number(n, &to.People, 0, math.MaxInt32) },
		"percent": func(n *yaml.Node) error {
			if err := n.Decode(&to.Percent); err != nil || !(to.Percent >= 0 && to.Percent <= 100) {
				return r.at(n, "wants a number from 0 to 100", "")
			}
			return nil
		},
	})
}
