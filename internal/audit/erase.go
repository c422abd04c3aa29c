package audit

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Erase takes away the personal payloads of records about these subjects, and of those that name one of them or contain one of these words. The
// records stay, and so does the chain: Verify counts them. It answers how many there were.
func Erase(tx *db.Tx, subjects, words []string) (int64, error) {
	named, args := tx.Contains("leaf", subjects)
	said, more := tx.Contains("payload", append(append([]string{}, subjects...), words...))
	done := tx.Exec("delete from audit_personal where seq in (select seq from audit_records where subject in ? or actor not in ? and "+named+") or "+said,
		append(append([]any{subjects, subjects}, args...), more...)...)
	if done.Error != nil {
		return 0, fmt.Errorf("erase personal payloads: %w", done.Error)
	}
	return done.RowsAffected, nil
}
