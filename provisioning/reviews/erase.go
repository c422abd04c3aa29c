package reviews

import (
	"fmt"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Naming answers how many whys about places of people name somebody who is being erased.
func Naming(tx *db.Tx, e directory.Erased, people []id.Person) (n int64, err error) {
	said, args := tx.Contains("why", e.Words)
	if err := tx.Raw("select count(*) from review_lines where why <> '' and person in ? and "+said, append([]any{people}, args...)...).Scan(&n).Error; err != nil {
		return 0, fmt.Errorf("look at reviews: %w", err)
	}
	return n, nil
}

// Erase forgets why places of somebody were kept or taken, and every why that says one of these words. What was decided stays.
func Erase(tx *db.Tx, people []id.Person, words []string) (int64, error) {
	named, args := tx.Contains("why", words)
	done := tx.Exec("update review_lines set why = '' where why <> '' and (person in ? or "+named+")", append([]any{people}, args...)...)
	if done.Error != nil {
		return 0, fmt.Errorf("erase reasons of reviews: %w", done.Error)
	}
	return done.RowsAffected, nil
}
