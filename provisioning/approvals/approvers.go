package approvals

import (
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/handover"
)

// upMost is how far up a manager who can decide is looked for.
const upMost = 10

// sight works out who may decide, on one state. What it has read it does not read again: it serves one look.
type sight struct {
	e        *Engine
	tx       *db.Tx
	people   map[id.Person]directory.Person
	outside  map[id.Person]bool
	behind   map[string][]id.Person // administrators by role, people by number
	standing map[string][]id.Person // of kinds, by word and object
}

func (e *Engine) sight(tx *db.Tx) *sight {
	return &sight{e: e, tx: tx, people: map[id.Person]directory.Person{}, outside: map[id.Person]bool{}, behind: map[string][]id.Person{}, standing: map[string][]id.Person{}}
}

func (s *sight) person(p id.Person) (directory.Person, error) {
	if known, is := s.people[p]; is {
		return known, nil
	}
	found, err := s.e.Directory.In(s.tx).PeopleByID(s.tx.Statement.Context, []id.Person{p})
	if err != nil {
		return directory.Person{}, err
	}
	s.people[p] = directory.Person{}
	if len(found) > 0 {
		s.people[p] = found[0]
	}
	return s.people[p], nil
}

// able tells whether somebody can decide anything: they work here, have access, and are not from outside.
func (s *sight) able(p id.Person) (bool, error) {
	known, err := s.person(p)
	if err != nil || !handover.Able(known) {
		return false, err
	}
	out, is := s.outside[p]
	if !is {
		found, err := s.e.Outsiders(s.tx, []id.Person{p})
		if err != nil {
			return false, err
		}
		out = found[p]
		s.outside[p] = out
	}
	return !out, nil
}

// approvers answers who may decide a request now. Whoever cannot gives way to the next above them; where fewer are left than have to agree, administrators
// decide beside them: the owners, then those for security.
func (s *sight) approvers(r Request, rule policies.Approval) ([]id.Person, error) {
	var out []id.Person
	act, acts := s.e.Kinds[r.Kind].(Act)
	take := func(list []id.Person) error {
		for _, p := range list {
			able, err := s.able(p)
			if able && acts && err == nil {
				able, err = act.May(s.tx, r, p)
			}
			if err != nil {
				return err
			}
			if able && p != r.Requester && p != r.Subject && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
		return nil
	}
	for _, by := range rule.By {
		list, err := s.named(r, by)
		if err != nil {
			return nil, err
		}
		if err := take(list); err != nil {
			return nil, err
		}
	}
	for _, role := range []roles.Role{roles.Owner, roles.Security} {
		if len(out) >= max(1, rule.People) {
			break
		}
		list, err := s.admins(string(role))
		if err != nil {
			return nil, err
		}
		if err := take(list); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// agreed counts who agreed to a request and may decide it still, beside one.
func (r Request) agreed(now []id.Person, beside id.Person) int {
	n := 0
	for _, d := range r.Decisions {
		if d.Agrees && d.Approver != beside && slices.Contains(now, d.Approver) {
			n++
		}
	}
	return n
}

// said tells whether somebody said what they have to say about a request.
func (r Request) said(p id.Person) bool {
	return slices.ContainsFunc(r.Decisions, func(d Decision) bool { return d.Approver == p })
}

// named answers whom one entry of the rule names.
func (s *sight) named(r Request, by policies.Approver) ([]id.Person, error) {
	switch by.Kind {
	case policies.ApproverManager:
		asks, err := s.person(r.Requester)
		if err != nil {
			return nil, err
		}
		return s.up(r, asks.Manager)
	case policies.ApproverPerson:
		list, err := s.numbered(by.Person)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		return s.up(r, list[0])
	case policies.ApproverAdmins:
		return s.admins(by.Admins)
	}
	key := string(by.Kind) + " " + string(r.Kind) + " " + r.Object
	if known, is := s.standing[key]; is {
		return known, nil
	}
	k, err := s.e.kind(r.Kind)
	if err != nil {
		return nil, err
	}
	list, err := k.Stand(s.tx, r, by.Kind)
	if err == nil && by.Kind == policies.ApproverOwners {
		s.standing[key] = list
	}
	return list, err
}

// up answers the first from somebody upwards who can decide.
func (s *sight) up(r Request, next id.Person) ([]id.Person, error) {
	for range upMost {
		if next == "" {
			return nil, nil
		}
		able, err := s.able(next)
		if err != nil {
			return nil, err
		}
		if able && next != r.Requester && next != r.Subject {
			return []id.Person{next}, nil
		}
		known, err := s.person(next)
		if err != nil {
			return nil, err
		}
		next = known.Manager
	}
	return nil, nil
}

func (s *sight) admins(role string) ([]id.Person, error) {
	if known, is := s.behind[role]; is {
		return known, nil
	}
	list, err := s.e.Admins(s.tx, role)
	s.behind[role] = list
	return list, err
}

// numbered answers who has an employee number or a user name.
func (s *sight) numbered(name string) ([]id.Person, error) {
	key := "person " + name
	if known, is := s.behind[key]; is {
		return known, nil
	}
	list, err := handover.Named(s.tx.Statement.Context, s.e.Directory.In(s.tx), name)
	s.behind[key] = list
	return list, err
}
