package chat

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Erase empties what these people wrote. Their messages keep their place in the logs: readers get them without a text.
func Erase(tx *db.Tx, people []id.Person) (int64, error) {
	done := tx.Exec("update chat_messages set body = '', language = '', html = '' where body <> '' and author in ?", people)
	if done.Error != nil {
		return 0, fmt.Errorf("erase messages: %w", done.Error)
	}
	return done.RowsAffected, nil
}
