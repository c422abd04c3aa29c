package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
)

const (
	erasePage = 5_000 // payloads that are looked through at once
	eraseRows = 500
)

// Erase takes away the personal payloads of records about these subjects, and of those that name one of them or contain one of these words. The
// records stay, and so does the chain: Verify counts them. It answers how many there were.
func Erase(tx *db.Tx, subjects, words []string) (n int64, err error) {
	seqs, err := naming(tx.DB, tx.Engine(), subjects, words)
	if err != nil {
		return 0, err
	}
	for part := range slices.Chunk(seqs, eraseRows) {
		done := tx.Exec("delete from audit_personal where seq in ?", part)
		if done.Error != nil {
			return n, fmt.Errorf("erase personal payloads: %w", done.Error)
		}
		n += done.RowsAffected
	}
	return n, nil
}

// Naming answers how many payloads Erase would take away. It holds nobody up who writes.
func Naming(ctx context.Context, d *db.DB, subjects, words []string) (int64, error) {
	seqs, err := naming(d.Read(ctx), d.Engine, subjects, words)
	return int64(len(seqs)), err
}

// NamingAbout tells whether Erase would take away a payload of a record about one of these others.
func NamingAbout(ctx context.Context, d *db.DB, subjects, words, about []string) (found bool, err error) {
	seqs, err := naming(d.Read(ctx), d.Engine, subjects, words)
	if err != nil {
		return false, err
	}
	return anyAbout(d.Read(ctx), seqs, about)
}

// NamingAboutIn is NamingAbout as a transaction sees it.
func NamingAboutIn(tx *db.Tx, subjects, words, about []string) (bool, error) {
	seqs, err := naming(tx.DB, tx.Engine(), subjects, words)
	if err != nil {
		return false, err
	}
	return anyAbout(tx.DB, seqs, about)
}

func anyAbout(q *gorm.DB, seqs []int64, about []string) (bool, error) {
	for part := range slices.Chunk(seqs, eraseRows) {
		var n int64
		if err := q.Raw("select count(*) from audit_records where seq in ? and subject in ?", part, about).Scan(&n).Error; err != nil {
			return false, fmt.Errorf("look at records: %w", err)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}

func naming(q *gorm.DB, engine db.Engine, subjects, words []string) ([]int64, error) {
	find := "instr(leaf, ?) > 0"
	if engine == db.Postgres {
		find = "strpos(leaf, ?) > 0"
	}
	named, args := []string{"1 = 0"}, []any{subjects, subjects}
	for _, s := range subjects {
		named, args = append(named, find), append(args, s)
	}
	var seqs []int64
	if err := q.Raw("select p.seq from audit_personal p join audit_records r on r.seq = p.seq where r.subject in ? or r.actor not in ? and ("+strings.Join(named, " or ")+")",
		args...).Scan(&seqs).Error; err != nil {
		return nil, fmt.Errorf("look for records: %w", err)
	}
	said, err := saying(q, append(slices.Clone(subjects), words...))
	seqs = append(seqs, said...)
	slices.Sort(seqs)
	return slices.Compact(seqs), err
}

// saying answers the records whose payload contains one of these words, in whatever case. Payloads are compared here: the engines fold a text anew
// for every word.
func saying(q *gorm.DB, words []string) (seqs []int64, err error) {
	for i, word := range words {
		words[i] = strings.ToLower(word)
	}
	for last := int64(-1); ; {
		var page []struct {
			Seq     int64
			Payload string
		}
		if err := q.Raw("select seq, payload from audit_personal where seq > ? order by seq limit ?", last, erasePage).Scan(&page).Error; err != nil {
			return nil, fmt.Errorf("read payloads: %w", err)
		}
		for _, row := range page {
			payload := strings.ToLower(row.Payload)
			if slices.ContainsFunc(words, func(word string) bool { return word != "" && strings.Contains(payload, word) }) {
				seqs = append(seqs, row.Seq)
			}
		}
		if len(page) < erasePage {
			return seqs, nil
		}
		last = page[len(page)-1].Seq
	}
}
