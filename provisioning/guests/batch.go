package guests

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

const (
	// batchMost bounds what one call changes in one transaction.
	batchMost = 500
	// batchLasts is how long what was shown may be applied.
	batchLasts = time.Hour
)

// Op is what becomes of one row of a batch.
type Op string

// The ops.
const (
	OpInvite  Op = "invite"
	OpExtend  Op = "extend"
	OpEnd     Op = "end"
	OpSame    Op = "same"    // they have it as long already: nothing is shortened by a batch
	OpRefused Op = "refused" // Code and Problem say why
)

// Row is one of whom a batch is about, and what becomes of them.
type Row struct {
	Line     int       `json:"line,omitempty" doc:"of the file"`
	Op       Op        `json:"op" enum:"invite,extend,end,same,refused"`
	Guest    id.Guest  `json:"guest,omitempty" doc:"absent for who is new"`
	Name     string    `json:"name"`
	Email    string    `json:"email"`
	Company  string    `json:"company" doc:"key"`
	Group    string    `json:"group" doc:"key"`
	Channels []string  `json:"channels" nullable:"false"`
	From     time.Time `json:"from,omitzero" doc:"until when they have all of these channels already"`
	Until    time.Time `json:"until,omitzero" doc:"and would then"`
	BoundBy  Bound     `json:"bound_by,omitempty" enum:"asked,policy,contract,approval" doc:"what sets the end"`
	Waiting  bool      `json:"waiting,omitempty" doc:"others have to agree first"`
	Code     string    `json:"code,omitempty" doc:"of a refusal, as a call for this one alone would answer it"`
	Problem  string    `json:"problem,omitempty"`
}

// Batch is what a call does about many guests, or would.
type Batch struct {
	At    time.Time `json:"at" doc:"when it was looked at: caps count from then"`
	Basis string    `json:"basis" doc:"of what it says: applying wants it, and is refused where it would do something else by then"`
	Rows  []Row     `json:"rows" nullable:"false"`
}

// Shown is what somebody was shown before they apply it; zero for a look.
type Shown struct {
	At    time.Time
	Basis string
}

// act is one row that is still to be judged. do writes it in a transaction that holds the lock, as of the instant at which it was looked at.
type act struct {
	row Row
	do  func(tx *db.Tx, at time.Time, row *Row) (*entered, error)
}

// entered is a guest whose rows were written, and what is still to be done about it when they are committed.
type entered struct {
	guest id.Guest
	wish  Wish
	inv   Invitation
	asks  bool
}

var errLook = errors.New("only looked at")

// run judges every act by doing it, in order and in one transaction, and takes all of it back unless what comes of it is what was shown. What a row is refused for is said in the row, and
// nothing of that row stays. It returns when all of it is in force. ErrDrift.
func (e *Engine) run(ctx context.Context, cause directory.Cause, shown Shown, list []act) (Batch, error) {
	if len(list) == 0 || len(list) > batchMost {
		return Batch{}, fmt.Errorf("%w: 1 to %d at a time, not %d", ErrInvalid, batchMost, len(list))
	}
	now := e.clock()
	out := Batch{At: now}
	if shown.Basis != "" {
		if out.At = shown.At; out.At.After(now) || now.Sub(out.At) > batchLasts {
			return Batch{}, fmt.Errorf("shown at %s: %w", out.At.Format(time.RFC3339), ErrDrift)
		}
	}
	var done []entered
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		out.Rows, done = make([]Row, len(list)), nil
		if _, err := lock(tx); err != nil {
			return err
		}
		for i, a := range list {
			row, one, err := e.attempt(tx, out.At, a)
			if err != nil {
				return err
			}
			if out.Rows[i] = row; one != nil {
				done = append(done, *one)
			}
		}
		basis, err := basisOf(out)
		switch out.Basis = basis; {
		case err != nil:
			return err
		case shown.Basis == "":
			return errLook
		case shown.Basis != basis:
			return ErrDrift
		}
		return nil
	})
	if errors.Is(err, errLook) {
		return out, nil
	}
	if err != nil {
		return Batch{}, err
	}
	var ids []id.Guest
	for _, d := range done {
		if d.asks {
			err = errors.Join(err, e.ask(ctx, cause, d.wish, d.inv))
		} else if !slices.Contains(ids, d.guest) {
			ids = append(ids, d.guest)
		}
	}
	return out, errors.Join(err, e.settle(ctx, cause, ids))
}

// attempt does one act behind a savepoint.
func (e *Engine) attempt(tx *db.Tx, at time.Time, a act) (Row, *entered, error) {
	if err := tx.Exec("savepoint act").Error; err != nil {
		return a.row, nil, fmt.Errorf("begin row: %w", err)
	}
	row := a.row
	one, err := a.do(tx, at, &row)
	if err != nil {
		code := problemOf(err)
		if code == "" {
			return row, nil, err
		}
		row = a.row // nothing of what was tried
		row.Op, row.Code, row.Problem = OpRefused, code, err.Error()
	}
	if row.Channels == nil {
		row.Channels = []string{}
	}
	end := "release savepoint act"
	if row.Op == OpRefused || row.Op == OpSame {
		one, end = nil, "rollback to savepoint act"
	}
	if err := tx.Exec(end).Error; err != nil {
		return row, nil, fmt.Errorf("end row: %w", err)
	}
	return row, one, nil
}

// problemOf answers the code of what a caller can be told; empty for what went wrong here.
func problemOf(err error) string {
	for _, c := range append(Cases(), httpapi.Case{Err: provisioning.ErrNotFound, Code: "not_found"}, httpapi.Case{Err: directory.ErrNotFound, Code: "not_found"}) {
		if errors.Is(err, c.Err) {
			return c.Code
		}
	}
	return ""
}

func basisOf(b Batch) (string, error) {
	b.Basis = ""
	raw, err := json.Marshal(b)
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), err
}

// cutAt answers how a term is cut so that it is what it was when a batch was looked at: the cap of the policy counts from then.
func (e *Engine) cutAt(tx *db.Tx, at time.Time) (func(time.Time, Bound) (time.Time, Bound), error) {
	rules, err := e.Reactor.GuestRules(tx)
	if err != nil {
		return nil, err
	}
	most := at.Add(time.Duration(rules.Days()) * 24 * time.Hour)
	return func(until time.Time, bound Bound) (time.Time, Bound) {
		if until.After(most) {
			return most, BoundPolicy
		}
		return until, bound
	}, nil
}

// let is the act of letting somebody in, or for longer: whom who answers, as w says.
func (e *Engine) let(cause directory.Cause, w Wish, row Row, who func(*db.Tx, Company) (Guest, error)) act {
	return act{row, func(tx *db.Tx, at time.Time, row *Row) (*entered, error) {
		cut, err := e.cutAt(tx, at)
		if err != nil {
			return nil, err
		}
		var was Guest
		inv, g, asks, err := e.enter(tx, cause, w, func(tx *db.Tx, c Company) (Guest, error) {
			g, err := who(tx, c)
			was, row.Company = g, c.Key
			return g, err
		}, cut)
		if err != nil {
			return nil, err
		}
		if row.Op = OpInvite; was.CreatedAt.Before(at) { // whom a line before makes has another id when it is done
			row.Guest = was.ID
		}
		row.Channels = inv.Channels
		if row.From = was.allUntil(w.Group, inv.Channels); was.Runs(e.clock()) && !row.From.IsZero() {
			row.Op = OpExtend
		}
		row.Until, row.BoundBy, row.Waiting = inv.Until, inv.BoundBy, asks
		least := row.From
		if row.BoundBy == BoundPolicy { // the cap goes on with every second: less than a day more is none
			least = least.Add(24 * time.Hour)
		}
		if row.Op == OpExtend && !inv.Until.After(least) {
			row.Op, row.Until, row.Waiting = OpSame, row.From, false
		}
		return &entered{g.ID, w, inv, asks}, nil
	}}
}

// allUntil answers until when a guest has every one of these channels; zero where they lack one.
func (g Guest) allUntil(group id.Group, channels []string) time.Time {
	var first time.Time
	for _, channel := range channels {
		at := slices.IndexFunc(g.Places, func(p Place) bool { return p.Group == group && p.Channel == channel })
		if at < 0 {
			return time.Time{}
		}
		if until := g.Places[at].Until; first.IsZero() || until.Before(first) {
			first = until
		}
	}
	return first
}

// Bulk is what somebody does about several guests of a project group.
type Bulk struct {
	Group  id.Group
	Caller id.Person // who owns the group
	End    bool      // everything they have there ends; else they stay until Until
	Guests []id.Guest
	Until  time.Time
	Reason string
}

// Bulk extends or ends what guests have in a project group, as shown says, or looks at what that would do. Whoever answers for a guest goes on to where they may; else the caller does. Nothing is shortened
// but by an end. ErrInvalid, ErrNotFound, ErrDrift.
func (e *Engine) Bulk(ctx context.Context, cause directory.Cause, shown Shown, b Bulk) (Batch, error) {
	group, err := e.Reactor.Group(ctx, b.Group)
	if err != nil {
		return Batch{}, err
	}
	slices.Sort(b.Guests)
	b.Guests = slices.Compact(b.Guests)
	known, err := load(e.DB.Read(ctx), "g.id in ? order by g.id", db.Pad(b.Guests))
	if err != nil {
		return Batch{}, err
	}
	of, err := e.companiesOf(ctx)
	if err != nil {
		return Batch{}, err
	}
	var list []act
	for _, g := range known {
		channels, err := e.channelsOf(ctx, g, b.Group)
		if err != nil {
			return Batch{}, err
		}
		if len(channels) == 0 {
			continue
		}
		row := Row{Guest: g.ID, Name: g.Name, Email: g.Email, Company: of[g.Company].Key, Group: group.Key, Channels: channels, From: g.allUntil(b.Group, channels)}
		if b.End {
			list = append(list, e.leave(cause, b.Group, row))
			continue
		}
		w := Wish{Company: string(g.Company), Email: g.Email, Name: g.Name, Sponsor: b.Caller, Group: b.Group, Channels: channels, Until: b.Until, Reason: b.Reason}
		if err := w.check(); err != nil {
			return Batch{}, err
		}
		a := e.let(cause, w, row, e.running(g.ID))
		if g.Sponsor != b.Caller {
			a = e.kept(cause, w, row, g)
		}
		list = append(list, a)
	}
	if len(list) != len(b.Guests) {
		return Batch{}, fmt.Errorf("%w: %d of them have no place here", ErrNotFound, len(b.Guests)-len(list))
	}
	return e.run(ctx, cause, shown, list)
}

// channelsOf answers the channels of a group in which a guest has a place that stands.
func (e *Engine) channelsOf(ctx context.Context, g Guest, group id.Group) ([]string, error) {
	if g.Person == "" || !g.Runs(e.clock()) {
		return nil, nil
	}
	stands, err := e.standing(ctx, g)
	if err != nil {
		return nil, err
	}
	return g.channels(group, stands), nil
}

// kept is let for a guest for whom somebody else answers: that one goes on where they still may.
func (e *Engine) kept(cause directory.Cause, w Wish, row Row, g Guest) act {
	return act{row, func(tx *db.Tx, at time.Time, row *Row) (*entered, error) {
		theirs := w
		theirs.Sponsor = g.Sponsor
		if err := e.answers(tx, theirs); err != nil {
			if problemOf(err) == "" {
				return nil, err
			}
			theirs = w
		}
		return e.let(cause, theirs, *row, e.running(g.ID)).do(tx, at, row)
	}}
}

// leave is the act of ending what a guest has in a project group.
func (e *Engine) leave(cause directory.Cause, group id.Group, row Row) act {
	return act{row, func(tx *db.Tx, _ time.Time, row *Row) (*entered, error) {
		g, err := one(tx.DB, row.Guest)
		if err != nil {
			return nil, err
		}
		row.Op = OpEnd
		return &entered{guest: g.ID}, e.depart(tx, cause, g, group)
	}}
}

// depart writes that everything a guest has or was asked for in a project group is over. The lock is held.
func (e *Engine) depart(tx *db.Tx, cause directory.Cause, g Guest, group id.Group) error {
	now := e.clock()
	if err := e.void(tx, "guest = ? and group_id = ?", g.ID, group); err != nil {
		return err
	}
	if err := tx.Exec("update guest_places set until_at = ? where guest = ? and group_id = ? and until_at > ?", db.At(now), g.ID, group, db.At(now)).Error; err != nil {
		return fmt.Errorf("write places of guest: %w", err)
	}
	over := g.EndedAt
	if !slices.ContainsFunc(g.Places, func(p Place) bool { return p.Group != group && p.Until.After(now) }) {
		over = now // who has a place elsewhere stays a guest
		if err := e.dead(tx, "guest = ?", g.ID); err != nil {
			return err
		}
	}
	if err := tx.Exec("update guests set version = version + 1, ended_at = ? where id = ?", db.At(over), g.ID).Error; err != nil {
		return fmt.Errorf("write guest: %w", err)
	}
	return audit.Append(tx, e.record(cause, "guest.ended", string(g.ID), map[string]any{"company": string(g.Company), "person": string(g.Person), "group": string(group)}))
}

// refused is an act that cannot be, as its row says.
func refused(row Row) act {
	return act{row, func(*db.Tx, time.Time, *Row) (*entered, error) { return nil, nil }}
}
