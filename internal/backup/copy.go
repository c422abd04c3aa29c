package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Content is what a table holds, in any order: how many rows, and the exclusive or of their hashes.
type Content struct {
	Rows int64
	Sum  string
}

// Contents answers what each table of one state of d holds. The same rows answer the same on either engine.
func Contents(ctx context.Context, d *db.DB) (map[string]Content, error) {
	out := map[string]Content{}
	err := d.Dump(ctx, func(dump *db.Dump) error {
		for _, t := range dump.Tables() {
			var sum [sha256.Size]byte
			var rows int64
			if err := dump.Rows(t, func(row []any) error {
				named := make(map[string]any, len(row))
				for i, v := range plain(row) {
					named[t.Columns[i]] = v
				}
				text, err := json.Marshal(named)
				if err != nil {
					return err
				}
				for i, b := range sha256.Sum256(text) {
					sum[i] ^= b
				}
				rows++
				return nil
			}); err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
			out[t.Name] = Content{rows, hex.EncodeToString(sum[:])}
		}
		return nil
	})
	return out, err
}

// Differences answers the tables that do not hold the same, but for those that may.
func Differences(a, b map[string]Content, may []string) []string {
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	for _, name := range may {
		delete(names, name)
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool { return a[name] == b[name] })
	return slices.Sorted(maps.Keys(names))
}

// Copy restores what from holds into into, an empty database whose tables stand as from's do, and leaves it closed; after as of Restore.
func Copy(ctx context.Context, from, into *db.DB, version string, now time.Time, after func(*db.Tx) error) (Header, Summary, error) {
	r, w := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		_, _, err := Write(ctx, from, w, Header{Version: version, TakenAt: now.UTC().Truncate(time.Microsecond)})
		w.CloseWithError(err)
		wrote <- err
	}()
	defer func() { r.Close(); <-wrote }()
	reader, err := Open(r)
	if err != nil {
		return Header{}, Summary{}, err
	}
	sum, err := reader.Restore(ctx, into, now, after)
	return reader.Header, sum, err
}

// Shut closes a database that was copied elsewhere, so that a server that is started on it lets nobody in.
func Shut(ctx context.Context, d *db.DB, h Header, now time.Time) error {
	if err := d.Tx(ctx, func(tx *db.Tx) error { return closeDatabase(tx, h, now) }); err != nil {
		return fmt.Errorf("close the database that was copied: %w", err)
	}
	return nil
}
