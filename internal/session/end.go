package session

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// causeFrozen is why proofs end whose person is frozen.
const causeFrozen = "frozen"

type ended[T any] struct {
	ID     T
	Person id.Person
}

// endSessions ends the live sessions that where finds, and has OnEnd called for each after the commit.
func (d *Door) endSessions(tx *db.Tx, cause, where string, args ...any) ([]ended[id.Session], error) {
	var rows []ended[id.Session]
	err := tx.Raw("update sessions set ended_at = ?, end_cause = ? where ended_at is null and ("+where+") returning id, person",
		append([]any{db.At(d.Now()), cause}, args...)...).Scan(&rows).Error
	if err == nil && d.OnEnd != nil {
		for _, row := range rows {
			tx.AfterCommit(func() { d.OnEnd(row.ID, row.Person) })
		}
	}
	return rows, err
}

func (d *Door) endTokens(tx *db.Tx, cause, where string, args ...any) ([]ended[id.Token], error) {
	var rows []ended[id.Token]
	err := tx.Raw("update session_tokens set ended_at = ?, end_cause = ? where ended_at is null and ("+where+") returning id, person",
		append([]any{db.At(d.Now()), cause}, args...)...).Scan(&rows).Error
	if err == nil && d.OnEndToken != nil {
		for _, row := range rows {
			tx.AfterCommit(func() { d.OnEndToken(row.ID, row.Person) })
		}
	}
	return rows, err
}

// lockEpoch locks person's epoch until the end of tx and answers it. Whoever makes or ends proofs of a person holds
// this lock, so that one of two comes after the other.
func (d *Door) lockEpoch(tx *db.Tx, person id.Person) (int64, error) {
	if err := tx.Exec("insert into session_epochs (person, epoch) values (?, 0) on conflict (person) do nothing", person).Error; err != nil {
		return 0, err
	}
	var epoch int64
	err := tx.Raw("update session_epochs set epoch = epoch where person = ? returning epoch", person).Scan(&epoch).Error
	return epoch, err
}

// epoch reads person's epoch: read it before the person's standing is asked, compare it under the lock later.
func (d *Door) epoch(ctx context.Context, person id.Person) (int64, error) {
	var epoch int64
	err := d.DB.Read(ctx).Raw("select epoch from session_epochs where person = ?", person).Scan(&epoch).Error
	return epoch, err
}

// EndPersonTx ends, in tx, every session and token of people, and every token without a person that they made. What is
// being made at this moment is refused when it comes to its commit. Nothing of it returns when a freeze is
// lifted. It writes the audit log: call it after every other write of tx. actor is who caused it.
func (d *Door) EndPersonTx(tx *db.Tx, actor, cause string, people ...id.Person) error {
	var records []audit.Record
	var ids []string
	for _, person := range slices.Sorted(slices.Values(people)) { // in one order, so that two transactions do not lock each other out
		if err := tx.Exec(`insert into session_epochs (person, epoch) values (?, 1)
			on conflict (person) do update set epoch = session_epochs.epoch + 1`, person).Error; err != nil {
			return err
		}
		sessions, err := d.endSessions(tx, cause, "person = ?", person)
		if err != nil {
			return err
		}
		tokens, err := d.endTokens(tx, cause, "person = ? or (person = '' and created_by = ?)", person, person)
		if err != nil {
			return err
		}
		if len(sessions)+len(tokens) > 0 {
			ids = append(ids, idsOf(sessions, tokens)...)
			records = append(records, audit.Record{At: d.Now(), Actor: actor, Action: "session.ended", Subject: string(person), Cause: cause,
				RequestID: string(httpapi.RequestFrom(tx.Statement.Context)), Public: map[string]any{"sessions": len(sessions), "tokens": len(tokens), "ids": idsOf(sessions, tokens)}})
		}
	}
	if cause != causeFrozen {
		if d.Ended != nil {
			if err := d.Ended(tx, actor, people); err != nil {
				return err
			}
		}
		if err := d.spread(tx, ids); err != nil {
			return err
		}
	}
	return audit.Append(tx, records...)
}

// spread tells the other nodes, after every other row of tx and before the audit log.
func (d *Door) spread(tx *db.Tx, proofs []string) error {
	if d.Spread == nil || len(proofs) == 0 {
		return nil
	}
	settled, err := d.Spread(tx, proofs)
	if err == nil {
		tx.AfterCommit(settled)
	}
	return err
}

// idsOf names what ended: the rows themselves are forgotten after a while, the audit log is not.
func idsOf(sessions []ended[id.Session], tokens []ended[id.Token]) []string {
	out := make([]string, 0, len(sessions)+len(tokens))
	for _, s := range sessions {
		out = append(out, string(s.ID))
	}
	for _, t := range tokens {
		out = append(out, string(t.ID))
	}
	return out
}

// EndPerson is EndPersonTx in a transaction of its own.
func (d *Door) EndPerson(ctx context.Context, person id.Person, actor, cause string) error {
	return d.DB.Tx(ctx, func(tx *db.Tx) error { return d.EndPersonTx(tx, actor, cause, person) })
}

// Revoked has the shape that the index calls when people lost something: those who are frozen now are ended. It
// must not be called inside a transaction. What fails here is found again by Sweep; until then each use of
// such a proof is refused because the person is frozen.
func (d *Door) Revoked(_ int64, people []id.Person, _ []id.Channel) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := d.endFrozen(ctx, people); err != nil {
		d.Log.Error("cannot end frozen people's sessions, will retry", "people", len(people), "error", err)
	}
}

// endFrozen ends those of people who are frozen, a few hundred in one transaction.
func (d *Door) endFrozen(ctx context.Context, people []id.Person) error {
	frozen := slices.DeleteFunc(slices.Clone(people), func(p id.Person) bool { return !d.Standing.Frozen(p) })
	for chunk := range slices.Chunk(frozen, 200) {
		if err := d.DB.Tx(ctx, func(tx *db.Tx) error { return d.EndPersonTx(tx, "system", causeFrozen, chunk...) }); err != nil {
			return err
		}
	}
	return nil
}

// Sweep ends what frozen people still have: after a crash between a freeze and the end of its sessions.
// Call it at start, once the index is loaded.
func (d *Door) Sweep(ctx context.Context) error {
	var people []id.Person
	now := db.At(d.Now())
	err := d.DB.Read(ctx).Raw(`select person from sessions where ended_at is null and expires_at > ?
		union select person from session_tokens where ended_at is null and expires_at > ? and person <> ''
		union select created_by from session_tokens where ended_at is null and expires_at > ? and person = ''`, now, now, now).Scan(&people).Error
	if err != nil {
		return err
	}
	return d.endFrozen(ctx, people)
}

// kept is how long ended sessions and tokens can be listed.
const kept = 30 * 24 * time.Hour

// Prune deletes what ended long ago.
func (d *Door) Prune(ctx context.Context) error {
	now := d.Now()
	return d.DB.Tx(ctx, func(tx *db.Tx) error {
		for _, table := range []string{"sessions", "session_tokens"} {
			if err := tx.Exec("delete from "+table+" where ended_at < ? or expires_at < ?", db.At(now.Add(-kept)), db.At(now.Add(-kept))).Error; err != nil {
				return err
			}
		}
		if err := tx.Exec("delete from session_tries where last_at < ?", db.At(now.Add(-maxQuiet))).Error; err != nil {
			return err
		}
		return tx.Exec("delete from session_used where until < ?", db.At(now)).Error
	})
}

// Run sweeps once a minute and prunes once an hour until ctx ends.
func (d *Door) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for n := 0; ; n++ {
		err := d.Sweep(ctx)
		if err == nil && n%60 == 0 {
			err = d.Prune(ctx)
		}
		if err != nil && ctx.Err() == nil {
			d.Log.Error("cannot sweep sessions, will retry", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
