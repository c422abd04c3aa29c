package authz

import "github.com/rollcall-im/rollcall/internal/db"

// Restored makes what a backup held fit for a new beginning, in tx: no node is there, and OpenFGA, which may know of revisions after the backup,
// has nothing of ours: a store of its own is filled anew.
func Restored(tx *db.Tx) error {
	if err := tx.Exec("delete from authz_nodes").Error; err != nil {
		return err
	}
	return tx.Exec("update authz_engine set applied_seq = 0, store_id = '', model_id = '', model_hash = '', holder = '', lease_until = 0, changes_token = '', sweep_at = 0 where id = 1").Error
}
