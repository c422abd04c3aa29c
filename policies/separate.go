package policies

import (
	"fmt"
	"slices"
	"time"
)

// Withheld is a place that a separation does not let somebody have.
type Withheld struct {
	Wanted
	Separation string   // key
	Against    []string // places it must not be together with; empty where it is forbidden by itself
}

// Separated is what separation leaves of places.
type Separated struct {
	Wanted   []Wanted   // what rules may give
	Withheld []Withheld // what they may not
	Barred   []Withheld // what stood by other reasons and may not stay
	Next     time.Time  // as of Judgement
	Failed   []Failure  // separations that could not be judged: they forbid
}

// Separate takes from places what the policy forbids. standing are places by reasons of their own (a grant, an approval), wanted those by rules.
// Of places that must not be together those that stand go before those that rules want, so that a rule never takes what somebody gave; where
// that does not decide, none of them is given. The same places always give the same, in whatever order they come.
func (p *Policy) Separate(s Subject, standing, wanted []Wanted) Separated {
	out := Separated{Wanted: wanted}
	if len(p.Separation) == 0 || len(standing)+len(wanted) == 0 {
		return out
	}
	v := &view{language: p.language, subject: &s, plainly: true}
	var meant []bool
	meant, out.Failed = p.meant(v)
	standing, out.Barred = p.forbid(meant, standing)
	out.Wanted, out.Withheld = p.forbid(meant, wanted)
	standing, out.Barred = p.divide(standing, nil, out.Barred)
	out.Wanted, out.Withheld = p.divide(out.Wanted, standing, out.Withheld)
	out.Next = v.next()
	return out
}

// meant answers which separations forbid something to the subject by itself. One that cannot be judged forbids.
func (p *Policy) meant(v *view) ([]bool, []Failure) {
	out := make([]bool, len(p.Separation))
	var failed []Failure
	for i, sep := range p.Separation {
		if sep.Never == nil {
			continue
		}
		if out[i] = true; sep.Never.When == "" {
			continue
		}
		holds, err := v.holds(sep.Never.condition)
		if err != nil {
			failed = append(failed, Failure{Rule: sep.Key, At: sep.Never.condition.at, Err: fmt.Errorf("%s: separation %s: %w", sep.Never.condition.at, sep.Key, err)})
		}
		out[i] = holds || err != nil
	}
	return out, failed
}

// forbid takes out what is forbidden by itself.
func (p *Policy) forbid(meant []bool, list []Wanted) (left []Wanted, out []Withheld) {
	for i := range p.Separation {
		sep := &p.Separation[i]
		if !meant[i] || len(list) == 0 {
			continue
		}
		var rest []Wanted
		for _, w := range list {
			if (sep.Never.Role == "" || sep.Never.Role == w.Role) && p.seesLabel(w, sep.Never.Label) {
				out = append(out, Withheld{Wanted: w, Separation: sep.Key})
				continue
			}
			rest = append(rest, w)
		}
		list = rest
	}
	return list, out
}

// seesLabel tells whether a place shows a channel with a label.
func (p *Policy) seesLabel(w Wanted, label string) bool {
	g := p.Group(w.Group)
	return g != nil && slices.ContainsFunc(g.Channels, func(c Channel) bool { return w.sees(c) && slices.Contains(c.Labels, label) })
}

// divide takes out what must not be together, among list and with what is settled.
func (p *Policy) divide(list, settled []Wanted, out []Withheld) ([]Wanted, []Withheld) {
	gone := make([]bool, len(list))
	for i := range p.Separation {
		sep := &p.Separation[i]
		for _, side := range sep.NeverTogether {
			var against []string
			for _, other := range sep.NeverTogether {
				is := func(w Wanted) bool { return p.isIn(w, other) }
				if other != side && (slices.ContainsFunc(settled, is) || !slices.ContainsFunc(settled, func(w Wanted) bool { return p.isIn(w, side) }) && slices.ContainsFunc(list, is)) {
					against = append(against, other.String())
				}
			}
			if against == nil {
				continue
			}
			for j, w := range list {
				if p.isIn(w, side) {
					gone[j] = true
					out = append(out, Withheld{Wanted: w, Separation: sep.Key, Against: against})
				}
			}
		}
	}
	var rest []Wanted
	for j, w := range list {
		if !gone[j] {
			rest = append(rest, w)
		}
	}
	return rest, out
}

// isIn tells whether somebody with that role is in a place: in the group, or seeing the channel.
func (p *Policy) isIn(w Wanted, at Place) bool {
	if w.Group != at.Group || at.Channel == "" {
		return w.Group == at.Group
	}
	g := p.Group(w.Group)
	return g != nil && slices.ContainsFunc(g.Channels, func(c Channel) bool { return c.Key == at.Channel && w.sees(c) })
}

// sees tells whether a place shows a channel of its group.
func (w Wanted) sees(c Channel) bool {
	return c.Access[w.Role] != None && (w.Channel == "" || w.Channel == c.Key)
}
