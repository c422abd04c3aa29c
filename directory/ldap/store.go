package ldap

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of the connector spaces up to date; those of the directory are there.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "ldap", migrations) }

// clean makes a text of a directory storable.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "?")
}

// loadSpace reads the connector space of a source.
func loadSpace(ctx context.Context, d *db.DB, source id.Source) (*space, error) {
	var entries int
	if err := d.Read(ctx).Raw("select count(*) from ldap_objects where source_id = ?", source).Scan(&entries).Error; err != nil {
		return nil, fmt.Errorf("read connector space: %w", err)
	}
	sp := newSpace(entries)
	rows, err := d.Read(ctx).Raw("select "+objectColumns+" from ldap_objects where source_id = ? order by object_key", source).Rows()
	if err != nil {
		return nil, fmt.Errorf("read connector space: %w", err)
	}
	defer rows.Close()
	in := loading{sp: sp, texts: map[string]string{}}
	for rows.Next() {
		if err := in.add(rows); err != nil {
			return nil, fmt.Errorf("read connector space: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read connector space: %w", err)
	}
	return sp, nil
}

// storeObjects writes the rows of these entries as they are now, and deletes those of gone.
func storeObjects(tx *db.Tx, source id.Source, objects, gone []*object) error {
	var old []string
	rows := make([][]any, len(objects))
	for i, o := range objects {
		values, err := o.values(source)
		if err != nil {
			return err
		}
		rows[i] = values
		if o.row {
			old = append(old, o.key)
		}
	}
	for _, o := range gone {
		old = append(old, o.key)
	}
	for part := range slices.Chunk(old, batch) {
		if err := tx.Exec("delete from ldap_objects where source_id = ? and object_key in ?", source, db.Pad(part)).Error; err != nil {
			return fmt.Errorf("write connector space: %w", err)
		}
	}
	if err := tx.Insert("ldap_objects", append([]string{"source_id"}, strings.Split(objectColumns, ", ")...), rows); err != nil {
		return fmt.Errorf("write connector space: %w", err)
	}
	return nil
}

// addDoubts notes entries of which it is to be looked at what refers to them.
func addDoubts(tx *db.Tx, source id.Source, keys []string) error {
	for _, k := range keys {
		if err := tx.Exec("insert into ldap_doubts (source_id, object_key) values (?, ?) on conflict (source_id, object_key) do nothing", source, k).Error; err != nil {
			return fmt.Errorf("write doubts: %w", err)
		}
	}
	return nil
}

// endDoubts forgets those of keys; nil: all.
func endDoubts(tx *db.Tx, source id.Source, keys []string) error {
	if keys == nil {
		return tx.Exec("delete from ldap_doubts where source_id = ?", source).Error
	}
	for part := range slices.Chunk(keys, batch) {
		if err := tx.Exec("delete from ldap_doubts where source_id = ? and object_key in ?", source, part).Error; err != nil {
			return fmt.Errorf("write doubts: %w", err)
		}
	}
	return nil
}

func loadDoubts(ctx context.Context, d *db.DB, source id.Source) (keys []string, err error) {
	err = d.Read(ctx).Raw("select object_key from ldap_doubts where source_id = ?", source).Scan(&keys).Error
	return keys, err
}

// errElsewhere says that another node follows the source.
var errElsewhere = errors.New("another node follows this source")

// lease is how long a node that says nothing keeps a source.
const lease = 10 * time.Second

// acquire makes holder the one who follows source until the lease ends, and answers who wrote last. said is how the source stands, kept for the other nodes; empty
// keeps what was said. Where another node asked for the source it goes to that one, unless it is held still: then yield is true. On SQLite nobody else can be there.
func acquire(ctx context.Context, d *db.DB, source id.Source, holder, said string, now time.Time) (writer string, yield bool, err error) {
	var row struct {
		Writer, Wanted string
		WantedUntil    int64
	}
	err = d.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Exec("insert into ldap_runners (source_id, holder, lease_until, writer) values (?, '', 0, '') on conflict (source_id) do nothing", source).Error; err != nil {
			return err
		}
		at := now.UnixMicro()
		done := tx.Exec("update ldap_runners set holder = ?, lease_until = ?, status = case when ? = '' then status else ? end, wanted = case when wanted = ? then '' else wanted end "+
			"where source_id = ? and (? or holder = ? and lease_until > ? or lease_until <= ? and (wanted in ('', ?) or wanted_until <= ?))",
			holder, now.Add(lease).UnixMicro(), said, said, holder, source, tx.Engine() == db.SQLite, holder, at, at, holder, at)
		if done.Error != nil {
			return done.Error
		}
		if done.RowsAffected == 0 {
			return errElsewhere
		}
		return tx.Raw("select writer, wanted, wanted_until from ldap_runners where source_id = ?", source).Scan(&row).Error
	})
	if err != nil && !errors.Is(err, errElsewhere) {
		err = fmt.Errorf("take the lease of a source: %w", err)
	}
	return row.Writer, row.Wanted != "" && row.WantedUntil > now.UnixMicro(), err
}

// askFor asks whoever follows source to let go of it, for holder.
func askFor(ctx context.Context, d *db.DB, source id.Source, holder string, now time.Time) error {
	return d.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update ldap_runners set wanted = ?, wanted_until = ? where source_id = ?", holder, now.Add(lease).UnixMicro(), source).Error
	})
}

// toldOf answers who follows source and how that one said it stands.
func toldOf(ctx context.Context, d *db.DB, source id.Source) (holder, said string, err error) {
	var row struct{ Holder, Status string }
	err = d.Read(ctx).Raw("select holder, status from ldap_runners where source_id = ?", source).Scan(&row).Error
	return row.Holder, row.Status, err
}

// putPreview keeps what was previewed last of a source.
func putPreview(ctx context.Context, d *db.DB, source id.Source, hash, value string, now time.Time) error {
	return d.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("insert into ldap_previews (source_id, hash, value, at) values (?, ?, ?, ?) on conflict (source_id) do update set hash = excluded.hash, value = excluded.value, at = excluded.at",
			source, hash, value, now.UnixMicro()).Error
	})
}

// dropPreview forgets it.
func dropPreview(ctx context.Context, d *db.DB, source id.Source) error {
	return d.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("delete from ldap_previews where source_id = ?", source).Error
	})
}

// previewed answers what was previewed under this hash, if nothing was since; empty where nothing was.
func previewed(ctx context.Context, d *db.DB, source id.Source, hash string) (value string, err error) {
	err = d.Read(ctx).Raw("select value from ldap_previews where source_id = ? and hash = ?", source, hash).Scan(&value).Error
	return value, err
}

// release lets others follow source at once.
func release(ctx context.Context, d *db.DB, source id.Source, holder string) error {
	return d.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("update ldap_runners set lease_until = 0 where source_id = ? and holder = ?", source, holder).Error
	})
}

// fence makes sure, in the transaction of a change, that holder follows source still, and that the others know that it wrote.
func fence(tx *db.Tx, source id.Source, holder string, now time.Time) error {
	done := tx.Exec("update ldap_runners set lease_until = ?, writer = ? where source_id = ? and holder = ?", now.Add(lease).UnixMicro(), holder, source, holder)
	if done.Error != nil {
		return fmt.Errorf("keep the lease of a source: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return errElsewhere
	}
	return nil
}
