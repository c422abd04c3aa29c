package provisioning

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
)

// follows are the ways in which a rule names a unit that follow where the unit is succeeded: all others compare its key, or its name, as a text.
var follows = regexp.MustCompile(`within\s*\(\s*("[^"]*"|'[^']*')\s*\)|("[^"]*"|'[^']*')\s+in\s+unit\.path`)

// NamingRules answers the rules that name one of these units, by key or by name.
func (r *Reactor) NamingRules(ctx context.Context, units []string) ([]directory.NamingRule, error) {
	out := []directory.NamingRule{}
	c, err := r.current(ctx)
	if err != nil || c.policy == nil {
		return out, err
	}
	for ref, rule := range rulesOf(c.policy) {
		if !names(rule.When, units) {
			continue
		}
		group, key, _ := strings.Cut(ref, "/")
		out = append(out, directory.NamingRule{Group: group, Rule: key, When: rule.When, Edit: names(follows.ReplaceAllString(rule.When, ""), units)})
	}
	slices.SortFunc(out, func(a, b directory.NamingRule) int { return strings.Compare(a.Group+"/"+a.Rule, b.Group+"/"+b.Rule) })
	return out, nil
}

// names tells whether an expression holds one of these texts.
func names(when string, units []string) bool {
	return slices.ContainsFunc(units, func(u string) bool {
		return u != "" && (strings.Contains(when, `"`+u+`"`) || strings.Contains(when, "'"+u+"'"))
	})
}
