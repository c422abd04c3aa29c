package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	celparser "github.com/google/cel-go/parser"
)

// Opens names what keeps somebody who writes policies from opening doors for himself, and is less in after than it was in before: who decides what is asked for ("approvals.join.by",
// "groups.apollo.approvals.join.people"), what is kept apart ("separation.no-vendors"), who may join by themselves ("groups.apollo.eligibility.join") or
// let guests in ("guests.sponsor"), or takes over what has no owner ("groups.apollo.successors"), how long movers keep a restricted channel and as what
// ("groups.apollo.channels.vault.handover"), and labels of channels that such things go by ("groups.apollo.channels.vault.labels"). Nothing where before
// is nil. Of two conditions it knows that one is narrower where that is so by how they are put together with &&
// and ||; any other change of one counts.
func Opens(before, after *Policy) []string { return opens(before, after, false) }

// eases is Opens of everything that a policy lets people do, whoever writes it and whether or not a channel is restricted: rules ("groups.apollo.rules.rnd.when") and limits ("guard.move",
// "limits.four_eyes") too. What a group says that is not in both is not told of.
func eases(before, after *Policy) []string {
	out := append(opens(before, after, true), Raised(before, after)...)
	for i := range after.Groups {
		is := &after.Groups[i]
		was := before.Group(is.Key)
		if was == nil {
			continue
		}
		if e := is.Eligibility; e.Ask != "" && (!allOf(after.language, e.Ask, was.Eligibility.Ask) || e.Role.Strength() > was.Eligibility.Role.Strength()) {
			out = append(out, "groups."+is.Key+".eligibility.ask")
		}
		for _, r := range is.Rules {
			name := "groups." + is.Key + ".rules." + r.Key
			at := slices.IndexFunc(was.Rules, func(o Rule) bool { return o.Key == r.Key })
			if at < 0 || !allOf(after.language, r.When, was.Rules[at].When) {
				out = append(out, name+".when")
			}
			if at < 0 || r.Role.Strength() > was.Rules[at].Role.Strength() {
				out = append(out, name+".role")
			}
		}
	}
	return out
}

// Raised names the limits that after raises over before, those of the guard and of one administrator alone: "guard.move", "limits.four_eyes".
func Raised(before, after *Policy) []string {
	var out []string
	was, is := before.Guard, after.Guard
	for _, l := range []struct {
		name    string
		was, is Limit
	}{{"guard.absence", was.Absence, is.Absence}, {"guard.cleanup", was.Cleanup, is.Cleanup}, {"guard.move", was.Move, is.Move}, {"guard.attribute", was.Attribute, is.Attribute},
		{"guard.cleared", was.Cleared, is.Cleared}, {"guard.unit", was.Unit, is.Unit}, {"guard.group", was.Group, is.Group}} {
		if l.is.People > l.was.People || l.is.Percent > l.was.Percent {
			out = append(out, l.name)
		}
	}
	if was, is := before.Limits.FourEyes, after.Limits.FourEyes; was != (Limit{}) && (is == (Limit{}) || is.People > was.People || is.Percent > was.Percent) { // zero is no limit
		out = append(out, "limits.four_eyes")
	}
	return out
}

// opens is Opens; all takes channels that are not restricted as if they were, and leaves groups out that are not in both.
func opens(before, after *Policy, all bool) []string {
	if before == nil {
		return nil
	}
	var out []string
	for _, kind := range ApprovalKinds() {
		out = append(out, otherDeciders(before, after, "", kind)...)
	}
	for _, s := range before.Separation {
		if !slices.ContainsFunc(after.Separation, func(o Separation) bool { return o.covers(&s, after) }) {
			out = append(out, "separation."+s.Key)
		}
	}
	if was := before.Guests.Sponsor; was != "" && !allOf(after.language, after.Guests.Sponsor, was) {
		out = append(out, "guests.sponsor")
	}
	guarding := before.guardingLabels()
	for i := range after.Groups {
		is := &after.Groups[i]
		was := before.Group(is.Key)
		if was == nil {
			if all || !is.Restricted() {
				continue
			}
			was = &Group{Key: is.Key} // it may come back, with all that was said in it
		}
		for _, kind := range groupApprovals() {
			_, had := was.Approvals[kind]
			if _, has := is.Approvals[kind]; had || has { // else it is as the policy says
				out = append(out, otherDeciders(before, after, was.Key, kind)...)
			}
		}
		if e := is.Eligibility; e.Join != "" && (!allOf(after.language, e.Join, was.Eligibility.Join) || e.Role.Strength() > was.Eligibility.Role.Strength()) {
			out = append(out, "groups."+was.Key+".eligibility.join")
		}
		if (all || is.Restricted()) && slices.ContainsFunc(is.Successors, func(s Successor) bool { return !slices.Contains(was.Successors, s) }) {
			out = append(out, "groups."+was.Key+".successors")
		}
		for _, c := range is.Channels {
			old := slices.IndexFunc(was.Channels, func(o Channel) bool { return o.Key == c.Key })
			if old >= 0 && slices.ContainsFunc(was.Channels[old].Labels, func(l string) bool { return guarding[l] && !slices.Contains(c.Labels, l) }) {
				out = append(out, "groups."+was.Key+".channels."+c.Key+".labels")
			}
			var kept Handover
			if old >= 0 {
				kept = was.Channels[old].Handover
			}
			if h := c.Handover; (all || IsRestricted(c.Labels)) && h.Days > 0 && (h.Days > kept.Days || h.Role.Strength() > kept.Role.Strength()) {
				out = append(out, "groups."+was.Key+".channels."+c.Key+".handover")
			}
		}
	}
	return out
}

// guardingLabels are those that a separation goes by, and restricted.
func (p *Policy) guardingLabels() map[string]bool {
	out := map[string]bool{restricted: true}
	for _, s := range p.Separation {
		if s.Never != nil {
			out[s.Never.Label] = true
		}
	}
	return out
}

// Restricted tells whether somebody in the group may see a channel with the label restricted; channels, where some are named, are the only ones looked at. nil has none.
func (g *Group) Restricted(channels ...string) bool {
	return g != nil && slices.ContainsFunc(g.Channels, func(c Channel) bool {
		return IsRestricted(c.Labels) && (len(channels) == 0 || slices.Contains(channels, c.Key))
	})
}

// IsRestricted tells whether a channel with these labels is a restricted one.
func IsRestricted(labels []string) bool { return slices.Contains(labels, restricted) }

// otherDeciders names what of one kind of requests is decided by others than before, or by fewer. Of the policy itself who decides plans, holds and break-glass is anybody who could do it,
// where it says nothing; a group that can be asked for is decided by its owners; a stronger role cannot be asked for then.
func otherDeciders(before, after *Policy, group string, kind ApprovalKind) []string {
	name := "approvals." + string(kind)
	if group != "" {
		name = "groups." + group + "." + name
	}
	was, said := before.Decides(group, kind)
	is, says := after.Decides(group, kind)
	var anybody bool
	switch kind {
	case ApproveJoin:
		owners := Approval{By: []Approver{{Kind: ApproverOwners}}, People: 1}
		if !said {
			was = owners
		}
		if !says {
			is = owners
		}
	case ApproveElevation:
	default:
		anybody = true
	}
	var out []string
	switch {
	case anybody && !said:
	case anybody && !says || slices.ContainsFunc(is.By, func(a Approver) bool { return !slices.Contains(was.By, a) }):
		out = append(out, name+".by")
	}
	if (group != "" || kind == ApproveJoin) && (says || kind == ApproveJoin) && is.People < was.People {
		out = append(out, name+".people")
	}
	return out
}

// covers tells whether s forbids all that was does, of what p has still.
func (s *Separation) covers(was *Separation, p *Policy) bool {
	if was.Never == nil {
		return s.Never == nil && !slices.ContainsFunc(was.standing(p), func(at Place) bool { return !slices.Contains(s.NeverTogether, at) })
	}
	if s.Never == nil || s.Never.Label != was.Never.Label || s.Never.Role != was.Never.Role {
		return false
	}
	return was.Never.When == "" || anyOf(p.language, s.Never.When, was.Never.When)
}

// standing are the places of a separation that p has.
func (s *Separation) standing(p *Policy) []Place {
	return slices.DeleteFunc(slices.Clone(s.NeverTogether), func(at Place) bool {
		g := p.Group(at.Group)
		return g == nil || at.Channel != "" && !slices.ContainsFunc(g.Channels, func(c Channel) bool { return c.Key == at.Channel })
	})
}

// allOf tells whether a condition asks for all that another asks for, as parts joined by &&, so that it is true for nobody else. None at all is true for nobody.
func allOf(l *language, condition, other string) bool {
	if condition == other {
		return other != ""
	}
	parts := l.operands(condition, operators.LogicalAnd)
	return other != "" && !slices.ContainsFunc(l.operands(other, operators.LogicalAnd), func(part string) bool { return !slices.Contains(parts, part) })
}

// anyOf tells whether a condition is true for everybody for whom another is, as parts joined by ||.
func anyOf(l *language, condition, other string) bool {
	if condition == other {
		return condition != ""
	}
	parts := l.operands(condition, operators.LogicalOr)
	return condition != "" && !slices.ContainsFunc(l.operands(other, operators.LogicalOr), func(part string) bool { return !slices.Contains(parts, part) })
}

// operands takes a condition apart at one operator, each part as one text however it was written.
func (l *language) operands(condition, operator string) []string {
	tree, issues := l.env.Parse(condition)
	if issues.Err() != nil { // it was compiled once: it is what it says
		return []string{strings.TrimSpace(condition)}
	}
	root := tree.NativeRep()
	var out []string
	var take func(e ast.Expr)
	take = func(e ast.Expr) {
		if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operator {
			for _, arg := range e.AsCall().Args() {
				take(arg)
			}
			return
		}
		text, err := celparser.Unparse(e, root.SourceInfo())
		if err != nil {
			text = fmt.Sprint("part ", len(out), " of ", condition)
		}
		out = append(out, text)
	}
	take(root.Expr())
	return out
}
