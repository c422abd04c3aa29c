package journal

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Erase forgets the requests of sources that contain one of these words.
func Erase(tx *db.Tx, words []string) (int64, error) {
	sql, args := tx.Contains("path || ' ' || query || ' ' || detail || ' ' || resource_id || ' ' || request_body || ' ' || answer_body", words)
	done := tx.Exec("delete from source_requests where "+sql, args...)
	if done.Error != nil {
		return 0, fmt.Errorf("erase requests: %w", done.Error)
	}
	return done.RowsAffected, nil
}
