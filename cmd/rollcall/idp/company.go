package idp

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
)

type directoryGroup struct {
	name    string
	members []string // Sub
}

// groupsOf collects the groups that people name, by name.
func groupsOf(people []Person) []directoryGroup {
	at := map[string]int{}
	var groups []directoryGroup
	for _, p := range people {
		for _, name := range p.Groups {
			i, ok := at[name]
			if !ok {
				i = len(groups)
				at[name], groups = i, append(groups, directoryGroup{name: name})
			}
			groups[i].members = append(groups[i].members, p.Sub)
		}
	}
	slices.SortFunc(groups, func(a, b directoryGroup) int { return strings.Compare(a.name, b.name) })
	return groups
}

// levels orders people so that a manager stands in an earlier level than those who report to them. People in a circle, or
// under a manager who is not among them, come as if they had no manager.
func levels(people []Person) [][]Person {
	bySub := make(map[string]Person, len(people))
	for _, p := range people {
		bySub[p.Sub] = p
	}
	var out [][]Person
	for _, p := range people {
		depth, seen := 0, map[string]bool{p.Sub: true}
		for at := p.Manager; at != "" && !seen[at]; depth++ {
			boss, ok := bySub[at]
			if !ok {
				break
			}
			seen[at], at = true, boss.Manager
		}
		for len(out) <= depth {
			out = append(out, nil)
		}
		out[depth] = append(out[depth], p)
	}
	return slices.DeleteFunc(out, func(level []Person) bool { return len(level) == 0 })
}

const parallel = 8

// each runs fn for all of people, a few at a time, and stops at the first error.
func each(ctx context.Context, people []Person, fn func(context.Context, Person) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	next := make(chan Person)
	for range min(parallel, len(people)) {
		wait.Go(func() {
			for p := range next {
				if ctx.Err() != nil {
					continue
				}
				if err := fn(ctx, p); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, p := range people {
		next <- p
	}
	close(next)
	wait.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}

// find answers the people who match every word of text and the state ("", "here", "left"), by name, limit at most, and how
// many more there are.
func find(company []Person, text, state string, limit int) ([]Person, int) {
	words := strings.Fields(strings.ToLower(text))
	var found []Person
	for _, p := range company {
		all := strings.ToLower(strings.Join([]string{p.DisplayName, p.GivenName, p.FamilyName, p.UserName, p.Email, p.Title, p.Department, p.EmployeeNumber, p.Sub}, "\n"))
		if state == "here" && p.Left || state == "left" && !p.Left || slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(all, w) }) {
			continue
		}
		found = append(found, p)
	}
	slices.SortStableFunc(found, func(a, b Person) int {
		return cmp.Or(strings.Compare(a.Department, b.Department), strings.Compare(a.DisplayName, b.DisplayName))
	})
	if len(found) > limit {
		return found[:limit], len(found) - limit
	}
	return found, 0
}

// values answers the distinct values of one attribute, sorted: what a form suggests.
func values(company []Person, of func(Person) string) []string {
	var out []string
	for _, p := range company {
		if v := of(p); v != "" {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
