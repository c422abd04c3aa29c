package hrfeed

import "github.com/rollcall-im/rollcall/internal/db"

// Restored makes what a backup held fit for a new beginning, in tx: a file that was taken before it may be taken again.
func Restored(tx *db.Tx) error { return tx.Exec("update hr_files set applied = ?", false).Error }
