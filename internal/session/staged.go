package session

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// StagedToken makes a bearer token of somebody who exists for a drill only. Nobody asked for it and no list shows it; StrikeTx removes it.
func (d *Door) StagedToken(ctx context.Context, person id.Person, expires time.Duration) (string, error) {
	secret, now := newToken(), d.Now()
	err := d.DB.Tx(ctx, func(tx *db.Tx) error {
		epoch, err := d.lockEpoch(tx, person)
		if err != nil {
			return err
		}
		return tx.Exec(`insert into session_tokens (id, token_hash, person, epoch, role, unit, dangerous, name, created_by, created_at, expires_at, end_cause)
			values (?, ?, ?, ?, '', '', ?, 'drill', 'system', ?, ?, '')`, id.New[id.Token](), hashed(secret), person, epoch, false, db.At(now), db.At(now.Add(expires))).Error
	})
	if err != nil {
		return "", fmt.Errorf("make a token for a drill: %w", err)
	}
	return secret, nil
}

// StrikeTx removes, in tx, what StagedToken made for these people.
func (d *Door) StrikeTx(tx *db.Tx, people ...id.Person) error {
	for _, statement := range []string{"delete from session_tokens where person in ?", "delete from session_epochs where person in ?"} {
		if err := tx.Exec(statement, people).Error; err != nil {
			return fmt.Errorf("strike a stage: %w", err)
		}
	}
	return nil
}
