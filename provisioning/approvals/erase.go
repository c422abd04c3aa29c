package approvals

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Erase forgets what was written by and about somebody in requests. That they asked, and what was decided, stays.
func Erase(tx *db.Tx, people []id.Person) (int64, error) {
	said := tx.Exec("update approval_decisions set comment = '' where comment <> '' and (approver in ? or request in (select id from approval_requests where requester in ? or subject in ?))",
		people, people, people)
	if said.Error != nil {
		return 0, fmt.Errorf("erase comments: %w", said.Error)
	}
	done := tx.Exec("update approval_requests set reason = '' where reason <> '' and (requester in ? or subject in ?)", people, people)
	if done.Error != nil {
		return 0, fmt.Errorf("erase reasons: %w", done.Error)
	}
	return said.RowsAffected + done.RowsAffected, nil
}
