package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
)

const exportFormat = "rollcall audit 1"

// Export is records of the log as they were hashed, kept elsewhere: of each the leaf, without personal payloads. It ends with record Size-1,
// and with the root of the log at that size.
type Export struct {
	Format string `json:"format"`
	From   int64  `json:"from"`
	Size   int64  `json:"size"`
	Root   string `json:"root"`

	leaves []string
}

// RootIn answers the root of the log at size, as handle's state has it.
func RootIn(handle *gorm.DB, size int64) (string, error) { return rootOf(size, stored{handle}) }

// WriteExport writes the records from a number on, one a line behind a line that says which, and answers that line.
func WriteExport(ctx context.Context, d *db.DB, from int64, w io.Writer) (Export, error) {
	e := Export{Format: exportFormat, From: from}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	err := d.Snapshot(ctx, func(handle *gorm.DB) (err error) {
		if err := handle.Raw("select size from audit_tree where id = 1").Scan(&e.Size).Error; err != nil {
			return err
		}
		if from < 0 || from > e.Size {
			return fmt.Errorf("there are %d records, none from %d on", e.Size, from)
		}
		if e.Root, err = RootIn(handle, e.Size); err != nil {
			return err
		}
		if err := out.Encode(e); err != nil {
			return err
		}
		rows, err := handle.Raw("select seq, leaf from audit_records where seq >= ? and seq < ? order by seq", from, e.Size).Rows()
		if err != nil {
			return err
		}
		defer rows.Close()
		for next := from; rows.Next(); next++ {
			var one Leaf
			if err := rows.Scan(&one.Seq, &one.Text); err != nil {
				return err
			}
			if one.Seq != next {
				return fmt.Errorf("%w: record %d is missing", ErrBroken, next)
			}
			if err := out.Encode(one); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return e, fmt.Errorf("export audit log: %w", err)
	}
	return e, nil
}

// ReadExport reads what WriteExport wrote. Whether it is true Continues says.
func ReadExport(r io.Reader) (Export, error) {
	in := json.NewDecoder(bufio.NewReader(r))
	var e Export
	if err := in.Decode(&e); err != nil || e.Format != exportFormat || e.From < 0 || e.Size < e.From {
		return e, errors.New("this is no export of an audit log")
	}
	for seq := e.From; seq < e.Size; seq++ {
		var one Leaf
		if err := in.Decode(&one); err != nil || one.Seq != seq {
			return e, fmt.Errorf("the export ends at record %d, of %d", seq, e.Size)
		}
		e.leaves = append(e.leaves, one.Text)
	}
	return e, nil
}

// Records answers the export's records from a number on.
func (e Export) Records(from int64) ([]Record, error) {
	var out []Record
	for i, text := range e.leaves {
		if e.From+int64(i) < from {
			continue
		}
		var l leaf
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			return nil, fmt.Errorf("%w: record %d cannot be read", ErrBroken, e.From+int64(i))
		}
		out = append(out, l.record())
	}
	return out, nil
}

// spliced are the hashes of a log whose records up to some number stand in handle and whose others are new.
type spliced struct {
	memory
	handle *gorm.DB
	own    int64 // hashes below it stand in handle
}

func (s spliced) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var old []int64
	for _, index := range indexes {
		if _, ok := s.memory[index]; !ok && index < s.own {
			old = append(old, index)
		}
	}
	if len(old) > 0 {
		if err := s.memory.load(s.handle, old); err != nil {
			return nil, err
		}
	}
	return s.memory.ReadHashes(indexes)
}

// Continues tells by its error whether the export goes on where d's log was at size: its records, put behind the first size ones of d, lead to the
// export's root. What d's log holds since is not looked at.
func (e Export) Continues(ctx context.Context, d *db.DB, size int64) error {
	if e.From > size || e.Size < size {
		return fmt.Errorf("the export holds the records from %d to %d, and the backup has the first %d", e.From, e.Size, size)
	}
	return d.Snapshot(ctx, func(handle *gorm.DB) error {
		tree := spliced{memory{}, handle, tlog.StoredHashCount(size)}
		for seq := size; seq < e.Size; seq++ {
			hashes, err := tlog.StoredHashes(seq, []byte(e.leaves[seq-e.From]), tree)
			if err != nil {
				return err
			}
			at := tlog.StoredHashIndex(0, seq)
			for j, h := range hashes {
				tree.memory[at+int64(j)] = h
			}
		}
		root, err := rootOf(e.Size, tree)
		if err != nil {
			return err
		}
		if root != e.Root {
			return fmt.Errorf("%w: the export does not go on where the backup ends", ErrBroken)
		}
		return nil
	})
}
