package backup

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
)

// State is how a database stands that was restored; the zero State is one that never was.
type State struct {
	RestoredAt time.Time `json:"restored_at,omitzero"`
	TakenAt    time.Time `json:"taken_at,omitzero"` // the backup
	AuditSize  int64     `json:"audit_size"`        // of the backup
	AuditRoot  string    `json:"audit_root"`
	ReplayedAt time.Time `json:"replayed_at,omitzero"` // what was revoked since was replayed, or somebody said that it is not known
	ReplayedTo int64     `json:"replayed_to"`          // up to which record; 0: it is not known
	ReplayedBy string    `json:"replayed_by,omitempty"`
	OpenedAt   time.Time `json:"opened_at,omitzero"`
	OpenedBy   string    `json:"opened_by,omitempty"`
	Reason     string    `json:"reason,omitempty"`
}

// Closed tells whether nobody but the restorer may get in.
func (s State) Closed() bool { return !s.RestoredAt.IsZero() && s.OpenedAt.IsZero() }

type stateRow struct {
	RestoredAt, TakenAt db.Instant
	AuditSize           int64
	AuditRoot           string
	ReplayedAt          db.Instant
	ReplayedTo          int64
	ReplayedBy          string
	OpenedAt            db.Instant
	OpenedBy, Reason    string
}

// Read answers how the database stands.
func Read(ctx context.Context, d *db.DB) (State, error) {
	var rows []stateRow
	if err := d.Read(ctx).Raw("select restored_at, taken_at, audit_size, audit_root, replayed_at, replayed_to, replayed_by, opened_at, opened_by, reason from restores where id = 1").Scan(&rows).Error; err != nil {
		return State{}, fmt.Errorf("read the state of the restore: %w", err)
	}
	if len(rows) == 0 {
		return State{}, nil
	}
	r := rows[0]
	return State{r.RestoredAt.Time, r.TakenAt.Time, r.AuditSize, r.AuditRoot, r.ReplayedAt.Time, r.ReplayedTo, r.ReplayedBy, r.OpenedAt.Time, r.OpenedBy, r.Reason}, nil
}

// closeDatabase marks what was restored, in the transaction of its rows.
func closeDatabase(tx *db.Tx, h Header, now time.Time) error {
	for _, table := range []string{"restores", "restore_sources", "restore_demands"} { // of an earlier restore, which the backup holds
		if err := tx.Exec("delete from " + table).Error; err != nil {
			return err
		}
	}
	return tx.Exec("insert into restores (id, restored_at, taken_at, audit_size, audit_root, replayed_to, replayed_by, opened_by, reason) values (1, ?, ?, ?, ?, 0, '', '', '')",
		db.At(now), db.At(h.TakenAt), h.AuditSize, h.AuditRoot).Error
}

// Demand is something that was taken away after the backup and that is looked after until the database is opened.
type Demand struct {
	Seq     int64  `json:"seq"`  // of the audit record that says so
	Kind    string `json:"kind"` // its action
	Subject string `json:"subject"`
	Object  string `json:"object,omitempty"`
	Note    string `json:"note,omitempty"`
}

// Replayed notes, in tx, that what the audit log says up to a size was replayed, and what of it is left; to 0 where nobody knows. Audit is
// written after it.
func Replayed(tx *db.Tx, now time.Time, by string, to int64, left []Demand) error {
	if err := tx.Exec("update restores set replayed_at = ?, replayed_to = ?, replayed_by = ? where id = 1", db.At(now), to, by).Error; err != nil {
		return err
	}
	for _, d := range left {
		if err := tx.Exec("insert into restore_demands (seq, kind, subject, object, note) values (?, ?, ?, ?, ?) on conflict do nothing", d.Seq, d.Kind, d.Subject, d.Object, d.Note).Error; err != nil {
			return err
		}
	}
	return audit.Append(tx, audit.Record{At: now, Actor: by, Action: "restore.replayed", Subject: "database", Public: map[string]any{"to": to, "left": len(left)}})
}

// Demands answers what is looked after.
func Demands(ctx context.Context, d *db.DB) ([]Demand, error) {
	var out []Demand
	err := d.Read(ctx).Raw("select seq, kind, subject, object, note from restore_demands order by seq, kind, subject, object").Scan(&out).Error
	return out, err
}

// Vouch notes that somebody says that a source has told everything anew.
func Vouch(ctx context.Context, d *db.DB, now time.Time, source, by, reason string) error {
	return d.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Exec("insert into restore_sources (source, at, actor, reason) values (?, ?, ?, ?) on conflict do nothing", source, db.At(now), by, reason).Error; err != nil {
			return err
		}
		return audit.Append(tx, audit.Record{At: now, Actor: by, Action: "restore.vouched", Subject: source, Public: map[string]any{"reason": reason}})
	})
}

// Vouched answers the sources of which somebody said so.
func Vouched(ctx context.Context, d *db.DB) (map[string]bool, error) {
	var names []string
	if err := d.Read(ctx).Raw("select source from restore_sources").Scan(&names).Error; err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, name := range names {
		out[name] = true
	}
	return out, nil
}

// Unlock opens the database; unproven is what stands against it. One that is open stays as it is.
func Unlock(ctx context.Context, d *db.DB, now time.Time, by, reason string, unproven []string) error {
	return d.Tx(ctx, func(tx *db.Tx) error {
		done := tx.Exec("update restores set opened_at = ?, opened_by = ?, reason = ? where id = 1 and opened_at is null", db.At(now), by, reason)
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error
		}
		return audit.Append(tx, audit.Record{At: now, Actor: by, Action: "restore.opened", Subject: "database", Public: map[string]any{"reason": reason, "unproven": unproven}})
	})
}
