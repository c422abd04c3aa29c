package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

// Migrate brings the tables of one package up to date. files holds goose migrations (NNNNN_what.sql) in its folder
// "migrations"; the version is kept in a table of the package's own, migrations_<name>. Several nodes may start at once.
func (d *DB) Migrate(ctx context.Context, name string, files fs.FS) error {
	files, err := fs.Sub(files, "migrations")
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	dialect := goose.DialectSQLite3
	options := []goose.ProviderOption{}
	if d.Engine == Postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("migrate %s: %w", name, err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	store, err := database.NewStore(dialect, "migrations_"+name)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	pool, err := d.Pool()
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	provider, err := goose.NewProvider("", pool, files, append(options, goose.WithStore(store))...)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	if d.upTo == nil {
		_, err = provider.Up(ctx)
	} else if version := d.upTo[name]; version > 0 {
		if sources := provider.ListSources(); len(sources) == 0 || sources[len(sources)-1].Version < version {
			return fmt.Errorf("migrate %s: %w: it is at %d", name, ErrNewer, version)
		}
		_, err = provider.UpTo(ctx, version)
	}
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	return nil
}

// ErrNewer says that tables are of a later version of the program than this one.
var ErrNewer = errors.New("the tables are of a later version of the program")

// MigrateUpTo has Migrate bring the tables of each package to its version in versions and no further, and leave out packages that are not there; nil
// ends it. It is for reading in what an earlier version of the program wrote.
func (d *DB) MigrateUpTo(versions map[string]int64) { d.upTo = versions }
