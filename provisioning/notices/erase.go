package notices

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Erase deletes what these people were told, and what others were told about them.
func Erase(tx *db.Tx, people []string) (int64, error) {
	sql, args := tx.Contains("about", people)
	done := tx.Exec("delete from notices where person in ? or "+sql, append([]any{people}, args...)...)
	if done.Error != nil {
		return 0, fmt.Errorf("erase notices: %w", done.Error)
	}
	return done.RowsAffected, nil
}
