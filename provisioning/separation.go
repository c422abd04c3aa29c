package provisioning

import (
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// separates tells whether the policy keeps anything apart.
func (c *catalog) separates() bool { return c.policy != nil && len(c.policy.Separation) > 0 }

// held answers, as places of the policy, own joining that is admitted and the reasons of have that neither that nor a rule gives and that hold at t.
func (c *catalog) held(have []Membership, own []Match, t time.Time) []policies.Wanted {
	var out []policies.Wanted
	for _, m := range own {
		out = append(out, policies.Wanted{Group: c.key(m.Group), Role: m.Role, Rule: m.Ref})
	}
	for _, m := range have {
		for _, r := range m.Reasons {
			if r.Kind != KindRule && r.Kind != KindJoin && r.Kind != KindHandover && r.openAt(t) && c.live(m.Group) {
				out = append(out, c.place(m.Group, r))
			}
		}
	}
	return out
}

// place answers what a reason gives as a place of the policy.
func (c *catalog) place(g id.Group, r Reason) policies.Wanted {
	w := policies.Wanted{Group: c.key(g), Role: r.Role, Rule: r.Ref}
	if r.Kind.narrow() {
		w.Channel = r.Ref
	}
	return w
}

// withHeld makes what the guard holds stand by itself: while somebody keeps a place, rules give none that excludes it.
func withHeld(have []Membership, held map[id.Membership]heldRow) []Membership {
	if len(held) == 0 {
		return have
	}
	out := slices.Clone(have)
	for i, m := range out {
		if _, stopped := held[m.ID]; stopped {
			out[i].Reasons = slices.Clone(m.Reasons)
			for j := range out[i].Reasons {
				out[i].Reasons[j].Kind = KindKeep
			}
		}
	}
	return out
}

// given answers what rules give a subject at its present and what stands of own joining, without what the policy keeps apart, and until when that
// holds for the same facts. What is withheld now is reported.
func (c *catalog) given(s policies.Subject, have []Membership, joined []Match, now bool) (matches, own []Match, next time.Time, failed unjudged) {
	matches, next, failed = c.matches(s)
	own, until, more := c.admitted(s, joined)
	failed = append(failed, more...)
	defer func() {
		if c.report != nil && now && len(failed) > 0 {
			c.report(failed.conflicts(id.Person(s.ID), c.policy))
		}
	}()
	if next = sooner(next, until); !c.separates() {
		return matches, own, next, failed
	}
	got := c.policy.Separate(s, c.held(have, own, s.Now), c.wanted(matches))
	failed = append(failed, got.Failed...)
	if c.report != nil && now && len(got.Withheld)+len(got.Barred) > 0 {
		c.report(conflictsOf(id.Person(s.ID), got))
	}
	kept := func(list []Match, taken []policies.Withheld) []Match {
		return slices.DeleteFunc(slices.Clone(list), func(m Match) bool {
			return slices.ContainsFunc(taken, func(w policies.Withheld) bool { return m.is(c, w.Wanted) })
		})
	}
	return kept(matches, got.Withheld), kept(own, got.Barred), sooner(next, got.Next), failed
}

// sooner answers the first of two instants; zero: never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// wanted answers matches as places of the policy.
func (c *catalog) wanted(matches []Match) []policies.Wanted {
	out := make([]policies.Wanted, len(matches))
	for i, m := range matches {
		_, rule, _ := strings.Cut(m.Ref, "/")
		out[i] = policies.Wanted{Group: c.key(m.Group), Role: m.Role, Rule: rule}
	}
	return out
}

func (m Match) is(c *catalog, w policies.Wanted) bool {
	rule := w.Rule
	if m.Kind == KindRule {
		rule = ruleRef(w.Group, w.Rule)
	}
	return c.key(m.Group) == w.Group && m.Role == w.Role && m.Ref == rule
}

// barred answers which reasons that neither a rule nor own joining gave may not stay; nil where that is none.
func (c *catalog) barred(subject func() policies.Subject, have []Membership, joined []Match, now time.Time) func(id.Group, Reason) bool {
	if !c.separates() || len(c.held(have, nil, now)) == 0 {
		return nil
	}
	s := subject()
	own, _, _ := c.admitted(s, joined)
	got := c.policy.Separate(s, c.held(have, own, now), nil)
	if len(got.Barred) == 0 {
		return nil
	}
	return func(g id.Group, r Reason) bool {
		return r.openAt(now) && slices.ContainsFunc(got.Barred, func(w policies.Withheld) bool {
			return w.Wanted == c.place(g, r)
		})
	}
}

// Conflict is a place that somebody would have, did a separation of the policy not forbid it.
type Conflict struct {
	Person     id.Person     `json:"person"`
	Group      string        `json:"group"` // key
	Role       policies.Role `json:"role"`
	Rule       string        `json:"rule"`       // that gives it, or what stands behind a grant
	Separation string        `json:"separation"` // key
	Against    []string      `json:"against" nullable:"false" doc:"places it must not be together with; none where it is forbidden by itself"`
	Held       bool          `json:"held" doc:"it stood before, and ends"`
	Unjudged   bool          `json:"unjudged,omitempty" doc:"no separation: the rule could not be judged for the person, and gives nothing"`
}

// PlanConflict is a place that is kept from somebody, in an answer.
type PlanConflict struct {
	Conflict
	PersonName string `json:"person_name" doc:"the display name"`
}

// conflicts answers what separation keeps from somebody at the subject's present, who has own joining and these other places beside what rules give.
func (c *catalog) conflicts(person id.Person, s policies.Subject, have []Membership, joined []Match, more ...policies.Wanted) []Conflict {
	if !c.separates() {
		return nil
	}
	matches, _, _ := c.matches(s)
	own, _, _ := c.admitted(s, joined)
	standing := append(c.held(have, own, s.Now), more...)
	return conflictsOf(person, c.policy.Separate(s, standing, c.wanted(matches)))
}

func conflictsOf(person id.Person, got policies.Separated) []Conflict {
	var out []Conflict
	for i, w := range append(slices.Clone(got.Withheld), got.Barred...) {
		out = append(out, Conflict{Person: person, Group: w.Group, Role: w.Role, Rule: w.Rule, Separation: w.Separation, Against: orEmpty(w.Against), Held: i >= len(got.Withheld)})
	}
	return out
}

// line says why a place is withheld, and by what it would have been given.
func (k Conflict) line(names map[string]string) Line {
	en, zh := names["en"], names["zh"]
	if en == "" {
		en = zh
	}
	if zh == "" {
		zh = en
	}
	text := Text{"Kept apart by \"" + en + "\": " + k.Group + " is not given", "因“" + zh + "”而隔离：不授予 " + k.Group}
	if len(k.Against) > 0 {
		list := strings.Join(k.Against, ", ")
		text = Text{"Kept apart by \"" + en + "\": " + k.Group + " and " + list + " exclude each other", "因“" + zh + "”而隔离：" + k.Group + " 与 " + list + " 互斥"}
	}
	return Line{Kind: "separation", Ref: k.Separation, Text: text}
}

// other says by what somebody has, or would have, a place that excludes this one.
func (x *explainer) other(key string, have []Membership, all []Conflict) []Line {
	group := x.catalog.byKey[strings.SplitN(key, "/", 2)[0]]
	if !httpapi.ScopeFrom(x.ctx).Group(group) {
		return nil
	}
	var out []Line
	for _, m := range have {
		for _, r := range m.Reasons {
			if m.Group == group && r.openAt(x.now) {
				t := reasonText(r, "")
				out = append(out, Line{Kind: "separation", Ref: r.String(), Since: r.CreatedAt, PolicyVersion: r.Version, Text: Text{"The other place, " + key + ": " + t.EN, "另一位置 " + key + "：" + t.ZH}})
			}
		}
	}
	for _, k := range all {
		if ref := ruleRef(k.Group, k.Rule); len(out) == 0 && x.catalog.byKey[k.Group] == group {
			out = append(out, Line{Kind: "separation", Ref: ref, Text: Text{"The other place, " + key + ", is not given either: " + ref + " would give it", "另一位置 " + key + " 同样不授予：本可由 " + ref + " 授予"}})
		}
	}
	return out
}

// separations writes what keeps a person from the group of the channel.
func (x *explainer) separations(person id.Person) error {
	if !x.catalog.separates() {
		return nil
	}
	have, err := loadMemberships(x.tx.DB, []id.Person{person})
	if err != nil {
		return err
	}
	held, err := loadHeld(x.tx.DB, []id.Person{person})
	if err != nil {
		return err
	}
	list := x.catalog.conflicts(person, x.catalog.subject(x.fact, x.above, x.now), withHeld(have[person], held), x.catalog.joined(have[person], x.now))
	for _, k := range list {
		if k.Group != x.catalog.key(x.channel.Group) {
			continue
		}
		for _, sep := range x.catalog.policy.Separation {
			if sep.Key != k.Separation || relationOf(x.channel.Access[k.Role]) == "" {
				continue
			}
			lines := []Line{k.line(sep.Names)}
			for _, key := range k.Against {
				lines = append(lines, x.other(key, have[person], list)...)
			}
			x.Missing = append(lines, x.Missing...)
		}
	}
	return nil
}
