package provisioning

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

func removals(n int, cause Cause, group string) []Removal {
	var out []Removal
	for i := range n {
		out = append(out, Removal{Membership: id.Membership(fmt.Sprint(group, cause, i)), Person: id.Person(fmt.Sprint(cause, i)), Group: id.Group(group), Cause: cause})
	}
	return out
}

func population(n int) func(Cause, id.Source) (int, error) {
	return func(Cause, id.Source) (int, error) { return n, nil }
}

func TestGuard(t *testing.T) {
	many := map[id.Group]int{"g": 1000}
	held := func(list []Removal) []Removal {
		for i := range list {
			list[i].Held = true
		}
		return list
	}
	for name, c := range map[string]struct {
		b    Batch
		want int // breaches
	}{
		"ten leavers of a small company":           {Batch{Removals: removals(10, CauseCleanup, "g"), Members: many, Population: population(50)}, 0},
		"eleven":                                   {Batch{Removals: removals(11, CauseCleanup, "g"), Members: many, Population: population(50)}, 1},
		"fifty of a thousand":                      {Batch{Removals: removals(50, CauseCleanup, "g"), Members: many, Population: population(1000)}, 0},
		"fifty-one of a thousand":                  {Batch{Removals: removals(51, CauseCleanup, "g"), Members: many, Population: population(1000)}, 1},
		"movers have a limit of their own":         {Batch{Removals: append(removals(6, CauseCleanup, "g"), removals(50, CauseMove, "g")...), Members: many, Population: population(50)}, 0},
		"fifty-one movers of a small company":      {Batch{Removals: removals(51, CauseMove, "g"), Members: many, Population: population(50)}, 1},
		"absence has a limit of its own":           {Batch{Removals: append(removals(6, CauseCleanup, "g"), removals(6, CauseAbsence, "g")...), Members: many, Population: population(50)}, 0},
		"absence over 2 %":                         {Batch{Removals: removals(21, CauseAbsence, "g"), Members: many, Population: population(1000)}, 1},
		"one by one over a day":                    {Batch{Removals: removals(11, CauseCleanup, "g")[10:], Recent: removals(10, CauseCleanup, "h"), Members: many, Population: population(50)}, 1},
		"what is held counts":                      {Batch{Removals: removals(11, CauseCleanup, "g")[10:], Recent: held(removals(10, CauseCleanup, "h")), Members: many, Population: population(50)}, 1},
		"one person in twenty groups":              {Batch{Removals: twentyGroups(), Members: map[id.Group]int{}, Population: population(50)}, 0},
		"a group of two may empty":                 {Batch{Removals: removals(2, CauseMove, "g"), Members: map[id.Group]int{"g": 2}}, 0},
		"a group of three may not":                 {Batch{Removals: removals(3, CauseMove, "g"), Members: map[id.Group]int{"g": 3}}, 1},
		"nor drop by drop":                         {Batch{Removals: removals(1, CauseCleanup, "g"), Recent: removals(3, CauseCleanup, "g")[1:], Members: map[id.Group]int{"g": 1}}, 1},
		"movers pushed one by one may":             {Batch{Removals: removals(1, CauseMove, "g"), Recent: removals(3, CauseMove, "g")[1:], Members: map[id.Group]int{"g": 1}}, 0},
		"but others may come":                      {Batch{Removals: removals(3, CauseMove, "g"), Members: map[id.Group]int{"g": 3}, Added: map[id.Group]int{"g": 1}}, 0},
		"who is decided is not judged":             {Batch{Removals: removals(50, CauseRelease, "g"), Members: map[id.Group]int{"g": 50}}, 0},
		"ends of grants are not judged":            {Batch{Removals: removals(50, CauseExpiry, "g"), Members: map[id.Group]int{"g": 50}}, 0},
		"nothing":                                  {Batch{}, 0},
		"a policy that takes from eleven of fifty": {Batch{Removals: removals(11, CausePolicy, "g"), Members: many, Population: population(50)}, 1},
	} {
		v, err := Guard{policies.DefaultGuard()}.Check(c.b)
		if err != nil || len(v.Breaches) != c.want {
			t.Errorf("%s: %v %v", name, v.Breaches, err)
		}
		for _, r := range c.b.Removals {
			if c.want > 0 && !v.Holds(r) {
				t.Errorf("%s: lets %v through", name, r)
			}
		}
	}
}

func twentyGroups() []Removal {
	var out []Removal
	for i := range 20 {
		r := removals(1, CauseMove, fmt.Sprint("g", i))[0]
		out = append(out, r)
	}
	return out
}

// The verdict does not depend on any order, never holds what was decided, and holds a whole class or none of it,
// but for groups that would be emptied.
func TestGuardProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []Removal {
			return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Removal {
				n := rapid.IntRange(0, 30).Draw(t, "n")
				g := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "g")
				return Removal{Membership: id.Membership(fmt.Sprint(g, n)), Person: id.Person(fmt.Sprint("p", n)), Group: id.Group(g),
					Cause: rapid.SampledFrom([]Cause{CauseMove, CauseCleanup, CauseAbsence, CauseExpiry}).Draw(t, "cause")}
			}), 0, 40).Draw(t, name)
		}
		b := Batch{Removals: draw("removals"), Recent: draw("recent"), Population: population(rapid.IntRange(0, 400).Draw(t, "population")),
			Members: map[id.Group]int{"a": 100, "b": rapid.IntRange(0, 40).Draw(t, "members")}}
		g := Guard{policies.DefaultGuard()}
		v, err := g.Check(b)
		if err != nil {
			t.Fatal(err)
		}
		shuffled := b
		shuffled.Removals = rapid.Permutation(b.Removals).Draw(t, "order")
		shuffled.Recent = rapid.Permutation(b.Recent).Draw(t, "order of the past")
		w, err := g.Check(shuffled)
		if err != nil || fmt.Sprint(v) != fmt.Sprint(w) {
			t.Fatalf("order matters: %v, %v", v, w)
		}
		over := map[class]bool{}
		for _, breach := range v.Breaches {
			if breach.Group == "" {
				over[class{breach.Cause, breach.Source}] = true
			}
		}
		for _, r := range b.Removals {
			if r.Cause == CauseExpiry && v.Holds(r) {
				t.Fatalf("holds what was decided: %v", r)
			}
			if over[r.class()] && !v.Holds(r) {
				t.Fatalf("part of a class goes through: %v", r)
			}
		}
	})
}
