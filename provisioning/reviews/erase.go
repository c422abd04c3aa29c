package reviews

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Erase forgets why places of somebody were kept or taken, and every why that says one of these words. What was decided stays.
func Erase(tx *db.Tx, people []id.Person, words []string) (int64, error) {
	named, args := tx.Contains("why", words)
	done := tx.Exec("update review_lines set why = '' where why <> '' and (person in ? or "+named+")", append([]any{people}, args...)...)
	if done.Error != nil {
		return 0, fmt.Errorf("erase reasons of reviews: %w", done.Error)
	}
	return done.RowsAffected, nil
}
