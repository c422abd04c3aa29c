package provisioning

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// What of a policy cannot be judged for somebody gives them nothing, and stops nothing else: what stood by it goes as whatever facts take, through the
// guard. It is kept as a failure of the person until it can be judged.

// unjudged is what could not be judged for one person.
type unjudged []policies.Failure

// names answers the rules, eligibilities and separations, with commas.
func (u unjudged) names() string {
	out := make([]string, len(u))
	for i, f := range u {
		out[i] = strings.Trim(ruleRef(f.Group, f.Rule), "/")
	}
	return strings.Join(out, ",")
}

func (u unjudged) err() error {
	errs := make([]error, len(u))
	for i, f := range u {
		errs[i] = f.Err
	}
	return errors.Join(errs...)
}

// noted tells whether a failure says that already.
func (u unjudged) noted(row failureRow) bool {
	return row.Rules == u.names() && (len(u) == 0 || row.Error == u.err().Error())
}

// conflicts answers it as what a plan keeps from somebody.
func (u unjudged) conflicts(person id.Person, p *policies.Policy) []Conflict {
	var out []Conflict
	for _, f := range u {
		k := Conflict{Person: person, Group: f.Group, Rule: f.Rule, Against: []string{}, Unjudged: true}
		if g := p.Group(f.Group); g == nil {
			k.Separation, k.Rule = f.Rule, ""
		} else {
			for _, rule := range g.Rules {
				if rule.Key == f.Rule {
					k.Role = rule.Role
				}
			}
		}
		out = append(out, k)
	}
	return out
}

// line says it in an explanation.
func (x *explainer) unjudged(f policies.Failure) Line {
	ref, why := strings.Trim(ruleRef(f.Group, f.Rule), "/"), ""
	if cause := errors.Unwrap(f.Err); cause != nil && x.sight.Full() {
		why = ": " + cause.Error() + " (" + f.At + ")"
	}
	return Line{Kind: "rule", Ref: ref, Text: Text{"Rule " + ref + " could not be judged" + why, "规则 " + ref + " 无法判定" + strings.Replace(why, ": ", "：", 1)}}
}

// failing says which rules of the group of the channel could not be judged for the person.
func (x *explainer) failing() {
	if x.catalog.policy == nil {
		return
	}
	for _, f := range x.catalog.judge(x.catalog.subject(x.fact, x.above, x.now)).Failed {
		if f.Group != x.catalog.key(x.channel.Group) {
			continue
		}
		if line := x.unjudged(f); x.Role != "" { // something else gives access
			x.Path = append(x.Path, line)
		} else {
			x.Missing = append([]Line{line}, x.Missing...)
		}
	}
}

// Unjudged counts the people for whom something of the policy in force could not be judged.
func (r *Reactor) Unjudged(ctx context.Context) (int, error) {
	var n int
	if err := r.db.Read(ctx).Raw("select count(*) from failures where rules <> ''").Scan(&n).Error; err != nil {
		return 0, fmt.Errorf("count failures: %w", err)
	}
	return n, nil
}

// noteUnjudged remembers what could not be judged for somebody who was reconciled.
func (r *Reactor) noteUnjudged(tx *db.Tx, person id.Person, u unjudged) error {
	if err := r.remember(tx, person, u.err()); err != nil {
		return err
	}
	return tx.Exec("update failures set rules = ? where person = ?", u.names(), person).Error
}
