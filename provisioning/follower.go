package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// tendEvery is how often Run looks for reasons that ended and people to try again. It is a broom, not a clock:
// what ends at an instant ends by the window of its tuple.
const tendEvery = 30 * time.Second

// lookBehind is how far the follower stays behind the calls that settle what they changed themselves.
const lookBehind = 500 * time.Millisecond

const followerName = "reconcile"

// Follower answers the follower "reconcile". It looks at everybody the directory changed and at policies that were
// applied; where the call that changed them has settled them, which is the rule, it writes nothing. A person who fails
// is remembered and does not stop it.
func (r *Reactor) Follower() feed.Follower {
	return feed.Follower{Name: followerName, Linger: lookBehind, Closes: true, Handle: func(ctx context.Context, events []feed.Event) error {
		people, moved, causes := changedBy(events)
		if slices.ContainsFunc(events, func(e feed.Event) bool { return e.Kind == EventPolicyApplied }) {
			if _, _, err := r.finish(ctx); err != nil {
				return err
			}
		}
		below, err := r.below(ctx, moved)
		if err != nil {
			return err
		}
		return r.sweep(ctx, &run{causes: causes}, append(people, below...))
	}}
}

// Tend finishes a policy whose application and sources whose going live was interrupted, and reconciles people whose reasons have ended or
// who failed last time.
func (r *Reactor) Tend(ctx context.Context) error {
	if _, _, err := r.finish(ctx); err != nil {
		return err
	}
	if err := r.finishLives(ctx); err != nil {
		return err
	}
	if err := r.directory.FinishConfigure(ctx); err != nil {
		return err
	}
	if err := r.prune(ctx); err != nil {
		return err
	}
	people, err := duePeople(r.db.Read(ctx), r.clock(), 10*chunkMost)
	if err != nil {
		return err
	}
	return errors.Join(r.sweep(ctx, &run{}, people), r.keepSchedules(ctx), r.finishReleases(ctx))
}

// prune forgets what the guard's window has left behind long ago.
func (r *Reactor) prune(ctx context.Context) error {
	if err := r.directory.ForgetLosses(ctx); err != nil {
		return err
	}
	before := db.At(r.clock().Add(-2 * Window))
	var old int
	if err := r.db.Read(ctx).Raw("select count(*) from (select 1 from removals where at < ? limit 1) x", before).Scan(&old).Error; err != nil {
		return fmt.Errorf("read removals: %w", err)
	}
	if old == 0 {
		return nil
	}
	return r.db.Tx(ctx, func(tx *db.Tx) error { return tx.Exec("delete from removals where at < ?", before).Error })
}

// Run tends until ctx ends, also at the instants of scheduled plans. Call it on every node: what another node does at the same time is done once.
func (r *Reactor) Run(ctx context.Context) error {
	for {
		err := r.Tend(ctx)
		if err != nil && ctx.Err() == nil {
			r.log.ErrorContext(ctx, "tending memberships", "error", err)
		}
		wait := tendEvery
		if next, ahead := r.nextSchedule(ctx); err == nil && ahead == nil && !next.IsZero() {
			wait = min(wait, max(next.Sub(r.clock()), time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.scheduled:
		case <-time.After(wait):
		}
	}
}

func (r *Reactor) sweep(ctx context.Context, run *run, people []id.Person) (err error) {
	if len(people) == 0 {
		return nil
	}
	ctx, step := trace.Start(ctx, "provisioning.reconcile", "rollcall.people", len(people))
	defer func() { step.End(err) }()
	result, err := r.bulk(ctx, run, people)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	if result.Written+result.Held+len(result.Failed) > 0 {
		r.log.InfoContext(ctx, "reconciled behind a change", "people", len(people), "written", result.Written, "held", result.Held, "failed", len(result.Failed))
	}
	return nil
}
