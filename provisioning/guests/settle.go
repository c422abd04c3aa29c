package guests

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
)

// EmployeeType is that of every guest in the directory.
const EmployeeType = "guest"

const (
	sourceName = "guests"
	last       = 10_000 // the priority of the source: whoever else knows a person is heard first
)

// source answers the source that tells the directory of guests, which it makes where there is none. It says nothing about who works here of a person whom
// any other source knows: a guest who became an employee leaves as an employee does.
func (e *Engine) source(ctx context.Context) (id.Source, error) {
	for n := 1; n < 100; n++ {
		list, err := e.Directory.Sources(ctx)
		if err != nil {
			return "", err
		}
		if at := slices.IndexFunc(list, func(s directory.Source) bool { return s.Kind == directory.KindGuests }); at >= 0 {
			return list[at].ID, nil
		}
		name := sourceName
		if n > 1 { // somebody called another source so
			name += "-" + strconv.Itoa(n)
		}
		s, err := e.Directory.CreateSource(ctx, directory.Cause{Actor: "system", Reason: "the first guest"}, directory.Source{Name: name, Kind: directory.KindGuests, Priority: last, Authority: directory.Advising()})
		if err == nil {
			return s.ID, nil
		}
		if !errors.Is(err, directory.ErrExists) {
			return "", err
		}
	}
	return "", fmt.Errorf("no name is left for the source of guests")
}

// settle makes the directory and the memberships what the rows of these guests say, and returns when that is in force. Where it is, it writes nothing.
func (e *Engine) settle(ctx context.Context, cause directory.Cause, guests []id.Guest) error {
	ctx = context.WithoutCancel(ctx) // who asked may hang up: what is written is carried out
	for some := range slices.Chunk(guests, part) {
		err := errStale
		for try := 0; try < 5 && errors.Is(err, errStale); try++ {
			err = e.settleSome(ctx, cause, some)
		}
		if err != nil {
			return fmt.Errorf("settle guests: %w", err)
		}
	}
	e.posts.ring() // an invitation goes out once there is somebody who can come in by it
	return nil
}

func (e *Engine) settleSome(ctx context.Context, cause directory.Cause, ids []id.Guest) error {
	list, err := load(e.DB.Read(ctx), "g.id in ? and g.version > 0 order by g.id", ids)
	if err != nil || len(list) == 0 {
		return err
	}
	source, err := e.source(ctx)
	if err != nil {
		return err
	}
	of, err := e.companiesOf(ctx)
	if err != nil {
		return err
	}
	// What was changed since it was read is not written over: whoever changed it carries it out after this, or has.
	changes := []directory.Change{directory.Alongside{Write: func(tx *db.Tx) error { return still(tx, list) }}}
	for _, g := range list {
		changes = append(changes, directory.PutRecord{Record: g.record(source, of[g.Company])})
	}
	applied, err := e.Directory.Apply(ctx, cause, changes...)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Person = applied.Records[i+1].Person
	}
	if err := e.note(ctx, list, false); err != nil {
		return err
	}
	if err := e.enforce(ctx, cause, list); err != nil {
		return err
	}
	if err := e.give(ctx, cause, list); err != nil {
		return err
	}
	return e.note(ctx, list, true)
}

// record is what the source says about a guest.
func (g Guest) record(source id.Source, c Company) directory.Record {
	name := c.Names["en"]
	if name == "" {
		name = c.Names["zh"]
	}
	rec := directory.Record{Source: source, Key: string(g.ID), UserName: c.Key + "/" + g.Email, Active: true, EndAt: g.Until()}
	if !g.EndedAt.IsZero() && (rec.EndAt.IsZero() || g.EndedAt.Before(rec.EndAt)) {
		rec.EndAt = g.EndedAt
	}
	rec.DisplayName, rec.Company, rec.EmployeeType = g.Name, name, EmployeeType
	if number(g.Email) {
		rec.Phones = []directory.Phone{{Value: g.Email, Type: "mobile"}}
	} else {
		rec.Emails = []directory.Email{{Value: g.Email, Type: "work", Primary: true}}
	}
	return rec
}

// note writes who guests are in the directory and, where all is done, that they are settled.
func (e *Engine) note(ctx context.Context, list []Guest, settled bool) error {
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		for _, g := range list {
			to := g.settled
			if settled {
				to = g.version
			}
			if err := tx.Exec("update guests set person = ?, settled = ? where id = ? and version = ? and (person <> ? or settled <> ?)", g.Person, to, g.ID, g.version, g.Person, to).Error; err != nil {
				return fmt.Errorf("write guests: %w", err)
			}
			if !settled {
				continue
			}
			if err := tx.Exec("update guest_places set given = ? where guest = ? and given <> ? and guest in (select id from guests where version = ?)", true, g.ID, true, g.version).Error; err != nil {
				return fmt.Errorf("write places of guests: %w", err)
			}
		}
		return nil
	})
}

// at is where a place is.
type at struct {
	group   id.Group
	channel string
}

func (p Place) at() at { return at{p.Group, p.Channel} }

// standing answers until when a guest has which places.
func (e *Engine) standing(ctx context.Context, g Guest) (map[at]time.Time, error) {
	have, err := e.Reactor.MembershipsOf(ctx, g.Person)
	if err != nil {
		return nil, err
	}
	out := map[at]time.Time{}
	for _, m := range have {
		for _, r := range m.Reasons {
			if r.Kind == provisioning.KindGuest {
				out[at{m.Group, r.Ref}] = r.Until
			}
		}
	}
	return out, nil
}

// give gives and takes what guests see. What was given before and is not there any more was taken by others, as by a review: it stays taken.
func (e *Engine) give(ctx context.Context, cause directory.Cause, list []Guest) error {
	now := e.clock()
	var grants []provisioning.Grant
	for _, g := range list {
		stands, err := e.standing(ctx, g)
		if err != nil {
			return err
		}
		var gives []provisioning.Grant
		for _, p := range g.Places {
			until, has := stands[p.at()]
			switch {
			case !g.Runs(now) || !p.Until.After(now):
			case has && until.Equal(p.Until):
				delete(stands, p.at())
			case has || !p.given:
				gives = append(gives, provisioning.Grant{Person: g.Person, Group: p.Group, Role: policies.Vendor, Kind: provisioning.KindGuest, Ref: p.Channel, Until: p.Until})
			}
		}
		for p := range stands {
			grants = append(grants, provisioning.Grant{Person: g.Person, Group: p.group, Kind: provisioning.KindGuest, Ref: p.channel, Take: true})
		}
		grants = append(grants, gives...)
	}
	if len(grants) == 0 {
		return nil
	}
	return e.Reactor.Give(ctx, cause, grants, func(tx *db.Tx) ([]audit.Record, error) { return nil, still(tx, list) })
}

func (e *Engine) companiesOf(ctx context.Context) (map[id.Company]Company, error) {
	list, err := e.Companies(ctx)
	return byCompany(list), err
}

func byCompany(list []Company) map[id.Company]Company {
	out := make(map[id.Company]Company, len(list))
	for _, c := range list {
		out[c.ID] = c
	}
	return out
}

// enforce makes the freezes of guests what their company, everybody's and their own suspension and the terms want, and returns when that is in force. Whoever has been found to be somebody
// else is left alone: what keeps a guest out keeps no employee out.
func (e *Engine) enforce(ctx context.Context, cause directory.Cause, list []Guest) error {
	list = slices.DeleteFunc(slices.Clone(list), func(g Guest) bool { return g.Person == "" })
	if len(list) == 0 {
		return nil
	}
	for _, which := range []string{directory.GuestsAll, directory.GuestsOfCompany, directory.GuestItself, directory.GuestsTerms} {
		err := errStale
		for try := 0; try < 5 && errors.Is(err, errStale); try++ {
			err = e.enforceOne(ctx, cause, list, which)
		}
		if err != nil {
			return fmt.Errorf("keep guests out: %w", err)
		}
	}
	return nil
}

func (e *Engine) enforceOne(ctx context.Context, cause directory.Cause, list []Guest, which string) error {
	out, err := keptOut(e.DB.Read(ctx), list, which)
	if err != nil {
		return err
	}
	standing, err := e.Directory.StandingFreezes(ctx, peopleOf(list))
	if err != nil {
		return err
	}
	facts, err := e.factsOf(ctx, list)
	if err != nil {
		return err
	}
	var changes []directory.Change
	lifts := false
	for _, g := range list {
		at := slices.IndexFunc(standing[g.Person], func(f directory.Freeze) bool { return f.Slot == directory.SlotOfGuests(which) })
		switch {
		case out[g.ID] && facts[g.Person].Guest:
			if at < 0 || which != directory.GuestsTerms { // where a suspension stands, the call waits until it is in force
				changes = append(changes, directory.FreezePerson{Person: g.Person, Guests: which})
			}
		case !out[g.ID] && at >= 0:
			changes, lifts = append(changes, directory.LiftFreeze{Freeze: standing[g.Person][at].ID, Guests: true}), true
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if lifts { // nothing is lifted that was put there since it was read: whoever puts it there has this lock first, and looks for what stands afterwards
		changes = append([]directory.Change{directory.Alongside{Write: func(tx *db.Tx) error {
			if _, err := lock(tx); err != nil {
				return err
			}
			now, err := keptOut(tx.DB, list, which)
			if err == nil && !maps.Equal(now, out) {
				err = errStale
			}
			return err
		}}}, changes...)
	}
	_, err = e.Directory.Apply(ctx, cause, changes...)
	return err
}
