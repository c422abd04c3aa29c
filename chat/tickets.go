package chat

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// ticketTime is how long a ticket may be redeemed.
const ticketTime = 30 * time.Second

func ticketHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// issueTicket makes a secret that opens one stream as who. Only its hash is kept.
func (s *store) issueTicket(ctx context.Context, who httpapi.Caller) (secret string, until time.Time, err error) {
	secret, until = "rtk_"+rand.Text()+rand.Text(), s.now().Add(ticketTime)
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Exec("delete from chat_tickets where expires_at <= ?", s.now().UnixMicro()).Error; err != nil {
			return err
		}
		return tx.Create(&ticketRow{Hash: ticketHash(secret), Person: who.Person, Session: who.Session, Token: who.Token, ExpiresAt: db.At(until)}).Error
	})
	return secret, until, err
}

// redeemTicket uses a ticket up; ErrTicket where it is unknown, used or too old.
func (s *store) redeemTicket(ctx context.Context, secret string) (httpapi.Caller, error) {
	var rows []ticketRow
	if err := s.db.Tx(ctx, func(tx *db.Tx) error {
		rows = nil
		return tx.Raw("delete from chat_tickets where hash = ? returning hash, person, session, token, expires_at", ticketHash(secret)).Scan(&rows).Error
	}); err != nil {
		return httpapi.Caller{}, fmt.Errorf("redeem ticket: %w", err)
	}
	if len(rows) != 1 || !s.now().Before(rows[0].ExpiresAt.Time) {
		return httpapi.Caller{}, ErrTicket
	}
	return httpapi.Caller{Person: rows[0].Person, Session: rows[0].Session, Token: rows[0].Token}, nil
}

// dropTickets makes the tickets of a person, a session or a token worthless; empty ids match nothing.
func (s *store) dropTickets(ctx context.Context, person id.Person, session id.Session, token id.Token) error {
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("delete from chat_tickets where (person = ? and person <> '') or (session = ? and session <> '') or (token = ? and token <> '')",
			person, session, token).Error
	})
}
