package policies

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// group reads a project group: what its template says, if it has one, and then what it says itself.
func (p *parser) group(r *reader, n *yaml.Node) error {
	g := Group{Channels: []Channel{}, Rules: []Rule{}}
	call := instance{with: map[string]*yaml.Node{}}
	known := r.groupFields(&Group{}) // first only what a template needs
	for name := range known {
		known[name] = func(*yaml.Node) error { return nil }
	}
	known["key"] = func(n *yaml.Node) error { return r.key(n, &g.Key) }
	known["name"] = func(n *yaml.Node) error { return r.names(n, &g.Names) }
	known["template"] = func(n *yaml.Node) error { call.at = n; return r.text(n, &g.Template) }
	known["with"] = func(n *yaml.Node) error { return call.read(r, n) }
	if err := r.mapping(n, known); err != nil {
		return err
	}
	if g.Key == "" {
		return r.at(n, "group has no key", "")
	}
	if call.at != nil {
		if err := p.expand(r, &call, &g); err != nil {
			return err
		}
	} else if call.block != nil {
		return r.at(call.block, "with has no template", "say which: template: project")
	}
	known = r.groupFields(&g)
	for _, name := range []string{"template", "with"} {
		known[name] = func(*yaml.Node) error { return nil }
	}
	known["key"] = func(n *yaml.Node) error { return r.key(n, &g.Key) }
	if err := r.mapping(n, known); err != nil {
		return err
	}
	if g.Names == nil {
		return r.at(n, fmt.Sprintf("group %q has no name", g.Key), "name: {en: Apollo, zh: 阿波罗}")
	}
	if err := p.claim(r, n, fmt.Sprintf("group %q", g.Key)); err != nil {
		return err
	}
	p.policy.Groups = append(p.policy.Groups, g)
	return nil
}

// groupFields are what groups and templates have in common.
func (r *reader) groupFields(g *Group) fields {
	return fields{
		"name":        func(n *yaml.Node) error { return r.names(n, &g.Names) },
		"description": func(n *yaml.Node) error { return r.names(n, &g.Description) },
		"channels": func(n *yaml.Node) error {
			return r.sequence(n, func(n *yaml.Node) error { return r.channel(n, g) })
		},
		"rules":       func(n *yaml.Node) error { return r.sequence(n, func(n *yaml.Node) error { return r.rule(n, g) }) },
		"eligibility": func(n *yaml.Node) error { return r.eligibility(n, &g.Eligibility) },
		"successors": func(n *yaml.Node) error {
			g.Successors = nil
			return r.sequence(n, func(n *yaml.Node) error { return r.successor(n, g) })
		},
		"approvals":     func(n *yaml.Node) error { return r.approvals(n, &g.Approvals, groupApprovals()) },
		"notifications": func(n *yaml.Node) error { return r.notifications(n, &g.Notifications, ofGroup) },
	}
}

func (r *reader) channel(n *yaml.Node, g *Group) error {
	c := Channel{Access: DefaultAccess(), History: FullHistory}
	access := fields{}
	for _, role := range Roles() {
		access[string(role)] = func(n *yaml.Node) error {
			var a string
			err := r.oneOf(n, &a, string(None), string(Read), string(Post), string(Manage))
			c.Access[role] = Access(a)
			return err
		}
	}
	err := r.mapping(n, fields{
		"key":    func(n *yaml.Node) error { return r.key(n, &c.Key) },
		"name":   func(n *yaml.Node) error { return r.names(n, &c.Names) },
		"access": func(n *yaml.Node) error { return r.mapping(n, access) },
		"labels": func(n *yaml.Node) error {
			return r.sequence(n, func(n *yaml.Node) error {
				var label string
				err := r.key(n, &label)
				if err == nil && slices.Contains(c.Labels, label) {
					return r.at(n, fmt.Sprintf("label %q stands twice", label), "")
				}
				c.Labels = append(c.Labels, label)
				return err
			})
		},
		"default_history": func(n *yaml.Node) error {
			var h string
			err := r.oneOf(n, &h, string(FullHistory), string(JoiningHistory))
			c.History = History(h)
			return err
		},
		"handover":      func(n *yaml.Node) error { return r.handover(n, &c.Handover) },
		"notifications": func(n *yaml.Node) error { return r.notifications(n, &c.Notifications, ofChannel) },
	})
	switch {
	case err != nil:
		return err
	case c.Key == "":
		return r.at(n, "channel has no key", "")
	case c.Handover.Role != "" && c.Handover.Days == 0 && slices.Contains(c.Labels, restricted):
		return r.at(n, fmt.Sprintf("handover of the restricted channel %q has no days", c.Key), "handover: {days: 3}, or no handover")
	case c.Names == nil:
		return r.at(n, fmt.Sprintf("channel %q has no name", c.Key), "name: {en: General, zh: 综合}")
	case slices.ContainsFunc(g.Channels, func(o Channel) bool { return o.Key == c.Key }):
		return r.at(n, fmt.Sprintf("channel %q stands twice in its group", c.Key), inTemplate(g))
	}
	if c.Handover.Role != "" && c.Handover.Days == 0 {
		c.Handover.Days = handoverDays
	}
	g.Channels = append(g.Channels, c)
	return nil
}

// inTemplate is a hint for what a group and its template may both have said.
func inTemplate(g *Group) string {
	if g.Template == "" {
		return ""
	}
	return fmt.Sprintf("template %q may have one, too", g.Template)
}

func (r *reader) rule(n *yaml.Node, g *Group) error {
	rule := Rule{}
	err := r.mapping(n, fields{
		"key":  func(n *yaml.Node) error { return r.key(n, &rule.Key) },
		"role": func(n *yaml.Node) error { return r.role(n, &rule.Role) },
		"when": func(n *yaml.Node) error { return r.condition(n, &rule.When, &rule.condition) },
	})
	switch {
	case err != nil:
		return err
	case rule.Key == "":
		return r.at(n, "rule has no key", "")
	case rule.Role == "":
		return r.at(n, fmt.Sprintf("rule %q has no role", rule.Key), "one of "+strings.Join(roleNames(), ", "))
	case rule.When == "":
		return r.at(n, fmt.Sprintf("rule %q has no when", rule.Key), `when: person.department == "R&D"`)
	case slices.ContainsFunc(g.Rules, func(o Rule) bool { return o.Key == rule.Key }):
		return r.at(n, fmt.Sprintf("rule %q stands twice in its group", rule.Key), inTemplate(g))
	}
	g.Rules = append(g.Rules, rule)
	return nil
}

func (r *reader) eligibility(n *yaml.Node, to *Eligibility) error {
	*to = Eligibility{Role: Participant}
	err := r.mapping(n, fields{
		"join": func(n *yaml.Node) error { return r.condition(n, &to.Join, &to.join) },
		"ask":  func(n *yaml.Node) error { return r.condition(n, &to.Ask, &to.ask) },
		"role": func(n *yaml.Node) error { return r.role(n, &to.Role) },
	})
	switch {
	case err != nil:
		return err
	case to.Join == "" && to.Ask == "":
		return r.at(n, "eligibility has neither join nor ask", `join: person.employee_type == "employee"`)
	case to.Role == Owner:
		return r.at(n, "nobody makes himself an owner", "rules and owners give that role")
	}
	return nil
}

func (r *reader) handover(n *yaml.Node, to *Handover) error {
	*to = Handover{Role: Collaborator}
	err := r.mapping(n, fields{
		"days": func(n *yaml.Node) error { return r.number(n, &to.Days, 1, 365) },
		"role": func(n *yaml.Node) error { return r.role(n, &to.Role) },
	})
	switch {
	case err != nil:
		return err
	case to.Role == Owner:
		return r.at(n, "who moved away does not stay an owner", "role: collaborator")
	case to.Role == Vendor:
		return r.at(n, "who moved away does not become an outsider", "role: collaborator")
	}
	return nil
}

// successorForms says how a successor is written.
const successorForms = "a successor is manager, {member: ROLE} or {person: NUMBER}"

// successor reads "manager", {member: participant} or {person: "1001"}.
func (r *reader) successor(n *yaml.Node, g *Group) error {
	s := Successor{}
	var err error
	if n.Kind == yaml.ScalarNode {
		var word string
		if err = r.text(n, &word); err == nil && word != string(SuccessorManager) && !r.open(n) {
			hint := successorForms
			if DidYouMean(word, []string{string(SuccessorManager)}) != "" {
				hint = `did you mean "manager"?`
			} else if slices.Contains(roleNames(), word) {
				hint = fmt.Sprintf("did you mean {member: %s}?", word)
			}
			return r.at(n, fmt.Sprintf("unknown successor %q", word), hint)
		}
		s.Kind = SuccessorManager
	} else {
		err = r.mapping(n, fields{
			"member": func(n *yaml.Node) error { s.Kind = SuccessorMember; return r.role(n, &s.Role) },
			"person": func(n *yaml.Node) error {
				s.Kind = SuccessorPerson
				err := r.text(n, &s.Person)
				r.mention(MentionSuccessor, s.Person, n.Line, n.Column)
				return err
			},
		})
		if err == nil && (s.Kind == "" || s.Role != "" && s.Person != "") {
			return r.at(n, "a successor is one thing", successorForms)
		}
	}
	switch {
	case err != nil:
		return err
	case s.Role == Vendor:
		return r.at(n, "an outsider succeeds nobody", "")
	case slices.Contains(g.Successors, s):
		return r.at(n, "successor stands twice", "")
	}
	g.Successors = append(g.Successors, s)
	return nil
}
