package authz

import (
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
)

// endingRow is a row of authz_endings.
type endingRow struct {
	Seq   int64
	N     int
	Proof string
}

func (endingRow) TableName() string { return "authz_endings" }

// End notes in tx, as one revision, that these proofs (ids of sessions and of tokens) have ended, and answers it; 0 for none. When the
// revision is in force on a node, what AttachEnded was given there has returned. It locks the counter as Append does.
func (s *Store) End(tx *db.Tx, proofs ...string) (rev int64, err error) {
	if len(proofs) == 0 {
		return 0, nil
	}
	if rev, err = s.next(tx); err != nil {
		return 0, fmt.Errorf("end proofs: %w", err)
	}
	rows := make([]endingRow, len(proofs))
	for i, proof := range proofs {
		rows[i] = endingRow{rev, i, proof}
	}
	if err := tx.CreateInBatches(rows, chunk).Error; err != nil {
		return 0, fmt.Errorf("end proofs: %w", err)
	}
	s.tell(tx, rev)
	return rev, nil
}

// AttachEnded has fn called with the proofs that ended, before Revision moves to theirs, one call at a time.
func (x *Index) AttachEnded(fn func(proofs []string)) { x.enders.add(fn) }

// ended tells of proofs. Only the holder of turn may call it.
func (x *Index) ended(proofs []string) {
	if len(proofs) == 0 {
		return
	}
	for _, fn := range x.enders.list() {
		fn(proofs)
	}
}
