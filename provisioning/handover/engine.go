package handover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// people is who is known in one look.
type people map[id.Person]directory.Person

func (e *Engine) learn(ctx context.Context, known people, wanted ...id.Person) error {
	wanted = slices.DeleteFunc(slices.Clone(wanted), func(p id.Person) bool { _, is := known[p]; return is || p == "" })
	slices.Sort(wanted)
	found, err := e.Directory.PeopleByID(ctx, slices.Compact(wanted))
	if err != nil {
		return fmt.Errorf("read people: %w", err)
	}
	for _, p := range found {
		known[p.ID] = p
	}
	return nil
}

// owns tells whether a person who answers for a thing can. Whom every source misses has access until the guard lets them go: then they
// answer for nothing any more.
func (known people) owns(person id.Person) bool {
	p, is := known[person]
	p.Absent = false
	return is && Able(p)
}

// Look works out the succession of these things, or of all of a kind where ids is nil, and makes what follows. Where everything is in order
// it writes nothing. One thing's trouble does not stop the others.
func (e *Engine) Look(ctx context.Context, kind string, ids []string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	owned, err := e.kind(kind)
	if err != nil {
		return err
	}
	things, err := owned.Things(ctx, ids)
	if err != nil {
		return err
	}
	names := make([]string, len(things))
	known, wanted := people{}, []id.Person{}
	for i, t := range things {
		names[i] = t.ID
		for _, o := range t.Owners {
			wanted = append(wanted, o.Person)
		}
	}
	open, err := e.current(ctx, kind, append(names, ids...), ids == nil)
	if err != nil {
		return err
	}
	for _, s := range open {
		wanted = append(wanted, s.To, s.From)
	}
	if err := e.learn(ctx, known, wanted...); err != nil {
		return err
	}
	above := map[head]id.Person{}
	for _, t := range things {
		for _, o := range t.Owners {
			if known.owns(o.Person) {
				above[head{t.ID, o.Person}] = known[o.Person].Manager
			}
		}
	}
	if err := e.noteHeads(ctx, kind, names, above); err != nil {
		return err
	}
	var errs []error
	for _, t := range things {
		if err := e.settle(ctx, kind, owned, t, open[t.ID], known); err != nil && !errors.Is(err, ErrClosed) {
			errs = append(errs, fmt.Errorf("%s %s: %w", kind, t.ID, err))
		}
		delete(open, t.ID)
	}
	for _, s := range open { // what it was about is gone
		if err := e.end(ctx, owned, s); err != nil && !errors.Is(err, ErrClosed) {
			errs = append(errs, fmt.Errorf("%s %s: %w", kind, s.Thing, err))
		}
	}
	return errors.Join(errs...)
}

// settle makes what follows for one thing. cur is its open step, where there is one.
func (e *Engine) settle(ctx context.Context, kind string, owned Owned, t Thing, cur Step, known people) error {
	holds := false
	for _, o := range t.Owners {
		if !known.owns(o.Person) {
			continue
		}
		if o.Otherwise || slices.ContainsFunc(o.Refs, func(ref string) bool { return ref != cur.ref() }) {
			if cur.State == "" {
				return nil
			}
			return e.end(ctx, owned, cur)
		}
		holds = true // by the offer
	}
	if cur.State == Offered {
		out, err := e.Outsiders(ctx, []id.Person{cur.To})
		if err != nil {
			return err
		}
		if Able(known[cur.To]) && !out[cur.To] {
			if holds {
				return nil
			}
			return owned.Move(ctx, cause(cur), Change{Thing: t.ID, To: cur.To, ToRef: cur.ref()}, nil)
		}
	}
	return e.advance(ctx, kind, owned, t, cur, Ended, "system", known)
}

// end closes an offer, or a wait, that is not needed any more.
func (e *Engine) end(ctx context.Context, owned Owned, cur Step) error {
	done := cur
	done.State, done.ClosedAt, done.ClosedBy = Ended, e.clock(), "system"
	return owned.Move(ctx, cause(cur), Change{Thing: cur.Thing, From: cur.To, FromRef: cur.ref()}, func(tx *db.Tx) ([]audit.Record, error) {
		if err := closeStep(tx, done); err != nil {
			return nil, err
		}
		if cur.State == Offered {
			if err := notices.Tell(tx, e.notice(done, cur.To, KindOver)); err != nil {
				return nil, err
			}
		} else if err := notices.Withdraw(tx, keyOf(KindWaiting, cur)); err != nil {
			return nil, err
		}
		return []audit.Record{e.record(done, "system")}, nil
	})
}

// advance closes the open step as closed, where there is one, and goes on to the next who can: or to the administrators' queue.
func (e *Engine) advance(ctx context.Context, kind string, owned Owned, t Thing, cur Step, closed State, by string, known people) error {
	from := e.leaver(t, cur, known)
	asked, err := e.asked(ctx, cur.Case)
	if err != nil {
		return err
	}
	if closed == Refused {
		asked[cur.To] = true
	}
	to, why, err := e.heir(ctx, kind, t, from, asked, known)
	if err != nil || to == "" && cur.State == Waiting {
		return err // it waits already
	}
	next := Step{ID: id.New[id.Handover](), Kind: kind, Thing: t.ID, From: from, To: to, Why: why, State: Offered, OpenedAt: e.clock()}
	if to == "" {
		next.State = Waiting
	}
	next.Case = cmp.Or(cur.Case, next.ID)
	return e.turn(ctx, owned, cur, closed, directory.Cause{Actor: by}, next)
}

// turn closes one step and opens the next in one transaction with what follows.
func (e *Engine) turn(ctx context.Context, owned Owned, cur Step, closed State, by directory.Cause, next Step) error {
	admins, err := e.Admins(ctx)
	if err != nil {
		return fmt.Errorf("read administrators: %w", err)
	}
	also := func(tx *db.Tx) ([]audit.Record, error) {
		var records []audit.Record
		if cur.open() {
			done := cur
			done.State, done.ClosedAt, done.ClosedBy = closed, e.clock(), by.Actor
			if err := closeStep(tx, done); err != nil {
				return nil, err
			}
			records = append(records, e.record(done, by.Actor))
			if cur.State == Waiting {
				if err := notices.Withdraw(tx, keyOf(KindWaiting, cur)); err != nil {
					return nil, err
				}
			}
		}
		if err := openStep(tx, next); err != nil {
			return nil, err
		}
		told := []notices.Notice{}
		switch next.State {
		case Offered:
			told = append(told, e.notice(next, next.To, KindOffered))
		case Waiting:
			for _, admin := range admins {
				told = append(told, e.notice(next, admin, KindWaiting))
			}
		}
		return append(records, e.record(next, by.Actor)), notices.Tell(tx, told...)
	}
	change := Change{Thing: next.Thing, To: next.To, ToRef: next.ref()}
	if cur.State == Offered {
		change.From, change.FromRef = cur.To, cur.ref()
	}
	if change.To == "" && change.From == "" {
		return owned.Suspend(ctx, cause(next), next.Thing, also)
	}
	why := cause(next)
	why.Behind = by.Behind // nobody names himself for what has restricted channels
	return owned.Move(ctx, why, change, also)
}

// leaver answers who answered for a thing last: who still does and has no access, whom an open step names, or whose ownership ended last.
func (e *Engine) leaver(t Thing, cur Step, known people) id.Person {
	for _, o := range t.Owners {
		if !known.owns(o.Person) && (o.Otherwise || slices.ContainsFunc(o.Refs, func(ref string) bool { return ref != cur.ref() })) {
			return o.Person
		}
	}
	return cmp.Or(cur.From, t.Former)
}

func cause(s Step) directory.Cause {
	return directory.Cause{Actor: "system", Reason: "handover " + string(s.ID)}
}

func keyOf(kind notices.Kind, s Step) string {
	return string(kind) + "/" + s.Kind + "/" + s.Thing + "/" + string(s.From)
}

// notice tells one person of a step; of one thing and one leaver once a day at most.
func (e *Engine) notice(s Step, to id.Person, kind notices.Kind) notices.Notice {
	return notices.Notice{Person: to, Kind: kind, Key: keyOf(kind, s), Again: true, At: e.clock(),
		About: map[string]string{"kind": s.Kind, "thing": s.Thing, "person": string(s.From), "handover": string(s.ID)}}
}

func (e *Engine) record(s Step, by string) audit.Record {
	return audit.Record{At: e.clock(), Actor: by, Action: "handover." + string(s.State), Subject: s.Thing,
		Public: map[string]any{"handover": string(s.ID), "kind": s.Kind, "from": string(s.From), "to": string(s.To), "why": s.Why}}
}
