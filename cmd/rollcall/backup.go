package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/chat"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/hrfeed"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/signals/transmit"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/backup"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/provisioning/guests"
)

// backedUp is what a backup or a restore tells.
type backedUp struct {
	backup.Header
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"`
}

func backupCommand() *cobra.Command {
	c := &cobra.Command{Use: "backup FILE", Short: "Write the whole database into a file (-: standard output), while the server runs", Args: cobra.ExactArgs(1)}
	open := databaseOf(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		d, _, err := open(c, db.OpenRead)
		if err != nil {
			return err
		}
		defer d.Close()
		var out backedUp
		if err := wholeFile(c, args[0], func(w io.Writer) error {
			header, sum, err := backup.Write(c.Context(), d, w, backup.Header{Version: version(), TakenAt: time.Now().UTC().Truncate(time.Microsecond)})
			out = backedUp{header, sum.Total(), sum.SHA256}
			return err
		}); err != nil || args[0] == "-" {
			return err
		}
		return write(c, out, func(w io.Writer) {
			fmt.Fprintf(w, "%d rows of one state at %s, audit log of %d records with root %s\n", out.Rows, out.TakenAt.Format(time.RFC3339), out.AuditSize, out.AuditRoot)
		})
	}
	return c
}

// databaseOf gives c the flags that say which database it is about, and answers what opens it, and the configuration that names it.
func databaseOf(c *cobra.Command) func(*cobra.Command, func(context.Context, string) (*db.DB, error)) (*db.DB, Config, error) {
	path := c.Flags().String("config", "", "path of rollcall.yaml")
	dsn := c.Flags().String("database", "", "address of the database, instead of a configuration")
	return func(c *cobra.Command, open func(context.Context, string) (*db.DB, error)) (*db.DB, Config, error) {
		if *dsn != "" {
			if err := os.Setenv(envPrefix+"DATABASE", *dsn); err != nil {
				return nil, Config{}, err
			}
		}
		cfg, err := loadConfig(*path, os.Environ())
		if err != nil {
			return nil, cfg, err
		}
		d, err := open(c.Context(), cfg.Database)
		return d, cfg, err
	}
}

// wholeFile has fn write a file that nobody else may read, and that is whole or not there; "-" is standard output.
func wholeFile(c *cobra.Command, path string, fn func(io.Writer) error) error {
	if path == "-" {
		return fn(c.OutOrStdout())
	}
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s is there already", path)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".rollcall-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if err := errors.Join(fn(file), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func auditExportCommand() *cobra.Command {
	c := &cobra.Command{Use: "export FILE", Short: "Write the audit log's records, without personal payloads, into a file (-: standard output): to be kept elsewhere, for a restore", Args: cobra.ExactArgs(1)}
	from := c.Flags().Int64("from", 0, "begin with this record: the size that a backup or an earlier export tells")
	open := databaseOf(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		d, _, err := open(c, db.OpenRead)
		if err != nil {
			return err
		}
		defer d.Close()
		var out audit.Export
		if err := wholeFile(c, args[0], func(w io.Writer) error {
			out, err = audit.WriteExport(c.Context(), d, *from, w)
			return err
		}); err != nil || args[0] == "-" {
			return err
		}
		return write(c, out, func(w io.Writer) { fmt.Fprintf(w, "records %d to %d, root %s\n", out.From, out.Size, out.Root) })
	}
	return c
}

func restoreBackupCommand() *cobra.Command {
	c := &cobra.Command{Use: "restore FILE", Short: "Read a backup (-: from standard input) into an empty database, which is then closed to all but the restorer", Args: cobra.ExactArgs(1)}
	open := databaseOf(c)
	lost := c.Flags().Bool("identity-lost", false, "the secrets.identity of before is lost: forget by what the erased would be known again")
	c.RunE = func(c *cobra.Command, args []string) error {
		in := c.InOrStdin()
		if args[0] != "-" {
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			in = file
		}
		from, err := backup.Open(in)
		if err != nil {
			return err
		}
		d, cfg, err := open(c, db.Open)
		if err != nil {
			return err
		}
		defer d.Close()
		sum, err := restoreInto(c.Context(), d, from)
		if err != nil {
			return err
		}
		if *lost {
			if err := directory.ForgetMarks(c.Context(), d, time.Now()); err != nil {
				return err
			}
		}
		sealed, err := unreadableIn(c.Context(), d, cfg.key)
		if err != nil {
			return err
		}
		out := backedUp{from.Header, sum.Total(), sum.SHA256}
		return write(c, out, func(w io.Writer) {
			fmt.Fprintf(w, "%d rows of %s, audit log of %d records with root %s\n", out.Rows, out.TakenAt.Format(time.RFC3339), out.AuditSize, out.AuditRoot)
			fmt.Fprintln(w, "closed: start the server; only the bearer of bootstrap_token gets in. What is to be done: rollcall restore status")
			switch {
			case len(sealed.english) == 0:
			case cfg.key == nil:
				fmt.Fprintf(w, "sealed in it, for the secrets.identity of before, which the server needs: %s\n", sealed)
			default:
				fmt.Fprintf(w, "sealed for another secrets.identity than the one of this configuration: %s\n", sealed)
			}
			if sealed.stuck && cfg.key != nil {
				fmt.Fprintln(w, "no node starts so: set the identity of before; where it is lost, restore into an empty database with --identity-lost")
			}
		})
	}
	c.AddCommand(restoreStatusCommand(), restoreReplayCommand(), restoreVouchCommand(), restoreOpenCommand())
	return c
}

// restoreInto fills an empty database and holds what it then has against the backup.
func restoreInto(ctx context.Context, d *db.DB, from *backup.Reader) (backup.Summary, error) {
	if err := d.Exclusive(ctx); err != nil {
		return backup.Summary{}, err
	}
	if empty, err := d.Empty(ctx); err != nil || !empty {
		return backup.Summary{}, errors.Join(err, backup.ErrNotEmpty)
	}
	if err := backup.Migrate(ctx, d); err != nil { // a backup of before these tables can be closed, too
		return backup.Summary{}, err
	}
	d.MigrateUpTo(from.Header.Migrations)
	if err := migrate(ctx, d); err != nil {
		return backup.Summary{}, err
	}
	d.MigrateUpTo(nil)
	now := time.Now()
	sum, err := from.Restore(ctx, d, now, func(tx *db.Tx) error {
		for _, one := range []func(*db.Tx) error{feed.Restored, authz.Restored, directory.Restored, ldap.Restored, hrfeed.Restored, chat.Restored} {
			if err := one(tx); err != nil {
				return err
			}
		}
		if err := transmit.Restored(tx, now); err != nil {
			return err
		}
		if err := guests.Restored(tx, now); err != nil {
			return err
		}
		return session.Restored(tx, now)
	})
	if err != nil {
		return sum, err
	}
	if err := migrate(ctx, d); err != nil {
		return sum, err
	}
	if err := sameLog(ctx, d, from.Header); err != nil {
		return sum, err
	}
	return sum, d.Analyze(ctx)
}

// sameLog tells by its error whether d's audit log is another than the one that was backed up or copied.
func sameLog(ctx context.Context, d *db.DB, h backup.Header) error {
	found, err := audit.Verify(ctx, d, audit.Report{Size: h.AuditSize, Root: h.AuditRoot})
	if err == nil && found.Size != h.AuditSize {
		err = fmt.Errorf("the audit log has %d records and had %d", found.Size, h.AuditSize)
	}
	return err
}
