package transmit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Standing is how an account stands, as receivers are told.
type Standing string

// The standings.
const (
	unseen   Standing = ""         // somebody who has just come: as they were made
	enabled  Standing = "enabled"  // may have access
	disabled Standing = "disabled" // has none
	purged   Standing = "purged"   // was erased
)

// told is what a stream was told of somebody last.
type told struct {
	Person   id.Person
	Standing Standing
	Revoked  bool
	Behind   int64
}

// standingOf is the one place that decides how somebody stands: without access for whatever reason is in force at an instant, but one that peer gave
// itself. What is planned for later is no part of it.
func standingOf(r directory.Reader, p directory.Person, freezes []directory.Freeze, peer string, at time.Time) Standing {
	if peer != "" {
		freezes = slices.DeleteFunc(slices.Clone(freezes), func(f directory.Freeze) bool { return f.Slot == directory.SlotOf(peer) })
	}
	switch {
	case p.Status == directory.StatusAnonymised:
		return purged
	case p.MergedInto != "" || r.Bars(freezes, at):
		return disabled
	}
	return enabled
}

// atFirst is how somebody stood when they were made: who came without access lost none.
func atFirst(r directory.Reader, p directory.Person, freezes []directory.Freeze, peer string) Standing {
	return standingOf(r, p, slices.DeleteFunc(slices.Clone(freezes), func(f directory.Freeze) bool { return f.CreatedAt.After(p.CreatedAt) }), peer, p.CreatedAt)
}

// next answers the event that tells a stream, which is sent these events, what changed; "": none.
func next(before told, now Standing, sent []string) string {
	pick := func(kinds ...string) string {
		for _, kind := range kinds {
			if slices.Contains(sent, kind) {
				return kind
			}
		}
		return ""
	}
	switch {
	case now == before.Standing:
		if now == enabled && before.Revoked {
			return pick(SessionRevoked)
		}
		return ""
	case now == disabled:
		return pick(AccountDisabled, SessionRevoked)
	case now == purged && before.Standing == enabled:
		return pick(AccountPurged, AccountDisabled, SessionRevoked)
	case now == purged:
		return pick(AccountPurged)
	case before.Standing == disabled:
		return pick(AccountEnabled)
	}
	return ""
}

// mark notes for every stream but those of a peer that people are to be looked at as of an instant, whether the stream knows them or not.
func mark(tx *db.Tx, people []string, first Standing, revoked int, at time.Time, peer string) error {
	people = slices.Compact(slices.Sorted(slices.Values(people))) // in one order, so that two transactions do not lock each other out
	for part := range slices.Chunk(people, markedMost) {
		who, args := strings.Repeat(" union all select cast(? as text)", len(part))[len(" union all "):], []any{first, revoked, at.UnixMicro()}
		for _, person := range part {
			args = append(args, person)
		}
		if err := tx.Exec(`insert into transmit_told (stream, person, standing, revoked, unnamed, behind) select r.stream, p.person, cast(? as text), cast(? as integer), 0, cast(? as bigint) from transmit_receivers r
			cross join (select '' as person where 1 = 0 union all `+who+`) p where r.stream <> '' and (r.peer = '' or r.peer <> ?)
			on conflict (stream, person) do update set behind = excluded.behind, revoked = case when excluded.revoked = 1 then 1 else transmit_told.revoked end`, append(args, peer)...).Error; err != nil {
			return fmt.Errorf("mark for receivers of signals: %w", err)
		}
	}
	return nil
}

const markedMost = 100

// Follower notes whom the directory's events are about. It writes rows of its own only: they are committed with its place in the feed.
func (t *Transmitter) Follower() feed.Follower {
	return feed.Follower{Name: "transmitter", HandleTx: func(_ context.Context, tx *db.Tx, events []feed.Event) error {
		if any, err := streams(tx); err != nil || !any {
			return err
		}
		var came, others []string
		var at time.Time // the clock that wrote an event may be ahead of the one that looks: what began then has begun
		for _, e := range events {
			switch {
			case !strings.HasPrefix(e.Kind, "person."):
				continue
			case strings.Contains(string(e.Data), `"created":true`):
				came = append(came, e.Subject)
			default:
				others = append(others, e.Subject)
			}
			if e.At.After(at) {
				at = e.At
			}
		}
		if err := mark(tx, came, unseen, 0, at, ""); err != nil { // first: who came and changed has just come
			return err
		}
		if err := mark(tx, others, enabled, 0, at, ""); err != nil {
			return err
		}
		tx.AfterCommit(t.Wake)
		return nil
	}}
}

// Ended notes in tx, as a last write before the audit log, that everything people were signed in with has ended, whoever they are. A peer that said so is not told.
func (t *Transmitter) Ended(tx *db.Tx, actor string, people []id.Person) error {
	if any, err := streams(tx); err != nil || !any {
		return err
	}
	peer, _ := strings.CutPrefix(actor, "idp:")
	names := make([]string, len(people))
	for i, person := range people {
		names[i] = string(person)
	}
	if err := mark(tx, names, enabled, 1, t.clock(), peer); err != nil {
		return err
	}
	tx.AfterCommit(t.Wake)
	return nil
}

func streams(tx *db.Tx) (any bool, err error) {
	err = tx.Raw("select exists (select 1 from transmit_receivers where stream <> '')").Scan(&any).Error
	return any, err
}

// begin has a new stream look at everybody who has no access now: that they have none is no news to it.
func (t *Transmitter) begin(ctx context.Context, r receiverRow) error {
	frozen := true
	for q := (directory.Query{Frozen: &frozen, Limit: 200}); ; {
		page, err := t.People.People(ctx, q)
		if err != nil {
			return err
		}
		ids := make([]id.Person, len(page.People))
		for i, p := range page.People {
			ids[i] = p.ID
		}
		freezes, err := t.People.StandingFreezes(ctx, ids)
		if err != nil {
			return err
		}
		if err := t.DB.Tx(ctx, func(tx *db.Tx) error {
			for _, p := range page.People {
				standing, now := standingOf(t.People.Reader, p, freezes[p.ID], r.Peer, t.clock()), t.clock().UnixMicro() // to be looked at again: it may have changed since it was read
				if standing == enabled {
					continue
				}
				if err := tx.Exec("insert into transmit_told (stream, person, standing, revoked, unnamed, behind) values (?, ?, ?, 0, 0, ?) on conflict (stream, person) do nothing", r.Stream, p.ID, standing, now).Error; err != nil {
					return err
				}
			}
			if page.Next != "" {
				return nil
			}
			return tx.Exec("update transmit_receivers set begun = 1 where stream = ?", r.Stream).Error
		}); err != nil || page.Next == "" {
			return err
		}
		q.Cursor = page.Next
	}
}

// chunk is how many people one transaction looks at.
const chunk = 100

// settle looks at those a stream is behind about, and puts what it has to be told into its queue. It tells whether there may be more.
func (t *Transmitter) settle(ctx context.Context, stream string) (more bool, err error) {
	err = t.DB.Tx(ctx, func(tx *db.Tx) error {
		r, err := lock(tx, stream)
		if err != nil {
			return err
		}
		room, err := t.room(tx, r)
		if err != nil || room <= 0 {
			more = false // when something has been acknowledged
			return err
		}
		var people []id.Person
		if err := tx.Raw("select person from transmit_told where stream = ? and behind > 0 order by behind, person limit ?", stream, min(room, chunk)).Scan(&people).Error; err != nil || len(people) == 0 {
			return err
		}
		more = len(people) == chunk
		// First the rows, then the truth: who is marked after this is looked at again.
		var before []told
		if err := tx.Raw("update transmit_told set unnamed = 0 where stream = ? and person in ? returning person, standing, revoked, behind", stream, db.Pad(people)).Scan(&before).Error; err != nil {
			return err
		}
		slices.SortFunc(before, func(a, b told) int { return slices.Index(people, a.Person) - slices.Index(people, b.Person) })
		return t.look(ctx, tx, r, before)
	})
	return more, err
}

// room is how many events more the queue of a receiver takes.
func (t *Transmitter) room(tx *db.Tx, r receiverRow) (int, error) {
	var waiting int
	err := tx.Raw("select count(*) from transmit_queue where stream = ?", r.Stream).Scan(&waiting).Error
	most := t.Most
	if most == 0 {
		most = mostWaiting
	}
	return most - waiting, err
}

// account is what a receiver calls an account: somebody, with the freezes that stand.
type account struct {
	directory.Person
	freezes []directory.Freeze
}

// accounts answers the accounts of people, as a form of naming tells them apart: who turned out to be somebody else has that one's names, and an id of their own.
func accounts(ctx context.Context, reader directory.Reader, form string, people []id.Person) (map[id.Person]account, error) {
	found, err := reader.PeopleByID(ctx, people)
	if err != nil {
		return nil, err
	}
	known, others := map[id.Person]directory.Person{}, []id.Person{}
	for _, p := range found {
		if known[p.ID] = p; p.MergedInto != "" && form != ByID {
			others = append(others, p.MergedInto)
		}
	}
	if len(others) > 0 {
		more, err := reader.PeopleByID(ctx, others)
		if err != nil {
			return nil, err
		}
		for _, p := range more {
			known[p.ID] = p
		}
	}
	freezes, err := reader.StandingFreezes(ctx, slices.Collect(maps.Keys(known)))
	out := make(map[id.Person]account, len(people))
	for _, person := range people {
		p, ok := known[person]
		if ok && p.MergedInto != "" && form != ByID {
			p, ok = known[p.MergedInto]
		}
		if ok {
			out[person] = account{p, freezes[p.ID]}
		}
	}
	return out, err
}

// verdict is what a look at somebody came to.
type verdict struct {
	standing Standing
	unnamed  bool
	event    []any // nil: there is nothing to tell
}

func (t *Transmitter) look(ctx context.Context, tx *db.Tx, r receiverRow, before []told) error {
	ids := make([]id.Person, len(before))
	for i, b := range before {
		ids[i] = b.Person
	}
	reader := t.People.In(tx)
	found, err := accounts(ctx, reader, r.Subject, ids)
	if err != nil {
		return err
	}
	var events [][]any
	var gone, unnamed []id.Person // gone: as everybody is, or taken back with their dry run
	stand := map[Standing][]id.Person{}
	for _, b := range before {
		a, ok := found[b.Person]
		if !ok {
			gone = append(gone, b.Person)
			continue
		}
		v, err := t.judge(ctx, reader, &r, b, a)
		switch {
		case err != nil:
			return err
		case v.unnamed:
			unnamed = append(unnamed, b.Person)
			continue
		case v.standing == enabled:
			gone = append(gone, b.Person)
		default:
			stand[v.standing] = append(stand[v.standing], b.Person)
		}
		if v.event != nil {
			events = append(events, v.event)
		}
	}
	if err := t.write(tx, r, events); err != nil {
		return err
	}
	if len(unnamed) > 0 { // not told, and not forgotten: whatever gives them a name marks them
		if err := tx.Exec("update transmit_told set unnamed = 1, behind = 0 where stream = ? and person in ?", r.Stream, db.Pad(unnamed)).Error; err != nil {
			return err
		}
	}
	for standing, people := range stand {
		if err := tx.Exec("update transmit_told set standing = ?, revoked = 0, behind = 0 where stream = ? and person in ?", standing, r.Stream, db.Pad(people)).Error; err != nil {
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return tx.Exec("delete from transmit_told where stream = ? and person in ?", r.Stream, db.Pad(gone)).Error
}

// judge answers how somebody stands, and the event that tells a receiver what changed.
func (t *Transmitter) judge(ctx context.Context, reader directory.Reader, r *receiverRow, b told, a account) (verdict, error) {
	now := t.clock()
	at := now
	if since := time.UnixMicro(b.Behind).UTC(); since.After(at) {
		at = since
	}
	v := verdict{standing: standingOf(reader, a.Person, a.freezes, r.Peer, at)}
	if b.Standing == unseen {
		b.Standing = atFirst(reader, a.Person, a.freezes, r.Peer)
	}
	kind := ""
	if r.Status != statusDisabled {
		kind = next(b, v.standing, r.sent())
	}
	if kind == "" {
		return v, nil
	}
	subject, err := t.subject(ctx, reader, *r, a.Person)
	if err != nil || subject == nil {
		return verdict{unnamed: true}, err
	}
	v.event, err = t.event(r, b.Person, kind, subject, body(kind, now))
	return v, err
}

// settled notes how somebody stands as a stream knows; who is as everybody is has no row.
func settled(tx *db.Tx, stream string, person id.Person, standing Standing) error {
	if standing == enabled {
		return tx.Exec("delete from transmit_told where stream = ? and person = ?", stream, person).Error
	}
	return tx.Exec(`insert into transmit_told (stream, person, standing, revoked, unnamed, behind) values (?, ?, ?, 0, 0, 0)
		on conflict (stream, person) do update set standing = excluded.standing, revoked = 0, unnamed = 0, behind = 0`, stream, person, standing).Error
}

// Erase puts into every queue, in the transaction that erases somebody, that the account was purged: afterwards nobody knows what it was called.
func (t *Transmitter) Erase(tx *db.Tx, people []id.Person) error {
	ctx := tx.Statement.Context
	all, err := rows(tx.DB, "stream <> '' and status <> ? order by name", statusDisabled)
	if err != nil || len(all) == 0 {
		return err
	}
	found, err := t.People.PeopleByID(ctx, people) // as they are before tx
	if err != nil {
		return err
	}
	for _, one := range all {
		r, err := lock(tx, one.Stream)
		if err != nil {
			return err
		}
		for _, p := range found {
			before := told{Standing: disabled}
			if err := tx.Raw("select standing, revoked from transmit_told where stream = ? and person = ?", r.Stream, p.ID).Scan(&before).Error; err != nil {
				return err
			}
			if kind := next(before, purged, r.sent()); kind != "" && (p.MergedInto == "" || r.Subject == ByID) {
				subject, err := t.subject(ctx, t.People.Reader, r, p)
				if err != nil {
					return err
				}
				if subject != nil {
					if err := t.enqueue(tx, &r, p.ID, kind, subject, body(kind, t.clock())); err != nil {
						return err
					}
				}
			}
			if err := settled(tx, r.Stream, p.ID, purged); err != nil {
				return err
			}
		}
	}
	return nil
}
