package approvals

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Erase forgets what was written by and about somebody in requests, or says one of these words. That they asked, and what was decided, stays.
func Erase(tx *db.Tx, people []id.Person, words []string) (int64, error) {
	named, args := tx.Contains("comment", words)
	said := tx.Exec("update approval_decisions set comment = '' where comment <> '' and (approver in ? or request in (select id from approval_requests where requester in ? or subject in ?) or "+named+")",
		append([]any{people, people, people}, args...)...)
	if said.Error != nil {
		return 0, fmt.Errorf("erase comments: %w", said.Error)
	}
	named, args = tx.Contains("reason", words)
	done := tx.Exec("update approval_requests set reason = '' where reason <> '' and (requester in ? or subject in ? or "+named+")", append([]any{people, people}, args...)...)
	if done.Error != nil {
		return 0, fmt.Errorf("erase reasons: %w", done.Error)
	}
	return said.RowsAffected + done.RowsAffected, nil
}
