package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

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
	if d.looking != nil {
		return d.look(ctx, name, files)
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
		if _, err = provider.Up(ctx); err == nil {
			err = d.compare(ctx, name, provider)
		}
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

// compare notes where tables are of a later version of the program.
func (d *DB) compare(ctx context.Context, name string, provider *goose.Provider) error {
	stands, err := provider.GetDBVersion(ctx)
	if sources := provider.ListSources(); err == nil && len(sources) > 0 && stands > sources[len(sources)-1].Version {
		d.newer = append(d.newer, name)
	}
	return err
}

// Newer answers the packages whose tables Migrate found to be of a later version of the program: migrations only add, so this one runs on them.
func (d *DB) Newer() []string { return d.newer }

// ErrNewer says that tables are of a later version of the program than this one.
var ErrNewer = errors.New("the tables are of a later version of the program")

// MigrateUpTo has Migrate bring the tables of each package to its version in versions and no further, and leave out packages that are not there; nil
// ends it. It is for reading in what an earlier version of the program wrote.
func (d *DB) MigrateUpTo(versions map[string]int64) { d.upTo = versions }

var errLooked = errors.New("looked only")

// Pending answers the packages whose tables a run of all would change; each of all calls Migrate first. It changes nothing.
func (d *DB) Pending(ctx context.Context, all []func(context.Context, *DB) error) ([]string, error) {
	found := []string{}
	looking := &DB{Engine: d.Engine, read: d.read, write: d.read, looking: &found}
	for _, one := range all {
		if err := one(ctx, looking); !errors.Is(err, errLooked) {
			return nil, fmt.Errorf("look at the tables: %w", err)
		}
	}
	return found, nil
}

// look compares the newest file with what the tables say.
func (d *DB) look(ctx context.Context, name string, files fs.FS) error {
	all, err := fs.Glob(files, "*.sql")
	if err != nil {
		return err
	}
	var newest, stands int64
	for _, file := range all {
		number, _, _ := strings.Cut(file, "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return fmt.Errorf("migration %s has no number", file)
		}
		newest = max(newest, n)
	}
	if d.Read(ctx).Raw("select coalesce(max(version_id), 0) from "+versionTables+name).Scan(&stands).Error != nil {
		stands = 0 // no table of it: it was never here
	}
	switch {
	case stands > newest:
		return fmt.Errorf("%s: %w: it is at %d", name, ErrNewer, stands)
	case stands < newest:
		*d.looking = append(*d.looking, name)
	}
	return errLooked
}
