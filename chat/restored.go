package chat

import "github.com/rollcall-im/rollcall/internal/db"

// afterBackup is more events than a channel has between a backup and its restore, and more than a client is told after a resume: each is
// told to read anew.
const afterBackup = 1 << 20

// Restored makes what a backup held fit for a new beginning, in tx: no ticket opens a stream, and no place in a channel that a client came to after
// the backup comes again.
func Restored(tx *db.Tx) error {
	if err := tx.Exec("delete from chat_tickets").Error; err != nil {
		return err
	}
	for _, table := range []string{"chat_channels", "chat_people"} {
		if err := tx.Exec("update "+table+" set seq = seq + ?", afterBackup).Error; err != nil {
			return err
		}
	}
	return nil
}
