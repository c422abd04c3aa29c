package db

import (
	"math/bits"
	"strings"
)

// Pad repeats the last value until there are as many as a power of two: a condition "in ?" says the same, and statements
// over lists of any length are few texts, each prepared once. A list of more than 512 stays as it is.
func Pad[T any](values []T) []T {
	n := len(values)
	if n == 0 || n > 512 || n&(n-1) == 0 {
		return values
	}
	out := make([]T, 1<<bits.Len(uint(n)))
	copy(out, values)
	for i := n; i < len(out); i++ {
		out[i] = values[n-1]
	}
	return out
}

// How many rows one statement inserts at most, and up to how many of any number.
const (
	insertMost = 128
	insertFew  = 8
)

// Insert inserts rows, each with the values of columns. It is for tables that every write fills: gorm takes longer to put such a
// statement together than the engine takes to run it. The statements are of 1 to 8, or 16, 32 … 128 rows: few texts, each prepared once.
func (t *Tx) Insert(table string, columns []string, rows [][]any) error {
	for len(rows) > 0 {
		n := len(rows)
		if n > insertFew {
			n = min(1<<(bits.Len(uint(n))-1), insertMost)
		}
		args := make([]any, 0, n*len(columns))
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		if err := t.Exec(insertText(table, columns, n), args...).Error; err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func insertText(table string, columns []string, n int) string {
	one := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	return "insert into " + table + " (" + strings.Join(columns, ", ") + ") values " + one + strings.Repeat(", "+one, n-1)
}
