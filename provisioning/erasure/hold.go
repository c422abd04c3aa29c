package erasure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Hold is a legal hold on a person: nothing of what is known of them is erased.
type Hold struct {
	ID     id.LegalHold
	Person id.Person
	Reason string
	MadeBy string
	Since  time.Time
	LiftBy id.Person // who asked for its end; another one has to agree
}

// held answers ErrHeld where a legal hold stands on one of people: a person, and who was merged into them.
func held(tx *db.Tx, people ...id.Person) error {
	for _, person := range people {
		hold, err := standing(tx, person)
		if err != nil {
			return err
		}
		if hold != nil {
			return ErrHeld
		}
	}
	return nil
}

// Held tells whether a legal hold stands on a person, as tx sees it.
func Held(tx *db.Tx, person id.Person) (bool, error) {
	hold, err := standing(tx, person)
	return hold != nil, err
}

func standing(tx *db.Tx, person id.Person) (*Hold, error) {
	var rows []holdRow
	if err := tx.Raw("select * from legal_holds where person = ? and lifted_at is null", person).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read legal holds: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	h := rows[0].hold()
	return &h, nil
}

// Holds answers the legal holds that stand, the newest first; of one person, where one is named.
func (e *Engine) Holds(ctx context.Context, person id.Person) ([]Hold, error) {
	var rows []holdRow
	if err := e.DB.Read(ctx).Raw("select * from legal_holds where lifted_at is null and (? = '' or person = ?) order by since desc, id desc", person, person).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read legal holds: %w", err)
	}
	out := make([]Hold, len(rows))
	for i, row := range rows {
		out[i] = row.hold()
	}
	return out, nil
}

// SetHold sets a legal hold. Where one stands it stays as it is, but that somebody asked for its end is forgotten. That somebody asked for the person to be erased is over: after the hold it is asked
// anew.
func (e *Engine) SetHold(ctx context.Context, cause directory.Cause, person id.Person, reason string) (Hold, error) {
	if reason = strings.TrimSpace(reason); reason == "" {
		return Hold{}, ErrReason
	}
	p, err := e.Directory.Person(ctx, person)
	if err != nil {
		return Hold{}, err
	}
	if p.Status == directory.StatusAnonymised {
		return Hold{}, directory.ErrErased
	}
	var out Hold
	err = e.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := errors.Join(lock(tx, holdsLock), lock(tx, person)); err != nil {
			return err
		}
		if p, err := e.Directory.In(tx).Person(ctx, person); err != nil {
			return err
		} else if p.Status == directory.StatusAnonymised {
			return directory.ErrErased
		}
		have, err := standing(tx, person)
		if err != nil {
			return err
		}
		if have != nil {
			out, out.LiftBy = *have, ""
			if err := tx.Exec("update legal_holds set lift_by = '' where id = ?", have.ID).Error; err != nil {
				return err
			}
			return e.Asks.CloseAbout(tx, policies.ApproveRetention, string(have.ID))
		}
		out = Hold{ID: id.New[id.LegalHold](), Person: person, Reason: reason, MadeBy: actor(cause), Since: e.clock()}
		if err := tx.Exec("insert into legal_holds (id, person, reason, made_by, since, lift_by, lifted_by) values (?, ?, ?, ?, ?, '', '')",
			out.ID, person, reason, out.MadeBy, db.At(out.Since)).Error; err != nil {
			return fmt.Errorf("write legal hold: %w", err)
		}
		if err := audit.Append(tx, e.record(cause, "legal_hold.set", out, map[string]any{"reason": reason})); err != nil {
			return err
		}
		for _, whom := range []id.Person{person, p.MergedInto} {
			if err := e.withdraw(tx, cause, whom); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// LiftHold asks for the end of a legal hold, or, by another person than the one who asked, ends it, or agrees to that where several have to: where it ended lifted is true.
func (e *Engine) LiftHold(ctx context.Context, cause directory.Cause, by, person id.Person) (lifted bool, err error) {
	if by == "" {
		return false, ErrNobody
	}
	holds, err := e.Holds(ctx, person)
	if err != nil {
		return false, err
	}
	for _, h := range holds {
		if h.LiftBy == "" || h.LiftBy == by {
			continue
		}
		if agreed, err := e.agree(ctx, cause, by, string(h.ID)); err != nil || agreed {
			if err == nil {
				holds, err = e.Holds(ctx, person)
			}
			return err == nil && len(holds) == 0, err
		}
	}
	return e.lift(ctx, cause, by, person, "", nil)
}

// lift does what LiftHold says, where hold is empty by one administrator after the other, else by agreement to the end of that hold; also notes that, in the same
// transaction.
func (e *Engine) lift(ctx context.Context, cause directory.Cause, by, person id.Person, hold id.LegalHold, also func(*db.Tx) ([]audit.Record, error)) (lifted bool, err error) {
	err = e.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := lock(tx, person); err != nil {
			return err
		}
		have, err := standing(tx, person)
		switch {
		case err != nil:
			return err
		case have == nil || hold != "" && (have.ID != hold || have.LiftBy == ""):
			return ErrNoHold
		case have.LiftBy == by:
			return nil
		case have.LiftBy == "":
			if err := tx.Exec("update legal_holds set lift_by = ? where id = ?", by, have.ID).Error; err != nil {
				return err
			}
			return audit.Append(tx, e.record(cause, "legal_hold.lift_asked", *have, nil))
		}
		note := also
		if note == nil {
			note = e.alone(string(have.ID))
		}
		records, err := note(tx)
		if err != nil {
			return err
		}
		lifted = true
		if err := tx.Exec("update legal_holds set lifted_by = ?, lifted_at = ? where id = ?", by, db.At(e.clock()), have.ID).Error; err != nil {
			return err
		}
		return audit.Append(tx, append(records, e.record(cause, "legal_hold.lifted", *have, nil))...)
	})
	return lifted, err
}

func (e *Engine) record(cause directory.Cause, action string, h Hold, personal map[string]any) audit.Record {
	return audit.Record{At: e.clock(), Actor: actor(cause), Action: action, Subject: string(h.Person), RequestID: string(cause.Request),
		Public: map[string]any{"legal_hold": string(h.ID)}, Personal: personal}
}

// lock lets what is decided about one person come one after the other.
func lock(tx *db.Tx, person id.Person) error {
	if tx.Engine() != db.Postgres {
		return nil
	}
	return tx.Exec("select pg_advisory_xact_lock(hashtextextended(?, 11))", string(person)).Error
}

func actor(cause directory.Cause) string {
	if cause.Actor == "" {
		return "system"
	}
	return cause.Actor
}
