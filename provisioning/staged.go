package provisioning

import (
	"context"
	"fmt"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// stagedSlot is the slot of the freezes of people who exist for a drill only.
const stagedSlot = "drill"

// Stage makes a channel of people who are in no directory, and returns when they may use it. No source, rule, list, feed or report ever sees it
// or them: it exists so that taking it away can be watched. Whoever stages it strikes it.
func (r *Reactor) Stage(ctx context.Context, channel id.Channel, people ...id.Person) error {
	c := Channel{ID: channel, Kind: KindAdhoc, Key: string(channel), Names: map[string]string{}, Labels: []string{}, History: policies.FullHistory, People: people, CreatedAt: r.clock()}
	var rev int64
	err := r.db.Tx(ctx, func(tx *db.Tx) (err error) {
		if err := insertPrivate(tx, c); err != nil {
			return err
		}
		rev, err = r.authz.Append(tx, turn(nil, directTuples(c.ID, people...))...)
		return err
	})
	if err != nil {
		return fmt.Errorf("stage a channel: %w", err)
	}
	return r.wait(ctx, rev)
}

// TakeStaged takes everything from somebody on a stage as the directory does with a leaver: by a freeze, which is in force on every node when it
// returns.
func (r *Reactor) TakeStaged(ctx context.Context, person id.Person) error {
	freeze := directory.Freeze{ID: id.New[id.Freeze](), Person: person, Slot: stagedSlot, Cause: directory.CauseDeleted, CreatedAt: r.clock()}
	var rev int64
	if err := r.db.Tx(ctx, func(tx *db.Tx) (err error) {
		rev, err = r.Revoke(tx, []directory.FreezeChange{{Freeze: freeze}})
		return err
	}); err != nil {
		return err
	}
	return r.wait(ctx, rev)
}

// StrikeStage removes, in tx, everything that Stage and TakeStaged wrote.
func (r *Reactor) StrikeStage(tx *db.Tx, channel id.Channel, people ...id.Person) error {
	gone := directTuples(channel, people...)
	for _, p := range people {
		gone = append(gone, authz.Tuple{User: userRef(p), Relation: "subject", Object: freezeRef(stagedSlot)})
		if err := tx.Exec("delete from fences where person = ? and slot = ?", p, stagedSlot).Error; err != nil {
			return fmt.Errorf("strike a stage: %w", err)
		}
	}
	for _, statement := range []string{"delete from channel_people where channel = ?", "delete from channels where id = ?"} {
		if err := tx.Exec(statement, channel).Error; err != nil {
			return fmt.Errorf("strike a stage: %w", err)
		}
	}
	_, err := r.authz.Append(tx, turn(gone, nil)...)
	return err
}
