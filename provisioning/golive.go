package provisioning

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type goLiveRow struct {
	Source     id.Source
	Hash       string
	Verdict    db.JSON[Verdict]
	Actor      string
	StartedAt  db.Instant
	FinishedAt db.Instant
}

func (goLiveRow) TableName() string { return "go_lives" }

// GoLive takes a source out of its dry run and answers when everything that follows is in force. hash names what was looked at: where going
// live would do anything else by now it is ErrDrift, and nothing is written. What the guard holds of all of it together is held. A caller who
// hangs up does not stop it; where the process ends half-way Tend finishes, and the call may be repeated. A source that is live by a call
// with the same hash is no error, one that is live otherwise directory.ErrLive.
func (r *Reactor) GoLive(ctx context.Context, cause directory.Cause, source id.Source, hash string) error {
	r.living.Lock()
	defer r.living.Unlock()
	src, err := r.directory.SourceByID(ctx, source)
	if err != nil {
		return err
	}
	row, err := r.goLive(ctx, source)
	if err != nil {
		return err
	}
	switch {
	case src.Mode == directory.ModeLive && row.Hash == hash && hash != "":
		return nil
	case src.Mode == directory.ModeGoingLive && row.Hash != hash:
		return fmt.Errorf("source %s is going live as it was looked at before: %w", src.Name, ErrDrift)
	case src.Mode != directory.ModeGoingLive:
		if err := r.beginLive(ctx, cause, source, hash); err != nil {
			return err
		}
	}
	return r.goOn(context.WithoutCancel(ctx), cause, source)
}

// beginLive compares what would happen with what was looked at, and passes the point from which there is no way back.
func (r *Reactor) beginLive(ctx context.Context, cause directory.Cause, source id.Source, hash string) error {
	p, err := r.Preview(ctx, source, PreviewQuery{})
	if err != nil {
		return err
	}
	if p.Hash != hash {
		return fmt.Errorf("source %s: going live would do something else by now; look at it again: %w", p.Stage.Source.Name, ErrDrift)
	}
	row := goLiveRow{Source: source, Hash: hash, Verdict: db.JSON[Verdict]{V: p.Summary.Verdict}, Actor: actorOf(cause), StartedAt: db.At(r.clock())}
	if err := r.db.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Exec("delete from go_lives where source = ?", source).Error; err != nil {
			return err
		}
		return tx.Create(&row).Error
	}); err != nil {
		return fmt.Errorf("note what was looked at: %w", err)
	}
	err = r.directory.BeginLive(ctx, cause, source, p.Stage.Version)
	if errors.Is(err, directory.ErrStage) {
		return fmt.Errorf("source %s was written to meanwhile; look at it again: %w", p.Stage.Source.Name, ErrDrift)
	}
	return err
}

// goOn gives everybody their place and closes the matter.
func (r *Reactor) goOn(ctx context.Context, cause directory.Cause, source id.Source) error {
	cause.Source = source // whoever looks for a source that freezes many must find it
	if err := r.directory.GoOn(ctx, cause, source); err != nil {
		err = fmt.Errorf("source %s goes live: %w", source, err)
		if src, look := r.directory.SourceByID(ctx, source); look != nil || src.Mode != directory.ModeLive {
			return err
		}
		r.log.ErrorContext(ctx, "somebody of a new source could not be reconciled yet", "source", source, "error", err)
	}
	return r.db.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update go_lives set finished_at = ? where source = ? and finished_at is null", db.At(r.clock()), source).Error
	})
}

func (r *Reactor) goLive(ctx context.Context, source id.Source) (goLiveRow, error) {
	var rows []goLiveRow
	if err := r.db.Read(ctx).Raw("select * from go_lives where source = ?", source).Scan(&rows).Error; err != nil {
		return goLiveRow{}, fmt.Errorf("read go-lives: %w", err)
	}
	if len(rows) == 0 {
		return goLiveRow{}, nil
	}
	return rows[0], nil
}

// staleLive is after what time a go-live that never began is forgotten.
const staleLive = 10 * time.Minute

// finishLives goes on with sources that were going live when a process ended.
func (r *Reactor) finishLives(ctx context.Context) error {
	var rows []goLiveRow
	if err := r.db.Read(ctx).Raw("select * from go_lives where finished_at is null").Scan(&rows).Error; err != nil {
		return fmt.Errorf("read go-lives: %w", err)
	}
	if len(rows) == 0 || !r.living.TryLock() {
		return nil
	}
	defer r.living.Unlock()
	for _, row := range rows {
		src, err := r.directory.SourceByID(ctx, row.Source)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return err
		}
		if err == nil && (src.Mode == directory.ModeGoingLive || src.Mode == directory.ModeLive) {
			if err := r.goOn(ctx, directory.Cause{Actor: row.Actor}, row.Source); err != nil {
				return err
			}
			continue
		}
		if r.clock().Sub(row.StartedAt.Time) > staleLive {
			if err := r.db.Tx(ctx, func(tx *db.Tx) error { return tx.Exec("delete from go_lives where source = ?", row.Source).Error }); err != nil {
				return fmt.Errorf("forget go-live: %w", err)
			}
		}
	}
	return nil
}

// standing adds what the guard said of sources that are going live: they are held whole or done whole, in whatever parts they are written.
func (v Verdict) standing(q reader) (Verdict, error) {
	var rows []goLiveRow
	if err := q.Raw("select verdict from go_lives where finished_at is null").Scan(&rows).Error; err != nil {
		return v, fmt.Errorf("read go-lives: %w", err)
	}
	for _, row := range rows {
		v.Breaches = append(v.Breaches[:len(v.Breaches):len(v.Breaches)], row.Verdict.V.Breaches...)
	}
	return v, nil
}
