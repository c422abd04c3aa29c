package handover

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// upMost is how far up a manager who can is looked for.
const upMost = 10

// heir answers the first of a thing's successors who can take it over from somebody, and by what the policy found them. Whoever has no access, is
// from outside, was asked before, or would take a restricted thing over by their own hand is passed over.
func (e *Engine) heir(ctx context.Context, kind string, t Thing, from id.Person, asked map[id.Person]bool, known people) (id.Person, string, error) {
	hands, err := e.hands(ctx, t, from)
	if err != nil {
		return "", "", err
	}
	for _, s := range t.Successors {
		list, err := e.candidates(ctx, kind, t, s, from, known)
		if err != nil {
			return "", "", err
		}
		if err := e.learn(ctx, known, list...); err != nil {
			return "", "", err
		}
		list = slices.DeleteFunc(list, func(p id.Person) bool { return p == from || asked[p] || hands[p] || !Able(known[p]) })
		out, err := e.Outsiders(ctx, list)
		if err != nil {
			return "", "", err
		}
		for _, p := range list {
			if !out[p] {
				why := string(s.Kind)
				if s.Role != "" {
					why += " " + string(s.Role)
				}
				return p, why, nil
			}
		}
	}
	return "", "", nil
}

// hands answers who keeps somebody out who answered for a restricted thing. Of what a token did that is every administrator: any of them may have made it.
func (e *Engine) hands(ctx context.Context, t Thing, from id.Person) (map[id.Person]bool, error) {
	out := map[id.Person]bool{}
	if !t.Restricted || from == "" {
		return out, nil
	}
	standing, err := e.Directory.StandingFreezes(ctx, []id.Person{from})
	if err != nil {
		return nil, fmt.Errorf("read freezes: %w", err)
	}
	for _, f := range standing[from] {
		if f.Actor == "" || f.Source != "" { // what a source says is a fact
			continue
		}
		if out[id.Person(f.Actor)] = true; strings.HasPrefix(f.Actor, "tok_") {
			admins, err := e.Admins(ctx)
			if err != nil {
				return nil, fmt.Errorf("read administrators: %w", err)
			}
			for _, admin := range admins {
				out[admin] = true
			}
		}
	}
	return out, nil
}

// candidates answers whom one entry of the policy names, in order.
func (e *Engine) candidates(ctx context.Context, kind string, t Thing, s policies.Successor, from id.Person, known people) ([]id.Person, error) {
	switch s.Kind {
	case policies.SuccessorManager:
		return e.up(ctx, kind, t.ID, from, known)
	case policies.SuccessorMember:
		return t.Members(ctx, s.Role)
	case policies.SuccessorPerson:
		return Named(ctx, e.Directory.Reader, s.Person)
	}
	return nil, nil
}

// up answers the managers above somebody, the nearest first. The first is who it was while they answered for something.
func (e *Engine) up(ctx context.Context, kind, thing string, from id.Person, known people) ([]id.Person, error) {
	if err := e.learn(ctx, known, from); err != nil {
		return nil, err
	}
	noted, err := e.heads(ctx, kind, []string{thing})
	if err != nil {
		return nil, err
	}
	next := noted[head{thing, from}]
	if next == "" {
		next = known[from].Manager
	}
	var out []id.Person
	for range upMost {
		if next == "" || slices.Contains(out, next) {
			break
		}
		out = append(out, next)
		if err := e.learn(ctx, known, next); err != nil {
			return nil, err
		}
		next = known[next].Manager
	}
	return out, nil
}

// Named answers who has an employee number or a user name; nobody, where that is not one person.
func Named(ctx context.Context, in directory.Reader, name string) ([]id.Person, error) {
	sources, err := in.Sources(ctx)
	if err != nil {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	for _, column := range []string{"employee_number", "user_name"} {
		var out []id.Person
		for _, source := range sources {
			page, err := in.FindRecords(ctx, directory.RecordQuery{Source: source.ID, Limit: 2, NoRaw: true,
				Where: directory.Compare{Column: directory.Column(column), Op: directory.Eq, Value: name}})
			if err != nil {
				return nil, fmt.Errorf("find %s: %w", column, err)
			}
			for _, record := range page.Records {
				if record.Person != "" && !slices.Contains(out, record.Person) {
					out = append(out, record.Person)
				}
			}
		}
		if len(out) == 1 {
			return out, nil
		}
	}
	return nil, nil
}
