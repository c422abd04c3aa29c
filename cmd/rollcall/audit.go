package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
)

func auditCommand() *cobra.Command {
	command := &cobra.Command{Use: "audit", Short: "The record of who changed what"}
	verify := &cobra.Command{Use: "verify", Short: "Re-hash every record and compare it with the tree", Args: cobra.NoArgs}
	path := verify.Flags().String("config", "", "path of rollcall.yaml")
	dsn := verify.Flags().String("database", "", "address of the database, instead of a configuration")
	size := verify.Flags().Int64("size", 0, "with --root: what an earlier verification printed; its records must stand unchanged")
	root := verify.Flags().String("root", "", "the root that went with --size")
	checkpoint := verify.Flags().String("checkpoint", "", "with --key: a file with a signed checkpoint; its records must stand unchanged")
	keys := verify.Flags().StringArray("key", nil, "a public key that checkpoints are signed with; several times, while one was exchanged for another")
	streams := verify.Flags().StringArray("stream", nil, "with --key: hold a file of an outlet against its own checkpoints, without a database; several times, in their order")
	verify.RunE = func(c *cobra.Command, _ []string) error {
		if len(*streams) > 0 {
			return verifyStreams(c, *streams, *keys)
		}
		if *dsn != "" {
			if err := os.Setenv(envPrefix+"DATABASE", *dsn); err != nil {
				return err
			}
		}
		if (*size > 0) != (*root != "") {
			return errors.New("--size and --root go together")
		}
		since := audit.Report{Size: *size, Root: *root}
		if *checkpoint != "" {
			var err error
			if since, err = checkpointIn(*checkpoint, *keys); err != nil {
				return fmt.Errorf("%s: %w", *checkpoint, err)
			}
		}
		cfg, err := loadConfig(*path, os.Environ())
		if err != nil {
			return err
		}
		d, err := db.OpenRead(c.Context(), cfg.Database) // a server may be running on it
		if err != nil {
			return err
		}
		defer d.Close()
		report, err := audit.Verify(c.Context(), d, since)
		if err != nil {
			return err
		}
		return write(c, report, func(w io.Writer) {
			fmt.Fprintf(w, "audit log is whole: %d records, %d erased payloads, root %s\n", report.Size, report.Erased, report.Root)
		})
	}
	command.AddCommand(verify, auditExportCommand(), auditKeygenCommand())
	return command
}

func migrateCommand() *cobra.Command {
	command := &cobra.Command{Use: "migrate", Short: "Bring the database's tables up to date", Args: cobra.NoArgs}
	path := command.Flags().String("config", "", "path of rollcall.yaml")
	command.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := loadConfig(*path, os.Environ())
		if err != nil {
			return err
		}
		d, err := db.Open(c.Context(), cfg.Database)
		if err != nil {
			return err
		}
		defer d.Close()
		if err := migrate(c.Context(), d); err != nil {
			return err
		}
		return write(c, map[string]string{"database": string(d.Engine)}, func(w io.Writer) { fmt.Fprintln(w, "tables are up to date") })
	}
	command.AddCommand(migrateCopyCommand())
	return command
}
