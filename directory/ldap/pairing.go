package ldap

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/id"
)

// The ways in which an entry is recognised as somebody who is known under another id. An e-mail address is none: it is given to others.
const (
	ByNumber = "employee_number"
	ByLogin  = "user_name"
	ByDN     = "dn"
)

// identity is what an entry, or a record, is called.
type identity struct {
	key, number, login, dn, name string
	person                       id.Person // of a record
	active                       bool      // of an entry
}

// names answers the names by which it may be recognised, the surest first.
func (i identity) names() [][2]string {
	return [][2]string{{ByNumber, strings.TrimSpace(i.number)}, {ByLogin, strings.ToLower(strings.TrimSpace(i.login))}, {ByDN, fold(i.dn)}}
}

// Pair is somebody who has another id in the directory now.
type Pair struct {
	Person id.Person `json:"person"`
	Name   string    `json:"name"`
	DN     string    `json:"dn"`
	By     string    `json:"by" enum:"employee_number,user_name,dn"`
	Was    string    `json:"was" doc:"the id that they are known by"`
	Now    string    `json:"now" doc:"their id in the directory"`
	active bool
}

// Unsure is an entry that may be somebody who is known, and for which a human being must decide.
type Unsure struct {
	Name   string      `json:"name"`
	DN     string      `json:"dn"`
	People []id.Person `json:"people" nullable:"false" doc:"who it may be"`
	Why    string      `json:"why" enum:"several,contradiction,taken" doc:"several: more than one person has one of its names; contradiction: the employee numbers differ; taken: another entry may be the same person"`
}

// pair finds who of the known, none of whom the directory shows, is whom of the shown, none of whom is known.
func pair(known, shown []identity) (pairs []Pair, unsure []Unsure) {
	by := map[[2]string][]int{}
	for i, k := range known {
		for _, n := range k.names() {
			if n[1] != "" {
				by[n] = append(by[n], i)
			}
		}
	}
	type claim struct {
		s      identity
		by     string
		of     []int
		refuse string
	}
	var claims []claim
	wanted := map[int]int{}
	for _, s := range shown {
		c := claim{s: s}
		for _, n := range s.names() {
			if n[1] == "" {
				continue
			}
			for _, i := range by[n] {
				if !slices.Contains(c.of, i) {
					c.of, c.by = append(c.of, i), cmp.Or(c.by, n[0])
				}
			}
		}
		if len(c.of) == 0 {
			continue
		}
		if number := known[c.of[0]].number; len(c.of) > 1 {
			c.refuse = "several"
		} else if number != "" && s.number != "" && number != s.number {
			c.refuse = "contradiction"
		}
		for _, i := range c.of {
			wanted[i]++
		}
		claims = append(claims, c)
	}
	for _, c := range claims {
		if c.refuse == "" && wanted[c.of[0]] > 1 {
			c.refuse = "taken"
		}
		k := known[c.of[0]]
		name := cmp.Or(c.s.name, k.name)
		if c.refuse == "" {
			pairs = append(pairs, Pair{Person: k.person, Name: name, DN: c.s.dn, By: c.by, Was: k.key, Now: c.s.key, active: c.s.active})
			continue
		}
		u := Unsure{Name: name, DN: c.s.dn, Why: c.refuse, People: []id.Person{}}
		for _, i := range c.of {
			u.People = append(u.People, known[i].person)
		}
		unsure = append(unsure, u)
	}
	slices.SortFunc(pairs, func(a, b Pair) int { return cmp.Compare(a.Was, b.Was) })
	slices.SortFunc(unsure, func(a, b Unsure) int { return cmp.Compare(a.DN, b.DN) })
	return pairs, unsure
}
