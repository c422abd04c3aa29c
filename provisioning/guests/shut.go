package guests

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Suspend keeps every guest of a company out and has nothing come of its invitations that wait; or, where off, lets them in again as they were. It returns when that is in
// force, and answers of how many guests. What stands already is waited for.
func (e *Engine) Suspend(ctx context.Context, cause directory.Cause, name string, off bool) (int, error) {
	var c Company
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		if _, err := lock(tx); err != nil {
			return err
		}
		var err error
		if c, err = company(tx.DB, name); err != nil || c.SuspendedAt.IsZero() == off {
			return err
		}
		c.SuspendedAt = time.Time{}
		action := "company.resumed"
		if !off {
			c.SuspendedAt, action = e.clock(), "company.suspended"
			if err := e.dead(tx, "guest in (select id from guests where company = ?)", c.ID); err != nil {
				return err
			}
		} else if err := e.awake(tx, "company = ?", c.ID); err != nil {
			return err
		}
		if err := tx.Exec("update guest_companies set suspended_at = ? where id = ?", db.At(c.SuspendedAt), c.ID).Error; err != nil {
			return fmt.Errorf("write company: %w", err)
		}
		return audit.Append(tx, e.record(cause, action, string(c.ID), map[string]any{"key": c.Key}))
	})
	if err != nil {
		return 0, err
	}
	return e.enforceAll(ctx, cause, "g.company = ? and g.person <> '' order by g.id", c.ID)
}

// Close keeps everybody from outside out, and has nothing come of the invitations that wait; or, where off, lets them in again as they were. It returns when that is in force, and
// answers of how many guests. What stands already is waited for.
func (e *Engine) Close(ctx context.Context, cause directory.Cause, off bool) (int, error) {
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		closed, err := lock(tx)
		if err != nil || closed.IsZero() == off {
			return err
		}
		at, action := time.Time{}, "guests.opened"
		if !off {
			at, action = e.clock(), "guests.closed"
			if err := e.dead(tx, "1 = 1"); err != nil {
				return err
			}
		} else if err := e.awake(tx, "ended_at is null"); err != nil {
			return err
		}
		if err := tx.Exec("update guests_state set closed_at = ? where id = 1", db.At(at)).Error; err != nil {
			return fmt.Errorf("write guests: %w", err)
		}
		return audit.Append(tx, e.record(cause, action, "guests", nil))
	})
	if err != nil {
		return 0, err
	}
	return e.enforceAll(ctx, cause, "g.person <> '' order by g.id")
}

// SuspendGuest keeps one guest out or, where off, lets them in again as they were. It returns when that is in force.
func (e *Engine) SuspendGuest(ctx context.Context, cause directory.Cause, guest id.Guest, off bool) error {
	return e.suspendGuest(ctx, cause, guest, off, ByAdmin, nil)
}

// suspendGuest is SuspendGuest for a reason, in one transaction with also, where there is one. What an administrator says counts instead of another reason; off lifts any for them, and else the one that is named.
func (e *Engine) suspendGuest(ctx context.Context, cause directory.Cause, guest id.Guest, off bool, why Suspension, also func(*db.Tx) error) error {
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		if _, err := lock(tx); err != nil {
			return err
		}
		g, err := one(tx.DB, guest)
		if err != nil {
			return err
		}
		switch stands := !g.SuspendedAt.IsZero(); {
		case off && !stands, off && why != ByAdmin && g.SuspendedFor != why, !off && stands && (why != ByAdmin || g.SuspendedFor == ByAdmin):
			return nil
		}
		at, action := time.Time{}, "guest.resumed"
		if !off {
			at, action = e.clock(), "guest.suspended"
			if err := shutLinks(tx, at, "guest = ?", guest); err != nil {
				return err
			}
		}
		public := map[string]any{"company": string(g.Company), "person": string(g.Person)}
		if off {
			why = ByAdmin // none
			err = e.awake(tx, "id = ?", guest)
		} else if why != ByAdmin {
			public["why"] = string(why)
		}
		if err == nil && also != nil {
			err = also(tx)
		}
		if err != nil {
			return err
		}
		if err := tx.Exec("update guests set suspended_at = ?, suspended_for = ? where id = ?", db.At(at), why, guest).Error; err != nil {
			return fmt.Errorf("write guest: %w", err)
		}
		return audit.Append(tx, e.record(cause, action, string(guest), public))
	})
	if err != nil {
		return err
	}
	_, err = e.enforceAll(ctx, cause, "g.id = ? and g.person <> ''", guest)
	return err
}

// awake notes that guests are let in again: whoever was kept out could not be seen.
func (e *Engine) awake(tx *db.Tx, where string, args ...any) error {
	if err := tx.Exec("update guests set awake_at = ? where "+where, append([]any{db.At(e.clock())}, args...)...).Error; err != nil {
		return fmt.Errorf("write guests: %w", err)
	}
	return nil
}

// enforceAll is enforce of the guests that where chooses, in one call: they are all kept out before it returns.
func (e *Engine) enforceAll(ctx context.Context, cause directory.Cause, where string, args ...any) (int, error) {
	ctx = context.WithoutCancel(ctx)
	list, err := load(e.DB.Read(ctx), where, args...)
	if err != nil {
		return 0, err
	}
	return len(list), e.enforce(ctx, cause, list)
}
