package chat

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Strike removes, in tx, everything of a channel that nobody has a place in any more: of a drill, whose messages say nothing. It waits for messages
// that are being written.
func Strike(tx *db.Tx, channel id.Channel) error {
	if err := tx.Exec("update chat_channels set seq = seq + 1 where channel = ?", channel).Error; err != nil { // a message holds this row until it is written
		return fmt.Errorf("strike a channel: %w", err)
	}
	for _, table := range []string{"chat_messages", "chat_events", "chat_reads", "chat_channels"} {
		if err := tx.Exec("delete from "+table+" where channel = ?", channel).Error; err != nil {
			return fmt.Errorf("strike a channel: %w", err)
		}
	}
	return nil
}
