package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// Table is one table with its columns, in their order.
type Table struct {
	Name    string
	Columns []string
	boolean []bool
	after   []string // the tables that its rows refer to
}

// versionTables begin the names of the tables that say how far a package's tables are.
const versionTables = "migrations_"

// DemoTable marks the database of a demo, and holds nothing.
const DemoTable = "rollcall_demo"

// Dump is one state of the whole database, for reading it as it is.
type Dump struct {
	handle   *gorm.DB
	tables   []Table
	versions []string
}

// Dump runs fn on one state of the database.
func (d *DB) Dump(ctx context.Context, fn func(*Dump) error) error {
	return d.Snapshot(ctx, func(handle *gorm.DB) error {
		all, err := tables(handle, d.Engine)
		if err != nil {
			return fmt.Errorf("list tables: %w", err)
		}
		dump := &Dump{handle: handle}
		for _, t := range all {
			if t.Name == DemoTable {
				continue
			}
			if strings.HasPrefix(t.Name, versionTables) {
				dump.versions = append(dump.versions, t.Name)
			} else {
				dump.tables = append(dump.tables, t)
			}
		}
		return fn(dump)
	})
}

// Tables answers every table but those of versions; whose rows refer to another's come after it.
func (d *Dump) Tables() []Table { return d.tables }

// Migrations answers how far the tables of each package are.
func (d *Dump) Migrations() (map[string]int64, error) {
	out := map[string]int64{}
	for _, name := range d.versions {
		var version int64
		if err := d.handle.Raw("select coalesce(max(version_id), 0) from " + name).Scan(&version).Error; err != nil {
			return nil, err
		}
		out[strings.TrimPrefix(name, versionTables)] = version
	}
	return out, nil
}

// Audit answers how many records the audit log of this state has; its root is for who can work it out.
func (d *Dump) Audit(root func(handle *gorm.DB, size int64) (string, error)) (size int64, hash string, err error) {
	if err := d.handle.Raw("select size from audit_tree where id = 1").Scan(&size).Error; err != nil {
		return 0, "", err
	}
	hash, err = root(d.handle, size)
	return size, hash, err
}

// Rows calls fn for each row of t, with its columns' values: nil, string, int64 or bool.
func (d *Dump) Rows(t Table, fn func([]any) error) error {
	rows, err := d.handle.Raw("select " + strings.Join(t.Columns, ", ") + " from " + t.Name).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row, err := scan(rows, t)
		if err != nil {
			return err
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scan(rows *sql.Rows, t Table) ([]any, error) {
	row, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range row {
		into[i] = &row[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	for i, v := range row {
		switch v := v.(type) {
		case nil, string, bool:
		case []byte:
			row[i] = string(v)
		case int64:
			if t.boolean[i] {
				row[i] = v != 0
			}
		case int32:
			row[i] = int64(v)
		default:
			return nil, fmt.Errorf("column %s holds %T", t.Columns[i], v)
		}
	}
	return row, nil
}

// Empty tells whether there is no table of anybody's in the database.
func (d *DB) Empty(ctx context.Context) (bool, error) {
	all, err := tables(d.Read(ctx), d.Engine)
	return len(all) == 0, err
}

// tables reads the catalogue; whose rows refer to another's comes after it.
func tables(handle *gorm.DB, engine Engine) ([]Table, error) {
	read := lite
	if engine == Postgres {
		read = catalogue
	}
	all, err := read(handle)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Table) int { return strings.Compare(a.Name, b.Name) })
	var out []Table
	placed := map[string]bool{}
	for len(out) < len(all) {
		before := len(out)
		for _, t := range all {
			if !placed[t.Name] && !slices.ContainsFunc(t.after, func(other string) bool { return other != t.Name && !placed[other] }) {
				placed[t.Name] = true
				out = append(out, t)
			}
		}
		if len(out) == before {
			return nil, errors.New("tables refer to each other in a ring")
		}
	}
	return out, nil
}

func lite(handle *gorm.DB) ([]Table, error) {
	var names []string
	if err := handle.Raw("select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'").Scan(&names).Error; err != nil {
		return nil, err
	}
	var all []Table
	for _, name := range names {
		t := Table{Name: name}
		var columns []struct{ Name, Type string }
		if err := handle.Raw("select name, type from pragma_table_info(?) order by cid", name).Scan(&columns).Error; err != nil {
			return nil, err
		}
		for _, c := range columns {
			t.Columns, t.boolean = append(t.Columns, c.Name), append(t.boolean, strings.EqualFold(c.Type, "boolean"))
		}
		if err := handle.Raw(`select distinct "table" from pragma_foreign_key_list(?)`, name).Scan(&t.after).Error; err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func catalogue(handle *gorm.DB) ([]Table, error) {
	var columns []struct{ TableName, ColumnName, DataType string }
	if err := handle.Raw(`select c.table_name, c.column_name, c.data_type from information_schema.columns c
		join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name and t.table_type = 'BASE TABLE'
		where c.table_schema = current_schema() order by c.table_name, c.ordinal_position`).Scan(&columns).Error; err != nil {
		return nil, err
	}
	var all []Table
	for _, c := range columns {
		if len(all) == 0 || all[len(all)-1].Name != c.TableName {
			all = append(all, Table{Name: c.TableName})
		}
		t := &all[len(all)-1]
		t.Columns, t.boolean = append(t.Columns, c.ColumnName), append(t.boolean, c.DataType == "boolean")
	}
	var keys []struct{ Own, Other string }
	if err := handle.Raw(`select distinct o.relname as own, r.relname as other from pg_constraint k join pg_class o on o.oid = k.conrelid join pg_class r on r.oid = k.confrelid
		where k.contype = 'f' and o.relnamespace = current_schema()::regnamespace`).Scan(&keys).Error; err != nil {
		return nil, err
	}
	for i := range all {
		for _, k := range keys {
			if k.Own == all[i].Name {
				all[i].after = append(all[i].after, k.Other)
			}
		}
	}
	return all, nil
}

// Load is a transaction that fills a database whose tables are there.
type Load struct {
	*Tx
	known map[string]Table
}

// Load empties every table but those of versions and runs fn, in one transaction.
func (d *DB) Load(ctx context.Context, fn func(*Load) error) error {
	return d.Tx(ctx, func(tx *Tx) error {
		all, err := tables(tx.DB, d.Engine)
		if err != nil {
			return fmt.Errorf("list tables: %w", err)
		}
		load := &Load{Tx: tx, known: map[string]Table{}}
		for _, t := range slices.Backward(all) {
			if strings.HasPrefix(t.Name, versionTables) {
				continue
			}
			load.known[t.Name] = t
			if err := tx.Exec("delete from " + t.Name).Error; err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
		}
		return fn(load)
	})
}

// Insert inserts rows into a table that is there, with columns that it has.
func (l *Load) Insert(table string, columns []string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	t, ok := l.known[table]
	if !ok {
		return fmt.Errorf("there is no table %q", table)
	}
	for _, c := range columns {
		if !slices.Contains(t.Columns, c) {
			return fmt.Errorf("table %s has no column %q", table, c)
		}
	}
	if err := l.Tx.Insert(table, columns, rows); err != nil {
		return fmt.Errorf("table %s: %w", table, err)
	}
	return nil
}
