package guests

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// archiveLasts is for how long those who owned a project group when it was closed may fetch its archive, and open it again.
const archiveLasts = 30 * 24 * time.Hour

// closingLasts is how long a closing may be under way, on another node, before it is taken for one that came to nothing.
const closingLasts = time.Hour

// Closing is that a project group was closed.
type Closing struct {
	ID         id.Closing
	Group      id.Group
	Plan       id.Plan
	MadeBy     string
	At         time.Time
	DoneAt     time.Time // what guests had there is over, too; zero while that is under way
	ReopenedAt time.Time
}

// Until answers up to when its owners may fetch the archive and open it again.
func (c Closing) Until() time.Time { return c.At.Add(archiveLasts) }

// Toll is what closing a project group ends beside the memberships and channels of the plan: what guests have there, and what they were asked for.
type Toll struct {
	Plan    *provisioning.Plan
	Basis   string // of the plan and all the rest: applying wants it
	Group   provisioning.Group
	Guests  []Guest // in the order of their ids
	Waiting int     // invitations that others have to agree to
}

// LookClosing answers what closing a project group would end, or what opening it again would give. It writes a plan and nothing else. provisioning.ErrNotFound, ErrPolicy.
func (e *Engine) LookClosing(ctx context.Context, cause directory.Cause, group id.Group, open bool) (Toll, error) {
	p, err := e.Reactor.PlanClosing(ctx, cause, group, open)
	if err != nil {
		return Toll{}, err
	}
	t := Toll{Plan: p}
	if t.Group, err = e.Reactor.Group(ctx, group); err != nil {
		return Toll{}, err
	}
	err = e.toll(&db.Tx{DB: e.DB.Read(ctx)}, group, &t)
	return t, err
}

// toll fills in what a plan does not say, and the basis of all of it.
func (e *Engine) toll(tx *db.Tx, group id.Group, t *Toll) error {
	var err error
	if t.Guests, err = load(tx.DB, "g.ended_at is null and exists (select 1 from guest_places p where p.guest = g.id and p.group_id = ? and p.until_at > ?) order by g.id", group, db.At(e.clock())); err != nil {
		return err
	}
	waiting, err := invitations(tx.DB, "group_id = ? and state = ? order by id", group, Waiting)
	if err != nil {
		return err
	}
	t.Waiting = len(waiting)
	sum := sha256.New()
	fmt.Fprintln(sum, t.Plan.Hash)
	for _, g := range t.Guests {
		fmt.Fprintln(sum, g.ID)
	}
	for _, i := range waiting {
		fmt.Fprintln(sum, i.ID)
	}
	t.Basis = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// CloseProject closes a project group, or opens it again, as the plan says and as basis names what was shown, and returns when that is in force: nobody has a place there, what guests had and
// were asked for is over, and those who owned it may fetch its archive. What became otherwise since it was shown is ErrDrift or provisioning.ErrDrift; then nothing is written. A process that ends
// half-way is followed by Tend.
func (e *Engine) CloseProject(ctx context.Context, cause directory.Cause, group id.Group, plan id.Plan, basis string, open bool) (Closing, error) {
	p, err := e.Reactor.Plan(ctx, plan)
	if err == nil && p.Closes() != group {
		err = fmt.Errorf("plan %s: %w", plan, ErrNotFound)
	}
	if err != nil {
		return Closing{}, err
	}
	if open {
		return e.reopen(ctx, cause, group, p, basis)
	}
	c := Closing{ID: id.New[id.Closing](), Group: group, Plan: plan, MadeBy: e.record(cause, "", "", nil).Actor, At: e.clock()}
	reads, err := e.readsOf(ctx, group)
	if err != nil {
		return Closing{}, err
	}
	if err := e.DB.Tx(ctx, func(tx *db.Tx) error { return e.beginClosing(tx, c, p, basis, reads) }); err != nil {
		return Closing{}, err
	}
	if _, err := e.Reactor.ApplyPlan(ctx, cause, plan, p.Hash, true); err != nil {
		// Where the policy says already that it is closed the rest follows it; else nothing was closed.
		return Closing{}, errors.Join(err, e.followClosing(context.WithoutCancel(ctx), cause, c))
	}
	if err := e.followClosing(context.WithoutCancel(ctx), cause, c); err != nil {
		return Closing{}, err
	}
	return e.closing(ctx, c.ID)
}

// reads is from when on who reads which channels; zero: from the beginning.
type reads map[id.Person]map[id.Channel]time.Time

// readsOf answers what the owners of a project group can read of it now.
func (e *Engine) readsOf(ctx context.Context, group id.Group) (reads, error) {
	_, channels, err := e.Reactor.ShapeOf(ctx, group)
	if err != nil {
		return nil, err
	}
	owners, err := e.Reactor.OwnersIn(&db.Tx{DB: e.DB.Read(ctx)}, group)
	if err != nil {
		return nil, err
	}
	out := reads{}
	for _, o := range owners {
		out[o] = map[id.Channel]time.Time{}
		for _, c := range channels {
			if sees, from := e.Sees(o, c.ID); sees {
				out[o][c.ID] = from
			}
		}
	}
	return out, nil
}

// beginClosing notes that a project group is being closed, if that is still what was shown.
func (e *Engine) beginClosing(tx *db.Tx, c Closing, p *provisioning.Plan, basis string, reads reads) error {
	if _, err := lock(tx); err != nil {
		return err
	}
	t := Toll{Plan: p}
	if err := e.toll(tx, c.Group, &t); err != nil {
		return err
	}
	if t.Basis != basis {
		return ErrDrift
	}
	if err := tx.Create(closingRowOf(c)).Error; err != nil {
		if db.IsDuplicate(err) {
			err = fmt.Errorf("%w: somebody else is closing it", ErrDrift)
		}
		return fmt.Errorf("write closing: %w", err)
	}
	var people []id.Person
	for person := range reads {
		people = append(people, person)
	}
	placed, err := e.Reactor.PlacedOf(tx, people)
	if err != nil {
		return err
	}
	for person, channels := range reads {
		if err := tx.Exec("insert into project_closing_owners (closing, person, placed) values (?, ?, ?)", c.ID, person, placed[person]).Error; err != nil {
			return fmt.Errorf("write closing: %w", err)
		}
		for channel, from := range channels {
			if err := tx.Exec("insert into project_closing_reads (closing, person, channel, from_at) values (?, ?, ?, ?)", c.ID, person, channel, db.At(from)).Error; err != nil {
				return fmt.Errorf("write closing: %w", err)
			}
		}
	}
	return nil
}

// followClosing ends what guests have in a project group that the policy has no more, and forgets a closing that came to nothing.
func (e *Engine) followClosing(ctx context.Context, cause directory.Cause, c Closing) error {
	_, _, err := e.Reactor.ShapeOf(ctx, c.Group)
	switch {
	case err == nil:
		return e.DB.Tx(ctx, func(tx *db.Tx) error {
			for _, table := range []string{"project_closing_reads where closing", "project_closing_owners where closing", "project_closings where id"} {
				if err := tx.Exec("delete from "+table+" = ?", c.ID).Error; err != nil {
					return fmt.Errorf("forget closing: %w", err)
				}
			}
			return nil
		})
	case !errors.Is(err, provisioning.ErrNotFound):
		return err
	}
	var over []id.Guest
	err = e.DB.Tx(ctx, func(tx *db.Tx) error {
		if _, err := lock(tx); err != nil {
			return err
		}
		list, err := load(tx.DB, `exists (select 1 from guest_places p where p.guest = g.id and p.group_id = ? and p.until_at > ?)
			or exists (select 1 from guest_invitations i where i.guest = g.id and i.group_id = ? and i.state = ?) order by g.id`, c.Group, db.At(e.clock()), c.Group, Waiting)
		if err != nil {
			return err
		}
		for _, g := range list {
			if err := e.depart(tx, cause, g, c.Group); err != nil {
				return err
			}
			over = append(over, g.ID)
		}
		done := tx.Exec("update project_closings set done_at = ? where id = ? and done_at is null", db.At(e.clock()), c.ID)
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error
		}
		return audit.Append(tx, e.record(cause, "project.closed", string(c.Group), map[string]any{"closing": string(c.ID), "plan": string(c.Plan), "guests": len(over)}))
	})
	if err != nil {
		return fmt.Errorf("close project group: %w", err)
	}
	return e.settle(ctx, cause, over)
}

// reopen has the policy say again what it says of a project group.
func (e *Engine) reopen(ctx context.Context, cause directory.Cause, group id.Group, p *provisioning.Plan, basis string) (Closing, error) {
	t := Toll{Plan: p}
	if err := e.toll(&db.Tx{DB: e.DB.Read(ctx)}, group, &t); err != nil {
		return Closing{}, err
	}
	if t.Basis != basis {
		return Closing{}, ErrDrift
	}
	if _, err := e.Reactor.ApplyPlan(ctx, cause, p.ID, p.Hash, true); err != nil {
		return Closing{}, err
	}
	list, err := closings(e.DB.Read(ctx), "group_id = ? and reopened_at is null", group)
	if err != nil || len(list) == 0 { // the policy had it closed by itself
		return Closing{Group: group, Plan: p.ID, ReopenedAt: e.clock()}, err
	}
	if err := e.reopened(context.WithoutCancel(ctx), cause, list); err != nil {
		return Closing{}, err
	}
	return e.closing(ctx, list[0].ID)
}

// reopened notes that project groups are open again: their archives are fetched no more.
func (e *Engine) reopened(ctx context.Context, cause directory.Cause, list []Closing) error {
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		for _, c := range list {
			done := tx.Exec("update project_closings set reopened_at = ? where id = ? and reopened_at is null", db.At(e.clock()), c.ID)
			if done.Error != nil {
				return fmt.Errorf("write closing: %w", done.Error)
			}
			if done.RowsAffected == 0 {
				continue
			}
			if err := audit.Append(tx, e.record(cause, "project.reopened", string(c.Group), map[string]any{"closing": string(c.ID)})); err != nil {
				return err
			}
		}
		return nil
	})
}

// followClosings carries out what a node that died left, and notes what plans of others opened again.
func (e *Engine) followClosings(ctx context.Context) error {
	list, err := closings(e.DB.Read(ctx), "reopened_at is null order by id")
	if err != nil {
		return err
	}
	var again []Closing
	for _, c := range list {
		_, _, err := e.Reactor.ShapeOf(ctx, c.Group)
		switch {
		case err != nil && !errors.Is(err, provisioning.ErrNotFound):
			return err
		case !c.DoneAt.IsZero() && err == nil:
			again = append(again, c)
		case c.DoneAt.IsZero() && e.clock().Sub(c.At) > closingLasts, c.DoneAt.IsZero() && err != nil && e.clock().Sub(c.At) > every:
			if err := e.followClosing(ctx, directory.Cause{}, c); err != nil {
				return err
			}
		}
	}
	return e.reopened(ctx, directory.Cause{}, again)
}

func (e *Engine) closing(ctx context.Context, closing id.Closing) (Closing, error) {
	list, err := closings(e.DB.Read(ctx), "id = ?", closing)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("closing %s: %w", closing, ErrNotFound)
	}
	if err != nil {
		return Closing{}, err
	}
	return list[0], nil
}

// Closings answers the project groups that are closed, the newest first: all of them, or those that person owned then and may still fetch.
func (e *Engine) Closings(ctx context.Context, person id.Person) ([]Closing, error) {
	if person == "" {
		return closings(e.DB.Read(ctx), "reopened_at is null and done_at is not null order by at desc, id desc")
	}
	list, err := closings(e.DB.Read(ctx), "reopened_at is null and done_at is not null and at > ? and id in (select closing from project_closing_owners where person = ?) order by at desc, id desc",
		db.At(e.clock().Add(-archiveLasts)), person)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	var was []closingOwnerRow
	if err := e.DB.Read(ctx).Raw("select * from project_closing_owners where person = ?", person).Scan(&was).Error; err != nil {
		return nil, fmt.Errorf("read closings: %w", err)
	}
	placed, err := e.Reactor.PlacedOf(&db.Tx{DB: e.DB.Read(ctx)}, []id.Person{person})
	return slices.DeleteFunc(list, func(c Closing) bool { // who works elsewhere now has no more of it than of what is open
		return !slices.ContainsFunc(was, func(o closingOwnerRow) bool { return o.Closing == c.ID && o.Placed == placed[person] })
	}), err
}

// owned answers one of Closings, of a person; ErrNotFound.
func (e *Engine) owned(ctx context.Context, person id.Person, is func(Closing) bool) (Closing, error) {
	list, err := e.Closings(ctx, person)
	at := slices.IndexFunc(list, is)
	if err == nil && (person == "" || at < 0) {
		err = ErrNotFound
	}
	if err != nil {
		return Closing{}, err
	}
	return list[at], nil
}
