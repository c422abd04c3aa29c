package reviews

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Erase forgets why places of somebody were kept or taken. What was decided stays.
func Erase(tx *db.Tx, people []id.Person) (int64, error) {
	done := tx.Exec("update review_lines set why = '' where why <> '' and person in ?", people)
	if done.Error != nil {
		return 0, fmt.Errorf("erase reasons of reviews: %w", done.Error)
	}
	return done.RowsAffected, nil
}
