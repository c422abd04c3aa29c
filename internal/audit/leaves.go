package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Leaf is one record as it was hashed: the text without what is personal. Its hash is that of RFC 6962 section 2.1 over Text.
type Leaf struct {
	Seq  int64  `json:"seq"`
	Text string `json:"leaf"`
}

// Record answers what the leaf says.
func (l Leaf) Record() (Record, error) {
	var found leaf
	if err := json.Unmarshal([]byte(l.Text), &found); err != nil || found.Seq != l.Seq {
		return Record{}, fmt.Errorf("%w: record %d cannot be read", ErrBroken, l.Seq)
	}
	return found.record(), nil
}

// Leaves answers the records from a number on, at most limit, and how many there are in all. One that is missing is ErrBroken.
func Leaves(ctx context.Context, d *db.DB, from int64, limit int) ([]Leaf, int64, error) {
	var out []Leaf
	var size int64
	err := d.Snapshot(ctx, func(handle *gorm.DB) error {
		if err := handle.Raw("select size from audit_tree where id = 1").Scan(&size).Error; err != nil {
			return err
		}
		if size <= from {
			return nil
		}
		return handle.Raw("select seq, leaf as text from audit_records where seq >= ? and seq < ? order by seq limit ?", from, size, limit).Scan(&out).Error
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read audit log: %w", err)
	}
	for i, l := range out {
		if l.Seq != from+int64(i) {
			return nil, 0, fmt.Errorf("%w: record %d is missing", ErrBroken, from+int64(i))
		}
	}
	if len(out) < limit && from+int64(len(out)) < size {
		return nil, 0, fmt.Errorf("%w: record %d is missing", ErrBroken, from+int64(len(out)))
	}
	return out, size, nil
}

// Size answers how many records there are.
func Size(ctx context.Context, d *db.DB) (size int64, err error) {
	if err := d.Read(ctx).Raw("select size from audit_tree where id = 1").Scan(&size).Error; err != nil {
		return 0, fmt.Errorf("read audit log: %w", err)
	}
	return size, nil
}

// RootAt answers the root of the first size records, hex.
func RootAt(ctx context.Context, d *db.DB, size int64) (root string, err error) {
	err = d.Snapshot(ctx, func(handle *gorm.DB) error {
		root, err = RootIn(handle, size)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("root of the audit log: %w", err)
	}
	return root, nil
}

// Tree hashes leaves one after the other, from the first, without a database.
type Tree struct {
	hashes memory
	size   int64
}

// Add hashes the next leaf.
func (t *Tree) Add(text string) error {
	if t.hashes == nil {
		t.hashes = memory{}
	}
	hashes, err := tlog.StoredHashes(t.size, []byte(text), t.hashes)
	if err != nil {
		return err
	}
	first := tlog.StoredHashIndex(0, t.size)
	for i, h := range hashes {
		t.hashes[first+int64(i)] = h
	}
	t.size++
	return nil
}

// Size answers how many leaves there are.
func (t *Tree) Size() int64 { return t.size }

// Root answers the root of the first size leaves, hex.
func (t *Tree) Root(size int64) (string, error) {
	if size > t.size {
		return "", fmt.Errorf("%w: it has %d records and had %d", ErrBroken, t.size, size)
	}
	return rootOf(size, t.hashes)
}
