package guests

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
)

const (
	channelsMost = 50
	reasonMost   = 500
)

// Wish is whom somebody wants to let in, into what, until when.
type Wish struct {
	Company  string // id or key
	Email    string
	Name     string
	Sponsor  id.Person
	Group    id.Group
	Channels []string // keys
	Until    time.Time
	Reason   string
	// Any says that an administrator asks: the sponsor need not own the project group. The policy's word about sponsors holds all the same.
	Any bool
}

// Invite lets somebody in, or asks those to agree whom the policy names. It returns when the guest is in, or others have been asked. Whoever was a guest of the company before is the same person, and has
// none of the places they had. ErrInvalid, ErrNotFound, ErrNotSponsor, ErrDomain, ErrEmployee, ErrLimit, ErrSuspended, ErrOver, provisioning.ErrNoGuests.
func (e *Engine) Invite(ctx context.Context, cause directory.Cause, w Wish) (Invitation, Guest, error) {
	address, err := ParseAddress(w.Email)
	if err == nil {
		w.Email, err = address.Text, w.check()
	}
	if err != nil {
		return Invitation{}, Guest{}, err
	}
	return e.propose(ctx, cause, w, e.newcomer(ctx, address, w))
}

// newcomer answers who an address is to a company: the guest whom it knows already, or a new one.
func (e *Engine) newcomer(ctx context.Context, address Address, w Wish) func(*db.Tx, Company) (Guest, error) {
	return func(tx *db.Tx, c Company) (Guest, error) {
		switch {
		case number(address.Text) && e.Texts == nil:
			return Guest{}, ErrNoMail
		case number(address.Text) && !w.Any:
			return Guest{}, fmt.Errorf("%w by a number: it says of nobody whose people they are, and only an administrator does", ErrNotSponsor)
		case !number(address.Text) && !c.has(address.Domain):
			return Guest{}, fmt.Errorf("%s: %w; it has %s", address.Domain, ErrDomain, strings.Join(c.Domains, ", "))
		}
		works, err := e.Directory.In(tx).WithEmail(ctx, address.Text, address.Key)
		if err != nil {
			return Guest{}, err
		}
		if works {
			return Guest{}, ErrEmployee
		}
		list, err := load(tx.DB, "g.company = ? and g.email_key = ?", c.ID, address.Key)
		if err != nil {
			return Guest{}, err
		}
		if len(list) == 1 {
			return list[0], nil
		}
		g := Guest{ID: id.New[id.Guest](), Company: c.ID, Email: address.Text, Name: w.Name, Sponsor: w.Sponsor, key: address.Key, CreatedAt: e.clock()}
		row := guestRowOf(g)
		if err := tx.Create(&row).Error; err != nil {
			return Guest{}, fmt.Errorf("write guest: %w", err)
		}
		return g, nil
	}
}

// Renew has a guest stay in every channel they have until w.Until, or ask those to agree whom the policy names; of w Until, Reason, Sponsor and Any count. It answers one invitation of each project group.
func (e *Engine) Renew(ctx context.Context, cause directory.Cause, guest id.Guest, w Wish) ([]Invitation, Guest, error) {
	g, err := e.Guest(ctx, guest)
	if err == nil && !g.Runs(e.clock()) {
		err = fmt.Errorf("guest %s: %w: invite them again", guest, ErrOver)
	}
	if err != nil {
		return nil, g, err
	}
	stands, err := e.standing(ctx, g)
	if err != nil {
		return nil, g, err
	}
	w.Company, w.Email, w.Name = string(g.Company), g.Email, g.Name
	var out []Invitation
	for _, group := range g.groups() {
		if w.Group, w.Channels = group, g.channels(group, stands); len(w.Channels) == 0 {
			continue
		}
		if err := w.check(); err != nil {
			return out, g, err
		}
		inv, now, err := e.propose(ctx, cause, w, e.running(guest))
		if err != nil {
			return out, g, err
		}
		out, g = append(out, inv), now
	}
	if len(out) == 0 {
		return nil, g, fmt.Errorf("guest %s has no place any more: %w", guest, ErrOver)
	}
	return out, g, nil
}

// running answers a guest whose time is not over; ErrOver.
func (e *Engine) running(guest id.Guest) func(*db.Tx, Company) (Guest, error) {
	return func(tx *db.Tx, _ Company) (Guest, error) {
		g, err := one(tx.DB, guest)
		if err == nil && !g.Runs(e.clock()) {
			err = fmt.Errorf("guest %s: %w", guest, ErrOver)
		}
		return g, err
	}
}

// channels answers the channels of a group in which a guest has a place, of those that stand.
func (g Guest) channels(group id.Group, stands map[at]time.Time) (out []string) {
	for _, p := range g.Places {
		if _, has := stands[p.at()]; has && p.Group == group {
			out = append(out, p.Channel)
		}
	}
	return out
}

func (g Guest) groups() []id.Group {
	var out []id.Group
	for _, p := range g.Places {
		out = append(out, p.Group)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (w *Wish) check() error {
	w.Name, w.Reason = strings.TrimSpace(w.Name), strings.TrimSpace(w.Reason)
	slices.Sort(w.Channels)
	w.Channels = slices.Compact(w.Channels)
	switch {
	case w.Name == "" || len([]rune(w.Name)) > nameMost:
		return fmt.Errorf("%w: a guest has a name of at most %d characters", ErrInvalid, nameMost)
	case w.Reason == "" || len([]rune(w.Reason)) > reasonMost:
		return fmt.Errorf("%w: it wants a reason of at most %d characters", ErrInvalid, reasonMost)
	case len(w.Channels) == 0 || len(w.Channels) > channelsMost:
		return fmt.Errorf("%w: a guest is let into 1 to %d channels by name", ErrInvalid, channelsMost)
	case w.Until.IsZero():
		return fmt.Errorf("%w: a guest is let in until an instant", ErrInvalid)
	}
	return nil
}

// propose writes an invitation of whom who answers, and lets them in where nobody has to agree.
func (e *Engine) propose(ctx context.Context, cause directory.Cause, w Wish, who func(*db.Tx, Company) (Guest, error)) (Invitation, Guest, error) {
	var inv Invitation
	var g Guest
	asks := false
	err := e.DB.Tx(ctx, func(tx *db.Tx) (err error) {
		if _, err := lock(tx); err != nil {
			return err
		}
		inv, g, asks, err = e.enter(tx, cause, w, who, nil)
		return err
	})
	if err != nil {
		return Invitation{}, Guest{}, err
	}
	if !asks {
		if err := e.settle(ctx, cause, []id.Guest{g.ID}); err != nil {
			return inv, g, err
		}
		g, err = e.Guest(ctx, g.ID)
		return inv, g, err
	}
	return inv, g, e.ask(ctx, cause, w, inv)
}

// enter is propose in a transaction that holds the lock; asks tells that others have to agree, and have still to be asked. cut, where there is one, shortens the term.
func (e *Engine) enter(tx *db.Tx, cause directory.Cause, w Wish, who func(*db.Tx, Company) (Guest, error), cut func(time.Time, Bound) (time.Time, Bound)) (inv Invitation, g Guest, asks bool, err error) {
	none := func(err error) (Invitation, Guest, bool, error) { return Invitation{}, Guest{}, false, err }
	if err := e.answers(tx, w); err != nil { // first: who may not learns nothing of companies and addresses
		return none(err)
	}
	c, err := company(tx.DB, w.Company)
	if err != nil {
		return none(err)
	}
	if g, err = who(tx, c); err != nil {
		return none(err)
	}
	until, bound, err := e.may(tx, c, g, w)
	if err != nil {
		return none(err)
	}
	if cut != nil {
		until, bound = cut(until, bound)
	}
	if _, asks, err = e.Reactor.Decides(tx, w.Group, policies.ApproveGuest); err != nil {
		return none(err)
	}
	inv = Invitation{ID: id.New[id.Invitation](), Guest: g.ID, Email: w.Email, Name: w.Name, Group: w.Group, Channels: w.Channels, Sponsor: w.Sponsor, AskedBy: e.record(cause, "", "", nil).Actor,
		Unowned: w.Any, Reason: w.Reason, AskedUntil: w.Until, Until: until, BoundBy: bound, State: Waiting, AskedAt: e.clock()}
	row := invitationRowOf(inv)
	if err := tx.Create(&row).Error; err != nil {
		return none(fmt.Errorf("write invitation: %w", err))
	}
	if asks {
		return inv, g, asks, audit.Append(tx, e.record(cause, "guest.asked", string(g.ID), inv.public(c)))
	}
	if g, err = e.admit(tx, cause, g, &inv); err != nil {
		return none(err)
	}
	return inv, g, asks, audit.Append(tx, e.record(cause, "guest.invited", string(g.ID), inv.public(c)))
}

// ask asks those to agree to an invitation whom the policy names; where that fails nothing comes of it.
func (e *Engine) ask(ctx context.Context, cause directory.Cause, w Wish, inv Invitation) error {
	requester := cmp.Or(cause.Behind, w.Sponsor)
	_, err := e.Asks.Ask(ctx, cause, approvals.Request{Kind: policies.ApproveGuest, Requester: requester, Subject: requester, Object: string(inv.ID), AskedFor: inv.Until, Reason: w.Reason})
	if err != nil {
		return errors.Join(err, e.withdraw(ctx, inv.ID))
	}
	return nil
}

func (i Invitation) public(c Company) map[string]any {
	return map[string]any{"company": string(c.ID), "invitation": string(i.ID), "group": string(i.Group), "channels": i.Channels, "sponsor": string(i.Sponsor),
		"until": i.Until.Format(time.RFC3339), "bound_by": string(i.BoundBy)}
}

// may tells whether somebody may be let in so, and answers until when and what bounds that. The lock is held.
func (e *Engine) may(tx *db.Tx, c Company, g Guest, w Wish) (time.Time, Bound, error) {
	now := e.clock()
	none := func(err error) (time.Time, Bound, error) { return time.Time{}, "", err }
	closed, err := lock(tx)
	switch {
	case err != nil:
		return none(err)
	case !closed.IsZero():
		return none(fmt.Errorf("all guests are %w", ErrSuspended))
	case !c.SuspendedAt.IsZero():
		return none(fmt.Errorf("company %s is %w", c.Key, ErrSuspended))
	case !c.EndsAt.IsZero() && !now.Before(c.EndsAt):
		return none(fmt.Errorf("the contract of company %s: %w", c.Key, ErrOver))
	case !w.Until.After(now):
		return none(fmt.Errorf("%w: until lies ahead", ErrInvalid))
	}
	if err := e.answers(tx, w); err != nil {
		return none(err)
	}
	if _, err := e.Reactor.OpenToGuests(tx, w.Group, w.Channels); err != nil {
		return none(err)
	}
	rules, err := e.Reactor.GuestRules(tx)
	if err != nil {
		return none(err)
	}
	if err := e.room(tx, c, g, w.Sponsor, rules.Limits); err != nil {
		return none(err)
	}
	until, bound := w.Until.UTC().Truncate(time.Microsecond), BoundAsked
	if most := now.Add(time.Duration(rules.Days()) * 24 * time.Hour); until.After(most) {
		until, bound = most, BoundPolicy
	}
	if !c.EndsAt.IsZero() && until.After(c.EndsAt) {
		until, bound = c.EndsAt, BoundContract
	}
	return until, bound, nil
}

// answers is ErrNotSponsor where the sponsor may not let people into the group, and says who may; ErrNotFound for a group in which they are nobody.
func (e *Engine) answers(tx *db.Tx, w Wish) error {
	if err := e.sponsorable(tx, w.Sponsor); err != nil {
		return err
	}
	candidate, err := e.Reactor.Candidate(tx, w.Sponsor)
	if err != nil {
		return err
	}
	owners, err := e.Reactor.OwnersIn(tx, w.Group)
	if err != nil {
		return err
	}
	if role, _ := candidate.Place(w.Group); !w.Any && role == "" {
		return fmt.Errorf("group %s: %w", w.Group, ErrNotFound)
	}
	if !w.Any && !slices.Contains(owners, w.Sponsor) {
		names, err := e.Directory.In(tx).Names(tx.Statement.Context, owners)
		if err != nil {
			return err
		}
		var who []string
		for _, o := range owners {
			who = append(who, names[o])
		}
		if len(who) == 0 {
			who = []string{"an administrator"}
		}
		return fmt.Errorf("%w: %s may", ErrNotSponsor, strings.Join(who, ", "))
	}
	if !candidate.Sponsors() {
		return fmt.Errorf("%w: guests.sponsor of the policy does not let this person answer for guests", ErrNotSponsor)
	}
	return nil
}

// room is ErrLimit, with the numbers, where one guest more is one too many. The lock is held.
func (e *Engine) room(tx *db.Tx, c Company, g Guest, sponsor id.Person, limits policies.GuestLimits) error {
	most := c.Most
	if most == 0 || limits.Company > 0 && limits.Company < most {
		most = limits.Company
	}
	for _, limit := range []struct {
		most        int
		what, where string
		args        []any
	}{
		{most, "company " + c.Key, "g.company = ?", []any{c.ID}},
		{limits.Sponsor, "the sponsor", "g.sponsor = ?", []any{sponsor}},
		{limits.Organisation, "the organisation", "1 = 1", nil},
	} {
		if limit.most == 0 {
			continue
		}
		var n int
		// Those who wait for somebody to agree count as well: else more could be agreed to than there is room for.
		if err := tx.Raw(`select count(*) from guests g where g.id <> ? and `+limit.where+` and g.ended_at is null and (exists (select 1 from guest_places p where p.guest = g.id and p.until_at > ?)
			or exists (select 1 from guest_invitations i where i.guest = g.id and i.state = 'waiting' and i.until_at > ?))`,
			append(append([]any{g.ID}, limit.args...), db.At(e.clock()), db.At(e.clock()))...).Scan(&n).Error; err != nil {
			return fmt.Errorf("count guests: %w", err)
		}
		if n >= limit.most {
			return fmt.Errorf("%w: %s has %d of %d", ErrLimit, limit.what, n, limit.most)
		}
	}
	return nil
}

// admit writes that a guest is let in as an invitation says. The lock is held; who settles the guest carries it out.
func (e *Engine) admit(tx *db.Tx, cause directory.Cause, g Guest, inv *Invitation) (Guest, error) {
	now := e.clock()
	comes := !g.Runs(now)
	inv.State, inv.DecidedAt = Granted, now
	if err := tx.Exec("update guest_invitations set state = ?, until_at = ?, bound_by = ?, decided_at = ? where id = ? and state = ?", Granted, db.At(inv.Until), inv.BoundBy, db.At(now), inv.ID, Waiting).Error; err != nil {
		return g, fmt.Errorf("write invitation: %w", err)
	}
	if comes { // nothing of before comes back with them
		if err := tx.Exec("delete from guest_places where guest = ?", g.ID).Error; err != nil {
			return g, fmt.Errorf("write places of guest: %w", err)
		}
		g.Places = nil
	}
	for _, channel := range inv.Channels {
		if err := tx.Exec(`insert into guest_places (guest, group_id, channel, until_at, given) values (?, ?, ?, ?, ?)
			on conflict (guest, group_id, channel) do update set until_at = excluded.until_at, given = excluded.given`, g.ID, inv.Group, channel, db.At(inv.Until), false).Error; err != nil {
			return g, fmt.Errorf("write places of guest: %w", err)
		}
	}
	back := ""
	if !g.EndedAt.IsZero() { // who comes back is not kept out by what was before
		back = ", ended_at = null, suspended_at = null, suspended_for = ''"
	}
	if err := tx.Exec("update guests set version = version + 1, email = ?, name = ?, sponsor = ?, awake_at = ?"+back+" where id = ?", inv.Email, inv.Name, inv.Sponsor, db.At(now), g.ID).Error; err != nil {
		return g, fmt.Errorf("write guest: %w", err)
	}
	if comes && e.reaches(inv.Email) {
		if _, err := e.post(tx, cause, g.ID); err != nil {
			return g, err
		}
	}
	return g, nil
}

// withdraw notes that nothing comes of an invitation.
func (e *Engine) withdraw(ctx context.Context, invitation id.Invitation) error {
	return e.DB.Tx(context.WithoutCancel(ctx), func(tx *db.Tx) error { return e.void(tx, "id = ?", invitation) })
}

// End ends everything that a guest has, at once. It returns when that is in force. One that is over is no change.
func (e *Engine) End(ctx context.Context, cause directory.Cause, guest id.Guest) error {
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		if _, err := lock(tx); err != nil {
			return err
		}
		g, err := one(tx.DB, guest)
		if err != nil {
			return err
		}
		if err := e.dead(tx, "guest = ?", guest); err != nil {
			return err
		}
		if !g.Runs(e.clock()) {
			return nil
		}
		if err := tx.Exec("update guests set ended_at = ?, version = version + 1 where id = ?", db.At(e.clock()), guest).Error; err != nil {
			return fmt.Errorf("write guest: %w", err)
		}
		return audit.Append(tx, e.record(cause, "guest.ended", string(guest), map[string]any{"company": string(g.Company), "person": string(g.Person)}))
	})
	if err != nil {
		return err
	}
	return e.settle(ctx, cause, []id.Guest{guest})
}

// dead notes that nothing comes of the invitations that wait, nor of the links of those that were given.
func (e *Engine) dead(tx *db.Tx, where string, args ...any) error {
	if err := shutLinks(tx, e.clock(), where, args...); err != nil {
		return err
	}
	return e.void(tx, where, args...)
}

// void notes that nothing comes of invitations that wait.
func (e *Engine) void(tx *db.Tx, where string, args ...any) error {
	if err := tx.Exec("update guest_invitations set state = ?, decided_at = ? where state = ? and "+where, append([]any{Withdrawn, db.At(e.clock()), Waiting}, args...)...).Error; err != nil {
		return fmt.Errorf("write invitations: %w", err)
	}
	return nil
}

// Asking is the kind of request by which others agree that a guest is let in, or stays longer.
type Asking struct{ Engine *Engine }

func (a Asking) invitation(tx *db.Tx, r approvals.Request) (Invitation, Guest, Company, error) {
	list, err := invitations(tx.DB, "id = ?", r.Object)
	if err == nil && (len(list) == 0 || list[0].State != Waiting) {
		err = fmt.Errorf("invitation %s: %w", r.Object, approvals.ErrGone)
	}
	if err != nil {
		return Invitation{}, Guest{}, Company{}, err
	}
	g, err := one(tx.DB, list[0].Guest)
	if err != nil {
		return Invitation{}, Guest{}, Company{}, err
	}
	c, err := company(tx.DB, string(g.Company))
	return list[0], g, c, err
}

// Rule implements approvals.Kind: the owners agree where the policy says nothing any more.
func (a Asking) Rule(tx *db.Tx, r approvals.Request) (policies.Approval, error) {
	list, err := invitations(tx.DB, "id = ?", r.Object)
	if err != nil || len(list) == 0 {
		return policies.Approval{}, errors.Join(err, approvals.ErrNotOffered)
	}
	rule, said, err := a.Engine.Reactor.Decides(tx, list[0].Group, policies.ApproveGuest)
	if errors.Is(err, provisioning.ErrNotFound) {
		err = approvals.ErrNotOffered
	}
	if err == nil && !said {
		rule = policies.Approval{By: []policies.Approver{{Kind: policies.ApproverOwners}}, People: 1, LapseDays: 7}
	}
	return rule, err
}

// Check implements approvals.Kind: everything that held when it was asked holds still.
func (a Asking) Check(tx *db.Tx, r *approvals.Request) error {
	inv, g, c, err := a.invitation(tx, *r)
	if err != nil {
		return err
	}
	_, _, err = a.Engine.may(tx, c, g, inv.wish(c, g))
	return err
}

func (i Invitation) wish(c Company, g Guest) Wish {
	return Wish{Company: c.Key, Email: g.Email, Name: g.Name, Sponsor: i.Sponsor, Group: i.Group, Channels: i.Channels, Until: i.AskedUntil, Reason: i.Reason, Any: i.Unowned}
}

// Stand implements approvals.Kind.
func (a Asking) Stand(tx *db.Tx, r approvals.Request, word policies.ApproverKind) ([]id.Person, error) {
	list, err := invitations(tx.DB, "id = ?", r.Object)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	switch word {
	case policies.ApproverOwners:
		return a.Engine.Reactor.OwnersIn(tx, list[0].Group)
	case policies.ApproverSponsor:
		return []id.Person{list[0].Sponsor}, nil
	}
	return nil, nil
}

// Grant implements approvals.Kind.
func (a Asking) Grant(ctx context.Context, cause directory.Cause, r approvals.Request, also func(*db.Tx) ([]audit.Record, error)) error {
	e := a.Engine
	var guest id.Guest
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		if _, err := lock(tx); err != nil {
			return err
		}
		inv, g, c, err := a.invitation(tx, r)
		if err != nil {
			return err
		}
		until, bound, err := e.may(tx, c, g, inv.wish(c, g))
		if err != nil {
			return err
		}
		if !r.Until.IsZero() && r.Until.Before(until) {
			until, bound = r.Until, BoundApproval
		}
		inv.Until, inv.BoundBy, guest = until, bound, g.ID
		records, err := also(tx)
		if err != nil {
			return err
		}
		if _, err := e.admit(tx, cause, g, &inv); err != nil {
			return err
		}
		return audit.Append(tx, append(records, e.record(cause, "guest.invited", string(g.ID), inv.public(c)))...)
	})
	if err != nil {
		return err
	}
	return e.settle(ctx, cause, []id.Guest{guest})
}
