package approvals

import (
	"fmt"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Naming answers how much of what was written by and about people in requests Erase would forget, because it names somebody else or is about them.
func Naming(tx *db.Tx, e directory.Erased, people []id.Person) (n int64, err error) {
	said, words := tx.Contains("comment", e.Words)
	asked, more := tx.Contains("reason", e.Words)
	args := append([]any{people, people, people, e.People, e.People, e.People, e.About}, words...)
	args = append(append(args, people, people, e.People, e.People, e.About), more...)
	if err := tx.Raw(`select (select count(*) from approval_decisions where comment <> '' and (approver in ? or request in (select id from approval_requests where requester in ? or subject in ?))
			and (approver in ? or request in (select id from approval_requests where requester in ? or subject in ? or object in ?) or `+said+`))
		+ (select count(*) from approval_requests where reason <> '' and (requester in ? or subject in ?) and (requester in ? or subject in ? or object in ? or `+asked+"))", args...).Scan(&n).Error; err != nil {
		return 0, fmt.Errorf("look at requests: %w", err)
	}
	return n, nil
}

// Erase forgets what was written by and about somebody in requests, or says one of these words, or was written about one of these objects. That they asked, and what was
// decided, stays.
func Erase(tx *db.Tx, people []id.Person, objects, words []string) (int64, error) {
	named, args := tx.Contains("comment", words)
	said := tx.Exec("update approval_decisions set comment = '' where comment <> '' and (approver in ? or request in (select id from approval_requests where requester in ? or subject in ? or object in ?) or "+named+")",
		append([]any{people, people, people, objects}, args...)...)
	if said.Error != nil {
		return 0, fmt.Errorf("erase comments: %w", said.Error)
	}
	named, args = tx.Contains("reason", words)
	done := tx.Exec("update approval_requests set reason = '' where reason <> '' and (requester in ? or subject in ? or object in ? or "+named+")", append([]any{people, people, objects}, args...)...)
	if done.Error != nil {
		return 0, fmt.Errorf("erase reasons: %w", done.Error)
	}
	return said.RowsAffected + done.RowsAffected, nil
}
