package chat

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Strike removes, in tx, everything of a channel that nobody has a place in any more: of a drill, whose messages say nothing.
func Strike(tx *db.Tx, channel id.Channel) error {
	for _, table := range []string{"chat_messages", "chat_events", "chat_reads", "chat_channels"} {
		if err := tx.Exec("delete from "+table+" where channel = ?", channel).Error; err != nil {
			return fmt.Errorf("strike a channel: %w", err)
		}
	}
	return nil
}
