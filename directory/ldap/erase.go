package ldap

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Erase forgets what is known of entries of a directory. Whoever names them as their manager is read anew.
func Erase(tx *db.Tx, source id.Source, keys []string) (int64, error) {
	if err := tx.Exec("update ldap_objects set manager = '', hash = '' where source_id = ? and manager <> '' and manager in (select dn from ldap_objects where source_id = ? and object_key in ?)",
		source, source, keys).Error; err != nil {
		return 0, fmt.Errorf("erase managers: %w", err)
	}
	if err := tx.Exec("delete from ldap_doubts where source_id = ? and object_key in ?", source, keys).Error; err != nil {
		return 0, fmt.Errorf("erase doubts: %w", err)
	}
	done := tx.Exec("delete from ldap_objects where source_id = ? and object_key in ?", source, keys)
	if done.Error != nil {
		return 0, fmt.Errorf("erase entries: %w", done.Error)
	}
	return done.RowsAffected, nil
}
