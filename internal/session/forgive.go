package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// counted is what failures of an account are counted by.
func (a Account) counted() string { return string(a.Source) + " " + a.Key }

// ForgiveTries forgets the wrong passwords that were given for the accounts of a person, by whatever login name: they may sign in at once. It
// answers how many counts there were. The directory's own count is not touched. Nobody does that for themselves.
func (d *Door) ForgiveTries(ctx context.Context, by httpapi.Caller, person id.Person) (cleared int, err error) {
	if by.Behind() == person {
		return 0, ErrBySelf
	}
	if d.Passwords == nil {
		return 0, nil
	}
	accounts, err := d.Passwords.Accounts(ctx, person)
	if err != nil {
		return 0, err
	}
	err = d.DB.Tx(ctx, func(tx *db.Tx) error {
		cleared = 0
		for _, a := range accounts {
			done := tx.Exec("delete from session_tries where kind = ? and value = ? or kind = ? and account = ?", tryAccount, hashed(a.counted()), tryLogin, hashed(a.counted()))
			if done.Error != nil {
				return done.Error
			}
			cleared += int(done.RowsAffected)
		}
		if cleared == 0 {
			return nil
		}
		return audit.Append(tx, audit.Record{At: d.Now(), Actor: by.Actor(), Action: "password.unlocked", Subject: string(person), RequestID: string(httpapi.RequestFrom(tx.Statement.Context))})
	})
	return cleared, err
}

// ForgivenOutput says whether anything was counted.
type ForgivenOutput struct {
	Body struct {
		Cleared int `json:"cleared" doc:"counts that were forgotten: of the account, and of each login name that was tried"`
	}
}

// MoveTries gives what is counted of accounts of a source to the keys they have now, old to new.
func MoveTries(tx *db.Tx, source id.Source, keys map[string]string) error {
	for _, old := range slices.Sorted(maps.Keys(keys)) {
		was, now := hashed(Account{Source: source, Key: old}.counted()), hashed(Account{Source: source, Key: keys[old]}.counted())
		if err := tx.Exec("update session_tries set account = ? where account = ?", now, was).Error; err != nil {
			return fmt.Errorf("move tries: %w", err)
		}
		if err := tx.Exec(`update session_tries set value = ? where kind = ? and value = ?
			and not exists (select 1 from session_tries o where o.kind = ? and o.value = ?)`, now, tryAccount, was, tryAccount, now).Error; err != nil {
			return fmt.Errorf("move tries: %w", err)
		}
	}
	return nil
}

// ForgiveTries lets a person sign in with their password at once, after wrong ones.
func (a *API) ForgiveTries(ctx context.Context, in *PersonInput) (*ForgivenOutput, error) {
	out := &ForgivenOutput{}
	_, err := a.Profile(ctx, in.ID)
	if errors.Is(err, ErrNoPerson) {
		err = fmt.Errorf("%s: %w", in.ID, ErrNobody)
	}
	if err != nil {
		return nil, err
	}
	out.Body.Cleared, err = a.Door.ForgiveTries(ctx, httpapi.CallerFrom(ctx), in.ID)
	return out, err
}
