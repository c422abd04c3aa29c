package session

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/seal"
)

const (
	steppedFor    = 10 * time.Minute // how long a second factor that was proved holds in its session
	factorTries   = 5                // wrong codes in a row until nobody but another administrator helps
	recoveryCodes = 10
)

// Why a second factor does not count.
var (
	ErrNoFactor = errors.New("there is no second factor yet")
	ErrCode     = errors.New("the code is wrong, too old, or was used before")
	ErrLocked   = errors.New("too many wrong codes: another administrator has to unlock it")
	ErrNoSeal   = errors.New("second factors want secrets.identity in the configuration: they are kept sealed")
	ErrBySelf   = errors.New("nobody does that for themselves")
	ErrStepUp   = errors.New("prove your second factor first")
	ErrSession  = errors.New("this is for browser sessions; a token proves no second factor")
)

// Factor is how a person's second factor stands.
type Factor struct {
	Enrolled     bool
	Locked       bool
	SteppedUntil time.Time // in the session that asks; zero: not
	Recovery     int       // codes that were not used
}

// sealed answers secret as it is kept.
func (d *Door) sealed(secret string) (string, error) {
	if d.Key == nil {
		return "", ErrNoSeal
	}
	return seal.Seal(secret, d.Key.Recipients()...)
}

// lockFactor reads and locks the second factor of person; ErrNoFactor.
func lockFactor(tx *db.Tx, person id.Person) (factorRow, error) {
	var rows []factorRow
	if err := tx.Raw("update session_factors set failures = failures where person = ? returning *", person).Scan(&rows).Error; err != nil {
		return factorRow{}, err
	}
	if len(rows) == 0 {
		return factorRow{}, ErrNoFactor
	}
	return rows[0], nil
}

// FactorOf answers how the second factor of the caller stands.
func (d *Door) FactorOf(ctx context.Context, by httpapi.Caller) (Factor, error) {
	var out Factor
	var rows []factorRow
	if err := d.DB.Read(ctx).Raw("select * from session_factors where person = ? and confirmed_at is not null", by.Person).Scan(&rows).Error; err != nil || len(rows) == 0 {
		return out, err
	}
	out.Enrolled, out.Locked = true, !rows[0].LockedAt.IsZero()
	var left int64
	if err := d.DB.Read(ctx).Raw("select count(*) from session_recovery where person = ? and used_at is null", by.Person).Scan(&left).Error; err != nil {
		return out, err
	}
	out.Recovery = int(left)
	if by.Session != "" {
		s, _, err := d.liveSession(ctx, "s.id", string(by.Session))
		if err != nil {
			return out, err
		}
		if until := s.SteppedAt.Add(steppedFor); !s.SteppedAt.IsZero() && until.After(d.Now()) {
			out.SteppedUntil = until
		}
	}
	return out, nil
}

// Enrol makes a secret for the caller, which counts once a code of it was shown by Confirm. Whoever has a second factor proves it first.
func (d *Door) Enrol(ctx context.Context, by httpapi.Caller) (secret string, err error) {
	if by.Session == "" || by.Person == "" {
		return "", ErrSession
	}
	secret = newTOTP()
	kept, err := d.sealed(secret)
	if err != nil {
		return "", err
	}
	return secret, d.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := d.stillValid(tx, by); err != nil {
			return err
		}
		f, err := lockFactor(tx, by.Person)
		switch {
		case err != nil && !errors.Is(err, ErrNoFactor):
			return err
		case !f.LockedAt.IsZero():
			return ErrLocked
		case !f.ConfirmedAt.IsZero() && !by.Stepped:
			return ErrStepUp
		}
		if err := tx.Exec(`insert into session_factors (person, secret, created_at, last_step, failures) values (?, ?, ?, 0, 0)
			on conflict (person) do update set secret = excluded.secret, created_at = excluded.created_at, confirmed_at = null, last_step = 0, failures = 0`,
			by.Person, kept, db.At(d.Now())).Error; err != nil || f.ConfirmedAt.IsZero() {
			return err
		}
		return d.auditFactor(tx, by, "factor.replaced", by.Person)
	})
}

// Confirm takes the first code of a new second factor and answers codes for who loses it, which are shown this once.
func (d *Door) Confirm(ctx context.Context, by httpapi.Caller, code string) ([]string, error) {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		codes[i] = newRecovery()
	}
	err := d.proveCode(ctx, by, code, false, func(tx *db.Tx) error {
		if err := tx.Exec("update session_factors set confirmed_at = ? where person = ?", db.At(d.Now()), by.Person).Error; err != nil {
			return err
		}
		if err := tx.Exec("delete from session_recovery where person = ?", by.Person).Error; err != nil {
			return err
		}
		for _, one := range codes {
			if err := tx.Exec("insert into session_recovery (person, hash) values (?, ?)", by.Person, recoveryHash(by.Person, one)).Error; err != nil {
				return err
			}
		}
		return d.auditFactor(tx, by, "factor.enrolled", by.Person)
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// StepUp takes a code, of the second factor or for who lost it, and lets the caller's session do dangerous acts for ten minutes.
func (d *Door) StepUp(ctx context.Context, by httpapi.Caller, code string) (time.Time, error) {
	err := d.proveCode(ctx, by, code, true, func(tx *db.Tx) error { return d.auditFactor(tx, by, "factor.proved", by.Person) })
	return d.Now().Add(steppedFor), err
}

// proveCode holds code against the second factor of the caller, which is confirmed or not yet. A failure is counted in the same transaction that
// read how many there were, and stays where the code was wrong.
func (d *Door) proveCode(ctx context.Context, by httpapi.Caller, code string, confirmed bool, then func(*db.Tx) error) error {
	if by.Session == "" || by.Person == "" {
		return ErrSession
	}
	if d.Key == nil {
		return ErrNoSeal
	}
	var verdict error
	err := d.DB.Tx(ctx, func(tx *db.Tx) error {
		verdict = nil
		if err := d.stillValid(tx, by); err != nil {
			return err
		}
		f, err := lockFactor(tx, by.Person)
		switch {
		case err != nil:
			return err
		case f.ConfirmedAt.IsZero() == confirmed:
			return ErrNoFactor
		case !f.LockedAt.IsZero():
			return ErrLocked
		}
		good, err := d.take(tx, f, strings.Join(strings.Fields(code), ""))
		if err != nil {
			return err
		}
		if !good {
			verdict = ErrCode
			return d.countFailure(tx, by, f)
		}
		if err := tx.Exec("update sessions set stepped_at = ? where id = ?", db.At(d.Now()), by.Session).Error; err != nil {
			return err
		}
		return then(tx)
	})
	return errors.Join(err, verdict)
}

// take tells whether code is good, and uses it up.
func (d *Door) take(tx *db.Tx, f factorRow, code string) (bool, error) {
	secret, err := d.Key.Open(f.Secret)
	if err != nil {
		return false, err
	}
	step, ok, err := stepFor(secret, code, f.LastStep, d.Now())
	if err != nil {
		return false, err
	}
	if ok {
		return true, tx.Exec("update session_factors set last_step = ?, failures = 0 where person = ?", step, f.Person).Error
	}
	done := tx.Exec("update session_recovery set used_at = ? where person = ? and hash = ? and used_at is null", db.At(d.Now()), f.Person, recoveryHash(f.Person, code))
	if done.Error != nil || done.RowsAffected == 0 {
		return false, done.Error
	}
	return true, tx.Exec("update session_factors set failures = 0 where person = ?", f.Person).Error
}

func (d *Door) countFailure(tx *db.Tx, by httpapi.Caller, f factorRow) error {
	if f.Failures+1 < factorTries {
		return tx.Exec("update session_factors set failures = failures + 1 where person = ?", f.Person).Error
	}
	if err := tx.Exec("update session_factors set failures = failures + 1, locked_at = ? where person = ?", db.At(d.Now()), f.Person).Error; err != nil {
		return err
	}
	return d.auditFactor(tx, by, "factor.locked", f.Person)
}

// Unlock lets person try again after too many wrong codes; nobody does that for themselves.
func (d *Door) Unlock(ctx context.Context, by httpapi.Caller, person id.Person) error {
	return d.tend(ctx, by, person, "factor.unlocked", "update session_factors set failures = 0, locked_at = null where person = ? and locked_at is not null")
}

// Forget takes the second factor of person away, who lost it: they enrol a new one. Nobody does that for themselves.
func (d *Door) Forget(ctx context.Context, by httpapi.Caller, person id.Person) error {
	return d.tend(ctx, by, person, "factor.removed", "delete from session_factors where person = ?")
}

func (d *Door) tend(ctx context.Context, by httpapi.Caller, person id.Person, action, statement string) error {
	if by.Behind() == person {
		return ErrBySelf
	}
	return d.DB.Tx(ctx, func(tx *db.Tx) error {
		done := tx.Exec(statement, person)
		if done.Error == nil && done.RowsAffected == 0 {
			return ErrNoFactor
		}
		if done.Error != nil {
			return done.Error
		}
		if err := tx.Exec("update sessions set stepped_at = null where person = ?", person).Error; err != nil {
			return err
		}
		return d.auditFactor(tx, by, action, person)
	})
}

func (d *Door) auditFactor(tx *db.Tx, by httpapi.Caller, action string, person id.Person) error {
	return audit.Append(tx, audit.Record{At: d.Now(), Actor: by.Actor(), Action: action, Subject: string(person), RequestID: string(httpapi.RequestFrom(tx.Statement.Context))})
}

// newRecovery makes a code of 80 bits, as people write it down.
func newRecovery() string {
	var raw [10]byte
	rand.Read(raw[:])
	text := encode(raw[:])
	return text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
}

// recoveryHash is how a code is kept: 80 random bits need no slow hash.
func recoveryHash(person id.Person, code string) string {
	return hashed(string(person) + " " + strings.ToLower(strings.ReplaceAll(code, "-", "")))
}
