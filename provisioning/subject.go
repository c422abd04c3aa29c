package provisioning

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// heads are the people above others; nil where no rule asks for them.
type heads map[id.Person]directory.Head

// headsOf reads who is above the people of facts, now and as it is planned, where the policy asks for that.
func (r *Reactor) headsOf(tx *db.Tx, c *catalog, facts []directory.Fact) (heads, error) {
	return headsOf(r.directory.In(tx), tx, c, facts)
}

func headsOf(from directory.Reader, tx *db.Tx, c *catalog, facts []directory.Fact) (heads, error) {
	if !c.uses["managers"] {
		return nil, nil
	}
	var first []id.Person
	for _, f := range facts {
		first = append(first, f.Person.Manager)
		for _, then := range f.Ahead {
			first = append(first, then.Person.Manager)
		}
	}
	return from.Heads(tx, first)
}

// at answers what a head is at t.
func (h heads) at(person id.Person, t time.Time) (directory.Head, bool) {
	head, ok := h[person]
	for _, then := range head.Ahead {
		if then.At.After(t) {
			break
		}
		head = then
	}
	return head, ok
}

// chain answers everything the managers above somebody are called at t, the nearest first.
func (h heads) chain(manager id.Person, t time.Time) []string {
	var out []string
	for seen := map[id.Person]bool{}; manager != "" && !seen[manager]; {
		seen[manager] = true
		head, known := h.at(manager, t)
		if !known {
			break
		}
		for _, name := range []string{string(head.ID), head.UserName, head.EmployeeNumber} {
			if name != "" {
				out = append(out, name)
			}
		}
		manager = head.Manager
	}
	return out
}

// instants answers when somebody who is above one of these, or will be, is planned to change.
func (h heads) instants(managers []id.Person) []time.Time {
	var out []time.Time
	seen := map[id.Person]bool{}
	for len(managers) > 0 {
		m := managers[0]
		managers = managers[1:]
		head, known := h[m]
		if !known || seen[m] {
			continue
		}
		seen[m] = true
		managers = append(managers, head.Manager)
		for _, then := range head.Ahead {
			out = append(out, then.At)
			managers = append(managers, then.Manager)
		}
	}
	return out
}

// subject makes what rules see of a fact at t. A person with several employments is within the units of all.
func (c *catalog) subject(f directory.Fact, above heads, t time.Time) policies.Subject {
	s := subjectOf(f)
	s.Now, s.Start, s.End = t, started(f.Affiliations), f.Person.EndsAt
	if above != nil {
		s.Managers = above.chain(f.Person.Manager, t)
	}
	if c.uses["time"] {
		s.Zone = c.zone(cmp.Or(s.TimeZone, c.zoneOf(f, t)))
	}
	if !c.uses["affiliations"] {
		return s
	}
	for _, a := range f.Affiliations {
		if !a.Active {
			continue
		}
		one := policies.Affiliation{Department: a.Department, Type: a.Kind, From: a.StartAt, Until: a.EndAt}
		if i := slices.IndexFunc(f.Records, func(r directory.Record) bool { return r.Link == a.Link }); i >= 0 {
			one.Company = f.Records[i].EffectiveAt(t).Company
		}
		for _, path := range append([][]directory.UnitKey{f.UnitPath}, f.UnitPaths...) {
			if len(path) > 0 && path[0].ID == a.Unit {
				one.Unit, one.UnitPath = path[0].Key, pathNames(path)
				break
			}
		}
		s.Affiliations = append(s.Affiliations, one)
	}
	return s
}

// started answers when the first employment that is not over began; zero where one has no beginning.
func started(list []directory.Affiliation) time.Time {
	var first time.Time
	for _, a := range list {
		switch {
		case !a.Active:
		case a.StartAt.IsZero():
			return time.Time{}
		case first.IsZero() || a.StartAt.Before(first):
			first = a.StartAt
		}
	}
	return first
}

// dayZone is DayZone, as it is by then.
func (r *Reactor) dayZone(rec directory.Record) string {
	if r.DayZone == nil {
		return ""
	}
	return r.DayZone(rec)
}

// zoneOf names where days begin for somebody of whom nobody says where they are, by what a source knows of where it is; empty where none does.
func (c *catalog) zoneOf(f directory.Fact, t time.Time) string {
	if c.dayZone == nil || f.Person.TimeZone != "" {
		return ""
	}
	for _, rec := range f.Records {
		if name := c.dayZone(rec.EffectiveAt(t)); name != "" && rec.DeletedAt.IsZero() {
			return name
		}
	}
	return ""
}

// zone answers a time zone by name; UTC where nobody knows it.
func (c *catalog) zone(name string) *time.Location {
	if known, ok := c.zones.Load(name); ok {
		return known.(*time.Location)
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		zone = time.UTC
	}
	c.zones.Store(name, zone)
	return zone
}

// below answers the people below those whose place in the chain of managers a change moves, where the policy asks for that.
func (r *Reactor) below(ctx context.Context, moved []id.Person) ([]id.Person, error) {
	if len(moved) == 0 {
		return nil, nil
	}
	c, err := r.current(ctx)
	if err != nil || !c.uses["managers"] {
		return nil, err
	}
	return r.directory.Reports(ctx, moved)
}

// moves tells whether a change of these fields may change what those below a person are.
func moves(fields []string) bool {
	return slices.ContainsFunc(fields, func(f string) bool {
		return f == "manager" || f == "user_name" || f == "employee_number" || f == "planned"
	})
}
