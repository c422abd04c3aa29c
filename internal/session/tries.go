package session

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Tries bounds how often a password may be guessed. It works like the lock-out of a directory, so that with fewer Failures and no
// shorter Quiet than the directory's own nobody can lock a person out there by guessing here.
type Tries struct {
	Failures int           // in a row, of one login name and of one account; 0: 3
	Quiet    time.Duration // without a failure, until they are forgotten; 0: 30 min, at most 24 h
	Address  int           // failures of one address, or one IPv6 network of 64 bits, within Quiet; 0: 100
}

const maxQuiet = 24 * time.Hour

func (t *Tries) check() error {
	if t.Failures < 0 || t.Address < 0 || t.Quiet < 0 || t.Quiet > maxQuiet {
		return fmt.Errorf("session: tries: wants numbers from 1, and a pause of 24 h at most")
	}
	if t.Failures == 0 {
		t.Failures = 3
	}
	if t.Quiet == 0 {
		t.Quiet = 30 * time.Minute
	}
	if t.Address == 0 {
		t.Address = 100
	}
	return nil
}

// each is the time after which one failure of an address is forgotten.
func (t Tries) each() time.Duration { return t.Quiet / time.Duration(t.Address) }

// What tries are counted by.
const (
	tryLogin   = "login"
	tryAccount = "account"
	tryAddress = "address"
)

// tooMany is that there were as many failures as may be.
type tooMany struct{ again time.Duration }

func (e *tooMany) Error() string { return "too many failures, again in " + e.again.String() }

// foldLogin makes one text of the ways to write a login name.
func foldLogin(login string) string {
	return cases.Fold().String(norm.NFKC.String(strings.Join(strings.Fields(login), " ")))
}

// reserve counts a failure of value before it happens, so that guesses sent at once over many nodes are no more than those
// sent one after the other: *tooMany where there were enough. forgive takes it back.
func (d *Door) reserve(ctx context.Context, kind, value string) error {
	return d.DB.Tx(ctx, func(tx *db.Tx) error {
		now, tries := d.Now(), d.conduct().Tries
		done := tx.Exec(`insert into session_tries (kind, value, failures, last_at) values (?, ?, 1, ?)
			on conflict (kind, value) do update set last_at = excluded.last_at,
				failures = case when session_tries.last_at <= ? then 1 else session_tries.failures + 1 end
			where session_tries.last_at <= ? or session_tries.failures < ?`,
			kind, hashed(value), db.At(now), db.At(now.Add(-tries.Quiet)), db.At(now.Add(-tries.Quiet)), tries.Failures)
		if done.Error != nil || done.RowsAffected > 0 {
			return done.Error
		}
		var row triesRow
		if err := tx.Raw(lastTry, kind, hashed(value)).Scan(&row).Error; err != nil {
			return err
		}
		return &tooMany{again: row.LastAt.Add(tries.Quiet).Sub(now)}
	})
}

// lastTry is how often a value failed, and when it did last.
const lastTry = "select failures, last_at from session_tries where kind = ? and value = ?"

// crowded tells by a *tooMany that an address has failed too often. An address is counted after the fact, and forgotten little by
// little: behind one of them there may be a whole company that signs in at nine.
func (d *Door) crowded(ctx context.Context, address string) error {
	var row triesRow
	tries := d.conduct().Tries
	err := d.DB.Read(ctx).Raw(lastTry, tryAddress, hashed(address)).Scan(&row).Error
	if err != nil || row.Failures < tries.Address {
		return err
	}
	if again := time.Duration(row.Failures-tries.Address+1)*tries.each() - d.Now().Sub(row.LastAt.Time); again > 0 {
		return &tooMany{again: again}
	}
	return nil
}

// failed notes that a guess was wrong: of the address, and when it was and whose account it named, of what was reserved.
func (d *Door) failed(ctx context.Context, g *guess) error {
	of := ""
	if g.account.Key != "" {
		of = hashed(g.account.counted())
	}
	return d.DB.Tx(ctx, func(tx *db.Tx) error {
		now := d.Now()
		for _, kind := range []string{tryLogin, tryAccount} {
			if value, ok := g.reserved[kind]; ok {
				if err := tx.Exec("update session_tries set last_at = ?, account = ? where kind = ? and value = ?", db.At(now), of, kind, hashed(value)).Error; err != nil {
					return err
				}
			}
		}
		each := d.conduct().Tries.each().Microseconds()
		return tx.Exec(`insert into session_tries (kind, value, failures, last_at) values (?, ?, 1, ?)
			on conflict (kind, value) do update set last_at = excluded.last_at, failures = 1 + case
				when session_tries.failures > (excluded.last_at - session_tries.last_at) / ?
				then session_tries.failures - (excluded.last_at - session_tries.last_at) / ? else 0 end`,
			tryAddress, hashed(g.address), db.At(now), each, each).Error
	})
}

// forgive takes back what was reserved; with all, every failure before it too.
func (d *Door) forgive(ctx context.Context, reserved map[string]string, all bool) error {
	return d.DB.Tx(ctx, func(tx *db.Tx) error {
		for _, kind := range []string{tryLogin, tryAccount} {
			value, ok := reserved[kind]
			if !ok {
				continue
			}
			statement := "update session_tries set failures = failures - 1 where kind = ? and value = ? and failures > 0"
			if all {
				statement = "delete from session_tries where kind = ? and value = ?"
			}
			if err := tx.Exec(statement, kind, hashed(value)).Error; err != nil {
				return err
			}
		}
		return nil
	})
}
