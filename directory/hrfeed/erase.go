package hrfeed

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Erase forgets what was found in personnel files where it contains one of these words. The files' names and counts stay.
func Erase(tx *db.Tx, words []string) (int64, error) {
	sql, args := tx.Contains("findings || ' ' || error", words)
	done := tx.Exec("update hr_files set findings = '[]', error = '' where "+sql, args...)
	if done.Error != nil {
		return 0, fmt.Errorf("erase findings: %w", done.Error)
	}
	return done.RowsAffected, nil
}
