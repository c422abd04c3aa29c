package erasure

import (
	"context"
	"fmt"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// holdsLock is taken by whoever sets a hold or erases: a hold that was set is seen.
const holdsLock id.Person = "legal holds"

// free answers nil where nothing of what is to be erased is kept: by a hold on the person, or by one on somebody else of whose records a text names the person. It answers under which ids the
// records of those others stand.
func (e *Engine) free(ctx context.Context, tx *db.Tx, of directory.Erased) (others []string, err error) {
	if err := held(tx, of.People...); err != nil {
		return nil, err
	}
	var people []id.Person
	if err := tx.Raw("select person from legal_holds where lifted_at is null").Scan(&people).Error; err != nil {
		return nil, fmt.Errorf("read legal holds: %w", err)
	}
	if len(people) == 0 {
		return nil, nil
	}
	for _, person := range people {
		others = append(others, string(person))
		records, err := e.Directory.In(tx).Records(ctx, person)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			others = append(others, string(r.Link))
		}
	}
	n, err := directory.FreezesNaming(tx, of, people)
	if err == nil && n == 0 {
		n, err = formerNaming(tx, of, people)
	}
	for _, part := range e.Parts {
		if err != nil || n > 0 || part.Naming == nil {
			continue
		}
		n, err = part.Naming(tx, of, people)
	}
	if err == nil && n > 0 {
		err = ErrOthers
	}
	return others, err
}

// formerNaming answers how many reasons of former holds on these people name who is being erased.
func formerNaming(tx *db.Tx, of directory.Erased, people []id.Person) (n int64, err error) {
	said, args := tx.Contains("reason", of.Words)
	if err := tx.Raw("select count(*) from legal_holds where lifted_at is not null and person in ? and "+said, append([]any{people}, args...)...).Scan(&n).Error; err != nil {
		return 0, fmt.Errorf("read legal holds: %w", err)
	}
	return n, nil
}
