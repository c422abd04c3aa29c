package reviews

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// remindBefore is how long before the day of answering, and before the end, reviewers are reminded.
const remindBefore = 72 * time.Hour

// Run tends open reviews until ctx ends: it asks the next one where a reviewer cannot answer any more, reminds, and ends reviews at their instant.
func (e *Engine) Run(ctx context.Context) error {
	const every = time.Second
	tended := time.Time{}
	for {
		now := e.clock()
		err := e.End(ctx)
		if err == nil && now.Sub(tended) >= time.Minute {
			if err = e.Tend(ctx); err == nil {
				tended = now
			}
		}
		if err != nil && ctx.Err() == nil {
			e.Log.ErrorContext(ctx, "reviews were not tended, will retry", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// Tend asks the next one about lines whose reviewer has no access any more, and reminds those who have not answered. Where there is
// nothing to do it writes nothing.
func (e *Engine) Tend(ctx context.Context) error {
	open, err := e.query(ctx, "closed_at is null order by created_at, id")
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range open {
		if err := e.tend(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("review %s: %w", r.ID, err))
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) tend(ctx context.Context, r Review) error {
	before, err := e.Lines(ctx, r.ID)
	if err != nil {
		return err
	}
	lines := slices.Clone(before)
	if err := e.assign(ctx, r, lines); err != nil {
		return err
	}
	var moved []Line
	for i, l := range lines {
		if l.Reviewer != before[i].Reviewer {
			moved = append(moved, l)
		}
	}
	told, err := e.asked(ctx, r, moved, KindAsked, KindWaiting, "")
	if err != nil {
		return err
	}
	for _, due := range []struct {
		at  time.Time
		key string
	}{{r.Until.Add(-remindBefore), "/1"}, {r.Until, "/2"}, {r.EndsAt.Add(-remindBefore), "/3"}} {
		if now := e.clock(); now.Before(due.at) || due.at.Before(r.CreatedAt) || !now.Before(r.EndsAt) {
			continue
		}
		more, err := e.asked(ctx, r, lines, KindReminder, KindWaiting, due.key)
		if err != nil {
			return err
		}
		told = append(told, more...)
	}
	if len(moved)+len(told) == 0 {
		return nil
	}
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		for _, l := range moved {
			if err := reassign(tx, l); err != nil {
				return err
			}
		}
		if err := notices.Tell(tx, told...); err != nil {
			return err
		}
		var records []audit.Record
		for _, l := range moved {
			records = append(records, r.record(e.clock(), "system", "review.reassigned", map[string]any{"membership": string(l.Membership), "reviewer": string(l.Reviewer)}))
		}
		return audit.Append(tx, records...)
	})
}

// End carries out the reviews whose end has come. It may be interrupted and called again: what was done is found done.
func (e *Engine) End(ctx context.Context) error {
	due, err := e.query(ctx, "closed_at is null and ends_at <= ? order by ends_at, id", db.At(e.clock()))
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range due {
		if err := e.end(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("end review %s: %w", r.ID, err))
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) end(ctx context.Context, r Review) error {
	lines, err := e.Lines(ctx, r.ID)
	if err != nil {
		return err
	}
	lines = slices.DeleteFunc(lines, func(l Line) bool { return l.Outcome != "" })
	const part = 50 // people of whom one transaction takes
	for some := range slices.Chunk(lines, part) {
		if err := e.silent(ctx, r, some); err != nil {
			return err
		}
		if err := e.take(ctx, r, some); err != nil {
			return err
		}
		if err := e.note(ctx, r, some); err != nil {
			return err
		}
	}
	return e.close(ctx, r)
}

// silent answers, for those who did not, what silence means.
func (e *Engine) silent(ctx context.Context, r Review, lines []Line) error {
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		var records []audit.Record
		for i, l := range lines {
			if l.Decision != "" {
				continue
			}
			l.Decision, l.DecidedBy, l.DecidedAt = r.Silence, "silence", e.clock()
			if err := decide(tx, l); err != nil {
				return err
			}
			lines[i] = l
			records = append(records, r.record(l.DecidedAt, "system", "review.silence", map[string]any{"membership": string(l.Membership), "person": string(l.Person), "decision": l.Decision}))
		}
		return audit.Append(tx, records...)
	})
}

// take ends the reasons of the places that are to go, but for those that a rule gives, through the guard.
func (e *Engine) take(ctx context.Context, r Review, lines []Line) error {
	places, err := e.places(ctx, lines)
	if err != nil {
		return err
	}
	byWhom := map[string][]provisioning.Grant{}
	for _, l := range lines {
		if l.Decision != Remove {
			continue
		}
		by := l.DecidedBy
		if by == "silence" {
			by = "system"
		}
		for _, reason := range places[l.Membership].Reasons {
			if reason.Kind != provisioning.KindRule {
				byWhom[by] = append(byWhom[by], provisioning.Grant{Person: l.Person, Group: l.Group, Role: reason.Role, Kind: reason.Kind, Ref: reason.Ref, Take: true})
			}
		}
	}
	for by, grants := range byWhom {
		if err := e.Reactor.Give(ctx, directory.Cause{Actor: by, Request: id.Request(r.ID), Reason: "review " + string(r.ID)}, grants, nil); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) places(ctx context.Context, lines []Line) (map[id.Membership]provisioning.Membership, error) {
	ids := make([]id.Membership, len(lines))
	for i, l := range lines {
		ids[i] = l.Membership
	}
	found, _, err := e.Reactor.Population(ctx, provisioning.Populace{Members: ids})
	out := map[id.Membership]provisioning.Membership{}
	for _, m := range found {
		out[m.ID] = m
	}
	return out, err
}

// note writes what became of each line, by what stands now.
func (e *Engine) note(ctx context.Context, r Review, lines []Line) error {
	ids := make([]id.Membership, len(lines))
	for i, l := range lines {
		ids[i] = l.Membership
	}
	found, held, err := e.Reactor.Population(ctx, provisioning.Populace{Members: ids})
	if err != nil {
		return err
	}
	stands := map[id.Membership]provisioning.Membership{}
	for _, m := range found {
		stands[m.ID] = m
	}
	taken, err := e.Reactor.EndedBy(ctx, id.Request(r.ID))
	if err != nil {
		return err
	}
	admins, err := e.Admins(ctx)
	if err != nil {
		return err
	}
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		var records []audit.Record
		for _, l := range lines {
			l.OutcomeAt, l.Outcome = e.clock(), outcome(l, stands[l.Membership], held[l.Membership], taken[l.Membership])
			fresh, err := settle(tx, l)
			if err != nil {
				return err
			}
			if !fresh {
				continue
			}
			records = append(records, audit.Record{At: l.OutcomeAt, Actor: "system", Action: "review." + l.Outcome, Subject: string(l.Membership),
				Public: map[string]any{"review": string(r.ID), "person": string(l.Person), "decision": l.Decision, "decided_by": l.DecidedBy}})
			if l.Outcome != Finding {
				continue
			}
			for _, one := range admins {
				if err := notices.Tell(tx, r.notice(KindFinding, one, "", l.OutcomeAt)); err != nil {
					return err
				}
			}
		}
		return audit.Append(tx, records...)
	})
}

func outcome(l Line, m provisioning.Membership, hold id.Hold, taken bool) string {
	ruled := slices.ContainsFunc(m.Reasons, func(r provisioning.Reason) bool { return r.Kind == provisioning.KindRule })
	switch {
	case taken:
		return Removed
	case m.ID == "":
		return Gone
	case l.Decision == Keep:
		return Kept
	case hold != "":
		return Held
	case ruled:
		return Finding
	}
	return Held // what keeps it is none of its reasons
}

func (e *Engine) close(ctx context.Context, r Review) error {
	lines, err := e.Lines(ctx, r.ID)
	if err != nil {
		return err
	}
	counts := map[string]any{}
	for _, l := range lines {
		n, _ := counts[l.Outcome].(int)
		counts[l.Outcome] = n + 1
	}
	r.ClosedAt = e.clock()
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		fresh, err := closeReview(tx, r)
		if err != nil || !fresh {
			return err
		}
		return audit.Append(tx, r.record(r.ClosedAt, "system", "review.closed", counts))
	})
}
