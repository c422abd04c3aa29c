package directory

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// afterBackup is more than a row changes between a backup and its restore: an ETag of that time names nothing afterwards.
const afterBackup = 1 << 20

// Restored makes what a backup held fit for a new beginning, in tx: no source has been read to proof, none has a place to read on from, and no
// version that was given out since the backup comes again.
func Restored(tx *db.Tx) error {
	if err := tx.Exec("update sources set synced_at = null, cursor = ''").Error; err != nil {
		return err
	}
	for _, table := range []string{"persons", "records", "directory_groups", "resources"} {
		if err := tx.Exec("update "+table+" set version = version + ?", afterBackup).Error; err != nil {
			return err
		}
	}
	return nil
}

// MadeSince answers who was made at or after an instant, by id.
func (s *Store) MadeSince(ctx context.Context, at time.Time) (people []id.Person, err error) {
	err = s.db.Read(ctx).Raw("select id from persons where created_at >= ? order by id", db.At(at)).Scan(&people).Error
	return people, err
}
