// Package backup writes the whole database into one stream and reads it into an empty one, of either engine. It owns the state of a database
// that was restored: closed, until it is opened.
//
// It guarantees that a backup is one state of the database, taken while servers run; that a restored database holds the same rows, in one
// transaction with the mark that closes it; and that a stream that was cut or altered restores nothing. It never holds secrets of the
// configuration, and it knows no domain: what a row means, and what must not live on after a restore, its owner says.
package backup

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
	"unicode/utf8"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of the state up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "backup", migrations) }

const format = "rollcall backup 1"

// Header is the first line of a backup.
type Header struct {
	Format     string           `json:"format"`
	Version    string           `json:"version"` // of the program that wrote it
	Engine     db.Engine        `json:"engine"`
	TakenAt    time.Time        `json:"taken_at"`
	Migrations map[string]int64 `json:"migrations"` // by package: how far its tables were
	AuditSize  int64            `json:"audit_size"`
	AuditRoot  string           `json:"audit_root"`
}

// table is the line before the rows of a table.
type table struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
}

// Summary is the last line: what stands before it.
type Summary struct {
	Rows   map[string]int64 `json:"rows"`
	SHA256 string           `json:"sha256"` // of every byte before this line
}

// Total is how many rows there are.
func (s Summary) Total() (n int64) {
	for _, rows := range s.Rows {
		n += rows
	}
	return n
}

// Errors of reading a backup.
var (
	ErrForm     = errors.New("this is no backup of Rollcall, or it is not whole")
	ErrNotEmpty = errors.New("the database is not empty: a backup is restored into an empty one")
)

// hashed counts every byte that passes.
type hashed struct {
	w   io.Writer
	sum hash.Hash
}

func (h *hashed) Write(p []byte) (int, error) {
	h.sum.Write(p)
	return h.w.Write(p)
}

// Write writes a backup of one state of d into w. h holds what only the caller knows of the header.
func Write(ctx context.Context, d *db.DB, w io.Writer, h Header) (Header, Summary, error) {
	pressed := gzip.NewWriter(w)
	out := &hashed{bufio.NewWriterSize(pressed, 1<<16), sha256.New()}
	h.Format, h.Engine = format, d.Engine
	summary := Summary{Rows: map[string]int64{}}
	err := d.Dump(ctx, func(dump *db.Dump) error {
		var err error
		if h.Migrations, err = dump.Migrations(); err != nil {
			return err
		}
		if h.AuditSize, h.AuditRoot, err = dump.Audit(audit.RootIn); err != nil {
			return err
		}
		if err := line(out, h); err != nil {
			return err
		}
		for _, t := range dump.Tables() {
			if err := line(out, table{t.Name, t.Columns}); err != nil {
				return err
			}
			summary.Rows[t.Name] = 0
			if err := dump.Rows(t, func(row []any) error {
				summary.Rows[t.Name]++
				return line(out, plain(row))
			}); err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return h, summary, fmt.Errorf("back up: %w", err)
	}
	summary.SHA256 = hex.EncodeToString(out.sum.Sum(nil))
	if err := errors.Join(line(out, summary), out.w.(*bufio.Writer).Flush(), pressed.Close()); err != nil {
		return h, summary, fmt.Errorf("back up: %w", err)
	}
	return h, summary, nil
}

func line(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// raw is a text that is no UTF-8.
type raw struct {
	Base64 string `json:"base64"`
}

func plain(row []any) []any {
	for i, v := range row {
		if text, ok := v.(string); ok && !utf8.ValidString(text) {
			row[i] = raw{base64.StdEncoding.EncodeToString([]byte(text))}
		}
	}
	return row
}

// Reader reads a backup, from its header on.
type Reader struct {
	Header Header

	in  *bufio.Reader
	sum hash.Hash
}

// Open reads the header of a backup.
func Open(r io.Reader) (*Reader, error) {
	pressed, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	b := &Reader{in: bufio.NewReaderSize(pressed, 1<<16), sum: sha256.New()}
	text, err := b.next()
	if err != nil || json.Unmarshal(text, &b.Header) != nil || b.Header.Format != format {
		return nil, errors.Join(ErrForm, err)
	}
	b.sum.Write(text)
	return b, nil
}

func (b *Reader) next() ([]byte, error) {
	text, err := b.in.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	return text, nil
}

// batch is how many rows are written at a time.
const batch = 500

// Restore writes everything into d, whose tables stand as the header's migrations left them, and closes it; then, in the same transaction, after. It
// is all or nothing: a backup that is not whole leaves d as it was.
func (b *Reader) Restore(ctx context.Context, d *db.DB, now time.Time, after func(*db.Tx) error) (Summary, error) {
	var found Summary
	err := d.Load(ctx, func(load *db.Load) error {
		found = Summary{Rows: map[string]int64{}}
		var at table
		var rows [][]any
		flush := func() error {
			err := load.Insert(at.Table, at.Columns, rows)
			rows = rows[:0]
			return err
		}
		for {
			text, err := b.next()
			if err != nil {
				return err
			}
			if text[0] == '[' {
				row, err := values(text)
				if err != nil || len(row) != len(at.Columns) {
					return errors.Join(ErrForm, err)
				}
				b.sum.Write(text)
				found.Rows[at.Table]++
				if rows = append(rows, row); len(rows) == batch {
					if err := flush(); err != nil {
						return err
					}
				}
				continue
			}
			if err := flush(); err != nil {
				return err
			}
			var said struct {
				table
				Summary
			}
			if err := json.Unmarshal(text, &said); err != nil {
				return fmt.Errorf("%w: %w", ErrForm, err)
			}
			if said.Table != "" {
				b.sum.Write(text)
				at = said.table
				found.Rows[at.Table] = 0
				continue
			}
			if said.SHA256 != hex.EncodeToString(b.sum.Sum(nil)) || said.Total() != found.Total() {
				return fmt.Errorf("%w: it was altered", ErrForm)
			}
			found.SHA256 = said.SHA256
			if err := closeDatabase(load.Tx, b.Header, now); err != nil {
				return err
			}
			return after(load.Tx)
		}
	})
	if err != nil {
		return found, fmt.Errorf("restore: %w", err)
	}
	return found, nil
}

// values reads a row.
func values(text []byte) ([]any, error) {
	var row []json.RawMessage
	if err := json.Unmarshal(text, &row); err != nil {
		return nil, err
	}
	out := make([]any, len(row))
	for i, v := range row {
		switch v[0] {
		case 'n':
		case '"':
			var text string
			if err := json.Unmarshal(v, &text); err != nil {
				return nil, err
			}
			out[i] = text
		case 't', 'f':
			out[i] = v[0] == 't'
		case '{':
			var r raw
			if err := json.Unmarshal(v, &r); err != nil {
				return nil, err
			}
			text, err := base64.StdEncoding.DecodeString(r.Base64)
			if err != nil {
				return nil, err
			}
			out[i] = string(text)
		default:
			var n int64
			if err := json.Unmarshal(v, &n); err != nil {
				return nil, err
			}
			out[i] = n
		}
	}
	return out, nil
}
