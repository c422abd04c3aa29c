package breakglass

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// groundTime bounds how long a piece of an answer waits to learn whether it may be given.
const groundTime = 2 * time.Second

// Open answers a reading that was granted to person, whose time it is and who has the permission still; ErrNotFound, ErrOver, ErrNotHolder.
func (e *Engine) Open(ctx context.Context, person id.Person, ask id.Ask) (Pass, error) {
	var p Pass
	err := e.look(ctx, func(tx *db.Tx) error {
		found, err := passes(tx.DB, ask)
		if err != nil {
			return err
		}
		var is bool
		if p, is = found[ask]; !is || person == "" || p.Person != person {
			return fmt.Errorf("request %s: %w", ask, ErrNotFound)
		}
		if !p.OpenAt(e.clock()) {
			return fmt.Errorf("request %s: %w", ask, ErrOver)
		}
		return e.holds(tx, person)
	})
	return p, err
}

// Ground answers what an answer by a pass rests on, to be asked before each piece of it. In doubt it is gone.
func (e *Engine) Ground(ctx context.Context, p Pass) func() bool {
	return func() bool {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), groundTime)
		defer cancel()
		_, err := e.Open(ctx, p.Person, p.Ask)
		return err == nil
	}
}

// Part is what one read answers: how many messages, from which to which, and who wrote them.
type Part struct {
	From, To int64 // 0: nothing
	Messages int
	Authors  []id.Person
}

// Note writes a read into the audit log, and whom to tell of it later. It comes before anything of what was read is answered. Errors are those
// of Open; then nothing may be answered.
func (e *Engine) Note(ctx context.Context, cause directory.Cause, p Pass, part Part) error {
	var concerned []id.Person // before the transaction: the index has its own lock
	for person := range e.Audience(p.Channel) {
		concerned = append(concerned, person)
	}
	concerned = append(concerned, part.Authors...)
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		now := e.clock()
		if err := count(tx, p.Ask, now); err != nil {
			return err
		}
		if err := e.holds(tx, p.Person); err != nil {
			return err
		}
		seen, err := known(tx, p.Ask)
		if err != nil {
			return err
		}
		seen[p.Person] = true // who reads knows
		var rows []toldRow
		for _, person := range concerned {
			if !seen[person] {
				seen[person] = true
				rows = append(rows, toldRow{Ask: p.Ask, Person: person, ReadAt: db.At(now), DueAt: db.At(now.Add(e.Delay))})
			}
		}
		if err := tellLater(tx, rows); err != nil {
			return err
		}
		return audit.Append(tx, audit.Record{At: now, Actor: string(p.Person), Action: "break_glass.read", Subject: string(p.Channel), RequestID: string(cause.Request),
			Public: map[string]any{"ask": string(p.Ask), "channel": string(p.Channel), "from": part.From, "to": part.To, "messages": part.Messages}})
	})
}

// End ends a reading before its time, and the answers by it that are under way; ErrNotFound, ErrOver.
func (e *Engine) End(ctx context.Context, cause directory.Cause, by string, ask id.Ask) error {
	var p Pass
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		found, err := passes(tx.DB, ask)
		if err != nil {
			return err
		}
		var is bool
		if p, is = found[ask]; !is {
			return fmt.Errorf("request %s: %w", ask, ErrNotFound)
		}
		now := e.clock()
		if err := end(tx, ask, by, now); err != nil {
			return err
		}
		return audit.Append(tx, audit.Record{At: now, Actor: by, Action: "break_glass.ended", Subject: string(p.Channel), RequestID: string(cause.Request),
			Public: map[string]any{"ask": string(ask), "person": string(p.Person), "channel": string(p.Channel)}})
	})
	if err == nil {
		e.Cut(p.Person)
	}
	return err
}

// Tell tells whoever is to be told by now. Where nobody is it writes nothing.
func (e *Engine) Tell(ctx context.Context) error {
	for {
		now := e.clock()
		rows, err := e.due(ctx, now)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := e.DB.Tx(ctx, func(tx *db.Tx) error { return e.tell(tx, rows, now) }); err != nil {
			return fmt.Errorf("tell of break-glass reading: %w", err)
		}
	}
}

func (e *Engine) tell(tx *db.Tx, rows []toldRow, now time.Time) error {
	var asks []id.Ask
	for _, r := range rows {
		asks = append(asks, r.Ask)
	}
	found, err := passes(tx.DB, asks...)
	if err != nil {
		return err
	}
	for _, r := range rows {
		p := found[r.Ask]
		if err := notices.Tell(tx, notices.Notice{Person: r.Person, Kind: KindRead, Key: "break-glass/" + string(r.Ask), At: now, About: map[string]string{
			"request": string(r.Ask), "person": string(p.Person), "object": string(p.Channel), "at": r.ReadAt.UTC().Format(time.RFC3339)}}); err != nil {
			return err
		}
		if err := told(tx, r, now); err != nil {
			return err
		}
	}
	return nil
}

// Run tells those concerned until ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	const every = 2 * time.Second
	for {
		if err := e.Tell(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
			e.Log.ErrorContext(ctx, "telling of break-glass readings, will retry", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}
