package provisioning

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Erase forgets why plans were made, and why people could not be reconciled, where a text says one of these words.
func Erase(tx *db.Tx, words []string) (int64, error) {
	var n int64
	for _, step := range []struct{ column, sql string }{
		{"reason", "update plan_reasons set reason = '' where reason <> '' and "},
		{"error", "update failures set error = '' where error <> '' and "},
		{"problem", "update plan_schedules set problem = '' where problem <> '' and "},
	} {
		said, args := tx.Contains(step.column, words)
		done := tx.Exec(step.sql+said, args...)
		if done.Error != nil {
			return n, fmt.Errorf("erase texts about plans: %w", done.Error)
		}
		n += done.RowsAffected
	}
	return n, nil
}
