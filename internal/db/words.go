package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Contains answers a condition that holds where a column contains one of these words, in whatever case, and its arguments.
func (t *Tx) Contains(column string, words []string) (string, []any) {
	find := "instr"
	if t.Engine() == Postgres {
		find = "strpos"
	}
	parts, args := []string{"1 = 0"}, []any{}
	for _, word := range words {
		// PostgreSQL knows small letters of ASCII only in some locales.
		for _, folded := range slices.Compact([]string{strings.ToLower(word), lowerASCII(word)}) {
			parts, args = append(parts, fmt.Sprintf("%s(lower(%s), ?) > 0", find, column)), append(args, folded)
		}
	}
	return "(" + strings.Join(parts, " or ") + ")", args
}

func lowerASCII(word string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, word)
}

// Scrub writes the database anew without what was deleted, so that its bytes are not in the files any more: of SQLite. PostgreSQL does that by
// itself in its own time (vacuum). It waits for readers, within ctx.
func (d *DB) Scrub(ctx context.Context) error {
	if d.Engine == Postgres {
		return nil
	}
	if err := d.write.WithContext(ctx).Exec("vacuum").Error; err != nil {
		return fmt.Errorf("vacuum: %w", err)
	}
	var busy int
	if err := d.write.WithContext(ctx).Raw("pragma wal_checkpoint(truncate)").Row().Scan(&busy, new(int), new(int)); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if busy != 0 {
		return fmt.Errorf("checkpoint: %w", ErrInUse)
	}
	return nil
}
