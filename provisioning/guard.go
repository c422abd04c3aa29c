package provisioning

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Window is how far back removals count together.
const Window = 24 * time.Hour

// smallGroup is the size from which emptying a group always holds.
const smallGroup = 3

// Removal is one membership that is about to end, or ended within the window.
type Removal struct {
	Membership id.Membership
	Person     id.Person
	Group      id.Group
	Cause      Cause
	Source     id.Source // for CauseAbsence: the source that misses the person
	Held       bool      // stopped by an open hold: the membership still stands
	Signs      []Sign    // of a move or an absence about to happen: what the person lost
	Ahead      bool      // announced for an instant to come
	Partly     bool      // of a plan: the membership stays, and shows less
}

// class is what is counted together: absence per source; who left, who moved and what a policy takes, each in one.
type class struct {
	cause  Cause // CauseAbsence, CauseCleanup, CauseMove or CausePolicy
	source id.Source
}

func (r Removal) class() class {
	switch r.Cause {
	case CauseAbsence:
		return class{CauseAbsence, r.Source}
	case CauseCleanup, CauseMove, CausePolicy:
		return class{r.Cause, ""}
	}
	return class{} // expiry and released holds were decided by somebody: never held
}

// Batch is what the guard judges.
type Batch struct {
	Removals []Removal // about to happen
	Recent   []Removal // happened, or were held, within the window and were confirmed by nobody
	// Population answers how many people a class of removals is measured against; the zero source means
	// everybody who has a place. It is asked only where the plain number of people is exceeded.
	Population func(Cause, id.Source) (int, error)
	// Missed answers whom a source misses since the window began and nobody confirmed (directory.Store.Confirm), whether they have a place to lose or not; nil: nobody else.
	Missed  func(id.Source) ([]id.Person, error)
	Members map[id.Group]int // current members of each group that loses some
	Added   map[id.Group]int // members each group gains in the same batch
	Signs                    // what the people of the removals lost
	Later   map[id.Group]int // members the batch plans: they fill what others are planned to leave
}

// Breach is one limit that a batch exceeds.
type Breach struct {
	Cause  Cause     `json:"cause"`
	Source id.Source `json:"source,omitempty"`
	Group  id.Group  `json:"group,omitempty"` // set where the batch would empty this group
	Key    string    `json:"key,omitempty"`   // of the group, in a plan
	People int       `json:"people"`          // in the batch and the window
	Limit  int       `json:"limit"`
	Of     int       `json:"of,omitempty"` // of a burst: people who had a place; of what many lost: how many had it
	// One of these is set where many lost the same: an attribute of the people of Source, or their place in a unit or a directory group.
	Attribute      string            `json:"attribute,omitempty"`
	Cleared        bool              `json:"cleared,omitempty"` // the attribute is empty now
	Unit           id.Unit           `json:"unit,omitempty"`
	DirectoryGroup id.DirectoryGroup `json:"directory_group,omitempty"`
	Admin          bool              `json:"admin,omitempty"` // they are administrators
}

// String says the breach in one line.
func (b Breach) String() string {
	return b.naming(cmp.Or(b.Key, string(b.Group), string(b.Unit), string(b.DirectoryGroup)))
}

// naming says it, with the name of the group or unit that it is about.
func (b Breach) naming(name string) string {
	if b.Group != "" {
		return fmt.Sprintf("would empty group %s, which had %d members", name, b.People)
	}
	if b.Cause == CauseBurst {
		return fmt.Sprintf("disabled or deleted %s within 24 hours, the limit is %d", countPeople(b.People), b.Limit)
	}
	if b.Admin {
		return fmt.Sprintf("%d of %d administrators are missed by a source", b.People, b.Of)
	}
	if b.Attribute != "" {
		what := "changed"
		if b.Cleared {
			what = "is empty now"
		}
		return fmt.Sprintf("attribute %s %s of %d of the source's %s within 24 hours, the limit is %d", b.Attribute, what, b.People, countPeople(b.Of), b.Limit)
	}
	if b.Unit != "" {
		return fmt.Sprintf("unit %s lost %d of %s within 24 hours by %s", name, b.People, countPeople(b.Of), b.Cause)
	}
	if b.DirectoryGroup != "" {
		return fmt.Sprintf("directory group %s lost %d of %d members within 24 hours", name, b.People, b.Of)
	}
	return fmt.Sprintf("%s would reach %s within 24 hours, the limit is %d", b.Cause, countPeople(b.People), b.Limit)
}

func countPeople(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

// Verdict is what the guard says of a batch. The zero Verdict holds nothing.
type Verdict struct {
	Breaches []Breach `json:"breaches,omitempty"`
}

// keyed says the key of each group that the verdict names.
func (v Verdict) keyed(c *catalog) Verdict {
	for i, b := range v.Breaches {
		v.Breaches[i].Key = c.key(b.Group)
	}
	return v
}

// Held tells whether the verdict holds anything.
func (v Verdict) Held() bool { return len(v.Breaches) > 0 }

// Holds tells whether the verdict holds r: the whole class over its limit, and every removal from a group
// that would be emptied, and of everybody who lost what too many lost. An absence that would empty a group holds everybody that source misses: it is the
// sign of a truncated answer.
func (v Verdict) Holds(r Removal) bool {
	_, held := v.breach(r)
	return held
}

// breach answers what holds r: the attribute that many lost, where it is that, because it says most.
func (v Verdict) breach(r Removal) (Breach, bool) {
	c := r.class()
	if c == (class{}) {
		return Breach{}, false
	}
	for _, b := range v.Breaches {
		if s, ok := b.sign(); ok && b.Attribute != "" && b.Cause == r.Cause && slices.Contains(r.Signs, s) {
			return b, true
		}
	}
	for _, b := range v.Breaches {
		if s, ok := b.sign(); ok {
			if b.Cause == r.Cause && slices.Contains(r.Signs, s) {
				return b, true
			}
			continue
		}
		same := b.Cause == c.cause && b.Source == c.source
		if same && (b.Group == "" || b.Cause == CauseAbsence) || b.Group != "" && b.Group == r.Group {
			return b, true
		}
	}
	return Breach{}, false
}

// Guard holds bulk removals.
type Guard struct{ Limits policies.Guard }

func (g Guard) limit(cause Cause) policies.Limit {
	switch cause {
	case CauseAbsence:
		return g.Limits.Absence
	case CauseMove:
		return g.Limits.Move
	}
	return g.Limits.Cleanup
}

// Check judges a batch. It is pure but for Population and Missed; its answer does not depend on any order.
func (g Guard) Check(b Batch) (Verdict, error) {
	people, fresh := map[class]map[id.Person]bool{}, map[class]bool{}
	count := func(r Removal) {
		if people[r.class()] == nil {
			people[r.class()] = map[id.Person]bool{}
		}
		people[r.class()][r.Person] = true
	}
	for _, r := range b.Removals {
		count(r)
		fresh[r.class()] = true
	}
	for _, r := range b.Recent {
		count(r)
	}
	var v Verdict
	for c := range fresh {
		if c == (class{}) {
			continue
		}
		if c.cause == CauseAbsence && b.Missed != nil {
			missed, err := b.Missed(c.source)
			if err != nil {
				return Verdict{}, err
			}
			for _, p := range missed {
				people[c][p] = true
			}
		}
		limit := g.limit(c.cause)
		n := len(people[c])
		if n <= limit.People {
			continue
		}
		population, err := b.Population(c.cause, c.source)
		if err != nil {
			return Verdict{}, err
		}
		if limit := most(limit.People, limit.Percent, population); n > limit {
			v.Breaches = append(v.Breaches, Breach{Cause: c.cause, Source: c.source, People: n, Limit: limit})
		}
	}
	v.Breaches = append(append(v.Breaches, emptied(b)...), g.spread(b)...)
	slices.SortFunc(v.Breaches, func(a, b Breach) int {
		return cmp.Or(cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Group, b.Group),
			cmp.Compare(b.People, a.People), cmp.Compare(a.scope(), b.scope())) // of what lies in each other the whole first: one hold, not several
	})
	return v, nil
}

// emptied finds the groups that had three members or more within the window and would have none. Moves that a
// source pushed one by one before do not count: each was said of one person.
func emptied(b Batch) []Breach {
	going, gone := map[id.Group][]Removal{}, map[id.Group]map[id.Person]bool{}
	for _, r := range b.Removals {
		if r.class() != (class{}) && !r.Partly {
			going[r.Group] = append(going[r.Group], r)
		}
	}
	for _, r := range b.Recent {
		if r.Held || r.Partly || r.Cause == CauseMove {
			continue
		}
		if gone[r.Group] == nil {
			gone[r.Group] = map[id.Person]bool{}
		}
		gone[r.Group][r.Person] = true
	}
	var out []Breach
	for group, removals := range going {
		for _, r := range removals {
			delete(gone[group], r.Person) // counted among the members still
		}
		had := b.Members[group] + len(gone[group])
		comes := b.Added[group]
		if !slices.ContainsFunc(removals, func(r Removal) bool { return !r.Ahead }) {
			comes += b.Later[group]
		}
		if had < smallGroup || b.Members[group]+comes > len(removals) {
			continue
		}
		seen := map[class]bool{}
		for _, r := range removals {
			if !seen[r.class()] {
				seen[r.class()] = true
				out = append(out, Breach{Cause: r.class().cause, Source: r.class().source, Group: group, People: had})
			}
		}
	}
	return out
}
