package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/internal/backup"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
)

// anew are the tables that a copy does not take over as they were: who runs what, how far OpenFGA is, and whether the database is closed.
var anew = []string{"authz_nodes", "authz_engine", "feed_cursors", "ldap_runners", "restores", "restore_sources", "restore_demands"}

// copied is what a copy tells.
type copied struct {
	Rows      int64  `json:"rows"`
	Tables    int    `json:"tables"`
	AuditSize int64  `json:"audit_size"`
	AuditRoot string `json:"audit_root"`
}

func migrateCopyCommand() *cobra.Command {
	c := &cobra.Command{Use: "copy", Short: "Move everything from one database into another, empty one, as from SQLite to PostgreSQL, while no server runs", Args: cobra.NoArgs}
	from := c.Flags().String("from", "", "address of the database that there is: sqlite:PATH or postgres://…")
	to := c.Flags().String("to", "", "address of the empty one")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *from == "" || *to == "" {
			return errors.New("--from and --to are needed")
		}
		out, err := copyDatabase(c.Context(), *from, *to)
		if err != nil {
			return err
		}
		return write(c, out, func(w io.Writer) {
			fmt.Fprintf(w, "%d rows of %d tables, each held against the other; audit log of %d records with root %s\n", out.Rows, out.Tables, out.AuditSize, out.AuditRoot)
			fmt.Fprintln(w, "the database that was copied is closed now: put the new address into the configuration, and start the server")
		})
	}
	return c
}

// copyDatabase moves everything. At no time do both let anybody in: the new one is closed until the old one is.
func copyDatabase(ctx context.Context, from, to string) (copied, error) {
	there, err := db.OpenRead(ctx, from) // to be opened alone, a file would be made where there is none
	if err != nil {
		return copied{}, fmt.Errorf("--from: %w", err)
	}
	there.Close()
	old, err := openAlone(ctx, from)
	if err != nil {
		return copied{}, fmt.Errorf("--from: %w", err)
	}
	defer old.Close()
	if err := upToDate(ctx, old); err != nil {
		return copied{}, fmt.Errorf("--from: %w", err)
	}
	if state, err := backup.Read(ctx, old); err != nil || state.Closed() {
		return copied{}, errors.Join(err, errors.New("--from: the database is closed: it was restored and not opened, or copied before"))
	}
	fresh, err := openAlone(ctx, to)
	if err != nil {
		return copied{}, fmt.Errorf("--to: %w", err)
	}
	defer fresh.Close()
	if empty, err := fresh.Empty(ctx); err != nil || !empty {
		return copied{}, fmt.Errorf("--to: %w", errors.Join(err, backup.ErrNotEmpty))
	}
	if err := migrate(ctx, fresh); err != nil {
		return copied{}, err
	}
	now := time.Now()
	h, sum, err := backup.Copy(ctx, old, fresh, version(), now, func(tx *db.Tx) error {
		return errors.Join(feed.Restored(tx), authz.Restored(tx), ldap.Restored(tx))
	})
	if err != nil {
		return copied{}, err
	}
	out := copied{Rows: sum.Total(), Tables: len(sum.Rows), AuditSize: h.AuditSize, AuditRoot: h.AuditRoot}
	if err := sameContents(ctx, old, fresh); err != nil {
		return copied{}, err
	}
	if err := sameLog(ctx, fresh, h); err != nil {
		return copied{}, err
	}
	if err := backup.Shut(ctx, old, h, now); err != nil {
		return copied{}, err
	}
	if err := backup.Unlock(ctx, fresh, now, "system", "copied from "+string(old.Engine)+", which is closed", nil); err != nil {
		return copied{}, err
	}
	return out, fresh.Analyze(ctx)
}

// upToDate refuses a database whose tables are not those of this version. They are not brought up to date on the way: whoever has something copied
// has not said that it may be changed, and an earlier version may have to go on with it.
func upToDate(ctx context.Context, d *db.DB) error {
	if empty, err := d.Empty(ctx); err != nil || empty {
		return errors.Join(err, errors.New("there is nothing in it"))
	}
	behind, err := d.Pending(ctx, migrations())
	if err == nil && len(behind) > 0 {
		err = fmt.Errorf("it was written by an earlier version (tables of %s): bring it up to date first, by rollcall migrate with ROLLCALL_DATABASE set to its address; nothing was changed in it", strings.Join(behind, ", "))
	}
	return err
}

// openAlone opens a database that no server runs on.
func openAlone(ctx context.Context, dsn string) (*db.DB, error) {
	d, err := db.Open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	if err := d.Exclusive(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func sameContents(ctx context.Context, old, fresh *db.DB) error {
	a, err := backup.Contents(ctx, old)
	if err != nil {
		return err
	}
	b, err := backup.Contents(ctx, fresh)
	if err != nil {
		return err
	}
	if differ := backup.Differences(a, b, anew); len(differ) > 0 {
		return fmt.Errorf("the copy is not the same in %s: it stays closed, and nothing was changed in the database that was copied", strings.Join(differ, ", "))
	}
	return nil
}
