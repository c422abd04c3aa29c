// Package notices owns what the product itself tells people: rows of ids, keys and instants, of which the console makes texts in
// the reader's language.
//
// It guarantees that a notice is part of the transaction it is about, that the same one is never told twice, that what may be
// told again is told once a day at most, and that no row holds a name or another person's word. It never decides who ought to
// know what, and what stands here decides nothing.
package notices

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the table of notices up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "notices", migrations) }

// The errors of this package.
var (
	// ErrNotFound says that the person has no such notice.
	ErrNotFound = errors.New("no such notice")
	// ErrInvalid says that a notice lacks what it needs, or holds what it must not.
	ErrInvalid = errors.New("notice is not valid")
)

// Kind says what a notice is about. Each package that tells declares its own; the console has a text for each.
type Kind string

// Day is how far apart two notices of one key stand at least.
const Day = 24 * time.Hour

// kept is how long a notice stays.
const kept = 400 * Day

// Notice is one thing that somebody is told. About names what it is about: ids, keys of the policy, numbers, instants in RFC 3339;
// a name has no place in it.
type Notice struct {
	ID     id.Notice
	Person id.Person // who is told
	Kind   Kind
	About  map[string]string
	Key    string // what it is, to this person: told once
	Again  bool   // the same key may be told again, a day after the last time
	Undoes Kind   // an unread notice of this kind under the same key, of the last day, is taken back, and this one not told; empty: none
	At     time.Time
	ReadAt time.Time // zero: unread
}

// Tell writes notices in tx. One whose key the person was told before is left out; where it may be told again, and a day has
// passed, it takes the place of the old one, unread. One that undoes another takes that away, where nobody read it. The rows belong to the domain's: tell before feed, authz and audit.
func Tell(tx *db.Tx, list ...Notice) error {
	for _, n := range list {
		if n.Person == "" || n.Kind == "" || n.Key == "" || n.At.IsZero() {
			return fmt.Errorf("%w: %s wants person, kind, key and instant", ErrInvalid, n.Kind)
		}
		for name, value := range n.About {
			if strings.ContainsFunc(value, foreign) {
				return fmt.Errorf("%w: %s of %s is neither id, key nor instant", ErrInvalid, name, n.Kind)
			}
		}
		last := n.At.Add(-Day)
		if !n.Again { // nothing is that old
			last = time.UnixMicro(0)
		}
		if n.Undoes != "" {
			gone := tx.Exec("delete from notices where person = ? and key = ? and kind = ? and read_at is null and at > ?", n.Person, n.Key, n.Undoes, n.At.Add(-Day).UnixMicro())
			if gone.Error != nil {
				return fmt.Errorf("take back %s: %w", n.Undoes, gone.Error)
			}
			if gone.RowsAffected > 0 {
				continue
			}
		}
		row := rowOf(n)
		row.ID = cmp.Or(n.ID, id.New[id.Notice]())
		if err := tx.Exec(`insert into notices (id, person, kind, about, key, at, read_at) values (?, ?, ?, ?, ?, ?, null)
			on conflict (person, key) do update set kind = excluded.kind, about = excluded.about, at = excluded.at, read_at = null where notices.at <= ?`,
			row.ID, row.Person, row.Kind, row.About, row.Key, row.At, last.UnixMicro()).Error; err != nil {
			return fmt.Errorf("tell %s: %w", n.Kind, err)
		}
	}
	return nil
}

// foreign tells what has no place in an id, a key of the policy, a number or an instant.
func foreign(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.:/+", r)
}

// Withdraw takes back, in tx, whatever anybody was told under keys that begin so: it did not come about.
func Withdraw(tx *db.Tx, prefix string) error {
	if prefix == "" {
		return fmt.Errorf("%w: an empty prefix", ErrInvalid)
	}
	if err := tx.Exec("delete from notices where substr(key, 1, ?) = ?", len(prefix), prefix).Error; err != nil {
		return fmt.Errorf("withdraw %s: %w", prefix, err)
	}
	return nil
}

// Store reads notices and notes what was read. Now is the clock; nil means time.Now.
type Store struct {
	DB  *db.DB
	Now func() time.Time
}

func (s *Store) clock() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// place is where a page ends.
type place struct {
	At int64     `json:"at"`
	ID id.Notice `json:"id"`
}

// list answers up to limit notices of person below after, the newest first.
func (s *Store) list(ctx context.Context, person id.Person, unread bool, after *place, limit int) ([]Notice, error) {
	query, args := "select * from notices where person = ?", []any{person}
	if unread {
		query += " and read_at is null"
	}
	if after != nil {
		query += " and (at < ? or at = ? and id < ?)"
		args = append(args, after.At, after.At, after.ID)
	}
	var rows []noticeRow
	if err := s.DB.Read(ctx).Raw(query+" order by at desc, id desc limit ?", append(args, limit)...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	out := make([]Notice, len(rows))
	for i, row := range rows {
		out[i] = row.notice()
	}
	return out, nil
}

// Told answers the notices of a kind since an instant, in the order of their keys.
func (s *Store) Told(ctx context.Context, kind Kind, since time.Time) ([]Notice, error) {
	var rows []noticeRow
	if err := s.DB.Read(ctx).Raw("select * from notices where kind = ? and at > ? order by key, person", kind, since.UnixMicro()).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	out := make([]Notice, len(rows))
	for i, row := range rows {
		out[i] = row.notice()
	}
	return out, nil
}

// Unread answers how many notices of person are unread.
func (s *Store) Unread(ctx context.Context, person id.Person) (int, error) {
	var n int
	if err := s.DB.Read(ctx).Raw("select count(*) from notices where person = ? and read_at is null", person).Scan(&n).Error; err != nil {
		return 0, fmt.Errorf("count notices: %w", err)
	}
	return n, nil
}

// Read notes that person has read one notice; read before is no error. ErrNotFound where it is nobody's or another's.
func (s *Store) Read(ctx context.Context, person id.Person, notice id.Notice) error {
	return s.DB.Tx(ctx, func(tx *db.Tx) error {
		done := tx.Exec("update notices set read_at = coalesce(read_at, ?) where id = ? and person = ?", db.At(s.clock()), notice, person)
		if done.Error != nil {
			return fmt.Errorf("mark notice read: %w", done.Error)
		}
		if done.RowsAffected == 0 {
			return fmt.Errorf("notice %s: %w", notice, ErrNotFound)
		}
		return nil
	})
}

// ReadAll notes that person has read everything told up to the instant.
func (s *Store) ReadAll(ctx context.Context, person id.Person, upTo time.Time) error {
	return s.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Exec("update notices set read_at = ? where person = ? and read_at is null and at <= ?", db.At(s.clock()), person, db.At(upTo)).Error; err != nil {
			return fmt.Errorf("mark notices read: %w", err)
		}
		return nil
	})
}

// Prune forgets notices that are older than 400 days. It writes nothing where there is none.
func (s *Store) Prune(ctx context.Context) error {
	before := db.At(s.clock().Add(-kept))
	var old int
	if err := s.DB.Read(ctx).Raw("select count(*) from (select 1 from notices where at < ? limit 1) x", before).Scan(&old).Error; err != nil || old == 0 {
		return err
	}
	return s.DB.Tx(ctx, func(tx *db.Tx) error { return tx.Exec("delete from notices where at < ?", before).Error })
}
