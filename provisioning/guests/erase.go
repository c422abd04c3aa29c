package guests

import (
	"fmt"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Naming answers how many reasons of invitations name somebody who is being erased and are about one of people.
func Naming(tx *db.Tx, e directory.Erased, people []id.Person) (n int64, err error) {
	said, args := tx.Contains("reason", e.Words)
	if err := tx.Raw("select count(*) from guest_invitations where reason <> '' and guest in (select id from guests where person in ?) and "+said, append([]any{people}, args...)...).Scan(&n).Error; err != nil {
		return 0, fmt.Errorf("look at invitations: %w", err)
	}
	return n, nil
}

// Erase forgets the address and the name of guests who are being erased, and every reason of an invitation that is about them or says one of these words. That somebody was let in,
// by whom and until when, stays.
func Erase(tx *db.Tx, people []id.Person, words []string) (int64, error) {
	const theirs = "guest in (select id from guests where person in ?)"
	named, args := tx.Contains("reason", words)
	said := tx.Exec("update guest_invitations set reason = '' where reason <> '' and ("+theirs+" or "+named+")", append([]any{people}, args...)...)
	if said.Error != nil {
		return 0, fmt.Errorf("erase reasons of invitations: %w", said.Error)
	}
	asked := tx.Exec("update guest_invitations set email = '', name = '' where (email <> '' or name <> '') and "+theirs, people)
	if asked.Error != nil {
		return 0, fmt.Errorf("erase invitations: %w", asked.Error)
	}
	for _, table := range []string{"guest_arrivals", "guest_links"} { // how somebody came in says where they were
		if err := tx.Exec("delete from "+table+" where "+theirs, people).Error; err != nil {
			return 0, fmt.Errorf("erase links of guests: %w", err)
		}
	}
	if err := tx.Exec("delete from guest_identities where "+theirs, people).Error; err != nil {
		return 0, fmt.Errorf("erase identities of guests: %w", err)
	}
	if err := tx.Exec("update guest_acceptances set address = '' where address <> '' and "+theirs, people).Error; err != nil {
		return 0, fmt.Errorf("erase acceptances of guests: %w", err)
	}
	done := tx.Exec("update guests set email = '', email_key = id, name = '' where (email <> '' or name <> '') and person in ?", people)
	if done.Error != nil {
		return 0, fmt.Errorf("erase guests: %w", done.Error)
	}
	return said.RowsAffected + asked.RowsAffected + done.RowsAffected, nil
}
