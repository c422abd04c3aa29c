package audit

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Citation names records of the log so that whoever holds it needs nothing else to see that they stood in the log of Size records
// with this root, and what they said.
type Citation struct {
	Size    int64   `json:"size"`
	Root    string  `json:"root"` // as in a Report
	Records []Cited `json:"records"`
}

// Cited is one record: its leaf as it was hashed, and the hashes that lead from it to the root (RFC 6962 section 2.1.1).
type Cited struct {
	Seq  int64    `json:"seq"`
	Leaf string   `json:"leaf"`
	Path []string `json:"path"` // base64
}

// stored reads hashes of the tree as it stands.
type stored struct{ handle *gorm.DB }

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := memory{}
	for part := range slices.Chunk(indexes, 500) {
		if err := found.load(s.handle, part); err != nil {
			return nil, err
		}
	}
	return found.ReadHashes(indexes)
}

// load puts stored hashes into m.
func (m memory) load(handle *gorm.DB, indexes []int64) error {
	var rows []struct {
		Idx  int64
		Hash string
	}
	if err := handle.Raw("select idx, hash from audit_hashes where idx in ?", db.Pad(indexes)).Scan(&rows).Error; err != nil {
		return err
	}
	for _, row := range rows {
		raw, err := hex.DecodeString(row.Hash)
		if err != nil || len(raw) != tlog.HashSize {
			return fmt.Errorf("audit: hash %d is damaged", row.Idx)
		}
		m[row.Idx] = tlog.Hash(raw)
	}
	for _, index := range indexes {
		if _, ok := m[index]; !ok {
			return fmt.Errorf("audit: hash %d is missing", index)
		}
	}
	return nil
}

// Cite answers these records with the proof that each stands in the log as it is now. One that does not exist is ErrBroken.
func Cite(ctx context.Context, d *db.DB, seqs []int64) (Citation, error) {
	seqs = slices.Clone(seqs)
	slices.Sort(seqs)
	seqs = slices.Compact(seqs)
	c := Citation{Records: []Cited{}}
	err := d.Snapshot(ctx, func(handle *gorm.DB) error {
		if err := handle.Raw("select size from audit_tree where id = 1").Scan(&c.Size).Error; err != nil {
			return err
		}
		root, err := rootOf(c.Size, stored{handle})
		if err != nil {
			return err
		}
		c.Root = root
		leaves := map[int64]string{}
		for part := range slices.Chunk(seqs, 500) {
			var rows []struct {
				Seq  int64
				Leaf string
			}
			if err := handle.Raw("select seq, leaf from audit_records where seq in ?", db.Pad(part)).Scan(&rows).Error; err != nil {
				return err
			}
			for _, row := range rows {
				leaves[row.Seq] = row.Leaf
			}
		}
		for _, seq := range seqs {
			text, ok := leaves[seq]
			if !ok || seq >= c.Size {
				return fmt.Errorf("%w: record %d is missing", ErrBroken, seq)
			}
			proof, err := tlog.ProveRecord(c.Size, seq, stored{handle})
			if err != nil {
				return err
			}
			one := Cited{Seq: seq, Leaf: text, Path: make([]string, len(proof))}
			for i, h := range proof {
				one.Path[i] = base64.StdEncoding.EncodeToString(h[:])
			}
			c.Records = append(c.Records, one)
		}
		return nil
	})
	if err != nil {
		return Citation{}, fmt.Errorf("cite audit log: %w", err)
	}
	return c, nil
}

func rootOf(size int64, reader tlog.HashReader) (string, error) {
	if size == 0 {
		return emptyRoot(), nil
	}
	root, err := tlog.TreeHash(size, reader)
	return hex.EncodeToString(root[:]), err
}

// Check tells by ErrBroken which record of the citation does not lead to its root, and answers them all as they were hashed. It needs
// no database.
func (c Citation) Check() ([]Record, error) {
	raw, err := hex.DecodeString(c.Root)
	if err != nil || len(raw) != tlog.HashSize {
		return nil, fmt.Errorf("%w: the root is no hash", ErrBroken)
	}
	out := make([]Record, len(c.Records))
	for i, one := range c.Records {
		proof := make(tlog.RecordProof, len(one.Path))
		for j, text := range one.Path {
			h, err := base64.StdEncoding.DecodeString(text)
			if err != nil || len(h) != tlog.HashSize {
				return nil, fmt.Errorf("%w: the path of record %d is no list of hashes", ErrBroken, one.Seq)
			}
			proof[j] = tlog.Hash(h)
		}
		if one.Seq < 0 || one.Seq >= c.Size || tlog.CheckRecord(proof, c.Size, tlog.Hash(raw), one.Seq, tlog.RecordHash([]byte(one.Leaf))) != nil {
			return nil, fmt.Errorf("%w: record %d does not lead to the root", ErrBroken, one.Seq)
		}
		var l leaf
		if err := json.Unmarshal([]byte(one.Leaf), &l); err != nil || l.Seq != one.Seq {
			return nil, fmt.Errorf("%w: record %d is not the one it says", ErrBroken, one.Seq)
		}
		out[i] = l.record()
	}
	return out, nil
}

func (l leaf) record() Record {
	return Record{Seq: l.Seq, At: time.UnixMicro(l.At).UTC(), Actor: l.Actor, Action: l.Action, Subject: l.Subject, Cause: l.Cause, RequestID: l.RequestID, Public: l.Public}
}

// Looked is the action of records that say who looked at somebody: of them, not about what became of them.
const Looked = "person.looked_at"

// About answers the records about these subjects since an instant, in order, without what is personal and without who looked at them; at most limit.
func About(ctx context.Context, d *db.DB, subjects []string, at time.Time, limit int) ([]Record, error) {
	from, err := since(ctx, d, at.Add(-slack))
	if err != nil {
		return nil, err
	}
	var out []Record
	for part := range slices.Chunk(subjects, 500) {
		found, err := leaves(d.Read(ctx), "select leaf from audit_records where subject in ? and seq >= ? and action <> ? order by seq limit ?", db.Pad(part), from, Looked, limit)
		if err != nil {
			return nil, err
		}
		out = append(out, slices.DeleteFunc(found, func(r Record) bool { return r.At.Before(at) })...)
	}
	slices.SortFunc(out, func(a, b Record) int { return int(a.Seq - b.Seq) })
	return out[:min(len(out), limit)], nil
}

// slack is by how much the instants of two records may stand in another order than their numbers: a transaction notes when it began.
const slack = 10 * time.Minute

// Each has see called with every record of an interval [from, until), in order of their numbers, without what is personal, a page at a time.
func Each(ctx context.Context, d *db.DB, from, until time.Time, see func([]Record) error) error {
	next, err := since(ctx, d, from.Add(-slack))
	if err != nil {
		return err
	}
	const page = 1000
	for {
		found, err := leaves(d.Read(ctx), "select leaf from audit_records where seq >= ? order by seq limit ?", next, page)
		if err != nil || len(found) == 0 {
			return err
		}
		next = found[len(found)-1].Seq + 1
		over := found[len(found)-1].At.After(until.Add(slack))
		inside := slices.DeleteFunc(found, func(r Record) bool { return r.At.Before(from) || !r.At.Before(until) })
		if len(inside) > 0 {
			if err := see(inside); err != nil {
				return err
			}
		}
		if over {
			return nil
		}
	}
}

// since answers the number of a record before which none is younger than at, but for slack.
func since(ctx context.Context, d *db.DB, at time.Time) (int64, error) {
	var low, high int64
	if err := d.Read(ctx).Raw("select size from audit_tree where id = 1").Scan(&high).Error; err != nil {
		return 0, fmt.Errorf("read audit log: %w", err)
	}
	for low < high {
		middle := (low + high) / 2
		var then int64
		if err := d.Read(ctx).Raw("select at from audit_records where seq = ?", middle).Scan(&then).Error; err != nil {
			return 0, fmt.Errorf("read audit log: %w", err)
		}
		if then < at.UnixMicro() {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

func leaves(handle *gorm.DB, query string, args ...any) ([]Record, error) {
	var texts []string
	if err := handle.Raw(query, args...).Scan(&texts).Error; err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	out := make([]Record, len(texts))
	for i, text := range texts {
		var l leaf
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			return nil, fmt.Errorf("read audit log: %w", err)
		}
		out[i] = l.record()
	}
	return out, nil
}
