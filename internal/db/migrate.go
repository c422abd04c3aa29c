package db

import (
	"context"
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
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	return nil
}
