package session

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Erase forgets how somebody signed in: identities, sessions, tokens, second factors and roles, and the names of other tokens that say one of these words. It answers how many rows that were.
func Erase(tx *db.Tx, people []id.Person, words []string) (int64, error) {
	var n int64
	for _, table := range []string{"session_identities", "sessions", "session_tokens", "session_factors", "session_recovery", "session_roles"} {
		done := tx.Exec("delete from "+table+" where person in ?", people)
		if done.Error != nil {
			return 0, fmt.Errorf("erase %s: %w", table, done.Error)
		}
		n += done.RowsAffected
	}
	said, args := tx.Contains("name", words)
	done := tx.Exec("update session_tokens set name = '' where name <> '' and "+said, args...)
	if done.Error != nil {
		return 0, fmt.Errorf("erase names of tokens: %w", done.Error)
	}
	return n + done.RowsAffected, nil
}
