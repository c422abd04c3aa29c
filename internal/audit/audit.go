// Package audit owns the record of who changed what, why: a transparency log (RFC 6962 hashes through
// golang.org/x/mod/sumdb/tlog) written in the transaction of the change itself.
// It guarantees that no record can be altered, dropped or put in later without Verify seeing it, and that
// personal payloads can be erased without breaking the chain. It never holds secrets or message bodies.
package audit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the audit tables up to date.
func Migrate(ctx context.Context, d *db.DB) error {
	return d.Migrate(ctx, "audit", migrations)
}

// Record is one line of the log. Everything but Personal is part of the hashed leaf and stays for ever; of
// Personal the leaf holds a salted hash, so that its payload can be erased.
type Record struct {
	Seq       int64          `json:"seq"`
	At        time.Time      `json:"at"`
	Actor     string         `json:"actor"`   // id of a person, a source or a token; "system"
	Action    string         `json:"action"`  // "person.frozen", "policy.applied" …
	Subject   string         `json:"subject"` // id of what was changed
	Cause     string         `json:"cause,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	Public    map[string]any `json:"public,omitempty"`
	Personal  map[string]any `json:"personal,omitempty"`
	Erased    bool           `json:"erased,omitempty"` // the personal payload existed and was erased
}

// leaf is what is hashed. Its fields are never renamed or reordered once released.
type leaf struct {
	Seq          int64          `json:"seq"`
	At           int64          `json:"at"`
	Actor        string         `json:"actor"`
	Action       string         `json:"action"`
	Subject      string         `json:"subject"`
	Cause        string         `json:"cause,omitempty"`
	RequestID    string         `json:"request_id,omitempty"`
	Public       map[string]any `json:"public,omitempty"`
	PersonalHash string         `json:"personal_hash,omitempty"`
}

type overlay struct {
	tx    *db.Tx
	fresh memory
}

func (o overlay) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var stored []int64
	for _, index := range indexes {
		if _, ok := o.fresh[index]; !ok {
			stored = append(stored, index)
		}
	}
	if len(stored) > 0 {
		if err := o.fresh.load(o.tx.DB, stored); err != nil {
			return nil, err
		}
	}
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = o.fresh[index]
	}
	return out, nil
}

// Append writes records in tx. The tree's row stays locked until the end of tx, so this is the last write of
// a transaction. Seq and, where zero, At are filled in.
func Append(tx *db.Tx, records ...Record) error {
	if len(records) == 0 {
		return nil
	}
	var size int64
	if err := tx.Raw("update audit_tree set size = size + ? where id = 1 returning size", len(records)).Scan(&size).Error; err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	reader := overlay{tx: tx, fresh: make(memory, 2*len(records)+64)}
	rows, personal, hashes := make([][]any, 0, len(records)), make([][]any, 0, len(records)), make([][]any, 0, 2*len(records)+64)
	for i, r := range records {
		r.Seq = size - int64(len(records)) + int64(i)
		if r.At.IsZero() {
			r.At = time.Now()
		}
		l := leaf{Seq: r.Seq, At: r.At.UnixMicro(), Actor: r.Actor, Action: r.Action, Subject: r.Subject, Cause: r.Cause, RequestID: r.RequestID, Public: r.Public}
		if len(r.Personal) > 0 {
			payload, err := json.Marshal(r.Personal)
			if err != nil {
				return fmt.Errorf("append to audit log: %w", err)
			}
			var salt [16]byte
			rand.Read(salt[:])
			text := hex.EncodeToString(salt[:])
			l.PersonalHash = personalHash(text, payload)
			personal = append(personal, []any{r.Seq, text, string(payload)})
		}
		data, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("append to audit log: %w", err)
		}
		rows = append(rows, []any{r.Seq, l.At, r.Actor, r.Action, r.Subject, string(data)})
		stored, err := tlog.StoredHashes(r.Seq, data, reader)
		if err != nil {
			return fmt.Errorf("append to audit log: %w", err)
		}
		first := tlog.StoredHashIndex(0, r.Seq)
		for j, h := range stored {
			reader.fresh[first+int64(j)] = h
			hashes = append(hashes, []any{first + int64(j), hex.EncodeToString(h[:])})
		}
	}
	err := tx.Insert("audit_records", []string{"seq", "at", "actor", "action", "subject", "leaf"}, rows)
	if err == nil {
		err = tx.Insert("audit_personal", []string{"seq", "salt", "payload"}, personal)
	}
	if err == nil {
		err = tx.Insert("audit_hashes", []string{"idx", "hash"}, hashes)
	}
	if err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	return nil
}

func personalHash(salt string, payload []byte) string {
	sum := sha256.Sum256(append([]byte(salt+"\n"), payload...))
	return hex.EncodeToString(sum[:])
}

// Filter chooses records; zero fields choose all. Before is exclusive; 0 means from the newest.
type Filter struct {
	Actor, Action, Subject string
	Without                string // an action that is left out
	Before                 int64
	Limit                  int
}

// List answers records, newest first, at most 200.
func List(ctx context.Context, d *db.DB, f Filter) ([]Record, error) {
	q := d.Read(ctx).Table("audit_records").Select("audit_records.seq, audit_records.leaf, audit_personal.payload").
		Joins("left join audit_personal on audit_personal.seq = audit_records.seq").Order("audit_records.seq desc")
	for column, value := range map[string]string{"actor": f.Actor, "action": f.Action, "subject": f.Subject} {
		if value != "" {
			q = q.Where("audit_records."+column+" = ?", value)
		}
	}
	if f.Without != "" {
		q = q.Where("audit_records.action <> ?", f.Without)
	}
	if f.Before > 0 {
		q = q.Where("audit_records.seq < ?", f.Before)
	}
	if f.Limit <= 0 || f.Limit > 200 {
		f.Limit = 200
	}
	var rows []struct {
		Seq     int64
		Leaf    string
		Payload *string
	}
	if err := q.Limit(f.Limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list audit log: %w", err)
	}
	out := make([]Record, len(rows))
	for i, row := range rows {
		var l leaf
		if err := json.Unmarshal([]byte(row.Leaf), &l); err != nil {
			return nil, fmt.Errorf("list audit log: record %d: %w", row.Seq, err)
		}
		out[i] = l.record()
		out[i].Erased = l.PersonalHash != "" && row.Payload == nil
		if row.Payload != nil {
			if err := json.Unmarshal([]byte(*row.Payload), &out[i].Personal); err != nil {
				return nil, fmt.Errorf("list audit log: record %d: %w", row.Seq, err)
			}
		}
	}
	return out, nil
}

// Report is what Verify found.
type Report struct {
	Size   int64  `json:"size"`   // records in the tree
	Root   string `json:"root"`   // RFC 6962 root hash over all of them, hex
	Erased int64  `json:"erased"` // records whose personal payload was erased
}

// ErrBroken says that the log does not agree with its hashes; the wrapping text names the first record.
var ErrBroken = errors.New("audit log is broken")

// Verify re-hashes every record as it stands now and compares it with the stored tree. A record altered,
// missing, added or reordered, or a personal payload changed, is ErrBroken with its number. Whoever can write the
// database can also rewrite the whole of it: an earlier Report, kept elsewhere and given as since, proves that
// what it covered still stands unchanged. The zero since asks for nothing.
func Verify(ctx context.Context, d *db.DB, since Report) (Report, error) {
	var report Report
	err := d.Snapshot(ctx, func(handle *gorm.DB) error {
		if err := handle.Raw("select size from audit_tree where id = 1").Scan(&report.Size).Error; err != nil {
			return err
		}
		tree := Tree{hashes: memory{}}
		for seq := int64(0); seq < report.Size; {
			first := seq
			var rows []struct {
				Seq                    int64
				At                     int64
				Actor, Action, Subject string
				Leaf                   string
				Salt, Payload          *string
			}
			if err := handle.Table("audit_records").Select("audit_records.*, audit_personal.salt, audit_personal.payload").
				Joins("left join audit_personal on audit_personal.seq = audit_records.seq").
				Where("audit_records.seq >= ?", seq).Order("audit_records.seq").Limit(1000).Find(&rows).Error; err != nil {
				return err
			}
			if len(rows) == 0 {
				return fmt.Errorf("%w: record %d is missing", ErrBroken, seq)
			}
			for _, row := range rows {
				if row.Seq != seq {
					return fmt.Errorf("%w: record %d is missing", ErrBroken, seq)
				}
				var l leaf
				if err := json.Unmarshal([]byte(row.Leaf), &l); err != nil {
					return fmt.Errorf("%w: record %d cannot be read", ErrBroken, seq)
				}
				if l.Seq != row.Seq || l.At != row.At || l.Actor != row.Actor || l.Action != row.Action || l.Subject != row.Subject {
					return fmt.Errorf("%w: record %d does not match its columns", ErrBroken, seq)
				}
				switch {
				case row.Payload != nil && (row.Salt == nil || personalHash(*row.Salt, []byte(*row.Payload)) != l.PersonalHash):
					return fmt.Errorf("%w: record %d has another personal payload than it was written with", ErrBroken, seq)
				case row.Payload == nil && l.PersonalHash != "":
					report.Erased++
				}
				if err := tree.Add(row.Leaf); err != nil {
					return err
				}
				seq++
			}
			if err := compare(handle, tree.hashes, first, seq); err != nil {
				return err
			}
		}
		var beyond int64
		if err := handle.Table("audit_records").Where("seq >= ? or seq < 0", report.Size).Count(&beyond).Error; err != nil {
			return err
		}
		if beyond > 0 {
			return fmt.Errorf("%w: %d records stand beyond the end of the tree", ErrBroken, beyond)
		}
		if err := handle.Table("audit_hashes").Where("idx >= ? or idx < 0", tlog.StoredHashCount(report.Size)).Count(&beyond).Error; err != nil {
			return err
		}
		if beyond > 0 {
			return fmt.Errorf("%w: %d hashes stand beyond record %d: the log was longer", ErrBroken, beyond, report.Size)
		}
		if since.Size > report.Size {
			return fmt.Errorf("%w: it has %d records and had %d", ErrBroken, report.Size, since.Size)
		}
		if since.Size > 0 {
			earlier, err := tree.Root(since.Size)
			if err != nil {
				return err
			}
			if earlier != since.Root {
				return fmt.Errorf("%w: its first %d records are not those of the earlier root", ErrBroken, since.Size)
			}
		}
		var err error
		report.Root, err = tree.Root(report.Size)
		return err
	})
	return report, err
}

// emptyRoot is the root of the empty tree (RFC 6962 section 2.1).
func emptyRoot() string { return hex.EncodeToString(sha256.New().Sum(nil)) }

// memory holds hashes of the tree by their index.
type memory map[int64]tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = m[index]
	}
	return out, nil
}

// compare holds the recomputed hashes of the records from first up to, not including, next against the stored ones.
func compare(handle *gorm.DB, fresh memory, first, next int64) error {
	start, end := tlog.StoredHashCount(first), tlog.StoredHashCount(next)
	var rows []struct {
		Idx  int64
		Hash string
	}
	if err := handle.Table("audit_hashes").Where("idx >= ? and idx < ?", start, end).Order("idx").Find(&rows).Error; err != nil {
		return err
	}
	stored := make(map[int64]string, len(rows))
	for _, row := range rows {
		stored[row.Idx] = row.Hash
	}
	for index := start; index < end; index++ {
		h := fresh[index]
		if stored[index] != hex.EncodeToString(h[:]) {
			level, n := tlog.SplitStoredHashIndex(index)
			return fmt.Errorf("%w: record %d is not the one that was written", ErrBroken, n<<level)
		}
	}
	return nil
}
