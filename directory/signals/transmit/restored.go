package transmit

import (
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Restored makes what a backup held fit for a new beginning, in tx: that somebody has access again is told only where it is so once the database is
// open. What takes access waits as it did, and is told again as the same token.
func Restored(tx *db.Tx, now time.Time) error {
	if err := tx.Exec(`insert into transmit_told (stream, person, standing, revoked, unnamed, behind) select distinct stream, person, 'disabled', 0, 0, cast(? as bigint) from transmit_queue where event = ?
		on conflict (stream, person) do update set standing = 'disabled', behind = excluded.behind`, now.UnixMicro(), AccountEnabled).Error; err != nil {
		return err
	}
	return tx.Exec("delete from transmit_queue where event = ?", AccountEnabled).Error
}
