package session

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// causeRestored is why proofs end that a backup held.
const causeRestored = "restored"

// Restored makes what a backup held fit for a new beginning, in tx: every session is over, for nobody knows which was ended since.
func Restored(tx *db.Tx, now time.Time) error {
	return tx.Exec("update sessions set ended_at = ?, end_cause = ? where ended_at is null", db.At(now), causeRestored).Error
}

// EndToken ends a token whosever it is; one that is over or was never there is no error.
func (d *Door) EndToken(ctx context.Context, by httpapi.Caller, token id.Token) error {
	return d.endWhere(ctx, by, string(token), "id = ?", token)
}

// EndAllTokens ends every token of people and administrators.
func (d *Door) EndAllTokens(ctx context.Context, by httpapi.Caller) error {
	return d.endWhere(ctx, by, "tokens", "1 = 1")
}

func (d *Door) endWhere(ctx context.Context, by httpapi.Caller, subject, where string, args ...any) error {
	return d.DB.Tx(ctx, func(tx *db.Tx) error {
		ended, err := d.endTokens(tx, causeRestored, where, args...)
		if err != nil || len(ended) == 0 {
			return err
		}
		if err := d.spread(tx, idsOf(nil, ended)); err != nil {
			return err
		}
		return audit.Append(tx, audit.Record{At: d.Now(), Actor: by.Actor(), Action: "token.revoked", Subject: subject, Cause: causeRestored,
			RequestID: string(httpapi.RequestFrom(ctx)), Public: map[string]any{"tokens": len(ended)}})
	})
}

// restoring tells whether the database was restored and is closed: then the bootstrap token opens it, under the separation of powers too.
func (d *Door) restoring() bool { return d.Closed != nil && d.Closed() }

var errNoBootstrap = errors.New("the database was restored and is closed, and there is no bootstrap_token to open it with")

// CheckRestoring is an error where the database is closed and nobody can open it.
func (d *Door) CheckRestoring() error {
	if d.restoring() && d.bootstrap == "" {
		return errNoBootstrap
	}
	return nil
}
